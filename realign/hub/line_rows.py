"""Large .jsonl and .tsv files (also .gz), read line by line at each pass: rows are never held, whatever their number.

The first pass checks each line, finds the columns and counts the rows. Later passes read the lines that are wanted and
skip the others. Rows, columns and their order are those of `rows.read`, which holds small files in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from realign.hub.blocks import LARGE
from realign.hub.rows import (
    Rows,
    as_cells,
    as_object,
    decode_line,
    fail_at_line,
    is_quoted,
    raw_lines,
    read,
    text_of,
    unquote,
)
from selector.errors import InputError

PACKED = 4  # bytes of text in a byte of a .gz, about


def open_rows(path: Path, origin: str, large: int = LARGE) -> Rows:
    """Rows of the file at `path`: by lines if it has `large` bytes or more, else held in memory.

    InputError: its form is not known.
    """
    packed = path.suffix == ".gz"
    by_lines = path.name.removesuffix(".gz").endswith((".jsonl", ".tsv"))
    if by_lines and path.stat().st_size * (PACKED if packed else 1) >= large:
        return LineRows(LineFile(path), origin)
    return read(path, origin)


@dataclass
class Scan:
    """Findings of the first pass."""

    columns: dict[str, None] = field(default_factory=dict)  # in the order in which they are met
    skipped: list[int] = field(default_factory=list)  # numbers of lines, from 0, that are no rows
    header: list[str] = field(default_factory=list)  # of a table
    count: int = 0  # of rows
    quoted: bool = False  # every cell of a table that has a quotation mark is quoted as in CSV
    first: Mapping[str, Any] = field(default_factory=dict)  # row


@dataclass(frozen=True)
class LineFile:
    """A file of objects or of cells."""

    path: Path

    @property
    def is_table(self) -> bool:
        return self.path.name.removesuffix(".gz").endswith(".tsv")

    @cached_property
    def scan(self) -> Scan:
        """Findings of the first pass. InputError names the first line that is wrong."""
        return _scan_table(self.path) if self.is_table else _scan_objects(self.path)

    def rows(self, numbers: np.ndarray | None) -> Iterator[Mapping[str, Any]]:
        """All rows, or those with some `numbers`, which ascend."""
        for number, raw in self._lines(numbers):
            line = decode_line(self.path, number, raw)
            yield self._cells(number, line) if self.is_table else as_object(self.path, number, line)

    def _cells(self, number: int, line: str) -> Mapping[str, Any]:
        cells = as_cells(self.path, number, line, len(self.scan.header))
        return dict(zip(self.scan.header, unquote(cells) if self.scan.quoted else cells, strict=True))

    def _lines(self, numbers: np.ndarray | None) -> Iterator[tuple[int, bytes]]:
        """Lines of some rows, each with its number from 1."""
        wanted = iter(self._places(numbers).tolist())
        place = next(wanted, None)
        for number, raw in raw_lines(self.path) if place is not None else ():
            if number - 1 == place:
                yield number, raw
                place = next(wanted, None)
                if place is None:
                    return
        if place is not None:
            raise InputError(f"{self.path} changed while it was read: line {place + 1} is gone", "put it back")

    def _places(self, numbers: np.ndarray | None) -> np.ndarray:
        """Lines, from 0, of some rows: each row is shifted by the number of skipped lines before it."""
        rows = np.arange(self.scan.count) if numbers is None else numbers
        skipped = np.asarray(self.scan.skipped, dtype=np.int64)
        return rows + np.searchsorted(skipped - np.arange(len(skipped)), rows, side="right")


@dataclass(frozen=True)
class LineRows:
    """Rows of a file, all or those with some numbers; read at each pass."""

    file: LineFile
    origin: str
    numbers: np.ndarray | None = None  # [n], ascending; None: all

    @property
    def columns(self) -> Sequence[str]:
        return tuple(self.file.scan.columns)

    def __len__(self) -> int:
        return self.file.scan.count if self.numbers is None else len(self.numbers)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return self.file.rows(self.numbers)

    def select(self, numbers: Sequence[int]) -> LineRows:
        """Rows with these `numbers`, which ascend."""
        wanted = np.asarray(numbers, dtype=np.int64)
        return LineRows(self.file, self.origin, wanted if self.numbers is None else self.numbers[wanted])

    def texts(self, *columns: str) -> Iterator[tuple[str, ...]]:
        return (tuple(text_of(row, column) for column in columns) for row in self)

    def inside(self, column: str) -> Sequence[str]:
        first = self.file.scan.first.get(column)
        return tuple(first) if isinstance(first, dict) else ()

    def label_names(self, column: str) -> Sequence[str]:
        return ()


def _scan_objects(path: Path) -> Scan:
    found = Scan()
    for number, raw in raw_lines(path):
        line = decode_line(path, number, raw)
        if not line.strip():
            found.skipped.append(number - 1)
            continue
        row = as_object(path, number, line)
        if not row.keys() <= found.columns.keys():
            found.columns |= dict.fromkeys(row)
        found.first = found.first if found.count else row
        found.count += 1
    return found


def _scan_table(path: Path) -> Scan:
    """As a table: the first line that is not empty names the columns."""
    found, marked, quoted = Scan(), False, True
    for number, raw in raw_lines(path):
        line = decode_line(path, number, raw)
        if not line or not found.header:
            found.skipped.append(number - 1)
        if not line:
            continue
        cells = as_cells(path, number, line, len(found.header) or None)
        if '"' in line:
            marked = True
            quoted = quoted and all(is_quoted(cell) for cell in cells if '"' in cell)
        if found.header:
            found.first = found.first or dict(zip(found.header, cells, strict=True))
            found.count += 1
        else:
            found.header = cells
    if not found.header:
        fail_at_line(path, 1, "the file is empty", "a header and a row a line, columns separated by TABs")
    found.quoted = marked and quoted
    if found.quoted:
        found.header = unquote(found.header)
    if found.count:  # as for a small file: columns are those of its rows
        found.columns = dict.fromkeys(found.header)
    return found
