"""`realingo check STUDY.toml`: everything that can fail, before anything is trained. `search` asks the same first.

All problems are collected, not the first alone. What is looked at:

    storage    the place for the record can be used, and what is in it is of these settings
    model      loads, at a fixed commit; has the layers and the positions that the settings ask for
    parallel   every language of the pool has text that the filter leaves, and links where the loss needs them
    task       the source has training data, every target what is looked at, with labels that the source's data teaches
               and no text that the parallel text shows
    subsets    there are some, and the strategy can choose among them
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from realign.build import corpora as sources
from realign.build import evaluator as assemble
from realign.build import repeated, tasks
from realign.build.overlap import check_overlap
from realign.core import Core, Scope
from realign.score import Advance
from search import terminal
from search.config.study_config import StudyConfig
from search.effort.trust import CheapLevels
from search.planner import StudyPlanner
from search.results.check_report import CheckReport, EncoderShape, LanguageData, ParallelCount, TaskCount
from search.results.convergence import convergence_remark
from search.study.next_command import study_command
from search.study.storage import check_writable, redact_url
from search.study.study import open_study
from selector.errors import InputError, RealingoError
from selector.languages.language import Language

if TYPE_CHECKING:
    from realign.encoder.encoder import Encoder


def check(config: StudyConfig, time: bool = False) -> CheckReport:
    """Look at everything. `time`: also measure one short trial, where nothing is wrong."""
    from search.commands.estimate import Estimator

    if text := CheapLevels(config).sentence():
        terminal.remark(text)
    with terminal.progress() as advance:
        report = StudyCheck(config, advance).examine()
        if time and not report.problems and (measured := report.attempt(Estimator(config, advance).estimate)):
            report.estimate, report.source_score = measured
            if text := convergence_remark(report.source_score, config.core.task.length_key):
                terminal.remark(text)
    return report


@dataclass
class StudyCheck:
    """Looks at everything that a study needs, before anything is trained.

    Without `counting`, what costs time and can only yield a number is left out. `advance` hears how far it is.
    """

    config: StudyConfig
    advance: Advance
    counting: bool = True
    report: CheckReport = field(init=False, default_factory=CheckReport)

    def require(self) -> None:
        """InputError for the first problem; it says how many more there are."""
        problems = self.examine().problems
        if not problems:
            return
        first, more = problems[0], len(problems) - 1
        command = study_command(self.config, "check")
        others = f"; '{command}' shows {more} more problem{'s' * (more > 1)}" if more else ""
        raise InputError(first.message, first.hint + others)

    def examine(self) -> CheckReport:
        """Look at everything and collect the problems."""
        report, core, scope = self.report, self.config.core, self.config.scope
        space = self.config.space
        report.subsets, report.is_bound = space.exact_count or space.count(), space.exact_count is None
        report.levels = CheapLevels(self.config).to_json()
        report.attempt(self._storage)
        report.attempt(StudyPlanner(self.config).check)
        report.attempt(check_overlap, core)
        languages = _languages(core.source, scope)
        used = self._parallel()
        counts = self._task() if not (core.is_rehearsal and core.task_data == "world") else {}
        unseen = TaskCount(_set_name(core.task_data))
        report.languages += [
            LanguageData(language.code, role, used.get(language.code), counts.get(language.code, unseen))
            for language, role in languages.items()
        ]
        report.model = (
            EncoderShape("FAKE, a formula") if core.is_rehearsal else report.attempt(_model, core, self.advance)
        )
        return report

    def _storage(self) -> None:
        """InputError where the record cannot be written, or is there and was made with other settings."""
        path = check_writable(self.config.storage)
        if path is not None and not path.exists():
            return
        try:
            open_study(self.config, create=False)
        except InputError as problem:
            if not problem.message.startswith("there is no study"):
                raise
        except RealingoError as problem:
            message = f"the storage {redact_url(self.config.storage)} cannot be used: {problem.message}"
            raise InputError(message, problem.hint) from None

    def _parallel(self) -> dict[str, ParallelCount]:
        """The parallel text of the languages of the pool that can be used, by code."""
        core, pool = self.config.core, self.config.pool
        if core.is_rehearsal and core.data.parallel == "world":  # which may not have the languages
            return {}
        text = self.report.attempt(assemble.parallel, core, pool)
        glance, seen = repeated.text_to_check(core, pool, text), repeated.ParallelText()
        found: dict[str, ParallelCount] = {}
        if text is None:
            return {}
        self.advance("reading parallel text", 0, len(pool))
        for number, language in enumerate(pool, 1):
            counted = self.report.attempt(_pairs, core, text, language.code, self.counting)
            if counted is not None:
                name = sources.name_of_set(text, core.data.parallel, language.code)
                found[language.code] = ParallelCount(name, *counted)
                if glance is not None:
                    seen.add(language.code, glance.pairs(language.code, "train"))
            self.advance("reading parallel text", number, len(pool))
        return found

    def _task(self) -> dict[str, TaskCount]:
        """The data of the task by code, in the splits that are looked at: training data of the source alone."""
        core = self.config.core
        data = self.report.attempt(tasks.load_task_data, core, self.config.scope.targets)
        if data is None:
            return {}
        source = core.source.code
        wanted: dict[str, list[str]] = {source: ["train"] if core.task.kind != "retrieval" else []}
        wanted[source] += ["dev"] if self.config.fidelity.patience else []
        tuned = set(self.config.tune)
        wanted |= {each.code: ["dev", "test"] if each in tuned else ["test"] for each in self.config.scope.everyone}
        found: dict[str, TaskCount] = {}
        taught: set[str] | None = None
        seen = repeated.TaskText()
        self.advance("reading the task's data", 0, len(wanted))
        for number, (code, splits) in enumerate(wanted.items(), 1):
            name = sources.name_of_set(data.corpus, core.task_data, code) if splits else _set_name(core.task_data)
            counts: dict[str, int] = {}
            for split in splits if self.counting or core.task_data != "world" else splits[:1]:  # the world has all
                rows = self.report.attempt(data.require, code, split)
                if rows is None:
                    continue
                counts[split] = len(rows)
                if code == source and split == "train":
                    taught = self.report.attempt(_read_labels, core, rows)
                elif taught is not None and core.task_data != "world":
                    self.report.attempt(_agree, rows, taught, code, split)
                if core.task_data != "world":
                    seen.add(code, split, rows)
            found[code] = TaskCount(name, counts.get("train"), counts.get("dev"), counts.get("test"))
            self.advance("reading the task's data", number, len(wanted))
        return found


def _languages(source: Language, scope: Scope) -> dict[Language, str]:
    """Every language once, with the first of its roles: the source, of the pool, a target alone, held out."""
    some = {"source": (source,), "pool": scope.pool, "tune": scope.tune, "held_out": scope.held_out}
    roles: dict[Language, str] = {}
    for role, languages in some.items():
        for language in languages:
            roles.setdefault(language, role)
    return roles


def _pairs(core: Core, text: Any, code: str, counting: bool) -> tuple[int, int]:
    """The numbers of pairs available and used. InputError where they cannot be used.

    Without `counting` those that a filter leaves are not counted.
    """
    pairs = text.pairs(code, "train")
    assemble.check_usable(core, pairs, code)
    raw = getattr(pairs, "every", pairs)  # before the filter
    available = getattr(pairs, "available", None)  # before the sample
    if not counting and raw is not pairs:
        return len(raw), len(raw)
    return len(raw) if available is None else available, len(pairs)


def _read_labels(core: Core, rows: Sequence[Any]) -> set[str]:
    """The labels of the training data. InputError where the task cannot be learnt from them."""
    from realign.tasks.classification import check_several
    from realign.tasks.tagging import check_entities

    labels = sorted(_labels(rows))
    if core.task.kind == "ner":
        check_entities(tuple(labels), core.source.code)
    if core.task.kind == "classification":
        check_several(labels, core.source.code)
    return set(labels)


def _labels(rows: Iterable[Any]) -> Counter[str]:
    """The labels of tagged or classified sentences, counted; an entity's counts once for each of its words."""
    found: Counter[str] = Counter()
    for row in rows:
        found.update(row.tags if hasattr(row, "tags") else [row.label] if hasattr(row, "label") else [])
    return found


