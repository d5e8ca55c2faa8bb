"""Whether fine-tuning taught the encoder the task at all: what the source language's own score says."""

from __future__ import annotations

from dataclasses import asdict

from realign.score import SourceScore
from search.results.json_reader import Json, Reader
from selector.languages.language import parse


def source_to_json(found: SourceScore) -> Json:
    """JSON of `found`, as `source_score` in the documents of `status`, `confirm`, `evaluate` and `check --time`."""
    return {**asdict(found), "converged": found.converged}


def source_from_json(given: object, place: str = "source_score") -> SourceScore:
    """Source score in `given`, which errors call `place`. InputError unless it holds a language and its two scores."""
    read = Reader(given, place)
    return SourceScore(read.text("language"), read.number("value"), read.number("constant"))


def convergence_remark(found: SourceScore | None, length: str = "task.steps") -> str:
    """One sentence where the fine-tuning of `found` has not converged; "" where it has, or where that is not known.

    `length` is the key of the study file that says how long is fine-tuned; the sentence advises to raise it.
    """
    if found is None or found.converged:
        return ""
    name, value, constant = parse(found.language).name, 100 * found.value, 100 * found.constant
    return (
        f"{name} is at {value:.0f} % after fine-tuning (the same answer everywhere scores {constant:.0f} %): "
        f"it has not converged; raise {length} or task.lr"
    )
