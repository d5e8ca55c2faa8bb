"""A user's own distances: a square CSV file with language codes as its header, row labels optional."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selector.errors import InputError
from selector.language import parse

_HINT = "the file is square: a header of codes, then one row of numbers per code in the same order"
_TOLERANCE = 1e-6  # of symmetry and of the zero diagonal, in the unit of the file


def read_matrix(path: str) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Codes [n] and distances [n, n] of a file. Raises InputError with the line number of the first thing wrong."""
    rows = _rows(path)
    if not rows:
        raise InputError(f"'{path}' is empty", _HINT)
    _, header = rows[0]
    labelled = len(rows) > 1 and len(rows[1][1]) == len(header) and not header[0].strip()
    codes = tuple(_code(path, 1, cell) for cell in (header[1:] if labelled else header))
    if len(set(codes)) < len(codes):
        twice = next(code for code in codes if codes.count(code) > 1)
        raise InputError(f"'{path}', line {rows[0][0]}: {twice} appears twice", "give each language once")
    if len(rows) - 1 != len(codes):
        raise InputError(f"'{path}' has {len(codes)} columns but {len(rows) - 1} rows", _HINT)
    matrix = np.array([_numbers(path, row, codes, i, labelled) for i, row in enumerate(rows[1:])])
    _check(path, [line for line, _ in rows[1:]], codes, matrix)
    return codes, (matrix + matrix.T) / 2


def _rows(path: str) -> list[tuple[int, list[str]]]:
    """Non-empty rows with their line numbers."""
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except OSError as problem:
        raise InputError(f"cannot read the distances '{path}': {problem.strerror}", "check the path") from None
    except (UnicodeDecodeError, csv.Error) as problem:
        raise InputError(f"'{path}' is not a CSV file: {problem}", _HINT) from None


def _code(path: str, line: int, cell: str) -> str:
    try:
        return parse(cell).code
    except InputError as problem:
        raise InputError(f"'{path}', line {line}: {problem.message}", problem.hint) from None


def _numbers(path: str, row: tuple[int, list[str]], codes: tuple[str, ...], i: int, labelled: bool) -> list[float]:
    line, cells = row
    if labelled:
        label = _code(path, line, cells[0])
        if label != codes[i]:
            raise InputError(f"'{path}', line {line}: row {label} where {codes[i]} is due", _HINT)
        cells = cells[1:]
    if len(cells) != len(codes):
        raise InputError(f"'{path}', line {line}: {len(cells)} values where {len(codes)} are due", _HINT)
    return [_number(path, line, cell) for cell in cells]


def _number(path: str, line: int, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        what = f"'{cell.strip()}' is no distance" if cell.strip() else "a distance is missing"
        raise InputError(f"'{path}', line {line}: {what}", "every cell is a finite number, 0 or more")
    return value


def _check(path: str, lines: list[int], codes: tuple[str, ...], matrix: NDArray[np.float64]) -> None:
    for i in np.flatnonzero(np.abs(np.diag(matrix)) > _TOLERANCE):
        raise InputError(f"'{path}', line {lines[i]}: {codes[i]} is not at distance 0 from itself", _HINT)
    for i, j in np.argwhere(np.abs(matrix - matrix.T) > _TOLERANCE):
        pair = f"{codes[i]} to {codes[j]} is {matrix[i, j]:g} but back it is {matrix[j, i]:g}"
        raise InputError(f"'{path}', line {lines[max(i, j)]}: {pair}", "distances are the same in both directions")
