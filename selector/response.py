"""How strongly a target responds to realignment at all, measured or expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selector.affinity import Affinity
from selector.language import Language

Array = NDArray[np.float64]

_FEW = 3  # subsets' worth of belief that a target responds as the average one does


@dataclass(frozen=True)
class Response:
    """The spread of a target's gains over subsets, 1 on average; of a new target by regression."""

    measured: Mapping[str, float]
    base: Mapping[str, float]  # standardized baseline
    coefficients: Array  # [3], of log response on 1, baseline, seen in pretraining
    unsure: float  # variance of log response around that regression
    affinity: Affinity
    usual: Array  # [2], mean standardized baseline of targets not seen and seen

    @classmethod
    def fit(
        cls, targets: Sequence[Language], gain: Array, variance: Array, baseline: Array, affinity: Affinity
    ) -> Response:
        """From gains and their variances [L, T] and the scores without realignment [T]; NaN where unknown.

        With fewer than two subsets of any target all respond alike.
        """
        count = (~np.isnan(gain)).sum(axis=0)  # (T,)
        if len(gain) < 2 or not (count > 1).all():
            return cls({}, {}, np.zeros(3), 0.0, affinity, np.zeros(2))
        seen = affinity.seen[affinity.index(targets)]
        base = baseline - np.nanmean(baseline)
        base = np.nan_to_num(base / (np.nanstd(baseline) or 1.0))
        noise = np.nanmean(variance, axis=0)
        signal = np.maximum(np.nanvar(gain, axis=0, ddof=1) - noise, 0.05 * noise)
        square = (count * signal + _FEW * signal.mean()) / (count + _FEW)
        response = np.sqrt(square)
        response = response / response.mean()
        A = np.stack([np.ones(len(base)), base, seen], axis=1)
        inner = A.T @ A + np.diag([1e-6, 1.0, 1.0])
        coefficients = np.linalg.solve(inner, A.T @ np.log(response))
        unsure = float(np.var(np.log(response) - A @ coefficients))
        usual = np.array([base[seen == flag].mean() if (seen == flag).any() else 0.0 for flag in (False, True)])
        codes = [language.code for language in targets]
        pairs = dict(zip(codes, map(float, response), strict=True)), dict(zip(codes, map(float, base), strict=True))
        return cls(*pairs, coefficients, unsure, affinity, usual)

    def of(self, targets: Sequence[Language]) -> Array:
        """[T]"""
        return np.array([self.measured.get(x.code, self._expected(x)) for x in targets])

    def square(self, targets: Sequence[Language]) -> Array:
        """Expected square [T], which is more where the response is only expected."""
        widening = np.array([1.0 if x.code in self.measured else np.exp(self.unsure) for x in targets])
        return np.asarray(self.of(targets) ** 2 * widening)

    def _expected(self, language: Language) -> float:
        seen = bool(self.affinity.seen[self.affinity.place[language.code]])
        base = self.base.get(language.code, float(self.usual[int(seen)]))
        return float(np.exp(self.coefficients @ np.array([1.0, base, seen])))