def _agree(rows: Iterable[Any], taught: set[str], code: str, split: str) -> None:
    """InputError where labels are written otherwise than those that are taught."""
    from realign.tasks.unseen import check_labels

    check_labels(code, split, _labels(rows).elements(), taught)


def _model(core: Core, advance: Advance) -> EncoderShape:
    """The encoder. InputError where it does not load or the settings ask for what it has not."""
    from realign.training.realigner import check_fit

    advance("loading the encoder", 0, 1)
    encoder = assemble.load_encoder(core)
    advance("loading the encoder", 1, 1)
    shape: Any = encoder.model.config
    recipe = core.realign
    check_fit(encoder.model, recipe)
    layers, positions = int(shape.num_hidden_layers), _positions(encoder)
    layer = core.task.layer or 0
    if not -layers - 1 <= layer <= layers:
        raise InputError(f"task.layer: there is no layer {layer}: the encoder has {layers}", f"take 0 to {layers}")
    for key, length in (("realign.max_length", recipe.max_length), ("task.max_length", core.task.max_length)):
        if positions is not None and min(length, encoder.tokenizer.model_max_length) > positions:
            raise InputError(f"{key} = {length}, but the encoder has {positions} positions", f"set it to {positions}")
    commit = encoder.origin.rpartition("@")[2] if "@" in encoder.origin else None
    return EncoderShape(core.model.encoder, commit, layers, encoder.width, positions)


def _positions(encoder: Encoder) -> int | None:
    """The longest sentence in sub-words; None where the encoder has no limit that is known."""
    from realign.encoder.encoder import position_count

    most = position_count(encoder.model)
    return None if math.isinf(most) else encoder.limit(int(most))


def _set_name(given: Any) -> str | None:
    """The name of data that no language is read from; None where there are several sets."""
    return None if isinstance(given, tuple) else sources.name_of_set(None, given, "")
