"""`realingo evaluate MODEL_DIR --study STUDY.toml`: zero-shot scores of any encoder under a study's task.

The encoder is fine-tuned on the source language exactly as the study fine-tunes, and looked at as the study looks: on
the test split like `confirm`, on the development split like the search. So the output of `realingo realign` gets the
study's own score of its subset, digit by digit, where the seed is the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from realign.build import evaluator as assemble
from realign.core import Model
from realign.data_sets import Data
from realign.score import Score, SourceScore, mean_source_score
from realign.training.settings import Realignment
from search import terminal
from search.backends import registry as backends
from search.backends.batch import Bench
from search.config.study_config import StudyConfig
from search.confirmation.comparison import codes_of, difference_of, mean_of
from search.confirmation.row_scores import RowScores, regressions, score_row
from search.confirmation.significance import format_p
from search.interrupts import Interrupts
from search.results.convergence import convergence_remark
from search.results.evaluation import Evaluation, Rival
from search.results.words import gain, percent, signed, span
from search.study.provenance import versions
from selector.errors import InputError, quantity
from selector.languages.language import parse
from selector.languages.subset import Subset


@dataclass(frozen=True)
class EvaluationRequest:
    """The request: what to evaluate, and how. InputError where it makes no sense."""

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

    @property
    def models(self) -> list[str]:
        """The encoder, and the one to compare it with."""
        return [self.model, *([self.against] if self.against else [])]


def evaluate(config: StudyConfig, wanted: EvaluationRequest) -> Evaluation:
    """Fine-tune and score on `wanted.seeds` seeds from the study's on.

    Held-out languages are seen on the test split alone. Every score is cached, so an interrupted evaluation goes on
    where it was.
    """
    for model in wanted.models:
        if _has_head(Path(model)):
            terminal.remark(f"{model} has the head of a task: it is not used, the encoder is fine-tuned again")
    return EvaluationRun(config, wanted).run()


def _has_head(folder: Path) -> bool:
    """True if `realign` saved an encoder in the folder that was fine-tuned as well."""
    try:
        return "head" in json.loads((folder / "realingo.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


@dataclass(frozen=True)
class EvaluationRun:
    """One evaluation of an encoder, or of two, under the task of a study."""

    config: StudyConfig
    wanted: EvaluationRequest

    @property
    def seeds(self) -> list[int]:
        return [self.config.seed + i for i in range(self.wanted.seeds)]

    def run(self) -> Evaluation:
        """Measure and compare. RunError where an evaluation fails."""
        models, workers = self.wanted.models, self.wanted.workers
        place = backends.usual_backend(workers)
        backends.Place(place, workers)
        views = [self._view(model) for model in models]
        with terminal.progress() as advance, Interrupts() as interrupts:
            bench = Bench(place, workers, advance, interrupts)
            scores = [self._scores(bench, model, view) for model, view in zip(models, views, strict=True)]
        measured = [score_row([[score] for score in each]) for each in scores]
        found = replace(self._evaluation(scores[0], measured[0]), source_score=self._source_score(scores))
        return replace(found, against=self._rival(*measured)) if len(models) > 1 else found

    def _view(self, model: str) -> backends.View:
        """The study's view with another encoder, and without the parallel text that only realignment needs."""
        core, scope = self.config.core, replace(self.config.scope, pool=())
        base = str(Path(model).absolute()) if Path(model).is_dir() else model
        needed = core.data if core.task_data is core.data.parallel else Data()
        bare = replace(core, model=Model(base=base), data=needed, realign=Realignment())
        if self.wanted.split == "dev":
            return backends.View(bare, scope, self.config.tune, "dev")
        return backends.View(bare, scope, self.config.scope.everyone, "test")

    def _scores(self, bench: Bench, model: str, view: backends.View) -> list[Score]:
        """The scores of an encoder, one a seed."""
        found = bench.measure(f"evaluating {model}", view, [(Subset(), seed) for seed in self.seeds])
        return [found[Subset(), seed] for seed in self.seeds]

    def _evaluation(self, scores: list[Score], measured: RowScores) -> Evaluation:
        config, tune = self.config, codes_of(self.config.tune)
        held_out = codes_of(config.held_out) if self.wanted.split == "test" else ()
        return Evaluation(
            model=self.wanted.model,
            study=config.name,
            task=config.core.task.kind,
            metric=config.core.task.metric,
            split=self.wanted.split,
            source=config.core.source.code,
            seeds=tuple(self.seeds),
            mean=mean_of(measured, tune),
            std=measured.std(tune) if len(self.seeds) > 1 else None,
            targets=tune,
            held_out=mean_of(measured, held_out) if held_out else None,
            held_out_languages=held_out,
            per_language=measured.per_language,
            per_seed=tuple(dict(score.per_language) for score in scores),
            signature=hashlib.sha256("+".join(score.signature for score in scores).encode()).hexdigest()[:24],
            versions=versions(),
        )

    def _source_score(self, scores: Sequence[Sequence[Score]]) -> SourceScore | None:
        """The source language's score after fine-tuning the first encoder; says of which it has not converged."""
        found = [mean_source_score(score.source_score for score in each) for each in scores]
        for model, each in zip(self.wanted.models, found, strict=True):
            if text := convergence_remark(each, self.config.core.task.length_key):
                terminal.remark(f"{model}: {text}")
        return found[0]

    def _rival(self, mine: RowScores, other: RowScores) -> Rival:
        """Paired over sentences and seeds; p is of one comparison, regressions are corrected over the languages."""
        difference, tune = mine - other, codes_of(self.config.tune)
        return Rival(
            model=self.wanted.models[1],
            mean=other.mean(tune),
            found=difference_of(difference, tune),
            p=difference.estimate(tune).p,
            per_language=difference.per_language,
            regressions=tuple(regressions(mine, other)),
        )


def render(found: Evaluation) -> terminal.RenderableType:
    """A line for the mean and one for each language; in percent."""
    rival, right = found.against, [found.metric]
    columns = ["language", "", found.metric]
    if rival is not None:
        columns, right = [*columns, f"against {rival.model}", ""], [*right, f"against {rival.model}"]
    rows = []
    for code, value in found.per_language.items():
        kind = "held out" if code in found.held_out_languages else "" if code in found.targets else "pool alone"
        row = [f"{code} {parse(code).name}", kind, percent(value)]
        if rival is not None:
            row += [signed(100 * rival.per_language[code]), "worse" if code in rival.regressions else ""]
        rows.append(row)
    split, seeds = f"{found.split} split", quantity(len(found.seeds), "seed")
    title = f"{found.model}: {found.task} of study {found.study}, {split}, {seeds}"
    return terminal.stack(terminal.table(title, columns, rows, right=tuple(right)), "\n".join(_summary(found)))


def _summary(found: Evaluation) -> list[str]:
    targets = f"mean over {quantity(len(found.targets), 'target language')}"
    mean = span(found.mean.mean, found.mean.ci95)
    spread = f", {percent(found.std)} standard deviation between seeds" if found.std is not None else ""
    lines = [f"{targets}: {mean} %{spread}"]
    if found.held_out is not None:
        lines.append(f"held-out languages: {span(found.held_out.mean, found.held_out.ci95)} %")
    if rival := found.against:
        lines.append(f"against {rival.model}: {gain(rival.found, format_p(rival.p))}")
    if len(found.seeds) == 1:
        lines.append("one seed: the interval is over sentences alone; --seeds 5 shows what chance in training does")
    return [*lines, f"signature {found.signature}"]
