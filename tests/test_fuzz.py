"""Any file is read, or refused by an InputError: sound files with bytes turned, cut off or repeated, and any bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import rehearsal
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from readers import READERS, read_or_refused
from round_trips import ROUND_TRIPS

from search.config.study_config import load


def turned(sound: bytes) -> st.SearchStrategy[bytes]:
    """A sound file with some of it changed: a byte, the rest cut off, a part repeated or left out."""
    place = st.integers(0, len(sound))

    def change(content: bytes, what: str, at: int, to: int, byte: int) -> bytes:
        low, high = sorted((at % (len(content) + 1), to % (len(content) + 1)))
        middle = {"turn": bytes([byte]), "drop": b"", "twice": 2 * content[low:high]}
        return content[:low] if what == "cut" else content[:low] + middle[what] + content[high:]

    def changed(steps: Sequence[tuple[str, int, int, int]]) -> bytes:
        content = sound
        for step in steps:
            content = change(content, *step)
        return content

    one = st.tuples(st.sampled_from(["turn", "drop", "twice", "cut"]), place, place, st.integers(0, 255))
    return st.lists(one, min_size=1, max_size=3).map(changed)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
def test_any_file_is_read_or_refused(scratch: Path, name: str, data: st.DataObject) -> None:
    file_name, read, sound = READERS[name]
    folder = scratch / str(len(list(scratch.iterdir())))
    folder.mkdir()
    (folder / file_name).write_bytes(data.draw(st.binary(max_size=80) | turned(sound)))
    read_or_refused(lambda: read(folder / file_name))


@pytest.mark.parametrize("name", READERS)
def test_the_sound_file_is_read(tmp_path: Path, name: str) -> None:
    file_name, read, sound = READERS[name]
    (tmp_path / file_name).write_bytes(sound)
    read(tmp_path / file_name)


@pytest.mark.parametrize("name", ROUND_TRIPS)
@given(text=st.text(max_size=60))
@example(text="New York\u00a0schläft\n# O x\n# 1\n\u200b cafe\u0301 İ ß\n-1 - _ <range>\n#")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
def test_what_was_written_is_what_is_read(scratch: Path, name: str, text: str) -> None:
    folder = scratch / str(len(list(scratch.iterdir())))
    folder.mkdir()
    found, written = ROUND_TRIPS[name](folder, text.encode("utf-8", "ignore"))
    assert found == written


@given(key=st.text(max_size=20), value=st.text(max_size=30))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_override_is_taken_or_refused(scratch: Path, key: str, value: str) -> None:
    path = rehearsal.write(scratch / "study")
    for name in (key, "pool.k", "search.storage", "targets.tune"):
        read_or_refused(lambda name=name: load(path, [f"{name}={value}"]))  # type: ignore[misc]
