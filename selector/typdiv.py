"""The sets that typdiv-sampling itself chooses (Ploeger et al. 2024), for comparison with work that used it.

Its two methods are one greedy pass each, from the language with the greatest sum of distances; the first of equal ones
is taken. Pairs without a distance (NaN) count 0, as in its own distance tables. Ours find sets at least as good.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

METHODS = ("max-sum", "max-min")


def typdiv(d: NDArray[np.float64], k: int, method: str) -> list[int]:
    """Sorted indices that typdiv-sampling's MaxSum or MaxMin (`method`) chooses from distances `d` [n, n]; 1 ≤ `k` ≤ n.

    One difference: its MaxMin answers k = 1 with two languages, this one with the first of them. ValueError: another
    method, or an impossible `k`.
    """
    if method not in METHODS or not 1 <= k <= len(d):
        raise ValueError(f"typdiv-sampling has no {method} of {k} languages from {len(d)}")
    d = np.nan_to_num(d, nan=0.0)
    chosen = [int(d.sum(axis=1).argmax())]
    score = d[chosen[0]].copy()  # [n], sum or minimum of the distances to the chosen
    while len(chosen) < k:
        score[chosen] = -np.inf
        chosen.append(int(score.argmax()))
        score = score + d[chosen[-1]] if method == "max-sum" else np.minimum(score, d[chosen[-1]])
    return sorted(chosen)
