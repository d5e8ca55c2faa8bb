"""A bound on the p-median, and which candidates can be neither left out nor taken in: Lagrangian relaxation in numpy.

Notations
    C  what it costs to serve target t from candidate i [m, c]; S costs Σ_t min_{i ∈ S} C_ti, which is minimized
    u  multipliers [m] of "every target is served once";  v ≥ 0 multipliers [l] of the limits A S ≤ b
    ρ  reduced costs [c]:  ρ_i = Σ_t min(0, C_ti - u_t) + Σ_l v_l A_li
    L  the bound:  Σ_t u_t - Σ_l v_l b_l + the k smallest ρ (the pinned first);  L ≤ the cost of every allowed S

Cornuéjols, Fisher and Nemhauser 1977; the step rule of Held, Wolfe and Crowder 1974; fixing by reduced costs as in
Beasley 1993.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selector.milp import Candidates, Matrix, Vector

_STEPS = 600  # of the subgradient method
_PATIENCE = 15  # steps without a better bound before the step is halved
_SMALLEST = 1e-4  # the step at which it ends, as a share of Polyak's
_KEPT = 3  # candidates kept per target, times c / k: multipliers stay below the cost of the last of them
_FEWEST = 48  # kept at least
_EXACT = 1e-9  # relative gap at which bound and value are one


@dataclass(frozen=True)
class Dual:
    """What the relaxation proved and found."""

    bound: float  # no allowed set costs less
    reduced: Vector  # [c], ρ at that bound
    best: NDArray[np.intp]  # [k], the cheapest allowed set met, places among the candidates
    cost: float  # of that set


def served(cost: Matrix, chosen: Sequence[int] | NDArray[np.intp]) -> float:
    """What a set costs: every target from its cheapest member."""
    return float(cost[:, chosen].min(axis=1).sum())


def relax(cost: Matrix, candidates: Candidates, start: NDArray[np.intp], steps: int = _STEPS) -> Dual:
    """Subgradient ascent of L from the multipliers that `start` [k] suggests."""
    near = _Nearest.of(cost, candidates.k)
    limits = candidates.limits
    u = np.minimum(_first_multipliers(cost, start), near.last)
    v = np.zeros(len(limits.most))
    best, value = start, served(cost, start)
    top = -np.inf
    kept = np.zeros(len(candidates.index))
    share, since = 1.0, 0
    for _ in range(steps):
        reduced = near.reduced(u) + v @ limits.weights
        chosen = candidates.most(-reduced)
        bound = float(u.sum() - v @ limits.most + reduced[chosen].sum())
        if bound > top + 1e-7 * abs(top):
            since = 0
        else:
            since += 1
        if bound > top:
            top, kept = bound, reduced
        if limits.hold(chosen.tolist()) and (rival := served(cost, chosen)) < value:
            best, value = chosen, rival
        if since > _PATIENCE:
            share, since = share / 2, 0
        slope = 1.0 - (cost[:, chosen] < u[:, None]).sum(axis=1)  # (m,)
        excess = limits.weights[:, chosen].sum(axis=1) - limits.most  # (l,)
        length = float(slope @ slope + excess @ excess)
        if value - top <= _EXACT * abs(value) or length == 0.0 or share < _SMALLEST:
            break
        step = share * max(value - bound, _EXACT * abs(value)) / length
        u = np.clip(u + step * slope, 0.0, near.last)
        v = np.maximum(0.0, v + step * excess)
    return Dual(top, kept, best, value)


def fixed(dual: Dual, candidates: Candidates, cost: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which candidates no set cheaper than `cost` has [c], and which every such set has [c].

    Exchanging the last of the k cheapest for an outsider, or the first outsider for a member, raises the bound by the
    difference of their reduced costs.
    """
    inside = np.zeros(len(candidates.index), dtype=bool)
    inside[candidates.most(-dual.reduced)] = True
    movable = inside & ~candidates.pinned
    last = dual.reduced[movable].max(initial=-np.inf)
    following = dual.reduced[~inside].min(initial=np.inf)
    beyond = cost + 1e-7 * abs(cost) - dual.bound  # a tolerance, since rounding must not fix one too many
    return ~inside & (dual.reduced - last > beyond), movable & (following - dual.reduced > beyond)


@dataclass(frozen=True)
class _Nearest:
    """The q nearest candidates of every target: all that multipliers below the cost of the last can see."""

    place: NDArray[np.intp]  # [m, q]
    cost: Matrix  # [m, q]
    last: Vector  # [m]
    width: int  # c

    @classmethod
    def of(cls, cost: Matrix, k: int) -> _Nearest:
        c = cost.shape[1]
        q = min(c, max(_FEWEST, _KEPT * c // k))
        place = np.argpartition(cost, q - 1, axis=1)[:, :q] if q < c else np.broadcast_to(np.arange(c), cost.shape)
        near = np.take_along_axis(cost, place, axis=1)
        return cls(place, near, near.max(axis=1), c)

    def reduced(self, u: Vector) -> Vector:
        """Σ_t min(0, C_ti - u_t) for every candidate [c]."""
        less = np.minimum(self.cost - u[:, None], 0.0)
        return np.asarray(np.bincount(self.place.ravel(), less.ravel(), self.width), dtype=np.float64)


def _first_multipliers(cost: Matrix, start: NDArray[np.intp]) -> Vector:
    """Between the nearest and the second nearest member of a good set, where the best multipliers usually are."""
    if len(start) < 2:
        return cost[:, start].min(axis=1)
    two = np.partition(cost[:, start], 1, axis=1)[:, :2]
    return np.asarray(two.mean(axis=1))
