"""The study file as frozen, validated values (the one importer of pydantic).

An unknown key is an error; so is tuning on a held-out language. Languages are parsed here, once: past this border
there are only `Language`, `Pool` and numbers. Relative paths are relative to the study file, so that a study is the
same from every working directory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from realign.fake import Terms
from realign.recipe import LoRA, Realignment
from search import objective, studyfile
from selector.errors import InputError
from selector.language import Language, Pool, parse, parse_pool
from selector.pools import NAMES

STRATEGIES = ("random", "tpe", "greedy", "swap", "diversity:<select strategy>")
LATER = ("surrogate", "gp", "exhaustive", "nsga2")
DATA_ROOT = "REALINGO_DATA"

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, lt=10)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Checked = TypeVar("Checked", bound=Section)


class PoolSection(Section):
    languages: str | tuple[str, ...]
    source: str = "eng"
    k: int | tuple[int, int]


class TargetSection(Section):
    tune: str | tuple[str, ...] = "pool"  # languages whose development split the search may see
    held_out: str | tuple[str, ...] = ()  # only `confirm` and `report` see these


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
    """Parallel text, a pair a line; realign/bitext.py says how the files are named."""

    kind: Literal["moses", "tsv"]
    folder: str


class Labels(Section):
    """Entities in columns, or classified sentences; realign/labels.py says how the files are named."""

    kind: Literal["conll", "table"]
    folder: str


class Hub(Section):
    """A data set of the hub: one of realign/data/hub.toml by name, or described in the same words."""

    kind: Literal["hub"]
    name: str | None = None
    id: str | None = None
    columns: dict[str, str] | None = None
    config: str | None = None
    codes: Literal["iso1", "iso3", "flores"] | None = None
    names: dict[str, str] | None = None  # ISO 639-3 → code in the data set
    splits: dict[Literal["train", "dev", "test"], str] | None = None
    labels: tuple[str, ...] | None = None
    revision: str | None = None
    folders: bool | None = None

    @model_validator(mode="after")
    def _complete(self) -> Hub:
        if (self.name is None) == (self.id is None):
            raise ValueError("give the name of a known data set, or an id with columns")
        if self.id is not None and not self.columns:
            raise ValueError("an id needs columns, such as {words = 'tokens', tags = 'upos'}")
        return self


class Filter(Section):
    """The rules of realign/filters.py."""

    longest: Count = 1000  # characters of a side
    ratio: Annotated[float, Field(gt=1)] = 4.0  # longer by shorter side
    script: Annotated[float, Field(ge=0, le=1)] = 0.5  # share of letters of the language's scripts; 0: any
    duplicates: bool = False  # keep them


class DataSection(Section):
    parallel: Literal["world"] | Verses | Bitext | Hub = "world"
    filter: Literal["none"] | Filter | None = None  # None: the defaults for moses, tsv and hub, none for the others

    @property
    def rules(self) -> Filter | None:
        """How training pairs are filtered. The world's never are."""
        if self.filter == "none" or self.parallel == "world":
            return None
        return self.filter or (None if isinstance(self.parallel, Verses) else Filter())


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
    data: Literal["world"] | Conllu | Labels | Verses | Bitext | Hub | None = None
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
        if isinstance(self.data, Section) and self.kind not in LABELS[self.data.kind]:
            raise ValueError(f'data of kind "{self.data.kind}" has no labels for kind = "{self.kind}"')
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
    """The settings of `realign.recipe.Realignment`, which says what excludes what, and where outside links are."""

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


class SearchSection(Section):
    strategy: str = "swap"
    objective: str = "mean"
    trials: Count = 40
    fidelity: Literal["full"] = "full"
    storage: str = ""  # empty: sqlite:///<name>.db beside the study file
    metric: str = "syntactic"  # of the warm start and of diversity:<strategy>
    warm_start: bool = True
    seeds: Annotated[int, Field(ge=1, le=100)] = 1  # averaged in each trial
    take_over: bool = False  # trials left running by another host are dead: try them again

    @field_validator("strategy")
    @classmethod
    def _known(cls, name: str) -> str:
        if name in LATER:
            raise ValueError(f"strategy '{name}' is not there yet; known: {', '.join(STRATEGIES)}")
        if name not in STRATEGIES[:4] and not re.fullmatch(r"diversity:[a-z-]+", name):
            raise ValueError(f"unknown strategy '{name}'; known: {', '.join(STRATEGIES)}")
        return name

    @field_validator("objective")
    @classmethod
    def _measurable(cls, name: str) -> str:
        return objective.checked(name)


class ConfirmSection(Section):
    top: Count = 3
    seeds: Annotated[int, Field(ge=1, le=100)] = 5


class StudyFile(Section):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    seed: Annotated[int, Field(ge=0)] = 0
    pool: PoolSection
    targets: TargetSection = TargetSection()
    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    task: TaskSection = TaskSection()
    realign: RealignSection = RealignSection()
    search: SearchSection = SearchSection()
    confirm: ConfirmSection = ConfirmSection()


