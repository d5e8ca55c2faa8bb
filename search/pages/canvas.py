"""How a picture is drawn: one look for all, as plotly figures (the one importer of plotly). What is drawn: `plots`.

Text that comes from data goes through `plain`, because plotly reads a little HTML in labels. Colours are those of Okabe
and Ito (2008), told apart with any common colour vision; shapes repeat what colours say, so that a print in grey
still reads.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

BLUE, ORANGE, RED, GREEN = "#0072B2", "#E69F00", "#D55E00", "#009E73"
INK, GREY, LIGHT, FAINT, LAND = "#1f2328", "#7d858d", "#c9ced3", "#e9ecee", "#edebe4"
FONT = "Inter, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"
LINE = 19  # pixels a language takes in a list
CARD = 470  # pixels of height a card of the dashboard shows
LETTER = 7.2  # pixels a letter takes in a name
HEAD = 110  # pixels of a figure that are not its rows: legend and axis

Look = Mapping[str, object]  # a plotly marker or line
Span = tuple[str, float, float, float]  # label, value, low, high


@dataclass(frozen=True)
class Plot:
    """A figure with what it shows (`finding`, one sentence) and how to read it (`reading`)."""

    name: str  # a valid HTML id
    finding: str
    reading: str
    figure: go.Figure

    def fragment(self) -> str:
        """The figure as HTML without its title, for a page that holds plotly.js once."""
        options = {"displaylogo": False, "responsive": True, "displayModeBar": False}
        return str(self.figure.to_html(full_html=False, include_plotlyjs=False, div_id=self.name, config=options))

    def titled(self) -> go.Figure:
        """A copy that carries its finding as title and fits a card of the dashboard, which has no caption."""
        lines = wrap(plain(self.finding), 72, break_long_words=False)
        title = {"text": "<br>".join(lines), "x": 0.02, "y": 1, "yanchor": "top", "pad": {"t": 26}}
        rows = len(self.figure.layout.yaxis.categoryarray or ())
        size = min(13.0, max(7.0, 0.8 * (CARD - 150) / max(rows, 1)))
        copy = go.Figure(self.figure).update_layout(
            title={**title, "font": {"size": 14}},
            margin_t=60 + 18 * len(lines),
            height=CARD,
            modebar={
                "orientation": "v",
                "remove": ["zoom", "pan", "select", "lasso", "zoomIn", "zoomOut", "autoScale"],
            },
        )
        return copy.update_yaxes(tickfont_size=size)


def library() -> str:
    """The text of plotly.js."""
    return str(get_plotlyjs())


def plain(text: str) -> str:
    """Text from data, with what plotly would read as markup made harmless."""
    return html.escape(text, quote=False)


class Canvas:
    """A figure in the making, of one panel or of several side by side that share their rows."""

    def __init__(self, panels: int = 1) -> None:
        self._figure = make_subplots(1, panels, shared_yaxes=True, horizontal_spacing=0.04)
        self._left = 60.0
        self._zero = False

    def line(self, x: Sequence[Any], y: Sequence[Any], look: Look, label: str = "") -> None:
        """A line without hover; None parts it, so that many pieces stay one trace and the page fast."""
        self._add(1, x, y, name=label, mode="lines", line=dict(look), hoverinfo="skip", showlegend=bool(label))

    def dots(
        self, x: Sequence[Any], y: Sequence[Any], label: str, look: Look, tip: str = "", text: Sequence[str] = ()
    ) -> None:
        """Marks; `tip` is plotly's hover template (none without it) over `text`, which must be `plain`."""
        hover = {"hovertemplate": f"{tip}<extra></extra>"} if tip else {"hoverinfo": "skip"}
        more = {"text": list(text)} if text else {}
        self._add(1, x, y, name=label, mode="markers", marker=dict(look), cliponaxis=False, **hover, **more)

    def names(
        self, x: Sequence[float], y: Sequence[float], text: Sequence[str], sides: Sequence[str], look: Look
    ) -> None:
        """Words in the plane, each on its side of its place ("top center", "middle right", …)."""
        words = {"text": list(text), "textposition": list(sides), "textfont": dict(look)}
        mark = {"size": 14, "opacity": 0}  # plotly keeps words clear of marks only where there are marks
        self._add(
            1, x, y, mode="markers+text", marker=mark, hoverinfo="skip", showlegend=False, cliponaxis=False, **words
        )

    def whiskers(self, spans: Sequence[Span], label: str, look: Look, panel: int = 1, tips: Sequence[str] = ()) -> None:
        """Values with their intervals, one row each."""
        self._add(
            panel,
            [round(value, 3) for _, value, _, _ in spans],
            [row for row, *_ in spans],
            error_x={
                "array": [round(high - value, 3) for _, value, _, high in spans],
                "arrayminus": [round(value - low, 3) for _, value, low, _ in spans],
                "thickness": 1.6,
                "width": 0,
            },
            name=label,
            mode="markers",
            marker=dict(look),
            showlegend=bool(label),
            text=[
                f"{value:.1f} ({low:.1f} to {high:.1f}){tip}"
                for (_, value, low, high), tip in zip(spans, tips or [""] * len(spans), strict=True)
            ],
            hovertemplate="%{y}: %{text}<extra></extra>",
        )

    def area(self, x: Sequence[Any], y: Sequence[Any], colour: str) -> None:
        look = {"fill": "toself", "fillcolor": colour, "line": {"width": 0}}
        self._add(1, x, y, mode="lines", hoverinfo="skip", showlegend=False, **look)

    def rows(self, order: Sequence[str], zero: bool = False) -> None:
        """Name the rows from the bottom up; `zero` draws the line where nothing is gained."""
        self._figure.update_yaxes(categoryorder="array", categoryarray=list(order))
        self._figure.update_yaxes(range=[-0.7, len(order) - 0.3])
        longest = max(len(re.sub("<.*?>|&(.).*?;", r"\1", name)) for name in order)
        self._left = 14 + LETTER * longest  # plotly's own margin loses the names where panels share them
        self._zero = zero

    def heading(self, x: str, panel: int = 1, y: str = "") -> None:
        """What an axis shows, with its unit."""
        self._figure.update_xaxes(title=x, row=1, col=panel)
        self._figure.update_yaxes(title=y, row=1, col=panel)

    def plane(
        self, x: tuple[float, float] | None = None, y: tuple[float, float] | None = None, tall: float = 1
    ) -> None:
        """No grid and no numbers: only places count. `tall` is how much longer a unit of y is drawn than one of x."""
        bare = {"showgrid": False, "showticklabels": False, "zeroline": False, "showline": False}
        self._figure.update_xaxes(**bare, range=x)
        self._figure.update_yaxes(**bare, range=y, scaleanchor="x", scaleratio=tall)

    def plot(self, name: str, finding: str, reading: str, height: int) -> Plot:
        """The finished picture, `height` pixels tall."""
        self._figure.update_layout(
            height=height,
            template="none",
            font={"family": FONT, "size": 13, "color": INK},
            margin={"l": self._left, "r": 20, "t": 40, "b": 50},
            legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left", "itemsizing": "trace"},
            hoverlabel={"bgcolor": "white", "bordercolor": GREY, "font": {"family": FONT, "size": 13, "color": INK}},
            paper_bgcolor="white",
            plot_bgcolor="white",
        )
        look = {"gridcolor": FAINT, "linecolor": LIGHT, "title_font_size": 13, "zeroline": False}
        self._figure.update_xaxes(**look)
        self._figure.update_yaxes(**look)
        if self._zero:
            self._figure.update_xaxes(zeroline=True, zerolinecolor=INK, rangemode="tozero")
            self._figure.update_xaxes(matches="x", selector=lambda axis: axis.anchor != "y")
        return Plot(name, finding, reading, self._figure)

    def _add(self, panel: int, x: Sequence[Any], y: Sequence[Any], **look: Any) -> None:
        self._figure.add_trace(go.Scatter(x=list(x), y=list(y), **look), row=1, col=panel)
