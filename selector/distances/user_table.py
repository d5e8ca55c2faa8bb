"""A user's table of languages: a CSV file whose first column is the code, every further column whatever the user has.

Columns serve as strata and quotas (labels), costs and weights (numbers), or features (Grambank-like values).
An empty cell, `?`, `--` or `NA` says that nothing is known.
"""

from __future__ import annotations

import difflib
import itertools
import logging
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from selector.distances.user_matrix import Row, code_of, read_rows
from selector.errors import InputError
from selector.languages.language import Language, parse
from selector.sources import schemes
from selector.sources.features import Coded

_log = logging.getLogger("realingo.languages")


def numbers(path: Path, what: str) -> dict[Language, float]:
    """Number of each language in the CSV file at `path`: `code,number` on every line, a header is optional.

    `what` (such as "cost") names the number in messages. InputError: the first fault, with its line.
    """
    hint = f"each line is a code, a comma and a {what}, for example deu,2.5"
    rows = read_rows(str(path), f"{what}s", hint)
    if _is_header(rows[0][1]):
        rows = rows[1:]
    found: dict[Language, float] = {}
    for line, cells in rows:
        if len(cells) != 2 or not _is_number(cells[1]):
            raise InputError(f"'{path}', line {line}: no code and {what}", hint)
        language = parse(code_of(str(path), line, cells[0]))
        if language in found:
            raise InputError(f"'{path}', line {line}: {language.code} appears twice", "give each language once")
        found[language] = float(cells[1])
    return found


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_header(cells: Sequence[str]) -> bool:
    """True if a first row names its columns: words, none a number in another notation, and the first no language."""
    last = cells[-1].strip()
    named = last not in _NOTHING and not _is_number(last) and not any(map(str.isdigit, last))
    return named and not _is_language(cells[0])


def _is_language(cell: str) -> bool:
    if cell.strip().lower() == "iso":  # the code of Isoko, and what many write above a column of codes
        return False
    try:
        parse(cell)
    except InputError:
        return False
    return True


_HINT = (
    "the header names the columns, the code first, and each row is one language, e.g. `code,region` then `deu,Europe`"
)
_QUANTITY = re.compile(r"[-+]?\d+(?:[.,]\d*[1-9]\d*\s*%?|[.,]?\d*\s*%)")
_NOTHING = frozenset(("", "?", "--", "NA", "na", "NaN", "nan"))


@dataclass(frozen=True)
class Columns:
    """Cells of a table by language and column; None where the table says nothing."""

    path: str
    names: tuple[str, ...]  # [c], without the code's
    cells: Mapping[str, tuple[str | None, ...]]  # code → [c]

    def label(self, column: str, language: Coded) -> str | None:
        """Text in `column` for `language`, or None. InputError: there is no such column."""
        row = self.cells.get(language.code)
        place = self._place(column)
        return row[place] if row is not None else None

    def number(self, column: str, language: Coded) -> float:
        """Finite number in `column` for `language`. InputError: there is no such column, or no number."""
        text = self.label(column, language)
        try:
            value = float(text) if text is not None else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            what = "nothing" if text is None else f"'{text}'"
            hint = f"give {language.code} a number in the column {column}"
            raise InputError(f"'{self.path}' has {what} for {language.code} instead of a number", hint)
        return value

    def _place(self, column: str) -> int:
        if column not in self.names:
            near = difflib.get_close_matches(column, self.names, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise InputError(f"'{self.path}' has no column '{column}'", f"{hint}It has {', '.join(self.names)}")
        return self.names.index(column)


def _languages(path: str, rows: Sequence[Row]) -> list[Row]:
    """Rows that are languages; of several Glottocodes of one language the first. A warning counts the others."""
    kept: dict[str, Row] = {}  # by code
    others = []
    for row in rows:
        lect = _lect(row)
        code = schemes.glottolog(lect)
        if not schemes.is_glottocode(lect) or (code in kept and _lect(kept[code]) == lect):
            others.append(row)  # duplicates are reported later
        elif code is not None and (code not in kept or schemes.glottocode(code) == lect):
            kept[code] = row
    if left := len(rows) - len(others) - len(kept):
        _log.warning(f"'{path}': rows left out: {left}, of dialects or of languages without a code in ISO 639-3")
    return sorted([*others, *kept.values()])


def _lect(row: Row) -> str:
    return row[1][0].strip().casefold()


def read(path: str) -> Columns:
    """Table in the CSV file at `path`. InputError: the first fault, with its line."""
    rows = read_rows(path, "table", _HINT)
    line, header = rows[0]
    names = tuple(cell.strip() for cell in header[1:])
    if not names or len(rows) < 2:
        raise InputError(f"'{path}' has {len(names)} columns besides the code and {len(rows) - 1} languages", _HINT)
    if len(set(names)) < len(names) or "" in names:
        twice = next(name for name in names if names.count(name) > 1 or not name)
        raise InputError(
            f"'{path}', line {line}: the column name '{twice}' is empty or given twice", "name each column"
        )
    cells: dict[str, tuple[str | None, ...]] = {}
    for number, row in _languages(path, rows[1:]):
        if len(row) != len(header):
            raise InputError(f"'{path}', line {number}: {len(row)} cells instead of {len(header)}", _HINT)
        code = code_of(path, number, row[0])
        if code in cells:
            raise InputError(f"'{path}', line {number}: {code} appears twice", "give each language once")
        cells[code] = tuple(None if cell.strip() in _NOTHING else cell.strip() for cell in row[1:])
    return Columns(path, names, cells)


def check_states(table: Columns, codes: Iterable[str]) -> None:
    """Check that the columns of `table` can serve as features, whose values are either equal or different.

    A warning names columns of quantities: 0.51 and 0.52 would be as different as 0.51 and 9. InputError: two values of
    one column, among the rows of `codes`, differ only in upper and lower case.
    """
    rows = [table.cells[code] for code in codes if code in table.cells]
    quantities = []
    for j, name in enumerate(table.names):
        found = {cell for row in rows if (cell := row[j]) is not None}
        values = sorted(found, key=lambda cell: (cell.casefold(), cell))
        for one, other in itertools.pairwise(values):
            if one.casefold() == other.casefold():
                message = f"'{table.path}', column {name}: both '{one}' and '{other}'"
                raise InputError(message, "write a value the same way in every row")
        if any(_QUANTITY.fullmatch(value) for value in values):
            quantities.append(name)
    if quantities:
        message = f"'{table.path}': numbers are compared as names, the same or not, in {len(quantities)} columns: "
        _log.warning(message + ", ".join(quantities[:5]))
