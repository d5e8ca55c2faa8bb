"""What the trials and the confirmation say, as plain numbers and sentences: study → findings → report and dashboard.

Nothing here draws. Scores are accuracies or F1 in [0, 1]; differences are in points (hundredths of that scale).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.report.language_table import LanguageRow
from search.results.confirmation import ConfirmedRow
from search.results.effects import Effect, PairEffect
from search.results.estimates import Difference
from search.results.words import join_names, percent, points
from search.score_objective import pareto_front


@dataclass(frozen=True)
class CompleteTrial:
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


def best(trials: Sequence[CompleteTrial]) -> CompleteTrial | None:
    """The highest score, the earliest of equals; None before the first complete trial."""
    return max(trials, key=lambda trial: (trial.value, -trial.number), default=None)


def progress_finding(trials: Sequence[CompleteTrial]) -> str:
    top, starts = best(trials), [trial for trial in trials if trial.model_free]
    assert top is not None
    found = f"The best search score, {percent(top.value)} %, came at trial {top.number}, one of {len(trials)} completed"
    start = best(starts)
    if start is None or len(starts) == len(trials):
        return found
    if top.model_free:
        return f"{found}: a start chosen without measuring that no later proposal beat"
    return f"{found}, {points(top.value - start.value)} against the best start chosen without measuring"


def confirmed_finding(rows: Sequence[ConfirmedRow], labels: Mapping[str, str], chosen: str) -> str:
    """One sentence on the rank of the row `chosen` by its mean."""
    first, *rest = sorted(rows, key=lambda each: -each.mean)
    taken = next((each for each in rows if each.name == chosen), first)
    if first is taken:
        lead = f", {points(taken.mean - rest[0].mean)} against the next" if rest else ""
        return f"On fresh seeds the chosen subset has the highest mean{lead}"
    behind, leader = 100 * (first.mean - taken.mean), labels.get(first.name, first.name)
    return f"On fresh seeds the chosen subset lies {behind:.1f} points behind the highest mean ({leader})"


def spill_finding(known: Mapping[str, Difference], chosen: str) -> str:
    """One sentence on the gain of the row `chosen`. `known`: row → its difference to no realignment."""
    taken = known.get(chosen) or next(iter(known.values()))
    heads = {"members": "inside the subset", "non_members": "outside it", "held_out": "held out from the search"}
    cells: dict[str, Difference | None] = {head: getattr(taken, key) for key, head in heads.items()}
    parts = [f"{points(cell.difference)} for languages {head}" for head, cell in cells.items() if cell is not None]
    return f"The gain over no realignment: {join_names(parts)}" if parts else "The gain over no realignment"


def gains_finding(rows: Sequence[LanguageRow]) -> str:
    """One sentence on how many languages gain by realignment, and how many lose, beyond noise or within it."""
    worse, less = sum(row.worse for row in rows), sum(row.gain < 0 for row in rows)
    shy = sum(row.lower for row in rows)
    found = f"{len(rows) - less} of {len(rows)} languages score as much or more than without realignment"
    if not less:
        return found
    beyond = f"{worse} less beyond noise" if worse else "none less beyond noise"
    return f"{found}, {beyond}{f', {shy} less within noise' if shy else ''}"


def pairs_finding(pairs: Sequence[PairEffect], names: Mapping[str, str]) -> str:
    """One sentence on whether two languages are worth more, or less, together than the sum of both."""
    clear = [pair for pair in pairs if pair.low > 0 or pair.high < 0]
    if not clear:
        return "No pair is known to work better or worse together than alone: every interval holds zero"
    first = clear[0]
    who = join_names([names.get(code, code) for code in first.codes])
    size, more = f"{100 * abs(first.effect):.1f} points", "more" if first.effect > 0 else "less"
    return f"{who} together are worth {size} {more} than the sum of both"


def front_finding(trials: Sequence[CompleteTrial]) -> str:
    """One sentence on what the last step of the front costs and gives."""
    kept = pareto_front(trials)
    last, rest = kept[-1], kept[:-1]
    if not rest:
        return f"One subset is best at every cost: {100 * last.value:.1f} % for {last.cost:g}"
    near = next(trial for trial in kept if trial.value >= 0.98 * last.value)
    if near is last:
        return f"{100 * last.value:.1f} % costs {last.cost:g}; {100 * rest[-1].value:.1f} % costs {rest[-1].cost:g}"
    return f"{100 * near.value / last.value:.0f} % of the highest score costs {near.cost:g} instead of {last.cost:g}"


def importance_finding(found: Sequence[Effect], names: Mapping[str, str]) -> str:
    first = max(found, key=lambda each: each.effect)
    if first.low <= 0:
        return "No single language stands out as helping: every interval reaches down to zero"
    return f"{names.get(first.code, first.code)} helps most: {points(first.effect)} in place of an average language"
