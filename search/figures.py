"""Every picture Realingo draws, as a plotly figure under a title that states its finding (the one importer of plotly).

Data in, figure out: nothing here reads a study. Text that comes from data goes through `_plain`, because plotly reads
a little HTML in labels. Colours are those of Okabe and Ito (2008), told apart with any common colour vision; shapes
repeat what colours say, so a print in grey still reads.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from search.findings import (
    Effect,
    Row,
    Shot,
    best,
    coastline,
    confirmed_finding,
    importance_finding,
    joined,
    progress_finding,
)

BLUE, ORANGE, RED, GREEN = "#0072B2", "#E69F00", "#D55E00", "#009E73"
INK, GREY, FAINT, LAND = "#1f2328", "#8b929a", "#e4e7ea", "#f0efe9"
FONT = "Inter, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"
LINE = 19  # pixels a language takes in a list
MOST_LINES = 60  # languages in one list before only its two ends are shown


@dataclass(frozen=True)
class Plot:
    """A figure with what it shows (`finding`, one sentence) and how to read it (`reading`)."""

    name: str  # a valid HTML id
    finding: str
    reading: str
    figure: go.Figure

    def fragment(self) -> str:
        """The figure as HTML without its title, for a page that holds plotly.js once."""
        options = {"displaylogo": False, "responsive": True, "displayModeBar": False}
        return self.figure.to_html(full_html=False, include_plotlyjs=False, div_id=self.name, config=options)

    def titled(self) -> go.Figure:
        """A copy that carries its finding as title, for a page with no caption of its own."""
        text = "<br>".join(wrap(_plain(self.finding), 90, break_long_words=False))
        title = {"text": text, "x": 0, "xref": "paper", "font": {"size": 15}}
        return go.Figure(self.figure).update_layout(title=title, margin_t=80)


def library() -> str:
    """The text of plotly.js."""
    return str(get_plotlyjs())


def progress(shots: Sequence[Shot], names: Mapping[str, str]) -> Plot:
    """Score against trial, with the best so far as a line and the model-free starts told apart."""
    top = best(shots)
    assert top is not None
    figure = go.Figure()
    so_far = list(accumulate((100 * shot.value for shot in shots), max))
    line = {"color": GREY, "width": 1.5, "shape": "hv"}
    _add(figure, [shot.number for shot in shots], so_far, "best so far", mode="lines", line=line, hoverinfo="skip")
    starts, proposed = [s for s in shots if s.model_free], [s for s in shots if not s.model_free]
    _shots(figure, proposed, "proposed by the search", names, {"color": BLUE, "size": 8})
    _shots(figure, starts, "chosen without measuring", names, {"color": ORANGE, "size": 10, "symbol": "diamond"})
    ring = {"color": "rgba(0,0,0,0)", "size": 18, "line": {"color": INK, "width": 1.5}}
    _add(figure, [top.number], [100 * top.value], "best", mode="markers", marker=ring, hoverinfo="skip")
    figure.update_xaxes(title="Trial", rangemode="tozero")
    figure.update_yaxes(title="Search score, %")
    return Plot("progress", progress_finding(shots), _PROGRESS, _styled(figure, 400))


_PROGRESS = (
    "Each mark is one realigned and fine-tuned encoder, scored on the languages the search may see. "
    "Single scores are noisy, so the best of many is a little lucky: what counts is the confirmation."
)


def _shots(
    figure: go.Figure, shots: Sequence[Shot], label: str, names: Mapping[str, str], marker: dict[str, Any]
) -> None:
    told = [_plain(f"{joined([names.get(c, c) for c in shot.codes])} · {shot.origin}") for shot in shots]
    _add(
        figure,
        [shot.number for shot in shots],
        [round(100 * shot.value, 2) for shot in shots],
        label,
        mode="markers",
        marker={"opacity": 0.85, "line": {"color": "white", "width": 0.8}, **marker},
        text=told,
        hovertemplate="trial %{x}: %{y:.1f} %<br>%{text}<extra></extra>",
    )


def confirmed(rows: Sequence[Row], labels: Mapping[str, str], groups: Mapping[str, str]) -> Plot:
    """Mean and interval of each confirmed row; one panel per group of languages that the rows report.

    `labels` tells each row's name; `groups` maps a key of the rows ("" = the row itself) to its panel's heading.
    """
    order = sorted(rows, key=lambda each: each["mean"])
    figure = make_subplots(1, len(groups), shared_yaxes=True, horizontal_spacing=0.04)
    for column, key in enumerate(groups, start=1):
        part = [(each, each if key == "" else each.get(key)) for each in order]
        for each, cell in part:
            if cell:
                figure.add_trace(_whisker(each, cell, labels), row=1, col=column)
        figure.update_xaxes(title=f"{groups[key]}, %", row=1, col=column)
    figure.update_yaxes(categoryorder="array", categoryarray=[_label(each, labels) for each in order])
    figure.update_layout(showlegend=False)
    reading = "Fresh seeds and test splits the search never saw. Dots are means, lines their 95 % intervals."
    return Plot("confirmed", confirmed_finding(rows), reading, _styled(figure, 150 + 34 * len(rows)))


def _whisker(each: Row, cell: Row, labels: Mapping[str, str]) -> go.Scatter:
    mean, (low, high) = 100 * cell["mean"], (100 * end for end in cell["ci95"])
    chosen = each["name"] == "best"
    return go.Scatter(
        x=[mean],
        y=[_label(each, labels)],
        error_x={"array": [high - mean], "arrayminus": [mean - low], "thickness": 1.8, "width": 4},
        mode="markers",
        marker={"size": 12 if chosen else 9, "color": BLUE if chosen else GREY, "symbol": 1 if chosen else 0},
        hovertemplate=f"%{{y}}: {mean:.1f} % ({low:.1f} to {high:.1f})<extra></extra>",
    )


def _label(each: Row, labels: Mapping[str, str]) -> str:
    text = _plain(labels.get(each["name"], each["name"]))
    return f"<b>{text}</b>  " if each["name"] == "best" else f"{text}  "


def gains(table: Mapping[str, Mapping[str, float]], names: Mapping[str, str], members: Sequence[str]) -> Plot:
    """Gain over no realignment per language: the found subset against all languages.

    `table` holds a row of scores per language for "best", "none" and, if measured, "all".
    """
    gain = {code: table["best"][code] - table["none"][code] for code in table["best"] if code in table["none"]}
    order = _ends(sorted(gain, key=lambda code: (gain[code], code)))
    height = [_plain(names.get(code, code)) for code in order]
    height = [f"<b>{name}</b> ●" if code in members else name for name, code in zip(height, order, strict=True)]
    figure = go.Figure()
    rival = {code: table["all"][code] - table["none"][code] for code in order if code in table.get("all", {})}
    _links(figure, height, [(gain[code], rival.get(code, 0.0)) for code in order])
    if rival:
        hollow = {"symbol": "circle-open", "size": 9, "color": INK, "line": {"width": 1.6}}
        at = [(rival[code], name) for code, name in zip(order, height, strict=True) if code in rival]
        _dots(figure, at, "realigned on all languages", hollow)
    for label, sign, look in (("found subset: better than none", 1, {"color": BLUE}), ("worse than none", -1, _LOSS)):
        at = [(gain[c], name) for c, name in zip(order, height, strict=True) if (gain[c] < 0) == (sign < 0)]
        _dots(figure, at, label, {"size": 9, **look})
    figure.add_vline(x=0, line={"color": INK, "width": 1})
    figure.update_xaxes(title="Gain over no realignment, points", zeroline=False)
    figure.update_yaxes(categoryorder="array", categoryarray=height)
    worse = sum(value < 0 for value in gain.values())
    finding = f"{len(gain) - worse} of {len(gain)} languages gain from realigning on the found subset; {worse} lose"
    cut = f" The {MOST_LINES} with the largest losses and gains are shown." if len(gain) > MOST_LINES else ""
    reading = f"Languages inside the subset are bold with a dot; the others profit only by transfer.{cut}"
    return Plot("gains", finding, reading, _styled(figure, 150 + LINE * len(order)))


_LOSS = {"color": RED, "symbol": "x"}


def _links(figure: go.Figure, height: Sequence[str], ends: Sequence[tuple[float, float]]) -> None:
    """One trace of all connecting lines: a trace for each would make a long list slow."""
    x = [end for left, right in ends for end in (round(100 * left, 2), round(100 * right, 2), None)]
    y = [end for name in height for end in (name, name, None)]
    _add(figure, x, y, "", mode="lines", line={"color": "#c9ced3", "width": 2}, hoverinfo="skip", showlegend=False)


def _dots(figure: go.Figure, at: Sequence[tuple[float, str]], label: str, marker: dict[str, Any]) -> None:
    if at:
        x, y = [round(100 * value, 2) for value, _ in at], [name for _, name in at]
        tip = f"%{{y}}, {label}: %{{x:+.1f}} points<extra></extra>"
        _add(figure, x, y, label, mode="markers", marker=marker, hovertemplate=tip)


def importance(found: Sequence[Effect], names: Mapping[str, str]) -> Plot:
    """What each language does to the score when it takes the place of an average one."""
    order = _ends(sorted(found, key=lambda each: (each.effect, each.code)))
    figure = go.Figure()
    for label, clear, marker in (("interval leaves out zero", True, {"color": BLUE}), ("unclear", False, _OPEN)):
        part = [each for each in order if each.clear is clear]
        if part:
            figure.add_trace(_effects(part, names, label, marker))
    figure.add_vline(x=0, line={"color": INK, "width": 1})
    figure.update_xaxes(title="Effect of membership on the search score, points", zeroline=False)
    figure.update_yaxes(categoryorder="array", categoryarray=[_plain(names.get(e.code, e.code)) for e in order])
    return Plot("importance", importance_finding(found, names), _IMPORTANCE, _styled(figure, 150 + LINE * len(order)))


_OPEN = {"color": GREY, "symbol": "circle-open"}
_IMPORTANCE = (
    "Ridge regression of the score on who was in the subset, over all trials; 90 % intervals by bootstrap. Zero is an "
    "average language of the pool. Languages work together, so this ranks single ones only roughly."
)


def _effects(part: Sequence[Effect], names: Mapping[str, str], label: str, marker: dict[str, Any]) -> go.Scatter:
    x = [round(100 * each.effect, 3) for each in part]
    tip = "%{y}: %{x:+.2f} points<br>in %{customdata[0]:.0%} of the best quarter of trials, "
    return go.Scatter(
        x=x,
        y=[_plain(names.get(each.code, each.code)) for each in part],
        error_x={
            "array": [round(100 * each.high - at, 3) for each, at in zip(part, x, strict=True)],
            "arrayminus": [round(at - 100 * each.low, 3) for each, at in zip(part, x, strict=True)],
            "thickness": 1.4,
            "width": 0,
        },
        mode="markers",
        marker={"size": 9, **marker},
        name=label,
        customdata=[[each.share_top, each.share_all] for each in part],
        hovertemplate=tip + "in %{customdata[1]:.0%} of all<extra></extra>",
    )


@dataclass(frozen=True)
class Ground:
    """A plane with languages on it; `marks` adds a word to some that are not in the pool (source, held out)."""

    spots: Mapping[str, tuple[float, float]]  # code → (x, y)
    names: Mapping[str, str]
    members: Sequence[str]
    marks: Mapping[str, str]

    def draw(self, figure: go.Figure) -> None:
        groups = {"in the pool": [c for c in self.spots if c not in self.members and c not in self.marks]}
        for code, word in self.marks.items():
            groups.setdefault(word, []).append(code)
        for (label, codes), look in zip(groups.items(), _LOOKS, strict=False):
            self._group(figure, codes, label, mode="markers", marker=look)
        look = {"color": BLUE, "size": 13, "line": {"color": "white", "width": 1}}
        style = {"textposition": "top center", "textfont": {"size": 13, "color": INK}}
        self._group(figure, self.members, "chosen", mode="markers+text", marker=look, **style)

    def _group(self, figure: go.Figure, codes: Sequence[str], label: str, **look: Any) -> None:
        at = [(round(x, 3), round(y, 3)) for x, y in (self.spots[code] for code in codes if code in self.spots)]
        text = [_plain(self.names.get(code, code)) for code in codes if code in self.spots]
        x, y = [each[0] for each in at], [each[1] for each in at]
        _add(figure, x, y, label, text=text, hovertemplate="%{text}<extra></extra>", **look)


_LOOKS = (
    {"color": GREY, "size": 8},
    {"color": ORANGE, "size": 10, "symbol": "square"},
    {"color": GREEN, "size": 9, "symbol": "triangle-up"},
)


def world_map(ground: Ground) -> Plot:
    """The pool at its coordinates (longitude, latitude in degrees) over an outline of the land."""
    figure = go.Figure()
    x, y = coastline()
    land = {"color": "#d9d7cf", "width": 0.6}
    _add(figure, x, y, "", mode="lines", fill="toself", fillcolor=LAND, line=land, hoverinfo="skip", showlegend=False)
    ground.draw(figure)
    _styled(figure, 460)
    figure.update_xaxes(range=[-180, 180], showgrid=False, visible=False, constrain="domain")
    figure.update_yaxes(range=[-56, 80], showgrid=False, visible=False, scaleanchor="x", scaleratio=1.15)
    finding = f"Where the chosen {len(ground.members)} are spoken, among the {len(ground.spots)} languages shown"
    return Plot("world", finding, "Coordinates from URIEL; one point stands for a whole language.", figure)


def typology(ground: Ground) -> Plot:
    """The pool unfolded so that languages of similar grammar lie close together."""
    figure = go.Figure()
    ground.draw(figure)
    for axis, update in ((1, figure.update_xaxes), (2, figure.update_yaxes)):
        update(showticklabels=False, zeroline=False, title=f"Typological dimension {axis} (no unit)")
    finding = "How the chosen languages spread over the grammars of the pool"
    reading = "Multidimensional scaling of syntactic distances from URIEL: languages close together are alike."
    return Plot("typology", finding, reading, _styled(figure, 480))


def _ends(order: list[Any]) -> list[Any]:
    """A sorted list, cut to its two ends where it is too long to read."""
    return order if len(order) <= MOST_LINES else order[: MOST_LINES // 2] + order[-MOST_LINES // 2 :]


def _add(figure: go.Figure, x: Sequence[Any], y: Sequence[Any], label: str, **look: Any) -> None:
    figure.add_trace(go.Scatter(x=list(x), y=list(y), name=label, **look))


def _plain(text: str) -> str:
    """Text from data, with what plotly would read as markup made harmless."""
    return html.escape(text, quote=False)


def _styled(figure: go.Figure, height: int) -> go.Figure:
    """One look for all: dark on white, thin grid, legend above the plot on the left."""
    grid = {"gridcolor": FAINT, "linecolor": GREY, "automargin": True, "ticks": "", "title_font_size": 13}
    figure.update_layout(
        template="none",
        height=height,
        font={"family": FONT, "size": 13, "color": INK},
        margin={"l": 10, "r": 20, "t": 40, "b": 50},
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left"},
        hoverlabel={"bgcolor": "white", "bordercolor": GREY, "font": {"family": FONT, "size": 13, "color": INK}},
        paper_bgcolor="white",
        plot_bgcolor="white",
    )
    figure.update_xaxes(**grid)
    figure.update_yaxes(**grid)
    return figure
