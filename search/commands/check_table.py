"""What `realingo check` found, as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search import terminal
from selector.languages.language import parse


def render(document: Mapping[str, Any]) -> Any:
    """The languages as a table, then the model, the subsets and what it will take."""
    rows = []
    for row in document["languages"]:
        text, task = row["parallel"], row["task"]
        pairs = [f"{text['used']:,}", f"{text['available']:,}"] if text else ["", ""]
        counts = ["" if task[split] is None else f"{task[split]:,}" for split in ("train", "dev", "test")]
        rows.append([f"{row['code']} {parse(row['code']).name}", row["role"].replace("_", " "), *pairs, *counts])
    columns = ["language", "role", "pairs used", "of", "train", "dev", "test"]
    table = terminal.table("", columns, rows, right=tuple(columns[2:]))
    return terminal.stack(*([table] if rows else []), "\n".join(_summary(document)))


def _summary(document: Mapping[str, Any]) -> list[str]:
    lines, model, cost = [], document["model"], document["estimate"]
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
    count = len(document["problems"])
    return [*lines, "nothing is wrong" if document["ok"] else f"{count} problem{'s' * (count > 1)}"]
