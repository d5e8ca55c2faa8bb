"""Which program proves which objective of a problem: from the frame's arrays to a `Method`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from selector import distance
from selector.covering import Center, MaximumCoverage
from selector.median import Median
from selector.milp import Candidates, Method, Vector
from selector.objective import Coverage, Entropy, Facility, MaxMin, MaxSum, bits, objective_of
from selector.packing import Packing
from selector.problem import Problem
from selector.quadratic import Dispersion
from selector.separable import Counts


def method_of(name: str, problem: Problem) -> Method | None:
    """The method for the set function of that name; None where there is none."""
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
    """Hamming distances count features; any others are a quadratic program."""
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
