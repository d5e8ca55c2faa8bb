"""What a subset may cost: linear limits on its members. A budget, a quota per family or script are all of this form.

Notations
    S  the chosen set, indices into the frame of n languages
    A  weights [m, n], not negative: what language i takes of limit l
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
    """m limits over a frame of n languages; none is the usual case."""

    weights: NDArray[np.float64]  # [m, n]
    most: NDArray[np.float64]  # [m]
    names: tuple[str, ...]  # [m], for messages: "budget", "family Turkic"

    @classmethod
    def none(cls, n: int) -> Limits:
        return cls(np.zeros((0, n)), np.zeros(0), ())

    def __bool__(self) -> bool:
        return len(self.most) > 0

    def hold(self, chosen: Sequence[int]) -> bool:
        """True if a set keeps every limit."""
        return bool((self.remainder(chosen) >= -ROUNDING).all())

    def remainder(self, chosen: Sequence[int]) -> NDArray[np.float64]:
        """Amounts that a set leaves of each limit [m]."""
        return np.asarray(self.most - self.weights[:, list(chosen)].sum(axis=1))

    def room(self, chosen: Sequence[int]) -> NDArray[np.bool_]:
        """For every language of the frame [n], whether adding it to the chosen keeps every limit."""
        if not self:
            return np.ones(self.weights.shape[1], dtype=bool)
        return np.asarray((self.weights <= self.remainder(chosen)[:, None] + ROUNDING).all(axis=0))

    def exchangeable(self, chosen: Sequence[int]) -> NDArray[np.bool_]:
        """For every member [k] and every language of the frame [n], whether the exchange keeps every limit."""
        allowed = np.ones((len(chosen), self.weights.shape[1]), dtype=bool)
        left = self.remainder(chosen)  # (m,)
        for limit in np.flatnonzero(left < self.weights.max(axis=1, initial=0.0)):  # the others cannot be broken
            taken = self.weights[limit]  # (n,)
            allowed &= taken[None, :] <= left[limit] + taken[list(chosen)][:, None] + ROUNDING
        return allowed