@dataclass(frozen=True)
class StudyConfig:
    """A study: every value checked, every language parsed. `pool`, `tune` and `held_out` are sorted by code."""

    path: Path  # the study file, absolute
    name: str
    seed: int
    pool: Pool
    source: Language
    sizes: tuple[int, int]  # smallest and largest size of a subset
    tune: Pool
    held_out: Pool
    model: ModelSection
    data: DataSection
    task: TaskSection
    realign: RealignSection
    search: SearchSection
    confirm: ConfirmSection

    @property
    def home(self) -> Path:  # relative paths start from the study file
        return self.path.parent

    @property
    def folder(self) -> Path:
        """Where results go: confirm.json, report.html."""
        return self.home / self.name

    @property
    def task_data(self) -> Any:
        """What the task is measured on, where the file leaves it out too."""
        return self.task.data or (self.data.parallel if self.task.kind == "retrieval" else "world")

    @property
    def storage(self) -> str:
        """An Optuna storage URL, or the absolute path of a journal file."""
        text = self.search.storage or f"sqlite:///{self.name}.db"
        if text.startswith("sqlite:///"):
            return f"sqlite:///{self.home / text.removeprefix('sqlite:///')}"
        return text if "://" in text else str(self.home / text)

    def locate(self, text: str) -> Path:
        """A path of the study file: absolute as it is, else beside the file, else under REALINGO_DATA."""
        here = self.home / Path(text).expanduser()
        root = os.environ.get(DATA_ROOT)
        return Path(root) / text if root and not here.exists() and (Path(root) / text).exists() else here


def load(path: Path, overrides: list[str] | None = None) -> StudyConfig:
    """Read and check a study file. InputError names the file and the key of the first thing that is wrong.

    `overrides` are `key=value` with a dotted key; the value is TOML, or else a string.
    """
    path = Path(path).absolute()
    document = studyfile.read(path, overrides or [])
    given = document.get("pool")
    for key in {"budget", "costs"} & set(given if isinstance(given, dict) else ()):
        raise InputError(f"{path.name}: pool.{key} is not there yet", "set the size of the subsets: k = 4")
    return resolved(path, check(StudyFile, path, document))


def check(form: type[Checked], path: Path, document: dict[str, Any]) -> Checked:
    """The document as values of `form`; InputError names the file and the first key that is wrong."""
    try:
        return form.model_validate(document)
    except ValidationError as problem:
        raise studyfile.explained(form, path, problem.errors()) from None


def resolved(path: Path, file: StudyFile) -> StudyConfig:
    source = _named(path, "pool.source", lambda: parse(file.pool.source))
    pool = _pool(path, "pool.languages", file.pool.languages)
    if file.pool.languages in NAMES:  # a named pool is meant as it is, but for the source
        pool = tuple(language for language in pool if language != source)
    tune = pool if file.targets.tune == "pool" else _pool(path, "targets.tune", file.targets.tune)
    held_out = _pool(path, "targets.held_out", file.targets.held_out) if file.targets.held_out else ()
    for label, languages in (("the pool", pool), ("targets.tune", tune), ("targets.held_out", held_out)):
        if source in languages:
            message = f"{path.name}: the source language {source.code} is in {label}"
            raise InputError(message, f"leave {source.code} out of {label}")
    for label, languages in (("the pool", pool), ("targets.tune", tune)):
        if both := [language.code for language in held_out if language in languages]:
            message = f"{path.name}: held-out languages are also in {label}: {', '.join(both)}"
            raise InputError(
                message, "held-out languages must stay unseen by the search: take them out of one of the two"
            )
    if file.realign.order == "during" and file.task.kind == "retrieval":
        message = f"{path.name}: realign.order = 'during' takes turns with fine-tuning, but retrieval has none"
        raise InputError(message, "use order = 'before'")
    sizes = _sizes(path, file.pool.k, len(pool))
    sections = {name: getattr(file, name) for name in ("model", "data", "task", "realign", "search", "confirm")}
    config = StudyConfig(path, file.name, file.seed, pool, source, sizes, tune, held_out, **sections)
    objective.languages(config.search.objective, tune, config.data.parallel == "world")
    return config


def _pool(path: Path, key: str, value: str | tuple[str, ...]) -> Pool:
    text: Any = list(value) if isinstance(value, tuple) else value
    if isinstance(value, str) and (path.parent / value).is_file():
        text = str(path.parent / value)
    pool = _named(path, key, lambda: parse_pool(text)) if text else ()
    if not pool:
        raise InputError(f"{path.name}: {key} is empty", "name at least one language, or a pool such as 'world'")
    return pool


def _named(path: Path, key: str, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except InputError as problem:
        raise InputError(f"{path.name}: {key}: {problem.message}", problem.hint) from None


def _sizes(path: Path, k: int | tuple[int, int], languages: int) -> tuple[int, int]:
    low, high = (k, k) if isinstance(k, int) else k
    if low < 1:
        raise InputError(f"{path.name}: pool.k = {low} is too small", "a subset needs at least one language")
    if low > high:
        raise InputError(f"{path.name}: pool.k = [{low}, {high}] is empty", "write the smaller size first")
    if high > languages:
        raise InputError(f"{path.name}: pool.k = {high}, but the pool has {languages} languages", "lower k")
    return low, high
