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

from realign.evaluators.own import code_of, name_of
from realign.score import Score, SourceScore, mean_source_score
from search import terminal
from search.backends import registry as backends
from search.backends.batch import Bench, Wanted
from search.config.study_config import StudyConfig
from search.confirmation import confirm_file, race, recommend
from search.confirmation.comparison import Row, method, table
from search.confirmation.price import effort_of
from search.effort import fidelities
from search.interrupts import Interrupts
from search.planner import model_free_subset
from search.results.confirmation import Confirmation, ConfirmedRow, Luck
from search.results.convergence import convergence_remark
from search.study.provenance import versions
from search.study.study import Study, open_study
from search.study.trial import Trial
from selector.errors import InputError, whole_number
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
    study.measured_by(*((name_of(bench.own), code_of(bench.own)) if bench.own else ("",)))
    reading = recommend.Reading(config, study)
    found = reading.top(top)
    if not found:
        raise InputError(f"study '{config.name}' has no finished trial yet", "run 'realingo search STUDY.toml' first")
    bench = replace(bench, check=study.check)
    raced = race.run(config, bench, reading, top, count) if config.confirm.race else None
    found = found if raced is None else [raced.trial]
    fresh = [config.seed + FRESH + i for i in range(count)]
    rows = _rows(config, study, found, count)
    terminal.remark(_price(config, study, rows, count, bench.workers))
    scores = _measure(config, bench, rows, fresh, found[0].subset)
    again = bench.measure("winner's luck", backends.search_view(config), [(found[0].subset, seed) for seed in fresh])
    confirmation = replace(
        _confirmation(config, fresh, _luck(config, found[0], again), table(config, rows, scores)),
        source_score=_source_score(config, scores),
        race=None if raced is None else raced.summary,
        effort=effort_of(config, bench, [*_different(rows, fresh, scores), *again.values()], raced),
    )
    confirm_file.save(config, confirmation)
    return confirmation


def _rows(config: StudyConfig, study: Study, best: Sequence[Trial], seeds: int) -> list[Row]:
    """The found subsets, all, none, random ones of the sizes of the found, and the best choice without measuring.

    `random-k` has the size of "best", `random-3` that of others.
    """
    k = len(best[0].subset)
    found = [(f"best-{rank}" if rank > 1 else "best", trial.subset) for rank, trial in enumerate(best, start=1)]
    free = _model_free(config, study, k)
    fixed = [
        Row(name, ((subset,),) * seeds) for name, subset in (*found, ("all", Subset(config.pool)), ("none", Subset()))
    ]
    sizes = dict.fromkeys(len(subset) for _, subset in (*found, free))
    drawn = [Row("random-k" if size == k else f"random-{size}", _draws(config, size, seeds)) for size in sizes]
    return [*fixed, *drawn, Row(free[0], ((free[1],),) * seeds)]


def _draws(config: StudyConfig, k: int, seeds: int) -> tuple[tuple[Subset, ...], ...]:
    """Random subsets of k languages, [n_seeds][replicates]: others on each seed, at least `LEAST_DRAWS` in all."""
    replicates = math.ceil(LEAST_DRAWS / seeds)
    draws = [_random(config, k, index) for index in range(seeds * replicates)]
    return tuple(tuple(draws[i * replicates : (i + 1) * replicates]) for i in range(seeds))


def _model_free(config: StudyConfig, study: Study, k: int) -> tuple[str, Subset]:
    """The subset chosen without measuring that did best in the search; max-sum where none was tried."""
    tried = [t for t in study.best(len(study.trials())) if t.origin.startswith(("warm:", "diversity:"))]
    if tried:
        return tried[0].origin.partition(":")[2], tried[0].subset
    return "max-sum", model_free_subset(config, "max-sum", k, config.seed)


def _random(config: StudyConfig, k: int, index: int) -> Subset:
    """A random subset of k languages that the study could have chosen."""
    drawn = config.space.completed(Subset(), k, default_rng([config.seed, FRESH, index]))
    assert drawn is not None  # the best subset has this size
    return drawn


def _measure(
    config: StudyConfig, bench: Bench, rows: Sequence[Row], fresh: Sequence[int], winner: Subset
) -> dict[str, list[list[Score]]]:
    """The scores of each row, [n_seeds][replicates]; the winner's on the development split are in the cache then."""
    view = backends.View(config.core, config.scope, config.scope.everyone, "test", winner)
    wanted = {row.name: row.wanted(fresh) for row in rows}
    scores = bench.measure("confirm", view, [pair for row in wanted.values() for pairs in row for pair in pairs])
    return {name: [[scores[pair] for pair in pairs] for pairs in row] for name, row in wanted.items()}


def _price(config: StudyConfig, study: Study, rows: Sequence[Row], seeds: int, workers: int) -> str:
    """What is measured and about how long that takes, judged by the study's trials at full fidelity."""
    number = sum(len({subset for row in rows for subset in row.subsets[seed]}) for seed in range(seeds))
    # fewer where two rows hold the same subset, more where few seeds need several random draws each
    works_out = "=" if number == len(rows) * seeds else "come to"
    seconds = [t.seconds / t.begun(config.search.seeds) for t in study.trials() if t.level == "full" and t.seconds > 0]
    time = f", about {_duration(number * median(seconds) / workers)}" if seconds else ""
    text = f"confirm: {len(rows)} rows × {seeds} seeds {works_out} {number} evaluations{time}"
    return f"{text}; what the cache holds is not measured again"


def _duration(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{math.ceil(seconds)} s"


def _source_score(config: StudyConfig, scores: Mapping[str, Sequence[Sequence[Score]]]) -> SourceScore | None:
    """What fine-tuning reached on the source, the mean over all rows; says so where it has not converged."""
    found = mean_source_score(score.source_score for row in scores.values() for seed in row for score in seed)
    if text := convergence_remark(found, config.core.task.length_key):
        terminal.remark(text)
    return found


def _different(
    rows: Sequence[Row], fresh: Sequence[int], scores: Mapping[str, Sequence[Sequence[Score]]]
) -> list[Score]:
    """The scores of all rows; rows that hold the same subset on the same seed have one between them."""
    every = {
        pair: score
        for row in rows
        for wanted, found in zip(row.wanted(fresh), scores[row.name], strict=True)
        for pair, score in zip(wanted, found, strict=True)
    }
    return list(every.values())


def _luck(config: StudyConfig, best: Trial, scores: Mapping[Wanted, Score]) -> Luck:
    """Winner's luck: the search value of the best less its value on fresh seeds, same sentences and languages.

    The best of many noisy values overstates itself; this is by how much, and says nothing about the split.
    """
    codes = [language.code for language in config.tune]
    means = {code: sum(score.per_language[code] for score in scores.values()) / len(scores) for code in codes}
    again = config.value(means)
    value = best.value or 0.0
    return Luck(value, again, value - again, LUCK)


def _confirmation(
    config: StudyConfig, fresh: Sequence[int], luck: Luck, rows: tuple[ConfirmedRow, ...]
) -> Confirmation:
    return Confirmation(
        study=config.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        objective=config.search.score,
        targets=tuple(language.code for language in config.tune),
        held_out=tuple(language.code for language in config.held_out),
        split="test",
        task=config.core.task.kind,
        metric=config.core.task.metric,
        seeds=tuple(fresh),
        fidelity=fidelities.full(config).facts,
        versions=versions(),
        method=method(len(fresh)),
        luck=luck,
        rows=rows,
    )
