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
from typing import Any, TypeVar

import numpy as np

from realign.core import Core, FakeModel, Scope
from search import score_objective
from search.config import toml_file
from search.config.sample_size import limit_sample
from search.config.schema import ConfirmSection, FidelitySection, PoolSection, SearchSection, StudyFile, check
from search.space import Space
from selector import constraints
from selector.distances.user_table import numbers
from selector.errors import InputError, quantity
from selector.languages.language import Language, Pool, parse, parse_pool
from selector.languages.pools import NAMES
from selector.solvers.feasible import complete

Value = TypeVar("Value")


@dataclass(frozen=True)
class StudyConfig:
    """A study: every value checked, every language parsed. `pool`, `tune` and `held_out` are sorted by code."""

    path: Path  # the study file, absolute
    name: str
    seed: int
    core: Core  # what is measured
    pool: Pool
    sizes: tuple[int, int]  # smallest and largest size of a subset
    include: Pool
    exclude: Pool
    quotas: tuple[str, ...]
    costs: Mapping[Language, float] | None = field(hash=False)  # of every language of the pool
    budget: float | None
    weights: Mapping[str, float] = field(hash=False)  # code → weight of a target; 1 where it is left out
    tune: Pool
    held_out: Pool
    search: SearchSection
    fidelity: FidelitySection
    confirm: ConfirmSection
    overrides: tuple[str, ...] = field(default=(), compare=False)  # of the file, as given; all else has them in it

    @property
    def folder(self) -> Path:
        """The folder of the results: confirm.json, report.html."""
        return self.core.home / self.name

    @property
    def scope(self) -> Scope:
        """The languages that an evaluator of the study works with."""
        return Scope(self.pool, self.tune, self.held_out)

    @cached_property
    def space(self) -> Space:
        """The subsets the search may choose."""
        given = None if self.costs is None else {each: x for each, x in self.costs.items() if each in self.pool}
        prices = constraints.costs(self.pool, given)
        asked = np.ones(len(self.pool)) if prices is None else prices
        bounds = constraints.limits(self.pool, asked, self.budget, constraints.quotas(self.pool, self.quotas, None))
        return Space(self.pool, self.sizes, frozenset(self.include), frozenset(self.exclude), bounds, prices)

    def value(self, per_language: Mapping[str, float]) -> float:
        """The value that the study maximizes, in [0, 1], from scores `per_language` of its tuning targets by code."""
        codes = score_objective.languages(self.search.score, self.tune, self.core.data.parallel == "world")
        return score_objective.value(self.search.score, per_language, codes, self.weights)

    @property
    def level(self) -> str:
        """The fidelity whose scores count: that of the trials, or the last of the ladder."""
        return "full" if self.search.fidelity == "ladder" else self.search.fidelity

    @property
    def merges_vectors(self) -> bool:
        """True if the search measures encoders that are merged from language vectors."""
        return self.search.fidelity in ("merge", "ladder") and self.fidelity.method != "scores"

    @property
    def storage(self) -> str:
        """An Optuna storage URL, or the absolute path of a journal file."""
        text = self.search.storage or f"sqlite:///{self.name}.db"
        if text.startswith("sqlite:///"):
            return f"sqlite:///{self.core.home / text.removeprefix('sqlite:///')}"
        return text if "://" in text else str(self.core.home / text)


def load(path: Path, overrides: list[str] | None = None) -> StudyConfig:
    """Read and check a study file. InputError names the file and the key of the first thing that is wrong.

    `overrides` are `key=value` with a dotted key; the value is TOML, or else a string.
    """
    path = Path(path).absolute()
    file = check(StudyFile, path, toml_file.read(path, overrides or []))
    config = resolve_study(path, _with_own_name(path, file) if isinstance(file.model.base, FakeModel) else file)
    return replace(config, overrides=tuple(overrides or ()))


def _with_own_name(path: Path, file: StudyFile) -> StudyFile:
    """A rehearsal, named apart from the study that it rehearses.

    That is one whose file names an encoder, or data of its own. What is a rehearsal and nothing else keeps its name.
    """
    model = toml_file.read(path, []).get("model", {})
    has_encoder = not isinstance(model.get("base", "world"), Mapping)
    has_data = file.data.parallel != "world" or file.task.data not in (None, "", "world")
    return replace(file, name=f"{file.name}-fake") if has_encoder or has_data else file


def resolve_study(path: Path, file: StudyFile) -> StudyConfig:
    """The study of a file at `path`, absolute. InputError where its parts do not go together."""
    source = _naming_key(path, "pool.source", lambda: parse(file.pool.source))
    scope = _scope(path, file, source)
    _check_roles(path, scope, source)
    _check_turns(path, file)
    include, exclude = (_some_of(path, key, getattr(file.pool, key), scope.pool) for key in ("include", "exclude"))
    weights = _numbers(path, "targets.weights", file.targets.weights, "weight") or {}
    config = StudyConfig(
        path=path,
        name=file.name,
        seed=file.seed,
        core=Core(file.model, file.data, file.task, file.realign, source, path.parent),
        pool=scope.pool,
        sizes=_sizes(path, file.pool, len(scope.pool)),
        include=include,
        exclude=exclude,
        quotas=file.pool.quota,
        costs=_numbers(path, "pool.costs", file.pool.costs, "cost"),
        budget=file.pool.budget,
        weights={each.code: x for each, x in weights.items()},
        tune=scope.tune,
        held_out=scope.held_out,
        search=file.search,
        fidelity=file.fidelity,
        confirm=file.confirm,
    )
    score_objective.languages(config.search.score, config.tune, config.core.data.parallel == "world")
    _check_weights(path, config.weights, config.search.score, config.tune)
    sizes = _possible_sizes(path.name, _naming_key(path, "pool", lambda: config.space))
    core = limit_sample(config.core, sizes, len(include), config.search, config.fidelity)
    return replace(config, sizes=sizes, core=core)


