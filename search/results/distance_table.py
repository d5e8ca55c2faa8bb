"""Distances between languages as a value: the form of `realingo distances --json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy import float64
from numpy.typing import NDArray

from search.results.json_reader import Json, frame

if TYPE_CHECKING:
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
        """The matrix, codes as rows and columns."""
        lines = zip(self.languages, self.matrix.tolist(), strict=True)
        return frame([{"code": code, **dict(zip(self.languages, line, strict=True))} for code, line in lines], "code")
