"""The objectives solved to proven optimality, or to a proven gap: what the heuristics are measured against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selector.methods import candidates_of, method_of
from selector.milp import Clock, Effort, met
from selector.objective import objective_of
from selector.problem import Problem

__all__ = ["Effort", "Solved", "solve"]


@dataclass(frozen=True)
class Solved:
    """The best set known, and what is proven of it. Values as in `objective.py`: greater is better."""

    chosen: list[int]  # ascending places in the frame
    bound: float | None  # no allowed set exceeds it
    status: str  # "optimal"; "bounded": the method ended with a gap, or the gap asked for; "limit": the effort is spent
    nodes: int  # of branch and bound


def solve(name: str, problem: Problem, start: Sequence[int], effort: Effort | None = None) -> Solved:
    """The best set under the objective `name`, never worse than `start`; equal ones leave `start` as it is.

    Optimal means within HiGHS's tolerance (a relative 1e-6); the bound then is the value itself. Raises ValueError for
    an objective that has no method (`methods.METHODS`).
    """
    method, candidates = method_of(name, problem), candidates_of(problem)
    if method is None:
        raise ValueError(f"no exact method for {name}")
    clock = Clock(Effort() if effort is None else effort)
    found = method.solve(np.searchsorted(candidates.index, sorted(start)), clock)
    function, best = objective_of(name, problem), sorted(start)
    rival = candidates.index[found.chosen].tolist()
    if not met(function.value(best), function.value(rival)) and problem.limits.hold(rival):
        best = rival
    value = function.value(best)
    if met(value, found.bound):
        return Solved(best, value, "optimal", clock.nodes)
    if not np.isfinite(found.bound):
        return Solved(best, None, "limit", clock.nodes)
    settled = found.done or found.bound - value <= clock.effort.gap * abs(found.bound)
    return Solved(best, found.bound, "bounded" if settled else "limit", clock.nodes)
