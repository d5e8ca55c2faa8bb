"""`realingo select`, as typed, and the problem it poses: codes, files and numbers become languages and demands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from selector import strategy
from selector.distances import user_table
from selector.distances.user_table import numbers
from selector.errors import InputError
from selector.languages.language import Language, Pool, parse, parse_pool
from selector.problem import Problem, pose

PARITY = ("typdiv",)


@dataclass(frozen=True)
class Request:
    """Every option; None and "" where it was left out."""

    pool: str
    k: int | None = None
    strategy: str = "facility"
    metric: str = "syntactic"
    source: str = "eng"
    include: str = ""
    exclude: str = ""
    targets: str | None = None
    weights: Path | None = None
    transfer: Path | None = None
    costs: Path | None = None
    budget: float | None = None
    quotas: Sequence[str] = ()
    table: Path | None = None
    least_observed: float | None = None
    radius: float | None = None
    count_source: bool | None = None
    task: str | None = None
    encoder: str | None = None
    subset: str | None = None
    seed: int = 0
    seconds: float = 20.0  # of an exact strategy
    parity: str | None = None

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Request:
        """The request of the options of the command line, by their names there; others than these are left out."""
        given: dict[str, Any] = {name: value for name, value in options.items() if name in cls.__dataclass_fields__}
        return cls(**given, quotas=tuple(cast("list[str] | None", options["quota"]) or ()))

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError(f"the seed is {self.seed}, below zero", "give a seed of 0 or more")
        if not 0 < self.seconds < float("inf"):
            raise InputError(f"--seconds is {self.seconds:g}", "give a positive number of seconds")
        if self.parity not in (None, *PARITY):
            raise InputError(f"unknown parity '{self.parity}'", f"parity is kept with {', '.join(PARITY)}")


USES = {  # option → the objectives that look at it
    "--targets": ("facility", "k-center", "coverage", "nearest", "predicted"),
    "--weights": ("facility", "k-center", "coverage", "nearest", "predicted"),
    "--transfer": ("facility", "k-center", "coverage", "nearest"),
    "--radius": ("coverage",),
}


def unused_options(request: Request) -> list[str]:
    """The options given that change nothing of what the strategy chooses."""
    objective = strategy.find(request.strategy).objective
    return [
        name
        for name, objectives in USES.items()
        if getattr(request, name.removeprefix("--")) is not None and objective not in objectives
    ]


def problem(request: Request, everyone: bool = False) -> Problem:
    """The problem a request poses. Without k: all of the pool if `everyone`, else an InputError."""
    frame, source = parse_pool(request.pool), parse(request.source)
    include, exclude = listed(request.include), listed(request.exclude)
    k = request.k
    if k is None:
        if not everyone:
            raise InputError("-k is missing", "say how many languages to choose, for example -k 10")
        k = len({*frame} - {*exclude, source})
    return pose(
        frame,
        k,
        request.metric,
        source,
        include=include,
        exclude=exclude,
        targets=None if request.targets is None else parse_pool(request.targets),
        weights=None if request.weights is None else numbers(request.weights, "weight"),
        transfer=None if request.transfer is None else str(request.transfer),
        costs=None if request.costs is None else numbers(request.costs, "cost"),
        budget=request.budget,
        quotas=request.quotas,
        columns=None if request.table is None else user_table.read(str(request.table)),
        least_observed=request.least_observed,
        radius=request.radius,
        count_source=request.count_source,
        task=request.task,
    )


def pose_fixed_subset(request: Request) -> tuple[Problem, list[int]]:
    """The problem whose only answer is the subset that the request names, and that subset."""
    asked = listed(request.subset or "")
    barred = {
        "-k": request.k,
        "--include": request.include,
        "--exclude": request.exclude,
        "--budget": request.budget,
        "--quota": request.quotas,
        "--least-observed": request.least_observed,
        "--parity": request.parity,
    }
    if clash := [name for name, value in barred.items() if value not in (None, "", (), [])]:
        raise InputError(f"{clash[0]} has no meaning with --subset", "--subset measures the languages it names")
    if not asked:
        raise InputError("the subset is empty", "name at least one language, for example --subset deu,tur")
    _inside(asked, parse_pool(request.pool), parse(request.source))
    posed = problem(replace(request, k=len(set(asked)), include=",".join(each.code for each in asked)))
    return posed, list(posed.pinned)


def _inside(asked: Sequence[Language], frame: Pool, source: Language) -> None:
    outside = [each.code for each in asked if each not in frame or each == source]
    if outside:
        raise InputError(
            f"the subset names {', '.join(outside[:5])}, which is the source or not in the pool",
            "every language of --subset must be in --pool and none the source",
        )


def listed(codes: str) -> list[Language]:
    """Languages of a comma-separated list."""
    return [parse(code) for code in codes.split(",") if code.strip()]
