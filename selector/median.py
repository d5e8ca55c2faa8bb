"""Facility location proven best: a Lagrangian bound, what it fixes, and HiGHS on the candidates that are left.

Notations
    C  what it costs to serve target t from candidate i [m, c], the weight of the target times its distance; minimized
    D  the different costs of one target in ascending order
    z  z_tr = 1 where no chosen candidate serves t at D_tr or less; then t costs D_t1 + Σ_r (D_t,r+1 - D_tr) z_tr

The formulation with z is that of Cornuéjols, Nemhauser and Wolsey 1980, with rows that differ from one level to the
next (Elloumi 2010); it has no variable for a pair of target and candidate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from selector.lagrange import fixed, relax, served
from selector.milp import Candidates, Clock, Found, Matrix, Method, Program, Vector

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

    def solve(self, start: NDArray[np.intp], clock: Clock) -> Found:
        dual = relax(self.cost, self.candidates, start)
        out, inside = fixed(dual, self.candidates, dual.cost)
        core = self.candidates.without(out, inside)
        cost = self.cost[:, ~out]
        levels = _Levels(cost, core)
        if levels.count > _LARGEST:
            return Found(dual.best, 1.0 - dual.bound, True)
        answer = levels.program().solve(clock.left())
        clock.spend(answer.nodes)
        bound = max(
            dual.bound, min(dual.cost, levels.least - answer.bound)
        )  # what was fixed out costs more than the best known
        best = dual.best
        if answer.chosen is not None:
            rival = np.flatnonzero(~out)[answer.chosen]
            best = min(best, rival, key=lambda chosen: served(self.cost, chosen))
        return Found(best, 1.0 - bound, answer.optimal)


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
