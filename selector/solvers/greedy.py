"""Ways to maximize a set function: greedy, then swaps until none helps, from several starts.

Deterministic: ties go to the first code. The frame is in order of its codes, so the order of the input never matters.
Limits are kept throughout: greedy takes nothing that would leave no way to k members.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from selector.objectives.set_function import Index, SetFunction, Vector
from selector.solvers.feasible import complete, fill
from selector.solvers.limits import Limits

_EQUAL = 1e-11  # relative: values nearer than this are equal, so that rounding does not decide
_STARTS = 40  # most further starts, if
_WORK = 1e8  # one pass of exchanges from each of them takes at most this many nanoseconds in all
_PASSES = 500  # most passes of exchanges, never reached in practice, if
_PATIENCE = 1e10  # they take at most this many nanoseconds
_BATCH = 64  # candidates evaluated at a time by lazy greedy

Key = tuple[float, float]  # a value and what decides between equal ones


def search(
    function: SetFunction, k: int, pinned: Sequence[int], free: Sequence[int], limits: Limits | None = None
) -> list[int]:
    """Best of greedy and swaps for `function`: `k` members, `pinned` among them, the others from `free`.

    They start from greedy's own first language and, as far as size allows, from other starts.
    """
    bounds = Limits.none(function.size) if limits is None else limits
    first = greedy(function, k, pinned, free, bounds)
    if function.modular and not bounds:
        return first
    best = swap(function, first, pinned, free, bounds)
    if k - len(pinned) <= 1 or k == len(pinned) + len(free):
        return best
    for start in _starts(function, k, pinned, free, bounds):
        rival = swap(function, start, pinned, free, bounds)
        if _beats(_key(function, rival), _key(function, best)):
            best = rival
    return best


def _starts(
    function: SetFunction, k: int, pinned: Sequence[int], free: Sequence[int], limits: Limits
) -> Iterator[list[int]]:
    """Greedy from other first languages, evenly spaced over the frame, and between them random sets."""
    number = min(_STARTS, len(free), int(_WORK / function.work(k)))
    rng = np.random.default_rng(0)
    for i, first in enumerate(free[:: -(-len(free) // number)] if number else ()):
        order = [int(j) for j in rng.permutation(free)]
        if i % 2:
            yield fill(pinned, k, order, limits)
        elif complete([*pinned, first], k, free, limits) is not None:
            yield greedy(function, k, [*pinned, first], free, limits)


def greedy(
    function: SetFunction,
    k: int,
    pinned: Sequence[int],
    free: Sequence[int],
    limits: Limits | None = None,
    lazy: bool = True,
) -> list[int]:
    """`pinned` and then, one at a time, the language of `free` that helps most, up to `k`; sorted.

    `rank` gives them in the order of choice. Submodular functions are evaluated lazily (Minoux 1978), with the same
    answer.
    """
    return sorted(rank(function, k, pinned, free, limits, lazy))


def rank(
    function: SetFunction,
    k: int,
    pinned: Sequence[int],
    free: Sequence[int],
    limits: Limits | None = None,
    lazy: bool = True,
) -> list[int]:
    """Members that `greedy` chooses, in the order of choice: `pinned` first, `k` in all."""
    bounds = Limits.none(function.size) if limits is None else limits
    chosen = list(pinned)
    gains = np.full(function.size, np.inf) if lazy and function.submodular else None
    rest = np.asarray(free, dtype=np.intp)
    while len(chosen) < k:
        rest = rest[bounds.room(chosen)[rest] & ~np.isin(rest, chosen)]  # what has no room now never has it later
        best = _next(function, chosen, rest, gains)
        if bounds and complete([*chosen, best], k, rest.tolist(), bounds) is None:
            rest = rest[rest != best]
            continue
        chosen.append(best)
    return chosen


def _next(function: SetFunction, chosen: list[int], rest: Index, gains: Vector | None) -> int:
    """The language of `rest` that helps most. `gains` [n] bound what each can add, and are brought up to date."""
    if gains is None:
        values, ties = function.with_each(chosen, rest)
        return int(rest[_first_best(values, ties)])
    now = function.value(chosen)
    values, ties = np.full(function.size, -np.inf), np.full(function.size, -np.inf)
    stale = rest
    while True:
        reach = values[rest].max() - now
        stale = stale[gains[stale] >= reach - 2 * _EQUAL]  # the others cannot be the best, nor as good
        if not len(stale):
            return int(rest[_first_best(values[rest], ties[rest])])
        order = stale[np.argsort(-gains[stale], kind="stable")]
        due = np.sort(order[: max(_BATCH, int(np.isinf(gains[stale]).sum()))])
        values[due], ties[due] = function.with_each(chosen, due)
        gains[due] = values[due] - now
        stale = stale[np.isinf(values[stale])]


def swap(
    function: SetFunction,
    start: Sequence[int],
    pinned: Sequence[int],
    free: Sequence[int],
    limits: Limits | None = None,
) -> list[int]:
    """Exchange one member of `start` for one of `free`, again and again while that helps. Never worse than `start`."""
    bounds = Limits.none(function.size) if limits is None else limits
    chosen = sorted(start)
    for _ in range(max(1, min(_PASSES, int(_PATIENCE / function.work(len(chosen)))))):
        better = _pass(function, chosen, pinned, free, bounds)
        if better == chosen:
            break
        chosen = better
    return chosen


def _pass(
    function: SetFunction, chosen: list[int], pinned: Sequence[int], free: Sequence[int], limits: Limits
) -> list[int]:
    """The best exchange of every member, the most helpful first, each made if it helps after those before it."""
    allowed = np.zeros(function.size, dtype=bool)
    allowed[list(free)] = True
    allowed[chosen] = False
    current, key = chosen, _key(function, chosen)
    values, ties = function.exchanges(chosen)
    values = np.where(allowed & limits.exchangeable(chosen), values, -np.inf)
    into = _first_best(values, ties)  # (k,)
    offers = [((values[out, j], ties[out, j]), chosen[out], j) for out, j in enumerate(into.tolist())]
    helpful = [offer for offer in offers if offer[1] not in pinned and _beats(offer[0], key)]
    for _, out, entrant in sorted(helpful, key=lambda offer: (-offer[0][0], -offer[0][1], *offer[1:])):
        rival = sorted([*(i for i in current if i != out), entrant])
        if entrant in current or not limits.hold(rival):
            continue
        rival_key = _key(function, rival)
        if _beats(rival_key, key):
            current, key = rival, rival_key
    return current


def _key(function: SetFunction, chosen: Sequence[int]) -> Key:
    return function.value(chosen), function.second(chosen)


def _first_best(values: NDArray[np.float64], ties: NDArray[np.float64]) -> NDArray[np.intp]:
    """In each row [..., n] the place of the best value; among equal ones of the best tie; among those the first."""
    best = values.max(axis=-1, keepdims=True)
    ties = np.where(values >= best - _slack(best), ties, -np.inf)
    best = ties.max(axis=-1, keepdims=True)
    return np.asarray((ties >= best - _slack(best)).argmax(axis=-1))


def _beats(one: Key, other: Key) -> bool:
    if abs(one[0] - other[0]) > _EQUAL * max(1.0, abs(other[0])):
        return one[0] > other[0]
    return one[1] > other[1] + _EQUAL * max(1.0, abs(other[1]))


def _slack(best: NDArray[np.float64]) -> NDArray[np.float64]:
    return _EQUAL * np.maximum(1.0, np.where(np.isfinite(best), np.abs(best), 0.0))
