"""Choosing by the transfer model: predicted gains before anything was measured, from published results.

Limits: the shipped facts (arXiv 2511.06497) are XLM-R-base, realigned with about 390,000 sentence pairs in total
whatever the size of the subset and fine-tuned on English, on POS tagging, NER and NLI (XNLI with AfriXNLI;
AmericasNLI). Other encoders, budgets, sources and tasks may rank subsets differently; a study measures that. A task
without published results gets what all of them say together, targets without results are predicted from their
distances alone, another encoder is taken to differ from XLM-R as much as one task from another; all three have wider
intervals.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from selector.errors import InputError
from selector.languages.language import Language, Pool, parse
from selector.languages.pools import NAMED
from selector.objectives.set_function import Chosen, Index, SetFunction, Vector, chunks
from selector.problem import Problem
from selector.solvers import greedy
from selector.transfer import mixed_model, published
from selector.transfer.covariates import Affinity
from selector.transfer.pooled import PooledModel
from selector.transfer.transfer_model import COLUMNS, KERNELS, Observations, Prediction, TransferModel

__all__ = [
    "Gain",
    "Observations",
    "Prediction",
    "TaskGains",
    "TransferModel",
    "choose_by_prediction",
    "explain",
    "prior",
]

SOURCE = "eng"  # what the published models are fine-tuned on
PRETRAINED = frozenset(NAMED["xlmr-100"])
ENCODER = "xlm-roberta-base"  # whose results were published
NAMES = frozenset({ENCODER, "xlm-r", "xlmr", "xlm-r-base", "xlmr-base"})  # of that encoder, in lower case
LARGEST = 500  # languages of pool and targets together


@dataclass(frozen=True)
class Gain:
    """A predicted gain in points, with the interval in which a measurement of it is expected."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class PredictedGain:
    """Predicted gain of one task from realigning on a subset."""

    task: str
    average: Gain  # over the targets
    targets: dict[str, Gain]  # by code
    measured: frozenset[str]  # targets with published results; the others rest on distances alone


@dataclass(frozen=True)
class TaskGains:
    """Predicted gain of a subset, by task, and for a task without published results."""

    tasks: tuple[PredictedGain, ...]
    unknown: Gain  # mean over the targets


def choose_by_prediction(problem: Problem, rng: Generator) -> list[int]:
    """The k languages of `problem` with the greatest predicted mean gain over its targets, by greedy and swaps.

    Deterministic: `rng` is not used. InputError: the source is not English, or there are more languages than `LARGEST`.
    """
    if problem.source is not None and problem.source.code != SOURCE:
        raise InputError(
            f"the transfer model knows results with {SOURCE} as source, not {problem.source.code}",
            "leave out --source or choose by facility",
        )
    count = len({*problem.frame, *problem.targets})
    if count > LARGEST:
        raise InputError(
            f"the transfer model takes at most {LARGEST} languages, and pool and targets have {count}",
            "name a smaller pool, or use the strategy facility",
        )
    function = MeanGain(problem.frame, problem.targets, problem.weights, problem.task)
    return greedy.search(function, problem.k, problem.pinned, problem.free, problem.limits)


def explain(
    subset: Iterable[Language],
    targets: Sequence[Language],
    weights: NDArray[np.float64] | None = None,
    level: float = 0.90,
    encoder: str = ENCODER,
) -> TaskGains:
    """Predict the gain of each published task, and of an unknown one, from realigning on `subset`, with intervals.

    `weights` [T] of the targets are equal unless given; `level` is the probability of the intervals. For an `encoder`
    without published results the means are those of XLM-R, and to each interval is added what tasks differ by.
    InputError: there are no members or no targets.
    """
    members = tuple(sorted(set(subset)))
    if not members or not targets:
        raise InputError("nothing to predict", "name at least one language to realign on and one target")
    given = np.ones(len(targets)) if weights is None else np.asarray(weights, dtype=np.float64)
    share = given / given.sum()
    pooled = _pooled_model((*members, *targets))
    found = {task: pooled.forecast(task, members, targets, share, level) for task in published.TASKS}
    more = 0.0 if has_published_results(encoder) else pooled.half_between(found, level)
    gains = []
    for task, each in found.items():
        per_target = {x.code: _gain(m, h, more) for x, m, h in zip(targets, each.means, each.halves, strict=True)}
        measured = frozenset(x.code for x in targets if x.code in pooled.models[task].known)
        gains.append(PredictedGain(task, _gain(each.average.mean, each.average.half, more), per_target, measured))
    unknown = pooled.unknown(found, level)
    return TaskGains(tuple(gains), _gain(unknown.mean, unknown.half, more))


def has_published_results(encoder: str) -> bool:
    """True where the published results are of `encoder`, by its name, whoever hosts it (`OWNER/NAME`)."""
    return encoder.rpartition("/")[2].lower() in NAMES


