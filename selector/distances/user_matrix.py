"""A user's own matrices, CSV or NPZ: square distances, and measured transfer from donors (rows) to targets (columns).

CSV: language codes as the header, numbers below; each row may open with its own code (transfer: must).
NPZ: arrays `codes` [n] and `matrix` [n, n]; transfer: `donors` [d], `targets` [t] and `matrix` [d, t]. Never a pickle.
"""

from __future__ import annotations

import csv
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.errors import InputError
from selector.languages.language import parse

Matrix = NDArray[np.float64]
Row = tuple[int, list[str]]  # line number and cells

BROKEN = (  # errors of NumPy for a file that is not an archive, is damaged, or has other objects than arrays
    *(ValueError, TypeError, AttributeError, KeyError, EOFError, OverflowError, MemoryError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, SyntaxError),
)

COMMAS = "save it with commas between the cells and points in numbers: deu,2.5"

_SQUARE = "the file is square: a header of codes, then one row of numbers per code in the same order"
_TRANSFER = (
    "the header names the targets, and each row begins with its donor's code, e.g. `,deu,fin` then `swe,0.9,0.2`"
)
_TOLERANCE = 1e-6  # of symmetry and of the zero diagonal, in the unit of the file


def read_matrix(path: str) -> tuple[tuple[str, ...], Matrix]:
    """Codes [n] and symmetric distances [n, n] of the file at `path`.

    InputError for the first fault, with its line number in a CSV file.
    """
    if path.lower().endswith(".npz"):
        (listed, matrix), lines = _arrays(path, ("codes", "matrix"), _SQUARE), None
        codes = _labels(path, None, _flat(listed))
        _shape(path, matrix, (len(codes), len(codes)), _SQUARE)
        _each_finite(path, matrix, least=0.0)
    else:
        codes, matrix, lines = _square(path)
    _check(path, lines, codes, matrix)
    return codes, (matrix + matrix.T) / 2


def read_transfer(path: str) -> tuple[tuple[str, ...], tuple[str, ...], Matrix]:
    """Measured transfer of the file at `path`: donor codes [d], target codes [t] and values [d, t] in the file's unit.

    InputError for the first fault, with its line number in a CSV file.
    """
    if path.lower().endswith(".npz"):
        donors_, targets_, matrix = _arrays(path, ("donors", "targets", "matrix"), _TRANSFER)
        donors, targets = _labels(path, None, _flat(donors_)), _labels(path, None, _flat(targets_))
        _shape(path, matrix, (len(donors), len(targets)), _TRANSFER)
        _each_finite(path, matrix, least=-math.inf)
        return donors, targets, matrix
    rows = read_rows(path, "transfer", _TRANSFER)
    line, header = rows[0]
    targets = _labels(path, line, header[1:])
    if len(rows) < 2 or not targets:
        raise InputError(f"'{path}' has {len(rows) - 1} donors and {len(targets)} targets", _TRANSFER)
    for number, cells in rows[1:]:
        if len(cells) != len(header):
            raise InputError(f"'{path}', line {number}: {len(cells)} cells instead of {len(header)}", _TRANSFER)
    donors = _labels(path, [number for number, _ in rows[1:]], [cells[0] for _, cells in rows[1:]])
    numbers = [[_number(path, number, cell, -math.inf) for cell in cells[1:]] for number, cells in rows[1:]]
    return donors, targets, np.array(numbers)


