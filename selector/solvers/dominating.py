"""Dominating sets of the threshold graph: languages are nodes, an edge joins two languages within a radius."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from selector.solvers.limits import Limits

if TYPE_CHECKING:  # networkx takes a third of a second to import: only who draws a graph pays for it
    import networkx as nx

Matrix = NDArray[np.float64]

_NEAR = 0.1  # share of pairs that are within the usual radius
_PAIRS = 2_000_000  # more are thinned out evenly before their quantile is taken
_PRECISION = 1e-4  # of the largest distance: where bisection of a radius ends


def threshold_graph(d: Matrix, radius: float) -> nx.Graph:
    """Graph with nodes 0 to n - 1 and an edge where `d` [n, n] is at most `radius`; its weight is the distance."""
    import networkx as nx

    graph: nx.Graph = nx.Graph()
    graph.add_nodes_from(range(len(d)))
    for i, j in np.argwhere(np.triu(d <= radius, 1)).tolist():
        graph.add_edge(i, j, weight=float(d[i, j]))
    return graph


def dominate(
    covers: NDArray[np.bool_], k: int, pinned: Sequence[int], free: Sequence[int], limits: Limits
) -> list[int] | None:
    """At most `k` candidates that together cover every target, `pinned` among them; None where greedy finds none.

    `covers` [n, m] holds the edges of the threshold graph from candidates to targets. Greedy: the candidate with the
    most uncovered targets first (at most ln m times the smallest set: Chvátal 1979); of equals the first.
    """
    chosen = list(pinned)
    bare = ~covers[chosen].any(axis=0)  # (m,), not yet covered
    counts = covers.sum(axis=1) - covers[:, ~bare].sum(axis=1)  # (n,), of the uncovered that each would cover
    allowed = np.zeros(len(covers), dtype=bool)
    allowed[list(free)] = True
    while bare.any():
        counts_now = np.where(allowed & limits.room(chosen), counts, 0)
        best = int(counts_now.argmax())
        if len(chosen) >= k or not counts_now[best]:
            return None
        chosen.append(best)
        allowed[best] = False
        fresh = covers[best] & bare
        counts -= covers[:, fresh].sum(axis=1)
        bare &= ~fresh
    return sorted(chosen)


def smallest_radius(
    reach: Matrix, k: int, pinned: Sequence[int], free: Sequence[int], limits: Limits | None = None
) -> tuple[float, list[int]]:
    """A small radius at which k candidates dominate, and such candidates, by bisection; `reach` is [n, m].

    The radius is the farthest that a target is from the answer. Where no answer is found, all pinned at any radius.
    """
    bounds = Limits.none(len(reach)) if limits is None else limits
    low, high = 0.0, float(reach.max())
    precision = _PRECISION * high
    answer = dominate(reach <= high, k, pinned, free, bounds) or list(pinned)
    while high - low > precision:
        middle = (low + high) / 2
        found = dominate(reach <= middle, k, pinned, free, bounds)
        if found is None:
            low = middle
        else:
            answer, high = found, float(reach[found].min(axis=0).max())
    return high, answer


def usual_radius(far: Matrix) -> float:
    """Distance that a tenth of all pairs of target and candidate do not exceed; `far` [m, n] are their distances.

    A language is not paired with itself.
    """
    m, n = far.shape
    rows = np.arange(0, m, -(-m * n // _PAIRS))
    pairs = far[rows]
    if m == n and not np.diag(far).any():  # the frame serves itself
        pairs = pairs[np.arange(n) != rows[:, None]]
    return float(np.quantile(pairs, _NEAR)) if pairs.size else 0.0
