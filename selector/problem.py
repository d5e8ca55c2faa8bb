"""A checked problem: the frame, how many languages to choose, for which targets, within which limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from selector import constraints
from selector import targets as targeting
from selector.distances.distance import Distances, distances
from selector.errors import InputError, quantity
from selector.languages.language import Language, Pool
from selector.solvers.feasible import complete
from selector.solvers.limits import Limits

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


class Demands(TypedDict, total=False):
    """Arguments of `pose` besides metric and source; every one may be left out or None."""

    include: Iterable[Language] | None  # must be chosen
    exclude: Iterable[Language] | None  # must not be chosen
    targets: Iterable[Language] | None  # whom the chosen serve, inside the pool or not; default: the pool
    weights: Mapping[Language, float] | None  # of the targets; default: equal
    transfer: str | None  # a file of measured transfer, donors × targets, in place of the metric towards targets
    costs: Mapping[Language, float] | None
    budget: float | None  # the chosen cost no more, in the unit of the costs
    quotas: Iterable[str] | None  # "family=2": at most two of any family; "script:Latn=2": of that one
    columns: constraints.LabelColumns | None  # a user's table, whose columns quotas may name
    least_observed: (
        float | None
    )  # languages with a smaller share of observed features are no candidates, unless included
    radius: float | None  # what "covers" means; default: `dominating.usual_radius`
    count_source: bool | None  # the source counts as already chosen; default: `Problem.counts_source`
    task: str | None  # what the transfer model predicts for; default: any task


class Options(Demands, total=False):
    """Keyword arguments of `strategy.choose`."""

    metric: str
    source: Language | None
    seed: int


@dataclass(frozen=True)
class Problem:
    """Choose k of the n languages of the frame for m targets; indices into the frame everywhere."""

    frame: Pool  # [n], sorted by code; the source is not in it
    k: int
    metric: str
    distances: Distances  # of the frame
    to_source: Vector | None  # [n]
    source: Language | None
    pinned: tuple[int, ...]  # must be chosen
    free: tuple[int, ...]  # may be chosen besides; languages of unknown place only where the others do not suffice
    targets: Pool  # [m], sorted by code; the source is not in it
    weights: Vector  # [m], not negative, sum 1
    to_targets: Matrix  # [m, n], how far each candidate is from each target; the transpose is contiguous
    source_to_targets: Vector | None  # [m]; None where there is no source or no transfer from it was measured
    aimed: bool  # targets were named; otherwise they are the frame
    limits: Limits  # over the frame
    costs: Vector | None  # [n]
    radius: float | None
    count_source: bool | None
    task: str | None = None

    @property
    def has_one_answer(self) -> bool:
        """True if only one set can be chosen."""
        return self.k in (len(self.pinned), len(self.pinned) + len(self.free))

    def counts_source(self, usually: bool) -> bool:
        """True if the source counts as already chosen: as the user asked, else `usually`, the objective's default."""
        return self.source is not None and (usually if self.count_source is None else self.count_source)

    def cost(self, chosen: Iterable[int]) -> float | None:
        """Total cost of the set `chosen`; None without costs."""
        return None if self.costs is None else float(self.costs[list(chosen)].sum())


def pose(
    pool: Iterable[Language],
    k: int,
    metric: str = "syntactic",
    source: Language | None = None,
    **asked: Unpack[Demands],
) -> Problem:
    """Check what a user asks for, and return it as a problem: choose `k` languages of `pool`.

    `metric` gives the distances. `source` is never a candidate, even where the pool names it. InputError: the pool is
    empty, `k` is impossible, included or excluded languages contradict pool, source or `k`, or no `k` languages can
    keep the targets, weights, costs and quotas.
    """
    frame = tuple(sorted({language for language in pool if language != source}))
    pinned, excluded = set(asked.get("include") or ()), set(asked.get("exclude") or ())
    _check(frame, k, source, pinned, excluded)
    radius = constraints.check_radius(asked.get("radius"))
    costs = constraints.costs(frame, asked.get("costs"))
    quotas = constraints.quotas(frame, asked.get("quotas") or (), asked.get("columns"))
    limits = constraints.limits(frame, costs, asked.get("budget"), quotas)
    aim = targeting.resolve_targets(frame, source, asked.get("targets"), asked.get("weights"), asked.get("transfer"))
    everyone = (*frame, *aim.outside, *((source,) if source is not None else ()))
    measured = distances(everyone, metric)
    n = len(frame)
    inside = Distances(measured.matrix[:n, :n], measured.observed[:n], measured.known[:n])
    far, source_far = aim.distances(everyone, measured.matrix, n, source)
    pins = tuple(i for i, language in enumerate(frame) if language in pinned)
    rest = [i for i, language in enumerate(frame) if language not in pinned | excluded]
    return Problem(
        frame=frame,
        k=k,
        metric=metric,
        distances=inside,
        to_source=measured.matrix[:n, -1] if source is not None else None,
        source=source,
        pinned=pins,
        free=_free(
            k,
            pins,
            constraints.filter_by_observed_share(rest, inside.observed, asked.get("least_observed")),
            inside,
            limits,
        ),
        targets=aim.targets,
        weights=aim.weights,
        to_targets=far,
        source_to_targets=source_far,
        aimed=aim.named,
        limits=limits,
        costs=costs,
        radius=radius,
        count_source=asked.get("count_source"),
        task=asked.get("task"),
    )


def _free(k: int, pins: tuple[int, ...], candidates: list[int], inside: Distances, limits: Limits) -> tuple[int, ...]:
    """Candidates besides the included ones; languages of unknown position only where the others do not suffice.

    InputError: all of them together do not suffice.
    """
    certain = [i for i in candidates if inside.known[i]]
    if complete(pins, k, certain, limits) is not None:
        return tuple(certain)
    if len(pins) + len(candidates) < k:
        able = quantity(len(pins) + len(candidates), "language")
        raise InputError(
            f"k is {k}, but the features of only {able} are observed well enough", "lower --least-observed or k"
        )
    if complete(pins, k, candidates, limits) is None:
        raise constraints.infeasibility_error(k, pins, candidates, limits)
    return tuple(candidates)


def _check(frame: Pool, k: int, source: Language | None, pinned: set[Language], excluded: set[Language]) -> None:
    if not frame:
        raise InputError("the pool is empty", "name at least one language besides the source")
    if k < 1:
        raise InputError(f"k is {k}, but at least one language must be chosen", f"give -k from 1 to {len(frame)}")
    if source in pinned:
        raise InputError(f"{_codes({source})} is the source and cannot be chosen", "leave the source out of --include")
    for name, given in (("include", pinned), ("exclude", excluded)):
        if not given <= set(frame) | {source}:
            outside = _codes(given - set(frame) - {source})
            raise InputError(f"{name} names {outside}, not in the pool", f"add it to the pool or drop it from --{name}")
    if pinned & excluded:
        raise InputError(f"{_codes(pinned & excluded)} is both included and excluded", "drop it from one of the two")
    if len(pinned) > k:
        raise InputError(
            f"{len(pinned)} languages are included but k is {k}", f"raise k to {len(pinned)} or include fewer"
        )
    if k > len(set(frame) - excluded):
        left = len(set(frame) - excluded)
        raise InputError(
            f"k is {k}, but only {quantity(left, 'language')} can be chosen", f"lower k to {left} or widen the pool"
        )


def _codes(languages: Iterable[Language | None]) -> str:
    return ", ".join(sorted(language.code for language in languages if language is not None))
