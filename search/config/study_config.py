"""The study file as frozen, validated values.

An unknown key is an error; so is tuning on a held-out language. Languages are parsed here, once: past this border
there are only `Language`, `Pool` and numbers. Relative paths are relative to the study file, so that a study is the
same from every working directory.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from search import objective
from search.config import toml_file
from search.config.core_schema import DataSection, ModelSection, RealignSection, TaskSection
from search.config.schema import ConfirmSection, FidelitySection, PoolSection, SearchSection, StudyFile, check
from search.space import Space
from selector import constraints
from selector.distances.user_table import numbers
from selector.errors import InputError
from selector.languages.language import Language, Pool, parse, parse_pool
from selector.languages.pools import NAMES
from selector.solvers.feasible import complete


@dataclass(frozen=True)
class StudyConfig:
    """A study: every value checked, every language parsed. `pool`, `tune` and `held_out` are sorted by code."""

    path: Path  # the study file, absolute
    name: str
    seed: int
    pool: Pool
    source: Language
    sizes: tuple[int, int]  # smallest and largest size of a subset
    include: Pool
    exclude: Pool
    quotas: tuple[str, ...]
    costs: Mapping[Language, float] | None = field(hash=False)  # of every language of the pool
    budget: float | None
    weights: Mapping[str, float] = field(hash=False)  # code → weight of a target; 1 where it is left out
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

    @cached_property
    def space(self) -> Space:
        """The subsets the search may choose."""
        given = None if self.costs is None else {each: x for each, x in self.costs.items() if each in self.pool}
        prices = constraints.costs(self.pool, given)
        asked = np.ones(len(self.pool)) if prices is None else prices
        bounds = constraints.limits(self.pool, asked, self.budget, constraints.quotas(self.pool, self.quotas, None))
        return Space(self.pool, self.sizes, frozenset(self.include), frozenset(self.exclude), bounds, prices)

    def value(self, per_language: Mapping[str, float]) -> float:
        """What the study maximizes, from scores of its tuning targets; in [0, 1]."""
        codes = objective.languages(self.search.score, self.tune, self.data.parallel == "world")
        return objective.value(self.search.score, per_language, codes, self.weights)

    @property
    def level(self) -> str:
        """The fidelity whose scores count: that of the trials, or the last of the ladder."""
        return "full" if self.search.fidelity == "ladder" else self.search.fidelity

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
    document = toml_file.read(path, overrides or [])
    return resolved(path, check(StudyFile, path, document))


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
    names = ("model", "data", "task", "realign", "search", "fidelity", "confirm")
    config = StudyConfig(
        path=path,
        name=file.name,
        seed=file.seed,
        pool=pool,
        source=source,
        sizes=_sizes(path, file.pool, len(pool)),
        include=_some_of(path, "include", file.pool.include, pool),
        exclude=_some_of(path, "exclude", file.pool.exclude, pool),
        quotas=file.pool.quota,
        costs=_numbers(path, "pool.costs", file.pool.costs, "cost"),
        budget=file.pool.budget,
        weights={
            each.code: x
            for each, x in (_numbers(path, "targets.weights", file.targets.weights, "weight") or {}).items()
        },
        tune=tune,
        held_out=held_out,
        **{name: getattr(file, name) for name in names},
    )
    objective.languages(config.search.score, tune, config.data.parallel == "world")
    _check_weights(config)
    return _possible(config)


def _some_of(path: Path, key: str, codes: tuple[str, ...], pool: Pool) -> Pool:
    found = _pool(path, f"pool.{key}", codes) if codes else ()
    if outside := [language.code for language in found if language not in pool]:
        raise InputError(f"{path.name}: pool.{key} names {', '.join(outside)}, not in the pool", "add it to the pool")
    return found


def _numbers(path: Path, key: str, file: str, what: str) -> dict[Language, float] | None:
    return _named(path, key, lambda: numbers(path.parent / file, what)) if file else None


def _check_weights(config: StudyConfig) -> None:
    """InputError for weights that make no sense."""
    name, known = config.path.name, [language.code for language in config.tune]
    if config.weights and config.search.score not in ("mean", "low-resource"):
        message = f"{name}: targets.weights is for a mean, not for '{config.search.score}'"
        raise InputError(message, 'take objective = "mean", or leave the weights out')
    if strangers := [code for code in config.weights if code not in known]:
        raise InputError(f"{name}: targets.weights names {', '.join(strangers)}, no tuning target", "leave it out")
    if wrong := [code for code, weight in config.weights.items() if not 0 < weight < math.inf]:
        raise InputError(f"{name}: the weight of {wrong[0]} is {config.weights[wrong[0]]:g}", "weights are positive")


def _possible(config: StudyConfig) -> StudyConfig:
    """The study with its sizes cut to those that some subset can have. InputError where there is no subset at all."""
    name = config.path.name
    if both := set(config.include) & set(config.exclude):
        codes = ", ".join(sorted(language.code for language in both))
        raise InputError(f"{name}: {codes} is both included and excluded", "drop it from one of the two")
    space = _named(config.path, "pool", lambda: config.space)
    low, high = config.sizes
    fits = [k for k in range(low, high + 1) if complete(space.pinned, k, space.free, space.bounds) is not None]
    if fits:
        return replace(config, sizes=(fits[0], fits[-1]))
    if len(space.pinned) > high:
        raise InputError(f"{name}: {len(space.pinned)} languages are included, but k is {high}", "raise k")
    problem = constraints.infeasible(low, space.pinned, space.free, space.bounds) if space.bounds else None
    if problem is None or len(space.pinned) + len(space.free) < low:
        raise InputError(f"{name}: k is {low}, but fewer languages can be chosen", "lower k or exclude fewer")
    raise InputError(f"{name}: pool: {problem.message}", problem.hint)


def _pool(path: Path, key: str, value: str | tuple[str, ...]) -> Pool:
    text: Any = list(value) if isinstance(value, tuple) else value
    if isinstance(value, str) and os.path.isfile(path.parent / value):
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


def _sizes(path: Path, given: PoolSection, languages: int) -> tuple[int, int]:
    if given.k is None and given.budget is None:
        raise InputError(f"{path.name}: pool.k is missing", "set the size of the subsets, k = 4, or a budget")
    if given.k is None:
        return 1, languages
    low, high = (given.k, given.k) if isinstance(given.k, int) else given.k
    if low < 1:
        raise InputError(f"{path.name}: pool.k = {low} is too small", "a subset needs at least one language")
    if low > high:
        raise InputError(f"{path.name}: pool.k = [{low}, {high}] is empty", "write the smaller size first")
    if high > languages:
        raise InputError(f"{path.name}: pool.k = {high}, but the pool has {languages} languages", "lower k")
    return low, high
