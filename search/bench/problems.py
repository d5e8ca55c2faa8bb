"""Search problems whose answer is known: synthetic set functions over real languages, and measured tables replayed.

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

import itertools
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from realign.evaluators import table as replay
from search import planner as plan
from search.bench.rivals import PREFIX, rival
from search.bench.select import pool as observed_pool
from search.bench.strategy_names import repeated
from search.config.schema import StudyFile, check
from search.config.study_config import StudyConfig, resolved
from search.planner import WARM, Planner, Proposal
from search.space import ENUMERABLE, Space
from search.strategies import base as proposal
from search.strategies.base import Past, Proposer, Seen
from search.surrogate.kernels import Given, Side
from search.surrogate.model import Surrogate
from search.surrogate.prior_knowledge import side_of, similarity
from selector import strategy as model_free
from selector.distances.distance import distances
from selector.errors import InputError
from selector.languages.language import Pool
from selector.languages.subset import Subset
from selector.objectives.base import Chosen, Index, SetFunction
from selector.objectives.location import Facility
from selector.solvers import greedy

Array = NDArray[np.float64]

SIZES = {20: 5, 60: 10, 200: 20}  # n → k
KNOWN = 0.6  # share of the known similarity in the true one
SHARES = (1.0, 0.7, 0.7)  # of facility location, quality, interactions
SPARSE = 0.1  # share of pairs that interact
SAMPLE = 2000  # random subsets that standardize
STARTS = 60  # of the swap search for the optimum, beside those of `selector.solvers.greedy`
LEVELS = {"merge": "scores", "short": "short"}  # levels of a study → their names in a table
FEW = 0.005  # the same of a problem called sparse
USUAL = re.compile(r"n(20|60|200)(-noisy)?(-absent|-misleading|-told)?|n(60|200)(-sparse)")


class Problem(ABC):
    """What can be measured, with how much noise, and what is true."""

    name: str
    config: StudyConfig  # a study of it
    best: float  # the true value of the best subset
    usual: float  # the median of the true values of all subsets
    side: Side  # what a strategy may know
    shares: Mapping[str, float]  # what a run costs at each level, of a full one; at "merge" each language once

    @property
    def space(self) -> Space:
        return self.config.space

    @abstractmethod
    def truth(self, subset: Subset) -> float: ...

    @abstractmethod
    def measure(self, subset: Subset, level: str, rng: Generator) -> Seen: ...

    @abstractmethod
    def planner(self, strategy: str, seed: int) -> Planner:
        """A strategy as a study has it; only the surrogate with a warm start, so that others are as they are known."""

    def recommended(self, seen: Sequence[Seen]) -> Subset | None:
        """What the surrogate recommends after these measurements, whoever chose them; None of the size asked for."""
        past = Past(tuple(seen), tuple((each.subset, each.level) for each in seen))
        found = Surrogate(self.side).recommend(self.space, past)
        return found[0][0] if found else None

    def score(self, value: float) -> float:
        """0 for the median subset, 1 for the best."""
        return (value - self.usual) / (self.best - self.usual)


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
        """Of which f is the mean, [n]."""
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


class Synthetic(Problem):
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
        self.config = _config(_codes(pool), _outside(n), k)
        self.best = _optimum(self.f, k, rng)
        self.informed = knowledge != "absent"
        self.place = shown if knowledge == "misleading" else np.arange(n)  # whom each language is taken for
        known = real[np.ix_(self.place, self.place)]
        self.side = _side(pool, known) if self.informed else Side(targets=tuple(_codes(pool)))
        if knowledge == "told":
            self.side = replace(self.side, given={"coverage": self._part(0), "quality": self._part(1)})

    def truth(self, subset: Subset) -> float:
        return self.f.value(self.space.indices(subset))

    def measure(self, subset: Subset, level: str, rng: Generator) -> Seen:
        """The noise is one shift for all targets, and as much again of each of its own, whose mean is 0."""
        own = rng.normal(size=len(self.space.pool))
        values = self.f.per_target(self.space.indices(subset)) + self.noise * (rng.normal() + own - own.mean())
        return Seen(
            subset, float(values.mean()), dict(zip(_codes(self.space.pool), values.tolist(), strict=True)), level
        )

    def planner(self, strategy: str, seed: int) -> Planner:
        config, warm = replace(self.config, seed=seed), list[Subset]()
        name, repeats = repeated(strategy)
        if strategy.startswith("diversity:"):
            propose, warm = proposal.random, [self._model_free(strategy.removeprefix("diversity:"))]
        elif name == "surrogate":
            propose = Surrogate(self.side, repeats)
            warm = [self._model_free(name) for name in WARM] if self.informed else []
        elif strategy.startswith(PREFIX):
            propose = rival(strategy)
        else:
            propose = plan.STRATEGIES[strategy](config)
        return _planned(propose, self.space, warm, strategy, seed)

    def _part(self, which: int) -> Given:
        """One of the three sums of f, of subsets X [B, n] → [B, 1]."""
        return lambda X: np.array([[self.f.parts(np.flatnonzero(x).tolist())[which]] for x in X])

    def _model_free(self, name: str) -> Subset:
        """What a strategy of the selector chooses, by what may be known."""
        pool, back = self.space.pool, np.argsort(self.place)
        chosen = model_free.choose(name, pool, self.space.sizes[0], metric="syntactic", source=None)
        return Subset.of(pool[back[index]] for index in self.space.indices(chosen))


def _planned(propose: Proposer, space: Space, warm: Sequence[Subset], strategy: str, seed: int) -> Planner:
    """The warm start, then what is proposed."""

    def planned(position: int, past: Past) -> Proposal | None:
        unseen = [subset for subset in warm if subset not in past.taken]
        subset = unseen[0] if unseen else propose(space, past, proposal.generator(seed, position))
        return None if subset is None else Proposal(subset, strategy)

    return planned


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


def _side(pool: Pool, known: Array) -> Side:
    alike = similarity(1.0 - known)
    assert alike is not None
    return Side({"known": alike}, {"known": alike}, {}, tuple(_codes(pool)))


def _optimum(f: Truth, k: int, rng: Generator) -> float:
    """Of all subsets where that can be; else the best that swaps reach from greedy and from many random starts."""
    n = f.size
    if math.comb(n, k) <= ENUMERABLE:
        return max(f.value(chosen) for chosen in itertools.combinations(range(n), k))
    starts = [rng.choice(n, k, replace=False).tolist() for _ in range(STARTS)]
    found = [greedy.swap(f, start, (), range(n)) for start in starts]
    return max(f.value(chosen) for chosen in (*found, greedy.search(f, k, (), range(n))))


class Replayed(Problem):
    """The largest subsets of a table. What is measured is the run of one seed, drawn; true is the mean of all."""

    def __init__(self, table: replay.ScoreTable) -> None:
        size = max((len(each) for each in table.subsets if len(each) < len(table.pool)), default=0)
        self.name, self.table = f"table {table.signature}, k={size}", table
        self.config = _config(table.pool, "eng", size, table.targets)
        self.side = side_of(self.config)
        rows = [table.row[each] for each in table.subsets if len(each) == size]
        whole = [bool(np.isfinite(level[rows]).all()) for level in table.values]  # measured to the end
        names = {"full": "full", **LEVELS}
        levels = list(table.fidelities)
        self.place = {own: levels.index(name) for own, name in names.items() if name in levels}
        self.place = {own: place for own, place in self.place.items() if whole[place]}
        if len(rows) < math.comb(len(table.pool), size) or "full" not in self.place:
            raise InputError(f"the table lacks subsets of {size} languages", "make it with studies/tables/make.py")
        timed = {level: "alone" if level == "merge" else levels[place] for level, place in self.place.items()}
        if not {*timed.values()} <= table.seconds.keys():
            raise InputError("the table does not say how long its levels take", "make it with studies/tables/make.py")
        self.shares = {level: table.seconds[name] / table.seconds["full"] for level, name in timed.items()}
        true = table.values[self.place["full"]][rows].mean(axis=(1, 2))
        self.best, self.usual = float(true.max()), float(np.median(true))

    def truth(self, subset: Subset) -> float:
        return float(self.table.values[self.place["full"], self.table.row[subset.codes]].mean())

    def measure(self, subset: Subset, level: str, rng: Generator) -> Seen:
        row, run = self.table.row.get(subset.codes), int(rng.integers(self.table.seeds))
        if row is None or level not in self.place or np.isnan(self.table.values[self.place[level], row]).any():
            message = f"the table has no {subset.key} at level {level}"
            raise InputError(message, "take strategies that measure neither other sizes nor other levels")
        scores = self.table.values[self.place[level], row, run]  # (t,)
        per_target = dict(zip(self.table.targets, scores.tolist(), strict=True))
        return Seen(subset, float(scores.mean()), per_target, level)

    def planner(self, strategy: str, seed: int) -> Planner:
        """`strategy` may be "ladder": the surrogate, over all levels of the table."""
        if strategy.startswith(PREFIX):
            return _planned(rival(strategy), self.space, (), strategy, seed)
        fidelity: Literal["ladder", "full"] = "ladder" if strategy == "ladder" else "full"
        base, repeats = repeated("surrogate" if strategy == "ladder" else strategy)
        warm = base == "surrogate"
        search = replace(self.config.search, strategy=base, warm_start=warm, fidelity=fidelity, repeats=repeats)
        return plan.planner(replace(self.config, seed=seed, search=search))


def _config(pool: Sequence[str], source: str, size: int, targets: Sequence[str] | None = None) -> StudyConfig:
    file = Path.cwd() / "bench-search.toml"
    languages = {"languages": list(pool), "source": source, "k": size}
    tune = {"tune": list(targets or pool)}
    return resolved(file, check(StudyFile, file, {"name": "bench", "pool": languages, "targets": tune}))


def named(name: str, seed: int) -> Problem:
    """A synthetic problem by name, as n60, n60-noisy or n60-misleading; InputError for another."""
    found = USUAL.fullmatch(name)
    if not found:
        known = "known: n20, n60, n200, with -noisy, -absent, -misleading, -told; n60-sparse, n200-sparse"
        raise InputError(f"there is no problem '{name}'", known)
    size, noisy, side, large, _ = found.groups()
    if large:
        return Synthetic(int(large), 0.5, "good", seed, FEW)
    return Synthetic(int(size), 1.0 if noisy else 0.5, side.removeprefix("-") if side else "good", seed)
