"""A cheap upper bound on what any allowed set can reach, from linear, Lagrangian or continuous relaxation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from selector.methods import candidates_of, method_of
from selector.objective import objective_of
from selector.problem import Problem

_LARGEST = {"facility": 4000, "entropy": 4000, "max-sum": 1500, "k-center": 1500, "coverage": 1500, "max-min": 1500}
"""Candidates up to which a bound is a matter of about a second on one core."""


def upper(name: str, problem: Problem, chosen: Sequence[int]) -> float | None:
    """No allowed set exceeds it; a good set `chosen` helps to find it. None where no bound is known or cheap."""
    candidates = candidates_of(problem)
    if name not in _LARGEST or len(candidates) > _LARGEST[name]:
        return None
    method = method_of(name, problem)
    if method is None:
        return None
    bound = method.upper(np.searchsorted(candidates.index, sorted(chosen)))
    return max(bound, objective_of(name, problem).value(chosen)) if np.isfinite(bound) else None
