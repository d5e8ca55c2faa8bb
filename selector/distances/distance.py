"""How far apart languages are: features, kinship, geography or a file → one square matrix. Never a silent 0.

Typological distances compare URIEL's kNN-completed vectors by default; how many features of a pair were really
observed travels along. With another source (`syntactic:average`, `syntactic:wals`) or a user's own table only the
features observed for both languages are compared. A pair about which too little is known gets the mean of the known
pairs and is marked, so that no strategy prefers or shuns it for being unknown. Two languages read from one row of
URIEL (a macrolanguage's, a twin's) are at distance 0, with an overlap of 0 and listed by `same_row`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.distances import masked, user_table
from selector.distances.user_matrix import read_matrix
from selector.errors import InputError
from selector.languages.language import Language
from selector.sources import features
from selector.sources.uriel import KNN, PREFIXES

Matrix = NDArray[Any]  # float64, or float32 for many languages (`masked.precision`)

LEAST_OVERLAP = 15  # below it masked distances are noise: r = .63 with the completed ones, .93 from 50 features on


@dataclass(frozen=True)
class Distances:
    """Distances between n languages, 0 to 1 for the built-in metrics."""

    matrix: Matrix  # [n, n], symmetric, zero diagonal, no NaN; float32 where n > 2048
    observed: NDArray[np.float64]  # [n], share of the metric's features that some source observed, 0 to 1
    known: NDArray[np.bool_]  # [n], False where nothing is known about the position of the language
    overlap: masked.Counts | None = None  # [n, n], features observed for both; None where the metric has no features
    unknown: NDArray[np.bool_] | None = None  # [n, n], pairs that got the mean; None where every pair was compared
    rows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # feature group → [n], whose row was read

    def same_row(self) -> NDArray[np.bool_] | None:
        """Pairs [n, n] whose features were all read from the same row of URIEL; None where no row is read."""
        return _same_row_pairs([np.array(rows) for rows in self.rows.values()]) if self.rows else None


Languages = Sequence[Language]
Measure = Callable[[Languages, int], Distances]


def distances(languages: Languages, metric: str, least_overlap: int = LEAST_OVERLAP) -> Distances:
    """Pairwise distances under a metric, a weighted mix (`syntactic=0.7,genetic=0.3`) or a file.

    Pairs with fewer than `least_overlap` shared features count as unknown, where a metric compares observed ones only.
    Raises InputError for an unknown metric or source, a bad weight, or a bad file (with the line number).
    """
    if least_overlap < 1:
        raise InputError(f"the least overlap is {least_overlap}", "ask for at least 1 shared feature")
    if not isinstance(metric, str):
        raise InputError(f"the metric is {metric!r}, which is no text", "give its name, such as 'syntactic'")
    parts = [(_measure(name), weight) for name, weight in _weights(metric)]
    if len(parts) == 1:
        return parts[0][0](languages, least_overlap)
    total = sum(weight for _, weight in parts)
    return _mix([(measure(languages, least_overlap), weight / total) for measure, weight in parts])


def binary(languages: Languages, metric: str) -> NDArray[np.float64] | None:
    """Features [n, f] of zeros and ones for which the share of differing features is the distance.

    None where `metric` is not a Hamming distance, or a language has no features.
    """
    base, _, scope = metric.partition(":")
    if base != "hamming" or scope not in _GROUPS:
        return None
    tables = [features.table(languages, group) for group in _GROUPS[scope]]
    known = np.logical_and.reduce([table.known for table in tables])
    return np.concatenate([table.values for table in tables], axis=1) if known.all() else None


_GROUPS = {group: (group,) for group in PREFIXES} | {"featural": tuple(PREFIXES), "": tuple(PREFIXES)}


def _typological(groups: tuple[str, ...], source: str, compare: Callable[..., Matrix] | None = None) -> Measure:
    """Cosine distance between feature vectors (Littell et al. 2017, URIEL); or `compare` on the completed ones."""

    def measure(languages: Languages, least: int) -> Distances:
        tables = [features.table(languages, group, source) for group in groups]
        values = np.concatenate([table.values for table in tables], axis=1)  # (n, d)
        observed = np.concatenate([table.observed for table in tables], axis=1)  # (n, d)
        shared = reduce(np.add, (masked.overlap(table.observed, table.rows) for table in tables))
        if source == KNN:
            matrix = (compare or masked.cosine)(values)
            known = tables[0].known & (values > 0).any(axis=1)
        else:
            matrix = masked.masked_cosine(values, observed, shared, least)
            known = np.asarray(observed.any(axis=1))
            same = _same_row_pairs([np.array(table.rows) for table in tables])
            matrix[same & np.outer(known, known)] = 0.0
        rows = {group: table.rows for group, table in zip(groups, tables, strict=True)}
        return _complete_distances(matrix, observed.mean(axis=1), known, shared, rows)

    return measure


def _same_row_pairs(rows: Sequence[NDArray[np.str_]]) -> NDArray[np.bool_]:
    """Pairs [n, n] read from the same row in every feature group; `rows` holds the codes of the rows, [n] a group."""
    indices = [np.unique(codes, return_inverse=True)[1] for codes in rows]
    same = np.logical_and.reduce([index[:, None] == index for index in indices])
    np.fill_diagonal(same, False)
    return np.asarray(same)


def _genetic(languages: Languages, least: int) -> Distances:
    """1 - shared / sqrt(length · length), lengths being the nodes of both paths through the family tree.

    This is URIEL's cosine, with the language itself as the last node of its path: sisters are near, never identical.
    """
    paths = [features.family_path(language) for language in languages]
    length = np.array([len(path) + 1.0 for path in paths])
    matrix = np.zeros((len(paths), len(paths)), masked.precision(len(paths)))
    for depth in range(1, max(map(len, paths), default=0) + 1):
        branches: dict[tuple[str, ...], int] = {}
        at = np.array([branches.setdefault(p[:depth], len(branches)) if len(p) >= depth else -1 for p in paths])
        for node in np.unique(at[at >= 0]):
            below = np.flatnonzero(at == node)
            matrix[np.ix_(below, below)] += 1.0
    for row, own in zip(matrix, length, strict=True):
        row /= -np.sqrt(own * length)
    matrix += 1.0
    return _distances_without_features(matrix, np.array([bool(path) for path in paths]))


def _geographic(languages: Languages, least: int) -> Distances:
    """Great-circle distance as a share of half the circumference of the earth."""
    place = features.coordinates(languages).astype(masked.precision(len(languages)))  # (n, 3)
    matrix = place @ place.T
    np.clip(matrix, -1.0, 1.0, out=matrix)
    np.arccos(matrix, out=matrix)
    matrix /= np.pi
    return _distances_without_features(matrix, ~np.isnan(place[:, 0]))


def _from_translation_vectors(languages: Languages, least: int) -> Distances:
    """(1 - cosine) / 2 between the vectors of a translation model, for 1,017 languages (Malaviya et al. 2017)."""
    vectors, rows, known = features.translation_vectors(languages)
    matrix = masked.cosine(vectors)
    matrix /= 2.0
    return _complete_distances(matrix, known.astype(np.float64), known, None, {"learned": rows})


def _distances_without_features(matrix: Matrix, known: NDArray[np.bool_]) -> Distances:
    return _complete_distances(matrix, known.astype(np.float64), known, None, {})


def _complete_distances(
    matrix: Matrix,
    observed: NDArray[np.float64],
    known: NDArray[np.bool_],
    shared: masked.Counts | None,
    rows: Mapping[str, tuple[str, ...]],
) -> Distances:
    """Distances with unknown pairs filled and marked. A language is unknown if all its pairs are."""
    unknown = masked.fill_unknown(matrix, known)
    if len(matrix) > 1:
        known = known & (unknown.sum(axis=1) < len(matrix) - 1)
    return Distances(matrix, observed, known, shared, unknown if unknown.any() else None, rows)


def _matrix_file(path: str, languages: Languages, least: int) -> Distances:
    listed, matrix = read_matrix(path)
    place = {code: i for i, code in enumerate(listed)}
    missing = [language.code for language in languages if language.code not in place]
    if missing:
        raise InputError(
            f"'{path}' has no distances for {', '.join(missing[:5])}", "add a row and a column for every language"
        )
    index = [place[language.code] for language in languages]
    everything = np.ones(len(index))
    return Distances(matrix[np.ix_(index, index)], everything, everything > 0)


def _feature_file(path: str, languages: Languages, least: int) -> Distances:
    """Share of differing values among the features that a user's table has for both languages."""
    table = user_table.read(path)
    nothing = (None,) * len(table.names)
    cells = np.array([table.cells.get(language.code, nothing) for language in languages], dtype=object)  # (n, d)
    observed = cells != None  # noqa: E711 (elementwise)
    if not observed.any():
        raise InputError(f"'{path}' has no values for these languages", "list them in its first column")
    states = np.zeros(cells.shape, dtype=np.intp)
    user_table.check_states(table, (language.code for language in languages))
    for j in range(cells.shape[1]):
        number = {value: i for i, value in enumerate(sorted({_plain(cell) for cell in cells[observed[:, j], j]}))}
        states[observed[:, j], j] = [number[_plain(cell)] for cell in cells[observed[:, j], j]]
    codes = tuple(language.code for language in languages)
    shared = masked.overlap(observed, codes)
    matrix = masked.masked_mismatch(states, observed, shared, least)
    return _complete_distances(matrix, observed.mean(axis=1), observed.any(axis=1), shared, {})


