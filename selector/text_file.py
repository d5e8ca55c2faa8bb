"""Small text files that people write: study files, pools. Read whole, but never more than such a file can hold."""

from __future__ import annotations

from pathlib import Path

from selector.errors import InputError

MOST = 2**20  # bytes


def small(path: Path) -> str:
    """Text of the UTF-8 file at `path`, with or without a byte order mark.

    OSError or ValueError: it cannot be read. InputError: it is larger than a mebibyte; a device, a model or a corpus in
    place of a list must not fill the memory.
    """
    with path.open("rb") as stream:
        content = stream.read(MOST + 1)
    if len(content) > MOST:
        raise InputError(f"{path} is larger than a mebibyte", "name the right file: this one holds too much to be it")
    return content.decode("utf-8-sig")
