"""The heat kernel between subsets of one size: diffusion on the Johnson graph, whose edges are exchanges of a language.

Notations
    n, k     languages of the pool, size of every subset
    d        exchanges between two subsets, k - |S ∩ T|, 0 to k
    j        degree: functions of j languages at a time, 0 to min(k, n - k)
    λ_j      j (n + 1 - j), the eigenvalue of the graph's Laplacian;  m_j = C(n, j) - C(n, j - 1), its multiplicity
    φ_j(d)   the spherical function of degree j, 1 at d = 0
    K(d)     Σ_j m_j exp(-β λ_j) φ_j(d) / Σ_j m_j exp(-β λ_j)
It is the heat kernel of Doumont et al. (2025, arXiv 2510.26633) on the k-subsets alone. GraphComBO (Liang et al. 2024,
arXiv 2405.15119) searches on this same graph where all nodes are connected, with diffusion near one subset; here the
kernel is that of the whole graph. (Spherical functions: Hahn polynomials; Delsarte 1973.)
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from search.surrogate.gaussian_process import JITTER, Posterior

Array = NDArray[np.float64]

NOISE = 0.2  # usual share of noise in what is measured
DOUBT = 1.0  # standard deviation of log β, log variance and log noise around what is usual
RANGE = 4.0  # they stay this near to it


@lru_cache(maxsize=8)
def spherical(n: int, k: int) -> Array:
    """φ_j(d), [1 + min(k, n - k), 1 + k]; NaN at distances that do not occur. Exact until it is rounded."""
    most = min(k, n - k)

    def term(j: int, d: int, i: int) -> Fraction:
        chosen = math.comb(j, i) * math.comb(n + 1 - j, i) * math.comb(d, i)
        return Fraction((-1) ** i * chosen, math.comb(k, i) * math.comb(n - k, i))

    found = np.full((most + 1, k + 1), np.nan)
    for j in range(most + 1):
        for d in range(most + 1):
            found[j, d] = float(sum(term(j, d, i) for i in range(min(j, d) + 1)))
    return found


def by_distance(n: int, k: int, rate: float) -> Array:
    """K(d) for every distance, [1 + k]; `rate` is β."""
    phi = spherical(n, k)
    degrees = range(len(phi))
    multiplicity = [math.comb(n, j) - (math.comb(n, j - 1) if j else 0) for j in degrees]
    logs = np.array([math.log(m) - rate * j * (n + 1 - j) for j, m in zip(degrees, multiplicity, strict=True)])
    weights = np.exp(logs - logs.max())
    return np.asarray(weights / weights.sum() @ phi)


class JohnsonProcess:
    """A Gaussian process with this kernel, whose rate, variance and noise are the most plausible ones (REML)."""

    def __init__(self, X: Array, y: Array) -> None:
        """Subsets X [N, n], all of one size, and their values y [N], standardized. ValueError: the sizes differ."""
        sizes = {int(size) for size in X.sum(axis=1)}
        if len(sizes) != 1:
            raise ValueError("the Johnson graph has subsets of one size")
        self.X, self.k, self.n = X, sizes.pop(), X.shape[1]
        apart = self._apart(X)
        usual = np.log([1.2 * math.log(self.n) / self.n, 1.0, NOISE])

        def loss(theta: Array) -> float:
            rate, variance, noise = np.exp(theta)
            K = variance * by_distance(self.n, self.k, rate)[apart] + (noise + JITTER) * np.eye(len(y))
            L = np.linalg.cholesky(K)
            whole = np.linalg.solve(L, np.stack([y, np.ones(len(y))], axis=1))
            total = whole[:, 1] @ whole[:, 1]
            fit = whole[:, 0] @ whole[:, 0] - (whole[:, 0] @ whole[:, 1]) ** 2 / total
            prior = ((theta - usual) ** 2).sum() / DOUBT**2
            return float(0.5 * (fit + np.log(total) + prior) + np.log(np.diag(L)).sum())

        bounds = [(middle - RANGE, middle + RANGE) for middle in usual]
        found = minimize(loss, usual, method="L-BFGS-B", bounds=bounds, options={"maxiter": 30})
        rate, self.variance, noise = (float(each) for each in np.exp(found.x))
        self.table = self.variance * by_distance(self.n, self.k, rate)
        self.posterior = Posterior(self.table[apart] + noise * np.eye(len(y)), y)

    def __call__(self, Z: Array) -> tuple[Array, Array]:
        """Mean [B] and standard deviation [B] of subsets Z [B, n] of that size."""
        k = self.table[self._apart(Z)]
        return self.posterior.mean(k), np.sqrt(self.posterior.variance(k, np.full(len(Z), self.variance)))

    def _apart(self, Z: Array) -> NDArray[np.intp]:
        return np.rint(self.k - Z @ self.X.T).astype(np.intp)
