"""Random choice in strata: as even over the groups as the pool and the limits allow (Rijkhoff et al. 1993)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from numpy.random import Generator

from selector.feasible import complete
from selector.language import Language
from selector.problem import Problem


def stratified(problem: Problem, group: Callable[[Language], str], rng: Generator) -> list[int]:
    """Random, always from a group that was used least; the source's own group counts once where the source counts."""
    order = [int(i) for i in rng.permutation(problem.free)]
    label = {i: group(problem.frame[i]) for i in (*problem.pinned, *order)}
    chosen = list(problem.pinned)
    used = Counter(label[i] for i in chosen)
    if problem.source is not None and problem.counts_source(True):
        used[group(problem.source)] += 1
    while len(chosen) < problem.k:
        best = min(order, key=lambda i: used[label[i]])  # the first of the least used
        order.remove(best)
        if problem.limits and complete([*chosen, best], problem.k, order, problem.limits) is None:
            continue  # what does not fit now never fits later
        chosen.append(best)
        used[label[best]] += 1
    return sorted(chosen)