def prior(task: str, languages: Iterable[Language]) -> TransferModel:
    """Model of the published `task` alone, ready for subsets and targets among `languages`."""
    return _pooled_model(languages).models[task]


class MeanGain(SetFunction):
    """Predicted gain of a task in points, averaged over targets (weighted); 0 for the empty set.

    A task without published results, or none, gets the mean over those that have, each weighted by 1 / the spread of
    its gains: in points the task that moves most would decide alone.
    """

    def __init__(
        self,
        frame: Sequence[Language],
        targets: Sequence[Language],
        weights: Vector,
        task: str | None = None,
        alone: bool = False,
    ) -> None:
        """`alone` leaves out what other tasks say of the same subset: quicker, where somebody learns from it anyway."""
        self.size = len(frame)
        self.targets = tuple(targets)
        self.weights = weights
        self.pooled = _pooled_model((*frame, *targets))
        self.shares = {task: 1.0} if task in published.TASKS else self.pooled.weights()
        self.alone = alone or task not in published.TASKS
        affinity = self.pooled.models[published.TASKS[0]].affinity  # the models share it
        self.index = affinity.index(frame)

    def value(self, chosen: Chosen) -> float:
        return float(self.values(np.array([chosen], dtype=np.intp))[0]) if len(chosen) else 0.0

    def second(self, chosen: Chosen) -> float:
        return 0.0

    def with_each(self, chosen: Chosen, among: Index | None = None) -> tuple[Vector, Vector]:
        candidates = self.everyone(among)
        values = np.full(len(candidates), self.value(chosen))
        new = np.flatnonzero(~np.isin(candidates, list(chosen)))
        for block in chunks(new):
            sets = np.tile(np.array([*chosen, 0], dtype=np.intp), (len(block), 1))
            sets[:, -1] = candidates[block]
            values[block] = self.values(sets)
        return values, np.zeros(len(candidates))

    def work(self, k: int) -> float:
        return float(k * self.size) * k * (len(self.targets) + 60) * 100  # every set anew, on all distances and tasks

    def values(self, sets: Index) -> Vector:
        """Predicted values [B] of `sets` of one size [B, k]."""
        S = np.sort(self.index[sets], axis=1)
        total = np.zeros(len(S))
        for task, share in self.shares.items():
            model = self.pooled.models[task]
            gain = model.mean(S, self.targets) if self.alone else self.pooled.mean(task, S, self.targets)
            total += share * (gain @ self.weights)
        return total


def _pooled_model(languages: Iterable[Language]) -> PooledModel:
    """The models of all published tasks over the same languages, so that indices agree."""
    everyone = set(languages)
    for task in published.TASKS:
        results = published.load_published(task)
        everyone |= {*results.targets, *(x for draws in results.lists for draw in draws for x in draw)}
    return _fit_models(tuple(sorted(everyone)))


@lru_cache(maxsize=4)
def _fit_models(languages: Pool) -> PooledModel:
    affinity = Affinity(languages, parse(SOURCE), PRETRAINED)
    scales = load_scales()
    return PooledModel(
        {
            task: TransferModel(Observations.of(published.load_published(task)), affinity, scales[task])
            for task in published.TASKS
        }
    )


@cache
def load_scales() -> dict[str, mixed_model.Scales]:
    """Scales that fit the published results best, by task; `studies/paper-subsets/scales.py` makes the file."""
    text = (resources.files("selector") / "data" / "published-scales.json").read_text(encoding="utf-8")
    return {task: scales_from(found) for task, found in json.loads(text).items() if task in published.TASKS}


def scales_from(document: dict[str, dict[str, float]]) -> mixed_model.Scales:
    """Scales from their stored form, `document` (see `scales_document`)."""
    columns = np.array([document["columns"][name] for name in COLUMNS])
    kernels = np.array([document["kernels"][name] for name in KERNELS])
    return mixed_model.Scales(columns, kernels, document["noise"]["variance"])


def scales_document(scales: mixed_model.Scales) -> dict[str, dict[str, float]]:
    """Stored form of `scales`, with four digits."""
    return {
        "columns": {name: float(f"{value:.4g}") for name, value in zip(COLUMNS, scales.columns, strict=True)},
        "kernels": {name: float(f"{value:.4g}") for name, value in zip(KERNELS, scales.kernels, strict=True)},
        "noise": {"variance": float(f"{scales.noise:.4g}")},
    }


def _gain(mean: float, half: float, more: float = 0.0) -> Gain:
    """A gain whose interval's half-width has `more` added, as independent errors add."""
    wide = np.hypot(half, more)
    return Gain(float(mean), float(mean - wide), float(mean + wide))
