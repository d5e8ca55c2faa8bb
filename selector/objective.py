"""Model-free set functions: what makes a set of languages good, without measuring. All are maximized.

Notations
    F    the frame: n languages, candidates and targets alike, in order of their codes
    S    the chosen set, a subset of F with k members; indices into F
    s    the source language (English fine-tuning data); it counts as already chosen where that is said
    d    distances [n, n]; d_s distances of the source to the frame [n]
    r    a radius: i covers j when d_ij ≤ r
    x    features [n, f], 0 or 1

    max-sum    Σ_{i<j ∈ S∪{s}} d_ij                          total dispersion
    max-min    min_{i<j ∈ S∪{s}} d_ij                        no two are alike
    facility   mean_{t ∈ F} max_{i ∈ S} (1 - d_ti)           every language has a near relative in S (p-median)
    k-center   min_{t ∈ F} max_{i ∈ S} (1 - d_ti)            so has the worst-off language
    coverage   |{t ∈ F : min_{i ∈ S∪{s}} d_ti ≤ r}| / n      maximum coverage
    nearest    mean_{i ∈ S} (1 - d_si)                       the convenient neighbours of the source
    entropy    mean_f H(mean_{i ∈ S} x_if)                   feature values in equal shares, in bits

A set function and the way to maximize it are two things: this file has the functions, `maximize.py` the ways.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Chosen = Sequence[int]

_BLOCK = 256  # columns at a time where an [n, n] intermediate would be large


class SetFunction(ABC):
    """A set function over a frame of n languages. `value(S)`, and the value of S with each language added."""

    @abstractmethod
    def value(self, chosen: Chosen) -> float:
        """The function at S."""

    @abstractmethod
    def with_each(self, chosen: Chosen) -> tuple[Vector, Vector]:
        """For every i of the frame, the value at S∪{i} [n], and what decides between equal values [n]."""


class MaxSum(SetFunction):
    """Sum of pairwise distances, source included (the paper's diversity counts English in, arXiv 2511.06497)."""

    def __init__(self, d: Matrix, source: Vector | None = None) -> None:
        self.d = d
        self.source = np.zeros(len(d)) if source is None else source
        self.total = d.sum(axis=1)  # [n], decides where nothing is chosen yet

    def value(self, chosen: Chosen) -> float:
        inside = self.d[np.ix_(chosen, chosen)].sum() / 2 if chosen else 0.0
        return float(inside + self.source[list(chosen)].sum())

    def with_each(self, chosen: Chosen) -> tuple[Vector, Vector]:
        gain = self.d[:, list(chosen)].sum(axis=1) + self.source  # (n,)
        return self.value(chosen) + gain, self.total


class MaxMin(SetFunction):
    """Smallest pairwise distance, source included; 0 where there is no pair. Equal minima: the larger sum."""

    def __init__(self, d: Matrix, source: Vector | None = None) -> None:
        self.d = d
        self.source = source
        self.sum = MaxSum(d, source)

    def value(self, chosen: Chosen) -> float:
        smallest = self._smallest(chosen)
        return smallest if np.isfinite(smallest) else 0.0

    def _smallest(self, chosen: Chosen) -> float:
        """Over all pairs; infinite where there is none."""
        pairs = self.d[np.ix_(chosen, chosen)][np.triu_indices(len(chosen), 1)] if chosen else np.zeros(0)
        to_source = np.zeros(0) if self.source is None else self.source[list(chosen)]
        return float(min(pairs.min(initial=np.inf), to_source.min(initial=np.inf)))

    def with_each(self, chosen: Chosen) -> tuple[Vector, Vector]:
        near = self.d[:, list(chosen)].min(axis=1, initial=np.inf)  # (n,)
        if self.source is not None:
            near = np.minimum(near, self.source)
        value = np.minimum(near, self._smallest(chosen))
        return np.where(np.isfinite(value), value, 0.0), self.sum.with_each(chosen)[0]


class Facility(SetFunction):
    """How near the average language of the frame is to its nearest chosen one."""

    def __init__(self, d: Matrix) -> None:
        self.d = d
        self.total = d.sum(axis=1)  # [n]

    def value(self, chosen: Chosen) -> float:
        return float(1.0 - self._nearest(chosen).mean()) if chosen else 0.0

    def _nearest(self, chosen: Chosen) -> Vector:
        """Distance of every language to S [n]; the farthest there is where S is empty."""
        return self.d[:, list(chosen)].min(axis=1, initial=float(self.d.max(initial=1.0)))

    def with_each(self, chosen: Chosen) -> tuple[Vector, Vector]:
        nearest = self._nearest(chosen)
        return 1.0 - _by_block(self.d, lambda block: np.minimum(nearest[:, None], block).mean(axis=0)), -self.total


class KCenter(Facility):
    """How near the worst-off language of the frame is to its nearest chosen one. Equal: the better average."""

    def value(self, chosen: Chosen) -> float:
        return float(1.0 - self._nearest(chosen).max()) if chosen else 0.0

    def with_each(self, chosen: Chosen) -> tuple[Vector, Vector]:
        nearest = self._nearest(chosen)
        worst = _by_block(self.d, lambda block: np.minimum(nearest[:, None], block).max(axis=0))
        return 1.0 - worst, super().with_each(chosen)[0]


class Coverage(SetFunction):
    """Share of the frame within the radius of the chosen or of the source. Equal: the better facility location."""

    def __init__(self, d: Matrix, radius: float, source: Vector | None = None) -> None:
        self.covers = d <= radius  # [n, n], every language covers itself
        self.by_source = np.zeros(len(d), dtype=bool) if source is None else source <= radius
        self.facility = Facility(d)

    def value(self, chosen: Chosen) -> float:
        return float(self._covered(chosen).mean())

    def _covered(self, chosen: Chosen) -> NDArray[np.bool_]:
        return np.asarray(self.covers[:, list(chosen)].any(axis=1) | self.by_source)

    def with_each(self, chosen: Chosen) -> tuple[Vector, Vector]:
        covered = self._covered(chosen)
        new = self.covers[~covered].sum(axis=0)  # (n,)
        return (covered.sum() + new) / len(covered), self.facility.with_each(chosen)[0]


class Entropy(SetFunction):
    """Mean entropy of the features over the chosen languages, in bits (typdiv: Ploeger et al. 2024)."""

    def __init__(self, x: Matrix) -> None:
        self.x = x  # [n, f]

    def value(self, chosen: Chosen) -> float:
        return float(bits(self.x[list(chosen)].mean(axis=0)).mean()) if chosen else 0.0

    def with_each(self, chosen: Chosen) -> tuple[Vector, Vector]:
        count = self.x[list(chosen)].sum(axis=0)  # (f,)
        value = bits((count + self.x) / (len(chosen) + 1)).mean(axis=1)  # (n,)
        # A first language has no entropy: begin with the most ordinary one, whose features are the commonest.
        return value, -np.abs(self.x - self.x.mean(axis=0)).sum(axis=1)


class Nearness(SetFunction):
    """How near the average chosen language is to the source; to the middle of the frame where there is no source."""

    def __init__(self, d: Matrix, source: Vector | None = None) -> None:
        self.near = 1.0 - (d.mean(axis=1) if source is None else source)  # (n,)

    def value(self, chosen: Chosen) -> float:
        return float(self.near[list(chosen)].mean()) if chosen else 0.0

    def with_each(self, chosen: Chosen) -> tuple[Vector, Vector]:
        return (self.near[list(chosen)].sum() + self.near) / (len(chosen) + 1), self.near


def bits(share: Vector) -> Vector:
    """Binary entropy of shares in [0, 1], elementwise."""
    inside = np.clip(share, 1e-300, 1.0)
    outside = np.clip(1.0 - share, 1e-300, 1.0)
    return np.asarray(-(share * np.log2(inside) + (1.0 - share) * np.log2(outside)))


def _by_block(d: Matrix, reduce: Callable[[Matrix], Vector]) -> Vector:
    """`reduce` over blocks of columns of d, joined [n]: keeps an [n, n] intermediate out of memory."""
    return np.concatenate([reduce(d[:, i : i + _BLOCK]) for i in range(0, len(d), _BLOCK)])
