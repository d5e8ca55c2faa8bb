"""Limits of a subset: linear limits on its members, such as a budget or a quota for each family or script.

Notations

    S  the chosen set, indices into the frame of n languages
    A  weights [m, n], not negative: the amount of limit l that language i takes
    b  limits [m]:  Σ_{i ∈ S} A_li ≤ b_l
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-9  # a budget met to the last digit is met


@dataclass(frozen=True)
class Limits:
    """m limits over a frame of n languages; usually there is none."""

    weights: NDArray[np.float64]  # [m, n]
    most: NDArray[np.float64]  # [m]
    names: tuple[str, ...]  # [m], for messages: "budget", "family Turkic"

    @classmethod
    def none(cls, n: int) -> Limits:
        return cls(np.zeros((0, n)), np.zeros(0), ())

    def __bool__(self) -> bool:
        return len(self.most) > 0

    def hold(self, chosen: Sequence[int]) -> bool:
        """True if the set `chosen` keeps every limit."""
        return bool((self.remainder(chosen) >= -ROUNDING).all())

    def remainder(self, chosen: Sequence[int]) -> NDArray[np.float64]:
        """Amount of each limit [m] that the set `chosen` leaves."""
        return np.asarray(self.most - self.weights[:, list(chosen)].sum(axis=1))

    def room(self, chosen: Sequence[int]) -> NDArray[np.bool_]:
        """Mask [n] of the languages that can be added to `chosen` within every limit."""
        if not self:
            return np.ones(self.weights.shape[1], dtype=bool)
        return np.asarray((self.weights <= self.remainder(chosen)[:, None] + ROUNDING).all(axis=0))

    def exchangeable(self, chosen: Sequence[int]) -> NDArray[np.bool_]:
        """Mask [k, n] of the exchanges of a member of `chosen` for a language of the frame that keep every limit."""
        allowed = np.ones((len(chosen), self.weights.shape[1]), dtype=bool)
        left = self.remainder(chosen)  # (m,)
        for limit in np.flatnonzero(left < self.weights.max(axis=1, initial=0.0)):  # the others cannot be broken
            taken = self.weights[limit]  # (n,)
            allowed &= taken[None, :] <= left[limit] + taken[list(chosen)][:, None] + ROUNDING
        return allowed
