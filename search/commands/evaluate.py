"""`realingo evaluate MODEL_DIR --study STUDY.toml`: zero-shot scores of any encoder under a study's task.

The encoder is fine-tuned on the source language exactly as the study fine-tunes, and looked at as the study looks: on
the test split like `confirm`, on the development split like the search. So the output of `realingo realign` gets the
study's own score of its subset, digit by digit, where the seed is the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from realign.build import evaluator as assemble
from realign.core import Model
from realign.data_sets import Data
from realign.score import Score
from realign.training.settings import Realignment
from search import terminal
from search.backends import registry as backends
from search.backends.batch import Bench
from search.config.study_config import StudyConfig
from search.confirmation.comparison import cell, difference_cell
from search.confirmation.measured import Measured, measure, regressions
from search.confirmation.significance import format_p
from search.interrupts import Interrupts
from search.study.provenance import versions
from selector.errors import InputError
from selector.languages.language import Pool, parse
from selector.languages.subset import Subset


@dataclass(frozen=True)
class Wanted:
    """What to evaluate; InputError where it makes no sense."""

    model: str  # a folder or a hub id
    against: str | None = None  # another one, to compare with
    split: str = "test"
    seeds: int = 1
    workers: int = 1

    def __post_init__(self) -> None:
        if self.split not in get_args(assemble.DevOrTest):
            raise InputError(f"there is no split '{self.split}'", "take --split test or --split dev")
        if not 1 <= self.seeds <= 100:
            raise InputError(f"--seeds {self.seeds} is out of range", "take a number from 1 to 100")


def evaluate(config: StudyConfig, wanted: Wanted) -> dict[str, Any]:
    """Fine-tune and score on `wanted.seeds` seeds from the study's on. Held-out languages are seen on the test split
    alone. Every score is cached, so an interrupted evaluation goes on where it was.
    """
    place = "inline" if wanted.workers == 1 else "process"
    backends.Place(place, wanted.workers)
    seeds = [config.seed + i for i in range(wanted.seeds)]
    models = [wanted.model, *([wanted.against] if wanted.against else [])]
    views = [_view(config, model, wanted.split) for model in models]
    with terminal.progress() as advance, Interrupts() as interrupts:
        bench = Bench(place, wanted.workers, advance, interrupts)
        scores = [_scores(bench, model, view, seeds) for model, view in zip(models, views, strict=True)]
    measured = [measure([[score] for score in each]) for each in scores]
    document = _document(config, wanted, scores[0], measured[0])
    document["against"] = _compared(config, models[1], *measured) if len(models) > 1 else None
    return document


def _view(config: StudyConfig, model: str, split: str) -> backends.View:
    """The study's view with another encoder, and without the parallel text that only realignment needs."""
    base = str(Path(model).absolute()) if Path(model).is_dir() else model
    needed = config.core.data if config.core.task_data is config.core.data.parallel else Data()
    bare = replace(config.core, model=Model(base=base), data=needed, realign=Realignment())
    scope = replace(config.scope, pool=())
    if split == "dev":
        return backends.View(bare, scope, config.tune, "dev")
    return backends.View(bare, scope, config.scope.everyone, "test")


def _scores(bench: Bench, model: str, view: backends.View, seeds: list[int]) -> list[Score]:
    found = bench.measure(f"evaluating {model}", view, [(Subset(), seed) for seed in seeds])
    return [found[Subset(), seed] for seed in seeds]


def _document(config: StudyConfig, wanted: Wanted, scores: list[Score], measured: Measured) -> dict[str, Any]:
    tune = _codes(config.tune)
    held_out = _codes(config.held_out) if wanted.split == "test" else []
    return {
        "schema": 1,
        "model": wanted.model,
        "study": config.name,
        "task": config.core.task.kind,
        "metric": config.core.task.metric,
        "split": wanted.split,
        "source": config.core.source.code,
        "seeds": [config.seed + i for i in range(wanted.seeds)],
        **cell(measured, tune),
        "std": measured.std(tune),
        "targets": tune,
        "held_out": {**cell(measured, held_out), "languages": held_out} if held_out else None,
        "per_language": measured.per_language,
        "per_seed": [dict(score.per_language) for score in scores],
        "signature": hashlib.sha256("+".join(score.signature for score in scores).encode()).hexdigest()[:24],
        "versions": versions(),
    }


def _compared(config: StudyConfig, name: str, mine: Measured, other: Measured) -> dict[str, Any]:
    """Paired over sentences and seeds; p is of one comparison, regressions are corrected over the languages."""
    difference, tune = mine - other, _codes(config.tune)
    return {
        "model": name,
        "mean": other.mean(tune),
        **difference_cell(difference, tune),
        "p": difference.estimate(tune).p,
        "per_language": difference.per_language,
        "regressions": regressions(mine, other),
    }


def _codes(languages: Pool) -> list[str]:
    return [language.code for language in languages]


def render(document: Mapping[str, Any]) -> Any:
    """A line for the mean and one for each language; in percent."""
    against = document["against"]
    columns = ["language", "", document["metric"], *([f"against {against['model']}", ""] if against else [])]
    held_out = set(document["held_out"]["languages"]) if document["held_out"] else set()
    rows = []
    for code, value in document["per_language"].items():
        kind = "held out" if code in held_out else "" if code in document["targets"] else "pool alone"
        row = [f"{code} {parse(code).name}", kind, f"{100 * value:.1f}"]
        if against:
            row += [f"{100 * against['per_language'][code]:+.1f}", "worse" if code in against["regressions"] else ""]
        rows.append(row)
    seeds = f"{len(document['seeds'])} seed{'s' if len(document['seeds']) > 1 else ''}"
    title = f"{document['model']}: {document['task']} of study {document['study']}, {document['split']} split, {seeds}"
    right = (document["metric"], columns[3] if against else "")
    table = terminal.table(title, columns, rows, right=right)
    return terminal.stack(table, "\n".join(_summary(document)))


def _summary(document: Mapping[str, Any]) -> list[str]:
    targets = f"mean over {len(document['targets'])} target languages"
    lines = [f"{targets}: {_span(document)} %, {100 * document['std']:.1f} standard deviation between seeds"]
    if document["held_out"]:
        lines.append(f"held-out languages: {_span(document['held_out'])} %")
    if against := document["against"]:
        low, high = (100 * end for end in against["ci95"])
        gain = f"{100 * against['difference']:+.1f} points ({low:+.1f} to {high:+.1f}, {format_p(against['p'])})"
        lines.append(f"against {against['model']}: {gain}")
    if len(document["seeds"]) == 1:
        lines.append("one seed: the interval is over sentences alone; --seeds 5 shows what chance in training does")
    return [*lines, f"signature {document['signature']}"]


def _span(cell: Mapping[str, Any]) -> str:
    return f"{100 * cell['mean']:.1f} ({100 * cell['ci95'][0]:.1f} to {100 * cell['ci95'][1]:.1f})"
