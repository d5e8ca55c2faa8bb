"""How diverse a subset is: the measures that papers report, and where it stands among random subsets of its size.

    mean_pairwise, min_pairwise        distances between the chosen (typdiv's MPD, Ploeger et al. 2024)
    families, genera, scripts          how many different ones; by the main script of each language
    family_, genus_, script_entropy    how evenly the chosen spread over them, in bits
    entropy                            mean over the typological features, in bits
    feature_inclusion                  share of the frame's feature values that occur among the chosen (typdiv's FVI)
    feature_overlap                    mean over pairs of the share of features with equal values (typdiv's FVO as its
                                       paper states it; its code averages running averages, which depend on the order
                                       of the features)
    nearest                            mean over the targets, weighted, of the distance to the nearest chosen language
    coverage_radius                    the largest such distance: no target is farther from the chosen
    source_distance                    mean distance of the chosen to the source
    observed                           mean share of the metric's features that were observed, not imputed

The source is not counted; `None` where undefined: no pair, no source.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.objective import bits
from selector.problem import Problem
from selector.strategy import feature_matrix

Measures = dict[str, float | int | None]
Subsets = NDArray[np.intp]  # [b, k], indices into the frame
Vector = NDArray[np.float64]

RANDOM = 1000  # most random subsets for a percentile, if
_WORK = 200_000_000  # at most this number of distances are looked up: all of URIEL then takes seconds
_FEWEST = 20
_BLOCK = 4_000_000  # numbers held at a time
_GROUPS = {"family": "families", "genus": "genera", "script": "scripts"}
_COUNTS = frozenset(_GROUPS.values())


def diversity(problem: Problem, chosen: Sequence[int]) -> Measures:
    """Diversity measures of the set `chosen` (indices into the frame), by name, under the distances of `problem`."""
    return SubsetMeasures(problem).measures(chosen)


class SubsetMeasures:
    """Diversity measures of subsets of one problem, and their percentiles among random subsets of the same size.

    Random subsets are uniform over the frame: included and excluded languages play no part.
    """

    def __init__(self, problem: Problem, seed: int = 0) -> None:
        self.problem = problem
        self.seed = seed
        self._random: dict[int, dict[str, Vector]] = {}

    def measures(self, chosen: Sequence[int]) -> Measures:
        """All measures of `chosen` (indices into the frame, at least one), by name; counts are whole numbers."""
        found = self._measure(np.array([sorted(chosen)], dtype=np.intp))
        return {name: _plain(name, float(value[0])) for name, value in found.items()}

    def percentiles(self, chosen: Sequence[int]) -> dict[str, float | None]:
        """For each measure of `chosen`, the percentage of random subsets of its size with less of it.

        Ties count half.
        """
        others = self.random(len(chosen))
        found = self.measures(chosen)
        return {name: _rank(value, others[name]) for name, value in found.items()}

    def random(self, k: int) -> dict[str, Vector]:
        """Measures of random subsets of `k` languages of the frame, [b] each; NaN where undefined."""
        if k not in self._random:
            self._random[k] = self._measure(self._draw(k))
        return self._random[k]

    def count(self, k: int) -> int:
        """Number of random subsets of `k` languages to draw."""
        cost = k * (k + len(self.problem.targets))
        return int(np.clip(_WORK // cost, _FEWEST, RANDOM))

    def _draw(self, k: int) -> Subsets:
        """Uniform subsets [b, k]: the k smallest of n random keys."""
        rng = np.random.default_rng([self.seed, k])
        n = len(self.problem.frame)
        keys = (rng.random(n) for _ in range(self.count(k)))
        return np.array([np.argpartition(key, k - 1)[:k] for key in keys], dtype=np.intp)

    def _measure(self, subsets: Subsets) -> dict[str, Vector]:
        """All measures of many subsets of one size, a block of subsets at a time."""
        k = subsets.shape[1]
        widest = k * max(len(self.problem.targets), self._features.shape[1])
        step = max(1, _BLOCK // widest)
        blocks = [self._block(subsets[i : i + step]) for i in range(0, len(subsets), step)]
        return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}

    def _block(self, subsets: Subsets) -> dict[str, Vector]:
        return {
            **_pairwise(self.problem.distances.matrix, subsets),
            **self._spread(subsets),
            **_typology(self._features, self._attested_values, subsets),
            **self._nearness(subsets),
            "observed": self.problem.distances.observed[subsets].mean(axis=1),
        }

    def _spread(self, subsets: Subsets) -> dict[str, Vector]:
        """Number of families, genera and scripts, and their entropy."""
        found = {}
        for name, plural in _GROUPS.items():
            labels = self._labels[name]
            found[plural], found[f"{name}_entropy"] = _groups(labels[subsets], int(labels.max()) + 1)
        return found

    def _nearness(self, subsets: Subsets) -> dict[str, Vector]:
        """Distances from the targets to the chosen, and from the chosen to the source."""
        near = self.problem.to_targets.T[subsets].min(axis=1)  # (b, m)
        source = self.problem.to_source
        lacking = np.full(len(subsets), np.nan)
        return {
            "nearest": near @ self.problem.weights,
            "coverage_radius": near.max(axis=1),
            "source_distance": lacking if source is None else source[subsets].mean(axis=1),
        }

    @cached_property
    def _labels(self) -> dict[str, NDArray[np.intp]]:
        """Family, genus and script as small whole numbers, [n] each."""
        frame = self.problem.frame
        return {name: np.unique([getattr(each, name) for each in frame], return_inverse=True)[1] for name in _GROUPS}

    @cached_property
    def _features(self) -> NDArray[np.float32]:
        return feature_matrix(self.problem.frame).astype(np.float32)  # (n, f)

    @cached_property
    def _attested_values(self) -> NDArray[np.bool_]:
        """Mask [2, f] of the feature values (0 in row 0, 1 in row 1) that occur in the frame."""
        return np.stack([(self._features == value).any(axis=0) for value in (0.0, 1.0)])


def _pairwise(d: NDArray[Any], subsets: Subsets) -> dict[str, Vector]:
    """Mean and smallest distance within each subset; NaN for a single language."""
    k = subsets.shape[1]
    found = np.full((len(subsets), 2), np.nan)
    for row, chosen in enumerate(subsets if k > 1 else ()):
        inside = d[np.ix_(chosen, chosen)]  # (k, k), zero diagonal
        found[row, 0] = inside.sum(dtype=np.float64) / (k * (k - 1))
        np.fill_diagonal(inside, np.inf)
        found[row, 1] = inside.min()
    return {"mean_pairwise": found[:, 0], "min_pairwise": found[:, 1]}


def _groups(labels: NDArray[np.intp], groups: int) -> tuple[Vector, Vector]:
    """Different labels of each row of [b, k], and their entropy in bits."""
    b, k = labels.shape
    shifted = labels + groups * np.arange(b)[:, None]
    count = np.bincount(shifted.ravel(), minlength=b * groups).reshape(b, groups)
    share = count / k
    logs = np.log2(share, out=np.zeros(share.shape), where=count > 0)
    return (count > 0).sum(axis=1).astype(np.float64), np.abs((share * logs).sum(axis=1))


def _typology(x: NDArray[np.float32], attested: NDArray[np.bool_], subsets: Subsets) -> dict[str, Vector]:
    """Entropy, inclusion and overlap of the features [n, f] of subsets [b, k].

    An unknown value (0.5) is neither 0 nor 1: it equals nothing.
    """
    b, k = subsets.shape
    chosen = x[subsets]  # (b, k, f)
    ones, zeros = ((chosen == value).sum(axis=1).astype(np.float64) for value in (1.0, 0.0))  # (b, f)
    included = (ones > 0).sum(axis=1) + (zeros > 0).sum(axis=1)
    equal = (ones * (ones - 1) + zeros * (zeros - 1)).mean(axis=1)  # ordered pairs, mean over the features
    return {
        "entropy": bits(chosen.mean(axis=1, dtype=np.float64)).mean(axis=1),
        "feature_inclusion": included / max(1, attested.sum()),
        "feature_overlap": equal / (k * (k - 1)) if k > 1 else np.full(b, np.nan),
    }


def _plain(name: str, value: float) -> float | int | None:
    if np.isnan(value):
        return None
    return round(value) if name in _COUNTS else value


def _rank(value: float | int | None, others: Vector) -> float | None:
    """Percentile by mid-rank; values that differ by rounding only are equal."""
    if value is None:
        return None
    equal = np.abs(others - value) <= 1e-9
    return round(float(100.0 * ((others < value) & ~equal).mean() + 50.0 * equal.mean()), 2)
