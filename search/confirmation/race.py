"""A race for which of several promising subsets is confirmed: fresh seeds go to those still in the running.

The candidates are the best by expectation and the best by score. After every round the one with the lowest mean leaves
(successive rejects: Audibert, Bubeck and Munos 2010), so those that are hard to tell apart get most of the seeds. The
race looks at the development split and at seeds of its own. What is then reported of the winner comes from the test
split and from other seeds, so it is an estimate without winner's luck.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import TypeVar

from realign.score import Score
from search import terminal
from search.backends import registry as backends
from search.backends.batch import Bench, Wanted
from search.confirmation.recommend import Recommender
from search.results.confirmation import Race
from search.study.trial import Trial
from selector.languages.subset import Subset

Candidate = TypeVar("Candidate", bound=Hashable)
Measure = Callable[[Sequence[Candidate], Sequence[int]], Mapping[tuple[Candidate, int], float]]

RACING = 2_000  # the seeds of the race start this far above the study's; those of the report at 1,000


@dataclass(frozen=True)
class RaceResult:
    """The winner of a race, its candidates, and everything that was measured for it."""

    trial: Trial
    candidates: tuple[Subset, ...]
    scores: Mapping[Wanted, Score]

    @property
    def summary(self) -> Race:
        return Race(len(self.candidates), len(self.scores), tuple(subset.codes for subset in self.candidates))


@dataclass(frozen=True)
class RaceRun:
    """The race between the most promising subsets of a study, measured by `bench`."""

    recommender: Recommender
    bench: Bench

    def run(self, top: int, seeds: int) -> RaceResult:
        """The result, at the cost of confirming `top` subsets on so many seeds instead of one; says how it goes."""
        trials, evaluations = self.candidates(top), max(1, top - 1) * seeds
        racing = min(len(trials), evaluations)
        left_out = f" ({len(trials) - racing} of lower rank are left out)" if racing < len(trials) else ""
        text = f"race: {racing} candidates{left_out}, at most {evaluations} evaluations on the development split"
        terminal.remark(text)
        found = self.winner(trials, evaluations)
        terminal.remark(f"race: {found.trial.subset.key} is left and is confirmed on seeds that the race did not see")
        return found

    def candidates(self, top: int) -> list[Trial]:
        """The `top` subsets by expectation, then those of the `top` by score that are not among them."""
        by_subset: dict[Subset, Trial] = {}
        for trial in (*self.recommender.top(top), *self.recommender.best[:top]):
            by_subset.setdefault(trial.subset, trial)
        return list(by_subset.values())

    def winner(self, trials: Sequence[Trial], evaluations: int) -> RaceResult:
        """The one of the candidates `trials` that is left after at most `evaluations` evaluations.

        If there are more candidates than evaluations, only the first ones race. Their seeds are the study's plus
        `RACING`, apart from those of search and confirmation.
        """
        config = self.recommender.config
        view, every = backends.search_view(config), dict[Wanted, Score]()

        def measure(subsets: Sequence[Subset], rounds: Sequence[int]) -> Mapping[tuple[Subset, int], float]:
            seeds = {config.seed + RACING + each: each for each in rounds}
            scores = self.bench.measure("the race", view, [(subset, seed) for subset in subsets for seed in seeds])
            every.update(scores)
            return {(subset, seeds[seed]): config.value(score.per_language) for (subset, seed), score in scores.items()}

        by_subset = {trial.subset: trial for trial in trials[: max(evaluations, 1)]}
        left = last_one(list(by_subset), measure, evaluations)
        return RaceResult(by_subset[left], tuple(by_subset), every)


def last_one(rivals: Sequence[Candidate], measure: Measure[Candidate], evaluations: int) -> Candidate:
    """The one of `rivals` that is left when the lowest mean has left after each round; of equals the earlier stays.

    `measure(rivals, rounds)` gives the value of each rival in each of these rounds, and is asked for at most
    `evaluations` values in all. All who are left are measured in the same rounds, so that differences are paired.
    """
    left, known, done = list(rivals), dict[tuple[Candidate, int], float](), 0
    for until in lengths(len(rivals), evaluations):
        if until > done:
            known.update(measure(left, range(done, until)))
        means = {each: mean(known[each, number] for number in range(until)) for each in left}
        left.remove(min(reversed(left), key=means.__getitem__))
        done = until
    return left[0]


def lengths(count: int, evaluations: int) -> list[int]:
    """Seeds that each of those left has been measured on at the end of every round, `count` - 1 rounds.

    Together they cost at most `evaluations`, which must be `count` at least.
    """
    share = 0.5 + sum(1 / rank for rank in range(2, count + 1))
    return [max(1, math.ceil((evaluations - count) / (share * left))) for left in range(count, 1, -1)]
