"""The folder in which a command leaves its result: new or empty before, whole or absent after."""

from __future__ import annotations

import os
from pathlib import Path

from selector.errors import InputError

HINT = "name a new or empty folder with -o; nothing is ever overwritten"


def vacant(folder: Path) -> Path:
    """The absolute path of a folder that is new or empty, in a place that may be written; else InputError."""
    folder = folder.absolute()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file", HINT)
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty", HINT)
    check_place(folder.parent, "name a folder that you may write with -o")
    return folder


def check_place(folder: Path, hint: str) -> None:
    """InputError, with `hint`, where files cannot be written in `folder`, or where it cannot be made."""
    place = next(each for each in (folder, *folder.parents) if each.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise InputError(f"cannot write in {place}", hint)
