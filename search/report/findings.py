"""What the trials and the confirmation say, as plain numbers and sentences: study → findings → report and dashboard.

Nothing here draws. Scores are accuracies or F1 in [0, 1]; differences are told in points (hundredths of that scale).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from search.objective import front
from search.surrogate.importance import Effect

Array = np.ndarray
Row = Mapping[str, Any]  # one row of `confirm --json`
TELL_NAMES = 8  # names in one hover or note line before the rest is only counted


@dataclass(frozen=True)
class Shot:
    """One complete trial, ready to show."""

    number: int
    value: float
    codes: tuple[str, ...]
    origin: str  # who proposed it: "swap", "warm:max-sum"
    cost: float = 0.0  # of the subset, in the unit of the study's costs

    @property
    def model_free(self) -> bool:
        """Chosen before anything was measured: from typology, or by drawing lots."""
        return self.origin.startswith("warm")


def best(shots: Sequence[Shot]) -> Shot | None:
    """The highest score, the earliest of equals; None before the first complete trial."""
    return max(shots, key=lambda shot: (shot.value, -shot.number), default=None)


def unfold(distance: Array) -> Array:
    """Classical multidimensional scaling: (n, n) distances → (n, 2) coordinates (Torgerson 1952).

    Each axis is turned so that its largest coordinate is positive: the same distances give the same picture.
    """
    n = len(distance)
    middle = np.eye(n) - 1 / n
    root, axis = np.linalg.eigh(-0.5 * middle @ (distance**2) @ middle)
    order = np.argsort(root)[::-1][:2]
    spots = axis[:, order] * np.sqrt(np.clip(root[order], 0, None))
    turn = np.sign(spots[np.abs(spots).argmax(axis=0), range(spots.shape[1])])
    flat = spots * np.where(turn == 0, 1, turn)
    return np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))


def land() -> tuple[list[float | None], list[float | None]]:
    """Longitudes and latitudes of the land's outline in degrees, rings parted by None.

    Natural Earth 1:110m land (public domain), rounded to a tenth of a degree, without Antarctica and small islands.
    """
    rings = json.loads((files("search") / "templates" / "land.json").read_text())
    x = [value for ring in rings for value in (*(spot[0] for spot in ring), None)]
    y = [value for ring in rings for value in (*(spot[1] for spot in ring), None)]
    return x, y


def joined(names: Sequence[str], most: int = TELL_NAMES) -> str:
    """`A, B and C`; a long list is cut and its rest counted. The empty subset is called what it is."""
    if not names:
        return "no realignment"
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def points(difference: float) -> str:
    """A difference of two scores: `+1.2 points`; a true minus sign, so that it lines up and is read out."""
    return f"{signed(100 * difference)} points"


def signed(number: float) -> str:
    text = f"{abs(number):.1f}"
    return f"±{text}" if float(text) == 0 else f"{'+' if number > 0 else '−'}{text}"


def row(rows: Sequence[Row], name: str) -> Row | None:
    return next((each for each in rows if each["name"] == name), None)


def progress_finding(shots: Sequence[Shot]) -> str:
    top, starts = best(shots), [shot for shot in shots if shot.model_free]
    assert top is not None
    found = f"The best search score, {100 * top.value:.1f} %, came at trial {top.number}, one of {len(shots)} completed"
    start = best(starts)
    if start is None or len(starts) == len(shots):
        return found
    if top.model_free:
        return f"{found}: a start chosen without measuring that no later proposal beat"
    return f"{found}, {points(top.value - start.value)} against the best start chosen without measuring"


def confirmed_finding(rows: Sequence[Row], labels: Mapping[str, str]) -> str:
    first, *rest = sorted(rows, key=lambda each: -each["mean"])
    chosen = row(rows, "best") or first
    if first is chosen:
        lead = f", {points(chosen['mean'] - rest[0]['mean'])} against the next" if rest else ""
        return f"On fresh seeds the found subset has the highest mean{lead}"
    behind, leader = 100 * (first["mean"] - chosen["mean"]), labels.get(first["name"], first["name"])
    return f"On fresh seeds the found subset lies {behind:.1f} points behind the highest mean ({leader})"


def spill_finding(known: Mapping[str, Mapping[str, Any]]) -> str:
    """`known`: row → its `vs_none`."""
    cell = known.get("best") or next(iter(known.values()))
    heads = {"members": "inside the subset", "non_members": "outside it", "held_out": "held out from the search"}
    parts = [f"{points(cell[key]['difference'])} for languages {head}" for key, head in heads.items() if cell.get(key)]
    return f"The gain over no realignment: {joined(parts)}" if parts else "The gain over no realignment"


def gains_finding(gain: Mapping[str, float]) -> str:
    worse = sum(value < 0 for value in gain.values())
    less = f"{worse} score less" if worse else "none scores less"
    return f"{len(gain) - worse} of {len(gain)} languages gain from realigning on the found subset; {less}"


def front_finding(shots: Sequence[Shot]) -> str:
    """What the last step of the front costs and gives."""
    kept = front(shots)
    last, rest = kept[-1], kept[:-1]
    if not rest:
        return f"One subset is best at every cost: {100 * last.value:.1f} % for {last.cost:g}"
    near = next(shot for shot in kept if shot.value >= 0.98 * last.value)
    if near is last:
        return f"{100 * last.value:.1f} % costs {last.cost:g}; {100 * rest[-1].value:.1f} % costs {rest[-1].cost:g}"
    return f"{100 * near.value / last.value:.0f} % of the highest score costs {near.cost:g} instead of {last.cost:g}"


def importance_finding(found: Sequence[Effect], names: Mapping[str, str]) -> str:
    first = max(found, key=lambda each: each.effect)
    if first.low <= 0:
        return "No single language stands out as helping: every interval reaches down to zero"
    return f"{names.get(first.code, first.code)} helps most: {points(first.effect)} in place of an average language"


@dataclass(frozen=True)
class Comparison:
    """The found subset against one alternative."""

    against: str
    difference: float
    interval: tuple[float, float] | None  # 95 %
    p: float | None

    @property
    def verdict(self) -> str:
        """`better`, `worse` or `not separated`: by p < 0.05 (corrected for many comparisons), else by the interval."""
        if self.p is not None:
            apart = self.p < 0.05
        else:
            apart = self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)
        return ("better" if self.difference > 0 else "worse") if apart else "not separated"

    @property
    def details(self) -> str:
        span = self.interval and f"95 % interval {signed(100 * self.interval[0])} to {signed(100 * self.interval[1])}"
        chance = self.p is not None and ("p < 0.001" if self.p < 0.001 else f"p = {self.p:.2g}")
        return ", ".join(part for part in (span, chance) if part)


def comparisons(chosen: Row) -> list[Comparison]:
    """What a confirmed row says about itself against none, all and random, in this order."""
    known = {"vs_none": "no realignment", "vs_all": "all languages", "vs_random": "random of the same size"}
    found = []
    for key, against in known.items():
        if cell := chosen.get(key):
            span = cell.get("ci95")
            interval = (float(span[0]), float(span[1])) if span else None
            found.append(Comparison(against, float(cell["difference"]), interval, cell.get("p")))
    return found


def headline(chosen: Row | None, names: Mapping[str, str], top: Shot | None) -> str:
    """One sentence for the head of everything: the subset and what it scores."""
    if chosen is not None:
        who = joined([names.get(code, code) for code in chosen["languages"]])
        gain = next((each for each in comparisons(chosen) if each.against == "no realignment"), None)
        over = f": {points(gain.difference)} against no realignment" if gain else ""
        return f"Realigning on {who} scores {100 * chosen['mean']:.1f} %{over}"
    if top is None:
        return "No trial has finished yet"
    who = joined([names.get(code, code) for code in top.codes])
    return f"The best score so far, {100 * top.value:.1f} %, is that of {who}"
