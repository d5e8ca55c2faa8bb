"""How far a model errs on its own lists, each left out in turn, and how wide intervals must be to hold such errors.

Notations
    H, T   lists, targets
    e   [H, T]      measured less predicted from all other lists; 0 where nothing was measured
    C   [H, T, T]   covariance of e by the model; 0 where nothing was measured
    w   [T]         weights of a mean over targets

The errors of block h of an exact leave-one-out are (K⁻¹)_hh⁻¹ (K⁻¹ y)_h, with covariance (K⁻¹)_hh⁻¹ (Rasmussen &
Williams 2006, section 5.4.2, for blocks). Scales and responses have seen the list all the same, and normal tails are
too thin: so an interval reaches as many standard deviations as held the wanted share of these errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from selector.transfer.mixed_model import Posterior

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LeftOut:
    """Errors on H lists; shapes as in the Notations."""

    error: Array
    covariance: Array

    @classmethod
    def of(cls, posterior: Posterior, measured: NDArray[np.bool_], lists: Sequence[int]) -> LeftOut:
        """Errors on the lists of those indices; `measured` [T, L] says which targets each list has."""
        targets = len(measured)
        error, covariance = np.zeros((len(lists), targets)), np.zeros((len(lists), targets, targets))
        across = posterior.precision @ posterior.X  # (T, L, p)
        for at, h in enumerate(lists):
            has = np.flatnonzero(measured[:, h])
            inside = np.diag(posterior.precision[has, h, h])
            inside = inside - across[has, h] @ posterior.covariance @ across[has, h].T
            own = np.linalg.inv(inside)
            error[at, has] = own @ posterior.weights[has, h]
            covariance[at][np.ix_(has, has)] = own
        return cls(error, covariance)

    def only(self, lists: Sequence[int]) -> LeftOut:
        """The errors on some of the lists, by their place here."""
        return LeftOut(self.error[lists], self.covariance[lists])

    def without(self, shift: Array) -> LeftOut:
        """The errors that are left once the predictions are shifted by that much [H, T]."""
        measured = np.diagonal(self.covariance, axis1=1, axis2=2) > 0
        return LeftOut(np.where(measured, self.error - shift, 0.0), self.covariance)

    def reach(self, level: float, weights: Array) -> float:
        """Standard deviations that hold `level` of the errors of a weighted mean over targets [T]."""
        error = self.error @ weights
        variance = np.einsum("t,htu,u->h", weights, self.covariance, weights)
        return _reach(error[variance > 0], variance[variance > 0], level)

    def reach_each(self, level: float) -> float:
        """Standard deviations that hold `level` of the errors of single targets, all taken together."""
        variance = np.diagonal(self.covariance, axis1=1, axis2=2)
        return _reach(self.error[variance > 0], variance[variance > 0], level)


def _reach(error: Array, variance: Array, level: float) -> float:
    """Never less than a normal distribution wants, and that alone where there are no errors to learn from.

    The quantile is that of n + 1 errors, one of which is the next: with few lists it is the largest.
    """
    normal = float(ndtri((1.0 + level) / 2.0))
    if len(error) == 0:
        return normal
    sizes = np.abs(error) / np.sqrt(variance)
    return max(normal, float(np.quantile(sizes, level, method="weibull")))
