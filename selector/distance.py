"""How far apart languages are: features, kinship or geography → one square matrix. Missing is never silently 0.

Typological distances compare URIEL's kNN-completed vectors (comparing only shared observed features is unreliable where
the overlap is small), and the share that was really observed travels along. A pair about which nothing is known gets
the mean of the known pairs, and its language is marked, so that no strategy prefers it for being unknown.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selector import features
from selector.errors import InputError
from selector.language import Language
from selector.matrix_file import read_matrix

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Distances:
    """Distances between n languages, 0 to 1 for the built-in metrics."""

    matrix: Matrix  # [n, n], symmetric, zero diagonal, no NaN
    observed: Matrix  # [n], share of the metric's features that some source observed, 0 to 1
    known: NDArray[np.bool_]  # [n], False where nothing at all tells where the language stands


Languages = Sequence[Language]


def distances(languages: Languages, metric: str) -> Distances:
    """Pairwise distances under a metric, a weighted mix (`syntactic=0.7,genetic=0.3`) or a CSV file.

    Raises InputError for an unknown metric, a bad weight, or a bad file (with the line number).
    """
    parts = [(_metric(name), weight) for name, weight in _weights(metric)]
    measured = [(measure(languages), weight) for measure, weight in parts]
    total = sum(weight for _, weight in measured)
    return Distances(
        sum((part.matrix * weight for part, weight in measured), np.zeros(())) / total,
        sum((part.observed * weight for part, weight in measured), np.zeros(())) / total,
        np.logical_and.reduce([part.known for part, _ in measured]),
    )


def _typological(*groups: str) -> Callable[[Languages], Distances]:
    """Cosine distance between feature vectors (Littell et al. 2017, URIEL)."""

    def measure(languages: Languages) -> Distances:
        tables = [features.table(languages, group) for group in groups]
        values = np.concatenate([table.values for table in tables], axis=1)  # (n, d)
        observed = np.concatenate([table.observed for table in tables], axis=1)  # (n, d)
        length = np.linalg.norm(values, axis=1)
        known = tables[0].known & (length > 0)
        unit = values / np.where(length > 0, length, 1.0)[:, None]
        return _filled(1.0 - unit @ unit.T, observed.mean(axis=1), known)

    return measure


def _genetic(languages: Languages) -> Distances:
    """1 - shared / sqrt(length · length), lengths being the nodes of both paths through the family tree.

    This is URIEL's cosine, with the language itself as the last node of its path: sisters are near, never identical.
    """
    paths = [features.family_path(language) for language in languages]
    known = np.array([bool(path) for path in paths])
    length = np.array([len(path) + 1.0 for path in paths])
    shared = np.zeros((len(paths), len(paths)))
    for depth in range(1, max(map(len, paths), default=0) + 1):
        branches: dict[tuple[str, ...], int] = {}
        at = np.array([branches.setdefault(p[:depth], len(branches)) if len(p) >= depth else -1 for p in paths])
        shared += (at[:, None] == at) & (at >= 0)
    return _filled(1.0 - shared / np.sqrt(np.outer(length, length)), known.astype(np.float64), known)


def _geographic(languages: Languages) -> Distances:
    """Great-circle distance as a share of half the circumference of the earth."""
    place = features.coordinates(languages)  # (n, 3)
    known: NDArray[np.bool_] = ~np.isnan(place[:, 0])
    place = np.where(known[:, None], place, 0.0)
    return _filled(np.arccos(np.clip(place @ place.T, -1.0, 1.0)) / np.pi, known.astype(np.float64), known)


def _file(path: str) -> Callable[[Languages], Distances]:
    def measure(languages: Languages) -> Distances:
        codes, matrix = read_matrix(path)
        place = {code: i for i, code in enumerate(codes)}
        missing = [language.code for language in languages if language.code not in place]
        if missing:
            raise InputError(
                f"'{path}' has no distances for {', '.join(missing[:5])}", "add a row and a column for every language"
            )
        index = [place[language.code] for language in languages]
        everything = np.ones(len(index))
        return Distances(matrix[np.ix_(index, index)], everything, everything > 0)

    return measure


METRICS: dict[str, Callable[[Languages], Distances]] = {
    "syntactic": _typological("syntactic"),
    "phonological": _typological("phonological"),
    "inventory": _typological("inventory"),
    "featural": _typological("syntactic", "phonological", "inventory"),
    "genetic": _genetic,
    "geographic": _geographic,
}


def _filled(matrix: Matrix, observed: Matrix, known: NDArray[np.bool_]) -> Distances:
    """Exact symmetry and zero diagonal; the mean of the known pairs wherever a language is unknown."""
    pair = np.outer(known, known)
    np.fill_diagonal(pair, False)
    neutral = float(matrix[pair].mean()) if pair.any() else 0.5
    np.fill_diagonal(pair, True)
    whole = np.where(pair, np.clip((matrix + matrix.T) / 2, 0.0, 1.0), neutral)
    np.fill_diagonal(whole, 0.0)
    return Distances(whole, observed, known)


def _weights(metric: str) -> list[tuple[str, float]]:
    """`a=0.7,b=0.3` → pairs; a plain name counts 1."""
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
            raise InputError(f"'{number}' is no weight in the metric '{metric}'", "weights are positive numbers")
        if name in found:
            raise InputError(f"'{name}' appears twice in the metric '{metric}'", "give each part of a mix once")
        found[name] = weight
    return list(found.items())


def _metric(name: str) -> Callable[[Languages], Distances]:
    if name in METRICS:
        return METRICS[name]
    if name.lower().endswith(".csv"):
        return _file(name)
    near = difflib.get_close_matches(name, METRICS, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}? " if near else ""
    raise InputError(f"unknown metric '{name}'", f"{hint}Metrics are {', '.join(METRICS)}, a mix, or FILE.csv")
