"""The task of a core, and the data it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from realign.build import corpora as sources
from realign.core import STEPS, Core
from selector.errors import InputError
from selector.languages.language import Pool

if TYPE_CHECKING:
    from realign.corpora.corpus import Split
    from realign.encoder.encoder import Encoder
    from realign.tasks.transfer_task import TransferTask


@dataclass(frozen=True)
class TaskData:
    """Data of a task, read before the encoder is loaded."""

    rows: Callable[[str, Split], Sequence[Any]]  # language, split → its sentences; InputError where there are none
    task: Callable[[Encoder], TransferTask]
    corpus: Any  # where the rows are from

    def require(self, language: str, split: Split) -> Sequence[Any]:
        """Sentences of `split` in `language`. InputError: there are none, or the file is empty."""
        rows = self.rows(language, split)
        if not rows:
            raise InputError(f"there is no {split} data for {language}", "add sentences, or leave the language out")
        return rows


def load_task_data(core: Core, targets: Pool) -> TaskData:
    """Data of the task of `core`, for its source and `targets`. InputError: the data cannot be used."""
    return {"pos": _tagging, "ner": _tagging, "classification": _classification, "retrieval": _retrieval}[
        core.task.kind
    ](core, targets)


def steps(core: Core, targets: Pool) -> int:
    """Number of fine-tuning steps of `core`.

    An epoch is one pass through the training data without an incomplete last batch.
    """
    task = core.task
    if task.kind == "retrieval":
        return 0
    if task.epochs is None:
        return task.steps or STEPS
    return max(1, round(task.epochs * max(1, _training_size(core, targets) // task.batch)))


@cache
def _training_size(core: Core, targets: Pool) -> int:
    return len(load_task_data(core, targets).rows(core.source.code, "train"))


def _tagging(core: Core, targets: Pool) -> TaskData:
    text = sources.labelled_corpus(core, targets)

    def task(encoder: Encoder) -> TransferTask:
        from realign.tasks.tagging import Tagging, right_spans, right_words

        count = right_spans if core.task.kind == "ner" else right_words
        return Tagging(encoder, text, core.source.code, core.task.tuning, count)

    return TaskData(text.sentences, task, text)


def _classification(core: Core, targets: Pool) -> TaskData:
    text = sources.examples_corpus(core, targets)

    def task(encoder: Encoder) -> TransferTask:
        from realign.tasks.classification import Classification

        return Classification(encoder, text, core.source.code, core.task.tuning, core.task.pooling or "first")

    return TaskData(text.examples, task, text)


def _retrieval(core: Core, targets: Pool) -> TaskData:
    text = sources.parallel_corpus(core, core.task_data, tuple(sorted(set(targets))), ("dev", "test"))
    layer = -1 if core.task.layer is None else core.task.layer

    def task(encoder: Encoder) -> TransferTask:
        from realign.tasks.retrieval import Retrieval

        return Retrieval(encoder, text, layer, core.task.max_length)

    return TaskData(text.pairs, task, text)
