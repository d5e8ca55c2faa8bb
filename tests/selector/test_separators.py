"""Tables whose cells are not separated by commas are refused by what separates them, not by what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selector.distances import user_table
from selector.distances.user_matrix import read_matrix, read_transfer
from selector.errors import InputError
from selector.languages.language import parse
from selector.transfer.published import _table

TABLES: dict[str, tuple[Callable[[str], Any], str]] = {
    "costs": (lambda path: user_table.numbers(Path(path), "cost"), "code,cost\ndeu,2.5\n"),
    "columns": (user_table.read, "code,region\ndeu,Europe\n"),
    "distances": (read_matrix, ",deu,fra\ndeu,0,1\nfra,1,0\n"),
    "transfer": (read_transfer, ",deu,fra\nfin,0.1,0.2\n"),
    "results": (lambda path: _table(path, parse), "strategy,language,mean,std\nnone,deu,0.5,0.1\n"),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(("mark", "point"), [(";", "."), (";", ","), ("\t", ".")])
def test_the_hint_says_which_separator_is_due(tmp_path: Path, name: str, mark: str, point: str) -> None:
    read, text = TABLES[name]
    file = tmp_path / "a.csv"
    file.write_text(text)
    read(str(file))
    file.write_text(text.replace(",", mark).replace(".", point))
    with pytest.raises(InputError) as caught:
        read(str(file))
    assert "with commas between the cells" in caught.value.hint
