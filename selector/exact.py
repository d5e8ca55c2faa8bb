"""The objectives solved to proven optimality, or to a proven gap: what the heuristics are measured against.

A cheap upper bound on what any allowed set can reach, from linear, Lagrangian or continuous relaxation.

Which program proves which objective of a problem: from the frame's arrays to a `Method`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from selector.distances import distance
from selector.objective import Coverage, Entropy, Facility, MaxMin, MaxSum, bits, objective_of
from selector.problem import Problem
from selector.solvers.covering import Center, MaximumCoverage
from selector.solvers.max_min import Packing
from selector.solvers.max_sum import Dispersion
from selector.solvers.p_median import Median
from selector.solvers.program import Candidates, Effort, EffortMeter, Method, Vector, reaches_bound
from selector.solvers.separable import Counts

__all__ = ["Effort", "ProvenSet", "solve"]


@dataclass(frozen=True)
class ProvenSet:
    """Best set that is known, and what is proven about it. Values as in `objective.py`: greater is better."""

    chosen: list[int]  # ascending places in the frame
    bound: float | None  # no allowed set exceeds it
    status: str  # "optimal"; "bounded": the method ended with a gap, or the gap asked for; "limit": the effort is spent
    nodes: int  # of branch and bound


def solve(name: str, problem: Problem, start: Sequence[int], effort: Effort | None = None) -> ProvenSet:
    """Best set under the objective `name`, from the good set `start`.

    The answer is never worse than `start`; where it is only equal, it is `start` itself. Optimal means within HiGHS's
    tolerance (a relative 1e-6); the bound then is the value itself. ValueError: the objective has no method
    (`METHODS`).
    """
    method, candidates = method_of(name, problem), candidates_of(problem)
    if method is None:
        raise ValueError(f"no exact method for {name}")
    clock = EffortMeter(Effort() if effort is None else effort)
    found = method.solve(np.searchsorted(candidates.index, sorted(start)), clock)
    function, best = objective_of(name, problem), sorted(start)
    rival = candidates.index[found.chosen].tolist()
    if not reaches_bound(function.value(best), function.value(rival)) and problem.limits.hold(rival):
        best = rival
    value = function.value(best)
    if reaches_bound(value, found.bound):
        return ProvenSet(best, value, "optimal", clock.nodes)
    if not np.isfinite(found.bound):
        return ProvenSet(best, None, "limit", clock.nodes)
    settled = found.done or found.bound - value <= clock.effort.gap * abs(found.bound)
    return ProvenSet(best, found.bound, "bounded" if settled else "limit", clock.nodes)


_LARGEST = {"facility": 4000, "entropy": 4000, "max-sum": 1500, "k-center": 1500, "coverage": 1500, "max-min": 1500}
"""Candidates up to which a bound is a matter of about a second on one core."""


def upper(name: str, problem: Problem, chosen: Sequence[int]) -> float | None:
    """Upper bound on the value of every allowed set under the objective `name`; None where none is known or cheap.

    A good set `chosen` makes the bound tighter.
    """
    candidates = candidates_of(problem)
    if name not in _LARGEST or len(candidates) > _LARGEST[name]:
        return None
    method = method_of(name, problem)
    if method is None:
        return None
    bound = method.upper(np.searchsorted(candidates.index, sorted(chosen)))
    return max(bound, objective_of(name, problem).value(chosen)) if np.isfinite(bound) else None


def method_of(name: str, problem: Problem) -> Method | None:
    """Exact method for the objective `name` on `problem`; None where there is none."""
    make = METHODS.get(name)
    return None if make is None else make(problem, candidates_of(problem))


def candidates_of(problem: Problem) -> Candidates:
    return Candidates.of(problem.k, problem.pinned, problem.free, problem.limits)


def _facility(problem: Problem, candidates: Candidates) -> Method:
    function = objective_of("facility", problem)
    assert isinstance(function, Facility)
    return Median(candidates, function.reach[candidates.index].T.astype(np.float64), function.weights, function.base)


def _center(problem: Problem, candidates: Candidates) -> Method:
    function = objective_of("k-center", problem)
    assert isinstance(function, Facility)
    counted = function.weights > 0
    return Center(candidates, function.reach[candidates.index].T[counted], function.base[counted])


def _coverage(problem: Problem, candidates: Candidates) -> Method:
    function = objective_of("coverage", problem)
    assert isinstance(function, Coverage)
    return MaximumCoverage(candidates, function.covers[candidates.index].T, function.weights, function.by_source)


def _max_min(problem: Problem, candidates: Candidates) -> Method:
    function = objective_of("max-min", problem)
    assert isinstance(function, MaxMin)
    index = candidates.index
    return Packing(
        candidates, function.d[np.ix_(index, index)], None if function.source is None else function.source[index]
    )


def _max_sum(problem: Problem, candidates: Candidates) -> Method:
    """Method for max-sum: Hamming distances count features; any others are a quadratic program."""
    function = objective_of("max-sum", problem)
    assert isinstance(function, MaxSum)
    index = candidates.index
    counts_source = problem.counts_source(True) and problem.source is not None
    everyone = [problem.frame[i] for i in index] + ([problem.source] if counts_source else [])
    x = distance.binary(everyone, problem.metric)
    if x is None:
        return Dispersion(candidates, function.d[np.ix_(index, index)], function.source[index])
    members, features = candidates.k + counts_source, x.shape[1]

    def differing(count: Vector) -> Vector:
        return count * (members - count) / features

    return Counts(candidates, x[: len(index)], differing, x[-1] if counts_source else None)


def _entropy(problem: Problem, candidates: Candidates) -> Method:
    function = objective_of("entropy", problem)
    assert isinstance(function, Entropy)
    x = function.x[candidates.index].astype(np.float64)
    return Counts(candidates, x, lambda count: bits(count / candidates.k) / x.shape[1])


METHODS: Mapping[str, Callable[[Problem, Candidates], Method]] = {
    "facility": _facility,
    "k-center": _center,
    "coverage": _coverage,
    "max-min": _max_min,
    "max-sum": _max_sum,
    "entropy": _entropy,
}
