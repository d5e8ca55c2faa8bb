"""Flat arrays that are computed once and mapped from disk: encoded text and word links, by a key of their inputs.

    <cache>/store/<kind>/<key>/manifest.json      names, types, sizes and SHA-256 of the files, and facts about them
    <cache>/store/<kind>/<key>/<name>.bin         one array

`key` is a hash of everything that the arrays depend on. A folder is written completely or not at all: under another
name, flushed and renamed. When a process first opens it, every byte is verified; a folder that does not match its
manifest is built again. If the cache cannot be written, the arrays are kept in memory and a line says so.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from realign.cache import cache_root

FORMAT = 1  # raise when the same key would hold something else
MANIFEST = "manifest.json"

log = logging.getLogger("realingo.store")

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class StoredArrays:
    """Arrays and facts stored under one key."""

    arrays: Arrays
    facts: Mapping[str, Any]


@dataclass
class ArrayStream:
    """Pieces of flat arrays, each array of one type throughout, and facts about the whole."""

    pieces: Iterable[Arrays]
    facts: dict[str, Any]


def key_of(*facts: object) -> str:
    """Hash of the JSON values `facts`: the name under which arrays that depend on them are stored."""
    return hashlib.sha256(json.dumps([FORMAT, *facts], sort_keys=True).encode()).hexdigest()[:32]


def load_or_compute(kind: str, key: str, make: Callable[[], ArrayStream]) -> StoredArrays:
    """Arrays of `kind` and `key`, mapped from disk; computed by `make` if they are missing or damaged.

    Other processes that need the same key wait for the first. `make` may be called twice: a full disk is noticed when
    half is written, and the arrays are then made again in memory.
    """
    folder = cache_root() / "store" / kind / key
    stored = open_folder(folder)
    if stored is not None:
        return stored
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            stored = open_folder(folder)
            if stored is None:
                _write(folder, make)
                stored = open_folder(folder)
    except OSError as problem:
        log.warning("the cache %s cannot be written (%s): kept in memory", folder, problem.strerror or problem)
    return stored or _in_memory(make())


def find(kind: str, key: str) -> StoredArrays | None:
    """Arrays stored under `kind` and `key`; None where there are none, or damaged ones."""
    return open_folder(cache_root() / "store" / kind / key)


def open_folder(folder: Path) -> StoredArrays | None:
    """Arrays in `folder`; None where it is missing, incomplete or does not match its manifest."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = {name: (folder / f"{name}.bin", about) for name, about in manifest["files"].items()}
        for path, about in files.values():
            status = path.stat()
            if status.st_size != about["bytes"] or _digest(path, status.st_mtime_ns) != about["sha256"]:
                log.warning("%s is damaged: built again", path)
                return None
        return StoredArrays(
            {name: _map_array(path, about["dtype"]) for name, (path, about) in files.items()}, manifest["facts"]
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        log.warning("%s is damaged: built again", folder)
        return None


@cache
def _digest(path: Path, _changed: int) -> str:
    """SHA-256 of the file, read once a process while it stays unchanged: text that languages share is opened for each
    of them.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _map_array(path: Path, dtype: str) -> np.ndarray:
    if not path.stat().st_size:  # nothing can be mapped of an empty file
        return np.empty(0, dtype=dtype)
    return np.asarray(np.memmap(path, dtype=dtype, mode="r"))


def _write(folder: Path, make: Callable[[], ArrayStream]) -> None:
    workshop = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        chunks = make()
        files = _pour(chunks.pieces, workshop)
        with (workshop / MANIFEST).open("w", encoding="utf-8") as manifest:
            json.dump({"files": files, "facts": chunks.facts}, manifest)
            manifest.flush()
            os.fsync(manifest.fileno())
        workshop.chmod(0o755)  # as readable as any other folder of the user, which mkdtemp's are not
        if (
            folder.exists()
        ):  # it is damaged, or it would have been opened; processes that have it mapped keep their copy
            shutil.rmtree(folder)
        os.replace(workshop, folder)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _pour(pieces: Iterable[Arrays], workshop: Path) -> dict[str, dict[str, Any]]:
    """Append each piece to its array's file, and return the entries of the files in the manifest."""
    files: dict[str, Any] = {}
    digests: dict[str, Any] = {}
    about: dict[str, dict[str, Any]] = {}
    try:
        for piece in pieces:
            for name, array in piece.items():
                if name not in files:
                    files[name], digests[name] = (workshop / f"{name}.bin").open("wb"), hashlib.sha256()
                    about[name] = {"dtype": array.dtype.str, "bytes": 0}
                raw = np.ascontiguousarray(array).data.cast("B") if array.size else b""
                files[name].write(raw)
                digests[name].update(raw)
                about[name]["bytes"] += array.nbytes
        for name, file in files.items():
            file.flush()
            os.fsync(file.fileno())
            about[name]["sha256"] = digests[name].hexdigest()
    finally:
        for file in files.values():
            file.close()
    return about


def _in_memory(chunks: ArrayStream) -> StoredArrays:
    parts: dict[str, list[np.ndarray]] = {}
    for piece in chunks.pieces:
        for name, array in piece.items():
            parts.setdefault(name, []).append(array)
    return StoredArrays({name: np.concatenate(arrays) for name, arrays in parts.items()}, chunks.facts)
