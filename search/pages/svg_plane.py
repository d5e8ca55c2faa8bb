"""Marks between two axes, and maps, as SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from markupsafe import escape

from search.pages.charts import FAR, ChartWord, Ground, Map, Mark, Plane, looks
from search.pages.svg_marks import along, legend, mark, padded, step_of, tick_label, ticks, titled

HEIGHT = 320  # pixels of the box between the axes
MARGIN = 14.0  # pixels around a map
LEAST = 0.84  # share of its width below which a map scrolls instead of shrinking: its letters stay above 11 pixels
GAP = 12.0  # pixels between a mark and its word


def plane(chart: Plane) -> str:
    """The legend, the box with its marks, and the axes; as wide as there is room, heights are fixed."""
    every = [*((mark.x, mark.y) for mark in chart.marks), *chart.steps]
    across = padded(min(x for x, _ in every), max(x for x, _ in every), 0.03)
    up = padded(min(y for _, y in every), max(y for _, y in every), 0.06)
    at_x = [value for value in ticks(*across) if value >= 0 or across[1] < 0]
    at_y = ticks(*up)

    def left(x: float) -> str:
        return along(x, across)

    def top(y: float) -> str:
        return f"{HEIGHT * (1 - (y - up[0]) / (up[1] - up[0])):.1f}"

    grid = "".join(f'<line class="grid" x2="100%" y1="{top(y)}" y2="{top(y)}"/>' for y in at_y)
    marks = "".join(f"<g>{titled(each.tip)}{mark(each.look, left(each.x), top(each.y))}</g>" for each in chart.marks)
    colour = f"k-{chart.line.colour} line" if chart.line else "grid"
    steps = "".join(
        f'<line class="{colour}" x1="{left(a)}" y1="{top(b)}" x2="{left(c)}" y2="{top(d)}"/>'
        for a, b, c, d in _corners(chart.steps)
    )
    rows = "".join(f'<text class="y" x="38" y="{top(y)}" dy=".35em">{_label(y, at_y)}</text>' for y in at_y)
    columns = "".join(f'<text class="t" x="{left(x)}" y="15">{_label(x, at_x)}</text>' for x in at_x)
    return (
        f"{legend(looks(iter(chart.marks)), lines=[chart.line] if chart.line and chart.line.label else [])}"
        f'<div class="plane"><div class="heading">{escape(chart.y)}</div>'
        f'<svg class="yaxis" height="{HEIGHT}">{rows}</svg>'
        f'<svg class="box" height="{HEIGHT}">{grid}{steps}{marks}</svg>'
        f'<div class="corner"></div><svg class="axis">{columns}</svg><div class="under">{escape(chart.x)}</div></div>'
    )


def _label(value: float, at: Sequence[float]) -> str:
    return tick_label(value, step_of(at))


def _corners(steps: Sequence[tuple[float, float]]) -> list[tuple[float, float, float, float]]:
    """The pieces of a line of steps, level and upright by turns; what goes on at one height is one piece."""
    kept = [here for i, here in enumerate(steps) if i in (0, len(steps) - 1) or here[1] != steps[i - 1][1]]
    pieces = []
    for (a, b), (c, d) in pairwise(kept):
        pieces.append((a, b, c, b))
        if d != b:
            pieces.append((c, b, c, d))
    return pieces


def world_map(chart: Map) -> str:
    """A map; it shrinks with its page until its letters would be too small, then it scrolls in its own box."""
    left, bottom, right, top = chart.box
    scale = (chart.width - 2 * MARGIN) / max(right - left, 1e-9)
    height = round((top - bottom) * scale + 2 * MARGIN)

    def at(x: float, y: float) -> tuple[float, float]:
        return MARGIN + (x - left) * scale, MARGIN + (top - y) * scale

    ground = "".join(_ground(each, at) for each in chart.ground)
    marks = "".join(_marked(each, *at(each.x, each.y)) for each in chart.marks)
    words = "".join(_word(each, *at(each.x, each.y)) for each in chart.words)
    plain = [look for look in looks(iter(chart.marks)) if look.colour not in FAR]
    return (
        f'{legend(plain, chart.scale)}<div class="scroll" tabindex="0"><svg class="map" '
        f'style="min-width:{round(LEAST * chart.width)}px" viewBox="0 0 {chart.width} {height}">'
        f"{ground}{marks}{words}</svg></div>"
    )


def _marked(each: Mark, x: float, y: float) -> str:
    return f"<g>{titled(each.tip)}{mark(each.look, f'{x:.1f}', f'{y:.1f}')}</g>"


def _ground(each: Ground, at: Callable[[float, float], tuple[float, float]]) -> str:
    drawn = []
    for outline in each.outlines:
        points = "L".join(f"{x:.1f} {y:.1f}" for x, y in (at(*point) for point in outline))
        drawn.append(f"M{points}{'' if each.kind == 'degrees' else 'Z'}")
    return f'<path class="{each.kind}" d="{"".join(drawn)}"/>'


def _word(each: ChartWord, x: float, y: float) -> str:
    anchor = {-1: "end", 0: "middle", 1: "start"}[each.across]
    down = {-1: GAP + 8, 0: 5, 1: 1 - GAP}[each.up]
    size = "word strong" if each.strong else "word"
    return (
        f'<text class="{size}" text-anchor="{anchor}" x="{x + GAP * each.across:.1f}" y="{y + down:.1f}">'
        f"{escape(each.text)}</text>"
    )
