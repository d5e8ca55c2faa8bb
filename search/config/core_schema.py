"""Study-file sections for what is measured: model, data, task and realignment, checked as far as one section can be."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from realign.evaluators.fake import Terms
from realign.training.settings import LoRA, Realignment
from selector.errors import InputError

Count = Annotated[int, Field(ge=1, le=10_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Rate = Annotated[float, Field(gt=0, lt=10)]


class Section(BaseModel):
    """Values of exactly the type that is written: true is no number, and neither is "3", nan or inf."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class FakeModel(Section):
    """A closed-form stand-in for an encoder: rehearse a study file in seconds."""

    kind: Literal["fake"]
    seconds: Annotated[float, Field(ge=0, le=3600)] = 0.0  # of one evaluation
    noise: Annotated[float, Field(ge=0, le=10)] = 0.5  # between seeds, in units of the spread over subsets
    world: int = 0  # seed of the closed form

    @property
    def terms(self) -> Terms:
        return Terms(self.noise, self.seconds, self.world)


class ModelSection(Section):
    base: str | FakeModel = "world"  # "world", a folder or a hub id, or {kind = "fake"}
    revision: str | None = None  # of a hub id: a branch, a tag or a commit


class Verses(Section):
    kind: Literal["verses"]
    folder: str


class Conllu(Section):
    kind: Literal["conllu"]
    folder: str


class Bitext(Section):
    """Parallel text, a pair a line; realign/corpora/bitext.py says how the files are named."""

    kind: Literal["moses", "tsv"]
    folder: str


class Labels(Section):
    """Entities in columns, or classified sentences; realign/corpora/labels.py says how the files are named."""

    kind: Literal["conll", "table"]
    folder: str


Codes = Literal["iso1", "iso3", "flores"]


class Hub(Section):
    """A data set of the hub: one of realign/data/hub.toml by name, or described in the same words."""

    kind: Literal["hub"] = "hub"
    name: str | None = None
    id: str | None = None
    columns: dict[str, str] | None = None
    config: str | None = None
    codes: Codes | None = None
    names: dict[str, str] | None = None  # ISO 639-3 → code in the data set
    treebanks: dict[str, str] | None = None  # of udpos: ISO 639-3 → treebank, such as de_hdt
    splits: dict[Literal["train", "dev", "test"], str | tuple[str, ...]] | None = None
    labels: tuple[str, ...] | dict[str, str] | None = None  # names of bare numbers; or label → the one it counts as
    revision: str | None = None
    folders: bool | None = None
    files: str | None = None  # plain files of the repository: "data/{lang}/{split}.tsv"
    path: str | None = None  # a folder with those files, such as a clone, instead of the repository

    @model_validator(mode="after")
    def _complete(self) -> Hub:
        if self.name is not None and self.id is not None:
            raise ValueError("name is a known data set, id one that you describe: give one of the two")
        if self.name is None and self.id is None:
            raise ValueError("give the name of a known data set, or an id with columns")
        if self.id is not None and not self.columns and self.files is None:
            raise ValueError("an id needs columns, such as {words = 'tokens', tags = 'upos'}")
        if self.treebanks and self.names:
            raise ValueError("treebanks is another word for names: give one of the two")
        return self

    def __hash__(self) -> int:
        return hash((self.name, self.id))  # tables are no keys


class Filter(Section):
    """The rules of realign/corpora/filters.py."""

    longest: Count = 1000  # characters of a side
    ratio: Annotated[float, Field(gt=1)] = 4.0  # longer by shorter side
    script: Annotated[float, Field(ge=0, le=1)] = 0.5  # share of letters of the language's scripts; 0: any
    duplicates: bool = False  # keep them


def _alternative(given: Any) -> str | None:
    """The section that a table of data is meant as, by its kind: without one a data set of the hub."""
    if not isinstance(given, dict | Section):
        return None
    kind = str(given.get("kind", "hub") if isinstance(given, dict) else getattr(given, "kind", ""))
    return {"moses": "Bitext", "tsv": "Bitext", "conll": "Labels", "table": "Labels"}.get(kind, kind.capitalize())


_Texts = Annotated[Verses, Tag("Verses")] | Annotated[Bitext, Tag("Bitext")] | Annotated[Hub, Tag("Hub")]
_Labelled = Annotated[Conllu, Tag("Conllu")] | Annotated[Labels, Tag("Labels")]
Text = Annotated[_Texts, Discriminator(_alternative)]
Source = Annotated[_Texts | _Labelled, Discriminator(_alternative)]


class DataSection(Section):
    parallel: Literal["world"] | Text | tuple[Text, ...] = "world"  # several: each language from the first with it
    filter: Literal["none"] | Filter | None = None  # None: the defaults for moses, tsv and hub, none for the others
    # train pairs of a language that are read, filtered and encoded; None: as many as a run of the smallest subset sees
    pairs: Count | Literal["all"] | None = None

    @property
    def rules(self) -> Filter | None:
        """How training pairs are filtered. The world's never are."""
        if self.filter == "none" or self.parallel == "world":
            return None
        wild = not all(isinstance(given, Verses) for given in several(self.parallel))
        return self.filter or (Filter() if wild else None)

    @model_validator(mode="after")
    def _some(self) -> DataSection:
        if not several(self.parallel):
            raise ValueError("parallel = [] names no data set")
        return self


