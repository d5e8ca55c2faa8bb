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
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from realign.build import corpora as sources
from realign.build import evaluator as assemble
from realign.build import repeated, tasks
from realign.build.overlap import check_overlap
from realign.core import Core, FakeModel, Scope
from realign.score import Advance, SourceScore
from search import planner, terminal
from search.config.study_config import StudyConfig
from search.effort import trust
from search.results.convergence import convergence_remark, source_to_json
from search.study.storage import check_storage, shown
from search.study.study import open_study
from selector.errors import InputError, RealingoError
from selector.languages.language import Language

if TYPE_CHECKING:
    from realign.encoder.encoder import Encoder

Answer = TypeVar("Answer")
SPLITS = ("train", "dev", "test")


@dataclass
class Report:
    """What was found. `languages`, `model` and `levels` are rows of the JSON document."""

    problems: list[RealingoError] = field(default_factory=list)
    model: dict[str, Any] | None = None
    subsets: int = 0
    languages: list[dict[str, Any]] = field(default_factory=list)
    levels: list[dict[str, Any]] = field(default_factory=list)

    def attempt(self, work: Callable[..., Answer], *given: Any) -> Answer | None:
        """What it answers; None where it cannot be done, which is then one of the problems."""
        try:
            return work(*given)
        except RealingoError as problem:
            if not any(problem.message == other.message for other in self.problems):
                self.problems.append(problem)
            return None

    @property
    def document(self) -> dict[str, Any]:
        return {
            "ok": not self.problems,
            "problems": [{"error": problem.message, "hint": problem.hint} for problem in self.problems],
            "model": self.model,
            "subsets": self.subsets,
            "languages": self.languages,
            **({"cheap_levels": self.levels} if self.levels else {}),
            "estimate": None,
        }


def check(config: StudyConfig, time: bool = False) -> dict[str, Any]:
    """The document of the command. `time`: also measure one short trial, where nothing is wrong."""
    from search.commands import estimate

    if text := trust.sentence(config):
        terminal.remark(text)
    with terminal.progress() as advance:
        report = examine(config, advance)
        document = report.document
        if time and not report.problems:
            if measured := report.attempt(estimate.estimate, config, advance):
                document["estimate"] = measured[0]
                document |= _source(config, measured[1])
            document |= {key: report.document[key] for key in ("ok", "problems")}
    return document


def _source(config: StudyConfig, found: SourceScore | None) -> dict[str, Any]:
    """What the study's fine-tuning reaches on the source; says so where it does not converge."""
    if text := convergence_remark(found, config.core.task.length_key):
        terminal.remark(text)
    return {} if found is None else {"source_score": source_to_json(found)}


def unreadable(problem: InputError) -> dict[str, Any]:
    """The document where the study file itself is wrong."""
    return Report([problem]).document


def require(config: StudyConfig, advance: Advance) -> None:
    """InputError for the first problem of a study; it says how many more there are."""
    problems = examine(config, advance, counting=False).problems
    if not problems:
        return
    first, more = problems[0], len(problems) - 1
    others = f"; 'realingo check {config.path.name}' shows {more} more problem{'s' * (more > 1)}" if more else ""
    raise InputError(first.message, first.hint + others)


def examine(config: StudyConfig, advance: Advance, counting: bool = True) -> Report:
    """Look at everything. Without `counting`, what costs time and can only yield a number is left out."""
    report = Report(subsets=config.space.count(), levels=trust.to_json(config))
    report.attempt(_storage, config)
    report.attempt(planner.proposer, config)
    report.attempt(check_overlap, config.core)
    languages = _languages(config.core.source, config.scope)
    used = _parallel(config, report, advance, counting)
    counts = _task(config, report, advance, counting) if not isinstance(config.core.model.base, FakeModel) else {}
    unseen = {"source": _set_name(config.core.task_data), **dict.fromkeys(SPLITS)}
    for language, role in languages.items():
        text, own = used.get(language.code), counts.get(language.code, unseen)
        report.languages.append({"code": language.code, "role": role, "parallel": text, "task": own})
    if isinstance(config.core.model.base, FakeModel):
        report.model = {"id": "fake", "revision": None, "layers": None, "width": None, "positions": None}
    else:
        report.model = report.attempt(_model, config.core, advance)
    return report


def _languages(source: Language, scope: Scope) -> dict[Language, str]:
    """Every language once, with the first of its roles: the source, of the pool, a target alone, held out."""
    some = {"source": (source,), "pool": scope.pool, "tune": scope.tune, "held_out": scope.held_out}
    roles: dict[Language, str] = {}
    for role, languages in some.items():
        for language in languages:
            roles.setdefault(language, role)
    return roles


