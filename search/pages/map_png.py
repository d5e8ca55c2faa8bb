"""An atlas as a PNG picture (imports matplotlib)."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from search.pages import atlas
from search.pages.atlas import Atlas
from selector.errors import InputError

_INCHES = {"typology": (10.0, 8.6), "world": (13.0, 7.2)}
_BLUE, _ORANGE, _INK, _GREY = "#0072B2", "#E69F00", "#1f2328", "#57606a"  # as in the report (Okabe and Ito 2008)
_NEAR, _FAR = "#d5dae0", "#b3450a"  # of a language by the distance to its nearest chosen one
_LAND, _SEA, _LINE = "#e9e6de", "#f7f9fb", "#e3e8ed"
_GAP = 7.5  # points from the middle of a mark to its word


def png(drawn: Atlas) -> bytes:
    """The picture. Raises InputError where matplotlib is not installed."""
    figure = _figure(drawn)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_aspect("equal", adjustable="datalim" if drawn.view == "typology" else "box")
    if drawn.view == "world":
        _ground(axes)
    shades = _marks(axes, drawn)
    figure.suptitle(drawn.title, x=0.015, ha="left", fontsize=15, fontweight="bold", color=_INK)
    figure.supxlabel(drawn.note, x=0.015, ha="left", fontsize=9.5, color=_GREY)
    _legend(figure, axes, shades)
    figure.draw_without_rendering()  # fixes the layout, so that labels can be placed in points
    _label(axes, drawn)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def _figure(drawn: Atlas) -> Any:
    try:
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ModuleNotFoundError:
        raise InputError("a PNG needs matplotlib", "install it with: pip install 'realingo[plot]'") from None
    return Figure(figsize=_INCHES[drawn.view], dpi=150, layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.12))


def _ground(axes: Any) -> None:
    """Sea, land and degrees."""
    axes.fill(*atlas.globe().T, color=_SEA, zorder=0)
    for line in atlas.graticule():
        axes.plot(*line.T, color=_LINE, linewidth=0.6, zorder=1)
    for outline in atlas.land():
        axes.fill(*outline.T, color=_LAND, linewidth=0, zorder=2)
    low, high = atlas.globe().min(axis=0), atlas.globe().max(axis=0)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))


def _marks(axes: Any, drawn: Atlas) -> Any:
    """All languages; answers the shaded ones, for the colour bar."""
    from matplotlib.colors import LinearSegmentedColormap

    shade = LinearSegmentedColormap.from_list("near", [_NEAR, "#d9b38c", _FAR])
    plain, chosen, source = drawn.plain, drawn.placed & drawn.chosen, drawn.placed & drawn.source
    order = np.flatnonzero(plain)[np.argsort(drawn.near[plain], kind="stable")]  # the far ones on top
    size = float(np.clip(6000 / max(1, len(order)), 5, 34))
    edge = {"linewidth": 0.4 if size > 10 else 0.0, "edgecolor": "white"}
    most = float(drawn.near[plain].max(initial=1e-9))
    look = {"cmap": shade, "vmin": 0.0, "vmax": most, "zorder": 3, "label": "pool"}
    shades = axes.scatter(*drawn.spots[order].T, s=size, c=drawn.near[order], **look, **edge)
    dot = float(np.clip(3000 / max(1, chosen.sum()), 36, 110))
    axes.scatter(*drawn.spots[chosen].T, s=dot, color=_BLUE, edgecolor="white", linewidth=0.9, zorder=4, label="chosen")
    if source.any():
        star = {"marker": "*", "s": 240, "color": _ORANGE, "edgecolor": _INK, "linewidth": 0.7}
        axes.scatter(*drawn.spots[source].T, **star, zorder=5, label="source")
    return shades


def _legend(figure: Any, axes: Any, shades: Any) -> None:
    bar = figure.colorbar(shades, ax=axes, location="bottom", shrink=0.3, aspect=40, pad=0.01, anchor=(1.0, 0.5))
    bar.set_label("pool: distance to the nearest chosen language", fontsize=9, color=_GREY)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, color=_GREY, labelcolor=_GREY, length=2)
    handles, names = axes.get_legend_handles_labels()
    kept = [(handle, name) for handle, name in zip(handles, names, strict=True) if name != "pool"]
    look = {"frameon": False, "fontsize": 10, "ncols": len(kept), "handletextpad": 0.3}
    figure.legend(*zip(*kept, strict=True), loc="upper right", bbox_to_anchor=(0.99, 0.995), **look)


def _label(axes: Any, drawn: Atlas) -> None:
    """Words beside the marks, the chosen and the source first; one of the pool only where it covers nothing."""
    spots = axes.transData.transform(drawn.spots) * 72 / axes.figure.dpi  # (n, 2), points
    strong = drawn.chosen | drawn.source
    order = [i for i in np.argsort(~strong, kind="stable") if drawn.placed[i] and drawn.label(i)]
    if not order:
        return
    many = drawn.chosen.sum() > atlas.MOST_NAMES
    fonts = np.where(strong[order], 8.5 if many else 10.5, 7.5)
    words = [drawn.label(i) for i in order]
    sizes = np.stack([0.7 * fonts * [len(word) for word in words], 1.15 * fonts], axis=1)
    taken = [tuple(box) for box in atlas.boxes(spots[strong & drawn.placed], 6.0)]
    dots = atlas.boxes(spots[drawn.plain], 2.0)
    around = atlas.around(sizes, _GAP)
    chosen = atlas.place(spots[order], sizes, around, taken, dots, [not strong[i] for i in order])
    for j, (i, position) in enumerate(zip(order, chosen, strict=True)):
        if position >= 0:
            _write(axes, drawn.spots[i], words[j], fonts[j], around[position][j], bool(strong[i]))


def _write(axes: Any, spot: Any, word: str, font: float, offset: Any, strong: bool) -> None:
    from matplotlib.patheffects import withStroke

    look = {"fontweight": "bold", "color": _INK} if strong else {"color": _GREY}
    halo = [withStroke(linewidth=2.2 if strong else 1.4, foreground="white", alpha=0.85)]
    axes.annotate(
        word,
        spot,
        xytext=tuple(offset),
        textcoords="offset points",
        verticalalignment="bottom",
        fontsize=font,
        path_effects=halo,
        zorder=6,
        annotation_clip=False,
        **look,
    )
