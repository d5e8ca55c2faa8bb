"""Feasibility: complete a partial choice within the limits by counting, then greedily, then by HiGHS; and how many
choices there are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from selector.solvers.limits import ROUNDING, Limits

MOST_STATES = 4_000  # sums told apart in counting: at most some seconds


def complete(chosen: Sequence[int], k: int, free: Sequence[int], limits: Limits) -> list[int] | None:
    """k members within the limits, `chosen` and then languages of `free`; None where there are none.

    The cheapest first suffices for quotas alone and for a budget alone; where both bind, an integer program decides.
    """
    rest = np.setdiff1d(np.asarray(free, dtype=np.intp), np.asarray(chosen, dtype=np.intp))
    wanted = k - len(chosen)
    if wanted < 0 or len(rest) < wanted or not limits.hold(chosen):
        return None
    if not limits:
        return sorted([*chosen, *rest[:wanted].tolist()])
    if _short(chosen, wanted, rest, limits):
        return None
    return _cheapest(chosen, k, rest, limits) or _solve_program(chosen, k, rest, limits)


def fill(chosen: Sequence[int], k: int, order: Sequence[int], limits: Limits) -> list[int]:
    """`chosen` and then the first of `order` that still leave a way to k members within the limits."""
    taken = list(chosen)
    for place, i in enumerate(order):
        if len(taken) == k:
            break
        if i in taken or (limits and complete([*taken, i], k, order[place:], limits) is None):
            continue  # what does not fit now never fits later
        taken.append(i)
    return sorted(taken)


def _short(chosen: Sequence[int], wanted: int, rest: np.ndarray, limits: Limits) -> bool:
    """True if even the cheapest `wanted` languages exceed some limit."""
    least = np.sort(limits.weights[:, rest], axis=1)[:, :wanted].sum(axis=1)  # (m,)
    return bool((least > limits.remainder(chosen) + ROUNDING).any())


def _cheapest(chosen: Sequence[int], k: int, rest: np.ndarray, limits: Limits) -> list[int] | None:
    """Choice of the cheapest languages first, where they have room, by the sum of their shares in all limits."""
    share = (limits.weights / np.maximum(limits.most, 1e-12)[:, None])[:, rest].sum(axis=0)
    taken = list(chosen)
    left = limits.remainder(taken)
    for i in rest[np.argsort(share, kind="stable")].tolist():
        if len(taken) == k:
            break
        if (limits.weights[:, i] <= left + ROUNDING).all():
            taken.append(i)
            left = left - limits.weights[:, i]
    return sorted(taken) if len(taken) == k else None


def _solve_program(chosen: Sequence[int], k: int, rest: np.ndarray, limits: Limits) -> list[int] | None:
    """Same question as an integer program, for which any feasible point is an answer."""
    from selector.solvers import program  # SciPy's optimizer takes a third of a second to import

    candidates = program.Candidates.of(k, chosen, rest.tolist(), limits)
    found = program.Program(candidates).solve(program.Effort())
    return None if found.chosen is None else candidates.index[found.chosen].tolist()


def count_choices(chosen: Sequence[int], sizes: tuple[int, int], free: Sequence[int], limits: Limits) -> int | None:
    """Number of the choices of `sizes` members, from the least to the most, that hold `chosen`, the rest from `free`,
    within the limits.

    None where the limits take too many different sums to count with.
    """
    rest = [i for i in free if i not in chosen]
    least, most = (size - len(chosen) for size in sizes)
    if most < 0 or not limits.hold(chosen):
        return 0
    if not limits:
        return sum(math.comb(len(rest), size) for size in range(max(0, least), most + 1))
    weights, left = limits.weights, limits.remainder(chosen)
    rest.sort(key=lambda i: tuple(weights[:, i] > 0))  # one group after another: a full quota is soon forgotten
    ways = Counter({(0, (0.0,) * len(left)): 1})  # (members, sums of the limits) → choices
    for place, i in enumerate(rest):
        later = weights[:, rest[place + 1 :]]
        matters = weights[:, rest].sum(axis=1) > left + ROUNDING
        matters &= later.sum(axis=1) > 0
        ways = _counted_with(ways, weights[:, i], left, matters, most)
        if len(ways) > MOST_STATES:
            return None
    return sum(number for (size, _), number in ways.items() if size >= least)


def _counted_with(
    ways: Counter[tuple[int, tuple[float, ...]]],
    taken: np.ndarray,
    left: np.ndarray,
    matters: np.ndarray,
    most: int,
) -> Counter[tuple[int, tuple[float, ...]]]:
    """The counts with one language more to choose from, which takes `taken` [m] of what is `left` [m]."""
    found: Counter[tuple[int, tuple[float, ...]]] = Counter()
    for (size, sums), number in ways.items():
        for more in (0, 1):
            after = np.asarray(sums) + more * taken
            if size + more <= most and (after <= left + ROUNDING).all():
                found[size + more, tuple(np.where(matters, after, 0.0).round(9).tolist())] += number
    return found
