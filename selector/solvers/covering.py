"""Exact k-center and maximum coverage by covering programs; k-center by bisection over the distances that occur.

Notations

    B  [m, c] whether candidate i covers target t: their distance is at most the radius

A target needs no row if every candidate that covers some other target covers it too. A candidate needs no column if
another one covers all its targets, as long as no limit tells the two apart (Toregas and ReVelle 1973). Linear
programming first, integers only where it does not decide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from selector.solvers.program import Candidates, EffortMeter, Matrix, Method, Program, Solution, Vector

Table = NDArray[np.bool_]


class Center(Method):
    """1 less the largest distance of a target to the nearest chosen."""

    def __init__(self, candidates: Candidates, far: Matrix, base: Vector) -> None:
        """Distances [m, c], and those of the source where it counts as chosen [m]."""
        self.candidates = candidates
        self.far = np.minimum(far, base[:, None])
        self.radii = np.unique(self.far)

    def upper(self, start: NDArray[np.intp]) -> float:
        return 1.0 - float(self.radii[self._relax(self._place(start))])

    def solve(self, start: NDArray[np.intp], clock: EffortMeter) -> Solution:
        """Bisect between the radius that linear programming allows and that of `start`.

        Radii that `clock` leaves no effort to decide count as possible in the bound.
        """
        high = self._place(start)
        low = impossible = self._relax(high)  # every radius before `impossible` is proven impossible
        best, done = start, True
        while low < high:
            middle = (low + high) // 2
            if clock.over:
                done = False
                break
            possible, chosen = Cover(self.far <= self.radii[middle], self.candidates).decide(clock)
            if chosen is not None:
                best, high = chosen, middle
            else:
                low = middle + 1
                done = done and possible is False
                impossible = low if done else impossible
        return Solution(best, 1.0 - float(self.radii[impossible]), done)

    def _place(self, chosen: NDArray[np.intp]) -> int:
        """Index of the radius that the set `chosen` needs."""
        return int(np.searchsorted(self.radii, self.far[:, chosen].min(axis=1).max()))

    def _relax(self, high: int) -> int:
        """Index of the first radius that linear programming cannot exclude."""
        low = 0
        while low < high:
            middle = (low + high) // 2
            if Cover(self.far <= self.radii[middle], self.candidates).is_infeasible():
                low = middle + 1
            else:
                high = middle
        return low


class Cover:
    """Search for k candidates that cover every target."""

    def __init__(self, covers: Table, candidates: Candidates) -> None:
        """`covers` [m, c]. Pinned candidates are taken first; without limits, useless candidates are left out."""
        self.all = candidates
        pinned = candidates.pinned
        rows = covers[~covers[:, pinned].any(axis=1)]
        keep = np.ones(len(candidates), dtype=bool)
        if not candidates.limits:
            keep = ~pinned
        for _ in range(3):  # each reduction may allow another
            rows = _reduce_rows(rows)
            if candidates.limits or len(rows) == 0:
                break
            keep[np.flatnonzero(keep)] = _reduce_columns(rows[:, keep])
        self.rows, self.keep = rows[:, keep], keep
        left = candidates.k if candidates.limits else candidates.k - int(pinned.sum())
        self.wanted = min(left, int(keep.sum()))

    def is_infeasible(self) -> bool:
        """True if linear programming proves that no such candidates exist."""
        trivial = self._trivial()
        return not trivial if trivial is not None else self._program().relax().bound == -np.inf

    def decide(self, clock: EffortMeter) -> tuple[bool | None, NDArray[np.intp] | None]:
        """Decide if such candidates exist (None: undecided within the effort of `clock`), and return them."""
        trivial = self._trivial()
        if trivial is not None:
            return trivial, self._fill(np.zeros(0, dtype=np.intp)) if trivial else None
        answer = self._program().solve(clock.remaining())
        clock.spend(answer.nodes)
        if answer.chosen is not None:
            return True, self._fill(np.flatnonzero(self.keep)[answer.chosen])
        return (False if answer.optimal else None), None

    def _trivial(self) -> bool | None:
        """The answer where no program is needed."""
        if not self.rows.any(axis=1).all():
            return False
        if self.all.limits:
            return None
        if len(self.rows) == 0:
            return True
        return False if self.wanted == 0 else None

    def _program(self) -> Program:
        fewer = self.all.without(~self.keep)
        program = Program(Candidates(fewer.index, fewer.pinned, self.wanted, fewer.limits))
        program.rows(csr_array(self.rows.astype(np.float64)), np.arange(self.rows.shape[1]), 1.0, np.inf)
        return program

    def _fill(self, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
        """`chosen`, the pinned, and the first others up to k: to cover more does no harm."""
        first = np.zeros(len(self.all))
        first[chosen] = 1.0
        return self.all.most(first)


def _reduce_rows(covers: Table) -> Table:
    """Rows of `covers` that are needed: the others are covered by every candidate that covers some other row."""
    rows = np.unique(covers, axis=0)
    shared = rows.astype(np.float32) @ rows.T.astype(np.float32)
    holds = shared >= rows.sum(axis=1)[None, :]  # [a, b]: a holds b
    np.fill_diagonal(holds, False)
    return rows[~holds.any(axis=1)]


def _reduce_columns(covers: Table) -> Table:
    """Mask [c] of the needed columns: no other one covers at least the same targets; of equal columns the first."""
    shared = covers.T.astype(np.float32) @ covers.astype(np.float32)
    within = shared >= covers.sum(axis=0)[:, None]  # [a, b]: a is within b
    place = np.arange(len(within))
    needless = within & (~within.T | (place[None, :] < place[:, None]))
    np.fill_diagonal(needless, False)
    return np.asarray(~needless.any(axis=1))


class MaximumCoverage(Method):
    """Weight of the targets within the radius of the chosen (Church and ReVelle 1974)."""

    def __init__(self, candidates: Candidates, covers: Table, weights: Vector, by_source: Table) -> None:
        """`covers` [m, c], weights [m], and which targets the source covers [m]."""
        sure = by_source | covers[:, candidates.pinned].any(axis=1)
        left = ~sure & covers.any(axis=1)
        rows, place = np.unique(covers[left], axis=0, return_inverse=True)
        self.candidates = candidates
        self.sure = float(weights[sure].sum())
        self.rows = rows
        self.weights: Vector = np.bincount(place.ravel(), weights[left], len(rows)).astype(np.float64)

    def upper(self, start: NDArray[np.intp]) -> float:
        return self.sure + self._program().relax().bound if len(self.rows) else self.sure

    def solve(self, start: NDArray[np.intp], clock: EffortMeter) -> Solution:
        if not len(self.rows):
            return Solution(start, self.sure, True)
        answer = self._program().solve(clock.remaining())
        clock.spend(answer.nodes)
        chosen = start if answer.chosen is None else answer.chosen
        return Solution(chosen, self.sure + min(answer.bound, float(self.weights.sum())), answer.optimal)

    def _program(self) -> Program:
        program = Program(self.candidates)
        covered = program.variables(self.weights)
        links = np.concatenate([self.rows, -np.eye(len(covered))], axis=1)
        columns = np.concatenate([np.arange(len(self.candidates)), covered])
        program.rows(csr_array(links), columns, 0.0, np.inf)
        return program
