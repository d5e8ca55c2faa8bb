"""The fidelity ladder: at which level a position is measured, and what is measured at two levels. Pure.

Many trials merge, fewer train shortly, few train in full; every trial counts as one. Some subsets are measured at two
levels, and the rank correlation of their values decides whether the cheap one is trusted: an untrusted level gets no
further trials and tells the levels above nothing.
"""

from __future__ import annotations

import numpy as np

from search.strategies.proposer import Past
from selector.languages.subset import Subset

ORDER = ("merge", "short", "full")  # cheap ones first
SHARES = {"merge": 0.5, "short": 0.2}  # of all trials, at most; the others are full
COMMON = 0.2  # share of the trials that are full ones of subsets measured at the level below
MOST_COMMON = 12
LEAST_JUDGED = 6  # subsets at both levels before their correlation is believed
LEAST_CORRELATION = 0.4


def levels_due(past: Past, trials: int) -> list[str]:
    """The levels at which to measure next, in a study of `trials` trials with this `past`.

    The first of them is taken where it has something left to propose. First half of the merges, then full trainings of
    subsets among them, which show whether merging can be trusted; then the rest of the merges, the short trainings in
    the same way, and the full trainings.
    """
    begun = {level: sum(own == level for _, own in past.begun) for level in ORDER}
    quota = {level: round(share * trials) for level, share in SHARES.items()}
    common = common_of(trials)
    due = []
    if begun["merge"] < quota["merge"] // 2:
        due += ["merge"]
    if begun["full"] < common:
        due += ["full"]
    elif begun["merge"] < quota["merge"] and trusted(past, "merge", "full"):
        due += ["merge"]
    judged = min(common, quota["short"])
    if begun["short"] < judged or (begun["short"] < quota["short"] and trusted(past, "short", "full")):
        due += ["short"]
    return [*dict.fromkeys([*due, "full"])]


def common_of(trials: int) -> int:
    """Number of full trainings, early in `trials` trials, of subsets that were measured at the level below."""
    return min(MOST_COMMON, max(2, round(COMMON * trials)))


def promote(past: Past, level: str, trials: int) -> Subset | None:
    """While two levels are being compared: a subset that `past` has measured at the one and not begun at `level`.

    By turns the best, and one in the middle of what is left, so that the correlation is not one among the best alone.
    None once enough of the `trials` were compared, or where there is nothing to compare.
    """
    begun = sum(own == level for _, own in past.begun)
    if level == "merge" or begun >= common_of(trials):
        return None
    left = ranked(past, "merge" if level == "full" else "full", level)
    if not left:
        return None
    return left[0] if begun % 2 == 0 else left[len(left) // 2]


def best_below(past: Past, level: str) -> Subset | None:
    """The best subset of the highest trusted level below `level` that `past` has not begun at `level`.

    For strategies that see one level only. None where there is none.
    """
    lower = below(past.at(level))
    left = ranked(past, lower[-1], level) if lower else []
    return left[0] if left else None


def ranked(past: Past, level: str, other: str) -> list[Subset]:
    """Subsets that `past` has measured at `level` and not begun at the level `other`, best first."""
    values, taken = past.at(level).values, past.at(other).taken
    return sorted((subset for subset in values if subset not in taken), key=lambda subset: -values[subset])


def agreement(past: Past, lower: str, upper: str) -> float | None:
    """Spearman's rank correlation, in [-1, 1], of the values that `past` has at both levels, `lower` and `upper`.

    None where fewer than `LEAST_JUDGED` subsets have both; 0 where one level gives all of them the same value.
    """
    low, high = past.at(lower).values, past.at(upper).values
    both = [subset for subset in high if subset in low]
    if len(both) < LEAST_JUDGED:
        return None
    pairs = np.array([[low[subset], high[subset]] for subset in both])
    if (np.ptp(pairs, axis=0) == 0).any():  # the same value for all: it tells nothing
        return 0.0
    from scipy.stats import spearmanr  # takes half a second, of the start of every command: imported only to judge

    return float(spearmanr(pairs[:, 0], pairs[:, 1]).statistic)


def trusted(past: Past, lower: str, upper: str) -> bool:
    """True if values of the level `lower` predict those of `upper`: a rank correlation of `LEAST_CORRELATION` or more.

    Also while `past` has too little to judge.
    """
    found = agreement(past, lower, upper)
    return found is None or found >= LEAST_CORRELATION


def below(past: Past) -> list[str]:
    """The levels below that of `past` that were measured and are trusted, cheap ones first."""
    if past.level not in ORDER:
        return []
    lower = ORDER[: ORDER.index(past.level)]
    return [level for level in lower if past.at(level).here and trusted(past, level, past.level)]
