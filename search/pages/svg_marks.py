"""Marks, axes and legends as SVG. Colours are classes, whose values the page's style sheet gives for light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import escape

from search.pages.charts import FAR, Look

MOST_TICKS = 6


def mark(look: Look, x: str, y: str) -> str:
    """A mark around the place (x, y), which may be percentages: then the figure is as wide as its page lets it be."""
    half = look.size / 2
    paint = f"k-{look.colour} hollow" if look.hollow or look.shape == "cross" else f"f-{look.colour}"
    if look.shape == "circle":
        return f'<circle class="{paint}" cx="{x}" cy="{y}" r="{half:g}"/>'
    return f'<svg x="{x}" y="{y}"><path class="{paint}" d="{_path(look.shape, half)}"/></svg>'


def _path(shape: str, half: float) -> str:
    """The outline of a shape around (0, 0)."""
    h = round(half, 1)
    if shape == "square":
        return f"M{-h} {-h}H{h}V{h}H{-h}Z"
    if shape == "diamond":
        return f"M0 {-h}L{h} 0L0 {h}L{-h} 0Z"
    if shape == "cross":
        return f"M{-h} {-h}L{h} {h}M{-h} {h}L{h} {-h}"
    if shape == "triangle":
        return f"M0 {-h}L{h} {h}H{-h}Z"
    corners = [(half * (1 if n % 2 == 0 else 0.42), math.pi * n / 5) for n in range(10)]
    return "M" + "L".join(f"{r * math.sin(turn):.1f} {-r * math.cos(turn):.1f}" for r, turn in corners) + "Z"


def titled(tip: str) -> str:
    """The text that browsers show where the pointer rests."""
    return f"<title>{escape(tip)}</title>" if tip else ""


def legend(looks: Sequence[Look], scale: str = "", lines: Sequence[Look] = ()) -> str:
    """The legend of the marks; "" where there is nothing to tell. `scale` is what FAR stands for."""
    drawn = [(f'<path class="k-{line.colour} line" d="M0 9H18"/>', line.label) for line in lines]
    drawn += [(mark(look, "9", "9"), look.label) for look in looks if look.label]
    entries = [f'<li><svg class="key">{key}</svg>{escape(label)}</li>' for key, label in drawn]
    if scale:
        box = 'y="4" width="12" height="10"'
        steps = "".join(f'<rect class="f-{far}" x="{12 * n}" {box}/>' for n, far in enumerate(FAR))
        entries.append(f'<li>near<svg class="key scale">{steps}</svg>far: {escape(scale)}</li>')
    return f'<ul class="legend">{"".join(entries)}</ul>' if entries else ""


def ticks(low: float, high: float, most: int = MOST_TICKS) -> list[float]:
    """At most so many round numbers, evenly apart, that lie between the ends."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def tick_label(value: float, step: float, signed: bool = False) -> str:
    """`55`, `0.5`, `+2`, `−2`: no more digits than the step between ticks needs."""
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 1
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return f"{'−' if value < 0 else '+' if signed else ''}{text}"


def step_of(at: Sequence[float]) -> float:
    """The distance between two ticks; 1 where there is one alone."""
    return at[1] - at[0] if len(at) > 1 else 1.0


def along(value: float, axis: tuple[float, float]) -> str:
    """The place of a value along an axis from its left end to its right one, as a percentage."""
    return f"{100 * (value - axis[0]) / (axis[1] - axis[0]):.2f}%"


def padded(low: float, high: float, share: float) -> tuple[float, float]:
    """The ends of an axis a little further out; around a single value some room."""
    more = share * (high - low) or max(abs(high), 1.0) * 0.05
    return low - more, high + more
