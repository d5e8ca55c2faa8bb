"""An atlas as one HTML file that needs no network and no script."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from search.pages import atlas
from search.pages.atlas import Atlas
from search.pages.canvas import Plot
from search.pages.charts import FAR, ChartWord, Ground, Look, Map, Mark
from search.pages.templates import fill_template

WIDTH = {"page": 1190, "report": 912}  # pixels
_TALLEST = 0.7  # of the width, where places follow distances
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))  # across, up: as in `atlas.around`
_LETTERS = {False: 8.0, True: 9.4}  # pixels across of a letter, of words that are strong or not
_MARGIN = 0.04  # of the box, around the marks of languages that lie by distance
Array = NDArray[np.float64]


def html(drawn: Atlas) -> str:
    """The whole page. Everything but our own figure is escaped."""
    served = Counter(each.code for each, pool in zip(drawn.relative, drawn.plain, strict=True) if pool)
    chosen = [(drawn.languages[i], served[drawn.languages[i].code]) for i in np.flatnonzero(drawn.chosen)]
    return fill_template("atlas.html.j2", atlas=drawn, chosen=chosen, figure=figure(drawn).fragment())


def figure(drawn: Atlas, name: str = "atlas", width: int = WIDTH["page"]) -> Plot:
    """The picture, `width` pixels wide; `name` is its id in a page. Its finding is the atlas's title."""
    box = _box(drawn)
    shown = np.flatnonzero(drawn.plain)[np.argsort(drawn.near[drawn.plain], kind="stable")]  # the far ones on top
    size = float(np.clip(110 / np.sqrt(max(1, drawn.chosen.sum())), 9, 16))
    marks = [
        *_pool(drawn, shown),
        *_marks(drawn, np.flatnonzero(drawn.placed & drawn.chosen), Look("chosen", "blue", size=size)),
        *_marks(drawn, np.flatnonzero(drawn.placed & drawn.held_out), Look("held out", "green", "triangle", 11)),
        *_marks(drawn, np.flatnonzero(drawn.placed & drawn.source), Look("source", "orange", "star", 19)),
    ]
    scale = "distance to the nearest chosen" if len(shown) else ""
    words = tuple(_words(drawn, box, width))
    ground = tuple(_ground()) if drawn.view == "world" else ()
    return Plot(name, drawn.title, drawn.note, Map(tuple(marks), words, ground, box, width, scale))


def _box(drawn: Atlas) -> tuple[float, float, float, float]:
    """Left, bottom, right and top of what is shown."""
    if drawn.view == "world":
        return (*atlas.globe().min(axis=0).tolist(), *atlas.globe().max(axis=0).tolist())
    spots = drawn.spots[drawn.placed] if drawn.placed.any() else np.zeros((1, 2))
    low, high = spots.min(axis=0), spots.max(axis=0)
    wide, tall = (max(float(each), 1e-6) for each in (high - low) * (1 + 2 * _MARGIN))
    wide = max(wide, tall / _TALLEST)  # a tall cloud gets room at its sides
    tall = max(tall, 0.3 * wide)
    middle = (low + high) / 2
    return (middle[0] - wide / 2, middle[1] - tall / 2, middle[0] + wide / 2, middle[1] + tall / 2)


def _ground() -> list[Ground]:
    """Sea, degrees and land."""

    def outlines(lines: list[Array]) -> tuple[tuple[tuple[float, float], ...], ...]:
        return tuple(tuple((round(float(x), 4), round(float(y), 4)) for x, y in line) for line in lines)

    return [
        Ground("sea", outlines([atlas.globe()])),
        Ground("degrees", outlines(atlas.graticule())),
        Ground("land", outlines(atlas.land())),
    ]


def _pool(drawn: Atlas, order: NDArray[np.intp]) -> list[Mark]:
    """The languages that are not chosen, shaded by their distance to the nearest that is."""
    size = float(np.clip(100 / np.sqrt(max(1, len(order))), 4, 10))
    farthest = float(drawn.near[order].max(initial=1e-9))
    looks = [Look("pool", colour, size=size) for colour in FAR]
    shade = [min(int(len(FAR) * drawn.near[i] / farthest), len(FAR) - 1) for i in order]
    return [mark for i, at in zip(order, shade, strict=True) for mark in _marks(drawn, np.array([i]), looks[at])]


def _marks(drawn: Atlas, which: NDArray[np.intp], look: Look) -> list[Mark]:
    return [Mark(look, *_spot(drawn, int(i)), _tip(drawn, int(i))) for i in which]


def _spot(drawn: Atlas, i: int) -> tuple[float, float]:
    return round(float(drawn.spots[i, 0]), 4), round(float(drawn.spots[i, 1]), 4)


def _tip(drawn: Atlas, i: int) -> str:
    each = drawn.languages[i]
    lines = [f"{each.name} ({each.code})", f"{each.family}, {each.genus}; script {each.script}"]
    if not drawn.chosen[i]:
        lines.append(f"nearest chosen: {drawn.relative[i].name}, distance {drawn.near[i]:.3f}")
    return "\n".join(lines)


def _words(drawn: Atlas, box: tuple[float, float, float, float], width: int) -> list[ChartWord]:
    """Names of the chosen and of the source; codes of others where they cover nothing. The tips tell all."""
    strong = (drawn.chosen | drawn.source) & drawn.placed
    order = [int(i) for i in np.argsort(~strong, kind="stable") if drawn.placed[i] and drawn.label(int(i))]
    if not order:
        return []
    scale = width / (box[2] - box[0])  # pixels a unit takes
    pixels = (drawn.spots - np.array(box[:2])) * scale
    words = [drawn.label(i) for i in order]
    sizes = np.array([[_LETTERS[bool(strong[i])] * len(word), 17.0] for i, word in zip(order, words, strict=True)])
    taken = [tuple(each) for each in atlas.boxes(pixels[strong], 6.0)]
    high, far = (box[3] - box[1]) * scale, 1e4
    taken += [(-far, -far, 0.0, far), (width, -far, far, far), (-far, -far, far, 0.0), (-far, high, far, far)]
    dots = atlas.boxes(pixels[drawn.plain], 3.0)
    weak = [bool(~strong[i]) for i in order]
    positions = atlas.place(pixels[order], sizes, atlas.around(sizes, 12.0), taken, dots, weak)
    return [
        ChartWord(word, *_spot(drawn, i), *_SIDES[position], not less)
        for i, word, position, less in zip(order, words, positions, weak, strict=True)
        if position >= 0
    ]
