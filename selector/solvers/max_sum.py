"""Max-sum proven best for any distances: a concave quadratic program, outer-approximated coordinate by coordinate.

Notations
    y    [c] whether each candidate is chosen, Σ y = k;  D distances [c, c];  s distances to the source [c]
    q    = ½ yᵀDy + sᵀy, to be maximized;  since y² = y also  ½ yᵀ(D - σI)y + (s + σ/2)ᵀy  for every σ
    σ    the largest eigenvalue of D among directions that keep Σ y and the pinned: with it q is concave (Hammer and
         Rubin 1970). 0 or less where D is of negative type, as cosine, Hamming and Euclidean distances are
    λ, V eigenvalues [e] and eigenvectors [c, e] of D - σI among those directions;  z = Vᵀ(y - ȳ)
    q    = q(ȳ) + ∇q(ȳ)ᵀ(y - ȳ) + ½ Σ_e λ_e z_e², each λ_e z_e² below any of its tangents (Hijazi, Bonami, Ouorou 2013)

ȳ is the continuous optimum, from pairwise Frank-Wolfe (Lacoste-Julien and Jaggi 2015): its gap is the cheap bound.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array, hstack

from selector.solvers.program import Candidates, EffortMeter, Matrix, Method, Program, ProgramAnswer, Solution, Vector

_STEPS = 3000  # of Frank-Wolfe
_EQUAL = 1e-9  # gradients nearer than this are equal: the continuous optimum is found
_FLAT = 1e-9  # eigenvalues above minus this bend nothing
_COORDINATES = 160  # coordinates that bend most; the others are left straight, which keeps a bound a bound
_LARGEST = 200_000  # entries of V up to which HiGHS is worth its time
_TANGENTS = (-1.5, -0.8, -0.4, -0.2, 0.0, 0.2, 0.4, 0.8, 1.5)  # where, in units of the coordinate's mean step √(k/c)
_ROUNDS = 30  # of HiGHS and new tangents


class Dispersion(Method):
    """Sum of the distances between the chosen, and to the source."""

    def __init__(self, candidates: Candidates, d: Matrix, source: Vector) -> None:
        """Distances [c, c] and to the source [c], zero where it does not count."""
        self.candidates, self.d, self.source = candidates, d.astype(np.float64), source
        self.free = np.flatnonzero(~candidates.pinned)
        basis = _keeping_sum(len(self.free))  # (free, free - 1)
        eigenvalue, vector = np.linalg.eigh(basis.T @ self.d[np.ix_(self.free, self.free)] @ basis)
        self.sigma = float(eigenvalue.max(initial=-np.inf)) if len(eigenvalue) else 0.0
        bent = eigenvalue - self.sigma
        order = np.argsort(bent, kind="stable")[:_COORDINATES]
        self.bend = bent[order][bent[order] < -_FLAT]  # (e,)
        self.v = np.zeros((len(candidates), len(self.bend)))
        self.v[self.free] = basis @ vector[:, order[: len(self.bend)]]
        self.curved = self.d.copy()
        self.curved[self.free, self.free] -= self.sigma
        self.linear = source + np.where(candidates.pinned, 0.0, self.sigma / 2)

    def value(self, chosen: NDArray[np.intp]) -> float:
        return float(self.d[np.ix_(chosen, chosen)].sum() / 2 + self.source[chosen].sum())

    def upper(self, start: NDArray[np.intp]) -> float:
        return min(self._continuous()[1], self._farthest())

    def solve(self, start: NDArray[np.intp], clock: EffortMeter) -> Solution:
        """Solve by HiGHS in rounds, each with new tangents at the last answer, until value and bound meet or `clock` is
        over.
        """
        y, bound = self._continuous()
        bound = min(bound, self._farthest())
        best, value = start, self.value(start)
        if self.v.size > _LARGEST or clock.enough(value, bound):
            return Solution(best, bound, True)
        touched = [step * np.sqrt(self.candidates.k / len(y)) * np.ones(len(self.bend)) for step in _TANGENTS]
        touched.append(self.v.T @ (_indicator(best, len(y)) - y))
        for _ in range(_ROUNDS):
            answer = self._answer(y, touched, value, clock)
            if answer.chosen is None:
                return Solution(best, max(value, min(bound, answer.bound)), answer.optimal)
            bound = max(value, min(bound, answer.bound))
            if (rival := self.value(answer.chosen)) > value:
                best, value = answer.chosen, rival
            if clock.enough(value, bound) or clock.over or not answer.optimal:
                break
            touched.append(self.v.T @ (_indicator(answer.chosen, len(y)) - y))
        return Solution(best, max(value, bound), answer.optimal and not clock.over)

    def _continuous(self) -> tuple[Vector, float]:
        """The continuous optimum ȳ as far as pairwise steps reach it, and the least upper bound on the way."""
        y = self.candidates.pinned.astype(np.float64)
        y[self.free] = (self.candidates.k - y.sum()) / max(1, len(self.free))
        slope = self.curved @ y + self.linear
        bound = np.inf
        for _ in range(_STEPS):
            height = float(y @ (slope + self.linear) / 2)  # q(y)
            bound = min(bound, height + float(slope[self.candidates.most(slope)].sum() - slope @ y))
            into, out, rise = self._pair(y, slope)
            if rise <= _EQUAL:
                break
            bend = self.curved[into, into] + self.curved[out, out] - 2 * self.curved[into, out]
            step = min(1.0 - y[into], y[out], -rise / bend if bend < 0 else np.inf)
            y[into], y[out] = y[into] + step, y[out] - step
            slope += step * (self.curved[:, into] - self.curved[:, out])
        return y, bound

    def _farthest(self) -> float:
        """Bound where every candidate has its k - 1 farthest beside it: met where distances are equal, as between
        families.
        """
        k = self.candidates.k
        share = np.partition(self.d, len(self.d) - k + 1 if k > 1 else 0, axis=1)
        reach = self.source + share[:, len(self.d) - k + 1 :].sum(axis=1) / 2  # (c,)
        return float(reach[self.candidates.most(reach)].sum())

    def _pair(self, y: Vector, slope: Vector) -> tuple[int, int, float]:
        """Steepest candidate with room to grow, flattest one that can shrink, and the rise between the two.

        Minus infinity where nothing can move, for example when all chosen candidates are pinned.
        """
        free = ~self.candidates.pinned
        growing = np.where(free & (y < 1.0 - _EQUAL), slope, -np.inf)
        giving = np.where(free & (y > _EQUAL), slope, np.inf)
        into, out = int(np.argmax(growing)), int(np.argmin(giving))
        return into, out, float(growing[into] - giving[out])

    def _answer(self, y: Vector, touched: list[Vector], value: float, clock: EffortMeter) -> ProgramAnswer:
        """Answer of HiGHS for the linear part, with every coordinate below all its tangents."""
        slope = self.curved @ y + self.linear
        constant = float(y @ (slope + self.linear) / 2 - slope @ y)
        program = Program(self.candidates, slope)
        chosen, e = np.arange(len(y)), len(self.bend)
        curve = program.variables(np.ones(e), -np.inf, 0.0)  # ½ λ z²
        z = program.variables(np.zeros(e), -np.inf, np.inf)
        program.rows(np.concatenate([self.v.T, -np.eye(e)], axis=1), np.concatenate([chosen, z]), *[self.v.T @ y] * 2)
        for at in touched:
            tangent = hstack([csr_array(np.eye(e)), diags_array(-self.bend * at)], format="csr")
            program.rows(tangent, np.concatenate([curve, z]), -np.inf, -self.bend * at**2 / 2)
        program.fix(program.relax(clock.remaining().seconds), value - constant, chosen)
        answer = program.solve(clock.remaining())
        clock.spend(answer.nodes)
        return ProgramAnswer(answer.chosen, answer.bound + constant, answer.optimal, answer.nodes)


def _keeping_sum(size: int) -> Matrix:
    """An orthonormal basis of the vectors that sum to 0 [size, size - 1]."""
    from scipy.linalg import helmert

    return helmert(size).T if size > 1 else np.zeros((size, 0))


def _indicator(chosen: NDArray[np.intp], size: int) -> Vector:
    y = np.zeros(size)
    y[chosen] = 1.0
    return y
