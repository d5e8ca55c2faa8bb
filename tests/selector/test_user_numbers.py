"""Numbers by language in a file: a first line is a header only where it names no language."""

from __future__ import annotations

from pathlib import Path

import pytest

from selector.distances.user_table import numbers
from selector.errors import InputError


def written(folder: Path, first: str) -> Path:
    path = folder / "weights.csv"
    path.write_text(f"{first}\ntur,3\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("header", ["code,weight", "language,weight", "ISO,weight", "iso 639-3,words", ",weight"])
def test_a_header_is_left_out(header: str, tmp_path: Path) -> None:
    assert {language.code: x for language, x in numbers(written(tmp_path, header), "weight").items()} == {"tur": 3.0}


@pytest.mark.parametrize("line", ["deu,abc", "German,two", "de,much"])
def test_a_language_without_a_number_is_no_header(line: str, tmp_path: Path) -> None:
    """Left out without a word it would count with the usual weight."""
    with pytest.raises(InputError, match="line 1: no code and weight"):
        numbers(written(tmp_path, line), "weight")
