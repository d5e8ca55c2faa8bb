"""Inputs of an evaluator, part by part, so that a change can be named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from realign.build import corpora as sources
from realign.core import Core, Scope
from realign.data_sets import BitextFiles, LabelFiles, TreebankFiles, VerseFiles
from realign.score import Evaluator
from selector.languages.language import Language, Pool

if TYPE_CHECKING:
    from realign.corpora.corpus import Parallel
    from realign.inputs import Contents, Inputs

Signature = Callable[[], str]


def inputs(core: Core, scope: Scope, linked: Parallel) -> Inputs:
    """All text that an evaluator of `core` and `scope` reads: parallel text, task data, and the links in `linked`.

    `linked` is the parallel text with word links from files.
    """
    from realign.inputs import Inputs
    from realign.realign_and_transfer import PROTOCOL

    protocol = f"protocol {PROTOCOL}"
    text = {**_parallel(core, scope.pool), **_links(core, scope.pool, linked), **_task(core, scope.targets)}
    return Inputs({"the way of measuring": lambda: protocol, **text})


def contents(evaluator: Evaluator) -> Contents:
    """Signatures of all inputs of `evaluator` (inside its wrappers), by name; empty for one that reads nothing."""
    found = _inputs(evaluator)
    return {} if found is None else dict(found.contents)


def expect(evaluator: Evaluator, found: Contents) -> None:
    """Make `evaluator` answer only while its inputs are those in `found`, read by another evaluator of the same
    settings.
    """
    own = _inputs(evaluator)
    if own is not None and found:
        own.expect(found)


def _inputs(evaluator: Any) -> Inputs | None:
    while hasattr(evaluator, "evaluator"):
        evaluator = evaluator.evaluator
    found: Inputs | None = getattr(evaluator, "inputs", None)
    return found


def _parallel(core: Core, pool: Pool) -> dict[str, Signature]:
    given = core.data.parallel
    if not _local(given):
        return {"the parallel text": _of(sources.parallel_corpus(core, given, pool))} if pool else {}
    each = {language.code: sources.parallel_corpus(core, given, (language,)) for language in pool}
    return {f"the parallel text of {code}": _of(text) for code, text in each.items()}


def _links(core: Core, pool: Pool, linked: Parallel) -> dict[str, Signature]:
    """Signature of the word links from a folder: the part that they add to the signature of the text."""
    if not pool:
        return {}
    plain = sources.parallel_corpus(core, core.data.parallel, pool)
    if linked.signature == plain.signature:
        return {}
    return {"the word links": lambda: linked.signature.removeprefix(plain.signature)}


def _task(core: Core, targets: Pool) -> dict[str, Signature]:
    if not _local(core.task_data) or core.task.train is not None:
        return {"the task data": _of(_labelled_corpus(core, core.source, targets))}
    source = () if core.task.kind == "retrieval" else (core.source,)
    each = {one.code: _labelled_corpus(core, one, (one,)) for one in (*source, *targets)}
    return {f"the task data of {code}": _of(text) for code, text in each.items()}


def _labelled_corpus(core: Core, source: Language, languages: Pool) -> Any:
    """The task's corpus with a signature of these languages: of `source` too, where the task trains."""
    if core.task.kind == "retrieval":
        return sources.parallel_corpus(core, core.task_data, languages, ("dev", "test"))
    alone = replace(core, source=source)
    read = sources.examples_corpus if core.task.kind == "classification" else sources.labelled_corpus
    return read(alone, languages)


def _local(given: Any) -> bool:
    """True if it is one set of files, a few for each language. A set of the hub has one commit, the world one text."""
    return isinstance(given, BitextFiles | TreebankFiles | LabelFiles | VerseFiles)


def _of(corpus: Any) -> Signature:
    return lambda: str(corpus.signature)
