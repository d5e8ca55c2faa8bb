"""Small text files that people write: study files, pools. Read whole, but never more than such a file can hold."""

from __future__ import annotations

from pathlib import Path

from selector.errors import InputError

MOST = 2**20  # bytes


def small(path: Path) -> str:
    """The text of a file in UTF-8, with or without a byte order mark. OSError or ValueError where it has none.

    InputError beyond a mebibyte: a device, a model or a corpus in the place of a list must not fill the memory.
    """
    with path.open("rb") as stream:
        content = stream.read(MOST + 1)
    if len(content) > MOST:
        raise InputError(f"{path} is larger than a mebibyte", "name the right file: this one holds too much to be it")
    return content.decode("utf-8-sig")
