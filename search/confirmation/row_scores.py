"""From the tallies of every run to means, differences of rows, and the noise in them. Pure.

Notations
    s   seeds, the same for every row      d   replicates per seed (random draws; else 1)
    L   languages                          n   sentences of a language; n_max of the language with the most
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realign.score import Score
from search.confirmation.significance import LEVEL, NoiseVariance, NoisyEstimate, holm

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RowScores:
    """Scores of one row; of two rows that were measured on the same seeds and sentences the difference is another."""

    codes: tuple[str, ...]
    lengths: tuple[int, ...]  # sentences of each language
    runs: Array  # (s, d, L)
    by_sentence: Array  # what leaving out a sentence does to a language's mean, (L, n_max); squares add up

    def __sub__(self, other: RowScores) -> RowScores:
        """Paired by seed and by sentence; a row without replicates is compared with every replicate of the other."""
        return RowScores(self.codes, self.lengths, self.runs - other.runs, self.by_sentence - other.by_sentence)

    @property
    def per_language(self) -> dict[str, float]:
        """Mean over the runs of each language."""
        return dict(zip(self.codes, self.runs.mean(axis=(0, 1)).tolist(), strict=True))

    def mean(self, codes: Sequence[str]) -> float:
        """Macro-average over the languages `codes` and all runs, in [0, 1] (of a difference in [-1, 1])."""
        return float(self.runs[:, :, self._at(codes)].mean())

    def std(self, codes: Sequence[str]) -> float:
        """Standard deviation over the seeds of the macro-average over `codes`; 0 for one seed."""
        means = self.runs[:, :, self._at(codes)].mean(axis=(1, 2))
        return float(means.std(ddof=1)) if len(means) > 1 else 0.0

    def estimate(self, codes: Sequence[str]) -> NoisyEstimate:
        """Macro-average over `codes` with the noise of seeds and of sentences, each only if it can be estimated."""
        return NoisyEstimate(self.mean(codes), (*self.noise_of_seeds(codes), *self.noise_of_sentences(codes)))

    def noise_of_seeds(self, codes: Sequence[str]) -> tuple[NoiseVariance, ...]:
        """Variance that seeds add to the macro-average over `codes`, random draws included.

        Between the draws alone where there is one seed; () where there is one run.
        """
        means = self.runs[:, :, self._at(codes)].mean(axis=2)  # (s, d)
        units = means.mean(axis=1) if len(means) > 1 else means[0]
        count = len(units)
        return (NoiseVariance(float(units.var(ddof=1)) / count, count - 1),) if count > 1 else ()

    def noise_of_sentences(self, codes: Sequence[str]) -> tuple[NoiseVariance, ...]:
        """Variance that the choice of sentences adds to the macro-average over `codes`; () where no language has two.

        The j-th sentences of all languages count as one: where a test set is translated, they are. Where it is not,
        this costs degrees of freedom only. Degrees are those of the language with the fewest sentences.
        """
        known = [self.lengths[i] for i in self._at(codes) if self.lengths[i] > 1]
        sentences = self.by_sentence[self._at(codes)].mean(axis=0)  # (n_max,)
        return (NoiseVariance(float((sentences**2).sum()), min(known) - 1),) if known else ()

    def _at(self, codes: Sequence[str]) -> list[int]:
        return [self.codes.index(code) for code in codes]


def score_row(scores: Sequence[Sequence[Score]]) -> RowScores:
    """A row from its `scores`, `[s][d]`, all with tallies of the same sentences in the same order."""
    tallies = [[score.tallies for score in scored] for scored in scores]
    codes = tuple(sorted(tallies[0][0]))
    lengths = tuple(len(tallies[0][0][code].total) for code in codes)
    runs = np.empty((len(scores), len(scores[0]), len(codes)))
    by_sentence = np.zeros((len(codes), max(lengths)))
    for column, code in enumerate(codes):
        correct = np.array([[run[code].correct for run in each] for each in tallies], dtype=float)  # (s, d, n)
        total = np.array([[run[code].total for run in each] for each in tallies], dtype=float)
        runs[:, :, column] = _ratio(correct.sum(axis=2), total.sum(axis=2))
        by_sentence[column, : lengths[column]] = _deviations(correct, total)
    return RowScores(codes, lengths, runs, by_sentence)


def regressions(row: RowScores, baseline: RowScores) -> list[str]:
    """Codes of the languages in which `row` is significantly worse than `baseline`.

    One-sided at 2.5 %, corrected over the languages (Holm 1979).
    """
    difference = row - baseline
    corrected = holm({code: difference.estimate([code]).p_below for code in row.codes})
    return [code for code in row.codes if corrected[code] < LEVEL / 2]


def _deviations(correct: Array, total: Array) -> Array:
    """Jackknife of one language's score, mean over the runs (s, d, n) → (n,); the squares add up to its variance.

    Efron and Stein 1981: leaving out one sentence at a time overstates the variance rather than understating it. For a
    mean of equal sentences it is the usual variance of the mean. The total of F1 differs between runs, so the ratio is
    taken run by run.
    """
    n = correct.shape[2]
    if n < 2:
        return np.zeros(n)
    left = [tally.sum(axis=2, keepdims=True) - tally for tally in (correct, total)]
    without = _ratio(*left).mean(axis=(0, 1))
    return np.asarray(np.sqrt((n - 1) / n) * (without - without.mean()))


def _ratio(correct: Array, total: Array) -> Array:
    """0 where there was nothing to get right, as in `Tally.value`."""
    return np.asarray(correct / np.maximum(total, 1.0))
