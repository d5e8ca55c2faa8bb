"""Distances between languages as a value: the form of `realingo distances --json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy import float64
from numpy.typing import NDArray

from search.results.json_reader import Json, frame
from selector.constraints import check_radius
from selector.languages.language import parse
from selector.solvers import dominating

if TYPE_CHECKING:
    from networkx import Graph
    from pandas import DataFrame


@dataclass(frozen=True, eq=False)
class DistanceTable:
    """Pairwise distances of n languages."""

    metric: str
    languages: tuple[str, ...]  # [n], codes in the order they were given
    matrix: NDArray[float64]  # [n, n], symmetric, 0 to 1 for the built-in metrics
    observed: NDArray[float64]  # [n], share of the metric's features that some source observed

    def to_json(self) -> Json:
        return {
            "metric": self.metric,
            "languages": list(self.languages),
            "matrix": self.matrix.tolist(),
            "observed": self.observed.tolist(),
        }

    def to_dataframe(self) -> DataFrame:
        """The matrix, codes as rows and columns. RunError: pandas is not installed."""
        lines = zip(self.languages, self.matrix.tolist(), strict=True)
        return frame([{"code": code, **dict(zip(self.languages, line, strict=True))} for code, line in lines], "code")

    def to_graph(self, radius: float | None = None) -> Graph:
        """The languages as a networkx graph, with an edge between any two that are at most `radius` apart.

        `radius` is in the unit of the matrix; None: the distance that a tenth of all pairs do not exceed, as the
        strategy "coverage" has it. Nodes are codes with a `name`, edges have the distance as `weight`. A set of
        languages covers all others where `networkx.is_dominating_set` is true. InputError: `radius` is no distance.
        """
        import networkx

        check_radius(radius)
        graph = dominating.threshold_graph(
            self.matrix, dominating.usual_radius(self.matrix) if radius is None else radius
        )
        networkx.set_node_attributes(graph, dict(enumerate(parse(code).name for code in self.languages)), "name")
        return networkx.relabel_nodes(graph, dict(enumerate(self.languages)))
