"""Synthetic search problems: set functions over real languages.

Notations
    n, k, t  languages of the pool, size of the subsets, a target; the targets are the pool
    K        syntactic similarity of URIEL, 1 - distance [n, n];  H = K under a permutation: nothing of it is in K
    A        0.6 · K + 0.4 · H, the true similarity
    f(S)     mean over t of max_{i ∈ S} A_ti, + Σ_{i ∈ S} q_i + Σ_{i < j ∈ S} J_ij, whose standard deviations over
             random subsets are as 1 : 0.7 : 0.7; standardized: mean 0 and standard deviation 1 over random subsets
A strategy may see K ("good"), K under yet another permutation ("misleading"), or nothing ("absent"). The surrogate may
also be told the first two sums of f for any subset ("told"): what it then still lacks are the interactions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from search import planner as plan
from search.bench.problems.bench_problem import BenchProblem, config_of, planner_of
from search.bench.problems.truth import Truth, optimum
from search.bench.repeats_in_names import split_repeats
from search.bench.rivals.rival_searches import PREFIX, rival
from search.bench.solver_gaps import pool as observed_pool
from search.planner import WARM, Planner
from search.strategies import proposer as proposal
from search.strategies.proposer import MeasuredSubset
from search.surrogate.kernels import FeatureMap, PriorKnowledge
from search.surrogate.prior_knowledge import similarity
from search.surrogate.surrogate import Surrogate
from selector import strategy as model_free
from selector.distances.distance import distances
from selector.errors import InputError
from selector.languages.language import Pool
from selector.languages.subset import Subset

Array = NDArray[np.float64]

SIZES = {20: 5, 60: 10, 200: 20}  # n → k
KNOWN = 0.6  # share of the known similarity in the true one
SPARSE = 0.1  # share of pairs that interact
FEW = 0.005  # the same of a problem called sparse
USUAL = re.compile(r"n(20|60|200)(-noisy)?(-absent|-misleading|-told)?|n(60|200)(-sparse)")


class Synthetic(BenchProblem):
    """One draw of a synthetic problem; `seed` decides what is true, not what is measured."""

    shares: Mapping[str, float] = MappingProxyType({"full": 1.0})

    def __init__(self, n: int, noise: float, knowledge: str, seed: int, interacting: float = SPARSE) -> None:
        """`interacting` is the share of pairs that interact."""
        self.name, self.noise = f"n={n}, k={SIZES[n]}, noise {noise:g}, side information {knowledge}", noise
        self.name += "" if interacting == SPARSE else f", {interacting:.1%} of pairs interact"
        pool, real = _languages(n)
        k, rng = SIZES[n], default_rng([n, seed])
        hidden, shown = rng.permutation(n), rng.permutation(n)
        mixed = KNOWN * real + (1 - KNOWN) * real[np.ix_(hidden, hidden)]
        pairs = np.triu(rng.normal(size=(n, n)) * (rng.random((n, n)) < interacting), 1)
        self.f = Truth(mixed, rng.normal(size=n), pairs + pairs.T)
        self.usual = float(np.median(self.f.standardize(k, rng)))
        self.config = config_of(_codes(pool), _outside(n), k)
        self.best = optimum(self.f, k, rng)
        self.informed = knowledge != "absent"
        self.place = shown if knowledge == "misleading" else np.arange(n)  # whom each language is taken for
        known = real[np.ix_(self.place, self.place)]
        self.side = _side(pool, known) if self.informed else PriorKnowledge(targets=tuple(_codes(pool)))
        if knowledge == "told":
            self.side = replace(self.side, given={"coverage": self._part(0), "quality": self._part(1)})

    def truth(self, subset: Subset) -> float:
        return self.f.value(self.space.indices(subset))

    def measure(self, subset: Subset, level: str, rng: Generator) -> MeasuredSubset:
        """The noise is one shift for all targets, and as much again of each of its own, whose mean is 0."""
        own = rng.normal(size=len(self.space.pool))
        values = self.f.per_target(self.space.indices(subset)) + self.noise * (rng.normal() + own - own.mean())
        return MeasuredSubset(
            subset, float(values.mean()), dict(zip(_codes(self.space.pool), values.tolist(), strict=True)), level
        )

    def planner(self, strategy: str, seed: int) -> Planner:
        config, warm = replace(self.config, seed=seed), list[Subset]()
        name, repeats = split_repeats(strategy)
        if strategy.startswith("diversity:"):
            propose, warm = proposal.random, [self._model_free(strategy.removeprefix("diversity:"))]
        elif name == "surrogate":
            propose = Surrogate(self.side, repeats)
            warm = [self._model_free(name) for name in WARM] if self.informed else []
        elif strategy.startswith(PREFIX):
            propose = rival(strategy)
        else:
            propose = plan.STRATEGIES[strategy](config)
        return planner_of(propose, self.space, warm, strategy, seed)

    def _part(self, which: int) -> FeatureMap:
        """One of the three sums of f, of subsets X [B, n] → [B, 1]."""
        return lambda X: np.array([[self.f.parts(np.flatnonzero(x).tolist())[which]] for x in X])

    def _model_free(self, name: str) -> Subset:
        """The choice of a strategy of the selector, by what may be known."""
        pool, back = self.space.pool, np.argsort(self.place)
        chosen = model_free.choose(name, pool, self.space.sizes[0], metric="syntactic", source=None)
        return Subset.of(pool[back[index]] for index in self.space.indices(chosen))


@lru_cache(maxsize=3)
def _languages(n: int) -> tuple[Pool, Array]:
    pool = observed_pool(n)
    return pool, 1.0 - np.asarray(distances(pool, "syntactic").matrix, dtype=np.float64)


def _codes(pool: Pool) -> list[str]:
    return [language.code for language in pool]


@lru_cache(maxsize=3)
def _outside(n: int) -> str:
    """A language outside the pool, since a study has a source."""
    (code,) = set(_codes(observed_pool(n + 1))) - set(_codes(observed_pool(n)))
    return code


def _side(pool: Pool, known: Array) -> PriorKnowledge:
    alike = similarity(1.0 - known)
    assert alike is not None
    return PriorKnowledge({"known": alike}, {"known": alike}, {}, tuple(_codes(pool)))


def synthetic_problem(name: str, seed: int) -> BenchProblem:
    """A synthetic problem by name, as n60, n60-noisy or n60-misleading; InputError for another."""
    found = USUAL.fullmatch(name)
    if not found:
        known = "known: n20, n60, n200, with -noisy, -absent, -misleading, -told; n60-sparse, n200-sparse"
        raise InputError(f"there is no problem '{name}'", known)
    size, noisy, side, large, _ = found.groups()
    if large:
        return Synthetic(int(large), 0.5, "good", seed, FEW)
    return Synthetic(int(size), 1.0 if noisy else 0.5, side.removeprefix("-") if side else "good", seed)
