"""What is drawn: plain numbers in, one figure out, each under a sentence that states its finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

from search.pages.canvas import Plot
from search.pages.charts import ChartRow, ChartRows, Look, Mark, Plane
from search.report import findings
from search.report.findings import CompleteTrial
from search.report.language_table import LanguageRow
from search.results.confirmation import ConfirmedRow
from search.results.effects import Effect
from search.results.estimates import Difference, Interval
from search.results.words import join_names, percent, points, signed
from search.score_objective import pareto_front as front_of

MOST_LINES = 60  # languages in one list before only its two ends are shown
Names = Mapping[str, str]  # code → name
Item = TypeVar("Item")

GROUPS = {"members": "Inside", "non_members": "Outside", "held_out": "Held out"}


def progress(trials: Sequence[CompleteTrial], names: Names) -> Plot:
    """Score against trial, with the best so far as a line and the model-free starts told apart."""
    top = findings.best(trials)
    assert top is not None
    so_far = accumulate((100 * trial.value for trial in trials), max)
    looks = {
        False: Look("proposed by the search", "blue", size=8),
        True: Look("chosen without measuring", "orange", "diamond", 12),
    }
    ring = Look("best", "ink", size=18, hollow=True)
    marks = [Mark(ring, top.number, 100 * top.value)]
    marks += [
        Mark(looks[free], trial.number, 100 * trial.value, _tip(trial, names, f"trial {trial.number}"))
        for free in (False, True)
        for trial in trials
        if trial.model_free is free
    ]
    steps = tuple(zip((float(trial.number) for trial in trials), so_far, strict=True))
    reading = (
        "Each mark is one realigned and fine-tuned encoder, scored on the languages the search may see. "
        "Single scores are noisy, so the best of many is a little lucky: what counts is the confirmation."
    )
    chart = Plane("Trial", "Search score, %", tuple(marks), steps, Look("best so far", "grey"))
    return Plot("progress", findings.progress_finding(trials), reading, chart)


def front(trials: Sequence[CompleteTrial], names: Names, unit: str) -> Plot:
    """Score against cost, with the Pareto front as steps."""
    kept = front_of(trials)
    beaten, best = Look("beaten", "light", size=8), Look("on the front", "blue", "square", 11)
    marks = [
        Mark(look, trial.cost, 100 * trial.value, _tip(trial, names, f"for {trial.cost:g}"))
        for look, part in ((beaten, [trial for trial in trials if trial not in kept]), (best, kept))
        for trial in part
    ]
    reading = (
        "No subset that was measured scores as much as one on the front for less. Single scores are noisy, and the "
        "front is made of lucky ones: confirm before choosing from it."
    )
    steps = tuple((trial.cost, 100 * trial.value) for trial in kept)
    chart = Plane(f"Cost, {unit}", "Search score, %", tuple(marks), steps, Look("", "blue"))
    return Plot("front", findings.front_finding(trials), reading, chart)


def _tip(trial: CompleteTrial, names: Names, where: str) -> str:
    who = join_names([names.get(code, code) for code in trial.codes])
    return f"{where}: {percent(trial.value)} %\n{who}\n{trial.origin}"


def confirmed(rows: Sequence[ConfirmedRow], labels: Names, chosen: str) -> Plot:
    """Mean and interval of each confirmed row, over the target languages and over the held-out ones."""
    panels = {"Target languages, %": {row.name: (row.mean, row.ci95) for row in rows}}
    if held_out := {row.name: (row.held_out.mean, row.held_out.ci95) for row in rows if row.held_out}:
        panels["Held-out languages, %"] = held_out
    order = [row.name for row in sorted(rows, key=lambda row: -row.mean)]
    reading = (
        "Means over fresh seeds on test splits that the search never saw; lines are 95 % intervals. "
        "Rows share their seeds and sentences, so a difference can be clear although two lines overlap."
    )
    chart = _panels(order, labels, panels, chosen)
    return Plot("confirmed", findings.confirmed_finding(rows, labels, chosen), reading, chart)


def spill(rows: Sequence[ConfirmedRow], labels: Names, chosen: str) -> Plot:
    """Gain over no realignment, apart for languages inside the subset, outside it, and held out."""
    known = {row.name: row.vs_none for row in rows if row.vs_none is not None and row.vs_none.members is not None}
    order = sorted(known, key=lambda name: -known[name].difference)
    panels = {f"{head}, points": _parts(known, key) for key, head in GROUPS.items()}
    reading = (
        "Gains over no realignment with 95 % intervals. Languages inside a subset have seen parallel text of their "
        "own; those outside can only profit by transfer. Each row has its own inside and outside."
    )
    chart = _panels(order, labels, {head: spans for head, spans in panels.items() if spans}, chosen, zero=True)
    return Plot("spill", findings.spill_finding(known, chosen), reading, chart)


Spans = Mapping[str, tuple[float, Interval]]  # row → value and interval, in scores


def _parts(known: Mapping[str, Difference], key: str) -> Spans:
    parts: dict[str, Difference | None] = {name: getattr(whole, key) for name, whole in known.items()}
    return {name: (part.difference, part.ci95) for name, part in parts.items() if part is not None}


def _panels(
    order: Sequence[str], labels: Names, panels: Mapping[str, Spans], chosen: str, zero: bool = False
) -> ChartRows:
    """Rows of values with their intervals, the chosen subset in colour, one panel for each heading."""
    looks = {True: Look("", "blue", "square", 11), False: Look("", "grey", size=9)}
    rows = [
        ChartRow(
            labels.get(name, name),
            tuple(
                (_spanned(looks[name == chosen], *spans[name], zero),) if name in spans else ()
                for spans in panels.values()
            ),
            strong=name == chosen,
        )
        for name in order
    ]
    return ChartRows(tuple(panels), tuple(rows), zero)


def _spanned(look: Look, value: float, ends: Interval, difference: bool, more: str = "") -> Mark:
    """A value with its interval, in hundredths; told with its sign where it is a difference."""
    write = (lambda each: signed(100 * each)) if difference else percent
    tip = f"{write(value)}{' points' if difference else ' %'} ({write(ends.low)} to {write(ends.high)}){more}"
    return Mark(look, 100 * value, tip=tip, span=(100 * ends.low, 100 * ends.high))


def gains(found: Sequence[LanguageRow]) -> Plot:
    """Gain over no realignment per language, of the chosen subset and of all languages."""
    order = _ends(sorted(found, key=lambda row: (-row.gain, row.code)))
    rows = [ChartRow(_row_name(each), (_gain_marks(each),), strong=each.inside) for each in order]
    cut = f" The {MOST_LINES} with the largest gains and losses are shown." if len(found) > MOST_LINES else ""
    some = any(each.gain_ci95 is not None for each in order)
    lines = " Lines are 95 % intervals, each for its language alone." if some else ""
    reading = (
        f"Languages inside the subset are bold with a dot; the others profit only by transfer.{lines} A loss counts as "
        f"beyond noise only where it stays clear after correction for the number of languages (Holm).{cut}"
    )
    return Plot(
        "gains",
        findings.gains_finding(found),
        reading,
        ChartRows(("Gain over no realignment, points",), tuple(rows), True),
    )


GAIN = Look("chosen subset", "blue")
LOSS = Look("chosen subset, less but within noise", "blue", hollow=True)
WORSE = Look("chosen subset, worse beyond noise", "red", "cross", 11)
RIVAL = Look("realigned on all languages", "grey", "diamond", 8, hollow=True)


def _gain_marks(row: LanguageRow) -> tuple[Mark, ...]:
    look = WORSE if row.worse else GAIN if row.gain >= 0 else LOSS
    if row.gain_ci95 is not None:
        mine = _spanned(look, row.gain, row.gain_ci95, True, f", {look.label}")
    else:
        mine = Mark(look, 100 * row.gain, tip=f"{points(row.gain)}, {look.label}")
    if row.all is None:
        return (mine,)
    rival = row.all - row.none
    return (Mark(RIVAL, 100 * rival, tip=f"{points(rival)}, {RIVAL.label}"), mine)


def _row_name(row: LanguageRow) -> str:
    return f"{row.name}{' (held out)' if row.held_out else ''}{' ●' if row.inside else ''}"


def importance(found: Sequence[Effect], names: Names) -> Plot:
    """The effect of each language on the score when it takes the place of an average one."""
    order = _ends(sorted(found, key=lambda each: (-each.effect, each.code)))
    looks = {True: Look("clear of zero", "blue"), False: Look("not clear of zero", "grey", hollow=True)}
    rows = [ChartRow(names.get(each.code, each.code), ((_effect(each, looks[each.clear]),),)) for each in order]
    reading = (
        "What the surrogate expects of each language after all trials, with 90 % intervals of its posterior. Zero is "
        "an average language of the pool. Languages work together, so this ranks single ones only roughly."
    )
    chart = ChartRows(("Effect of membership on the search score, points",), tuple(rows), True)
    return Plot("importance", findings.importance_finding(found, names), reading, chart)


def _effect(each: Effect, look: Look) -> Mark:
    often = f"\nin {each.share_top:.0%} of the best quarter, {each.share_all:.0%} of all"
    return _spanned(look, each.effect, Interval(each.low, each.high), True, often)


def _ends(order: list[Item]) -> list[Item]:
    """A sorted list, cut to its two ends where it is too long to read."""
    return order if len(order) <= MOST_LINES else order[: MOST_LINES // 2] + order[-MOST_LINES // 2 :]
