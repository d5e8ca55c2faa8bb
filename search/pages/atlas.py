"""Where languages lie, by distance or on the globe, with a chosen subset marked. Drawn by `map_png`, `map_html`.

typology   near means alike under the metric: classical multidimensional scaling (Torgerson 1952)
world      where languages are spoken, in the Equal Earth projection (Šavrič, Patterson and Jenny 2018)
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from selector.languages.language import Language
from selector.problem import Problem
from selector.sources import features

Array = NDArray[np.float64]
VIEWS = ("typology", "world")

LANDMARKS = 600  # more languages than this are placed by their distances to so many of them
SOUTH, NORTH = -57.0, 84.0  # degrees of latitude that the world map shows
MOST_NAMES = 30  # more chosen languages than this are labelled by their codes
MOST_CODES = 80  # pool of which every language is labelled


@dataclass(frozen=True)
class Atlas:
    """Places of the frame and, last, of the source, with what is marked on them."""

    view: str  # one of VIEWS
    languages: tuple[Language, ...]  # [n]
    spots: Array  # [n, 2]; NaN where the place is unknown
    chosen: NDArray[np.bool_]  # [n]
    source: NDArray[np.bool_]  # [n], True once at most
    held_out: NDArray[np.bool_]  # [n], languages that a search never sees
    near: Array  # [n], distance to the nearest chosen language
    relative: tuple[Language, ...]  # [n], that language
    title: str
    note: str  # how to read it

    @property
    def placed(self) -> NDArray[np.bool_]:
        return np.asarray(np.isfinite(self.spots[:, 0]))

    @property
    def plain(self) -> NDArray[np.bool_]:
        """The languages that are neither chosen, nor the source, nor held out."""
        return self.placed & ~self.chosen & ~self.source & ~self.held_out

    def label(self, i: int) -> str:
        """The word beside a mark; "" where it would be one word too many."""
        if self.chosen[i] or self.source[i]:
            return self.languages[i].name if self.chosen.sum() <= MOST_NAMES else self.languages[i].code
        return self.languages[i].code if len(self.languages) <= MOST_CODES and self.view == "typology" else ""


def atlas(problem: Problem, chosen: Sequence[int], view: str, title: str, held_out: Collection[Language] = ()) -> Atlas:
    """One of the VIEWS of a problem's frame; `held_out` are those of it that a search never sees."""
    known = problem.source is not None
    languages = (*problem.frame, problem.source) if problem.source is not None else problem.frame
    spots, note = _world(languages) if view == "world" else _typology(problem)
    n = len(languages)
    near = _with_source(problem, chosen)  # (k, n)
    nearest = near.argmin(axis=0)
    return Atlas(
        view=view,
        languages=languages,
        spots=spots,
        chosen=np.isin(np.arange(n), chosen),
        source=(np.arange(n) == n - 1) & known,
        held_out=np.array([language in held_out for language in languages]),
        near=near[nearest, np.arange(n)],
        relative=tuple(problem.frame[chosen[j]] for j in nearest),
        title=title,
        note=f"{note} Distances: {problem.metric}.",
    )


def _with_source(problem: Problem, rows: Sequence[int]) -> Array:
    """Distances of some of the frame to all of it and, last, to the source [len(rows), n]."""
    inside = np.asarray(problem.distances.matrix[list(rows)], dtype=np.float64)
    if problem.to_source is None:
        return inside
    return np.column_stack([inside, problem.to_source[list(rows)]])


