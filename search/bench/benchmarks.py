"""The benchmarks behind the numbers in the README. Each measures, prints and asserts nothing; none is a timed test."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from numpy.random import default_rng

from search import terminal
from search.backends import registry as backends
from search.backends.batch import Bench
from search.bench import fidelity as bench_fidelity
from search.bench import solver_gaps as bench_select
from search.bench import strategies as bench_search
from search.bench import transfer as bench_transfer
from search.config.schema import StudyFile, check
from search.config.study_config import resolve_study
from search.confirmation.significance import student_interval
from search.interrupts import Interrupts
from search.planner import StudyPlanner
from search.results.json_reader import Json
from selector.errors import InputError
from selector.languages.language import Pool, parse
from selector.languages.pools import WORLD_HELD_OUT
from selector.languages.subset import Subset

SAME_BRANCH = ("deu", "nld", "swe", "dan")  # Germanic, as the source is
RANDOM = 30  # random subsets
WORLD: Json = {
    "name": "bench-world",
    "pool": {"languages": "world", "source": "eng", "k": 4},
    "targets": {"tune": "pool", "held_out": list(WORLD_HELD_OUT)},
    "task": {"steps": 100, "batch": 32, "lr": 1e-3, "examples": 100},
    "realign": {"loss": "word", "aligner": "gold", "steps": 100, "batch": 16, "lr": 1e-3},
}


def run(name: str, seeds: int, workers: int) -> Json:
    """The benchmark `name` as one document; InputError for a name that is not there."""
    if name not in BENCHES:
        raise InputError(f"there is no benchmark '{name}'", f"known: {', '.join(BENCHES)}")
    if not 2 <= seeds <= 100:
        raise InputError(f"--seeds {seeds} is out of range", "take a number from 2 to 100")
    backends.Place("process", workers)
    return {"bench": name, **BENCHES[name][0](seeds, workers)}


def run_table(name: str, results: str | None, subsets: str | None, codes: str | None) -> Json:
    """The benchmark `transfer` on a user's table."""
    if name != "transfer":
        raise InputError(f"the benchmark '{name}' takes no table", "tables are for the benchmark transfer")
    if results is None or subsets is None:
        raise InputError("a table needs --results and --subsets", "give both, or none for the published results")
    return {"bench": name, **bench_transfer.rows_of_table(results, subsets, codes)}


def run_search(
    table: str | None,
    problem: str | None,
    strategies: str | None,
    repetitions: int,
    batch: int,
    workers: int,
) -> Json:
    """The benchmark `search`, on a table or a synthetic problem."""
    for name, number in (("--repetitions", repetitions), ("--batch", batch)):
        if number < 1:
            raise InputError(f"{name} {number} is too few", "at least 1")
    if table and problem:
        raise InputError("a table and a problem are given", "give --table or --problem")
    backends.Place("process", workers)
    names = [name.strip() for name in strategies.split(",")] if strategies else ()
    return {"bench": "search", **bench_search.search(table, problem, names, repetitions, batch, workers)}


def world(seeds: int, workers: int) -> Json:
    """Do realignment and choice matter in the embedded world? On the development split, pool and held-out apart.

    Rows: no realignment, four languages of one branch, four diverse ones (max-sum on syntax), all. And 30 random
    subsets of four at two seeds each: how far they spread, against the noise between seeds.
    """
    config = resolve_study(Path.cwd() / "bench-world.toml", check(StudyFile, Path("bench-world.toml"), dict(WORLD)))
    named = {
        "none": Subset(),
        "same-branch": Subset.of(parse(code) for code in SAME_BRANCH),
        "diverse": StudyPlanner(config).model_free("max-sum", 4, config.seed),
        "all": Subset(config.pool),
    }
    drawn = _random_subsets(config.pool, config.seed, RANDOM)
    wanted = [(subset, seed) for subset in named.values() for seed in range(seeds)]
    wanted += [(subset, seed) for subset in drawn for seed in range(2)]
    targets = tuple(sorted((*config.pool, *config.held_out)))
    with terminal.progress() as advance, Interrupts() as interrupts:
        bench = Bench("process", workers, advance, interrupts)
        scores = bench.measure("bench world", backends.View(config.core, config.scope, targets, "dev"), wanted)

    def values(subset: Subset, count: int, held_out: bool = False) -> list[float]:
        codes = [language.code for language in (config.held_out if held_out else config.pool)]
        runs = [scores[subset, seed].per_language for seed in range(count)]
        return [statistics.mean(run[code] for code in codes) for run in runs]

    rows = [
        {
            "name": name,
            "languages": list(subset.codes),
            **_summary(values(subset, seeds)),
            "held_out": _summary(values(subset, seeds, held_out=True)),
            "seeds": seeds,
        }
        for name, subset in named.items()
    ]
    steps = [_step(left, right, named, values, seeds) for left, right in pairwise(named)]
    return {"rows": rows, "steps": steps, "random": _spread([values(subset, 2) for subset in drawn])}


