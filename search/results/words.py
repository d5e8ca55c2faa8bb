"""Numbers and lists in words, the same wherever a person reads them. Scores are in [0, 1] and told in percent."""

from __future__ import annotations

import math
from collections.abc import Sequence

from search.results.estimates import Difference, Interval

SAME = "the same scores on every sentence"
MOST_NAMES = 8  # names in one sentence before the rest is only counted


def join_names(names: Sequence[str], most: int = MOST_NAMES, last: str = "and") -> str:
    """`A, B and C` of `names`; of more than `most` the rest is counted (`A, B and 5 more`). `last` stands for "and".

    No names are "no realignment": they are those of the empty subset.
    """
    if not names:
        return "no realignment"
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} {last} {len(names) - most + 1} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"


def percent(score: float) -> str:
    """`54.6` for a `score` of 0.546: in percent, without the sign."""
    return f"{100 * score:.1f}"


def points(difference: float) -> str:
    """`+1.2 points` for a `difference` of 0.012 between two scores.

    Below zero it has a true minus sign, which lines up in tables and is read aloud.
    """
    return f"{signed(100 * difference)} points"


def signed(number: float) -> str:
    """`+1.2`, `−1.2` or `±0.0` for `number`, in its own unit."""
    text = f"{abs(number):.1f}"
    return f"±{text}" if float(text) == 0 else f"{'+' if number > 0 else '−'}{text}"


def span(mean: float, interval: Interval) -> str:
    """`54.6 (51.6 to 57.6)` for a `mean` score and its `interval`, both in [0, 1]: in percent."""
    return f"{percent(mean)} ({percent(interval.low)} to {percent(interval.high)})"


def gain(difference: Difference, p: str = "") -> str:
    """`+26.5 points (+20.0 to +33.1, p=0.027)`; `p` is the p-value in words, "" where it is not to be told."""
    if difference.is_nothing:
        return f"none, {SAME}"
    low, high = (signed(100 * end) for end in (difference.ci95.low, difference.ci95.high))
    return f"{points(difference.difference)} ({low} to {high}{', ' if p else ''}{p})"


def duration(seconds: float) -> str:
    """`1.5 h`, `12 min`, `40 s`: no more digits than anybody needs."""
    if seconds >= 3600:
        return f"{seconds / 3600:,.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{math.ceil(seconds)} s"


def short_list(codes: Sequence[str], most: int = 12) -> str:
    """The `codes` with blanks between them, or `63 languages` where they are more than `most`."""
    return " ".join(codes) if len(codes) <= most else f"{len(codes)} languages"
