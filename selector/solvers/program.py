"""Mixed-integer linear programs through SciPy's HiGHS, with its output to the terminal silenced.

Notations

    y  [c] 0 or 1: whether each of the c candidates is chosen; the first variables of every program
    z  whatever else a formulation needs; continuous, and whole by itself where y is

All programs are maximized. HiGHS (Huangfu and Hall 2018) is deterministic: a limit on the gap or on nodes stops it at
the same place on every machine; a limit on seconds does not.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, vstack

from selector.solvers.limits import Limits

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

PROVEN = 1e-6  # relative: what HiGHS's tolerances leave between a value and a bound that are the same
_ROUNDING = 1e-12  # absolute: what floating point leaves
_SCALE = 10.0  # the largest coefficient of an objective as HiGHS sees it; its absolute gap of 1e-6 cannot be set
_INFEASIBLE = 2  # status of scipy.optimize.milp
_STDOUT = threading.RLock()  # descriptor 1 belongs to the whole process


def reaches_bound(value: float, bound: float) -> bool:
    """True if `value` reaches `bound` within HiGHS's tolerances."""
    return bound - value <= PROVEN * abs(value) + _ROUNDING


@dataclass(frozen=True)
class Effort:
    """When to stop: a proven relative gap, a number of branch-and-bound nodes, and as the last resort seconds."""

    gap: float = 0.0
    nodes: int = 20_000
    seconds: float = 60.0


@dataclass(frozen=True)
class Candidates:
    """The sets that may be chosen: exactly k members, every pinned one among them, within the limits."""

    index: NDArray[np.intp]  # [c], ascending places in the frame
    pinned: NDArray[np.bool_]  # [c]
    k: int
    limits: Limits  # over the candidates, [m, c]

    @classmethod
    def of(cls, k: int, pinned: Sequence[int], free: Sequence[int], limits: Limits) -> Candidates:
        """Candidates from indices into a frame: `pinned` and `free` ones; `limits` are over that frame."""
        index = np.array(sorted({*pinned, *free}), dtype=np.intp)
        own = Limits(limits.weights[:, index], limits.most, limits.names)
        return cls(index, np.isin(index, list(pinned)), k, own)

    def __len__(self) -> int:
        return len(self.index)

    def without(self, out: NDArray[np.bool_], pinned: NDArray[np.bool_] | None = None) -> Candidates:
        """Copy without the candidates `out` [c], and with `pinned` [c] as the pinned ones.

        Indices stay those of the frame.
        """
        more = self.pinned if pinned is None else self.pinned | pinned
        limits = Limits(self.limits.weights[:, ~out], self.limits.most, self.limits.names)
        return Candidates(self.index[~out], more[~out], self.k, limits)

    def most(self, gain: Vector) -> NDArray[np.intp]:
        """Pinned candidates and those of most `gain` [c], k in all, whatever the limits; of equals the first."""
        order = np.argsort(np.where(self.pinned, -np.inf, -gain), kind="stable")
        return np.sort(order[: self.k])


@dataclass(frozen=True)
class ProgramAnswer:
    """Answer of HiGHS: indices of the chosen candidates (None: none found) and an upper bound on the objective."""

    chosen: NDArray[np.intp] | None  # [k], among the candidates
    bound: float  # minus infinity: proven infeasible; infinity: nothing is known
    optimal: bool
    nodes: int


@dataclass(frozen=True)
class Relaxed:
    """Linear relaxation: its value, and the least cost of moving each variable by 1 from its bound [v]."""

    bound: float  # minus infinity: infeasible; infinity: not solved in time
    raising: Vector  # from the lower bound, not negative
    lowering: Vector  # from the upper bound, not negative


@dataclass(frozen=True)
class Solution:
    """Answer of a method: indices among the candidates, and a value that no allowed set exceeds."""

    chosen: NDArray[np.intp]  # [k]
    bound: float
    done: bool  # the method came to its own end; False: the effort was spent


class Method(ABC):
    """One objective as a mathematical program, with an exact solution and a cheap bound. Maximized."""

    @abstractmethod
    def solve(self, start: NDArray[np.intp], clock: EffortMeter) -> Solution:
        """Best set, or the best that the effort of `clock` finds, from a good set `start` [k]."""

    @abstractmethod
    def upper(self, start: NDArray[np.intp]) -> float:
        """Upper bound that takes about a second, with the help of a good set `start` [k]."""


class EffortMeter:
    """The rest of an effort, while one solver calls another."""

    def __init__(self, effort: Effort) -> None:
        self.effort = effort
        self.nodes = 0
        self._end = time.monotonic() + effort.seconds

    def spend(self, nodes: int) -> None:
        self.nodes += nodes

    @property
    def over(self) -> bool:
        return self.nodes >= self.effort.nodes or time.monotonic() >= self._end

    def enough(self, value: float, bound: float) -> bool:
        """True if `value` and `bound` prove the gap that was asked for."""
        return reaches_bound(value, bound) or bound - value <= self.effort.gap * abs(bound)

    def remaining(self) -> Effort:
        """Effort that remains, at least one node and a moment."""
        seconds = max(0.05, self._end - time.monotonic())
        return Effort(self.effort.gap, max(1, self.effort.nodes - self.nodes), seconds)


