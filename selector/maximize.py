"""Ways to maximize a set function: greedy, then swaps until none helps, from several starts.

Deterministic: ties go to the first code. The frame is in order of its codes, so the order of the input never matters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from selector.objective import SetFunction

_EQUAL = 1e-12  # values nearer than this are equal: rounding must not decide
_STARTS = 24  # further first languages tried, evenly spaced over the frame: as many as
_WORK = 40_000  # this number of candidates times members allows, so that large problems stay a matter of seconds
_SWAPS = 500  # a bound on improvements, never reached in practice


def search(function: SetFunction, k: int, pinned: Sequence[int], free: Sequence[int]) -> list[int]:
    """The best of greedy and swaps from greedy's own first language and, in small frames, from other first ones."""
    best = swap(function, greedy(function, k, pinned, free), pinned, free)
    starts = min(_STARTS, len(free), _WORK // max(1, len(free) * k))
    if k - len(pinned) <= 1 or not starts:
        return best
    for first in free[:: -(-len(free) // starts)]:
        rival = swap(function, greedy(function, k, [*pinned, first], free), pinned, free)
        if function.value(rival) > function.value(best) + _EQUAL:
            best = rival
    return best


def greedy(function: SetFunction, k: int, pinned: Sequence[int], free: Sequence[int]) -> list[int]:
    """`pinned` and then, one at a time, the language of `free` that helps most, up to k."""
    chosen = list(pinned)
    while len(chosen) < k:
        rest = np.array([i for i in free if i not in chosen])
        values, ties = function.with_each(chosen)
        chosen.append(_best(rest, values, ties))
    return sorted(chosen)


def swap(function: SetFunction, start: Sequence[int], pinned: Sequence[int], free: Sequence[int]) -> list[int]:
    """The best single exchange, again and again, while one helps. Never worse than `start`."""
    chosen = sorted(start)
    for _ in range(_SWAPS):
        better = _exchange(function, chosen, pinned, free)
        if better is None:
            break
        chosen = better
    return chosen


def _exchange(function: SetFunction, chosen: list[int], pinned: Sequence[int], free: Sequence[int]) -> list[int] | None:
    """The best improving exchange of one member for one outsider, or None."""
    outside = np.array([i for i in free if i not in chosen], dtype=np.intp)
    movable = [i for i in chosen if i not in pinned]
    if not len(outside) or not movable:
        return None
    best: tuple[float, float, list[int]] | None = None
    for out in movable:
        rest = [i for i in chosen if i != out]
        values, ties = function.with_each(rest)
        into = _best(outside, values, ties)
        rival = (float(values[into]), float(ties[into]), sorted([*rest, into]))
        helps = _beats(rival[:2], (float(values[out]), float(ties[out])))
        if helps and (best is None or _beats(rival[:2], best[:2])):
            best = rival
    return None if best is None else best[2]


def _best(rest: NDArray[np.intp], values: NDArray[np.float64], ties: NDArray[np.float64]) -> int:
    top = rest[values[rest] >= values[rest].max() - _EQUAL]
    top = top[ties[top] >= ties[top].max() - _EQUAL]
    return int(top[0])


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    if abs(one[0] - other[0]) > _EQUAL:
        return one[0] > other[0]
    return one[1] > other[1] + _EQUAL
