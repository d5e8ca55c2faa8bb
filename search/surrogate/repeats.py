"""Whether to measure a known subset again, on another seed, instead of a new one. Pure.

Notations
    M        subsets that were measured and may be recommended
    B        options: the M, and perhaps a new subset, the last
    μ, C     their posterior means [B] and covariance [B, B]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Repeats = Literal["never", "auto"] | int

MOST = 10  # measurements of one subset
NODES = np.linspace(-5.0, 5.0, 101)  # standard normal outcomes over which a gain is averaged
SHARE = np.exp(-0.5 * NODES**2) / np.exp(-0.5 * NODES**2).sum()


def again(
    repeats: Repeats,
    joint: Callable[[Array], tuple[Array, Array]],
    noise: float,
    known: Array,
    counts: NDArray[np.intp],
    new: Array | None,
) -> int | None:
    """Choose the one of the `known` subsets [M, n] to measure again; None: measure the `new` one [n].

    "auto": the one from which the recommendation gains most, if that is more than from the new one; at most `MOST`
    measurements each. A number: the one of highest mean, until it has so many. `counts` [M] says how many were begun,
    `joint` gives μ and C of any subsets, and `noise` is the variance of one measurement.
    """
    if repeats == "never" or not len(known):
        return None
    if repeats != "auto":
        leader = int(joint(known)[0].argmax())
        return leader if counts[leader] < repeats else None
    options = known if new is None else np.concatenate([known, new[None]])
    gains = knowledge_gain(*joint(options), noise, len(known))
    open_ = np.where(counts < MOST, gains[: len(known)], -np.inf)
    first = int(open_.argmax())
    return first if open_[first] > (-np.inf if new is None else gains[-1]) else None


def knowledge_gain(mean: Array, covariance: Array, noise: float, known: int) -> Array:
    """By how much one more measurement of each option is expected to raise the highest mean μ, [B].

    The first `known` options may be recommended whatever is measured; each of the others only once it was measured
    itself (the knowledge gradient for correlated beliefs: Frazier, Powell and Dayanik 2009).
    """
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0.0) + noise)
    slopes = covariance / deviation  # how far each mean moves, by the option that is measured [B, B]
    reach = NODES[-1] * np.abs(slopes)
    floor = (mean[:known, None] - reach[:known]).max(axis=0)  # the highest mean is nowhere below
    rivals = mean[:, None] + reach >= floor
    gains = np.empty(len(mean))
    for option in range(len(mean)):
        rows = np.flatnonzero(rivals[:known, option])
        rows = rows if option < known else np.append(rows, option)
        gains[option] = (mean[rows, None] + slopes[rows, option, None] * NODES).max(axis=0) @ SHARE
    return np.asarray(gains - mean[:known].max())
