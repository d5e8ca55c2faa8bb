"""What URIEL knows of languages; the only reader of lang2vec's data files (its module itself is never imported).

Values are URIEL's kNN-completed ones (0 or 1, nothing missing); a mask says which of them some source observed. Where a
language's own row is thin, a declared stand-in row is used (`codes.STAND_INS`) and the answer says which.

Source: lang2vec 1.1.2, the URIEL typological database (Littell et al. 2017), data CC-BY-SA-4.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from selector.codes import ISOLATES, STAND_INS
from selector.errors import InputError

PREFIXES = {"syntactic": "S_", "phonological": "P_", "inventory": "INV_"}
SOURCE = "URIEL (lang2vec 1.1.2)"
_MISSING = -1.0  # how feature_averages.npz marks a value that no source gives
_BETTER = 2  # a stand-in replaces the own row when it observes at least this many times as many features


class Coded(Protocol):
    """Anything with an ISO 639-3 code; a `Language`."""

    @property
    def code(self) -> str: ...


@dataclass(frozen=True)
class Table:
    """Features of n languages: values, which of them were observed, and whose row was read."""

    values: NDArray[np.float64]  # [n, d], 0 or 1
    observed: NDArray[np.bool_]  # [n, d]
    rows: tuple[str, ...]  # [n], the code of the row used
    known: NDArray[np.bool_]  # [n], False where URIEL has no row at all (values 0.5)
    names: tuple[str, ...]  # [d]


@dataclass(frozen=True)
class _Group:
    row: dict[str, int]  # code → row; every file of lang2vec has its own order
    names: tuple[str, ...]
    values: NDArray[np.float32]  # [7970, d]
    observed: NDArray[np.bool_]  # [7970, d]


def table(languages: Sequence[Coded], group: str) -> Table:
    """Features of one group (`syntactic`, `phonological`, `inventory`) for `languages`."""
    data = _group(group)
    used = tuple(_row_of(language.code, group) for language in languages)
    index = np.array([data.row.get(code, -1) for code in used], dtype=np.intp)
    known = index >= 0
    values = np.where(known[:, None], data.values[index], 0.5).astype(np.float64)  # (n, d)
    return Table(values, data.observed[index] & known[:, None], used, known, data.names)


def feature(language: Coded, name: str) -> float:
    """One typological feature of a language, completed by kNN where no source has it: 0.0 or 1.0.

    Raises InputError for a feature that URIEL does not have.
    """
    group = next((group for group, prefix in PREFIXES.items() if name.startswith(prefix)), None)
    if group is None or name not in _columns(group):
        raise InputError(f"unknown typological feature '{name}'", "features are named as in URIEL, e.g. S_SVO")
    return _vector(language.code, group)[_columns(group)[name]]


def observed_share(language: Coded) -> float:
    """Share of the 289 typological features that some source observed for this language (stand-ins included)."""
    masks = [table([language], group).observed.ravel() for group in PREFIXES]
    return float(np.concatenate(masks).mean())


def family_path(language: Coded) -> tuple[str, ...]:
    """Nodes of the family tree from the root down to the language's own branch; () where nothing is known.

    A true isolate answers with itself alone.
    """
    return branch(language.code)


@cache
def branch(code: str) -> tuple[str, ...]:
    """`family_path` by code: the language's own path, or that of the first stand-in with one."""
    paths = _paths()
    for candidate in (code, *STAND_INS.get(code, ())):
        if paths.get(candidate):
            return paths[candidate]
    return (f"{code} (isolate)",) if code in ISOLATES else ()


def coordinates(languages: Sequence[Coded]) -> NDArray[np.float64]:
    """Position of each language as a unit vector from the centre of the earth [n, 3]; NaN where unknown.

    URIEL gives great-circle distances to 299 fixed points, as shares of half the equator; the cosine of the angle
    to a point is linear in the position, so least squares recovers it.
    """
    rows, points, angles = _globe()
    found = np.full((len(languages), 3), np.nan)
    for i, language in enumerate(languages):
        code = next((c for c in (language.code, *STAND_INS.get(language.code, ())) if c in rows), None)
        if code is not None:
            position = np.linalg.lstsq(points, np.cos(angles[rows[code]]), rcond=None)[0]  # (3,)
            found[i] = position / np.linalg.norm(position)
    return found


def codes() -> tuple[str, ...]:
    """The code of every row of URIEL, macrolanguages and retired codes included, sorted."""
    return tuple(sorted(_group("syntactic").row))


