"""Ways to choose without measuring: the `Strategy` signature and the static table `STRATEGIES`.

A strategy is pure: the same arguments give the same subset, whatever order the pool came in.

Random choice in strata: as even over the groups as the pool and the limits allow (Rijkhoff et al. 1993).
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Unpack

import numpy as np
from numpy.random import Generator

from selector import constraints
from selector.errors import InputError
from selector.languages.language import Language, Pool
from selector.languages.subset import Subset
from selector.objective import feature_matrix as feature_matrix
from selector.objective import objective_of
from selector.problem import Options, Problem, pose
from selector.solvers import dominating, greedy
from selector.solvers.feasible import complete, fill

if TYPE_CHECKING:  # SciPy's optimizer takes a third of a second to import: only exact answers and bounds pay for it
    from selector.solvers.program import Effort

_PROVEN = 1e-9  # relative: a value this near to its bound is the best
_SLOW = 3000  # languages from which greedy on the worst-off target takes more than some seconds


class Strategy(Protocol):
    """Choice of the next subset from what was measured. Pure: same arguments, same answer."""

    def __call__(self, pool: Pool, k: int, past: Mapping[Subset, float], rng: Generator) -> Subset: ...


Pick = Callable[[Problem, Generator], list[int]]


@dataclass(frozen=True)
class Static:
    """A strategy that looks at languages only, never at measurements."""

    pick: Pick
    objective: str  # the set function its answer is reported under
    about: str
    maximizes: bool = True  # the objective; otherwise it is only reported under it
    exact: bool = False  # the answer of `pick` is where a proof starts


@dataclass(frozen=True)
class Choice:
    """A chosen subset and how good it is under the objective of its strategy (greater is better)."""

    subset: Subset
    objective: str
    value: float
    bound: float | None  # no subset exceeds it; None where no bound is proven
    status: str  # "optimal" | "bounded" | "heuristic" (no bound) | "limit" (effort spent before the proof)
    seed: int | None  # None where the caller brought a generator of its own
    imputed: float  # mean over the chosen of the share of the metric's features that no source observed
    cost: float | None  # None without costs

    @property
    def gap(self) -> float | None:
        """(bound - value) / |bound|, at least 0; None without a bound."""
        return None if self.bound is None else relative_gap(self.value, self.bound)

    @property
    def optimal(self) -> bool:
        """True if the subset is proven to be the best."""
        return self.status == "optimal"


def choose(name: str, pool: Pool, k: int, **options: Unpack[Options]) -> Subset:
    """Subset of `k` languages of `pool` by the strategy `name`. Options: see `problem.Options`.

    InputError: the strategy or metric is unknown, or the demands are impossible.
    """
    seed = options.pop("seed", 0)
    static = find(name)  # report an unknown name first
    problem = pose(pool, k, **options)  # type: ignore[misc]
    picked, _, _ = _run_strategy(static, problem, np.random.default_rng(seed), None)
    return _subset(problem, picked)


def solve(name: str, problem: Problem, seed: int | Generator = 0, effort: Effort | None = None) -> Choice:
    """Subset that the strategy `name` chooses for `problem`, with its objective and how certain it is.

    `effort` limits what an exact strategy may spend.
    """
    static = find(name)
    picked, bound, status = _run_strategy(static, problem, np.random.default_rng(seed), effort)
    value = objective_of(static.objective, problem).value(picked)
    if bound is None and (problem.has_one_answer or (name == "nearest" and not problem.limits)):
        bound = value
    elif bound is None and static.maximizes:
        bound = _upper(static, problem, picked, value)
    if bound is not None:
        bound = value if status == "optimal" or relative_gap(value, bound) < _PROVEN else max(bound, value)
    if status is None:
        status = "heuristic" if bound is None else "optimal" if bound == value else "bounded"
    return Choice(
        subset=_subset(problem, picked),
        objective=static.objective,
        value=value,
        bound=bound,
        status=status,
        seed=seed if isinstance(seed, int) else None,
        imputed=float(1.0 - problem.distances.observed[picked].mean()),
        cost=problem.cost(picked),
    )


def ranking(name: str, problem: Problem) -> list[tuple[Language, float]]:
    """Languages in greedy's order of choice for `problem`, each with what it adds, after the included ones; k in all.

    InputError: the strategy `name` maximizes no set function.
    """
    static = find(name)
    if not static.maximizes or name == "predicted":
        raise InputError(f"the strategy {name} has no marginal gains", "rank by facility, coverage, max-sum or entropy")
    function = objective_of(static.objective, problem)
    order = greedy.rank(function, problem.k, problem.pinned, problem.free, problem.limits)
    first = len(problem.pinned)
    values = [function.value(order[:size]) for size in range(first, len(order) + 1)]
    return [(problem.frame[i], values[at + 1] - values[at]) for at, i in enumerate(order[first:])]


def relative_gap(value: float, bound: float) -> float:
    """Largest possible distance of `value` from the best value, relative to `bound`."""
    return max(0.0, bound - value) / max(abs(bound), 1e-12)


def find(name: str) -> Static:
    """Strategy `name` of the table. InputError, with the nearest name: there is none."""
    if not isinstance(name, str):
        raise InputError(f"the strategy is {name!r}, which is no text", "give its name, such as 'facility'")
    if name in STRATEGIES:
        return STRATEGIES[name]
    near = difflib.get_close_matches(name, STRATEGIES, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}? " if near else ""
    raise InputError(f"unknown strategy '{name}'", f"{hint}Strategies are {', '.join(STRATEGIES)}")


def make_strategy(name: str, **options: Unpack[Options]) -> Strategy:
    """Strategy `name` as a function with the signature of `Strategy`: `past` is ignored, `rng` replaces the seed."""
    static = find(name)
    fixed = {key: value for key, value in options.items() if key != "seed"}

    def strategy(pool: Pool, k: int, past: Mapping[Subset, float], rng: Generator) -> Subset:
        problem = pose(pool, k, **fixed)  # type: ignore[arg-type]
        return _subset(problem, _run_strategy(static, problem, rng, None)[0])

    return strategy


def _subset(problem: Problem, picked: list[int]) -> Subset:
    return Subset.of(problem.frame[i] for i in picked)


def _run_strategy(
    static: Static, problem: Problem, rng: Generator, effort: Effort | None
) -> tuple[list[int], float | None, str | None]:
    """Languages that the strategy chooses; for an exact one also its bound and status."""
    start = static.pick(problem, rng)
    if not static.exact or problem.has_one_answer:
        return start, None, None
    from selector import exact
    from selector.solvers.program import Effort

    found = exact.solve(static.objective, problem, start, Effort() if effort is None else effort)
    return found.chosen, found.bound, found.status


def _upper(static: Static, problem: Problem, picked: list[int], value: float) -> float | None:
    """Upper bound that is cheap to prove, or None."""
    if static.objective in ("coverage", "facility", "k-center") and value >= 1.0:
        return value  # every target is at distance 0 already
    if problem.k - len(problem.pinned) == 1 and static.pick in _SEARCHES:
        return value  # one step of greedy tries everything
    from selector import exact as bound

    return bound.upper(static.objective, problem, picked)


def _random(problem: Problem, rng: Generator) -> list[int]:
    order = [int(i) for i in rng.permutation(problem.free)]
    return fill(problem.pinned, problem.k, order, problem.limits)


def _strata_sampler(kind: str) -> Pick:
    return lambda problem, rng: sample_strata(problem, constraints.grouping(kind), rng)


def _search(name: str) -> Pick:
    """Strategy that runs greedy, then swaps, on a set function."""

    def pick(problem: Problem, rng: Generator) -> list[int]:
        return greedy.search(objective_of(name, problem), problem.k, problem.pinned, problem.free, problem.limits)

    return pick


def _center(problem: Problem, rng: Generator) -> list[int]:
    """Choice from a dominating set at the smallest radius and, where the frame is not large, also from greedy."""
    function = objective_of("k-center", problem)
    demand = (problem.k, problem.pinned, problem.free, problem.limits)
    found = [greedy.swap(function, _dominating(problem, rng), *demand[1:])]
    if len(problem.frame) <= _SLOW:
        found.append(greedy.search(function, *demand))
    return max(found, key=lambda chosen: (function.value(chosen), function.second(chosen)))


def _dominating(problem: Problem, rng: Generator) -> list[int]:
    """Dominating set at the smallest radius that k allows; further members go to the average target."""
    _, core = dominating.smallest_radius(problem.to_targets.T, problem.k, problem.pinned, problem.free, problem.limits)
    start = fill(problem.pinned, problem.k, [*core, *problem.free], problem.limits)
    kept = [i for i in core if i in start]
    return greedy.greedy(objective_of("facility", problem), problem.k, kept, problem.free, problem.limits)


def _pick_by_prediction(problem: Problem, rng: Generator) -> list[int]:
    from selector.transfer import predict as transfer

    return transfer.choose_by_prediction(problem, rng)


def _random_static(kind: str, many: str) -> Static:
    return Static(_strata_sampler(kind), "max-sum", f"random, as many {many} as possible", maximizes=False)


_max_sum, _max_min, _facility = _search("max-sum"), _search("max-min"), _search("facility")
_coverage, _entropy = _search("coverage"), _search("entropy")

STRATEGIES: dict[str, Static] = {
    "random": Static(_random, "max-sum", "uniform", maximizes=False),
    "family": _random_static("family", "families"),
    "genus": _random_static("genus", "genera"),
    "script": _random_static("script", "scripts"),
    "resource": _random_static("resource", "classes of resources (Joshi et al. 2020)"),
    "nearest": Static(_search("nearest"), "nearest", "nearest to the source, or to the targets named"),
    "max-sum": Static(_max_sum, "max-sum", "greatest sum of pairwise distances (arXiv 2511.06497)"),
    "max-min": Static(_max_min, "max-min", "no two alike (typdiv, Ploeger et al. 2024)"),
    "k-center": Static(_center, "k-center", "the worst-off target has a near relative"),
    "facility": Static(_facility, "facility", "every target has a near relative (p-median)"),
    "coverage": Static(_coverage, "coverage", "as many targets as possible within a radius"),
    "dominating": Static(_dominating, "k-center", "a dominating set at the smallest radius"),
    "dpp": Static(_search("log-det"), "log-det", "the greatest volume (determinantal point process, Chen et al. 2018)"),
    "exact-max-sum": Static(_max_sum, "max-sum", "max-sum, proven", exact=True),
    "exact-max-min": Static(_max_min, "max-min", "max-min, proven", exact=True),
    "exact-facility": Static(_facility, "facility", "facility, proven", exact=True),
    "exact-k-center": Static(_center, "k-center", "k-center, proven", exact=True),
    "exact-coverage": Static(_coverage, "coverage", "coverage, proven", exact=True),
    "entropy": Static(_entropy, "entropy", "feature values in equal shares"),
    "exact-entropy": Static(_entropy, "entropy", "entropy, proven", exact=True),
    "predicted": Static(_pick_by_prediction, "predicted", "greatest gain of the targets by the transfer model"),
}

_SEARCHES = {static.pick for static in STRATEGIES.values() if static.maximizes} - {_dominating}


def sample_strata(problem: Problem, group: Callable[[Language], str], rng: Generator) -> list[int]:
    """Random languages of `problem`, always from the `group` that was used least so far.

    The source's own group counts as used once where the source counts as chosen.
    """
    order = [int(i) for i in rng.permutation(problem.free)]
    label = {i: group(problem.frame[i]) for i in (*problem.pinned, *order)}
    chosen = list(problem.pinned)
    used = Counter(label[i] for i in chosen)
    if problem.source is not None and problem.counts_source(True):
        used[group(problem.source)] += 1
    while len(chosen) < problem.k:
        best = min(order, key=lambda i: used[label[i]])  # the first of the least used
        order.remove(best)
        if problem.limits and complete([*chosen, best], problem.k, order, problem.limits) is None:
            continue  # what does not fit now never fits later
        chosen.append(best)
        used[label[best]] += 1
    return sorted(chosen)
