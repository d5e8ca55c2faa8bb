"""What every set function can do: its value, and its value with each language added or exchanged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Index = NDArray[np.intp]
Chosen = Sequence[int]

_BLOCK = 256  # rows at a time where an [n, m] intermediate would be large


class SetFunction(ABC):
    """A set function over a frame of n languages, and a second one that decides between sets of equal value."""

    submodular: ClassVar[bool] = False  # monotone and submodular: a gain never grows with the set
    modular: ClassVar[bool] = False  # what a language adds does not depend on the others
    size: int  # n

    @abstractmethod
    def value(self, chosen: Chosen) -> float:
        """Value of the function at the set `chosen`."""

    @abstractmethod
    def second(self, chosen: Chosen) -> float:
        """Second value of `chosen`, which decides between sets of equal value; greater is better."""

    @abstractmethod
    def with_each(self, chosen: Chosen, among: Index | None = None) -> tuple[Vector, Vector]:
        """For every i of `among` (default: the frame), `value` and `second` at S∪{i}, two of [len(among)]."""

    def exchanges(self, chosen: Chosen) -> tuple[Matrix, Matrix]:
        """`value` and `second` after each exchange of a member of `chosen` for a language of the frame, [k, n] each.

        Columns of languages that are members themselves mean nothing.
        """
        pairs = [self.with_each([i for i in chosen if i != out]) for out in chosen]
        return np.stack([values for values, _ in pairs]), np.stack([ties for _, ties in pairs])

    def work(self, k: int) -> float:
        """Estimated nanoseconds of one pass of exchanges with `k` members. It decides how many starts are tried."""
        return 1e6 + 70.0 * k * self.size

    def everyone(self, among: Index | None) -> Index:
        return np.arange(self.size) if among is None else among


def bits(share: Vector) -> Vector:
    """Binary entropy in bits of each `share` in [0, 1]."""
    inside = np.clip(share, 1e-300, 1.0)
    outside = np.clip(1.0 - share, 1e-300, 1.0)
    return np.asarray(-(share * np.log2(inside) + (1.0 - share) * np.log2(outside)))


def two_least(rows: Matrix) -> tuple[Vector, Index, Vector]:
    """Least value of every column of `rows` [k, m], the row it is in, and the second least (infinite where k is 1)."""
    where = rows.argmin(axis=0)
    column = np.arange(rows.shape[1])
    rest = rows.astype(np.float64)
    least = rest[where, column]
    rest[where, column] = np.inf
    return least, where, rest.min(axis=0)


def chunks(among: Index) -> Iterator[Index]:
    """Parts of the index `among`, so small that what is computed for each part fits in memory."""
    for start in range(0, len(among), _BLOCK):
        yield among[start : start + _BLOCK]
