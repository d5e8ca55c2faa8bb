"""Lines of large text files as bytes: counted, checked and picked by number, a block at a time.

A line of Python for each of a million lines takes seconds; splitting blocks takes a tenth of that. Only a line feed
ends a line, as in `folder.lines`.
"""

from __future__ import annotations

import gzip
import logging
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from realign.corpora.folder import StampedPath, decode_line, lines, reading

BLOCK = 1 << 22  # bytes
QUOTED = re.compile(r'"(?:[^"]|"")*""(?:[^"]|"")*"')  # a cell that CSV quotes because it contains a quotation mark

log = logging.getLogger("realingo.data")


@cache
def count_lines(stamp: StampedPath) -> int:
    """Number of lines of the file in `stamp`, each of them readable. InputError names the first that is not."""
    count = count_blocks(stamp[0])
    return sum(1 for _ in lines(stamp[0])) if count is None else count


def count_blocks(path: Path, columns: int = 0) -> int | None:
    """Number of lines of the file at `path`; None where it must be checked line by line.

    That is a file with bytes that are not UTF-8, a NUL, or a carriage return inside a line; and, if `columns` is given,
    a line that is blank, has another number of columns, or has quotation marks as in CSV.
    """
    count = 0
    try:
        for whole in _blocks(path):
            block = b"\n".join(whole)
            block.decode("utf-8")
            if b"\0" in block or (columns and b'""' in block):
                return None
            if b"\r" in block and any(b"\r" in line.rstrip(b"\r") for line in whole):
                return None
            if columns and ({line.count(b"\t") for line in whole} - {columns - 1} or not all(map(bytes.strip, whole))):
                return None
            count += len(whole)
    except ValueError:
        return None
    return count


def pick_lines(path: Path, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Lines of `path` with these `numbers` (ascending, from 0), each with its number from 1, without their ends."""
    base, place = 0, 0
    for whole in _blocks(path):
        while place < len(numbers) and numbers[place] < base + len(whole):
            number = int(numbers[place])
            yield number + 1, decode_line(path, number + 1, whole[number - base])
            place += 1
        base += len(whole)
        if place == len(numbers):
            return


def _blocks(path: Path) -> Iterator[list[bytes]]:
    """Whole lines without their line feeds, many at a time."""
    rest = b""
    with reading(path), gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        try:
            while block := file.read(BLOCK):
                *whole, rest = (rest + block).split(b"\n")
                yield whole
        except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
            raise ValueError(f"damaged gzip file ({problem})") from problem
    if rest:
        yield [rest]


def tell_quoted(path: Path, cells: Iterable[str]) -> None:
    """Warn if `cells` of the file at `path` are quoted as in CSV: here the marks are text."""
    quoted = sum(QUOTED.fullmatch(cell) is not None for cell in cells)
    if quoted:
        message = "%s: %d texts are quoted as in CSV, and their marks are taken as text: write the file without quoting"
        log.warning(message, path, quoted)
