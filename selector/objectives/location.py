"""Set functions of the chosen and those they serve: how near every target has its nearest chosen language.

Distances are held candidate by candidate, `reach` [n, m]: one row tells what a candidate does for all targets.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from selector.objectives.set_function import Chosen, Index, Matrix, SetFunction, Vector, chunks, two_least


class Facility(SetFunction):
    """Mean nearness of the targets to their nearest chosen language, weighted."""

    submodular = True

    def __init__(self, far: Matrix, weights: Vector | None = None, base: Vector | None = None) -> None:
        """Distances target × candidate [m, n]; `base` [m] those to the source, where it counts as chosen."""
        self.reach = far.T  # [n, m]
        self.size, targets = self.reach.shape
        self.weights = np.full(targets, 1.0 / targets) if weights is None else weights  # [m]
        worst = float(far.max(initial=1.0))  # where nothing is chosen
        self.base = np.full(targets, worst) if base is None else base.astype(np.float64)
        self.total = self.reach @ self.weights  # [n]

    def nearest(self, chosen: Chosen) -> Vector:
        """Distance of every target to `chosen`, [m]."""
        return np.minimum(self.base, self.reach[list(chosen)].min(axis=0, initial=np.inf))

    def value(self, chosen: Chosen) -> float:
        return float(1.0 - self.weights @ self.nearest(chosen))

    def second(self, chosen: Chosen) -> float:
        return -float(self.total[list(chosen)].sum())

    def with_each(self, chosen: Chosen, among: Index | None = None) -> tuple[Vector, Vector]:
        index, nearest = self.everyone(among), self.nearest(chosen)
        parts = [np.minimum(self.reach[block], nearest) @ self.weights for block in chunks(index)]
        return 1.0 - np.concatenate(parts), self.second(chosen) - self.total[index]

    def exchanges(self, chosen: Chosen) -> tuple[Matrix, Matrix]:
        """As in `SetFunction`, from the nearest and second nearest member of `chosen` for every target.

        All exchanges at once (Schubert and Rousseeuw 2021).
        """
        members = list(chosen)
        nearest, owner, following = self.owners(members)
        owned = (owner == np.arange(len(members))[:, None]).T * self.weights[:, None]  # (m, k)
        values = np.empty((len(members), self.size))
        for block in chunks(np.arange(self.size)):
            kept = np.minimum(self.reach[block], nearest)  # (b, m), if nobody leaves
            lost = np.minimum(self.reach[block], following) - kept  # more, if its owner leaves
            values[:, block] = 1.0 - (kept @ self.weights)[:, None].T - (lost @ owned).T
        return values, self.second(members) + self.total[members][:, None] - self.total

    def work(self, k: int) -> float:
        return 1e6 + (0.4 * k + 6.0) * self.reach.size

    def owners(self, chosen: Chosen) -> tuple[Vector, Index, Vector]:
        """Distance of every target to `chosen`, number of its nearest member (k for the source), distance to the rest;
        [m] each.
        """
        rows = np.concatenate([self.reach[list(chosen)], self.base[None, :]])  # (k + 1, m)
        return two_least(rows)


class KCenter(Facility):
    """Nearness of the worst-off target to its nearest chosen language. Of equal sets: the better average."""

    submodular = False

    def __init__(self, far: Matrix, weights: Vector | None = None, base: Vector | None = None) -> None:
        super().__init__(far, weights, base)
        self.counted = self.weights > 0  # [m]; targets of no weight are no targets

    def value(self, chosen: Chosen) -> float:
        return float(1.0 - self.nearest(chosen)[self.counted].max())

    def second(self, chosen: Chosen) -> float:
        return Facility.value(self, chosen)

    def with_each(self, chosen: Chosen, among: Index | None = None) -> tuple[Vector, Vector]:
        index, nearest = self.everyone(among), self.nearest(chosen)
        values, ties = np.empty(len(index)), np.empty(len(index))
        for block in chunks(np.arange(len(index))):
            left = np.minimum(self.reach[index[block]], nearest)  # (b, m)
            values[block] = 1.0 - np.where(self.counted, left, 0.0).max(axis=1)
            ties[block] = 1.0 - left @ self.weights
        return values, ties

    def work(self, k: int) -> float:
        return 3 * super().work(k)

    def exchanges(self, chosen: Chosen) -> tuple[Matrix, Matrix]:
        """As in `SetFunction`: the worst-off target if no member of `chosen` leaves, against those that lose their
        nearest one.
        """
        members = list(chosen)
        nearest, owner, following = self.owners(members)
        order = np.flatnonzero(self.counted)[np.argsort(owner[self.counted], kind="stable")]
        owners, starts = np.unique(owner[order], return_index=True)
        values = np.empty((len(members), self.size))
        for block in chunks(np.arange(self.size)):
            reach = self.reach[block][:, order]  # (b, m), target by target of one owner after the other
            kept = np.maximum.reduceat(np.minimum(reach, nearest[order]), starts, axis=1)  # (b, owners)
            lost = np.maximum.reduceat(np.minimum(reach, following[order]), starts, axis=1)
            least, where, following_least = two_least(-kept.T)  # the worst-off of all owners, and of all but that one
            values[:, block] = 1.0 + least
            others = -np.where(where == np.arange(len(owners))[:, None], following_least, least)  # (owners, b)
            own = owners < len(members)
            values[np.ix_(owners[own], block)] = 1.0 - np.maximum(others, lost.T)[own]
        return values, super().exchanges(members)[0]


class Coverage(SetFunction):
    """Share of the targets within the radius of the chosen or of the source. Equal: the better facility location."""

    submodular = True

    def __init__(self, far: Matrix, radius: float, weights: Vector | None = None, base: Vector | None = None) -> None:
        self.facility = Facility(far, weights, base)
        self.weights = self.facility.weights
        self.size = self.facility.size
        self.radius = radius
        self.covers: NDArray[np.bool_] = self.facility.reach <= radius  # [n, m]
        self.by_source = np.zeros(len(self.weights), dtype=bool) if base is None else base <= radius  # [m]

    def value(self, chosen: Chosen) -> float:
        return float(self.weights @ (self.covers[list(chosen)].any(axis=0) | self.by_source))

    def second(self, chosen: Chosen) -> float:
        return self.facility.value(chosen)

    def with_each(self, chosen: Chosen, among: Index | None = None) -> tuple[Vector, Vector]:
        index = self.everyone(among)
        covered = self.covers[list(chosen)].any(axis=0) | self.by_source
        new = self._sums(np.where(covered, 0.0, self.weights), index)
        return self.weights @ covered + new, self.facility.with_each(chosen, index)[0]

    def exchanges(self, chosen: Chosen) -> tuple[Matrix, Matrix]:
        members = list(chosen)
        times = self.covers[members].sum(axis=0) + self.by_source  # (m,)
        alone = (self.covers[members] & (times == 1)) * self.weights  # (k, m), what each member alone covers
        stays = self.weights @ (times > 0) - alone.sum(axis=1)  # (k,)
        back = self._sums((alone + np.where(times == 0, self.weights, 0.0)).T, np.arange(self.size))  # (n, k)
        return stays[:, None] + back.T, self.facility.exchanges(members)[0]

    def work(self, k: int) -> float:
        return 2 * self.facility.work(k)

    def _sums(self, weights: Matrix, index: Index) -> Matrix:
        """Weights [m(, k)] added up over what each candidate covers."""
        return np.concatenate([self.covers[block] @ weights for block in chunks(index)])
