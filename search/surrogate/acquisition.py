"""Where to measure next: the expected improvement of subsets, and the unseen one within the conditions that has most.

Notations
    B, n     subsets, languages of the pool
    X        who is in a subset [B, n], 0 or 1
    μ, σ     mean and standard deviation of the posterior [B]
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import log_ndtr

from search.space import ENUMERABLE, Space
from selector.solvers.limits import ROUNDING

Array = NDArray[np.float64]
Score = Callable[[Array], Array]  # X [B, n] → [B], the greater the better

ROUNDS = 2  # of a climb: in each it is estimated anew what every language is worth
STEPS = 24  # of a round, at most
ENOUGH = 1e-3  # gain in log expected improvement for which to go on
MOVES = 48  # neighbours looked at in one step, two thirds of them the most promising
BLOCK = 4096  # subsets scored at a time
FAR, CERTAIN = 8.0, 30.0  # standard deviations below and above the best, from which on the expectation has another form


def log_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """Logarithm of the expected improvement E[max(f - best, 0)] for f ~ N(μ, σ²): `mean` and `deviation` [B] → [B].

    Where the expectation underflows, its asymptote goes on, so that a climb has a slope (LogEI: Ament et al. 2023);
    where the improvement is certain, the expectation is the difference. `best` is the value to improve on, in the same
    unit.
    """
    u = (mean - best) / deviation
    middle = np.clip(u, -FAR, CERTAIN)
    near = np.log(np.maximum(1.0 + middle * np.exp(log_ndtr(middle) - _log_density(middle)), 1e-300))
    far = -2.0 * np.log(np.maximum(-u, 1.0))  # φ(u) + u Φ(u) → φ(u) / u²
    unsure = np.log(deviation) + _log_density(u) + np.where(u > -FAR, near, far)
    return np.asarray(np.where(u < CERTAIN, unsure, np.log(np.maximum(mean - best, 1e-300))))


def _log_density(u: Array) -> Array:
    """log φ(u) of the standard normal distribution."""
    return np.asarray(-0.5 * u**2 - 0.5 * np.log(2 * np.pi))


@dataclass(frozen=True)
class Moves:
    """The conditions of a space, for many masks at once."""

    space: Space

    def allowed(self, X: Array) -> NDArray[np.bool_]:
        """Mask [B] of the subsets `X` [B, n] whose size the space allows and that keep its limits."""
        sizes = X.sum(axis=1)
        held = (self.space.sizes[0] <= sizes) & (sizes <= self.space.sizes[1])
        bounds = self.space.bounds
        return np.asarray(held & (bounds.weights @ X.T <= bounds.most[:, None] + ROUNDING).all(axis=0))

    def around(self, x: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Places of the languages that may leave the subset `x` [n], and of those that may enter it."""
        free = np.zeros(len(x), dtype=bool)
        free[list(self.space.free)] = True
        return np.flatnonzero(free & (x > 0)), np.flatnonzero(free & (x == 0))

    def neighbours(self, x: Array, out: Array, into: Array, rng: Generator) -> Array:
        """Subsets one exchange, addition or removal from x; of many the most promising and some by chance, [B, n].

        `out` and `into` [n] estimate what it is worth to lose and to gain each language.
        """
        leave, enter = self.around(x)
        none = len(x)  # stands for nobody
        leave, enter = np.append(leave, none), np.append(enter, none)
        pairs = np.stack([np.repeat(leave, len(enter)), np.tile(enter, len(leave))], axis=1)[:-1]
        size = int(x.sum()) + (pairs[:, 1] < none).astype(int) - (pairs[:, 0] < none)
        pairs = pairs[(self.space.sizes[0] <= size) & (size <= self.space.sizes[1])]
        if len(pairs) > MOVES:
            worth = np.append(out, 0.0)[pairs[:, 0]] + np.append(into, 0.0)[pairs[:, 1]]
            order = np.argsort(-worth, kind="stable")
            first = 2 * MOVES // 3
            pairs = pairs[np.concatenate([order[:first], rng.choice(order[first:], MOVES - first, replace=False)])]
        X = np.repeat(np.append(x, 0.0)[None], len(pairs), axis=0)
        rows = np.arange(len(pairs))
        X[rows, pairs[:, 0]] = 0.0
        X[rows, pairs[:, 1]] = 1.0
        X = X[:, :-1]
        return X[self.allowed(X)]


def best_unseen(space: Space, score: Score, starts: Array, seen: Array, rng: Generator) -> Array | None:
    """The subset [n] of highest score that is not among `seen` [N, n]; None where none was met.

    Small spaces are looked through. In others climbs begin at `starts` [m, n]; they may pass through what was seen.
    """
    if space.count() <= ENUMERABLE:
        every = everything(space.sizes, space.pinned, space.free, len(space.pool))
        every = every[Moves(space).allowed(every)]
        place = _highest(every, _scored(score, every), _keys(seen))
        return None if place is None else every[place]
    moves, known = Moves(space), _keys(seen)
    found: list[tuple[float, Array]] = []
    for start in starts:
        x, height = start, -np.inf
        for _ in range(ROUNDS):
            worth, before = _worth(x, moves, score), height
            for _ in range(STEPS):
                near = moves.neighbours(x, *worth, rng)
                if not len(near):
                    break
                values = score(near)
                place = _highest(near, values, known)
                if place is not None:
                    found.append((float(values[place]), near[place]))
                if values.max() <= height + ENOUGH:
                    break
                height, x = float(values.max()), near[int(values.argmax())]
            if height == before:
                break
    return max(found, key=lambda each: each[0])[1] if found else None


def _worth(x: Array, moves: Moves, score: Score) -> tuple[Array, Array]:
    """The gain of the score by dropping, and by adding, each language alone [n], [n]; 0 where neither can be."""
    leave, enter = moves.around(x)
    X = np.repeat(x[None], len(leave) + len(enter), axis=0)
    X[np.arange(len(X)), np.concatenate([leave, enter])] = np.repeat([0.0, 1.0], [len(leave), len(enter)])
    values = score(X)
    out, into = np.zeros(len(x)), np.zeros(len(x))
    out[leave], into[enter] = values[: len(leave)], values[len(leave) :]
    return out, into


@lru_cache(maxsize=4)
def everything(sizes: tuple[int, int], pinned: tuple[int, ...], free: tuple[int, ...], n: int) -> Array:
    """All subsets [B, n] with `sizes` (the least and the most), among the `n` languages of a small space.

    Every one has the languages `pinned` and any of those in `free`; limits are left out of account.
    """
    rest = range(max(sizes[0] - len(pinned), 0), sizes[1] - len(pinned) + 1)
    chosen = [each for size in rest for each in itertools.combinations(free, size)]
    X = np.zeros((len(chosen), n))
    X[:, list(pinned)] = 1.0
    for row, each in zip(X, chosen, strict=True):
        row[list(each)] = 1.0
    return X


def _scored(score: Score, X: Array) -> Array:
    blocks = [score(X[start : start + BLOCK]) for start in range(0, len(X), BLOCK)]
    return np.concatenate(blocks) if blocks else np.zeros(0)


def _highest(X: Array, values: Array, known: frozenset[bytes]) -> int | None:
    """The place of the highest value that belongs to no known subset."""
    order = np.argsort(-values, kind="stable")
    return next((int(place) for place in order if X[place].astype(bool).tobytes() not in known), None)


def _keys(X: Array) -> frozenset[bytes]:
    return frozenset(row.tobytes() for row in X.astype(bool))
