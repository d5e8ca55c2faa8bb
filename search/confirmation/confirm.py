"""Is it true? The best subsets and the baselines again, on seeds, splits and languages the search never saw.

Every row is measured on the same fresh seeds and the same test sentences, so rows are compared pairwise. `mean` is the
macro-average over the tuning targets; `held_out` over the languages kept from the search.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from statistics import median

from numpy.random import default_rng

from realign.evaluators.own import code_signature, name_of
from realign.score import Score, SourceScore, mean_source_score
from search import terminal
from search.backends import registry as backends
from search.backends.batch import Bench, Wanted
from search.config.study_config import StudyConfig
from search.confirmation.comparison import Row, RowComparison, codes_of, method
from search.confirmation.confirm_file import ConfirmationFile
from search.confirmation.price import effort_of
from search.confirmation.race import RaceResult, RaceRun
from search.confirmation.recommend import Recommender
from search.effort.fidelities import Fidelities
from search.interrupts import Interrupts
from search.planner import StudyPlanner
from search.results.confirmation import Confirmation, Luck
from search.results.convergence import convergence_remark
from search.results.words import duration
from search.study.provenance import basis, versions
from search.study.study import open_study
from search.study.trial import Trial
from selector.errors import InputError, quantity, whole_number
from selector.languages.subset import Subset

FRESH = 1_000  # fresh seeds start this far above the study's; the search uses at most 100
LEAST_DRAWS = 5  # random subsets
LUCK = (
    "the search's value of the best subset less the same subset's value on the fresh seeds: same development "
    "sentences, same languages, same objective, so what differs is the seeds and that it was chosen for its value"
)


def confirm(
    config: StudyConfig,
    top: int | None = None,
    seeds: int | None = None,
    workers: int = 1,
    backend: str = "inline",
    address: str = "",
) -> Confirmation:
    """Measure the rows, write `<folder>/confirm.json` whole, and return it.

    `top` subsets of the search and `seeds` fresh seeds (default: the study file's). The number of workers changes no
    digit. Every evaluation is cached, so an interrupted confirmation goes on where it was. `luck` is the winner's luck:
    the search's value of the best subset less its value on the fresh seeds, both on the development split and the
    tuning targets. InputError without a finished trial; RunError if a row fails.
    """
    with terminal.progress() as advance, Interrupts() as interrupts:
        return confirm_on(Bench(backend, workers, advance, interrupts, address), config, top, seeds)


def confirm_on(bench: Bench, config: StudyConfig, top: int | None = None, seeds: int | None = None) -> Confirmation:
    """The same where and for whom `bench` says."""
    backends.Place(bench.backend, bench.workers, bench.address)
    top = config.confirm.top if top is None else top
    count = config.confirm.seeds if seeds is None else seeds
    for name, number in (("--top", top), ("--seeds", count)):
        whole_number(name, number)
        if not 1 <= number <= 100:
            raise InputError(f"{name} {number} is out of range", "take a number from 1 to 100")
    study = open_study(config, create=False)
    study.require_evaluator(*((name_of(bench.own), code_signature(bench.own)) if bench.own else ("",)))
    recommender = Recommender(study)
    recommender.check_any()
    found = recommender.top(top)
    if len(found) < top:
        terminal.remark(f"{quantity(len(found), 'subset')} of the search to confirm, not {top}: there are no more")
    file = ConfirmationFile(study)
    file.check_writable()
    file.announce_replacement()
    bench = replace(bench, check=study.check)
    raced = RaceRun(recommender, bench).run(top, count) if config.confirm.race else None
    found = found if raced is None else [raced.trial]
    confirmation = ConfirmationRun(recommender, bench, count).confirm(found, raced)
    file.save(confirmation)
    return confirmation


class ConfirmationRun:
    """One confirmation of a study, on fresh seeds."""

    def __init__(self, recommender: Recommender, bench: Bench, seeds: int) -> None:
        """`bench` measures; `seeds` is the number of fresh seeds."""
        self.config, self.study, self.bench = recommender.config, recommender.study, bench
        self.best = recommender.best
        self.seeds = [self.config.seed + FRESH + i for i in range(seeds)]

    def confirm(self, found: Sequence[Trial], raced: RaceResult | None = None) -> Confirmation:
        """Measure the subsets of `found`, best first, and what they are compared with. RunError if a row fails.

        `raced` is the race that chose them, if there was one.
        """
        config = self.config
        rows = self._rows(found)
        terminal.remark(self._price(rows))
        scores = self._measure(rows, found[0].subset)
        again = self._measure_on_dev(found[0].subset)
        comparison = RowComparison(codes_of(config.tune), codes_of(config.held_out), config.space)
        return Confirmation(
            study=config.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            objective=config.search.score,
            targets=comparison.tune,
            held_out=comparison.held_out,
            split="test",
            task=config.core.task.kind,
            metric=config.core.task.metric,
            seeds=tuple(self.seeds),
            fidelity=Fidelities(config).full.facts,
            versions=versions(),
            method=method(len(self.seeds)),
            luck=self._luck(found[0], again),
            rows=comparison.confirmed_rows(rows, scores),
            source_score=self._source_score(scores),
            race=None if raced is None else raced.summary,
            effort=effort_of(config.core, self.bench, [*self._different(rows, scores), *again.values()], raced),
            basis=basis(config, self.study.record.attributes),
        )

    def _rows(self, found: Sequence[Trial]) -> list[Row]:
        """The found subsets, all, none, random ones of the sizes of the found, and the best choice without measuring.

        `random-k` has the size of "best", `random-3` that of others.
        """
        k = len(found[0].subset)
        named = [(f"best-{rank}" if rank > 1 else "best", trial.subset) for rank, trial in enumerate(found, start=1)]
        free = self._model_free(k)
        sizes = dict.fromkeys(len(subset) for _, subset in (*named, free))
        drawn = [Row("random-k" if size == k else f"random-{size}", self._draws(size)) for size in sizes]
        fixed = (*named, ("all", Subset(self.config.pool)), ("none", Subset()))
        return [*map(self._same_on_each_seed, fixed), *drawn, self._same_on_each_seed(free)]

    def _same_on_each_seed(self, named: tuple[str, Subset]) -> Row:
        return Row(named[0], ((named[1],),) * len(self.seeds))

    def _draws(self, k: int) -> tuple[tuple[Subset, ...], ...]:
        """Random subsets of k languages, [n_seeds][replicates]: others on each seed, at least `LEAST_DRAWS` in all."""
        seeds = len(self.seeds)
        replicates = math.ceil(LEAST_DRAWS / seeds)
        draws = [self._random(k, index) for index in range(seeds * replicates)]
        return tuple(tuple(draws[i * replicates : (i + 1) * replicates]) for i in range(seeds))

    def _random(self, k: int, index: int) -> Subset:
        """A random subset of k languages that the study could have chosen."""
        drawn = self.config.space.completed(Subset(), k, default_rng([self.config.seed, FRESH, index]))
        assert drawn is not None  # the best subset has this size
        return drawn

    def _model_free(self, k: int) -> tuple[str, Subset]:
        """The subset chosen without measuring that did best in the search; max-sum where none was tried."""
        tried = [trial for trial in self.best if trial.origin.startswith(("warm:", "diversity:"))]
        if tried:
            return tried[0].origin.partition(":")[2], tried[0].subset
        return "max-sum", StudyPlanner(self.config).model_free("max-sum", k, self.config.seed)

    def _measure(self, rows: Sequence[Row], winner: Subset) -> dict[str, list[list[Score]]]:
        """The scores of each row, [n_seeds][replicates]; caches the winner's on the development split too."""
        core, scope = self.config.core, self.config.scope
        view = backends.View(core, scope, scope.everyone, "test", winner)
        wanted = {row.name: row.pairs(self.seeds) for row in rows}
        every = [pair for row in wanted.values() for pairs in row for pair in pairs]
        scores = self.bench.measure("confirm", view, every)
        return {name: [[scores[pair] for pair in pairs] for pairs in row] for name, row in wanted.items()}

    def _price(self, rows: Sequence[Row]) -> str:
        """The number of evaluations and about how long they take, judged by the study's trials at full fidelity."""
        seeds, each = len(self.seeds), self.config.search.seeds
        number = sum(len({subset for row in rows for subset in row.subsets[seed]}) for seed in range(seeds))
        # fewer where two rows hold the same subset, more where few seeds need several random draws each
        works_out = "=" if number == len(rows) * seeds else "come to"
        seconds = [t.seconds / t.runs_begun(each) for t in self.study.trials() if t.level == "full" and t.seconds > 0]
        time = f", about {duration(number * median(seconds) / self.bench.workers)}" if seconds else ""
        text = f"confirm: {len(rows)} rows × {seeds} seeds {works_out} {number} evaluations{time}"
        return f"{text}; what the cache holds is not measured again"

    def _measure_on_dev(self, subset: Subset) -> dict[Wanted, Score]:
        """The scores of a subset as the search measures them, on every fresh seed."""
        view = backends.search_view(self.config)
        return self.bench.measure("winner's luck", view, [(subset, seed) for seed in self.seeds])

    def _different(self, rows: Sequence[Row], scores: Mapping[str, Sequence[Sequence[Score]]]) -> list[Score]:
        """The scores of all rows; rows that hold the same subset on the same seed have one between them."""
        every = {
            pair: score
            for row in rows
            for pairs, found in zip(row.pairs(self.seeds), scores[row.name], strict=True)
            for pair, score in zip(pairs, found, strict=True)
        }
        return list(every.values())

    def _luck(self, best: Trial, scores: Mapping[Wanted, Score]) -> Luck:
        """Winner's luck: the search value of the best less its value on fresh seeds, same sentences and languages.

        The best of many noisy values overstates itself; this is by how much, and says nothing about the split.
        """
        means = {
            code: sum(score.per_language[code] for score in scores.values()) / len(scores)
            for code in codes_of(self.config.tune)
        }
        again = self.config.value(means)
        value = best.value or 0.0
        return Luck(value, again, value - again, LUCK)

    def _source_score(self, scores: Mapping[str, Sequence[Sequence[Score]]]) -> SourceScore | None:
        """The source language's score after fine-tuning, the mean over all rows; warn where it has not converged."""
        found = mean_source_score(score.source_score for row in scores.values() for seed in row for score in seed)
        if text := convergence_remark(found, self.config.core.task.length_key):
            terminal.remark(text)
        return found
