"""What a study file may say: its sections, each checked as far as one section can be.

Sections of what is measured are those of `realign`; the others are here. Pydantic reads a file into them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, TypeAdapter, ValidationError

from realign.core import Model, Task
from realign.data_sets import Data
from realign.score import Merging
from realign.section import Range, Section, SettingError, setting
from realign.training.settings import Count, Realignment
from search import score_objective
from search.config import toml_file
from search.config.strategy_names import all_names, is_strategy
from selector.errors import InputError

Checked = TypeVar("Checked", bound=Section)
_readers: dict[type, TypeAdapter[Any]] = {}

Name = Annotated[str, Range(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
Seed = Annotated[int, Range(ge=0, lt=2**32)]
Share = Annotated[float, Range(gt=0, le=1)]
Few = Annotated[int, Range(ge=1, le=100)]


def _check_strategy(name: str) -> str:
    if not is_strategy(name):
        raise ValueError(f"unknown strategy '{name}'; known: {', '.join(all_names())}")
    return name


def _front(names: tuple[str, ...]) -> tuple[str, ...]:
    if names and (len(names) != 2 or names[1] != "cost"):
        raise ValueError('objectives are a score and the cost, such as ["mean", "cost"]')
    return (score_objective.checked(names[0]), "cost") if names else ()


def _no_alignment(name: Any) -> Any:
    """SettingError where subsets are to be ranked by how well languages are aligned."""
    if isinstance(name, str) and name in ("retrieval", "alignment", "similarity", "cka"):
        raise SettingError(
            f"'{name}' is no fidelity: whether scores of alignment rank subsets as a task does was not measured, and "
            "published findings disagree; take short, merge or ladder, or search for retrieval itself by task.kind"
        )
    return name


StrategyName = Annotated[str, AfterValidator(_check_strategy)]
ObjectiveName = Annotated[str, AfterValidator(score_objective.checked)]
FidelityName = Annotated[Literal["full", "short", "merge", "ladder"], BeforeValidator(_no_alignment)]
Front = Annotated[tuple[str, ...], AfterValidator(_front)]


@dataclass(frozen=True)
class PoolSection(Section):
    """The languages to choose from, and which subsets of them are allowed."""

    languages: str | tuple[str, ...] = field(
        metadata={
            "description": "Candidate languages: codes or English names as a list, a named pool such as world, or a "
            "file with one code a line."
        }
    )
    source: str = setting("eng", "Language with the task's training data; realignment pulls the others towards it.")
    k: int | tuple[int, int] | None = setting(
        None, "Languages of a subset: a number, or [smallest, largest]; may be left out where there is a budget."
    )
    include: tuple[str, ...] = setting((), "Languages that are in every subset.")
    exclude: tuple[str, ...] = setting((), "Languages that are in no subset; they are still targets where the pool is.")
    quota: tuple[str, ...] = setting((), 'At most so many languages of a group, as "family=2" or "script:Latn=3".')
    costs: str = setting("", "CSV file of code and cost of a language; left out: every language costs 1.")
    budget: Annotated[float, Range(ge=0)] | None = setting(
        None, "Largest total cost of a subset, in the unit of the costs."
    )


@dataclass(frozen=True)
class TargetSection(Section):
    """The languages that scores are for."""

    tune: str | tuple[str, ...] = setting(
        "pool", 'Languages whose development split the search may see, or "pool" for the pool.'
    )
    held_out: str | tuple[str, ...] = setting((), "Languages that the search never sees; only confirm and report do.")
    weights: str = setting("", "CSV file of code and weight in a mean; languages left out weigh 1.")


@dataclass(frozen=True)
class SearchSection(Section):
    """Settings of the search: strategy, number of trials, fidelity, storage."""

    strategy: StrategyName = setting("surrogate", "What proposes the next subset, see the list of strategies.")
    objective: ObjectiveName = setting(
        "mean", "What is maximized over the tuning targets: mean, worst, low-resource or cvar:SHARE."
    )
    objectives: Front = setting(
        (), 'A score and the cost, as ["mean", "cost"], for a Pareto front instead of one objective.'
    )
    trials: Count = setting(40, "Trials that end the search, over all runs of it.")
    fidelity: FidelityName = setting(
        "full", "How thoroughly a trial measures, see [fidelity]; what is confirmed is always full."
    )
    storage: str = setting(
        "", "Optuna storage URL or a journal file; left out: sqlite:///NAME.db beside the study file."
    )
    metric: str = setting("syntactic", "Language distance of the warm start and of diversity:<select strategy>.")
    warm_start: bool = setting(True, "Begin with the subsets that model-free strategies choose.")
    seeds: Few = setting(1, "Seeds averaged in each trial.")
    repeats: Literal["never", "auto"] | Annotated[int, Range(ge=2, le=10)] = setting(
        "never", "Measure promising subsets again on further seeds: never, auto, or a number of times."
    )
    pruner: Literal["none", "median"] = setting(
        "none", "Whether a trial that falls behind the others is stopped (median)."
    )
    time_limit: Annotated[float, Range(gt=0)] | None = setting(
        None, "Seconds after which a trial counts as failed; left out: no limit."
    )
    take_over: bool = setting(False, "Try trials again that another host left running: it is known to be dead.")

    def __post_init__(self) -> None:
        if self.pruner != "none" and self.objectives:
            raise SettingError("pruner compares scores, and with objectives a poor one may be cheap: leave it out")
        if self.repeats != "never" and (self.strategy != "surrogate" or self.objectives):
            raise SettingError("repeats are for strategy = 'surrogate' and one objective: leave them out")

    @property
    def score(self) -> str:
        """The objective that is maximized."""
        return self.objectives[0] if self.objectives else self.objective


@dataclass(frozen=True)
class FidelitySection(Merging):
    """The settings of the fidelities "short" and "merge" of [search]. Shares are of the full work.

    Unset shares: a quarter of everything for short. For merge, of each language: all of its fine-tuning; with method
    "scores" the pairs it has in the largest subset and all sentences, else all pairs and a quarter of the sentences.
    """

    pairs: Share | None = setting(None, "Share of the sentence pairs of realignment.")
    steps: Share | None = setting(None, "Share of the steps of fine-tuning.")
    examples: Share | None = setting(None, "Share of the sentences that are evaluated.")
    patience: Annotated[int, Range(ge=0)] = setting(
        0, "Looks at the source's development split without a gain until fine-tuning stops; 0: it never stops early."
    )

    @property
    def merging(self) -> Merging:
        return Merging(**{each.name: getattr(self, each.name) for each in fields(Merging)})


@dataclass(frozen=True)
class ConfirmSection(Section):
    """The subsets and seeds that are measured again."""

    top: Count = setting(3, "Best subsets of the search that are confirmed.")
    # Over 12 comparisons (4 rows, 3 baselines) Holm's first step finds a difference of twice the standard deviation
    # between paired seeds with probability 0.86; with 7 seeds 0.73, with 5 seeds 0.33: studies/confirmation.
    seeds: Few = setting(8, "Fresh seeds that every row is measured on.")
    race: bool = setting(
        False, "Let the subsets race on seeds of their own first, and confirm the winner alone at the same cost."
    )


@dataclass(frozen=True)
class StudyFile(Section):
    """A study: which languages to choose from, what to measure, how to search."""

    name: Name = field(
        metadata={
            "description": "Name of the study in its storage and of the folder of its results: letters, digits, dots, "
            "underscores and hyphens."
        }
    )
    pool: PoolSection = field(metadata={"description": "The languages to choose from."})
    seed: Seed = setting(0, "Seed of the search and of its first measurement.")
    targets: TargetSection = setting(TargetSection(), "The languages that scores are for.")
    model: Model = setting(Model(), "The encoder.")
    data: Data = setting(Data(), "The parallel text.")
    task: Task = setting(Task(), "What is measured.")
    realign: Realignment = setting(Realignment(), "How the encoder is realigned.")
    search: SearchSection = setting(
        SearchSection(), "Settings of the search: strategy, number of trials, fidelity, storage."
    )
    fidelity: FidelitySection = setting(FidelitySection(), "What short and merged measurements are.")
    confirm: ConfirmSection = setting(ConfirmSection(), "How much is confirmed.")


def check(form: type[Checked], path: Path, document: dict[str, Any]) -> Checked:
    """The document as values of this file; InputError names the file and the first key that is wrong."""
    try:
        return _reader(form).validate_python(_frozen(document))
    except ValidationError as problem:
        raise toml_file.explain_problems(form, path, problem.errors()) from None
    except RecursionError:
        raise InputError(f"{path.name} is nested too deeply", "no key of it holds more than a few levels") from None


def _reader(form: type[Checked]) -> TypeAdapter[Checked]:
    """The reader of a form. It takes a tenth of a second to make, once."""
    if form not in _readers:
        _readers[form] = TypeAdapter(form)
    return _readers[form]


def _frozen(value: Any) -> Any:
    """Lists as tuples, which is what the sections hold."""
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
