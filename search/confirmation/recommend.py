"""What a study's measurements say when the surrogate reads them: which subset to take, and which languages matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from search.config.study_config import StudyConfig
from search.strategies.base import Past, Seen
from search.study.study import Study
from search.study.trial import Trial
from search.surrogate import importance
from search.surrogate.importance import Effect, Pair
from search.surrogate.model import Surrogate
from search.surrogate.prior_knowledge import side_of


def past_of(trials: Sequence[Trial], seeds: int, level: str) -> Past:
    """What a strategy may look at, of attempts at each position: those that failed say nothing."""
    seen = tuple(each for trial in trials for each in seen_of(trial, seeds))
    return Past(seen, tuple((trial.subset, trial.level) for trial in trials), level)


def seen_of(trial: Trial, seeds: int) -> list[Seen]:
    """What a trial measured, if it did; stopped early it is the mean of fewer seeds, or what one would have come to."""
    if trial.state not in ("complete", "pruned") or trial.value is None:
        return []
    value = trial.value if trial.expected is None else trial.expected
    return [Seen(trial.subset, value, trial.per_language, trial.level, trial.begun(seeds))]


class Reading:
    """A study as the surrogate reads it: built once, whatever is asked of it."""

    def __init__(self, config: StudyConfig, study: Study) -> None:
        self.config, self.study = config, study

    @cached_property
    def surrogate(self) -> Surrogate:
        return Surrogate(side_of(self.config))

    @cached_property
    def past(self) -> Past:
        return past_of(self.study.trials(), self.config.search.seeds, self.config.level)

    def top(self, count: int = 1) -> list[Trial]:
        """The subsets to take, best first: the highest of a Pareto front; by expectation where the surrogate searched;
        else by value. Empty before the first answer."""
        if self.config.search.objectives:
            return self.study.front()[: -count - 1 : -1]
        best = self.study.best(len(self.study.trials()))
        if self.config.search.strategy != "surrogate" or not best:
            return best[:count]
        by_subset = {trial.subset: trial for trial in reversed(best)}
        ranked = self.surrogate.recommend(self.config.space, self.past)
        return [by_subset[subset] for subset, _, _ in ranked if subset in by_subset][:count]

    def recommended(self) -> dict[str, Any] | None:
        """The subset whose true value is expected to be highest, with mean and standard deviation of that value,
        and how many runs measured it."""
        found = self.surrogate.recommend(self.config.space, self.past)
        if not found:
            return None
        subset, mean, deviation = found[0]
        runs = next(each.seeds for each in self.past.means if each.subset == subset)
        return {"languages": list(subset.codes), "mean": mean, "std": deviation, "runs": runs}

    def effects(self) -> tuple[list[Effect], list[Pair]]:
        """Which languages and pairs matter, whatever strategy measured; empty after too few trials."""
        return importance.explained(self.config.space, self.surrogate, self.past)


def document(single: Sequence[Effect], pairs: Sequence[Pair]) -> dict[str, Any]:
    """As `status --explain --json` has it."""
    languages = [
        {"language": each.code, "effect": each.effect, "ci90": [each.low, each.high], "share_best": each.share_top}
        for each in single
    ]
    both = [{"languages": list(each.codes), "effect": each.effect, "ci90": [each.low, each.high]} for each in pairs]
    return {"languages": languages, "pairs": both}


def rows(found: Mapping[str, Any]) -> list[list[str]]:
    """The same as lines of a table: who, the effect in points, its interval."""
    single = [([each["language"]], each) for each in found["languages"]]
    both = [(each["languages"], each) for each in found["pairs"]]
    return [
        [
            " + ".join(codes),
            f"{100 * each['effect']:+.2f}",
            "{:+.2f} to {:+.2f}".format(*(100 * x for x in each["ci90"])),
        ]
        for codes, each in (*single, *both)
    ]
