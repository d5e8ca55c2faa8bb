"""A confirmation as people read it on a terminal."""

from __future__ import annotations

from search import terminal
from search.confirmation.significance import format_p
from search.confirmation.verdict import Verdict, luck_in_words
from search.results.confirmation import Confirmation, ConfirmedRow
from search.results.estimates import Difference
from search.results.words import percent, short_list, signed
from selector.errors import quantity

COLUMNS = ["subset", "languages", "mean", "95 %", "held out", "vs none", "vs all", "vs random", "worse than none"]
NUMBERS = ("mean", "95 %", "held out", "vs none", "vs all", "vs random")


def render(confirmation: Confirmation, found: Verdict) -> terminal.RenderableType:
    """The rows as a table in percent, each subset once; then the winner's luck and `found`, what the study says."""
    metric = confirmation.metric or "score"
    title = (
        f"{metric}, {quantity(len(confirmation.seeds), 'fresh seed')}, test split; p: corrected for many comparisons"
    )
    rows = [_cells(row, confirmation.other_names(row)) for row in confirmation.distinct]
    table = terminal.table(title, COLUMNS, rows, right=NUMBERS)
    return terminal.stack(table, luck_in_words(confirmation.luck), found.sentence)


def _cells(row: ConfirmedRow, others: tuple[str, ...]) -> list[str]:
    return [
        " = ".join((row.name, *others)),
        short_list(row.languages),
        percent(row.mean),
        f"{percent(row.ci95.low)} to {percent(row.ci95.high)}",
        percent(row.held_out.mean) if row.held_out else "",
        *(_versus(versus) for versus in (row.vs_none, row.vs_all, row.vs_random)),
        " ".join(row.regressions),
    ]


def _versus(found: Difference | None) -> str:
    if found is None:
        return ""
    if found.is_nothing:
        return "the same"
    return f"{signed(100 * found.difference)}{'' if found.p is None else f' ({format_p(found.p)})'}"
