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

from numpy.random import default_rng

from realign.score import Score
from search import terminal
from search.backends import registry as backends
from search.backends.batch import Bench
from search.build import evaluator as assemble
from search.config.core_schema import DataSection, ModelSection, RealignSection
from search.config.study_config import StudyConfig
from search.confirmation import bootstrap
from search.confirmation.bootstrap import Sampled
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
    rows = {str(number): [[score] for score in each] for number, each in enumerate(scores)}
    sampled = bootstrap.resample(rows, default_rng([config.seed, len(seeds)]))
    document = _document(config, wanted, scores[0], sampled["0"])
    document["against"] = _compared(config, models[1], sampled) if len(models) > 1 else None
    return document


def _view(config: StudyConfig, model: str, split: str) -> backends.View:
    """The study's view with another encoder, and without the parallel text that only realignment needs."""
    base = str(Path(model).absolute()) if Path(model).is_dir() else model
    needed = config.data if config.task_data is config.data.parallel else DataSection()
    bare = replace(config, pool=(), model=ModelSection(base=base), data=needed, realign=RealignSection())
    if split == "dev":
        return backends.View(bare, config.tune, "dev")
    return backends.View(bare, tuple(sorted({*config.pool, *config.tune, *config.held_out})), "test")


def _scores(bench: Bench, model: str, view: backends.View, seeds: list[int]) -> list[Score]:
    found = bench.measure(f"evaluating {model}", view, [(Subset(), seed) for seed in seeds])
    return [found[Subset(), seed] for seed in seeds]


def _document(config: StudyConfig, wanted: Wanted, scores: list[Score], sampled: Sampled) -> dict[str, Any]:
    tune = _codes(config.tune)
    held_out = _codes(config.held_out) if wanted.split == "test" else []
    return {
        "schema": 1,
        "model": wanted.model,
        "study": config.name,
        "task": config.task.kind,
        "metric": config.task.metric,
        "split": wanted.split,
        "source": config.source.code,
        "seeds": [config.seed + i for i in range(wanted.seeds)],
        **_cell(sampled, tune),
        "std": sampled.std(tune),
        "targets": tune,
        "held_out": {**_cell(sampled, held_out), "languages": held_out} if held_out else None,
        "per_language": dict(zip(sampled.codes, map(float, sampled.observed.mean(axis=0)), strict=True)),
        "per_seed": [dict(score.per_language) for score in scores],
        "signature": hashlib.sha256("+".join(score.signature for score in scores).encode()).hexdigest()[:24],
        "versions": versions(),
    }


def _compared(config: StudyConfig, name: str, sampled: Mapping[str, Sampled]) -> dict[str, Any]:
    """Paired over sentences and seeds; p is of one comparison, regressions are corrected over the languages."""
    mine, other = sampled["0"], sampled["1"]
    tune = _codes(config.tune)
    difference = mine.averaged(tune) - other.averaged(tune)
    by_language = (mine.observed - other.observed).mean(axis=0)
    return {
        "model": name,
        "mean": other.mean(tune),
        "difference": mine.mean(tune) - other.mean(tune),
        "ci95": list(bootstrap.interval(difference)),
        "p": bootstrap.two_sided(difference),
        "per_language": dict(zip(mine.codes, map(float, by_language), strict=True)),
        "regressions": bootstrap.regressions(mine, other),
    }


def _cell(sampled: Sampled, codes: list[str]) -> dict[str, Any]:
    return {"mean": sampled.mean(codes), "ci95": list(bootstrap.interval(sampled.averaged(codes)))}


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
        gain = f"{100 * against['difference']:+.1f} points ({low:+.1f} to {high:+.1f}, p = {against['p']:.2g})"
        lines.append(f"against {against['model']}: {gain}")
    if len(document["seeds"]) == 1:
        lines.append("one seed: the interval is over sentences alone; --seeds 5 shows what chance in training does")
    return [*lines, f"signature {document['signature']}"]


def _span(cell: Mapping[str, Any]) -> str:
    return f"{100 * cell['mean']:.1f} ({100 * cell['ci95'][0]:.1f} to {100 * cell['ci95'][1]:.1f})"
