"""What `realingo check` found, as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search import terminal
from selector.languages.language import parse

SPLITS = ("train", "dev", "test")


def render(document: Mapping[str, Any]) -> Any:
    """The languages as a table, then the data sets, the model, the subsets and what it will take.

    Where there is one set of a kind for all languages its name stands below, else beside each language.
    """
    texts, tasks = _sets(document, "parallel"), _sets(document, "task")
    several = {"parallel text": len(texts) > 1, "task data": len(tasks) > 1}
    rows = []
    for row in document["languages"]:
        text, task = row["parallel"], row["task"]
        pairs = [f"{text['used']:,}", f"{text['available']:,}"] if text else ["", ""]
        counts = ["" if task[split] is None else f"{task[split]:,}" for split in SPLITS]
        names = [*([text["source"] if text else ""] if len(texts) > 1 else ())]
        names += [(task["source"] or "") if any(counts) else ""] if len(tasks) > 1 else []
        first = [f"{row['code']} {parse(row['code']).name}", row["role"].replace("_", " ")]
        rows.append([*first, *pairs, *counts, *names])
    numbers = ["pairs used", "of", *SPLITS]
    columns = ["language", "role", *numbers, *(name for name, shown in several.items() if shown)]
    table = terminal.table("", columns, rows, right=tuple(numbers))
    return terminal.stack(*([table] if rows else []), "\n".join(_summary(document)))


def _sets(document: Mapping[str, Any], kind: str) -> set[str]:
    """Names of the data sets that a language is taken from."""
    return {name for row in document["languages"] if row[kind] and (name := row[kind]["source"])}


def _summary(document: Mapping[str, Any]) -> list[str]:
    lines, model, cost = [], document["model"], document["estimate"]
    for kind, words in (("parallel", "parallel text"), ("task", "task data")):
        names = _sets(document, kind)
        if len(names) == 1:
            lines.append(f"{words}: {names.pop()}")
    if model:
        commit = f" at {model['revision']}" if model["revision"] else ""
        shape = f": {model['layers']} layers of {model['width']}, {model['positions']} positions"
        lines.append(f"model {model['id']}{commit}{shape if model['layers'] else ''}")
    if document["languages"]:
        lines.append(f"subsets to choose from: {document['subsets']:,}")
    if cost:
        lines.append(f"a trial takes about {cost['seconds_per_trial']:.1f} s with one worker on this machine")
        lines.append(f"the search {cost['search_hours']:.2f} h, the confirmation {cost['confirm_hours']:.2f} h")
        lines.append(f"memory of a worker {cost['memory_gb']:.1f} GB, disk for prepared text {cost['disk_gb']:.2f} GB")
    if source := document.get("source_score"):
        name, constant = parse(source["language"]).name, 100 * source["constant"]
        reached = f"{name} is at {100 * source['value']:.1f} % after fine-tuning"
        lines.append(f"{reached} (the same answer everywhere scores {constant:.1f} %)")
    count = len(document["problems"])
    return [*lines, "nothing is wrong" if document["ok"] else f"{count} problem{'s' * (count > 1)}"]
