"""Recommendations from a study's measurements: which subset to take, and which languages matter."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from numpy.random import default_rng

from search.results.effects import Explanation
from search.results.trials import Recommendation
from search.strategies.proposer import MeasuredSubset, Past
from search.study.next_command import study_command
from search.study.study import Study
from search.study.trial import Trial
from search.surrogate import importance
from search.surrogate.prior_knowledge import prior_of
from search.surrogate.surrogate import Surrogate
from selector.errors import InputError, quantity
from selector.languages.subset import Subset


def past_of(trials: Sequence[Trial], seeds: int, level: str) -> Past:
    """The past at `level` that a strategy may look at, from the latest attempt at each position, `trials`.

    A trial counts as `seeds` runs, or as fewer if it was stopped early. Those that failed count as begun, without a
    value.
    """
    seen = tuple(each for trial in trials for each in observations_of(trial, seeds))
    return Past(seen, tuple((trial.subset, trial.level) for trial in trials), level)


def observations_of(trial: Trial, seeds: int) -> list[MeasuredSubset]:
    """The measurement of `trial`, of `seeds` runs, or none if it failed or still runs.

    Stopped early, it is the mean of fewer runs, or what its first run would have come to.
    """
    if trial.state not in ("complete", "pruned") or trial.value is None:
        return []
    value = trial.value if trial.expected is None else trial.expected
    return [MeasuredSubset(trial.subset, value, trial.per_language, trial.level, trial.runs_begun(seeds))]


class Recommender:
    """Ranks the subsets of a study, with the surrogate where that searched. The study is read once."""

    def __init__(self, study: Study) -> None:
        self.config, self.study = study.config, study

    @cached_property
    def surrogate(self) -> Surrogate:
        return Surrogate(prior_of(self.config))

    @cached_property
    def past(self) -> Past:
        return past_of(self.study.trials(), self.config.search.seeds, self.config.level)

    @cached_property
    def best(self) -> list[Trial]:
        """The finished trials that count, one for each subset, the highest score first."""
        return self.study.best(len(self.study.trials()))

    @cached_property
    def finished(self) -> list[Trial]:
        """The trials that are complete, whether they count or not."""
        return [trial for trial in self.study.trials() if trial.state == "complete"]

    @cached_property
    def forbidden(self) -> int:
        """The number of finished trials whose subset the study file does not allow by now."""
        return sum(not self.config.space.allows(trial.subset) for trial in self.finished)

    @property
    def all_forbidden(self) -> bool:
        """True if trials have finished, and the study file allows the subset of none of them by now."""
        return 0 < len(self.finished) == self.forbidden

    def check_any(self) -> None:
        """InputError without a subset to take: no trial has finished, or the study file allows none of those."""
        if self.best:
            return
        name, search = self.config.name, study_command(self.config, "search")
        if self.all_forbidden:
            finished = f"the {quantity(self.forbidden, 'finished trial')} of study '{name}'"
            hint = f"undo the change of the study file, or run '{search}' again: it measures what is allowed now"
            raise InputError(f"the study file allows the subset of none of {finished}", hint)
        raise InputError(f"study '{name}' has no finished trial yet", f"run '{search}' first")

    @cached_property
    def _ranking(self) -> list[tuple[Subset, float, float]]:
        """The measured subsets by expectation, with mean and standard deviation: one fit, however often it is asked."""
        return self.surrogate.recommend(self.config.space, self.past)

    def top(self, count: int = 1) -> list[Trial]:
        """The `count` subsets to take, best first; empty before the first answer.

        They are the highest of a Pareto front, by expectation where the surrogate searched, else by value.
        """
        if self.config.search.objectives:
            return self.study.front()[: -count - 1 : -1]
        if self.config.search.strategy != "surrogate" or not self.best:
            return self.best[:count]
        by_subset = {trial.subset: trial for trial in reversed(self.best)}
        return [by_subset[subset] for subset, _, _ in self._ranking if subset in by_subset][:count]

    def recommendation(self) -> Recommendation | None:
        """The subset whose true value is expected to be highest, with mean and standard deviation of that value,
        and how many runs measured it."""
        if not self._ranking:
            return None
        subset, mean, deviation = self._ranking[0]
        runs = next(each.seeds for each in self.past.means if each.subset == subset)
        return Recommendation(subset.codes, mean, deviation, runs)

    def improvement(self) -> float | None:
        """The expected gain of one more trial over the best expected score, by the surrogate, whoever searched.

        In [0, 1]. None where it cannot be computed: two objectives, too few trials, no model, nothing left to measure.
        """
        if self.config.search.objectives or len(self.past.here) < importance.LEAST_TRIALS:
            return None
        rng = default_rng([self.config.seed, 0])
        return self.surrogate.expected_improvement(self.config.space, self.past, rng)

    def effects(self) -> Explanation:
        """The languages and pairs that matter, whatever strategy measured; empty after too few trials."""
        single, pairs = importance.explain(self.config.space, self.surrogate, self.past)
        return Explanation(tuple(single), tuple(pairs))
