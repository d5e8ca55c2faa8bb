"""A map of languages where near means similar: classical scaling to two dimensions, as PNG (imports matplotlib)."""

from __future__ import annotations

import io
from collections.abc import Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.errors import InputError
from selector.problem import Problem

_LABELS = 80  # with more languages only the chosen and the source are named
_INCHES = (10.0, 8.0)
_GREY, _BLUE, _ORANGE = "#8a8f98", "#0b5cad", "#c2410c"


def language_map(problem: Problem, chosen: Set[str], caption: str) -> bytes:
    """PNG bytes: the frame as dots, the chosen codes as large labelled dots, the source as a star.

    Raises InputError where matplotlib is not installed.
    """
    figure_class = _figure_class()
    d, codes = _with_source(problem)
    places, share = scaled(d)
    figure = figure_class(figsize=_INCHES, dpi=150, layout="constrained")
    axes = figure.subplots()
    source = problem.source.code if problem.source is not None else None
    marked = np.array([code in chosen for code in codes])
    plain = ~marked & np.array([code != source for code in codes])
    axes.scatter(*places[plain].T, s=22, color=_GREY, label="pool")
    axes.scatter(*places[marked].T, s=90, color=_BLUE, label="chosen")
    if source is not None:
        axes.scatter(*places[-1:].T, s=170, color=_ORANGE, marker="*", label="source")
    axes.set(
        title=caption, xlabel=f"two dimensions that keep {share:.0%} of the squared distances", xticks=[], yticks=[]
    )
    axes.set_aspect("equal", adjustable="datalim")
    axes.legend(loc="best", frameon=False)
    figure.draw_without_rendering()  # fixes the layout, so that labels can be placed in points
    _label(axes, codes, places, marked | ~plain)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def scaled(d: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Classical multidimensional scaling (Torgerson 1952): distances [n, n] → places [n, 2] and the share kept.

    Signs are fixed, so that the same distances give the same picture.
    """
    n = len(d)
    centring = np.eye(n) - 1.0 / n
    values, vectors = np.linalg.eigh(-0.5 * centring @ d**2 @ centring)  # ascending
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    top = np.zeros((n, 2))
    top[:, : min(2, n)] = vectors[:, :2] * np.sqrt(values[:2])
    top *= np.where(top[np.abs(top).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0)
    return top, float(values[:2].sum() / values.sum()) if values.sum() > 0 else 1.0


def _with_source(problem: Problem) -> tuple[NDArray[np.float64], list[str]]:
    """Distances and codes of the frame and, last, of the source."""
    d, codes = problem.distances.matrix, [language.code for language in problem.frame]
    if problem.source is None or problem.to_source is None:
        return d, codes
    row = problem.to_source[:, None]
    return np.block([[d, row], [row.T, np.zeros((1, 1))]]), [*codes, problem.source.code]


def _label(axes: Any, codes: list[str], places: NDArray[np.float64], strong: NDArray[np.bool_]) -> None:
    """Names beside the dots, the chosen and the source first, each where it covers no earlier name or large dot."""
    spots = axes.transData.transform(places) * 72 / axes.figure.dpi  # (n, 2), points
    taken = [(*(spot - 4.0), *(spot + 4.0)) for spot in spots[strong]]
    for i in sorted(range(len(codes)), key=lambda i: not strong[i]):
        if not strong[i] and len(codes) > _LABELS:
            continue
        size = 11.0 if strong[i] else 8.0
        width, height = 0.65 * size * len(codes[i]), size
        offsets = [(x, y) for y in (4.0, -4.0 - height, 16.0, -28.0) for x in (4.0, -4.0 - width)]
        boxes = [(*(spots[i] + offset), *(spots[i] + offset + (width, height))) for offset in offsets]
        best = next((j for j, box in enumerate(boxes) if not any(_overlap(box, other) for other in taken)), 0)
        taken.append(boxes[best])
        look = {"fontweight": "bold"} if strong[i] else {"color": "#4b5563"}
        axes.annotate(codes[i], places[i], xytext=offsets[best], textcoords="offset points", fontsize=size, **look)


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether two boxes (left, bottom, right, top) share a point."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _figure_class() -> Any:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise InputError("drawing needs matplotlib", "install it with: pip install 'realingo[plot]'") from None
    return Figure