def _plain(cell: str) -> str:
    """Cell without a needless decimal part: `1.0` and `1` are one value."""
    try:
        return f"{float(cell):g}"
    except ValueError:
        return cell


def _mix(parts: Sequence[tuple[Distances, float]]) -> Distances:
    """Weighted mean of `parts`, whose weights sum to 1. The first part's matrix is overwritten."""
    first, weight = parts[0]
    matrix = first.matrix
    matrix *= weight
    for part, weight in parts[1:]:
        matrix += part.matrix * weight
    overlaps = [part.overlap for part, _ in parts if part.overlap is not None]
    unknown = [part.unknown for part, _ in parts if part.unknown is not None]
    return Distances(
        matrix,
        sum((part.observed * weight for part, weight in parts), np.zeros(())),
        np.logical_and.reduce([part.known for part, _ in parts]),
        reduce(np.add, overlaps) if overlaps else None,
        np.logical_or.reduce(unknown) if unknown else None,
        {group: rows for part, _ in parts for group, rows in part.rows.items()},
    )


METRICS: dict[str, Measure] = {
    "syntactic": _typological(("syntactic",), KNN),
    "phonological": _typological(("phonological",), KNN),
    "inventory": _typological(("inventory",), KNN),
    "featural": _typological(tuple(PREFIXES), KNN),
    "hamming": _typological(tuple(PREFIXES), KNN, masked.hamming),
    "genetic": _genetic,
    "geographic": _geographic,
    "learned": _from_translation_vectors,
}


