"""Is a difference more than chance? Interval and p-value of a mean over few seeds and many sentences. Pure.

A measured mean is uncertain for two reasons whose variances add up: other seeds (or other random subsets) would have
given another mean, and so would other sentences. The half-width of an interval is the root of the summed squares of
Student's half-widths, one for each source of noise; the p-value is the smallest level whose interval leaves out zero.
With one source of noise this is Student's t test.

Banerjee (1960, Sankhyā 22, 357-358) showed that such intervals hold the truth of normal means at least as often as
they say, whatever share of the noise comes from which source. studies/confirmation has the proof in three lines, and
the rates in simulated confirmations.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.05
LEAST_SHOWN = 0.001  # further out nobody knows whether means are normal
_LEAST = 1e-100  # smaller p-values are 0


@dataclass(frozen=True)
class NoiseVariance:
    """The noise in a mean from one source of chance."""

    variance: float  # of the mean, as estimated
    degrees: int  # of freedom of that estimate, at least 1


@dataclass(frozen=True)
class NoisyEstimate:
    """A mean, or a difference of means, and the noise in it. Where no noise could be estimated, nothing is sure."""

    value: float
    noise: tuple[NoiseVariance, ...]

    def interval(self, level: float = 1 - LEVEL) -> tuple[float, float]:
        """Ends of the interval that holds the truth with probability `level` or more."""
        half = half_width(self.noise, 1 - level)
        return self.value - half, self.value + half

    @property
    def p(self) -> float:
        """Two-sided p-value for a truth of 0: under 0.05 exactly where the 95 % interval leaves out 0."""
        size = abs(self.value)
        if size == 0 or not self.noise:
            return 1.0
        if half_width(self.noise, _LEAST) < size:
            return 0.0
        from scipy.optimize import brentq  # takes a third of a second: imported only to solve

        def excess(log_p: float) -> float:
            return half_width(self.noise, math.exp(log_p)) - size

        return math.exp(brentq(excess, math.log(_LEAST), 0.0, xtol=1e-14))

    @property
    def p_below(self) -> float:
        """One-sided p-value: small where the truth is below 0."""
        return self.p / 2 if self.value < 0 else 1 - self.p / 2


def half_width(noise: Sequence[NoiseVariance], p: float) -> float:
    """Half-width of the interval that misses the truth with probability `p` at most; infinite without known noise."""
    if not noise:
        return math.inf
    squares = [stdtrit(each.degrees, p / 2) ** 2 * each.variance for each in noise]
    return np.sqrt(sum(squares))  # also of arrays of variances, in studies/confirmation


def student_interval(values: Sequence[float], level: float) -> tuple[float, float]:
    """Student's interval of the mean of `values` at confidence `level`, such as 0.95; no width for one value."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return mean, mean
    return NoisyEstimate(mean, (NoiseVariance(statistics.variance(values) / len(values), len(values) - 1),)).interval(
        level
    )


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Corrected p-values, by the names in `p` (Holm 1979).

    Whoever calls all of them below a level significant errs in the whole family no more often than that level.
    """
    ordered = sorted(p, key=p.__getitem__)
    corrected, worst = {}, 0.0
    for rank, name in enumerate(ordered):
        worst = max(worst, min(1.0, (len(ordered) - rank) * p[name]))
        corrected[name] = worst
    return {name: corrected[name] for name in p}


def format_p(p: float) -> str:
    """`p=0.032` or `p<0.001` for the p-value `p`: without a blank, so that no table splits it.

    It has as many digits as it takes not to be rounded across 0.05.
    """
    if p < LEAST_SHOWN:
        return f"p<{LEAST_SHOWN}"
    digits = next(n for n in range(2, 18) if (float(f"{p:.{n}g}") < LEVEL) == (p < LEVEL))
    return f"p={p:.{digits}g}"