def _row_of(code: str, group: str) -> str:
    """The row to read: the own one, unless a stand-in observes at least twice as many features of this group."""
    data = _group(group)
    seen = {c: int(data.observed[data.row[c]].sum()) for c in (code, *STAND_INS.get(code, ())) if c in data.row}
    own = seen.get(code, 0)
    best = max(seen, key=lambda c: seen[c], default=code)
    return best if seen.get(best, 0) >= max(1, _BETTER * own) or code not in seen else code


@cache
def _vector(code: str, group: str) -> tuple[float, ...]:
    data = _group(group)
    row = _row_of(code, group)
    if row not in data.row:
        raise InputError(f"URIEL has no features for '{code}'", "see what is known with: realingo languages")
    return tuple(float(value) for value in data.values[data.row[row]])


@cache
def _columns(group: str) -> dict[str, int]:
    return {name: column for column, name in enumerate(_group(group).names)}


@cache
def _group(group: str) -> _Group:
    prefix = PREFIXES[group]
    return _groups()[prefix]


@cache
def _groups() -> dict[str, _Group]:
    """All groups at once, since they share two files."""
    completed, means = _load("feature_predictions.npz"), _load("feature_averages.npz")
    names = [str(name) for name in completed["feats"]]
    row = {str(code): i for i, code in enumerate(completed["langs"])}
    order = _positions(means["langs"], row)
    column = _positions(means["feats"], {name: i for i, name in enumerate(names)})
    observed = (means["data"][:, :, 0] != _MISSING)[order][:, column]  # (7970, 289), rows and columns as `completed`
    values = completed["data"][:, :, 0]
    answer = {}
    for prefix in PREFIXES.values():
        keep = [i for i, name in enumerate(names) if name.startswith(prefix)]
        answer[prefix] = _Group(row, tuple(names[i] for i in keep), values[:, keep], observed[:, keep])
    return answer


def _positions(labels: Any, wanted: dict[str, int]) -> NDArray[np.intp]:
    """Where each key of `wanted` stands in `labels`."""
    place = {str(label): i for i, label in enumerate(labels)}
    return np.array([place[key] for key in wanted], dtype=np.intp)


@cache
def _paths() -> dict[str, tuple[str, ...]]:
    """Code → nodes from root to leaf: the node that more languages share stands nearer to the root."""
    tree = _load("family_features.npz")
    member = tree["data"][:, :, 0] > 0  # (7970, 3718)
    names = [str(name).removeprefix("F_") for name in tree["feats"]]
    size = member.sum(axis=0)
    order = np.lexsort((np.arange(len(names)), -size))  # equal size: URIEL's own order, parents first
    rank = np.empty(len(names), dtype=np.intp)
    rank[order] = np.arange(len(names))
    found: dict[str, list[int]] = {str(code): [] for code in tree["langs"]}
    listed = list(found)
    for i, node in zip(*np.nonzero(member), strict=True):
        found[listed[i]].append(node)
    return {code: tuple(names[j] for j in sorted(nodes, key=lambda j: rank[j])) for code, nodes in found.items()}


@cache
def _globe() -> tuple[dict[str, int], NDArray[np.float64], NDArray[np.float64]]:
    """Rows by code, the fixed points [299, 3], and every language's angle to every point [7970, 299] (radians)."""
    data = _load("geocoord_features.npz")
    degrees = np.array([[float(x) for x in str(name).split("_")[1:]] for name in data["feats"]])  # latitude, longitude
    latitude, longitude = np.radians(degrees).T
    flat = np.cos(latitude)
    points = np.stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], axis=1)
    rows = {str(code): i for i, code in enumerate(data["langs"])}
    return rows, points, np.pi * data["data"][:, :, 0].astype(np.float64)


def _load(name: str) -> dict[str, Any]:
    """One of lang2vec's files, found by its distribution: its wheel also puts a *script* lang2vec.py beside ours, which
    hides the package from every import made by an installed command."""
    try:
        place = str(metadata.distribution("lang2vec").locate_file(f"lang2vec/data/{name}"))
        with np.load(place) as archive:
            return {key: archive[key] for key in archive.files}
    except (metadata.PackageNotFoundError, FileNotFoundError):
        raise InputError(
            f"URIEL's file {name} is missing: typological features need the package lang2vec",
            "install it with: pip install lang2vec==1.1.2",
        ) from None
