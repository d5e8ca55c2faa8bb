"""Settings of one measurement: model, data, task, realignment and source language, each written once.

A study file and a realignment file are read into a `Core`; `realign.build` makes an evaluator of it. `Scope` has the
languages that this evaluator works with.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from realign.data_sets import Data, Source, World, as_tuple
from realign.evaluators.fake import Terms
from realign.section import Range, Section, SettingError, setting
from realign.training.settings import Count, FineTuning, Realignment, Tuning
from selector.errors import InputError
from selector.languages.language import Language, Pool

METRICS = {"pos": "accuracy", "ner": "span F1", "classification": "accuracy", "retrieval": "accuracy"}
STEPS = 200  # of fine-tuning, where the file says neither steps nor epochs
ONLY_FOR = {"pooling": "classification", "layer": "retrieval"}
LABELS = {  # kind of data → the tasks it has labels for
    "conllu": ("pos",),
    "conll": ("ner",),
    "table": ("classification",),
    **dict.fromkeys(("verses", "moses", "tsv"), ("retrieval",)),
    "hub": ("pos", "ner", "classification", "retrieval"),
}


@dataclass(frozen=True)
class FakeModel(Terms):
    """A closed-form stand-in for an encoder: rehearse a study file in seconds."""

    kind: Literal["fake"] = field(kw_only=True, metadata={"description": "A rehearsal without an encoder."})


@dataclass(frozen=True)
class Model(Section):
    """The encoder that is realigned."""

    base: str | FakeModel = setting(
        "world", 'The encoder: "world" (embedded), a folder, an id of the hub, or {kind = "fake"} for a rehearsal.'
    )
    revision: str | None = setting(None, "Branch, tag or commit of an id of the hub; left out: the newest.")

    def __post_init__(self) -> None:
        if self.base == "fake":
            hint = 'a rehearsal is {kind = "fake"}; a folder of that name is "./fake"'
            raise SettingError("there is no encoder 'fake'", hint)

    @property
    def encoder(self) -> str:
        """The encoder's name: "world", a folder or an id of the hub. InputError: a rehearsal has no encoder."""
        if isinstance(self.base, FakeModel):
            raise InputError("model.base is a rehearsal: there is no encoder", "name an encoder")
        return self.base


@dataclass(frozen=True)
class Task(Tuning):
    """The task on which the realigned encoder is measured."""

    kind: Literal["pos", "ner", "classification", "retrieval"] = setting(
        "pos",
        "Part-of-speech tags, named entities, classified sentences or pairs, or retrieval of translations.",
    )
    data: World | Source | tuple[Source, ...] | None = setting(
        None,
        "Labelled data: the embedded world, one data set, or a list of them, where each language is taken from the "
        "first set that has it; left out: the world, and for retrieval the parallel text of [data].",
    )
    train: Source | None = setting(None, "Training set of the source language alone, where data has no training set.")
    steps: Count | None = setting(
        None, f"Optimizer steps of fine-tuning on the source language; {STEPS} where neither steps nor epochs is given."
    )
    epochs: Annotated[float, Range(gt=0, le=1000)] | None = setting(
        None, "Passes over the training data, instead of steps."
    )
    examples: Count = setting(100, "Sentences evaluated per language and split, at most.")
    pooling: Literal["first", "mean"] | None = setting(
        None, "For classification: read the first token (the default), or the mean over sub-words."
    )
    layer: int | None = setting(
        None, "For retrieval: layer whose states are compared; -1, the default, is the output of the last block."
    )

    def __post_init__(self) -> None:
        if problem := self._conflict():
            raise SettingError(problem)

    @property
    def metric(self) -> str:
        """Name of the metric behind a language's score."""
        return METRICS[self.kind]

    @property
    def length_key(self) -> str:
        """Key that sets the length of fine-tuning: steps or epochs."""
        return "task.epochs" if self.epochs is not None else "task.steps"

    @property
    def training(self) -> str:
        """Length of fine-tuning in words, such as "2 epochs"."""
        return f"{self.epochs:g} epochs" if self.epochs is not None else f"{self.steps or STEPS} steps"

    @property
    def tuning(self) -> FineTuning:
        """Settings of each fine-tuning step."""
        return FineTuning(**{each.name: getattr(self, each.name) for each in fields(Tuning)})

    def _conflict(self) -> str | None:
        """Message about two settings that exclude each other; None where all agree."""
        if self.steps is not None and self.epochs is not None:
            return "give steps or epochs, not both"
        for key, kind in ONLY_FOR.items():
            if getattr(self, key) is not None and self.kind != kind:
                return f'{key} is for kind = "{kind}", not "{self.kind}"'
        if self.data == ():
            return "data = [] names no data set"
        for given in (*as_tuple(self.data), self.train):
            form = getattr(given, "kind", None)
            if form is not None and self.kind not in LABELS[form]:
                return f'data of kind "{form}" has no labels for kind = "{self.kind}"'
        if self.train is not None and (self.kind == "retrieval" or self.data in (None, "world")):
            return "train is the training set beside a data of your own, for a task that is fine-tuned"
        if self.kind == "retrieval" and (self.steps or self.epochs):
            return "retrieval is not fine-tuned: leave steps and epochs out"
        return None


@dataclass(frozen=True)
class Core:
    """All settings of a measurement except its languages; a study searches with them and `realingo realign` follows
    them.
    """

    model: Model
    data: Data
    task: Task
    realign: Realignment
    source: Language
    home: Path  # absolute; relative folders start here

    @property
    def is_rehearsal(self) -> bool:
        """True where a formula takes the place of the encoder: every score is fake."""
        return isinstance(self.model.base, FakeModel)

    @property
    def task_data(self) -> Any:
        """Data set or sets of the task, also where the file leaves them out."""
        return self.task.data or (self.data.parallel if self.task.kind == "retrieval" else "world")

    @property
    def pairs(self) -> int:
        """Sentence pairs of one realignment at full fidelity, in total over its languages."""
        return self.realign.steps * self.realign.batch


@dataclass(frozen=True)
class Scope:
    """Languages of an evaluator, each pool sorted by code."""

    pool: Pool  # may be realigned on
    tune: Pool  # looked at on the development split, and on the test split
    held_out: Pool = ()  # looked at on the test split alone

    @property
    def targets(self) -> Pool:
        """Languages that the task needs data of, besides the source."""
        return (*self.tune, *self.held_out)

    @property
    def everyone(self) -> Pool:
        """Each language once, sorted by code."""
        return tuple(sorted({*self.pool, *self.tune, *self.held_out}))
