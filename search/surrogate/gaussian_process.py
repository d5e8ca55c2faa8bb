"""Gaussian process regression with a sum of kernels: weights by penalized restricted likelihood, then predictions.

Notations
    N, J     measurements, kernels
    K_j      kernels between the measurements [J, N, N];  w_j their weights;  r relative noise variances [N]
    K        Σ w_j K_j + σ² diag(r);  P = K⁻¹ − K⁻¹1 (1ᵀK⁻¹1)⁻¹ 1ᵀK⁻¹, which leaves out an unknown constant mean
(Rasmussen & Williams 2006, chapters 2 and 5; restricted likelihood: Patterson & Thompson 1971.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular

Array = NDArray[np.float64]

JITTER = 1e-6
RANGE = 6.0  # log weights stay this near to what is usual


@dataclass(frozen=True)
class Weights:
    kernels: Array  # [J]
    noise: float


def learn_weights(K: Array, y: Array, r: Array, usual: Weights, doubt: Array) -> Weights:
    """Weights of the kernels K [J, N, N], most plausible for y [N] (standardized). Deterministic.

    Each log weight is expected at its usual value, give or take `doubt` [J + 1], the last being the noise's.
    """
    from scipy.optimize import minimize  # takes a third of a second: imported only to fit

    N = len(y)
    ones = np.ones(N)
    middle = np.log(np.append(usual.kernels, usual.noise))
    stack = K.reshape(len(K), -1)

    def loss(theta: Array) -> tuple[float, Array]:
        w = np.exp(theta)
        whole = (w[:-1] @ stack).reshape(N, N)
        whole[np.diag_indices(N)] += w[-1] * r + JITTER
        L = np.linalg.cholesky(whole)
        inverse = cho_solve((L, True), np.eye(N), check_finite=False)
        u = inverse @ ones
        total = u.sum()
        P = inverse - np.outer(u, u) / total
        alpha = P @ y
        pull = (theta - middle) / doubt**2
        value = 0.5 * (y @ alpha) + np.log(np.diag(L)).sum() + 0.5 * np.log(total) + 0.5 * pull @ (theta - middle)
        M = P - np.outer(alpha, alpha)
        slope = np.append(stack @ M.ravel(), (np.diag(M) * r).sum())
        return float(value), 0.5 * w * slope + pull

    bounds = [(m - RANGE, m + RANGE) for m in middle]
    found = minimize(loss, middle, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60})
    w = np.exp(found.x)
    return Weights(w[:-1], float(w[-1]))


class Posterior:
    """Given measurements y [N] with covariance K [N, N] (noise included), and their mean, if it is known."""

    def __init__(self, K: Array, y: Array, constant: float | None = None) -> None:
        self.L = cho_factor(K + JITTER * np.eye(len(y)), lower=True)
        if constant is None:
            self.u = cho_solve(self.L, np.ones(len(y)))
            self.total = float(self.u.sum())
            self.constant = float(self.u @ y / self.total)
        else:
            self.u, self.total, self.constant = np.zeros(len(y)), np.inf, constant
        self.alpha = cho_solve(self.L, y - self.constant)

    def mean(self, k: Array) -> Array:
        """Posterior mean [B] at points with covariances `k` [B, N] to the measurements."""
        return np.asarray(self.constant + k @ self.alpha)

    def covariance(self, k: Array, own: Array, ones: Array) -> Array:
        """Posterior covariance [F, F] of linear functionals.

        `k` [F, N] and `own` [F, F] are their prior covariances with the measurements and with each other; `ones` [F]
        are the sums of their weights. The uncertainty of an unknown constant mean is in it.
        """
        v = solve_triangular(self.L[0], k.T, lower=True, check_finite=False)
        open_ = ones - k @ self.u  # what the unknown constant mean leaves uncertain
        return np.asarray(own - v.T @ v + np.outer(open_, open_) / self.total)

    def variance(self, k: Array, own: Array) -> Array:
        """Posterior variance [B] at points with prior variance `own` [B] and covariances `k` [B, N]."""
        v = solve_triangular(self.L[0], k.T, lower=True, check_finite=False)
        return np.maximum(own - np.einsum("nb,nb->b", v, v) + (1.0 - k @ self.u) ** 2 / self.total, 1e-12)
