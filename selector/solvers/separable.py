"""Sums over features of a concave function of how many of the chosen have the feature: Hamming max-sum and entropy.

Notations
    x    features of the candidates [c, f], 0, ½ (unknown) or 1
    c_f  = Σ_{i ∈ S} x_if, a multiple of the step h (1, or ½ where some x are ½)
    g    concave; Σ_f g(c_f) is maximized.  Hamming: g(c) = c (k - c) / f.  Entropy: g(c) = H(c / k) / f
    p    pieces, 0 ≤ p_fj ≤ 1:  c_f = h Σ_j p_fj,  g(c_f) = g(0) + Σ_j (g(jh) - g((j - 1) h)) p_fj

Concave pieces fill in their order by themselves, so only the candidates need to be whole numbers. Features that say the
same or the opposite of another are one feature of more weight (g is symmetric: g(c) = g(k - c)).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

from selector.solvers.program import Candidates, EffortMeter, Matrix, Method, Program, Solution, Vector


class Counts(Method):
    """Σ_f g(c_f) over the features, source included where it is given."""

    def __init__(
        self, candidates: Candidates, x: Matrix, g: Callable[[Vector], Vector], source: Vector | None = None
    ) -> None:
        """Features [c, f] and those of the source [f], which counts as one more chosen language."""
        self.candidates, self.g = candidates, g
        own = np.zeros(x.shape[1]) if source is None else source
        self.members = candidates.k + (source is not None)
        reference = x[0] > 0.5
        x, own = np.where(reference, 1.0 - x, x), np.where(reference, 1.0 - own, own)
        both, self.weights = np.unique(np.concatenate([x, own[None]]), axis=1, return_counts=True)
        self.x, self.own = both[:-1], both[-1] * (source is not None)  # [c, f'], [f']
        self.step = 1.0 if np.isin(both, (0.0, 1.0)).all() else 0.5

    def value(self, chosen: NDArray[np.intp]) -> float:
        return float(self.weights @ self.g(self.x[chosen].sum(axis=0) + self.own))

    def upper(self, start: NDArray[np.intp]) -> float:
        program, constant = self._program()
        return constant + program.relax().bound

    def solve(self, start: NDArray[np.intp], clock: EffortMeter) -> Solution:
        program, constant = self._program()
        relaxed = program.relax()
        value = self.value(start)
        if clock.enough(value, constant + relaxed.bound):
            return Solution(start, constant + relaxed.bound, True)
        program.fix(relaxed, value - constant, np.arange(program.width))
        answer = program.solve(clock.remaining())
        clock.spend(answer.nodes)
        chosen = start if answer.chosen is None else answer.chosen
        bound = max(value, constant + min(relaxed.bound, answer.bound))  # what was fixed out is worse than the start
        return Solution(chosen, bound, answer.optimal)

    def _program(self) -> tuple[Program, float]:
        """Pieces of every feature as far as k candidates can fill them; and the value of no candidate at all."""
        program = Program(self.candidates)
        top = np.sort(self.x, axis=0)[::-1][: self.candidates.k].sum(axis=0)  # (f',)
        pieces = np.rint(top / self.step).astype(np.intp)
        feature = np.repeat(np.arange(len(pieces)), pieces)
        level = np.arange(len(feature)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        below = self.own[feature] + self.step * level
        gain = self.weights[feature] * (self.g(below + self.step) - self.g(below))
        p = program.variables(gain)
        fill = csr_array((np.full(len(p), -self.step), (feature, np.arange(len(p)))), shape=(len(pieces), len(p)))
        columns = np.concatenate([np.arange(len(self.candidates)), p])
        program.rows(hstack([csr_array(self.x.T), fill], format="csr"), columns, 0.0, 0.0)
        return program, float(self.weights @ self.g(self.own))