def _typology(problem: Problem) -> tuple[Array, str]:
    n = len(problem.frame)
    landmarks = list(range(0, n, -(-n // LANDMARKS)))  # evenly spaced over the codes
    rows = _with_source(problem, landmarks)
    if problem.to_source is not None:  # the source is always a landmark
        rows = np.vstack([rows, [*problem.to_source, 0.0]])
        landmarks.append(n)
    spots, share = scaled(rows, landmarks)
    return spots, f"Near means alike: two dimensions that keep {share:.0%} of the squared distances."


def scaled(rows: Array, landmarks: Sequence[int]) -> tuple[Array, float]:
    """Distances of l landmarks to n languages [l, n] → places [n, 2] and the share of the landmarks' variance kept.

    Landmark scaling (de Silva and Tenenbaum 2004); with every language a landmark it is the classical one. Signs are
    fixed, so that the same distances give the same picture.
    """
    squared = rows**2
    among = squared[:, list(landmarks)]
    mean = among.mean(axis=0)
    gram = -0.5 * (among - mean - mean[:, None] + mean.mean())
    values, vectors = np.linalg.eigh(gram)  # ascending
    values = np.maximum(values, 0.0)
    top = np.argsort(-values, kind="stable")[:2]
    scale = np.where(values[top] > 0, 1.0 / np.sqrt(np.where(values[top] > 0, values[top], 1.0)), 0.0)
    spots = np.zeros((rows.shape[1], 2))
    spots[:, : len(top)] = -0.5 * (squared - mean[:, None]).T @ (vectors[:, top] * scale)
    spots *= np.where(spots[np.abs(spots).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0)
    return spots, float(values[top].sum() / values.sum()) if values.sum() > 0 else 1.0


def _world(languages: Sequence[Language]) -> tuple[Array, str]:
    north, east = features.degrees(languages).T
    lost = int(np.isnan(east).sum())
    left_out = f" Left out for want of coordinates: {lost}." if lost else ""
    return equal_earth(east, north), f"One point stands for a whole language; coordinates from URIEL.{left_out}"


def equal_earth(east: Array, north: Array) -> Array:
    """Longitudes and latitudes in degrees [n] → places [n, 2] in radii of the globe (equations 1 to 4)."""
    slant = np.arcsin(np.sqrt(3.0) / 2.0 * np.sin(np.radians(north)))
    a, b, c, d = 1.340264, -0.081106, 0.000893, 0.003796
    slope = a + 3 * b * slant**2 + 7 * c * slant**6 + 9 * d * slant**8
    x = 2.0 * np.sqrt(3.0) / 3.0 * np.radians(east) * np.cos(slant) / slope
    return np.stack([x, slant * (a + b * slant**2 + c * slant**6 + d * slant**8)], axis=-1)


def land() -> list[Array]:
    """Outlines of the land [points, 2], projected.

    Natural Earth 1:110m land (public domain), rounded to a tenth of a degree, without Antarctica and small islands.
    """
    rings = json.loads((files("search") / "templates" / "land.json").read_text())
    return [equal_earth(*np.array(ring, dtype=np.float64).T) for ring in rings]


def globe() -> Array:
    """Outline of the part of the globe that is shown [points, 2]."""
    up = np.linspace(SOUTH, NORTH, 60)
    east = np.concatenate([np.full(60, 180.0), np.full(60, -180.0)])
    return equal_earth(east, np.concatenate([up, up[::-1]]))


def graticule() -> list[Array]:
    """Parallels and meridians every 30 degrees [points, 2]."""
    along, up = np.linspace(-180, 180, 90), np.linspace(SOUTH, NORTH, 60)
    parallels = [equal_earth(along, np.full(90, float(north))) for north in range(-30, 61, 30)]
    return parallels + [equal_earth(np.full(60, float(east)), up) for east in range(-150, 151, 30)]


Box = tuple[float, float, float, float]  # left, bottom, right, top
_DOT = 0.1  # how much covering a dot of the pool weighs against covering a word or a chosen one


def place(
    anchors: Array, sizes: Array, offsets: Sequence[Array], taken: list[Box], dots: Array, strict: Sequence[bool]
) -> list[int]:
    """For each word, in the order given, the offset at which it covers least of what was there before it.

    anchors  [n, 2] of the marks, and sizes [n, 2] of the words, in one unit of length
    offsets  [n, 2] of the words' lower left corners from their marks, one array for each possible position
    taken    boxes covered from the start; those of the words are added
    dots     boxes [m, 4] of which a word may cover some, if it must
    strict   [n] words to leave out (-1) rather than to cover anything
    """
    found = []
    for i, (anchor, size) in enumerate(zip(anchors, sizes, strict=True)):
        boxes = [(*(anchor + offset[i]), *(anchor + offset[i] + size)) for offset in offsets]
        others = np.array(taken).reshape(-1, 4)
        cover = [_covered(box, others) + _DOT * _covered(box, dots) for box in boxes]
        best = int(np.argmin(cover))  # the first of equals
        if cover[best] > 0 and strict[i]:
            found.append(-1)
            continue
        found.append(best)
        taken.append(boxes[best])
    return found


def boxes(spots: Array, reach: float) -> Array:
    """Squares [n, 4] around places [n, 2], from middle to side as far as `reach`."""
    return np.hstack([spots - reach, spots + reach])


def _covered(box: Box, others: Array) -> float:
    """Area that a box shares with others [m, 4]."""
    wide = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    tall = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    return float((np.maximum(wide, 0) * np.maximum(tall, 0)).sum())


def around(sizes: Array, gap: float) -> list[Array]:
    """Places around their marks for words of sizes [n, 2], the best first; lower left corners, [n, 2] each.

    Right, left, above, below, then the corners in the same order.
    """
    wide, tall = sizes.T
    right, left, middle = np.full(len(wide), gap), -gap - wide, -wide / 2
    above, below, level = np.full(len(tall), gap), -gap - tall, -tall / 2
    pairs = [(right, level), (left, level), (middle, above), (middle, below)]
    pairs += [(right, above), (right, below), (left, above), (left, below)]
    return [np.stack(pair, axis=1) for pair in pairs]
