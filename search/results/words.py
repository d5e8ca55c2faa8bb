"""Numbers and lists in words, the same wherever a person reads them. Scores are in [0, 1] and told in percent."""

from __future__ import annotations

from collections.abc import Sequence

from search.results.estimates import Difference, Interval

SAME = "the same scores on every sentence"
MOST_NAMES = 8  # names in one sentence before the rest is only counted


def join_names(names: Sequence[str], most: int = MOST_NAMES, last: str = "and") -> str:
    """`A, B and C`; a long list is cut and its rest counted. The empty subset is called what it is."""
    if not names:
        return "no realignment"
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} {last} {len(names) - most + 1} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"


def percent(score: float) -> str:
    """`54.6`: a score in percent, without the sign."""
    return f"{100 * score:.1f}"


def points(difference: float) -> str:
    """A difference of two scores: `+1.2 points`; a true minus sign, so that it lines up and is read out."""
    return f"{signed(100 * difference)} points"


def signed(number: float) -> str:
    """`+1.2`, `−1.2` or `±0.0`."""
    text = f"{abs(number):.1f}"
    return f"±{text}" if float(text) == 0 else f"{'+' if number > 0 else '−'}{text}"


def span(mean: float, interval: Interval) -> str:
    """`54.6 (51.6 to 57.6)`: a score with its interval, in percent."""
    return f"{percent(mean)} ({percent(interval.low)} to {percent(interval.high)})"


def gain(difference: Difference, p: str = "") -> str:
    """`+26.5 points (+20.0 to +33.1, p=0.027)`; `p` is the p-value in words, "" where it is not to be told."""
    if difference.is_nothing:
        return f"none, {SAME}"
    low, high = (signed(100 * end) for end in (difference.ci95.low, difference.ci95.high))
    return f"{points(difference.difference)} ({low} to {high}{', ' if p else ''}{p})"


def short_list(codes: Sequence[str], most: int = 12) -> str:
    """Codes, or only their number where they are many."""
    return " ".join(codes) if len(codes) <= most else f"{len(codes)} languages"
