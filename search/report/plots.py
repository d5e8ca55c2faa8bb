"""What is drawn: plain numbers in, one picture out, each under a sentence that states its finding. How: `canvas`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from search.objective import front as front_of
from search.pages.canvas import BLUE, GREY, HEAD, INK, LIGHT, LINE, ORANGE, RED, Canvas, Plot, plain
from search.report import findings
from search.report.findings import Shot
from search.results.confirmation import ConfirmedRow
from search.results.effects import Effect
from search.results.estimates import Difference, Interval
from search.results.words import joined

MOST_LINES = 60  # languages in one list before only its two ends are shown
MOST_CODES = 60  # languages on one plane before only the chosen are written out
Names = Mapping[str, str]  # code → name

GROUPS = {"members": "Inside", "non_members": "Outside", "held_out": "Held out"}


def progress(shots: Sequence[Shot], names: Names) -> Plot:
    """Score against trial, with the best so far as a line and the model-free starts told apart."""
    top = findings.best(shots)
    assert top is not None
    canvas = Canvas()
    so_far = [round(value, 2) for value in accumulate((100 * shot.value for shot in shots), max)]
    canvas.line([shot.number for shot in shots], so_far, {"color": GREY, "width": 1.5, "shape": "hv"}, "best so far")
    proposed = {"color": BLUE, "size": 8, "line": {"color": "white", "width": 0.8}}
    started = {"color": ORANGE, "size": 11, "symbol": "diamond", "line": {"color": "white", "width": 0.8}}
    for label, free, look in (("proposed by the search", False, proposed), ("chosen without measuring", True, started)):
        if part := [shot for shot in shots if shot.model_free is free]:
            x, y = [shot.number for shot in part], [round(100 * shot.value, 2) for shot in part]
            told = [plain(f"{joined([names.get(c, c) for c in shot.codes])} · {shot.origin}") for shot in part]
            canvas.dots(x, y, label, look, "trial %{x}: %{y:.1f} %<br>%{text}", told)
    ring = {"color": "rgba(0,0,0,0)", "size": 18, "line": {"color": INK, "width": 1.5}}
    canvas.dots([top.number], [100 * top.value], "best", ring)
    canvas.heading("Trial", y="Search score, %")
    reading = (
        "Each mark is one realigned and fine-tuned encoder, scored on the languages the search may see. "
        "Single scores are noisy, so the best of many is a little lucky: what counts is the confirmation."
    )
    return canvas.plot("progress", findings.progress_finding(shots), reading, 400)


def front(shots: Sequence[Shot], names: Names, unit: str) -> Plot:
    """Score against cost, with the Pareto front as steps."""
    kept = front_of(shots)
    canvas = Canvas()
    rest = [shot for shot in shots if shot not in kept]
    looks = {"color": LIGHT, "size": 8}, {"color": BLUE, "size": 11, "symbol": "square"}
    canvas.line(
        [shot.cost for shot in kept], [100 * shot.value for shot in kept], {"color": BLUE, "width": 1.5, "shape": "hv"}
    )
    for label, part, look in (("beaten", rest, looks[0]), ("on the front", kept, looks[1])):
        told = [plain(joined([names.get(code, code) for code in shot.codes])) for shot in part]
        x, y = [shot.cost for shot in part], [round(100 * shot.value, 2) for shot in part]
        canvas.dots(x, y, label, look, "for %{x}: %{y:.1f} %<br>%{text}", told)
    canvas.heading(f"Cost, {unit}", y="Search score, %")
    reading = (
        "No subset that was measured scores as much as one on the front for less. Single scores are noisy, and the "
        "front is made of lucky ones: confirm before choosing from it."
    )
    return canvas.plot("front", findings.front_finding(shots), reading, 400)


def confirmed(rows: Sequence[ConfirmedRow], labels: Names, chosen: str) -> Plot:
    """Mean and interval of each confirmed row, over the target languages and over the held-out ones."""
    panels = {"Target languages, %": {row.name: _span(row.mean, row.ci95) for row in rows}}
    if held_out := {row.name: _span(row.held_out.mean, row.held_out.ci95) for row in rows if row.held_out}:
        panels["Held-out languages, %"] = held_out
    order = [row.name for row in sorted(rows, key=lambda row: row.mean)]
    canvas = _panels(order, labels, panels, chosen)
    reading = (
        "Means over fresh seeds on test splits that the search never saw; lines are 95 % intervals. "
        "Rows share their seeds and sentences, so a difference can be clear although two lines overlap."
    )
    return canvas.plot("confirmed", findings.confirmed_finding(rows, labels, chosen), reading, HEAD + 34 * len(rows))


def spill(rows: Sequence[ConfirmedRow], labels: Names, chosen: str) -> Plot:
    """Gain over no realignment, apart for languages inside the subset, outside it, and held out."""
    known = {row.name: row.vs_none for row in rows if row.vs_none is not None and row.vs_none.members is not None}
    order = sorted(known, key=lambda name: known[name].difference)
    panels = {f"{head}, points": _parts(known, key) for key, head in GROUPS.items()}
    reading = (
        "Languages inside a subset have seen parallel text of their own; those outside can only profit by transfer. "
        "Each row has its own inside and outside."
    )
    canvas = _panels(order, labels, {head: spans for head, spans in panels.items() if spans}, chosen, zero=True)
    return canvas.plot("spill", findings.spill_finding(known, chosen), reading, HEAD + 34 * len(order))


Spans = Mapping[str, tuple[float, float, float]]  # row → value, low, high in hundredths


def _parts(known: Mapping[str, Difference], key: str) -> Spans:
    parts: dict[str, Difference | None] = {name: getattr(whole, key) for name, whole in known.items()}
    return {name: _span(part.difference, part.ci95) for name, part in parts.items() if part is not None}


def _span(value: float, interval: Interval) -> tuple[float, float, float]:
    return 100 * value, 100 * interval.low, 100 * interval.high


def _panels(
    order: Sequence[str], labels: Names, panels: Mapping[str, Spans], chosen: str, zero: bool = False
) -> Canvas:
    """Rows of whiskers, the chosen subset in colour, one panel for each heading."""
    canvas = Canvas(len(panels))
    called = {name: plain(labels.get(name, name)) + "  " for name in order}
    called |= {name: f"<b>{called[name]}</b>" for name in order if name == chosen}
    for panel, (heading, spans) in enumerate(panels.items(), start=1):
        for taken, look in (
            (False, {"color": GREY, "size": 9}),
            (True, {"color": BLUE, "size": 12, "symbol": "square"}),
        ):
            if part := [(called[n], *spans[n]) for n in order if n in spans and (n == chosen) is taken]:
                canvas.whiskers(part, "", look, panel)
        canvas.heading(heading, panel)
    canvas.rows([called[name] for name in order], zero)
    return canvas


def gains(
    chosen: Mapping[str, float],
    none: Mapping[str, float],
    every: Mapping[str, float],
    names: Names,
    members: Sequence[str],
) -> Plot:
    """Gain over no realignment per language: the chosen subset against all languages.

    `chosen`, `none` and `every` are scores by language, without realignment and realigned on all; `every` may be empty.
    """
    gain = {code: 100 * (chosen[code] - none[code]) for code in chosen if code in none}
    rival = {code: 100 * (every[code] - none[code]) for code in gain if code in every}
    order = _ends(sorted(gain, key=lambda code: (gain[code], code)))
    called = {code: _row_name(code, names, members) for code in order}
    canvas = Canvas()
    ends = [(called[code], round(gain[code], 2), round(rival.get(code, 0.0), 2)) for code in order]
    x = [spot for _, left, right in ends for spot in (left, right, None)]
    canvas.line(x, [spot for row, *_ in ends for spot in (row, row, None)], {"color": LIGHT, "width": 2})
    hollow = {"symbol": "circle-open", "size": 9, "color": INK, "line": {"width": 1.6}}
    better, worse = {"color": BLUE, "size": 9}, {"color": RED, "size": 10, "symbol": "x"}
    for label, of, look, part in (
        ("realigned on all languages", rival, hollow, [code for code in order if code in rival]),
        ("chosen subset", gain, better, [code for code in order if gain[code] >= 0]),
        ("chosen subset, worse than no realignment", gain, worse, [code for code in order if gain[code] < 0]),
    ):
        if part:
            tip = "%{y}: %{x:+.1f} points, " + label
            canvas.dots([round(of[code], 2) for code in part], [called[code] for code in part], label, look, tip)
    canvas.heading("Gain over no realignment, points")
    canvas.rows(list(called.values()), zero=True)
    cut = f" The {MOST_LINES} with the largest losses and gains are shown." if len(gain) > MOST_LINES else ""
    reading = f"Languages inside the subset are bold with a dot; the others profit only by transfer.{cut}"
    return canvas.plot("gains", findings.gains_finding(gain), reading, HEAD + LINE * len(order))


def _row_name(code: str, names: Names, members: Sequence[str]) -> str:
    name = plain(names.get(code, code))
    return f"<b>{name}</b> ●" if code in members else name


def importance(found: Sequence[Effect], names: Names) -> Plot:
    """What each language does to the score when it takes the place of an average one."""
    order = _ends(sorted(found, key=lambda each: (each.effect, each.code)))
    called = {each.code: plain(names.get(each.code, each.code)) for each in order}
    canvas = Canvas()
    shy = {"color": GREY, "size": 8, "symbol": "circle-open"}
    for label, clear, look in (("clear of zero", True, {"color": BLUE, "size": 9}), ("not clear of zero", False, shy)):
        if part := [each for each in order if each.clear is clear]:
            spans = [(called[e.code], 100 * e.effect, 100 * e.low, 100 * e.high) for e in part]
            tips = [f" points<br>in {e.share_top:.0%} of the best quarter, {e.share_all:.0%} of all" for e in part]
            canvas.whiskers(spans, label, look, tips=tips)
    canvas.heading("Effect of membership on the search score, points")
    canvas.rows(list(called.values()), zero=True)
    reading = (
        "What the surrogate expects of each language after all trials, with 90 % intervals of its posterior. Zero is "
        "an average language of the pool. Languages work together, so this ranks single ones only roughly."
    )
    return canvas.plot("importance", findings.importance_finding(found, names), reading, HEAD + LINE * len(order))


def _ends(order: list[Any]) -> list[Any]:
    """A sorted list, cut to its two ends where it is too long to read."""
    return order if len(order) <= MOST_LINES else order[: MOST_LINES // 2] + order[-MOST_LINES // 2 :]