def several(given: Any) -> tuple[Any, ...]:
    """The data sets of a key that takes one or a list."""
    return given if isinstance(given, tuple) else (given,)


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


class TaskSection(Section):
    kind: Literal["pos", "ner", "classification", "retrieval"] = "pos"
    # None: of retrieval the [data] parallel, of the others the world
    data: Literal["world"] | Source | tuple[Source, ...] | None = None  # several: each language from the first with it
    train: Source | None = None  # of the source language alone: where `data` has no training set
    steps: Count | None = None  # optimizer steps of fine-tuning on the source language
    epochs: Annotated[float, Field(gt=0, le=1000)] | None = None  # instead of steps
    batch: Count = 16  # sentences a step
    lr: Rate = 1e-3
    max_length: Annotated[int, Field(ge=8, le=8192)] = 128  # sub-words a sentence
    examples: Count = 100  # development or test sentences per language, at most
    pooling: Literal["first", "mean"] | None = None  # classification: the first token, or the mean over sub-words
    layer: int | None = None  # retrieval: whose states are compared; -1 is the last block's output

    @model_validator(mode="after")
    def _fitting(self) -> TaskSection:
        if self.steps is not None and self.epochs is not None:
            raise ValueError("give steps or epochs, not both")
        for key, kind in ONLY_FOR.items():
            if getattr(self, key) is not None and self.kind != kind:
                raise ValueError(f'{key} is for kind = "{kind}", not "{self.kind}"')
        if self.data == ():
            raise ValueError("data = [] names no data set")
        for given in (*several(self.data), self.train):
            form = getattr(given, "kind", None)
            if form is not None and self.kind not in LABELS[form]:
                raise ValueError(f'data of kind "{form}" has no labels for kind = "{self.kind}"')
        if self.train is not None and (self.kind == "retrieval" or self.data in (None, "world")):
            raise ValueError("train is the training set beside a data of your own, for a task that is fine-tuned")
        if self.kind == "retrieval" and (self.steps or self.epochs):
            raise ValueError("retrieval is not fine-tuned: leave steps and epochs out")
        return self

    @property
    def metric(self) -> str:
        """What the score of a language is."""
        return METRICS[self.kind]

    @property
    def training(self) -> str:
        """How long is fine-tuned, for people."""
        return f"{self.epochs:g} epochs" if self.epochs is not None else f"{self.steps or STEPS} steps"


class LoRASection(Section):
    rank: Count = 8
    alpha: Annotated[float, Field(gt=0)] = 16.0


class RealignSection(Section):
    """The settings of `realign.training.settings.Realignment`, which says what excludes what, and where outside
    links are.
    """

    loss: Literal["sentence", "word"] = "sentence"
    aligner: Literal["mutual", "itermax", "dictionary", "gold", "pharaoh"] | None = None
    dictionary: str = ""  # folder of aligner "dictionary": beside the study file, or under $REALINGO_DATA
    alignments: str = ""  # folder of aligner "pharaoh"
    pooling: Literal["mean", "first", "reference-prefix"] = "mean"
    negatives: Literal["all", "cross"] = "all"
    projection: bool = True
    anchor: Annotated[float, Field(ge=0)] = 0.0
    steps: Count = 200
    batch: Count = 16  # sentence pairs a step; steps × batch is the budget in total over the subset
    lr: Rate = 1e-3
    schedule: Literal["constant", "linear"] = "constant"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0  # share of the steps
    temperature: Annotated[float, Field(gt=0)] = 0.1
    layer: int = -1
    freeze: Literal["none", "lower", "upper"] | tuple[Annotated[int, Field(ge=0)], ...] = "none"
    lora: LoRASection | None = None
    order: Literal["before", "during"] = "before"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    deterministic: bool = True
    max_length: Annotated[int, Field(ge=8, le=8192)] = 96  # sub-words a sentence

    @model_validator(mode="after")
    def _possible(self) -> RealignSection:
        for name, key in (("dictionary", "dictionary"), ("pharaoh", "alignments")):
            if (self.aligner == name) != bool(getattr(self, key)):
                raise ValueError(f'aligner = "{name}" and {key} = "FOLDER" go together')
        try:
            self.recipe()
        except InputError as problem:
            raise ValueError(f"{problem.message} ({problem.hint})") from None
        return self

    def recipe(self) -> Realignment:
        given = {key: getattr(self, key) for key in type(self).model_fields.keys() & Realignment.__annotations__.keys()}
        given["aligner"] = self.aligner if self.loss == "word" else None
        given["lora"] = LoRA(self.lora.rank, self.lora.alpha) if self.lora else None
        return Realignment(**given)
