"""Facility location proven best: a Lagrangian bound, what it fixes, and HiGHS on the candidates that are left.

Notations
    C  what it costs to serve target t from candidate i [m, c], the weight of the target times its distance; minimized
    D  the different costs of one target in ascending order
    z  z_tr = 1 where no chosen candidate serves t at D_tr or less; then t costs D_t1 + Σ_r (D_t,r+1 - D_tr) z_tr

The formulation with z is that of Cornuéjols, Nemhauser and Wolsey 1980, with rows that differ from one level to the
next (Elloumi 2010); it has no variable for a pair of target and candidate.

A bound on the p-median, and which candidates can be neither left out nor taken in: Lagrangian relaxation in numpy.

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
from scipy.sparse import csr_array

from selector.solvers.program import Candidates, EffortMeter, Matrix, Method, Program, Solution, Vector

_QUICK = 200  # steps of the bound alone
_LARGEST = 20_000  # levels of all targets together up to which HiGHS is worth its time
_SAME = 1e-12  # costs nearer than this are one level


class Median(Method):
    """1 less the weighted mean distance of the targets to the nearest chosen, weights that sum to 1."""

    def __init__(self, candidates: Candidates, far: Matrix, weights: Vector, base: Vector) -> None:
        """Distances [m, c], weights [m], and the distance [m] beyond which no target needs to go (the source's)."""
        used = weights > 0
        self.candidates = candidates
        self.cost = np.minimum(far[used], base[used, None]) * weights[used, None]

    def upper(self, start: NDArray[np.intp]) -> float:
        return 1.0 - relax(self.cost, self.candidates, start, _QUICK).bound

    def solve(self, start: NDArray[np.intp], clock: EffortMeter) -> Solution:
        dual = relax(self.cost, self.candidates, start)
        out, inside = fix_candidates(dual, self.candidates, dual.cost)
        core = self.candidates.without(out, inside)
        cost = self.cost[:, ~out]
        levels = _Levels(cost, core)
        if levels.count > _LARGEST:
            return Solution(dual.best, 1.0 - dual.bound, True)
        answer = levels.program().solve(clock.remaining())
        clock.spend(answer.nodes)
        bound = max(
            dual.bound, min(dual.cost, levels.least - answer.bound)
        )  # what was fixed out costs more than the best known
        best = dual.best
        if answer.chosen is not None:
            rival = np.flatnonzero(~out)[answer.chosen]
            best = min(best, rival, key=lambda chosen: service_cost(self.cost, chosen))
        return Solution(best, 1.0 - bound, answer.optimal)


class _Levels:
    """The costs of every target in ascending order, as far as a best set may need them."""

    def __init__(self, cost: Matrix, candidates: Candidates) -> None:
        self.candidates = candidates
        self.order = np.argsort(cost, axis=1, kind="stable")  # [m, c]
        self.cost = np.take_along_axis(cost, self.order, axis=1)
        last = np.full(len(cost), len(candidates) - candidates.k)  # one of the c - k + 1 nearest is always chosen
        if candidates.pinned.any():
            nearest = cost[:, candidates.pinned].min(axis=1)
            last = np.minimum(last, (self.cost < nearest[:, None]).sum(axis=1))
        self.least = float(self.cost[:, 0].sum())  # Σ_t D_t1
        rises = np.diff(self.cost, axis=1) > _SAME  # [m, c - 1]
        self.target, self.place = np.nonzero(rises & (np.arange(cost.shape[1] - 1) < last[:, None]))  # two of [levels]

    @property
    def count(self) -> int:
        return len(self.target)

    def program(self) -> Program:
        """Minimize Σ_tr (D_t,r+1 - D_tr) z_tr where z_tr + the candidates at D_tr ≥ z_t,r-1 (at first: ≥ 1)."""
        program = Program(self.candidates)
        step = self.cost[self.target, self.place + 1] - self.cost[self.target, self.place]
        z = program.variables(-step)
        first = np.ones(self.count, dtype=bool)
        first[1:] = self.target[1:] != self.target[:-1]
        before = np.where(first, -1, np.concatenate([[-1], self.place[:-1]]))  # place of the level before
        width = self.place - before
        row = np.repeat(np.arange(self.count), width)
        offset = np.arange(width.sum()) - np.repeat(np.cumsum(width) - width, width)
        at_level = self.order[self.target[row], before[row] + 1 + offset]
        follows = np.flatnonzero(~first)
        columns = np.concatenate([z, at_level, z[follows - 1]])
        rows = np.concatenate([np.arange(self.count), row, follows])
        values = np.concatenate([np.ones(self.count + len(row)), -np.ones(len(follows))])
        matrix = csr_array((values, (rows, columns)), shape=(self.count, program.width))
        program.rows(matrix, np.arange(program.width), first.astype(np.float64), np.inf)
        return program


_STEPS = 600  # of the subgradient method
_PATIENCE = 15  # steps without a better bound before the step is halved
_SMALLEST = 1e-4  # the step at which it ends, as a share of Polyak's
_KEPT = 3  # candidates kept per target, times c / k: multipliers stay below the cost of the last of them
_FEWEST = 48  # kept at least
_EXACT = 1e-9  # relative gap at which bound and value are one


@dataclass(frozen=True)
class Dual:
    """Results of the Lagrangian relaxation."""

    bound: float  # no allowed set costs less
    reduced: Vector  # [c], ρ at that bound
    best: NDArray[np.intp]  # [k], the cheapest allowed set met, places among the candidates
    cost: float  # of that set


def service_cost(cost: Matrix, chosen: Sequence[int] | NDArray[np.intp]) -> float:
    """Cost of the set `chosen`: every target is served by its cheapest member. `cost` is [m, c]."""
    return float(cost[:, chosen].min(axis=1).sum())


def relax(cost: Matrix, candidates: Candidates, start: NDArray[np.intp], steps: int = _STEPS) -> Dual:
    """Subgradient ascent of L from the multipliers that `start` [k] suggests."""
    near = _NearestCandidates.of(cost, candidates.k)
    limits = candidates.limits
    u = np.minimum(_first_multipliers(cost, start), near.last)
    v = np.zeros(len(limits.most))
    best, value = start, service_cost(cost, start)
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
        if limits.hold(chosen.tolist()) and (rival := service_cost(cost, chosen)) < value:
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


def fix_candidates(dual: Dual, candidates: Candidates, cost: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Candidates [c] that no set cheaper than `cost` has, and candidates [c] that every such set has.

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
class _NearestCandidates:
    """The q nearest candidates of every target; multipliers below the cost of the last one depend on no others."""

    place: NDArray[np.intp]  # [m, q]
    cost: Matrix  # [m, q]
    last: Vector  # [m]
    width: int  # c

    @classmethod
    def of(cls, cost: Matrix, k: int) -> _NearestCandidates:
        c = cost.shape[1]
        q = min(c, max(_FEWEST, _KEPT * c // k))
        place = np.argpartition(cost, q - 1, axis=1)[:, :q] if q < c else np.broadcast_to(np.arange(c), cost.shape)
        near = np.take_along_axis(cost, place, axis=1)
        return cls(place, near, near.max(axis=1), c)

    def reduced(self, u: Vector) -> Vector:
        """Reduced costs Σ_t min(0, C_ti - u_t) of all candidates [c], for multipliers `u` [m]."""
        less = np.minimum(self.cost - u[:, None], 0.0)
        return np.asarray(np.bincount(self.place.ravel(), less.ravel(), self.width), dtype=np.float64)


def _first_multipliers(cost: Matrix, start: NDArray[np.intp]) -> Vector:
    """Multipliers between the nearest and second nearest member of a good set, where the best ones usually are."""
    if len(start) < 2:
        return cost[:, start].min(axis=1)
    two = np.partition(cost[:, start], 1, axis=1)[:, :2]
    return np.asarray(two.mean(axis=1))
