"""Ways to choose without measuring: the `Strategy` signature and the static table `STRATEGIES`.

A strategy is pure: the same arguments give the same subset, whatever order the pool came in.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, Unpack

import numpy as np
from numpy.random import Generator

from selector import features, graph, maximize, objective
from selector.errors import InputError
from selector.language import Language, Pool
from selector.objective import SetFunction
from selector.problem import Options, Problem, pose
from selector.subset import Subset


class Strategy(Protocol):
    """What to try next, given what was measured. Pure: same arguments, same answer."""

    def __call__(self, pool: Pool, k: int, past: Mapping[Subset, float], rng: Generator) -> Subset: ...


Pick = Callable[[Problem, Generator], list[int]]


@dataclass(frozen=True)
class Static:
    """A strategy that looks at languages only, never at measurements."""

    pick: Pick
    objective: str  # the set function its answer is reported under
    about: str
    largest: int | None = None  # frame that it can take


@dataclass(frozen=True)
class Choice:
    """A chosen subset and how good it is under the objective of its strategy (greater is better)."""

    subset: Subset
    objective: str
    value: float
    bound: float | None  # no subset exceeds it; None where no bound is proven
    optimal: bool  # proven, not hoped


def choose(name: str, pool: Pool, k: int, **options: Unpack[Options]) -> Subset:
    """k languages of the pool by the named strategy. Options: metric, source, include, exclude, seed.

    Raises InputError for an unknown strategy or metric and for impossible demands.
    """
    seed = options.pop("seed", 0)
    find(name)  # an unknown name is the first thing to say
    return solve(name, pose(pool, k, **options), np.random.default_rng(seed)).subset  # type: ignore[misc]


def solve(name: str, problem: Problem, rng: Generator) -> Choice:
    """The subset that the named strategy picks for a problem, with its objective."""
    static = find(name)
    if static.largest is not None and len(problem.frame) > static.largest:
        raise InputError(
            f"the strategy {name} takes at most {static.largest} languages, and the pool has {len(problem.frame)}",
            "name a smaller pool, or use the strategy facility",
        )
    picked = static.pick(problem, rng)
    value = objective_of(static.objective, problem).value(picked)
    greedy = static.pick in _SEARCHES and problem.k - len(problem.pinned) <= 1  # one step of greedy tries everything
    full = static.objective == "coverage" and value >= 1.0
    optimal = problem.forced or greedy or full or name == "nearest"
    subset = Subset.of(problem.frame[i] for i in picked)
    return Choice(subset, static.objective, value, value if optimal else None, optimal)


def find(name: str) -> Static:
    """The entry of the table. Raises InputError with the nearest name."""
    if name in STRATEGIES:
        return STRATEGIES[name]
    near = difflib.get_close_matches(name, STRATEGIES, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}? " if near else ""
    raise InputError(f"unknown strategy '{name}'", f"{hint}Strategies are {', '.join(STRATEGIES)}")


def named(name: str, **options: Unpack[Options]) -> Strategy:
    """The named strategy under the signature `Strategy`: `past` is ignored, `rng` replaces the seed."""
    find(name)
    fixed = {key: value for key, value in options.items() if key != "seed"}

    def strategy(pool: Pool, k: int, past: Mapping[Subset, float], rng: Generator) -> Subset:
        return solve(name, pose(pool, k, **fixed), rng).subset  # type: ignore[arg-type]

    return strategy


def objective_of(name: str, problem: Problem) -> SetFunction:
    """The set function of that name on the frame of a problem."""
    d, source = problem.distances.matrix, problem.to_source
    if name == "max-sum":
        return objective.MaxSum(d, source)
    if name == "max-min":
        return objective.MaxMin(d, source)
    if name == "facility":
        return objective.Facility(d)
    if name == "k-center":
        return objective.KCenter(d)
    if name == "coverage":
        return objective.Coverage(d, graph.usual_radius(d), source)
    if name == "entropy":
        return objective.Entropy(feature_matrix(problem.frame))
    return objective.Nearness(d, source)


def feature_matrix(languages: Pool) -> np.ndarray:
    """All typological features of the languages [n, 289], completed."""
    return np.concatenate([features.table(languages, group).values for group in features.PREFIXES], axis=1)


def _random(problem: Problem, rng: Generator) -> list[int]:
    drawn = rng.choice(problem.free, problem.k - len(problem.pinned), replace=False)
    return sorted([*problem.pinned, *map(int, drawn)])


def _stratified(group: Callable[[Language], str]) -> Pick:
    """Random, from as many groups as possible: always from a group that was used least, the source's own counted."""

    def pick(problem: Problem, rng: Generator) -> list[int]:
        order = [int(i) for i in rng.permutation(problem.free)]
        chosen = list(problem.pinned)
        used = Counter(group(problem.frame[i]) for i in chosen)
        if problem.source is not None:
            used[group(problem.source)] += 1
        while len(chosen) < problem.k:
            best = min(order, key=lambda i: used[group(problem.frame[i])])  # the first of the least used
            order.remove(best)
            chosen.append(best)
            used[group(problem.frame[best])] += 1
        return sorted(chosen)

    return pick


def _search(name: str) -> Pick:
    """Greedy, then swaps, on a set function."""

    def pick(problem: Problem, rng: Generator) -> list[int]:
        return maximize.search(objective_of(name, problem), problem.k, problem.pinned, problem.free)

    return pick


def _dominating(problem: Problem, rng: Generator) -> list[int]:
    """A dominating set at the smallest radius that k allows; what is left of k goes to the average language."""
    _, core = graph.smallest_radius(problem.distances.matrix, problem.k, problem.pinned, problem.free)
    return maximize.greedy(objective_of("facility", problem), problem.k, core, problem.free)


STRATEGIES: dict[str, Static] = {
    "random": Static(_random, "max-sum", "uniform"),
    "family": Static(_stratified(lambda language: language.family), "max-sum", "random, as many families as possible"),
    "genus": Static(_stratified(lambda language: language.genus), "max-sum", "random, as many genera as possible"),
    "script": Static(_stratified(lambda language: language.script), "max-sum", "random, as many scripts as possible"),
    "nearest": Static(_search("nearest"), "nearest", "nearest to the source"),
    "max-sum": Static(_search("max-sum"), "max-sum", "greatest sum of pairwise distances (arXiv 2511.06497)"),
    "max-min": Static(_search("max-min"), "max-min", "no two alike (typdiv, Ploeger et al. 2024)"),
    "k-center": Static(_search("k-center"), "k-center", "the worst-off language has a near relative"),
    "facility": Static(_search("facility"), "facility", "every language has a near relative (p-median)"),
    "coverage": Static(_search("coverage"), "coverage", "as many languages as possible within a radius"),
    "dominating": Static(_dominating, "k-center", "a dominating set at the smallest radius", largest=1000),
    "entropy": Static(_search("entropy"), "entropy", "feature values in equal shares"),
}

_SEARCHES = {static.pick for name, static in STRATEGIES.items() if name == static.objective}
