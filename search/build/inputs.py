"""What a study's evaluator reads, part by part: so that a change has a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from realign.score import Evaluator
from search.build import corpora as sources
from search.config.core_schema import Bitext, Conllu, Labels, Verses
from search.config.study_config import StudyConfig
from selector.languages.language import Language, Pool

if TYPE_CHECKING:
    from realign.corpora.base import Parallel
    from realign.inputs import Contents, Inputs

Signature = Callable[[], str]


def inputs(config: StudyConfig, linked: Parallel) -> Inputs:
    """All text of a study: parallel text and task data of each language, and the word links in `linked`, that text with
    links from outside."""
    from realign.evaluate import PROTOCOL
    from realign.inputs import Inputs

    protocol = f"protocol {PROTOCOL}"
    text = {**_parallel(config), **_links(config, linked), **_task(config)}
    return Inputs({"the way of measuring": lambda: protocol, **text})


def contents(evaluator: Evaluator) -> Contents:
    """What the evaluator inside all wrappers reads; empty for one that reads nothing."""
    found = _inputs(evaluator)
    return {} if found is None else dict(found.contents)


def expect(evaluator: Evaluator, found: Contents) -> None:
    """Let the evaluator answer only while it reads what another one of the same study does."""
    own = _inputs(evaluator)
    if own is not None and found:
        own.expect(found)


def _inputs(evaluator: Any) -> Inputs | None:
    while hasattr(evaluator, "evaluator"):
        evaluator = evaluator.evaluator
    found: Inputs | None = getattr(evaluator, "inputs", None)
    return found


def _parallel(config: StudyConfig) -> dict[str, Signature]:
    given = config.data.parallel
    if not _local(given):
        return {"the parallel text": _of(sources.parallel(config, given, config.pool))} if config.pool else {}
    each = {language.code: sources.parallel(config, given, (language,)) for language in config.pool}
    return {f"the parallel text of {code}": _of(text) for code, text in each.items()}


def _links(config: StudyConfig, linked: Parallel) -> dict[str, Signature]:
    """Word links from a folder: what they add to the signature of the text."""
    if not config.pool:
        return {}
    plain = sources.parallel(config, config.data.parallel, config.pool)
    if linked.signature == plain.signature:
        return {}
    return {"the word links": lambda: linked.signature.removeprefix(plain.signature)}


def _task(config: StudyConfig) -> dict[str, Signature]:
    if not _local(config.task_data) or config.task.train is not None:
        return {"the task data": _of(_labelled(config, config.source, (*config.tune, *config.held_out)))}
    source = () if config.task.kind == "retrieval" else (config.source,)
    each = {one.code: _labelled(config, one, (one,)) for one in (*source, *config.tune, *config.held_out)}
    return {f"the task data of {code}": _of(text) for code, text in each.items()}


def _labelled(config: StudyConfig, source: Language, languages: Pool) -> Any:
    """The task's corpus with a signature of these languages: of `source` too, where the task trains."""
    if config.task.kind == "retrieval":
        return sources.parallel(config, config.task_data, languages, ("dev", "test"))
    alone = replace(config, source=source, tune=languages, held_out=())
    return sources.examples(alone) if config.task.kind == "classification" else sources.labelled(alone)


def _local(given: Any) -> bool:
    """Whether it is one set of files, a few for each language. A set of the hub has one commit, the world one text."""
    return isinstance(given, Bitext | Conllu | Labels | Verses)


def _of(corpus: Any) -> Signature:
    return lambda: str(corpus.signature)
