"""Exact max-min: independent sets by bisection over the distances that occur.

Notations

    r       a radius; possible where k candidates are pairwise at least r apart, and from the source
    edge    two candidates nearer than r: they exclude each other
    clique  candidates all joined by edges: at most one is chosen

A row for a clique is far tighter than rows for its edges (Padberg 1973). Linear programming first, integers only where
it does not decide.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from selector.solvers.program import Candidates, EffortMeter, Matrix, Method, Program, Solution, Vector

_LARGEST = 400  # candidates up to which programs are built; beyond, cliques are only counted
_NEAR = 0.02  # a cheap bound this near, relative, is left as it is

Table = NDArray[np.bool_]


class Packing(Method):
    """The smallest distance between any two chosen, source included where it counts; 0 where there is no pair."""

    def __init__(self, candidates: Candidates, d: Matrix, source: Vector | None) -> None:
        """Distances [c, c], and to the source [c]."""
        self.candidates, self.d = candidates, d.astype(np.float64)
        self.source = np.full(len(d), np.inf) if source is None else source
        pairs = self.d[np.triu_indices(len(d), 1)]
        self.radii = np.unique(np.concatenate([[0.0], pairs, self.source[np.isfinite(self.source)]]))
        self.pairless = candidates.k == 1 and source is None

    def value(self, chosen: NDArray[np.intp]) -> float:
        inside = self.d[np.ix_(chosen, chosen)][np.triu_indices(len(chosen), 1)]
        smallest = min(inside.min(initial=np.inf), self.source[chosen].min(initial=np.inf))
        return float(smallest) if np.isfinite(smallest) else 0.0

    def upper(self, start: NDArray[np.intp]) -> float:
        """Upper bound from counting cliques, and from linear programs only where that leaves much open.

        SciPy's optimizer is slow to load. `start` [k] is a good set.
        """
        if self.pairless:
            return 0.0
        low = self._place(start)
        counted = self._last_possible_radius(low)
        if self.radii[counted] - self.radii[low] <= _NEAR * self.radii[counted]:
            return float(self.radii[counted])
        return float(self.radii[self._relax(low, counted, every_edge=False)])

    def solve(self, start: NDArray[np.intp], clock: EffortMeter) -> Solution:
        """Bisect between the radius of `start` and the one that linear programming allows.

        Radii that `clock` leaves no effort to decide count as possible in the bound.
        """
        if self.pairless:
            return Solution(start, 0.0, True)
        low = self._place(start)
        possible = self._relax(
            low, self._last_possible_radius(low), every_edge=True
        )  # every radius beyond is proven impossible
        high = possible
        best, done = start, True
        while low < high and len(self.candidates) <= _LARGEST:
            if clock.over:
                return Solution(best, float(self.radii[possible]), False)
            middle = (low + high + 1) // 2
            found, decided = _Apart(self, middle).decide(clock)
            if found is not None:
                best, low = found, middle
            else:
                high = middle - 1
                done = done and decided
                possible = high if done else possible
        return Solution(best, float(self.radii[possible]), done)

    def _place(self, chosen: NDArray[np.intp]) -> int:
        """Index of the radius that the set `chosen` reaches."""
        return int(np.searchsorted(self.radii, self.value(chosen)))

    def _last_possible_radius(self, low: int) -> int:
        """The last radius that counting cliques cannot exclude, from a possible one."""
        return _last(low, len(self.radii) - 1, lambda middle: _Apart(self, middle).too_few())

    def _relax(self, low: int, high: int, every_edge: bool) -> int:
        """The last radius between two that linear programming cannot exclude either."""
        if len(self.candidates) > _LARGEST:
            return high
        return _last(low, high, lambda middle: _Apart(self, middle).is_infeasible(every_edge))


def _last(low: int, high: int, impossible: Callable[[int], bool]) -> int:
    """Last index not known to be `impossible`, by bisection."""
    while low < high:
        middle = (low + high + 1) // 2
        if impossible(middle):
            high = middle - 1
        else:
            low = middle
    return low


class _Apart:
    """Search for k candidates that are pairwise at least a radius apart."""

    def __init__(self, packing: Packing, place: int) -> None:
        radius, everyone = packing.radii[place], packing.candidates
        near = packing.d < radius
        np.fill_diagonal(near, False)
        self.keep = (packing.source >= radius) & ~near[everyone.pinned].any(axis=0)  # the pinned exclude their kin
        self.hopeless = bool((everyone.pinned & ~self.keep).any()) or int(self.keep.sum()) < everyone.k
        self.near = near[np.ix_(self.keep, self.keep)]
        self.candidates = everyone.without(~self.keep)

    def too_few(self) -> bool:
        """True if the candidates fall into fewer than k cliques."""
        return self.hopeless or len(cliques(self.near, None)) < self.candidates.k

    def is_infeasible(self, every_edge: bool) -> bool:
        """True if linear programming proves that no such candidates exist.

        With `every_edge` the cliques contain all edges: slower, and it excludes more.
        """
        return self.hopeless or self._program(every_edge).relax().bound == -np.inf

    def decide(self, clock: EffortMeter) -> tuple[NDArray[np.intp] | None, bool]:
        """Such k candidates or None, and whether that is certain, within the effort of `clock`."""
        if self.hopeless:
            return None, True
        answer = self._program(every_edge=True).solve(clock.remaining())
        clock.spend(answer.nodes)
        found = None if answer.chosen is None else np.flatnonzero(self.keep)[answer.chosen]
        return found, answer.optimal

    def _program(self, every_edge: bool) -> Program:
        program = Program(self.candidates)
        rows = cliques(self.near, every_edge)
        program.rows(csr_array(rows.astype(np.float64)), np.arange(len(self.candidates)), -np.inf, 1.0)
        return program


def cliques(near: Table, every_edge: bool | None) -> Table:
    """Cliques [q, c] of the graph `near` [c, c], grown greedily from the best connected nodes.

    `every_edge` True: until every edge is in one; False: until every node is in one; None: no node is in two.
    """
    left = near.copy() if every_edge else np.ones((len(near), 1), dtype=bool)  # what is still to be covered, by node
    found = []
    for node in np.argsort(-near.sum(axis=1), kind="stable").tolist():
        while left[node].any():
            members = _grow(near, left, node, disjoint=every_edge is None)
            left[np.ix_(members, members) if every_edge else members] = False
            found.append(np.isin(np.arange(len(near)), members))
    return np.array(found).reshape(-1, len(near))


def _grow(near: Table, left: Table, node: int, disjoint: bool) -> list[int]:
    """Clique around a node: add the common neighbour that covers most that is new, of equals the best connected."""
    members = [node]
    among = near[node] & left.any(axis=1) if disjoint else near[node].copy()
    by_node = left.shape[1] == 1
    while among.any():
        common = near[:, among].sum(axis=1)
        new = left[:, 0] if by_node else left[members].sum(axis=0)
        best = int(np.argmax(np.where(among, new * (len(near) + 1) + common, -1)))
        members.append(best)
        among &= near[best]
    return members
