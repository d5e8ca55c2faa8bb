"""From a study's `[task]` section to the task of the core, and to the data it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from search.build import corpora as sources
from search.config.core_schema import STEPS
from search.config.study_config import StudyConfig
from selector.errors import InputError

if TYPE_CHECKING:
    from realign.corpora.base import Split
    from realign.encoder.encoder import Encoder
    from realign.tasks.base import FineTuning, Task


@dataclass(frozen=True)
class Data:
    """The data of a task, found before the encoder is loaded."""

    rows: Callable[[str, Split], Sequence[Any]]  # language, split → its sentences; InputError where there are none
    task: Callable[[Encoder], Task]
    corpus: Any  # where the rows are from

    def required(self, language: str, split: Split) -> Sequence[Any]:
        """The sentences of a language's split. InputError where there are none, or an empty file."""
        rows = self.rows(language, split)
        if not rows:
            raise InputError(f"there is no {split} data for {language}", "add sentences, or leave the language out")
        return rows


def data(config: StudyConfig) -> Data:
    """InputError where the data cannot be used."""
    return {"pos": _tagging, "ner": _tagging, "classification": _classification, "retrieval": _retrieval}[
        config.task.kind
    ](config)


def steps(config: StudyConfig) -> int:
    """Steps of fine-tuning. An epoch walks once through the training data, a last incomplete batch left out."""
    task = config.task
    if task.kind == "retrieval":
        return 0
    if task.epochs is None:
        return task.steps or STEPS
    return max(1, round(task.epochs * max(1, _training_size(config) // task.batch)))


@cache
def _training_size(config: StudyConfig) -> int:
    return len(data(config).rows(config.source.code, "train"))


def _tagging(config: StudyConfig) -> Data:
    text = sources.labelled(config)

    def task(encoder: Encoder) -> Task:
        from realign.tasks.tagging import Tagging, right_spans, right_words

        count = right_spans if config.task.kind == "ner" else right_words
        return Tagging(encoder, text, config.source.code, _tuning(config), count)

    return Data(text.sentences, task, text)


def _classification(config: StudyConfig) -> Data:
    text = sources.examples(config)

    def task(encoder: Encoder) -> Task:
        from realign.tasks.classification import Classification

        return Classification(encoder, text, config.source.code, _tuning(config), config.task.pooling or "first")

    return Data(text.examples, task, text)


def _retrieval(config: StudyConfig) -> Data:
    languages = tuple(sorted({*config.tune, *config.held_out}))
    text = sources.parallel(config, config.task_data, languages, ("dev", "test"))
    layer = -1 if config.task.layer is None else config.task.layer

    def task(encoder: Encoder) -> Task:
        from realign.tasks.retrieval import Retrieval

        return Retrieval(encoder, text, layer, config.task.max_length)

    return Data(text.pairs, task, text)


def _tuning(config: StudyConfig) -> FineTuning:
    from realign.tasks.base import FineTuning

    task = config.task
    return FineTuning(batch=task.batch, lr=task.lr, max_length=task.max_length)
