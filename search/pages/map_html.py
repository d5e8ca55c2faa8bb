"""An atlas as one interactive HTML file that needs no network."""

from __future__ import annotations

from collections import Counter

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from search.pages import atlas
from search.pages import canvas as figures
from search.pages.atlas import Atlas
from search.pages.canvas import BLUE, GREEN, GREY, INK, LAND, ORANGE, Canvas, Plot, plain
from search.pages.templates import fill

_SHADES = [[0.0, "#d5dae0"], [0.5, "#d9b38c"], [1.0, "#b3450a"]]
_SEA, _LINE = "#f7f9fb", "#e3e8ed"
_HEIGHT = {"typology": 780, "world": 640}
_PIXELS = {"typology": (1100.0, 700.0), "world": (1190.0, 580.0)}  # of the marks on a common screen
_SIDES = (  # in the order of `map.around`
    *("middle right", "middle left", "top center", "bottom center"),
    *("top right", "bottom right", "top left", "bottom left"),
)


def html(drawn: Atlas) -> str:
    """The whole page. Everything but our own figure is escaped."""
    served = Counter(each.code for each, pool in zip(drawn.relative, drawn.plain, strict=True) if pool)
    chosen = [(drawn.languages[i], served[drawn.languages[i].code]) for i in np.flatnonzero(drawn.chosen)]
    picture, library = Markup(figure(drawn).fragment()), Markup(figures.library())
    return fill("atlas.html.j2", atlas=drawn, chosen=chosen, figure=picture, library=library)


def figure(drawn: Atlas, name: str = "atlas", height: int | None = None) -> Plot:
    """The picture, `height` pixels tall; `name` is its id in a page. Its finding is the atlas's title."""
    canvas = Canvas()
    if drawn.view == "world":
        _ground(canvas)
    _pool(canvas, drawn)
    size = float(np.clip(110 / np.sqrt(max(1, drawn.chosen.sum())), 9, 16))
    look = {"color": BLUE, "size": size, "line": {"color": "white", "width": 1.2}}
    _dots(canvas, drawn, drawn.placed & drawn.chosen, "chosen", look)
    triangle = {"color": GREEN, "size": 10, "symbol": "triangle-up"}
    _dots(canvas, drawn, drawn.placed & drawn.held_out, "held out", triangle)
    star = {"color": ORANGE, "size": 17, "symbol": "star", "line": {"color": INK, "width": 1}}
    _dots(canvas, drawn, drawn.placed & drawn.source, "source", star)
    _names(canvas, drawn)
    if drawn.view == "world":
        (left, bottom), (right, top) = atlas.globe().min(axis=0), atlas.globe().max(axis=0)
        canvas.plane(x=(left, right), y=(bottom, top))
    else:
        canvas.plane()
    return canvas.plot(name, drawn.title, drawn.note, height or _HEIGHT[drawn.view])


def _ground(canvas: Canvas) -> None:
    """Sea, degrees and land."""
    canvas.area(*_columns(atlas.globe()), _SEA)
    for line in atlas.graticule():
        canvas.line(*_columns(line), {"color": _LINE, "width": 1})
    x, y = zip(*(_columns(outline) for outline in atlas.land()), strict=True)
    parted = [[value for ring in axis for value in (*ring, None)] for axis in (x, y)]
    canvas.area(parted[0], parted[1], LAND)


def _pool(canvas: Canvas, drawn: Atlas) -> None:
    """The languages that are not chosen, shaded by their distance to the nearest that is; the far ones on top."""
    order = np.flatnonzero(drawn.plain)[np.argsort(drawn.near[drawn.plain], kind="stable")]
    size = float(np.clip(100 / np.sqrt(max(1, len(order))), 3.5, 9))
    bar = {
        "title": {"text": "distance to the nearest chosen", "side": "top", "font": {"size": 12, "color": GREY}},
        "orientation": "h",
        "thickness": 9,
        "len": 0.28,
        "x": 1.0,
        "xanchor": "right",
        "y": 1.0,
        "yanchor": "bottom",
        "outlinewidth": 0,
        "tickfont": {"size": 11, "color": GREY},
    }
    look = {
        "color": [round(float(value), 4) for value in drawn.near[order]],
        "colorscale": _SHADES,
        "cmin": 0.0,
        "cmax": float(drawn.near[drawn.plain].max(initial=1e-9)),
        "size": size,
        "line": {"color": "white", "width": 0.6 if size > 4 else 0.0},
        "colorbar": bar,
    }
    _dots(canvas, drawn, order, "pool", look)


def _dots(canvas: Canvas, drawn: Atlas, which: NDArray[np.intp] | NDArray[np.bool_], label: str, look: object) -> None:
    index = np.flatnonzero(which) if which.dtype == bool else which
    tips = [_tip(drawn, int(i)) for i in index]
    if tips:
        canvas.dots(*_columns(drawn.spots[index]), label, look, "%{text}", tips)  # type: ignore[arg-type]


def _tip(drawn: Atlas, i: int) -> str:
    each = drawn.languages[i]
    lines = [f"<b>{plain(each.name)}</b> ({each.code})", plain(f"{each.family}, {each.genus}; script {each.script}")]
    if not drawn.chosen[i]:
        lines.append(plain(f"nearest chosen: {drawn.relative[i].name}, distance {drawn.near[i]:.3f}"))
    return "<br>".join(lines)


def _names(canvas: Canvas, drawn: Atlas) -> None:
    """Names of the chosen and of the source; codes of others where they cover nothing. The tips tell all."""
    strong = (drawn.chosen | drawn.source) & drawn.placed
    order = [int(i) for i in np.argsort(~strong, kind="stable") if drawn.placed[i] and drawn.label(int(i))]
    if not order:
        return
    low, high = drawn.spots[drawn.placed].min(axis=0), drawn.spots[drawn.placed].max(axis=0)
    if drawn.view == "world":
        low, high = atlas.globe().min(axis=0), atlas.globe().max(axis=0)
    scale = min(_PIXELS[drawn.view] / np.maximum(high - low, 1e-9))  # pixels a unit takes: both axes share it
    pixels = (drawn.spots - low) * scale
    words = [drawn.label(i) for i in order]
    sizes = np.array([[7.4 * len(word), 16.0] for word in words])
    taken = [tuple(box) for box in atlas.boxes(pixels[strong], 6.0)]
    dots = atlas.boxes(pixels[drawn.plain], 3.0)
    weak = [bool(~strong[i]) for i in order]
    positions = atlas.place(pixels[order], sizes, atlas.around(sizes, 8.0), taken, dots, weak)
    for of_weak, look in ((False, {"size": 13, "color": INK}), (True, {"size": 10, "color": GREY})):
        part = [j for j, position in enumerate(positions) if position >= 0 and weak[j] is of_weak]
        if part:
            spots = drawn.spots[[order[j] for j in part]]
            sides = [_SIDES[positions[j]] for j in part]
            canvas.names(*_columns(spots), [plain(words[j]) for j in part], sides, look)


def _columns(spots: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    return [round(float(x), 4) for x in spots[:, 0]], [round(float(y), 4) for y in spots[:, 1]]
