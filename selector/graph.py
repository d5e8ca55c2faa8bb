"""The graph view: languages are nodes, an edge joins two within a radius. Covering the frame = dominating the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # networkx takes a third of a second to import: only who draws a graph pays for it
    import networkx as nx

Matrix = NDArray[np.float64]


def threshold_graph(d: Matrix, radius: float) -> nx.Graph:
    """Nodes 0..n-1; an edge where d ≤ radius, weighted with the distance."""
    import networkx as nx

    graph: nx.Graph = nx.Graph()
    graph.add_nodes_from(range(len(d)))
    for i, j in np.argwhere(np.triu(d <= radius, 1)).tolist():
        graph.add_edge(i, j, weight=float(d[i, j]))
    return graph


def dominate(graph: nx.Graph, k: int, pinned: Sequence[int], free: Sequence[int]) -> list[int] | None:
    """At most k nodes whose closed neighbourhoods hold every node, `pinned` among them; None where greedy finds none.

    Greedy, the most uncovered neighbours first (at most ln n times the smallest set: Chvátal 1979), ties by node.
    """
    chosen = list(pinned)
    uncovered = set(graph) - {near for node in chosen for near in (node, *graph[node])}
    while uncovered:
        rest = [node for node in free if node not in chosen]
        if len(chosen) >= k or not rest:
            return None
        best = max(rest, key=lambda node: (len(uncovered.intersection((node, *graph[node]))), -node))
        chosen.append(best)
        uncovered.difference_update((best, *graph[best]))
    return sorted(chosen)


def smallest_radius(d: Matrix, k: int, pinned: Sequence[int], free: Sequence[int]) -> tuple[float, list[int]]:
    """A small radius at which k nodes dominate, and such nodes: bisection over the distances that occur."""
    radii = np.unique(d)
    low, high = 0, len(radii) - 1  # at the largest distance every node covers all
    answer = dominate(threshold_graph(d, float(radii[high])), k, pinned, free) or []
    while low < high:
        middle = (low + high) // 2
        found = dominate(threshold_graph(d, float(radii[middle])), k, pinned, free)
        if found is None:
            low = middle + 1
        else:
            high, answer = middle, found
    return float(radii[high]), answer


def usual_radius(d: Matrix) -> float:
    """The distance within which a tenth of all pairs lie: the default meaning of "covers"."""
    pairs = d[np.triu_indices(len(d), 1)]
    return float(np.quantile(pairs, 0.1)) if len(pairs) else 0.0
