"""The result of `realingo check`, as people read it."""

from __future__ import annotations

from search import terminal
from search.results.check_report import CheckReport, ParallelCount, TaskCount
from selector.languages.language import parse

SPLITS = ("train", "dev", "test")


def render(report: CheckReport) -> terminal.RenderableType:
    """The languages as a table, then the data sets, the model, the subsets and the cost.

    Where there is one set of a kind for all languages its name stands below, else beside each language.
    """
    texts, tasks = (_names(*sets) for sets in _sets(report).values())
    several = {"parallel text": len(texts) > 1, "task data": len(tasks) > 1}
    rows = []
    for row in report.languages:
        text, task = row.parallel, row.task
        pairs = [f"{text.used:,}", f"{text.available:,}"] if text else ["", ""]
        counts = ["" if count is None else f"{count:,}" for count in (task.train, task.dev, task.test)]
        names = [*([(text.source or "") if text else ""] if len(texts) > 1 else ())]
        names += [(task.source or "") if any(counts) else ""] if len(tasks) > 1 else []
        first = [f"{row.code} {parse(row.code).name}", row.role.replace("_", " ")]
        rows.append([*first, *pairs, *counts, *names])
    numbers = ["pairs used", "of", *SPLITS]
    columns = ["language", "role", *numbers, *(name for name, told in several.items() if told)]
    table = terminal.table("", columns, rows, right=tuple(numbers))
    return terminal.stack(*([table] if rows else []), "\n".join(_summary(report)))


def _sets(report: CheckReport) -> dict[str, list[ParallelCount | TaskCount | None]]:
    """The data of each kind, language by language."""
    return {
        "parallel text": [row.parallel for row in report.languages],
        "task data": [row.task for row in report.languages],
    }


def _names(*data: ParallelCount | TaskCount | None) -> set[str]:
    """Names of the data sets that a language is taken from."""
    return {each.source for each in data if each is not None and each.source}


def _summary(report: CheckReport) -> list[str]:
    lines, model, cost = [], report.model, report.estimate
    for words, data in _sets(report).items():
        names = _names(*data)
        if len(names) == 1:
            lines.append(f"{words}: {names.pop()}")
    if model:
        commit = f" at {model.revision}" if model.revision else ""
        shape = f": {model.layers} layers of {model.width}, {model.positions} positions"
        lines.append(f"model {model.id}{commit}{shape if model.layers else ''}")
    if report.languages:
        lines.append(f"subsets to choose from: {'at most ' * report.is_bound}{report.subsets:,}")
    if cost:
        lines.append(f"a trial takes about {cost.seconds_per_trial:.1f} s with one worker on this machine")
        lines.append(f"the search {cost.search_hours:.2f} h, the confirmation {cost.confirm_hours:.2f} h")
        lines.append(f"memory of a worker {cost.memory_gb:.1f} GB, disk for prepared text {cost.disk_gb:.2f} GB")
    if source := report.source_score:
        name, constant = parse(source.language).name, 100 * source.constant
        reached = f"{name} is at {100 * source.value:.1f} % after fine-tuning"
        lines.append(f"{reached} (the same answer everywhere scores {constant:.1f} %)")
    count = len(report.problems)
    return [*lines, f"{count} problem{'s' * (count > 1)}" if count else "nothing is wrong"]
