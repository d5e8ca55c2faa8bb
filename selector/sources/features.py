"""What URIEL knows of languages: typological features, kinship, place, with whose row was read and what was observed.

Values are URIEL's kNN-completed ones (0 or 1, nothing missing) unless another source is named; a mask says which of
them some source observed. Where a language's own row is thin, a stand-in row is used (its macrolanguage or a declared
twin, `code_tables.STAND_INS`), decided for each feature group, and the answer says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from selector.errors import InputError
from selector.sources import iso639, tables, uriel
from selector.sources.code_tables import ISOLATES, LEARNED, SEVERAL, STAND_INS
from selector.sources.uriel import KNN, PREFIXES

SOURCE = "URIEL (lang2vec 1.1.2)"
_BETTER = 2  # a stand-in replaces the own row when it observes at least this many times as many features


class Coded(Protocol):
    """Any value with an ISO 639-3 code, such as a `Language`."""

    @property
    def code(self) -> str: ...


@dataclass(frozen=True)
class FeatureTable:
    """Features of n languages: values, which of them were observed, and which row was read."""

    values: NDArray[np.float64]  # [n, d], 0 or 1 if completed (0.5 where not known); 0 where a single source is silent
    observed: NDArray[np.bool_]  # [n, d]
    rows: tuple[str, ...]  # [n], the code of the row used
    known: NDArray[np.bool_]  # [n], False where URIEL has no row at all
    names: tuple[str, ...]  # [d]


def table(languages: Sequence[Coded], group: str, source: str = KNN) -> FeatureTable:
    """Features of one group (`syntactic`, `phonological`, `inventory`) for `languages`, from one source.

    Raises InputError for an unknown source, or one that has no features of this group.
    """
    sheet = uriel.sheet(group, source)
    used = tuple(_row_of(language.code, group, source) for language in languages)
    index = np.array([sheet.row.get(code, -1) for code in used], dtype=np.intp)
    known = index >= 0
    neutral = 0.5 if source == KNN else 0.0
    values = np.where(known[:, None], sheet.values[index], neutral).astype(np.float64)  # (n, d)
    return FeatureTable(values, sheet.observed[index] & known[:, None], used, known, sheet.names)


def feature(language: Coded, name: str) -> float:
    """Typological feature `name` of `language`, 0.0 or 1.0, completed by kNN where no source has it.

    InputError: URIEL does not have this feature.
    """
    group = next((group for group, prefix in PREFIXES.items() if name.startswith(prefix)), None)
    if group is None or name not in _columns(group):
        raise InputError(f"unknown typological feature '{name}'", "features are named as in URIEL, e.g. S_SVO")
    return _vector(language.code, group)[_columns(group)[name]]


def observed_share(language: Coded) -> float:
    """Share of the 289 typological features of `language` that some source observed (stand-ins included)."""
    masks = [table([language], group).observed.ravel() for group in PREFIXES]
    return float(np.concatenate(masks).mean())


def family_path(language: Coded) -> tuple[str, ...]:
    """Nodes of the family tree from the root down to the branch of `language`; () where nothing is known.

    The path of a true isolate is the isolate alone.
    """
    return branch(language.code)


@cache
def branch(code: str) -> tuple[str, ...]:
    """Family path of the language `code`, or of its first stand-in that has one."""
    paths = uriel.paths()
    if code in ISOLATES and not paths.get(code):
        return (f"{code} (isolate)",)
    return next((paths[row] for row in (code, *stand_ins(code)) if paths.get(row)), ())


def coordinates(languages: Sequence[Coded]) -> NDArray[np.float64]:
    """Positions of `languages` as unit vectors from the centre of the earth [n, 3]; NaN where unknown."""
    rows, places = uriel.geographic_positions()
    found = np.full((len(languages), 3), np.nan)
    for i, language in enumerate(languages):
        for code in (language.code, *stand_ins(language.code)):
            if code in rows and not np.isnan(places[rows[code]]).any():
                found[i] = places[rows[code]]
                break
    return found


def degrees(languages: Sequence[Coded]) -> NDArray[np.float64]:
    """Latitude and longitude of `languages` in degrees, north and east positive [n, 2]; NaN where unknown."""
    x, y, z = coordinates(languages).T
    return np.degrees(np.stack([np.arcsin(np.clip(z, -1.0, 1.0)), np.arctan2(y, x)], axis=1))


def translation_vectors(languages: Sequence[Coded]) -> tuple[NDArray[np.float64], tuple[str, ...], NDArray[np.bool_]]:
    """Vectors of `languages` learned from translation [n, 512], the rows read [n], and True where there is one [n].

    A language without one has zeros.
    """
    rows, vectors = uriel.translation_vectors()
    near = [(item.code, *stand_ins(item.code), *LEARNED.get(item.code, ())) for item in languages]
    used = tuple(next((code for code in codes if code in rows), codes[0]) for codes in near)
    index = np.array([rows.get(code, -1) for code in used], dtype=np.intp)
    return np.where((index >= 0)[:, None], vectors[index], 0.0), used, index >= 0


def codes() -> tuple[str, ...]:
    """The code of every row of URIEL, macrolanguages and retired codes included, sorted."""
    return tuple(sorted(uriel.sheet("syntactic").row))


@cache
def _own() -> frozenset[str]:
    """The languages of the package's table, whose stand-ins are all declared."""
    return frozenset(row[0] for row in tables.rows("languages.tsv"))


@cache
def stand_ins(code: str) -> tuple[str, ...]:
    """Rows that may be read in place of the row of `code`: declared ones, else that of its macrolanguage."""
    if code in STAND_INS or code in _own():
        return STAND_INS.get(code, ())
    macro = iso639.macrolanguage(code)
    return (macro,) if macro is not None and macro not in SEVERAL else ()


@cache
def _row_of(code: str, group: str, source: str) -> str:
    """Code of the row to read: the own one, unless a stand-in observes twice as many features of this group."""
    sheet = uriel.sheet(group, source)
    seen = {row: int(sheet.seen[sheet.row[row]]) for row in (code, *stand_ins(code)) if row in sheet.row}
    own = seen.get(code, 0)
    best = max(seen, key=lambda row: seen[row], default=code)
    return best if seen.get(best, 0) >= max(1, _BETTER * own) or code not in seen else code


@cache
def _vector(code: str, group: str) -> tuple[float, ...]:
    sheet = uriel.sheet(group)
    row = _row_of(code, group, KNN)
    if row not in sheet.row:
        raise InputError(f"URIEL has no features for '{code}'", "see what is known with: realingo languages")
    return tuple(float(value) for value in sheet.values[sheet.row[row]])


@cache
def _columns(group: str) -> dict[str, int]:
    return {name: column for column, name in enumerate(uriel.sheet(group).names)}
