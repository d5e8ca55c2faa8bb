"""Figures as plotly draws them, for Optuna's pages (the one importer of plotly).

Text that comes from data goes through `plain`, because plotly reads a little HTML in labels.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from search.pages.charts import Chart, ChartRows, Look, Map, Mark, Plane, looks

COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "red": "#D55E00",
    "green": "#009E73",
    "ink": "#1f2328",
    "grey": "#7d858d",
    "light": "#c9ced3",
    "sea": "#f7f9fb",
    "land": "#edebe4",
    "degrees": "#e3e8ed",
    "far0": "#d5dae0",
    "far1": "#d7c6b6",
    "far2": "#d9b38c",
    "far3": "#c67f4c",
    "far4": "#b3450a",
}
FONT = "Inter, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"
FAINT = "#e9ecee"
SYMBOLS = {"cross": "x", "triangle": "triangle-up"}  # where plotly has another name
CARD = 470  # pixels of height a card of the dashboard shows
LETTER = 7.2  # pixels a letter takes in a name
ACROSS, UP = {-1: "left", 0: "center", 1: "right"}, {-1: "bottom", 0: "middle", 1: "top"}


def plain(text: str) -> str:
    """Text from data, with what plotly would read as markup made harmless."""
    return html.escape(text, quote=False).replace("\n", "<br>")


def draw(chart: Chart, title: str) -> go.Figure:
    """A figure that carries its title and fits a card of the dashboard, which has no caption."""
    drawn, left, size = _rows(chart) if isinstance(chart, ChartRows) else _flat(chart)
    lines = wrap(plain(title), 72, break_long_words=False)
    head = {"text": "<br>".join(lines), "x": 0.02, "y": 1, "yanchor": "top", "pad": {"t": 26}, "font": {"size": 14}}
    drawn.update_layout(
        title=head,
        height=CARD,
        template="none",
        font={"family": FONT, "size": 13, "color": COLOURS["ink"]},
        margin={"l": left, "r": 20, "t": 60 + 18 * len(lines), "b": 50},
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left", "itemsizing": "trace"},
        paper_bgcolor="white",
        plot_bgcolor="white",
        modebar={
            "orientation": "v",
            "remove": ["zoom", "pan", "select", "lasso", "zoomIn", "zoomOut", "autoScale"],
        },
    )
    look = {"gridcolor": FAINT, "linecolor": COLOURS["light"], "title_font_size": 13, "zeroline": False}
    drawn.update_xaxes(**look)
    drawn.update_yaxes(**look, tickfont_size=size)
    if isinstance(chart, ChartRows) and chart.zero:
        drawn.update_xaxes(zeroline=True, zerolinecolor=COLOURS["ink"], rangemode="tozero")
        drawn.update_xaxes(matches="x", selector=lambda axis: axis.anchor != "y")
    return drawn


def _rows(chart: ChartRows) -> tuple[go.Figure, float, float]:
    """Panels side by side, with the width of the names and the size of their letters."""
    drawn = make_subplots(1, len(chart.headings), shared_yaxes=True, horizontal_spacing=0.04)
    names = [f"<b>{plain(row.name)}</b>" if row.strong else plain(row.name) for row in chart.rows]
    named: set[str] = set()
    for panel, heading in enumerate(chart.headings):
        cells = [(name, mark) for name, row in zip(names, chart.rows, strict=True) for mark in row.cells[panel]]
        for look in looks(mark for _, mark in cells):
            part = [(name, mark) for name, mark in cells if mark.look == look]
            trace = _trace([mark for _, mark in part], [name for name, _ in part], look, f"{'%{y}'}<br>")
            shown = bool(look.label) and look.label not in named
            named.add(look.label)
            drawn.add_trace(go.Scatter(**trace, showlegend=shown), row=1, col=panel + 1)
        drawn.update_xaxes(title=heading, row=1, col=panel + 1)
    drawn.update_yaxes(categoryorder="array", categoryarray=names[::-1], range=[-0.7, len(names) - 0.3])
    longest = max((len(re.sub("<.*?>|&(.).*?;", r"\1", name)) for name in names), default=0)
    size = min(13.0, max(7.0, 0.8 * (CARD - 150) / max(len(names), 1)))
    return drawn, 14 + LETTER * longest, size


def _flat(chart: Plane | Map) -> tuple[go.Figure, float, float]:
    """Marks in a plane, with what lies under them and the words beside them."""
    drawn = go.Figure()
    if isinstance(chart, Map):
        _lay_ground(drawn, chart)
    elif chart.line is not None:
        line = {"color": COLOURS[chart.line.colour], "width": 1.5, "shape": "hv"}
        called = {"name": chart.line.label, "showlegend": bool(chart.line.label)}
        places = {"x": [x for x, _ in chart.steps], "y": [y for _, y in chart.steps]}
        drawn.add_trace(go.Scatter(**places, mode="lines", line=line, hoverinfo="skip", **called))
    named: set[str] = set()
    for look in looks(iter(chart.marks)):
        part = [mark for mark in chart.marks if mark.look == look]
        trace = _trace(part, [mark.y for mark in part], look)
        first = bool(look.label) and look.label not in named
        named.add(look.label)
        drawn.add_trace(go.Scatter(**trace, showlegend=first, cliponaxis=False))
    if isinstance(chart, Map):
        _write(drawn, chart)
    else:
        drawn.update_xaxes(title=chart.x)
        drawn.update_yaxes(title=chart.y)
    return drawn, 60, 13.0


def _lay_ground(drawn: go.Figure, chart: Map) -> None:
    """What lies under the marks; None parts the outlines, so that all of one kind stay one trace."""
    for ground in chart.ground:
        x, y = ([value for line in ground.outlines for value in (*(p[i] for p in line), None)] for i in (0, 1))
        look: dict[str, Any] = {"line": {"color": COLOURS[ground.kind], "width": 1}}
        if ground.kind != "degrees":
            look = {"fill": "toself", "fillcolor": COLOURS[ground.kind], "line": {"width": 0}}
        drawn.add_trace(go.Scatter(x=x, y=y, mode="lines", hoverinfo="skip", showlegend=False, **look))


def _write(drawn: go.Figure, chart: Map) -> None:
    """The words of a map, in two traces, and axes of which only places count."""
    for strong, look in (
        (False, {"size": 10, "color": COLOURS["grey"]}),
        (True, {"size": 13, "color": COLOURS["ink"]}),
    ):
        words = [word for word in chart.words if word.strong is strong]
        if words:
            text = {"text": [plain(word.text) for word in words], "textfont": look}
            sides = [f"{UP[word.up]} {ACROSS[word.across]}" for word in words]
            x, y = [word.x for word in words], [word.y for word in words]
            mark = {"size": 14, "opacity": 0}  # plotly keeps words clear of marks only where there are marks
            more = {"mode": "markers+text", "marker": mark, "textposition": sides, "hoverinfo": "skip"}
            drawn.add_trace(go.Scatter(x=x, y=y, showlegend=False, cliponaxis=False, **text, **more))
    bare = {"showgrid": False, "showticklabels": False, "zeroline": False, "showline": False}
    left, bottom, right, top = chart.box
    drawn.update_xaxes(**bare, range=(left, right))
    drawn.update_yaxes(**bare, range=(bottom, top), scaleanchor="x", scaleratio=1)


def _trace(marks: Sequence[Mark], y: Sequence[Any], look: Look, head: str = "") -> Mapping[str, Any]:
    """Marks of one look, with their intervals."""
    symbol = SYMBOLS.get(look.shape, look.shape) + ("-open" if look.hollow else "")
    edge = {"width": 1.6} if look.hollow else {"color": "white", "width": 0.8}
    trace: dict[str, Any] = {
        "x": [round(mark.x, 3) for mark in marks],
        "y": list(y),
        "name": look.label,
        "mode": "markers",
        "marker": {"color": COLOURS[look.colour], "size": look.size, "symbol": symbol, "line": edge},
    }
    if any(mark.tip for mark in marks):
        trace |= {"text": [plain(mark.tip) for mark in marks], "hovertemplate": f"{head}%{{text}}<extra></extra>"}
    else:
        trace |= {"hoverinfo": "skip"}
    if any(mark.span is not None for mark in marks):
        ends = [mark.span or (mark.x, mark.x) for mark in marks]
        up = [round(high - mark.x, 3) for mark, (_, high) in zip(marks, ends, strict=True)]
        down = [round(mark.x - low, 3) for mark, (low, _) in zip(marks, ends, strict=True)]
        trace["error_x"] = {"array": up, "arrayminus": down, "thickness": 1.6, "width": 0}
    return trace