def read_rows(path: str, what: str, hint: str) -> list[Row]:
    """Non-empty rows of the CSV file at `path` with their line numbers; at least one.

    `what` names the file in messages. InputError: it cannot be read, is empty, or its cells are not separated by
    commas; `hint` then says what the file should be.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except OSError as problem:
        raise InputError(f"cannot read the {what} '{path}': {problem.strerror}", "check the path") from None
    except (ValueError, csv.Error) as problem:  # ValueError: bytes that are not UTF-8, or an impossible name
        raise InputError(f"'{path}' is not a CSV file: {problem}", hint) from None
    if not rows:
        raise InputError(f"'{path}' is empty", hint)
    if other := other_separator(rows):
        raise InputError(f"'{path}', line {rows[0][0]}: cells are separated by {other}, not by commas", COMMAS)
    return rows


def other_separator(rows: Sequence[Row]) -> str | None:
    """Separator in the `rows` of a file without commas (spreadsheets of many countries write one), or None."""
    for mark, name in ((";", "semicolons"), ("\t", "TABs")):
        if all(mark in (cells[0] if cells else "") for _, cells in rows):
            return name
    return None


def code_of(path: str, line: int | None, cell: str) -> str:
    """ISO 639-3 code of the language that `cell` names. InputError, with `path` and `line`: it names none."""
    try:
        return parse(cell).code
    except InputError as problem:
        raise InputError(f"{_place(path, line)}: {problem.message}", problem.hint) from None


def _place(path: str, line: int | None) -> str:
    return f"'{path}'" if line is None else f"'{path}', line {line}"


def _square(path: str) -> tuple[tuple[str, ...], Matrix, list[int]]:
    """Codes [n], numbers [n, n] as they stand in a CSV file, and the line of each row [n]."""
    rows = read_rows(path, "distances", _SQUARE)
    line, header = rows[0]
    labelled = len(rows) > 1 and len(rows[1][1]) == len(header) and header[0].strip().lower() in ("", "code")
    codes = _labels(path, line, header[1:] if labelled else header)
    if len(rows) - 1 != len(codes):
        raise InputError(f"'{path}' has {len(codes)} columns but {len(rows) - 1} rows", _SQUARE)
    matrix = np.array([_numbers(path, row, codes, i, labelled) for i, row in enumerate(rows[1:])])
    return codes, matrix, [number for number, _ in rows[1:]]


def _labels(path: str, line: int | list[int] | None, cells: Sequence[str]) -> tuple[str, ...]:
    """Codes of all cells, which stand in one line or each in its own; each language once."""
    lines = line if isinstance(line, list) else [line] * len(cells)
    codes = tuple(code_of(path, number, str(cell)) for number, cell in zip(lines, cells, strict=True))
    seen: set[str] = set()
    for number, code in zip(lines, codes, strict=True):
        if code in seen:
            raise InputError(f"{_place(path, number)}: {code} appears twice", "give each language once")
        seen.add(code)
    return codes


def _flat(cells: NDArray[Any]) -> list[str]:
    return [str(cell) for cell in cells.ravel()]


def _numbers(path: str, row: Row, codes: tuple[str, ...], i: int, labelled: bool) -> list[float]:
    line, cells = row
    if labelled:
        label = code_of(path, line, cells[0])
        if label != codes[i]:
            raise InputError(f"'{path}', line {line}: row {label} instead of {codes[i]}", _SQUARE)
        cells = cells[1:]
    if len(cells) != len(codes):
        raise InputError(f"'{path}', line {line}: {len(cells)} values instead of {len(codes)}", _SQUARE)
    return [_number(path, line, cell, 0.0) for cell in cells]


def _number(path: str, line: int, cell: str, least: float) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not least <= value < math.inf or value == -math.inf:
        what = "distance" if least == 0 else "number"
        fault = f"'{cell.strip()}' is not a {what}" if cell.strip() else f"a {what} is missing"
        raise InputError(f"'{path}', line {line}: {fault}", f"every cell is a finite number{_bound(least)}")
    return value


def _bound(least: float) -> str:
    return ", 0 or more" if least == 0 else ""


def _arrays(path: str, names: tuple[str, ...], hint: str) -> list[NDArray[Any]]:
    """The named arrays of an NPZ file; the last one, the matrix, as float64."""
    hint = f"an NPZ file holds {', '.join(names)} without pickled objects; {hint}"
    try:
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            if missing := [name for name in names if name not in archive.files]:
                raise InputError(f"'{path}' has no array '{missing[0]}'", hint)
            arrays = [archive[name] for name in names]
            return [*arrays[:-1], arrays[-1].astype(np.float64)]
    except OSError as problem:
        reason = problem.strerror or "it is not an NPZ file"
        raise InputError(f"cannot read '{path}': {reason}", "check the path") from None
    except BROKEN:
        raise InputError(f"'{path}' is not an NPZ file of plain arrays", hint) from None


def _shape(path: str, matrix: Matrix, due: tuple[int, int], hint: str) -> None:
    if matrix.shape != due:
        raise InputError(f"'{path}' has a matrix of shape {matrix.shape} instead of {due}", hint)


def _each_finite(path: str, matrix: Matrix, least: float) -> None:
    bad = ~(np.isfinite(matrix) & (matrix >= least))
    if bad.any():
        i, j = map(int, np.argwhere(bad)[0])
        fault = f"'{path}' has {matrix[i, j]} in row {i}, column {j} (from 0)"
        raise InputError(fault, f"every cell is a finite number{_bound(least)}")


def _check(path: str, lines: list[int] | None, codes: tuple[str, ...], matrix: Matrix) -> None:
    for i in np.flatnonzero(np.abs(np.diag(matrix)) > _TOLERANCE):
        where = _place(path, lines[i] if lines else None)
        raise InputError(f"{where}: {codes[i]} is not at distance 0 from itself", _SQUARE)
    for i, j in np.argwhere(np.abs(matrix - matrix.T) > _TOLERANCE):
        where = _place(path, lines[max(i, j)] if lines else None)
        pair = f"{codes[i]} to {codes[j]} is {matrix[i, j]:g} but back it is {matrix[j, i]:g}"
        raise InputError(f"{where}: {pair}", "distances are the same in both directions")
