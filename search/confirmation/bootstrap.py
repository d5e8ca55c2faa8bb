"""Paired bootstrap over sentences and seeds, vectorised; Student's interval; Holm's correction. Pure.

Notations
    R   rows (candidates)      s   seeds, the same for every row      d   replicates per seed (random draws; else 1)
    L   languages              n_l sentences of language l, the same for every row and seed      B   bootstrap draws
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from realign.score import Score

Array = NDArray[np.float64]
DRAWS = 2_000
LEVEL = 0.05


@dataclass(frozen=True)
class Sampled:
    """Scores of one row: as measured and under resampling, per language."""

    codes: tuple[str, ...]
    observed: Array  # (n_seeds, L), mean over the replicates of each seed
    draws: Array  # (B, L)

    def mean(self, codes: Sequence[str]) -> float:
        """Macro-average over languages and seeds."""
        return float(self.observed[:, self._at(codes)].mean())

    def std(self, codes: Sequence[str]) -> float:
        """Standard deviation over the seeds of the macro-average; 0 for one seed."""
        means = self.observed[:, self._at(codes)].mean(axis=1)
        return float(means.std(ddof=1)) if len(means) > 1 else 0.0

    def averaged(self, codes: Sequence[str]) -> Array:
        """Macro-average of every bootstrap draw, (B,)."""
        return np.asarray(self.draws[:, self._at(codes)].mean(axis=1))

    def _at(self, codes: Sequence[str]) -> list[int]:
        return [self.codes.index(code) for code in codes]


def resample(rows: Mapping[str, Sequence[Sequence[Score]]], rng: Generator, draws: int = DRAWS) -> dict[str, Sampled]:
    """Bootstrap every row on the same resampled sentences and seeds, so that differences between rows are paired.

    `rows` holds, for each row, the scores of each seed, `[n_seeds][d]`; all with tallies of the same sentences.
    With few seeds a plain bootstrap understates how much they differ: of five (three) simulated seeds with much noise
    between them, its 95 % intervals of a difference held 88 % (83 %). Deviations between seeds are therefore widened to
    Student's width: then 98 % (96 %), and more where sentences make most of the noise, so the error is to caution.
    """
    first = next(iter(rows.values()))
    codes = tuple(sorted(first[0][0].tallies))
    seeds = len(first)
    weights = {code: _weights(rng, draws, len(first[0][0].tallies[code].total)) for code in codes}  # (B, n_l)
    by_seed = _weights(rng, draws, seeds) / seeds  # (B, s)
    sampled = {}
    for name, scores in rows.items():
        resampled = np.empty((draws, len(codes)))
        observed = np.empty((seeds, len(codes)))
        for column, code in enumerate(codes):
            correct = np.array([[run.tallies[code].correct for run in runs] for runs in scores], dtype=float)
            total = np.array([[run.tallies[code].total for run in runs] for runs in scores], dtype=float)
            observed[:, column] = _ratio(correct.sum(axis=2), total.sum(axis=2)).mean(axis=1)
            resampled[:, column] = _redrawn(correct, total, weights[code], by_seed)
        sampled[name] = Sampled(codes, observed, resampled)
    return sampled


def interval(values: Array) -> tuple[float, float]:
    """Percentile interval of 95 %."""
    low, high = np.quantile(values, [LEVEL / 2, 1 - LEVEL / 2])
    return float(low), float(high)


def student_interval(values: Sequence[float], level: float) -> tuple[float, float]:
    """Student's interval of the mean; no width where there is one value."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return mean, mean
    quantile = float(stdtrit(len(values) - 1, (1 + level) / 2))
    half = quantile * statistics.stdev(values) / len(values) ** 0.5
    return mean - half, mean + half


def two_sided(differences: Array) -> float:
    """Share of draws on the wrong side of 0, doubled; never 0, since the draws are finitely many."""
    side = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2 * (side + 1) / (len(differences) + 1))


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Holm 1979: p-values such that calling all below a level significant errs at most so often in the family."""
    ordered = sorted(p, key=p.__getitem__)
    corrected, worst = {}, 0.0
    for rank, name in enumerate(ordered):
        worst = max(worst, min(1.0, (len(ordered) - rank) * p[name]))
        corrected[name] = worst
    return {name: corrected[name] for name in p}


def regressions(row: Sampled, baseline: Sampled) -> list[str]:
    """Languages significantly worse than in the baseline, one-sided 2.5 %, Holm-corrected over the languages.

    By a normal approximation of the bootstrap: corrected levels are too small to read off from the draws.
    """
    difference = row.draws - baseline.draws  # (B, L)
    centre = (row.observed - baseline.observed).mean(axis=0)
    spread = difference.std(axis=0)
    # without any spread the difference is exact
    z = np.where(spread > 0, centre / np.maximum(spread, 1e-12), np.sign(centre) * 40.0)
    corrected = holm(dict(zip(row.codes, ndtr(z).tolist(), strict=True)))
    return [code for code in row.codes if corrected[code] < LEVEL / 2]


def _redrawn(correct: Array, total: Array, weights: Array, by_seed: Array) -> Array:
    """Score of one language in every draw, (B,); `correct` and `total` are (s, d, n_l).

    Two parts: the mean over seeds on resampled sentences, and resampled seeds on the sentences as they are. Resampling
    both at once would count the luck of a seed with a sentence as often as there are seeds. The total of F1 differs
    between runs, so the ratio is taken run by run.
    """
    per_seed = _ratio(correct.sum(axis=2), total.sum(axis=2)).mean(axis=1)  # (s,); the draws of a seed stay together
    sentences = _ratio(correct @ weights.T, total @ weights.T).mean(axis=(0, 1))  # (s, d, B) → (B,)
    seeds = by_seed @ (per_seed - per_seed.mean())  # (B,)
    return np.asarray(sentences + _widening(len(per_seed)) * seeds)


def _ratio(correct: Array, total: Array) -> Array:
    """0 where there was nothing to get right, as in `Tally.value`."""
    return np.asarray(correct / np.maximum(total, 1.0))


def _widening(count: int) -> float:
    """From the half-width of a bootstrap interval to that of Student's: 1.58 for five, 2.69 for three."""
    if count < 2:
        return 0.0
    return math.sqrt(count / (count - 1)) * float(stdtrit(count - 1, 1 - LEVEL / 2)) / 1.959964


def _weights(rng: Generator, draws: int, count: int) -> Array:
    """How often each of `count` things is drawn, (draws, count)."""
    return rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(float)