def _random_subsets(pool: Pool, seed: int, count: int) -> list[Subset]:
    rng = default_rng([seed, count])
    return [Subset.of(pool[i] for i in rng.choice(len(pool), 4, replace=False)) for _ in range(count)]


def _summary(values: Sequence[float]) -> Json:
    """Mean, standard deviation and Student's 95 % interval over seeds."""
    mean, std = statistics.mean(values), statistics.stdev(values)
    return {"mean": mean, "std": std, "ci95": list(student_interval(values, 0.95))}


def _step(
    left: str, right: str, named: Mapping[str, Subset], values: Callable[[Subset, int], list[float]], seeds: int
) -> Json:
    """From one row to the next: the difference paired by seed."""
    pairs = zip(values(named[right], seeds), values(named[left], seeds), strict=True)
    return {"from": left, "to": right, **_summary([after - before for after, before in pairs])}


def _spread(runs: Sequence[Sequence[float]]) -> Json:
    """Random subsets, two seeds each: best less worst at one seed, against the noise of one score."""
    noise = statistics.mean(statistics.variance(values) for values in runs) ** 0.5
    first = [values[0] for values in runs]
    means = [statistics.mean(values) for values in runs]
    true = max(0.0, statistics.variance(means) - noise**2 / 2) ** 0.5
    return {
        "subsets": len(runs),
        "mean": statistics.mean(means),
        "spread": max(first) - min(first),
        "noise": noise,
        "spread_over_noise": (max(first) - min(first)) / noise,
        "true_std": true,
    }


def render(document: Json) -> Any:
    return BENCHES[document["bench"]][1](document)


def render_world(document: Json) -> Any:
    def percent(cell: Json) -> list[str]:
        return [f"{100 * cell['mean']:.1f}", f"{100 * cell['ci95'][0]:.1f} to {100 * cell['ci95'][1]:.1f}"]

    def listed(codes: Sequence[str]) -> str:
        return " ".join(codes) if len(codes) < 9 else f"{len(codes)} languages"

    rows = [
        [row["name"], listed(row["languages"]), *percent(row), f"{100 * row['held_out']['mean']:.1f}"]
        for row in document["rows"]
    ]
    rows += [[f"{step['from']} → {step['to']}", "", *percent(step), ""] for step in document["steps"]]
    spread = document["random"]
    title = (
        f"{spread['subsets']} random subsets: mean {100 * spread['mean']:.1f}, best less worst "
        f"{100 * spread['spread']:.1f} = {spread['spread_over_noise']:.1f} × the noise between seeds "
        f"({100 * spread['noise']:.1f}); true standard deviation {100 * spread['true_std']:.1f}"
    )
    return terminal.table(title, ["subset", "languages", "mean", "95 %", "held out"], rows, ("mean", "held out"))


def core(seeds: int, workers: int) -> Json:
    from search.bench import candidate_cost as bench_core  # torch: seconds that the other benchmarks need not wait

    return bench_core.core(seeds, workers)


def render_core(document: Json) -> Any:
    from search.bench import candidate_cost as bench_core

    return bench_core.render(document)


Measure = Callable[[int, int], Json]  # of seeds and workers
Render = Callable[[Json], Any]
BENCHES: Mapping[str, tuple[Measure, Render]] = {
    "world": (world, render_world),
    "core": (core, render_core),
    "select": (bench_select.select, bench_select.render),
    "fidelity": (bench_fidelity.fidelity, bench_fidelity.render),
    "search": (lambda seeds, workers: bench_search.search(workers=workers), bench_search.render),
    "transfer": (lambda seeds, workers: bench_transfer.shipped(), bench_transfer.render),
}