def _storage(config: StudyConfig) -> None:
    """InputError where the record cannot be written, or is there and was made with other settings."""
    path = check_storage(config.storage)
    for place in (path, path.parent) if path is not None else ():
        if place.exists() and not os.access(place, os.W_OK):
            raise InputError(f"cannot write to {place}", "make it writable, or set search.storage")
    if path is not None and not path.exists():
        return
    try:
        open_study(config, create=False)
    except InputError as problem:
        if not problem.message.startswith("there is no study"):
            raise
    except RealingoError as problem:
        message = f"the storage {shown(config.storage)} cannot be used: {problem.message}"
        raise InputError(message, problem.hint) from None


def _parallel(config: StudyConfig, report: Report, advance: Advance, counting: bool) -> Mapping[str, Mapping[str, Any]]:
    """Code → the set, pairs available and used, of the languages of the pool that can be used."""
    if isinstance(config.core.model.base, FakeModel):
        return {}
    text = report.attempt(assemble.parallel, config.core, config.pool)
    glance, seen = repeated.readable(config.core, config.pool, text), repeated.ParallelText()
    found: dict[str, Mapping[str, Any]] = {}
    if text is None:
        return {}
    advance("reading parallel text", 0, len(config.pool))
    for number, language in enumerate(config.pool, 1):
        counted = report.attempt(_pairs, config.core, text, language.code, counting)
        if counted is not None:
            name = sources.name_of_set(text, config.core.data.parallel, language.code)
            found[language.code] = {"source": name, **counted}
            if glance is not None:
                seen.add(language.code, glance.pairs(language.code, "train"))
        advance("reading parallel text", number, len(config.pool))
    return found


def _pairs(core: Core, text: Any, code: str, counting: bool) -> Mapping[str, int]:
    """InputError where they cannot be used. Without `counting` those that a filter leaves are not counted."""
    pairs = text.pairs(code, "train")
    assemble.check_usable(core, pairs, code)
    raw = getattr(pairs, "every", pairs)  # before the filter
    available = getattr(pairs, "available", None)  # before the sample
    if not counting and raw is not pairs:
        return {"available": len(raw), "used": len(raw)}
    return {"available": len(raw) if available is None else available, "used": len(pairs)}


def _task(config: StudyConfig, report: Report, advance: Advance, counting: bool) -> Mapping[str, Mapping[str, Any]]:
    """Code → the set, sentences of each split that is looked at; None for training data of others than the source."""
    data = report.attempt(tasks.load_task_data, config.core, config.scope.targets)
    if data is None:
        return {}
    source = config.core.source.code
    wanted: dict[str, list[str]] = {source: ["train"] if config.core.task.kind != "retrieval" else []}
    wanted[source] += ["dev"] if config.fidelity.patience else []
    tuned = set(config.tune)
    wanted |= {each.code: ["dev", "test"] if each in tuned else ["test"] for each in config.scope.everyone}
    counts: dict[str, dict[str, Any]] = {}
    taught: set[str] | None = None
    seen = repeated.TaskText()
    advance("reading the task's data", 0, len(wanted))
    for number, (code, splits) in enumerate(wanted.items(), 1):
        name = (
            sources.name_of_set(data.corpus, config.core.task_data, code)
            if splits
            else _set_name(config.core.task_data)
        )
        counts[code] = {"source": name, **dict.fromkeys(SPLITS)}
        for split in splits if counting or config.core.task_data != "world" else splits[:1]:  # the world has all
            rows = report.attempt(data.require, code, split)
            if rows is None:
                continue
            counts[code][split] = len(rows)
            if code == source and split == "train":
                taught = report.attempt(_taught, config.core, rows)
            elif taught is not None and config.core.task_data != "world":
                report.attempt(_agree, rows, taught, code, split)
            if config.core.task_data != "world":
                seen.add(code, split, rows)
        advance("reading the task's data", number, len(wanted))
    return counts


def _taught(core: Core, rows: Sequence[Any]) -> set[str]:
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
    """How often each label stands in tagged or classified sentences; an entity's counts once for each of its words."""
    found: Counter[str] = Counter()
    for row in rows:
        found.update(row.tags if hasattr(row, "tags") else [row.label] if hasattr(row, "label") else [])
    return found


def _agree(rows: Iterable[Any], taught: set[str], code: str, split: str) -> None:
    """InputError where labels are written otherwise than those that are taught."""
    from realign.tasks.unseen import check_labels

    check_labels(code, split, _labels(rows).elements(), taught)


def _model(core: Core, advance: Advance) -> dict[str, Any]:
    """InputError where it does not load or the settings ask for what it has not."""
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
    return {
        "id": core.model.encoder,
        "revision": commit,
        "layers": layers,
        "width": encoder.width,
        "positions": positions,
    }


def _positions(encoder: Encoder) -> int | None:
    """The longest sentence in sub-words; None where the encoder has no limit that is known."""
    from realign.encoder.encoder import positions

    most = positions(encoder.model)
    return None if math.isinf(most) else encoder.limit(int(most))


def _set_name(given: Any) -> str | None:
    """What data is called that no language is read from; None where there are several sets."""
    return None if isinstance(given, tuple) else sources.name_of_set(None, given, "")
