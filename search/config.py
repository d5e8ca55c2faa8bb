"""The study file as frozen, validated values.

An unknown key is an error; so is tuning on a held-out language. Languages are parsed here, once: past this border
there are only `Language`, `Pool` and numbers. Relative paths are relative to the study file, so that a study is the
same from every working directory.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError, field_validator

from realign.score import Merging
from search import objective, studyfile
from search.sections import Count, DataSection, ModelSection, RealignSection, Section, TaskSection
from selector.errors import InputError
from selector.language import Language, Pool, parse, parse_pool
from selector.pools import NAMES

STRATEGIES = ("random", "tpe", "greedy", "swap", "diversity:<select strategy>")
LATER = ("surrogate", "gp", "exhaustive", "nsga2")

Share = Annotated[float, Field(gt=0, le=1)]
Checked = TypeVar("Checked", bound=Section)


class PoolSection(Section):
    languages: str | tuple[str, ...]
    source: str = "eng"
    k: int | tuple[int, int]


class TargetSection(Section):
    tune: str | tuple[str, ...] = "pool"  # languages whose development split the search may see
    held_out: str | tuple[str, ...] = ()  # only `confirm` and `report` see these


class SearchSection(Section):
    strategy: str = "swap"
    objective: str = "mean"
    trials: Count = 40
    fidelity: Literal["full", "short", "merge"] = "full"  # of the trials; what is confirmed is always full
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


class FidelitySection(Section):
    """What `search.fidelity` "short" and "merge" are; `realign.score.Merging` says the rest. Shares of the full work.

    Unset shares: a quarter of everything for short. For merge, of each language: all of its fine-tuning; with method
    "scores" the pairs it has in the largest subset and all sentences, else all pairs and a quarter of the sentences.
    """

    pairs: Share | None = None
    steps: Share | None = None  # of fine-tuning
    examples: Share | None = None
    patience: Annotated[int, Field(ge=0)] = 0  # looks at the source without a gain until fine-tuning stops; 0: none
    method: Literal["scores", "average", "touched", "ties", "dare"] = "scores"
    seeds: Annotated[int, Field(ge=1, le=100)] = 1
    sharpness: Annotated[float, Field(ge=0)] = 10.0
    scale: Annotated[float, Field(gt=0)] = 2.0
    density: Share = 1.0
    tuned: Literal["once", "each"] = "once"
    precision: Literal["bf16", "fp32"] = "bf16"

    @property
    def merging(self) -> Merging:
        return Merging(**{key: getattr(self, key) for key in Merging.__annotations__})


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
    fidelity: FidelitySection = FidelitySection()
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
    fidelity: FidelitySection
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
    if file.fidelity.patience and file.realign.order == "during":
        message = f"{path.name}: fidelity.patience ends fine-tuning, but realign.order = 'during' takes turns with it"
        raise InputError(message, "leave patience out, or use order = 'before'")
    if file.realign.order == "during" and file.task.kind == "retrieval":
        message = f"{path.name}: realign.order = 'during' takes turns with fine-tuning, but retrieval has none"
        raise InputError(message, "use order = 'before'")
    sizes = _sizes(path, file.pool.k, len(pool))
    sections = {
        name: getattr(file, name) for name in ("model", "data", "task", "realign", "search", "fidelity", "confirm")
    }
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
