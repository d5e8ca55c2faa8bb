"""Several tasks as one: what other tasks expect of a subset corrects what a task's own results say, where that helps.

Notations
    t, u     tasks;  S  a subset
    g_t(S)   mean gain that the model of task t alone expects, over the targets with results
    c_t, s_t mean and standard deviation of that gain over the measured lists
    z_t(S)   (g_t(S) - c_t) / s_t: how good a subset is by task t, in no unit
    ρ_t      how much task t takes from the others, 0 to `MOST`

    corrected gain of target x = own gain + r_x ρ_t s_t (mean_{u ≠ t} z_u(S) - z_t(S))

with r_x the response of x. ρ_t is the least-squares fit to the measured lists, each predicted without itself by every
task; 0 for a task that the others tell nothing new about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from selector.languages.language import Language
from selector.transfer.left_out import LeaveOneOutErrors
from selector.transfer.transfer_model import Index, TransferModel

Array = NDArray[np.float64]

MOST = 0.5  # of the others: more than half would be another task's prediction


@dataclass(frozen=True)
class GainInterval:
    """A predicted gain in points: its mean and half the width of its interval."""

    mean: float
    half: float


@dataclass(frozen=True)
class Forecast:
    """Predicted gain of one task: a weighted mean over targets, and each target by itself [T]."""

    average: GainInterval
    means: Array
    halves: Array


@dataclass(frozen=True)
class _Level:
    """A task's lists in no unit: centre and spread of their gains, and z of each, predicted without it [H]."""

    centre: float
    spread: float
    expected: Array
    actual: Array

    @classmethod
    def of(cls, gain: Array, error: Array) -> _Level:
        """Level from the measured gains `gain` [H, T], NaN where nothing was measured, and the errors `error` [H, T] of
        predicting them.
        """
        actual = np.nanmean(gain, axis=1)
        expected = np.nanmean(gain - error, axis=1)
        centre, spread = float(actual.mean()), float(actual.std(ddof=1)) if len(actual) > 1 else 0.0
        spread = spread or 1.0
        return cls(centre, spread, (expected - centre) / spread, (actual - centre) / spread)


class PooledModel:
    """Models of one or more tasks over the same languages."""

    def __init__(self, models: Mapping[str, TransferModel]) -> None:
        """The tasks are compared on the lists that are one subset and that all of them have measured."""
        self.models = dict(models)
        shared = sorted(set.intersection(*({*model.single} for model in models.values())))
        self.levels: dict[str, _Level] = {}
        alone: dict[str, LeaveOneOutErrors] = {}
        for task, model in models.items():
            place = {members: at for at, members in enumerate(model.single)}
            alone[task] = model.leave_one_out_errors.only([place[members] for members in shared])
            gain = model.gain[:, [model.single[members] for members in shared]].T  # (H, T)
            self.levels[task] = _Level.of(gain, alone[task].error)
        self.share = {task: self._share(task) for task in models}
        self.errors = {task: self._correct(task, alone[task]) for task in models}

    def mean(self, task: str, S: Index, targets: Sequence[Language]) -> Array:
        """Corrected gains [B, T] of subsets `S` [B, k], which have equal size, on `targets` [T], for `task`."""
        model = self.models[task]
        own = model.mean(S, targets)
        return own if not self.share[task] else own + np.outer(self._shift(task, S), model.trait.of(targets))

    def weights(self) -> dict[str, float]:
        """Weight of each task in the answer for an unknown one, less where gains vary more. They sum to 1."""
        inverse = {task: 1.0 / level.spread for task, level in self.levels.items()}
        return {task: value / sum(inverse.values()) for task, value in inverse.items()}

    def forecast(
        self, task: str, subset: Sequence[Language], targets: Sequence[Language], weights: Array, level: float
    ) -> Forecast:
        """Corrected gains of one task with intervals that hold `level` of what is measured. `weights` [T] sum to 1."""
        model = self.models[task]
        members = tuple(sorted(subset))
        found = model.predict([(members,)], targets)
        means = found.mean[0]
        if self.share[task]:
            means = means + self._shift(task, model.affinity.index(members)[None])[0] * model.trait.of(targets)
        covariance, errors = found.covariance[0], self.errors[task]
        reach = errors.reach(level, self._over_measured(model, targets, weights))
        average = GainInterval(float(means @ weights), reach * float(weights @ covariance @ weights) ** 0.5)
        return Forecast(average, means, errors.reach_each(level) * np.sqrt(np.diag(covariance)))

    def unknown(self, forecasts: Mapping[str, Forecast], level: float) -> GainInterval:
        """Average gain to expect of a task without results, from `forecasts` of the known ones, which are draws from
        all tasks.

        Its interval (probability `level`) is Student's for one more task, to which the tasks' own uncertainty is added.
        """
        weights = self.weights()
        mean = sum(weights[task] * each.average.mean for task, each in forecasts.items())
        within = sum(weights[task] * each.average.half**2 for task, each in forecasts.items())
        return GainInterval(float(mean), float(np.hypot(self.half_between(forecasts, level), within**0.5)))

    def half_between(self, forecasts: Mapping[str, Forecast], level: float) -> float:
        """Half the width, in points, of Student's interval for one more task from what the `forecasts` differ by."""
        weights, count = self.weights(), len(forecasts)
        mean = sum(weights[task] * each.average.mean for task, each in forecasts.items())
        between = sum((each.average.mean - mean) ** 2 for each in forecasts.values()) / max(1, count - 1)
        wide = float(stdtrit(max(1, count - 1), (1.0 + level) / 2.0))
        return float(wide * (between * (1.0 + 1.0 / count)) ** 0.5)

    def _shift(self, task: str, S: Index) -> Array:
        """Correction [B] that the other tasks make to the gain of a target of average response."""
        z = {each: (model.general(S) - self.levels[each].centre) / self.levels[each].spread
             for each, model in self.models.items()}  # fmt: skip
        return np.asarray(self._step(task, z) * self.share[task] * self.levels[task].spread)

    def _step(self, task: str, z: Mapping[str, Array]) -> Array:
        others = [z[each] for each in self.models if each != task]
        return np.asarray(np.mean(others, axis=0) - z[task])

    def _share(self, task: str) -> float:
        """ρ_t by least squares over the lists; 0 for a single task or fewer than three lists."""
        level = self.levels[task]
        if len(self.models) < 2 or len(level.actual) < 3:
            return 0.0
        step = self._step(task, {each: found.expected for each, found in self.levels.items()})
        return float(np.clip((level.actual - level.expected) @ step / (step @ step), 0.0, MOST))

    def _correct(self, task: str, alone: LeaveOneOutErrors) -> LeaveOneOutErrors:
        if not self.share[task]:
            return alone
        model, level = self.models[task], self.levels[task]
        step = self._step(task, {each: found.expected for each, found in self.levels.items()})
        return alone.without(np.outer(step * self.share[task] * level.spread, model.response))

    @staticmethod
    def _over_measured(model: TransferModel, targets: Sequence[Language], weights: Array) -> Array:
        """The weights of the targets that were measured, in the model's order; equal ones where none was."""
        found = np.zeros(len(model.known))
        for language, weight in zip(targets, weights, strict=True):
            if language.code in model.known:
                found[model.known[language.code]] = weight
        return found / found.sum() if found.sum() > 0 else np.full(len(found), 1.0 / len(found))
