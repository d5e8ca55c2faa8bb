"""A list of rows as HTML with a small SVG in each cell: names keep their size, cells take the width there is."""

from __future__ import annotations

from markupsafe import escape

from search.pages.charts import ChartRow, ChartRows, Mark, looks
from search.pages.svg_marks import along, legend, mark, padded, step_of, tick_label, ticks, titled


def draw(chart: ChartRows) -> str:
    """The legend, the headings, a line for each row, and the axes."""
    panels = range(len(chart.headings))
    axes = [padded(*chart.extent(panel), 0.04) for panel in panels]
    marked = [ticks(*axis) for axis in axes]
    heads = "".join(f'<div class="heading">{escape(head)}</div>' for head in chart.headings)
    grids = [_grid(chart, at, axis) for at, axis in zip(marked, axes, strict=True)]
    lines = "".join(_row(row, axes, grids) for row in chart.rows)
    feet = "".join(_axis(chart, at, axis) for at, axis in zip(marked, axes, strict=True))
    body = f'<div class="corner"></div>{heads}{lines}<div class="corner"></div>{feet}'
    return f'{legend(looks(chart.marks()))}<div class="rows p{len(panels)}">{body}</div>'


def _row(row: ChartRow, axes: list[tuple[float, float]], grids: list[str]) -> str:
    strong = " strong" if row.strong else ""
    cells = "".join(
        f'<svg class="cell">{titled(_tip(row, cell))}{grid}{"".join(_draw(each, axis) for each in cell)}</svg>'
        for cell, axis, grid in zip(row.cells, axes, grids, strict=True)
    )
    return f'<div class="name{strong}">{escape(row.name)}</div>{cells}'


def _tip(row: ChartRow, cell: tuple[Mark, ...]) -> str:
    tips = [mark.tip for mark in cell if mark.tip]
    return "\n".join([row.name, *tips]) if tips else ""


def _draw(each: Mark, axis: tuple[float, float]) -> str:
    line = ""
    if each.span is not None:
        low, high = (along(end, axis) for end in each.span)
        line = f'<line class="k-{each.look.colour} line" x1="{low}" x2="{high}" y1="50%" y2="50%"/>'
    return line + mark(each.look, along(each.x, axis), "50%")


def _grid(chart: ChartRows, at: list[float], axis: tuple[float, float]) -> str:
    """The lines at the ticks, in every cell of a panel."""
    kinds = ["zero" if chart.zero and abs(value) < 1e-9 else "grid" for value in at]
    places = [along(value, axis) for value in at]
    return "".join(
        f'<line class="{kind}" x1="{place}" x2="{place}" y2="100%"/>' for kind, place in zip(kinds, places, strict=True)
    )


def _axis(chart: ChartRows, at: list[float], axis: tuple[float, float]) -> str:
    step = step_of(at)
    middle = min(range(len(at)), key=lambda i: abs(at[i]))  # every second from here stays where there is no room
    texts = [
        f'<text class="{"t" if (i - middle) % 2 == 0 else "t odd"}" x="{along(value, axis)}" y="15">'
        f"{tick_label(value, step, chart.zero)}</text>"
        for i, value in enumerate(at)
    ]
    return f'<svg class="axis">{"".join(texts)}</svg>'
