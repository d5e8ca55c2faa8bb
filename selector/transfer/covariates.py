"""Covariates of the transfer model: numbers that describe how a subset relates to a target.

Notations

    B, k, T, q   subsets of equal size, their size, targets, columns
    S            a subset, indices into the languages [B, k]
    d, c         distances under one metric [n, n] and the usual distance between languages; similarity exp(-2 d / c)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from selector.distances.distance import distances
from selector.languages.language import Language

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Metric → mean distance between the 77 languages of arXiv 2511.06497, fixed so that a language's numbers never depend
# on who else is asked about.
USUAL = {"syntactic": 0.41, "phonological": 0.24, "inventory": 0.30, "genetic": 0.97, "geographic": 0.37}
USUAL_SIZE = 10

# The group of every column, in their order: each group has its own variance in the model.
GROUPS = (
    *("member", "member"),
    *(f"nearest {metric}" for metric in USUAL),
    *(f"mean {metric}" for metric in USUAL),
    *["spread"] * len(USUAL),
    *["source"] * len(USUAL),
    *["kin"] * 6,
    "size",
    *["share"] * 2,
    *["count"] * 4,
)


class Affinity:
    """All facts about the languages of one question that the model uses."""

    def __init__(self, languages: Sequence[Language], source: Language, pretrained: Collection[str]) -> None:
        """`pretrained` are the codes of the languages the encoder has seen."""
        self.languages = tuple(sorted({*languages, source}))
        self.place = {language.code: i for i, language in enumerate(self.languages)}
        self.source = self.place[source.code]
        self.seen = np.array([language.code in pretrained for language in self.languages])
        self.script = np.array([language.script == source.script for language in self.languages])
        self.distances = {
            metric: np.asarray(distances(self.languages, metric).matrix, dtype=np.float64) / (usual / 2.0)
            for metric, usual in USUAL.items()
        }
        self.similarity = {metric: np.exp(-d) for metric, d in self.distances.items()}  # each [n, n]
        self.same = [_same([getattr(x, kind) for x in self.languages]) for kind in ("script", "family", "genus")]

    def index(self, languages: Sequence[Language]) -> Index:
        return np.array([self.place[language.code] for language in languages], dtype=np.intp)

    def columns(self, S: Index, targets: Index) -> Array:
        """Columns [B, T, q] that relate subsets `S` [B, k] to `targets` [T]; their groups are `GROUPS`."""
        is_member = targets[None, :, None] == S[:, None, :]  # (B, T, k)
        member = is_member.any(axis=2)
        size = np.full((len(S), 1), np.log(S.shape[1] / USUAL_SIZE))
        towards = [member, member * size]
        near = [matrix[targets[:, None], S[:, None, :]] for matrix in self.similarity.values()]  # each (B, T, k)
        towards += [np.where(is_member, 0.0, values).max(axis=2) for values in near]
        towards += [values.mean(axis=2) for values in near]
        alone = [self._spread(d, S) for d in self.distances.values()]
        alone += [d[self.source, S].mean(axis=1) for d in self.distances.values()]
        kin = [matrix[targets[:, None], S[:, None, :]] for matrix in self.same]
        related = [f(values) for values in kin for f in (_share, _any)]
        new, known = ~self.seen[S], self.script[S]  # (B, k)
        shares = [new.mean(axis=1), known.mean(axis=1)]
        counts = [np.log1p(part.sum(axis=1)) for part in (new, known, new & known)] + [new.any(axis=1)]
        blocks = [*towards, *(_wide(x, targets) for x in alone), *related]
        blocks += [_wide(x, targets) for x in (size[:, 0], *shares, *counts)]
        return np.stack([np.asarray(block, dtype=np.float64) for block in blocks], axis=2)

    def membership(self, S: Index) -> Array:
        """Indicators of the members of `S` [B, k] over √k, [B, n]: their products grow with what subsets share."""
        found = np.zeros((len(S), len(self.languages)))
        np.put_along_axis(found, S, 1.0 / np.sqrt(S.shape[1]), axis=1)
        return found

    def kernel(self) -> Array:
        """Similarity of languages as members, [n, n]: the mean of the similarities."""
        return np.asarray(np.mean(list(self.similarity.values()), axis=0))

    @staticmethod
    def _spread(d: Array, S: Index) -> Array:
        """Mean pairwise distance of the members, [B]."""
        k = S.shape[1]
        return np.asarray(d[S[:, :, None], S[:, None, :]].sum(axis=(1, 2)) / max(1, k * (k - 1)))


def _share(values: Array) -> Array:
    return np.asarray(values.mean(axis=2))


def _any(values: Array) -> Array:
    return np.asarray(values.max(axis=2))


def _wide(values: Array, targets: Index) -> Array:
    """The same for every target, [B, T]."""
    return np.repeat(np.asarray(values, dtype=np.float64)[:, None], len(targets), axis=1)


def _same(labels: Sequence[str]) -> Array:
    return np.array([[float(one == other) for other in labels] for one in labels])
