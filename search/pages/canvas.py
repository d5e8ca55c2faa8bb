"""A figure with its words, and the two ways of drawing it: static SVG for our pages, plotly for Optuna's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from search.pages import svg_plane, svg_rows
from search.pages.charts import Chart, ChartRows, Map

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Plot:
    """A figure with what it shows (`finding`, one sentence) and how to read it (`reading`)."""

    name: str  # a valid HTML id
    finding: str
    reading: str
    chart: Chart

    def fragment(self) -> Markup:
        """The figure as HTML without its title. It needs the style sheet `figures.css`, and no script."""
        if isinstance(self.chart, ChartRows):
            drawn = svg_rows.draw(self.chart)
        else:
            drawn = svg_plane.world_map(self.chart) if isinstance(self.chart, Map) else svg_plane.plane(self.chart)
        label = escape(self.finding)
        return Markup(f'<div class="chart" id="{escape(self.name)}" role="group" aria-label="{label}">{drawn}</div>')

    def titled(self) -> go.Figure:
        """The figure in plotly, under its finding as title."""
        from search.pages import plotly_figures  # slow to import, and only Optuna's pages need it

        return plotly_figures.draw(self.chart, self.finding)
