"""Set functions of the chosen alone: how far from each other, how various, how near the source they are."""

from __future__ import annotations

import numpy as np

from selector.objectives.set_function import Chosen, Index, Matrix, SetFunction, Vector, bits, two_least

_NUGGET = 1e-6  # added to the diagonal of a kernel: languages with the same features have a finite log-determinant


class MaxSum(SetFunction):
    """Sum of pairwise distances, source included (the paper's diversity counts English in, arXiv 2511.06497)."""

    def __init__(self, d: Matrix, source: Vector | None = None) -> None:
        self.d = d
        self.size = len(d)
        self.source = np.zeros(len(d)) if source is None else source
        self.total = d.sum(axis=1, dtype=np.float64)  # [n], decides where nothing is chosen yet

    def value(self, chosen: Chosen) -> float:
        members = list(chosen)
        inside = self.d[members][:, members].sum(dtype=np.float64) / 2
        return float(inside + self.source[members].sum(dtype=np.float64))

    def second(self, chosen: Chosen) -> float:
        return float(self.total[list(chosen)].sum())

    def with_each(self, chosen: Chosen, among: Index | None = None) -> tuple[Vector, Vector]:
        index = self.everyone(among)
        gain = self.d[list(chosen)][:, index].sum(axis=0, dtype=np.float64) + self.source[index]
        return self.value(chosen) + gain, self.second(chosen) + self.total[index]

    def exchanges(self, chosen: Chosen) -> tuple[Matrix, Matrix]:
        members = list(chosen)
        rows = self.d[members].astype(np.float64)  # (k, n)
        gain = rows.sum(axis=0) + self.source  # (n,)
        values = self.value(members) - gain[members][:, None] + gain - rows
        return values, self.second(members) - self.total[members][:, None] + self.total


class MaxMin(SetFunction):
    """Smallest pairwise distance, source included; 0 where there is no pair. Equal minima: the larger sum."""

    def work(self, k: int) -> float:
        return 2 * super().work(k)

    def __init__(self, d: Matrix, source: Vector | None = None) -> None:
        self.d = d
        self.size = len(d)
        self.source = source
        self.sum = MaxSum(d, source)

    def value(self, chosen: Chosen) -> float:
        return float(_finite(np.array(self._smallest(chosen))))

    def second(self, chosen: Chosen) -> float:
        return self.sum.value(chosen)

    def _smallest(self, chosen: Chosen) -> float:
        """Over all pairs; infinite where there is none."""
        return float(self._among(chosen).min(initial=np.inf))

    def _among(self, chosen: Chosen) -> Matrix:
        """Distances between the chosen, and the source as the last row where it counts; infinite on the diagonal."""
        k = len(chosen)
        near = np.full((k + 1, k + 1), np.inf)
        near[:k, :k] = self.d[np.ix_(chosen, chosen)]
        if self.source is not None:
            near[k, :k] = near[:k, k] = self.source[list(chosen)]
        np.fill_diagonal(near, np.inf)
        return near

    def with_each(self, chosen: Chosen, among: Index | None = None) -> tuple[Vector, Vector]:
        index = self.everyone(among)
        near = self.d[list(chosen)][:, index].min(axis=0, initial=np.inf)  # (n,)
        if self.source is not None:
            near = np.minimum(near, self.source[index])
        return _finite(np.minimum(near, self._smallest(chosen))), self.sum.with_each(chosen, index)[0]

    def exchanges(self, chosen: Chosen) -> tuple[Matrix, Matrix]:
        k = len(chosen)
        least, where, next_least = two_least(self.d[list(chosen)])
        near = np.where(where == np.arange(k)[:, None], next_least, least)  # (k, n), to the nearest that stays
        if self.source is not None:
            near = np.minimum(near, self.source)
        values = np.minimum(near, self._without_each(chosen)[:, None])
        return _finite(values), self.sum.exchanges(chosen)[0]

    def _without_each(self, chosen: Chosen) -> Vector:
        """Smallest distance that remains after each member is removed [k]."""
        least, where, next_least = two_least(self._among(chosen))
        places = np.arange(len(least))
        stays = np.where(
            where == places[:, None], next_least, least
        )  # (removed, other): the nearest one that remains for the other
        np.fill_diagonal(stays, np.inf)
        return np.asarray(stays.min(axis=1)[:-1])