class Program:
    """A program under construction: candidates first, then the `variables` and `rows` that a formulation adds."""

    def __init__(self, candidates: Candidates, gain: Vector | None = None) -> None:
        """`gain` [c] is what each candidate adds to the objective by itself."""
        c = len(candidates.index)
        self.candidates = candidates
        self.width = self.height = 0
        self._gain: list[Vector] = []
        self._lower: list[Vector] = []
        self._upper: list[Vector] = []
        self._entries: list[tuple[Vector, NDArray[np.intp], NDArray[np.intp]]] = []  # value, row, column
        self._least: list[Vector] = []
        self._most: list[Vector] = []
        y = self.variables(np.zeros(c) if gain is None else gain, candidates.pinned.astype(np.float64))
        self.rows(np.ones((1, c)), y, candidates.k, candidates.k)
        if candidates.limits:
            self.rows(candidates.limits.weights, y, -np.inf, candidates.limits.most)

    def variables(self, gain: Vector, lower: float | Vector = 0.0, upper: float | Vector = 1.0) -> NDArray[np.intp]:
        """Add variables with gains `gain` [v] between `lower` and `upper`, and return their column numbers [v]."""
        self._gain.append(np.asarray(gain, dtype=np.float64))
        self._lower.append(np.broadcast_to(lower, len(gain)))
        self._upper.append(np.broadcast_to(upper, len(gain)))
        self.width += len(gain)
        return np.arange(self.width - len(gain), self.width)

    def rows(
        self, matrix: Matrix | csr_array, columns: NDArray[np.intp], least: float | Vector, most: float | Vector
    ) -> None:
        """Add rows `least` ≤ `matrix` [r, v] · (the variables of `columns`) ≤ `most`."""
        block = coo_array(matrix)
        row, column = block.coords
        self._entries.append((block.data, row + self.height, columns[column]))
        self._least.append(np.broadcast_to(least, block.shape[0]))
        self._most.append(np.broadcast_to(most, block.shape[0]))
        self.height += block.shape[0]

    def solve(self, effort: Effort) -> ProgramAnswer:
        """Best candidates and an upper bound, within `effort`."""
        from scipy.optimize import Bounds, LinearConstraint, milp  # takes a quarter of a second: imported only to solve

        gain, scale = self._objective()
        c = len(self.candidates)
        with quiet():
            found = milp(
                -scale * gain,
                integrality=np.arange(self.width) < c,
                bounds=Bounds(*self._ranges()),
                constraints=LinearConstraint(*self._constraints()),
                options={"mip_rel_gap": effort.gap, "node_limit": effort.nodes, "time_limit": effort.seconds},
            )
        nodes = int(found.get("mip_node_count") or 0)
        if found.status == _INFEASIBLE:
            return ProgramAnswer(None, -np.inf, True, nodes)
        below = found.get("mip_dual_bound")
        bound = np.inf if below is None else -float(below) / scale
        chosen = None if found.x is None else np.flatnonzero(found.x[:c] > 0.5)
        return ProgramAnswer(chosen, bound, found.status == 0, nodes)

    def relax(self, seconds: float = 60.0) -> Relaxed:
        """Linear relaxation, in which every variable is continuous, within `seconds`."""
        from scipy.optimize import linprog

        gain, scale = self._objective()
        matrix, least, most = self._constraints()
        equal, above, below = least == most, (least != most) & np.isfinite(least), (least != most) & np.isfinite(most)
        with quiet():
            found = linprog(
                -scale * gain,
                A_eq=matrix[equal],
                b_eq=most[equal],
                A_ub=vstack([matrix[below], -matrix[above]], format="csr"),
                b_ub=np.concatenate([most[below], -least[above]]),
                bounds=np.stack(self._ranges(), axis=1),
                method="highs",
                options={"time_limit": seconds},
            )
        if found.status == _INFEASIBLE:
            return Relaxed(-np.inf, np.zeros(self.width), np.zeros(self.width))
        if found.status != 0:
            return Relaxed(np.inf, np.zeros(self.width), np.zeros(self.width))
        return Relaxed(-found.fun / scale, found.lower.marginals / scale, -found.upper.marginals / scale)

    def fix(self, relaxed: Relaxed, value: float, columns: NDArray[np.intp]) -> None:
        """Fix each variable whose reduced cost shows that no solution better than `value` moves it from its bound.

        `columns` are those that are 0 or 1 in a best solution: candidates, and variables that are whole where
        candidates are.
        """
        lower, upper = self._ranges()
        spare = relaxed.bound - value + PROVEN * abs(value)  # a tolerance, since rounding must not fix one too many
        unit = np.isin(np.arange(self.width), columns)
        low, high = unit & (relaxed.raising > spare), unit & (relaxed.lowering > spare)
        self._lower, self._upper = [np.where(high, upper, lower)], [np.where(low, lower, upper)]

    def _objective(self) -> tuple[Vector, float]:
        gain = np.concatenate(self._gain)
        return gain, _SCALE / max(float(np.abs(gain).max()), 1e-300)

    def _ranges(self) -> tuple[Vector, Vector]:
        return np.concatenate(self._lower), np.concatenate(self._upper)

    def _constraints(self) -> tuple[csr_array, Vector, Vector]:
        value, row, column = (np.concatenate(part) for part in zip(*self._entries, strict=True))
        matrix = csr_array((value, (row, column)), shape=(self.height, self.width))
        return matrix, np.concatenate(self._least), np.concatenate(self._most)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence descriptor 1 inside the block: HiGHS prints to it from C++ even when told not to.

    One thread at a time.
    """
    with _STDOUT:
        if sys.stdout is not None:
            sys.stdout.flush()
        try:
            kept = os.dup(1)
        except OSError:  # a process without standard output has nothing to keep clean
            yield
            return
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.close(nowhere)
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)
