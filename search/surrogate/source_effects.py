"""From whom each target learns: a matrix of transfer, estimated from the scores of single targets. Pure.

Notations
    N, B     measurements, subsets asked about
    n, t     languages of the pool, targets
    X        who is in a subset [N, n], 0 or 1
    C        scores of the targets of a run less their mean over targets [N, t], in standard deviations
    R        how alike target and language are under one metric [t, n];  β its weight
    A        what a target gains from a member: Σ β R + D [t, n]
    m(S)     log(1 + Σ_{i ∈ S} exp(p A_ti)) / p [t]: who helps most counts most, and nobody is 0
β, D and the targets' levels b minimize ½ Σ (m − mean m + b − C)² + λ/2 Σ D² + λ_β/2 Σ β². The contrasts C leave out
what all targets of a run share, its mean and the luck of its seed: this estimate and the regression on the means, of
which the mean of m is then a feature, see different parts of the same measurements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]

SHARPNESS = 2.0  # p
OWN = 0.5  # λ
SIMILARITY = 0.1  # λ_β
STEPS = 80


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
    C = C / spread
    shape = len(share), X.shape[1]
    known = np.stack(near) if near else np.zeros((0, *shape))
    ends = len(known), len(known) + shape[0] * shape[1]

    def matrix(beta: Array, own: Array) -> Array:
        return np.asarray(np.tensordot(beta, known, 1) + own.reshape(shape))

    def loss(theta: Array) -> tuple[float, Array]:
        beta, own, level = np.split(theta, ends)
        E = np.exp(SHARPNESS * matrix(beta, own))
        whole = 1.0 + X @ E.T  # (N, t)
        m = np.log(whole) / SHARPNESS
        rest = m - (m @ share)[:, None] + level - C
        towards = (rest - np.outer(rest.sum(axis=1), share)) / whole
        slope = (towards.T @ X) * E  # (t, n)
        value = 0.5 * ((rest**2).sum() + OWN * own @ own + SIMILARITY * beta @ beta)
        of_beta = np.tensordot(known, slope, ((1, 2), (0, 1))) + SIMILARITY * beta
        return float(value), np.concatenate([of_beta, slope.ravel() + OWN * own, rest.sum(axis=0)])

    start = np.concatenate([np.full(len(known), 0.1), np.zeros(shape).ravel(), C.mean(axis=0)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS, "maxcor": 5})
    return Donors(matrix(*np.split(found.x, ends)[:2]), share)
