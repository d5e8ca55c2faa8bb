"""The set function that is true in a synthetic problem, and its optimum.

The notations are those of `synthetic`.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from search.space import ENUMERABLE
from selector.objectives.location import Facility
from selector.objectives.set_function import Chosen, Index, SetFunction
from selector.solvers import greedy

Array = NDArray[np.float64]

SHARES = (1.0, 0.7, 0.7)  # of facility location, quality, interactions
SAMPLE = 2000  # random subsets that standardize
STARTS = 60  # of the swap search for the optimum, beside those of `selector.solvers.greedy`


class Truth(SetFunction):
    """f, unweighted parts added with weights; `second` decides nothing."""

    def __init__(self, similarity: Array, quality: Array, pairs: Array) -> None:
        self.facility, self.quality, self.pairs = Facility(1.0 - similarity), quality, pairs
        self.size = len(quality)
        self.weights, self.shift = np.ones(3), 0.0

    def standardize(self, k: int, rng: Generator) -> Array:
        """Bring the parts to their shares; the values of the random subsets that were drawn for it."""
        drawn = [rng.choice(self.size, k, replace=False).tolist() for _ in range(SAMPLE)]
        parts = np.array([self.parts(chosen) for chosen in drawn])  # (SAMPLE, 3)
        self.weights = np.array(SHARES) / parts.std(axis=0)
        self.weights = self.weights / (parts @ self.weights).std()
        self.shift = -float((parts @ self.weights).mean())
        return np.asarray(parts @ self.weights + self.shift)

    def parts(self, chosen: Chosen) -> tuple[float, float, float]:
        members = list(chosen)
        inside = self.pairs[np.ix_(members, members)].sum() / 2
        return self.facility.value(members), float(self.quality[members].sum()), float(inside)

    def per_target(self, chosen: Chosen) -> Array:
        """The value of each target, [n]; f is their mean."""
        value, *_ = self.parts(chosen)
        return self.value(chosen) + self.weights[0] * (1.0 - self.facility.nearest(chosen) - value)

    def value(self, chosen: Chosen) -> float:
        return float(np.dot(self.parts(chosen), self.weights)) + self.shift

    def second(self, chosen: Chosen) -> float:
        return 0.0

    def with_each(self, chosen: Chosen, among: Index | None = None) -> tuple[Array, Array]:
        index, members = self.everyone(among), list(chosen)
        covered, _ = self.facility.with_each(chosen, index)
        _, quality, pairs = self.parts(chosen)
        linear = quality + self.quality[index]
        joint = pairs + self.pairs[index][:, members].sum(axis=1)
        return np.stack([covered, linear, joint], axis=1) @ self.weights + self.shift, np.zeros(len(index))

    def exchanges(self, chosen: Chosen) -> tuple[Array, Array]:
        members = list(chosen)
        covered, _ = self.facility.exchanges(members)
        _, quality, pairs = self.parts(members)
        linear = quality - self.quality[members][:, None] + self.quality[None, :]
        to = self.pairs[:, members].sum(axis=1)  # (n,)
        joint = pairs - to[members][:, None] + to[None, :] - self.pairs[members]
        values = covered * self.weights[0] + linear * self.weights[1] + joint * self.weights[2] + self.shift
        return values, np.zeros_like(values)

    def work(self, k: int) -> float:
        return self.facility.work(k)


def optimum(f: Truth, k: int, rng: Generator) -> float:
    """The highest value of f over subsets of k languages.

    It is exact where all subsets can be looked at; else the best that swaps reach from greedy and random starts.
    """
    n = f.size
    if math.comb(n, k) <= ENUMERABLE:
        return max(f.value(chosen) for chosen in itertools.combinations(range(n), k))
    starts = [rng.choice(n, k, replace=False).tolist() for _ in range(STARTS)]
    found = [greedy.swap(f, start, (), range(n)) for start in starts]
    return max(f.value(chosen) for chosen in (*found, greedy.search(f, k, (), range(n))))
