"""The files of a data folder: which languages there are, what the files hash to, their lines; errors name the line."""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NoReturn

from selector.errors import InputError
from selector.sources.code_tables import PREFERRED

VARIABLE = "REALINGO_DATA"


def fail(message: str, hint: str) -> NoReturn:
    raise InputError(message, hint)


def by_language(folder: Path, suffix: str, required: bool = True, prefix: str = "") -> dict[str, Path]:
    """Individual ISO 639-3 code → file `<prefix><code><suffix>[.gz]`, sorted by code.

    A file may carry the macrolanguage's code; the individual code wins over it, and plain over compressed.
    """
    if not folder.is_dir():
        fail(f"there is no data folder {folder}", f"give a folder that exists, or set {VARIABLE}")
    pattern = re.compile(re.escape(prefix) + r"([a-z]{3})" + re.escape(suffix) + r"(\.gz)?")
    with readable(folder):
        found = [(match, path) for path in folder.iterdir() if (match := pattern.fullmatch(path.name))]
    files: dict[str, Path] = {}
    for match, path in sorted(found, key=lambda pair: (pair[0][1] in PREFERRED, pair[1].name)):
        files.setdefault(PREFERRED.get(match[1], match[1]), path)
    if required and not files:
        name = f"{prefix}<code>{suffix}"
        fail(f"no data in {folder}", f"files are named {name} or {name}.gz, code in ISO 639-3")
    return dict(sorted(files.items()))


def one(files: dict[str, Path], language: str, what: str) -> Path:
    if language in files:
        return files[language]
    fail(f"there is no {what} for '{language}'", f"there is for: {', '.join(files) or 'none'}")


Stamped = tuple[Path, tuple[int, int]]  # a path with what changes when the file does


def stamped(path: Path) -> Stamped:
    """The key of what was read from a file in this process."""
    with readable(path):
        status = path.stat()
    return path, (status.st_mtime_ns, status.st_size)


def sign(form: str, paths: Iterable[Path]) -> str:
    """`form` and 16 hex digits of SHA-256 over the names and bytes of the files: where they lie does not matter."""
    rows = sorted(f"{path.name} {_digest(*stamped(path))}" for path in paths)
    return f"{form}:{hashlib.sha256(chr(10).join(rows).encode()).hexdigest()[:16]}"


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """What the system refuses becomes an InputError with the path in it."""
    try:
        yield
    except OSError as problem:
        fail(f"cannot read {path}: {problem.strerror or problem}", "check that it is there and that you may read it")


@cache
def _digest(path: Path, _stamp: tuple[int, int]) -> str:
    with readable(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bad(path: Path, number: int, problem: str, hint: str = "correct or remove the line") -> NoReturn:
    raise InputError(f"{path}, line {number}: {problem}", hint)


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines without their end. Only a line feed ends a line: text may hold other Unicode separators."""
    number = 0
    with readable(path), gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        try:
            for number, raw in enumerate(file, start=1):
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as problem:
            bad(path, number, f"not UTF-8 ({problem.reason} at byte {problem.start + 1})", "save the file as UTF-8")
        except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
            bad(path, number + 1, f"damaged gzip file ({problem})", "fetch or compress the file again")
