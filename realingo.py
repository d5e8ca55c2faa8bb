"""Realingo from Python: choose which languages to realign a multilingual encoder on, by measuring.

    import realingo

    realingo.choose("facility", pool="paper-65", k=10)           # a Subset, without measuring
    study = realingo.load_study("study.toml")
    status = realingo.search(study, trials=24, progress=print)   # a SearchStatus
    confirmation = realingo.confirm(study)                       # a Confirmation
    confirmation.to_dataframe()

Nothing is printed, no signal is handled, no environment variable is set. Remarks go to the logger "realingo", with
the level WARNING where something failed. Every language may be a `Language`, a code or an English name. Wrong input
raises `InputError`, a failed run `RunError`; both have a `hint`. Importing this file loads nothing heavy: what a
function needs is imported when it is called.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realign.evaluators.fake import FakeEvaluator as FakeEvaluator
    from realign.evaluators.fake import Terms as Terms
    from realign.evaluators.own import Measure
    from realign.score import Evaluator as Evaluator
    from realign.score import Fidelity as Fidelity
    from realign.score import Score as Score
    from realign.score import Tally as Tally
    from search.config.study_config import StudyConfig
    from search.results.confirmation import Confirmation as Confirmation
    from search.results.distance_table import DistanceTable as DistanceTable
    from search.results.trials import SearchStatus as SearchStatus
    from search.results.trials import TrialRecord as TrialRecord
    from search.space import Space as Space
    from search.strategies.optuna_samplers import SubsetSampler as SubsetSampler
    from search.strategies.proposer import Past as Past
    from search.strategies.proposer import Propose, Proposer
    from selector.errors import InputError as InputError
    from selector.errors import RunError as RunError
    from selector.languages.conversion import Languages
    from selector.languages.language import Language as Language
    from selector.languages.language import Pool
    from selector.languages.subset import Subset as Subset

    __version__: str

Progress = Callable[[str, int, int], object]  # what is done, how much of it, of how much

_HOMES = {  # name → the file that defines it, imported when the name is first used
    "Confirmation": "search.results.confirmation",
    "DistanceTable": "search.results.distance_table",
    "Evaluator": "realign.score",
    "FakeEvaluator": "realign.evaluators.fake",
    "Fidelity": "realign.score",
    "InputError": "selector.errors",
    "Language": "selector.languages.language",
    "Past": "search.strategies.proposer",
    "RunError": "selector.errors",
    "Score": "realign.score",
    "SearchStatus": "search.results.trials",
    "Space": "search.space",
    "Subset": "selector.languages.subset",
    "SubsetSampler": "search.strategies.optuna_samplers",
    "Tally": "realign.score",
    "Terms": "realign.evaluators.fake",
    "TrialRecord": "search.results.trials",
}
_FUNCTIONS = (
    *("choose", "confirm", "distances", "export", "load_study", "parse_pool"),
    *("register_strategy", "report", "search", "status", "surrogate"),
)

__all__ = [*_FUNCTIONS, *_HOMES, "__version__"]


def load_study(path: str | Path, overrides: Mapping[str, object] | None = None) -> StudyConfig:
    """Read and check a study file.

    `overrides` replaces values by their dotted key, for example `{"search.trials": 10, "pool.k": 3}`. Raises InputError
    that names the first wrong key.
    """
    from search.config import study_config
    from search.config.toml_file import inline
    from selector.errors import InputError

    given_path = _path(path, "the name of a study file")
    if not isinstance(overrides or {}, Mapping):
        raise InputError(f"overrides is {overrides!r}, which is no mapping", 'give for example {"search.trials": 10}')
    given = (overrides or {}).items()
    return study_config.load(given_path, [f"{key}={inline(key, value)}" for key, value in given])


def search(
    study: StudyConfig | str | Path,
    trials: int | None = None,
    *,
    evaluator: Measure | None = None,
    workers: int = 1,
    backend: str | None = None,
    progress: Progress | None = None,
    callbacks: Sequence[Callable[[TrialRecord], object]] = (),
    log_to: Sequence[str] = (),
) -> SearchStatus:
    """Run or continue a study until `trials` trials have ended, over all runs; default: the study's own number.

    `evaluator` is any callable `(subset, fidelity, seed)` that answers with a `Score`, or with a mapping from language
    codes to scores in [0, 1]. It replaces the study's encoder and runs in this process. Equal arguments must get equal
    answers. An object with a method `signature(subset, fidelity, seed)` has its answers cached on disk as well.
    `workers` trials run at a time, in processes. `backend` is "inline", "process", "ray" or "tune".
    `progress(what, done, total)` is called as the search goes on, each of `callbacks` with the `TrialRecord` of every
    trial that ends; one that raises an error gets no further trials, and the search goes on. `log_to` names trackers
    that get these trials as well: "tensorboard:FOLDER", "mlflow:URI" or "wandb:PROJECT".

    Returns how the study stands, with every trial in `history`. Raises InputError before anything is written, RunError
    where nothing can be measured; on KeyboardInterrupt the next call continues.
    """
    from search.backends.registry import usual_backend
    from search.commands import search as command
    from search.terminal import heard_by
    from selector.errors import InputError, listed_texts, require_callable

    require_callable(evaluator=evaluator, progress=progress)
    if not isinstance(callbacks, Iterable):
        raise InputError(f"callbacks is {callbacks!r}, which is no list", "give a list of functions")
    after_each, trackers = list(callbacks), listed_texts("log_to", log_to)
    for each in after_each:
        require_callable(callbacks=each)
    config = _study(study)
    place = backend or usual_backend(workers, config.search.time_limit)
    with heard_by(_advance(progress)):
        command.run(
            config, trials, workers, place, own=evaluator, handlers=False, callbacks=after_each, trackers=trackers
        )
        return status(config)


def status(study: StudyConfig | str | Path) -> SearchStatus:
    """How `study` stands (a value of `load_study`, or a path), with every trial in `history`.

    Raises InputError if it was never started.
    """
    from search import status as standing

    return standing.status(_study(study))


def confirm(
    study: StudyConfig | str | Path,
    top: int | None = None,
    seeds: int | None = None,
    *,
    evaluator: Measure | None = None,
    workers: int = 1,
    backend: str | None = None,
    progress: Progress | None = None,
) -> Confirmation:
    """Measure the `top` subsets and the baselines again, on fresh seeds, test data and held-out languages.

    A study that was searched with an `evaluator` of your own is confirmed with one as well; it must score the held-out
    languages too. Where it answers without tallies, intervals are over seeds alone. Writes `confirm.json` into the
    study's folder. Raises InputError without a finished trial, RunError where a row cannot be measured.
    """
    from search.backends.batch import Bench
    from search.backends.registry import usual_backend
    from search.confirmation import confirm as confirmation
    from search.interrupts import Interrupts
    from search.terminal import heard_by
    from selector.errors import require_callable

    require_callable(evaluator=evaluator, progress=progress)
    advance = _advance(progress)
    place = backend or usual_backend(workers)
    bench = Bench(place, workers, advance, Interrupts(handlers=False), own=evaluator)
    with heard_by(advance):
        return confirmation.confirm_on(bench, _study(study), top, seeds)


def report(study: StudyConfig | str | Path, output: str | Path | None = None) -> Path:
    """Write the report of `study`, one HTML file that needs no network, to `output` and return its path.

    Default: `report.html` in the study's folder; an older report there is replaced. Raises InputError without a
    finished trial.
    """
    from search.report import html_report

    place = None if output is None else _path(output, "the name of a file")
    return Path(html_report.write(_study(study), place))


def export(study: StudyConfig | str | Path, output: str | Path, row: str | None = None) -> Path:
    """Write the best confirmed subset, ready for production realignment, to a new or empty folder; return its path.

    `row` is the name of another confirmed candidate. Raises InputError if the study is not confirmed.
    """
    from search.export import export as exporting

    return Path(exporting.export(_study(study), _path(output, "the name of a folder"), row).path)


def choose(
    strategy: str,
    pool: Languages,
    k: int,
    *,
    metric: str = "syntactic",
    source: str | Language | None = "eng",
    include: Languages = (),
    exclude: Languages = (),
    targets: Languages | None = None,
    weights: Mapping[str, float] | None = None,
    costs: Mapping[str, float] | None = None,
    budget: float | None = None,
    quotas: str | Iterable[str] = (),
    seed: int = 0,
) -> Subset:
    """Choose `k` languages of a pool without measuring, as `realingo select` does.

    `strategy` is one of its strategies, such as "facility" or "max-sum". `targets` are whom the chosen serve (default:
    the pool), with `weights`; `costs` are by language and `budget` is in their unit; `quotas` are such as "family=2".
    Raises InputError for unknown names and for demands that cannot be met.
    """
    from selector import strategy as strategies
    from selector.errors import InputError, listed_texts, whole_number
    from selector.languages.conversion import as_language, as_languages, as_pool, keyed_by_language

    seed = whole_number("seed", seed)
    if seed < 0:
        raise InputError(f"seed is {seed}, below zero", "give a seed of 0 or more")
    return strategies.choose(
        strategy,
        as_pool(pool),
        whole_number("k", k),
        metric=metric,
        source=None if source is None else as_language(source),
        include=as_languages(include),
        exclude=as_languages(exclude),
        targets=None if targets is None else as_pool(targets),
        weights=None if weights is None else keyed_by_language(weights),
        costs=None if costs is None else keyed_by_language(costs),
        budget=budget,
        quotas=listed_texts("quotas", quotas),
        seed=seed,
    )


def distances(languages: Languages, metric: str = "syntactic") -> DistanceTable:
    """Pairwise distances of at least two languages, in the order given.

    `metric` is one of "syntactic", "phonological", "inventory", "featural", "genetic", "geographic", "learned", a
    weighted mix ("syntactic=0.7,genetic=0.3"), or a CSV file. Raises InputError for what is unknown.
    """
    import numpy as np

    from search.results.distance_table import DistanceTable
    from selector.distances import distance
    from selector.errors import InputError
    from selector.languages.conversion import as_list

    unique = tuple(dict.fromkeys(as_list(languages)))
    if len(unique) < 2:
        raise InputError("distances need at least two different languages", 'for example distances(["deu", "tur"])')
    found = distance.distances(unique, metric)
    codes = tuple(language.code for language in unique)
    return DistanceTable(metric, codes, np.asarray(found.matrix, dtype=np.float64), found.observed)


def parse_pool(given: Languages) -> Pool:
    """The languages that `given` names: a named pool, a file of codes, or codes and names; sorted by code, each once.

    Raises InputError for an unknown language, with the nearest guesses.
    """
    from selector.languages.conversion import as_pool

    return as_pool(given)


def register_strategy(name: str, strategy: Propose) -> None:
    """Let studies use a strategy of your own: `search.strategy = "NAME"` in the file or in `load_study`'s overrides.

    `strategy(space, past, rng)` answers with the subset to measure next, as a `Subset` or as codes, or with None when
    there is nothing left. `past.values` holds what was measured, `past.taken` what was begun; `rng` is a NumPy
    generator that depends on the study's seed and the position alone. The same arguments must get the same answer.
    `search.testing.check_strategy` tries one out. Raises InputError for a name that is taken.
    """
    from search import planner

    planner.register_strategy(name, strategy)


def surrogate(space: Space, source: str | Language | None = "eng") -> Proposer:
    """The strategy "surrogate" for a `SubsetSampler`: `SubsetSampler(space, surrogate(space))`.

    It is a Gaussian process over the subsets of `space`. It begins with URIEL's similarities of the languages of the
    pool, to each other and to `source`, the language of fine-tuning. Raises InputError for an unknown language.
    """
    from search.space import require_space
    from search.surrogate.prior_knowledge import prior_of_pool
    from search.surrogate.surrogate import Surrogate
    from selector.languages.conversion import as_language

    require_space(space)
    return Surrogate(prior_of_pool(space.pool, None if source is None else as_language(source)))


def _study(given: StudyConfig | str | Path) -> StudyConfig:
    from search.config.study_config import StudyConfig

    return given if isinstance(given, StudyConfig) else load_study(given)


def _path(given: object, what: str) -> Path:
    from selector.errors import InputError

    if not isinstance(given, str | os.PathLike):
        raise InputError(f"{given!r} is no path", f"give {what}")
    return Path(given)


def _advance(progress: Progress | None) -> Callable[[str, int, int], None]:
    def advance(what: str, done: int, total: int) -> None:
        if progress is not None:
            progress(what, done, total)

    return advance


def _check_packages() -> None:
    """ImportError where a file of the user's hides one of our packages: both would be called `search`, for example."""
    home = Path(__file__).resolve().parent
    for name in ("selector", "realign", "search"):
        loaded = getattr(sys.modules.get(name), "__file__", None)
        spec = None if loaded else importlib.util.find_spec(name)
        found = loaded or (spec.origin if spec else None)
        if found is None or Path(found).resolve() != home / name / "__init__.py":
            raise ImportError(
                f"{found or 'nothing'} is found as the package '{name}', which belongs to Realingo: "
                f"rename that file or folder, or start Python in another folder",
                name=name,
                path=found,
            )


if not TYPE_CHECKING:  # type checkers would take any misspelled name for one of ours

    def __getattr__(name: str) -> object:
        """A class from its file, or the version, when it is first asked for (PEP 562)."""
        if name == "__version__":
            from importlib.metadata import version

            value: object = version("realingo")
        elif name in _HOMES:
            value = getattr(importlib.import_module(_HOMES[name]), name)
        else:
            raise AttributeError(f"module 'realingo' has no attribute '{name}'")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)


_check_packages()