def _measure(name: str) -> Measure:
    """Function behind a name: a metric, `GROUP:SOURCE`, `hamming:GROUP`, `features:FILE.csv`, or a matrix file."""
    if name in METRICS:
        return METRICS[name]
    base, _, rest = name.partition(":")
    if base == "features" and rest:
        return partial(_feature_file, rest)
    if name.lower().endswith((".csv", ".npz")):
        return partial(_matrix_file, name)
    if base == "hamming" and rest in _GROUPS:
        return _typological(_GROUPS[rest], KNN, masked.hamming)
    if base in _GROUPS and rest:
        return _typological(_GROUPS[base], rest)
    near = difflib.get_close_matches(name, METRICS, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}? " if near else ""
    further = "GROUP:SOURCE (syntactic:wals), hamming:GROUP, features:FILE.csv, a mix, or FILE.csv or FILE.npz"
    raise InputError(f"unknown metric '{name}'", f"{hint}Metrics are {', '.join(METRICS)}, {further}")


def _weights(metric: str) -> list[tuple[str, float]]:
    """Parts of a metric with their weights: `a=0.7,b=0.3`; a plain name has weight 1."""
    found: dict[str, float] = {}
    for part in metric.split(","):
        name, equals, number = part.strip().rpartition("=")
        if not equals:
            name, number = part.strip(), "1"
        try:
            weight = float(number)
        except ValueError:
            weight = -1.0
        if not 0 < weight < float("inf"):
            raise InputError(f"'{number}' is not a weight in the metric '{metric}'", "weights are positive numbers")
        if name in found:
            raise InputError(f"'{name}' appears twice in the metric '{metric}'", "give each part of a mix once")
        found[name] = weight
    return list(found.items())
