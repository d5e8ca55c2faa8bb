"""What a study file may say: its sections, each checked as far as one section can be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError, field_validator, model_validator

from realign.score import Merging
from search import objective
from search.config import toml_file
from search.config.core_schema import Count, DataSection, ModelSection, RealignSection, Section, Seed, TaskSection
from selector.errors import InputError

Checked = TypeVar("Checked", bound=Section)

STRATEGIES = (
    "surrogate",
    "random",
    "swap",
    "greedy",
    "backward",
    "genetic",
    "tpe",
    "gp",
    "nsga2",
    "exhaustive",
    "diversity:<select strategy>",
)

OWN_STRATEGIES: set[str] = set()  # names that a caller from Python has registered, see `search.planner`

Share = Annotated[float, Field(gt=0, le=1)]


class PoolSection(Section):
    languages: str | tuple[str, ...]
    source: str = "eng"
    k: int | tuple[int, int] | None = None  # with a budget it may be left out: any size
    include: tuple[str, ...] = ()  # in every subset
    exclude: tuple[str, ...] = ()  # in no subset; still a target where the pool is
    quota: tuple[str, ...] = ()  # "family=2", "script:Latn=3": at most so many of a group
    costs: str = ""  # CSV of code and cost; where it is left out every language costs 1
    budget: Annotated[float, Field(ge=0)] | None = None  # in the unit of the costs


class TargetSection(Section):
    tune: str | tuple[str, ...] = "pool"  # languages whose development split the search may see
    held_out: str | tuple[str, ...] = ()  # only `confirm` and `report` see these
    weights: str = ""  # CSV of code and weight in the objective "mean"; languages left out weigh 1


class SearchSection(Section):
    strategy: str = "surrogate"
    objective: str = "mean"
    objectives: tuple[str, ...] = ()  # ("mean", "cost"): a Pareto front, score up and cost down
    trials: Count = 40
    fidelity: Literal["full", "short", "merge", "ladder"] = "full"  # of the trials; what is confirmed is always full
    storage: str = ""  # empty: sqlite:///<name>.db beside the study file
    metric: str = "syntactic"  # of the warm start and of diversity:<strategy>
    warm_start: bool = True
    seeds: Annotated[int, Field(ge=1, le=100)] = 1  # averaged in each trial
    repeats: Literal["never", "auto"] | Annotated[int, Field(ge=2, le=10)] = "never"  # of a subset, on further seeds
    pruner: Literal["none", "median"] = "none"  # median: stop a trial that falls behind the others
    time_limit: Annotated[float, Field(gt=0)] | None = None  # seconds of a trial, after which it counts as failed
    take_over: bool = False  # trials left running by another host are dead: try them again

    @field_validator("strategy")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in (*STRATEGIES[:-1], *OWN_STRATEGIES) and not re.fullmatch(r"diversity:[a-z-]+", name):
            raise ValueError(f"unknown strategy '{name}'; known: {', '.join((*STRATEGIES, *sorted(OWN_STRATEGIES)))}")
        return name

    @field_validator("objective")
    @classmethod
    def _measurable(cls, name: str) -> str:
        return objective.checked(name)

    @field_validator("objectives")
    @classmethod
    def _front(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if names and (len(names) != 2 or names[1] != "cost"):
            raise ValueError('objectives are a score and the cost, such as ["mean", "cost"]')
        return (objective.checked(names[0]), "cost") if names else ()

    @model_validator(mode="after")
    def _compares_scores_alone(self) -> SearchSection:
        if self.pruner != "none" and self.objectives:
            raise ValueError("pruner compares scores, and with objectives a poor one may be cheap: leave it out")
        return self

    @model_validator(mode="after")
    def _repeats_what_the_surrogate_chose(self) -> SearchSection:
        if self.repeats != "never" and (self.strategy != "surrogate" or self.objectives):
            raise ValueError("repeats are for strategy = 'surrogate' and one objective: leave them out")
        return self

    @property
    def score(self) -> str:
        """The objective that is maximized."""
        return self.objectives[0] if self.objectives else self.objective


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
    # Over 12 comparisons (4 rows, 3 baselines) Holm's first step finds a difference of twice the standard deviation
    # between paired seeds with probability 0.86; with 7 seeds 0.73, with 5 seeds 0.33: studies/confirmation.
    seeds: Annotated[int, Field(ge=1, le=100)] = 8


class StudyFile(Section):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    seed: Seed = 0
    pool: PoolSection
    targets: TargetSection = TargetSection()
    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    task: TaskSection = TaskSection()
    realign: RealignSection = RealignSection()
    search: SearchSection = SearchSection()
    fidelity: FidelitySection = FidelitySection()
    confirm: ConfirmSection = ConfirmSection()


def check(form: type[Checked], path: Path, document: dict[str, Any]) -> Checked:
    """The document as values of this file; InputError names the file and the first key that is wrong."""
    try:
        return form.model_validate(_frozen(document))
    except ValidationError as problem:
        raise toml_file.explained(form, path, problem.errors()) from None
    except RecursionError:
        raise InputError(f"{path.name} is nested too deeply", "no key of it holds more than a few levels") from None


def _frozen(value: Any) -> Any:
    """Lists as tuples, which is what the sections hold."""
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
