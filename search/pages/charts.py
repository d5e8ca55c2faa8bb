"""What a figure shows, free of how it is drawn: `svg_rows` and `svg_plane` draw it for pages, `plotly_figures` for
Optuna's dashboard.

Texts are plain: who draws escapes them. A colour is a name, so that pages have their own for the dark.
Those of light pages are of Okabe and Ito (2008), told apart with any common colour vision; shapes repeat what colours
say, so that a print in grey still reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Colour = Literal["blue", "orange", "red", "green", "ink", "grey", "light", "far0", "far1", "far2", "far3", "far4"]
Shape = Literal["circle", "square", "diamond", "cross", "triangle", "star"]
FAR: tuple[Colour, ...] = ("far0", "far1", "far2", "far3", "far4")  # near to far


@dataclass(frozen=True)
class Look:
    """The form and colour of one kind of marks, and its name in the legend."""

    label: str  # "": not in the legend
    colour: Colour
    shape: Shape = "circle"
    size: float = 9.0  # pixels across
    hollow: bool = False


@dataclass(frozen=True)
class Mark:
    """One mark; in a list its row gives the height."""

    look: Look
    x: float
    y: float = 0.0
    tip: str = ""  # what a pointer over it tells
    span: tuple[float, float] | None = None  # ends of an interval along x


@dataclass(frozen=True)
class ChartRow:
    """A named line of a list, with its marks in every panel."""

    name: str
    cells: tuple[tuple[Mark, ...], ...]  # [panels]
    strong: bool = False


@dataclass(frozen=True)
class ChartRows:
    """A list of rows, from the top down, in one panel or in several side by side."""

    headings: tuple[str, ...]  # of the panels: what an axis shows, with its unit
    rows: tuple[ChartRow, ...]
    zero: bool = False  # panels share one axis that holds 0, where a line is drawn

    def marks(self) -> Iterator[Mark]:
        """All of them, row by row."""
        return (mark for row in self.rows for cell in row.cells for mark in cell)

    def extent(self, panel: int) -> tuple[float, float]:
        """Least and greatest value of a panel's axis, ends of intervals included."""
        cells = [row.cells if self.zero else (row.cells[panel],) for row in self.rows]
        marks = [mark for each in cells for cell in each for mark in cell]
        ends = [value for mark in marks for value in (mark.x, *(mark.span or ()))]
        ends += [0.0] if self.zero or not ends else []
        return min(ends), max(ends)


@dataclass(frozen=True)
class Plane:
    """Marks between two axes, and a line of steps."""

    x: str  # what the axes show, with their units
    y: str
    marks: tuple[Mark, ...]  # later ones lie on top
    steps: tuple[tuple[float, float], ...] = ()  # each height holds until the next x
    line: Look | None = None  # of the steps


@dataclass(frozen=True)
class ChartWord:
    """A word on a map, beside its place."""

    text: str
    x: float
    y: float
    across: int  # -1: left of its place, 0: in the middle, 1: right
    up: int  # -1: below, 0: level, 1: above
    strong: bool


@dataclass(frozen=True)
class Ground:
    """The ground under the marks of a map: outlines that are filled, or lines."""

    kind: Literal["sea", "land", "degrees"]
    outlines: tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True)
class Map:
    """Marks where only places count; a unit is as long across as up."""

    marks: tuple[Mark, ...]  # later ones lie on top
    words: tuple[ChartWord, ...]
    ground: tuple[Ground, ...]
    box: tuple[float, float, float, float]  # left, bottom, right, top
    width: int  # pixels for which the words were placed
    scale: str = ""  # what FAR stands for


Chart = ChartRows | Plane | Map


def looks(marks: Sequence[Mark] | Iterator[Mark]) -> list[Look]:
    """The different looks of some marks, in their order."""
    return list(dict.fromkeys(mark.look for mark in marks))
