"""A linear mixed model on a grid of subsets and targets, its scales found by marginal likelihood.

Notations
    L, T, p, J   subsets, targets, columns of the design, kernels between subsets
    y   [T, L]      what was measured; NaN where nothing was
    X   [T, L, p]   design; column i belongs to group g(i)
    M   [J, L, L]   kernels between the subsets
    r   [T]         how strongly each target responds
    v   [T, L]      variance of the measurements

    y_t = X_t β + u_t + e_t,   β_i ~ N(0, λ_g(i)),   u_t ~ N(0, r_t² Σ_j τ_j M_j),   e_t ~ N(0, s² v_t)

β is shared by all targets, u_t belongs to one. λ, τ and s² maximize the marginal likelihood of y under a wide prior on
their logarithms (type II maximum likelihood; Rasmussen & Williams 2006, section 5.4), by its analytic gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_UNSEEN = 1e8  # variance of what was not measured
_CENTRE, _WIDTH = -3.0, 4.0  # of the normal prior on the logarithm of each λ and τ
_FLOOR, _CEILING = -14.0, 6.0  # of those logarithms
_STEPS = 60


@dataclass(frozen=True)
class Measurements:
    """Measured gains with their design; shapes as in the Notations."""

    y: Array
    X: Array
    groups: NDArray[np.intp]  # [p], 0 to G - 1
    M: Array
    r: Array
    v: Array


@dataclass(frozen=True)
class Scales:
    """The variances: λ of the groups [G], τ of the kernels [J], and s² times which the given noise is real."""

    columns: Array
    kernels: Array
    noise: float


@dataclass(frozen=True)
class GainPosterior:
    """β and everything needed to predict u at new subsets."""

    scales: Scales
    mean: Array  # [p], of β
    covariance: Array  # [p, p], of β
    precision: Array  # [T, L, L], Σ_t⁻¹ where Σ_t is the covariance of u_t + e_t
    X: Array  # [T, L, p]
    y: Array  # [T, L], 0 where nothing was measured

    @cached_property
    def weights(self) -> Array:
        """Σ_t⁻¹ (y_t - X_t β), [T, L]: u at a new subset is its kernel to the measured ones times these."""
        return np.asarray(np.einsum("tlm,tm->tl", self.precision, self.y - self.X @ self.mean))


def fit(data: Measurements, scales: Scales | None = None) -> GainPosterior:
    """Posterior for `data` under `scales`; where None, under those that maximize the marginal likelihood."""
    chosen = maximize(data) if scales is None else scales
    parts = _solve(data, chosen)
    return GainPosterior(chosen, parts.mean, parts.covariance, parts.precision, data.X, parts.y)


def maximize(data: Measurements, start: Scales | None = None) -> Scales:
    """Scales of greatest marginal likelihood of `data` (times their prior), by L-BFGS from `start`. Deterministic."""
    from scipy.optimize import minimize  # takes a third of a second: imported only to fit

    count = int(data.groups.max()) + 1 + len(data.M)
    begin = np.append(np.full(count, -2.0), 0.0) if start is None else _logarithms(start)

    def negative(theta: Array) -> tuple[float, Array]:
        value, gradient = evidence(data, _scales(theta, len(data.M)))
        away = (theta[:-1] - _CENTRE) / _WIDTH
        gradient = gradient - np.append(away / _WIDTH, 0.0)
        return 0.5 * float(away @ away) - value, -gradient

    limits = [(_FLOOR, _CEILING)] * count + [(-3.0, _CEILING)]
    options = {"maxiter": _STEPS, "ftol": 1e-7}
    found = minimize(negative, begin, jac=True, method="L-BFGS-B", bounds=limits, options=options)
    return _scales(found.x, len(data.M))


def evidence(data: Measurements, scales: Scales) -> tuple[float, Array]:
    """Log marginal likelihood of `data` up to a constant, and its gradient by the logarithms of `scales`.

    The gradient [G + J + 1] is in the order columns, kernels, noise.
    """
    parts = _solve(data, scales)
    spread = np.square(parts.mean) + np.diag(parts.covariance)  # (p,)
    groups = np.arange(len(scales.columns))
    counts = np.bincount(data.groups, minlength=len(groups))
    columns = 0.5 * (np.bincount(data.groups, spread, minlength=len(groups)) / scales.columns - counts)
    residual = parts.y - data.X @ parts.mean
    alpha = np.einsum("tlm,tm->tl", parts.precision, residual)  # (T, L)
    across = parts.precision @ data.X  # (T, L, p)
    inverse = parts.precision - (across @ parts.covariance) @ across.transpose(0, 2, 1)  # blocks of K⁻¹, (T, L, L)
    slope = np.einsum("tl,tm->tlm", alpha, alpha) - inverse
    kernels = 0.5 * scales.kernels * np.einsum("t,tlm,jlm->j", data.r**2, slope, data.M, optimize=True)
    seen = np.where(np.isnan(data.y), 0.0, data.v)
    noise = 0.5 * scales.noise * np.einsum("tll,tl->", slope, seen)
    return parts.value, np.concatenate([columns, kernels, [noise]])


@dataclass(frozen=True)
class _Solution:
    value: float
    mean: Array
    covariance: Array
    precision: Array
    y: Array


def _solve(data: Measurements, scales: Scales) -> _Solution:
    """β by weighted least squares with its prior, after whitening each target by its own covariance."""
    missing = np.isnan(data.y)
    y = np.where(missing, 0.0, data.y)
    shared = np.einsum("j,jlm->lm", scales.kernels, data.M)
    sigma = data.r[:, None, None] ** 2 * shared  # (T, L, L)
    diagonal = np.arange(y.shape[1])
    sigma[:, diagonal, diagonal] += np.where(missing, _UNSEEN, scales.noise * data.v)
    root = np.linalg.cholesky(sigma)
    inverse_root = np.linalg.inv(root)
    X = (inverse_root @ data.X).reshape(-1, data.X.shape[2])  # (T L, p)
    white = np.einsum("tlm,tm->tl", inverse_root, y).ravel()
    size = np.sqrt(scales.columns[data.groups])  # (p,)
    inner = np.eye(len(size)) + size[:, None] * (X.T @ X) * size
    covariance = size[:, None] * np.linalg.inv(inner) * size
    mean = covariance @ (X.T @ white)
    log_sigma = 2.0 * np.log(np.diagonal(root, axis1=1, axis2=2))[~missing].sum()
    log_inner = float(np.linalg.slogdet(inner)[1])
    value = -0.5 * (log_sigma + log_inner + white @ white - (X.T @ white) @ mean)
    precision = inverse_root.transpose(0, 2, 1) @ inverse_root
    return _Solution(float(value), mean, covariance, precision, y)


def _scales(theta: Array, kernels: int) -> Scales:
    size = np.exp(theta)
    return Scales(size[: -1 - kernels], size[-1 - kernels : -1], float(size[-1]))


def _logarithms(scales: Scales) -> Array:
    return np.log(np.concatenate([scales.columns, scales.kernels, [scales.noise]]))