class LogDet(SetFunction):
    """Log-determinant of a similarity kernel: the volume that the chosen span (Kulesza and Taskar 2012).

    The kernel exp(-d / scale) is positive definite for every d of negative type, which cosine, Hamming, great-circle
    and tree distances are (Schoenberg 1938); `scale` is the mean distance.
    """

    def __init__(self, d: Matrix) -> None:
        self.d = d
        self.size = n = len(d)
        self.total = d.sum(axis=1, dtype=np.float64)
        self.scale = float(self.total.sum() / max(1, n * (n - 1))) or 1.0

    def _kernel(self, rows: Chosen, columns: Chosen | Index) -> Matrix:
        kernel = np.exp(-self.d[list(rows)][:, columns].astype(np.float64) / self.scale)
        kernel[np.asarray(rows)[:, None] == np.asarray(columns)] += _NUGGET
        return kernel

    def value(self, chosen: Chosen) -> float:
        if not len(chosen):
            return 0.0
        kernel = self._kernel(chosen, list(chosen))
        sign, logarithm = np.linalg.slogdet(kernel)
        if sign <= 0:  # a user's matrix may be of no type
            return float(np.log(np.maximum(np.linalg.eigvalsh(kernel), _NUGGET)).sum())
        return float(logarithm)

    def second(self, chosen: Chosen) -> float:
        return float(self.total[list(chosen)].sum())

    def work(self, k: int) -> float:
        return 2e6 + (100.0 + k) * k * self.size

    def with_each(self, chosen: Chosen, among: Index | None = None) -> tuple[Vector, Vector]:
        """As in `SetFunction`, by the Schur complement: a language adds the log of what `chosen` leaves unexplained of
        it.
        """
        index = self.everyone(among)
        left = np.full(len(index), 1.0 + _NUGGET)
        if len(chosen):
            across = self._kernel(chosen, index)  # (k, n)
            left = left - (across * np.linalg.solve(self._kernel(chosen, list(chosen)), across)).sum(axis=0)
        return self.value(chosen) + np.log(np.maximum(left, _NUGGET)), self.second(chosen) + self.total[index]

    def exchanges(self, chosen: Chosen) -> tuple[Matrix, Matrix]:
        """As in `SetFunction`, by the inverse P of the kernel of `chosen`.

        Without member i the determinant is P_ii times as large.
        """
        members = list(chosen)
        inverse = np.linalg.inv(self._kernel(members, members))
        across = self._kernel(members, np.arange(self.size))  # (k, n)
        solved = inverse @ across  # (k, n)
        left = 1.0 + _NUGGET - (across * solved).sum(axis=0)  # (n,)
        own = np.maximum(np.diag(inverse), _NUGGET)[:, None]  # (k, 1)
        values = self.value(members) + np.log(own) + np.log(np.maximum(left + solved**2 / own, _NUGGET))
        return values, self.second(members) - self.total[members][:, None] + self.total


class Entropy(SetFunction):
    """Mean entropy of the features over the chosen languages, in bits (typdiv: Ploeger et al. 2024)."""

    def __init__(self, x: Matrix) -> None:
        self.x = x  # [n, f]
        self.size = len(x)
        # A first language has no entropy: begin with the most ordinary one, whose features are the commonest.
        self.usual = -np.abs(x - x.mean(axis=0)).sum(axis=1)  # [n]
        self._has = [(level, (x == level).astype(np.float64)) for level in np.unique(x)]  # few levels: each [n, f]

    def value(self, chosen: Chosen) -> float:
        return float(bits(self.x[list(chosen)].mean(axis=0)).mean()) if len(chosen) else 0.0

    def second(self, chosen: Chosen) -> float:
        return float(self.usual[list(chosen)].sum())

    def with_each(self, chosen: Chosen, among: Index | None = None) -> tuple[Vector, Vector]:
        index = self.everyone(among)
        count = self.x[list(chosen)].sum(axis=0)  # (f,)
        return self._with_one_more(count, len(chosen) + 1)[index], self.second(chosen) + self.usual[index]

    def exchanges(self, chosen: Chosen) -> tuple[Matrix, Matrix]:
        members = list(chosen)
        count = self.x[members].sum(axis=0) - self.x[members]  # (k, f), without each member
        second = self.second(members) - self.usual[members][:, None] + self.usual
        return self._with_one_more(count, len(members)).T, second

    def work(self, k: int) -> float:
        return 1e6 + 0.7 * k * self.x.size

    def _with_one_more(self, count: Vector, size: int) -> Vector:
        """Mean entropy after each language joins a set with the feature counts `count` [(k,) f]."""
        parts = [has @ bits((count + level) / size).T for level, has in self._has]  # each (n,) or (n, k)
        return np.asarray(sum(parts) / self.x.shape[1])


class Nearness(SetFunction):
    """Mean nearness of the chosen languages to the source, the targets or the middle of the frame."""

    modular = True

    def __init__(self, near: Vector) -> None:
        self.near = near  # [n]
        self.size = len(near)

    def value(self, chosen: Chosen) -> float:
        return float(self.near[list(chosen)].mean(dtype=np.float64)) if len(chosen) else 0.0

    def second(self, chosen: Chosen) -> float:
        return 0.0

    def with_each(self, chosen: Chosen, among: Index | None = None) -> tuple[Vector, Vector]:
        near = self.near[self.everyone(among)]
        return (self.near[list(chosen)].sum() + near) / (len(chosen) + 1), np.zeros(len(near))


def _finite(value: Vector) -> Vector:
    return np.where(np.isfinite(value), value, 0.0)
