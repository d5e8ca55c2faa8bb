"""Errors of a model on its own lists, each left out in turn, and the width of intervals that contain such errors.

Notations

    H, T   lists, targets
    e   [H, T]      measured less predicted from all other lists; 0 where nothing was measured
    C   [H, T, T]   covariance of e by the model; 0 where nothing was measured
    w   [T]         weights of a mean over targets

The errors of block h of an exact leave-one-out are (K⁻¹)_hh⁻¹ (K⁻¹ y)_h, with covariance (K⁻¹)_hh⁻¹ (Rasmussen &
Williams 2006, section 5.4.2, for blocks). Scales and responses were fitted with the list included, and normal tails are
too thin. So the width of an interval, in standard deviations, is the one that contained the wanted share of these
errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from selector.transfer.mixed_model import GainPosterior

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LeaveOneOutErrors:
    """Errors on H lists; shapes as in the Notations."""

    error: Array
    covariance: Array

    @classmethod
    def of(cls, posterior: GainPosterior, measured: NDArray[np.bool_], lists: Sequence[int]) -> LeaveOneOutErrors:
        """Errors on the lists with the indices `lists`.

        `measured` [T, L] is True for the targets that each list has.
        """
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

    def only(self, lists: Sequence[int]) -> LeaveOneOutErrors:
        """Errors on some of the `lists`, by their index here."""
        return LeaveOneOutErrors(self.error[lists], self.covariance[lists])

    def without(self, shift: Array) -> LeaveOneOutErrors:
        """Errors that remain after a `shift` [H, T] of the predictions."""
        measured = np.diagonal(self.covariance, axis1=1, axis2=2) > 0
        return LeaveOneOutErrors(np.where(measured, self.error - shift, 0.0), self.covariance)

    def reach(self, level: float, weights: Array) -> float:
        """Number of standard deviations that contain a share `level` of the errors of a mean over targets with
        `weights` [T].
        """
        error = self.error @ weights
        variance = np.einsum("t,htu,u->h", weights, self.covariance, weights)
        return _reach(error[variance > 0], variance[variance > 0], level)

    def reach_each(self, level: float) -> float:
        """Number of standard deviations that contain a share `level` of the errors of single targets, all taken
        together.
        """
        variance = np.diagonal(self.covariance, axis1=1, axis2=2)
        return _reach(self.error[variance > 0], variance[variance > 0], level)


def _reach(error: Array, variance: Array, level: float) -> float:
    """Number of standard deviations for a share `level` of the errors; at least that of a normal distribution.

    The quantile is that of n + 1 errors, one of which is the next: with few lists it is the largest.
    """
    normal = float(ndtri((1.0 + level) / 2.0))
    if len(error) == 0:
        return normal
    sizes = np.abs(error) / np.sqrt(variance)
    return max(normal, float(np.quantile(sizes, level, method="weibull")))
