"""From whom each target learns: a matrix of transfer, estimated from the scores of single targets. Pure.

Notations
    N, B     measurements, subsets asked about
    n, t     languages of the pool, targets
    X        who is in a subset [N, n], 0 or 1
    C        scores of the targets of a run less their mean over targets [N, t], in standard deviations
    R        how alike target and language are under one metric [t, n];  β its weight
    A        what a target gains from a member: Σ β R + D [t, n]
    m(S)     log(1 + Σ_{i ∈ S} exp(p A_ti)) / p [t]: who helps most counts most, and nobody is 0
β, D and the targets' levels b minimize ½ Σ (m − mean m + b − C)² + λ/2 Σ D² + λ_β/2 Σ β², by Newton's method with
the second derivative that Gauss has for small residuals. The contrasts C leave out what all targets of a run share, its
mean and the luck of its seed: this estimate and the regression on the means, of which the mean of m is then a feature,
see different parts of the same measurements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHARPNESS = 2.0  # p
OWN = 0.5  # λ
SIMILARITY = 0.1  # λ_β
STEPS = 10  # of Newton's method, each by conjugate gradients


@dataclass(frozen=True)
class Donors:
    """The estimate; called with subsets X [B, n] it is the mean gain over the targets [B, 1]."""

    A: Array  # [t, n]
    share: Array  # weights of the targets, with sum 1 [t]

    def __call__(self, X: Array) -> Array:
        return np.asarray(np.log1p(X @ self._reach) / SHARPNESS @ self.share)[:, None]

    @cached_property
    def _reach(self) -> Array:
        """exp(p A), [n, t]."""
        return np.exp(SHARPNESS * self.A.T)


def donors(X: Array, Y: Array, share: Array, near: Sequence[Array]) -> Donors | None:
    """From the scores Y [N, t] of subsets X [N, n] and the similarities `near` [t, n]. Deterministic.

    None where the targets of a run do not differ by more than their level, so that there is nothing to learn.
    """
    C = Y - (Y @ share)[:, None]
    spread = float((C - C.mean(axis=0)).std())
    if spread < 1e-9:
        return None
    task = LeastSquares(X, C / spread, share, near)
    return Donors(task.matrix(task.solve()), share)


class LeastSquares:
    """The loss over θ = (β, D, b), [metrics + t n + t]."""

    def __init__(self, X: Array, C: Array, share: Array, near: Sequence[Array]) -> None:
        self.X, self.C, self.share = X, C, share
        self.shape = len(share), X.shape[1]
        self.known = np.stack(near).reshape(len(near), -1) if near else np.zeros((0, len(share) * X.shape[1]))
        self.ends = len(near), len(near) + self.known.shape[1]
        self.start = np.concatenate([np.full(len(near), 0.1), np.zeros(self.known.shape[1]), C.mean(axis=0)])
        self.prior = np.repeat([SIMILARITY, OWN, 0.0], [len(near), self.known.shape[1], len(share)])
        self._last: tuple[bytes, Array, Array] = b"", X, X

    def solve(self) -> Array:
        """θ of a loss near the least."""
        from scipy.optimize import minimize  # takes a third of a second: imported only to fit

        options = {"maxiter": STEPS}
        found = minimize(self.loss, self.start, jac=True, hessp=self.bend, method="Newton-CG", options=options)
        return np.asarray(found.x)

    def matrix(self, theta: Array) -> Array:
        """A, or by how much it changes along θ, [t, n]."""
        beta, own, _ = np.split(theta, self.ends)
        return np.asarray((beta @ self.known + own).reshape(self.shape))

    def loss(self, theta: Array) -> tuple[float, Array]:
        """The loss and its gradient."""
        _, whole = self._at(theta)
        rest = self._contrast(np.log(whole) / SHARPNESS, theta) - self.C
        value = 0.5 * ((rest**2).sum() + theta @ (self.prior * theta))
        return float(value), self._back(rest, theta) + self.prior * theta

    def bend(self, theta: Array, along: Array) -> Array:
        """The second derivative at `theta` times `along`, as it is where residuals are small: never negative."""
        E, whole = self._at(theta)
        change = self._contrast(self.X @ (self.matrix(along) * E).T / whole, along)
        return self._back(change, theta) + self.prior * along

    def _at(self, theta: Array) -> tuple[Array, Array]:
        """exp(p A) [t, n] and 1 + Σ_{i ∈ S} exp(p A_ti) [N, t]."""
        if self._last[0] != (key := theta.tobytes()):
            E = np.exp(SHARPNESS * self.matrix(theta))
            self._last = key, E, 1.0 + self.X @ E.T
        return self._last[1:]

    def _contrast(self, m: Array, theta: Array) -> Array:
        """m less its mean over targets, and the levels b of `theta`, [N, t]."""
        return np.asarray(m - (m @ self.share)[:, None] + np.split(theta, self.ends)[2])

    def _back(self, rest: Array, theta: Array) -> Array:
        """The derivative of the contrasts by θ, transposed, times `rest` [N, t]."""
        E, whole = self._at(theta)
        slope = (((rest - np.outer(rest.sum(axis=1), self.share)) / whole).T @ self.X * E).ravel()
        return np.concatenate([self.known @ slope, slope, rest.sum(axis=0)])