def _scope(path: Path, file: StudyFile, source: Language) -> Scope:
    pool = _pool(path, "pool.languages", file.pool.languages)
    if file.pool.languages in NAMES:  # a named pool is meant as it is, but for the source
        pool = tuple(language for language in pool if language != source)
    tune = pool if file.targets.tune == "pool" else _pool(path, "targets.tune", file.targets.tune)
    held_out = _pool(path, "targets.held_out", file.targets.held_out) if file.targets.held_out else ()
    return Scope(pool, tune, held_out)


def _check_roles(path: Path, scope: Scope, source: Language) -> None:
    """InputError where a language has two roles that exclude each other."""
    roles = (("the pool", scope.pool), ("targets.tune", scope.tune))
    for label, languages in (*roles, ("targets.held_out", scope.held_out)):
        if source in languages:
            message = f"{path.name}: the source language {source.code} is in {label}"
            raise InputError(message, f"leave {source.code} out of {label}")
    for label, languages in roles:
        if both := [language.code for language in scope.held_out if language in languages]:
            message = f"{path.name}: held-out languages are also in {label}: {', '.join(both)}"
            raise InputError(
                message, "held-out languages must stay unseen by the search: take them out of one of the two"
            )


def _check_turns(path: Path, file: StudyFile) -> None:
    """InputError where realignment should take turns with what there is not."""
    if file.realign.order != "during":
        return
    if file.fidelity.patience:
        message = f"{path.name}: fidelity.patience ends fine-tuning, but realign.order = 'during' takes turns with it"
        raise InputError(message, "leave patience out, or use order = 'before'")
    if file.task.kind == "retrieval":
        message = f"{path.name}: realign.order = 'during' takes turns with fine-tuning, but retrieval has none"
        raise InputError(message, "use order = 'before'")


def _some_of(path: Path, key: str, codes: tuple[str, ...], pool: Pool) -> Pool:
    found = _pool(path, f"pool.{key}", codes) if codes else ()
    if outside := [language.code for language in found if language not in pool]:
        raise InputError(f"{path.name}: pool.{key} names {', '.join(outside)}, not in the pool", "add it to the pool")
    return found


def _numbers(path: Path, key: str, file: str, what: str) -> dict[Language, float] | None:
    return _naming_key(path, key, lambda: numbers(path.parent / file, what)) if file else None


def _check_weights(path: Path, weights: Mapping[str, float], score: str, tune: Pool) -> None:
    """InputError for weights that make no sense."""
    name, known = path.name, [language.code for language in tune]
    if weights and score not in ("mean", "low-resource"):
        message = f"{name}: targets.weights is for a mean, not for '{score}'"
        raise InputError(message, 'take objective = "mean", or leave the weights out')
    if strangers := [code for code in weights if code not in known]:
        raise InputError(f"{name}: targets.weights names {', '.join(strangers)}, no tuning target", "leave it out")
    if wrong := [code for code, weight in weights.items() if not 0 < weight < math.inf]:
        raise InputError(f"{name}: the weight of {wrong[0]} is {weights[wrong[0]]:g}", "weights are positive")


def _possible_sizes(name: str, space: Space) -> tuple[int, int]:
    """The sizes that some subset can have. InputError where there is no subset at all."""
    if both := space.include & space.exclude:
        codes = ", ".join(sorted(language.code for language in both))
        raise InputError(f"{name}: {codes} is both included and excluded", "drop it from one of the two")
    low, high = space.sizes
    fits = [k for k in range(low, high + 1) if complete(space.pinned, k, space.free, space.bounds) is not None]
    if fits:
        return fits[0], fits[-1]
    if len(space.pinned) > high:
        raise InputError(f"{name}: {len(space.pinned)} languages are included, but k is {high}", "raise k")
    problem = constraints.infeasibility_error(low, space.pinned, space.free, space.bounds) if space.bounds else None
    if problem is None or len(space.pinned) + len(space.free) < low:
        raise InputError(f"{name}: k is {low}, but fewer languages can be chosen", "lower k or exclude fewer")
    raise InputError(f"{name}: pool: {problem.message}", problem.hint)


def _pool(path: Path, key: str, value: str | tuple[str, ...]) -> Pool:
    text: Any = list(value) if isinstance(value, tuple) else value
    if isinstance(value, str) and os.path.isfile(path.parent / value):
        text = str(path.parent / value)
    pool = _naming_key(path, key, lambda: parse_pool(text)) if text else ()
    if not pool:
        raise InputError(f"{path.name}: {key} is empty", "name at least one language, or a pool such as 'world'")
    return pool


def _naming_key(path: Path, key: str, work: Callable[[], Value]) -> Value:
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
        raise InputError(f"{path.name}: pool.k = {high}, but the pool has {quantity(languages, 'language')}", "lower k")
    return low, high
