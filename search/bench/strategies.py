"""`bench search`: how many evaluations every strategy needs on problems whose best subset is known.

A repetition is another draw of the noise, of what is chance in a strategy and, of a synthetic problem, of the truth.
All strategies meet the same draws. A position is proposed from what a search with `batch` workers knows at it.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import default_rng

from realign.evaluators import table as replay
from search import terminal
from search.bench.problems.bench_problem import BenchProblem
from search.bench.problems.replayed import Replayed
from search.bench.problems.synthetic import synthetic_problem
from search.bench.repeats_in_names import split_repeats
from search.bench.rivals.rival_searches import PREFIX, RIVALS
from search.confirmation.significance import student_interval
from search.planner import STRATEGIES
from search.results.json_reader import Json
from search.strategies.ladder import ORDER
from search.strategies.proposer import MeasuredSubset, Past
from selector.errors import InputError
from selector.languages.language import Language
from selector.languages.subset import Subset

TABLE = Path(__file__).parents[2] / "studies" / "tables" / "world-12.npz"
SYNTHETIC = (
    "surrogate",
    "random",
    "diversity:facility",
    "diversity:max-sum",
    "greedy",
    "swap",
    "genetic",
    "tpe",
    "nsga2",
)  # backward measures too many, and gp takes seconds a proposal: by --strategies only
NEAR = 0.01  # of the range from the median subset to the best
LOOKS = (25, 50, 100)  # evaluations
RECOMMENDED = (10, 20, 25, 40, 50, 80, 100)  # full evaluations after which a recommendation is asked for
GRID = (1, 2, 4, 6, 8, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 100)  # of the regret curve
LEVEL = 0.9


@dataclass(frozen=True)
class RunTask:
    """One strategy in one repetition."""

    table: str  # a file, or empty
    problem: str  # of a synthetic one
    strategy: str
    repetition: int
    horizon: int  # evaluations at most
    batch: int


@dataclass(frozen=True)
class Trace:
    """The course of one run. Lists have an entry for each full evaluation; scores are 0 for the median subset, 1 for
    the best, and 0 as long as no subset of the size asked for was measured."""

    strategy: str
    costs: list[float]  # spent so far, in full evaluations
    scores: list[float]  # true one of the best subset so far
    observed: list[float]  # true one of the subset that was measured best so far
    posterior: float  # true one of what the surrogate recommends at the end
    recommended: dict[int, float]  # the same after so many full evaluations, of RECOMMENDED
    seconds: float  # a proposal, processor time

    def at(self, cost: float, values: Sequence[float]) -> float:
        place = int(np.searchsorted(self.costs, cost, side="right"))
        return values[place - 1] if place else 0.0

    @property
    def reached(self) -> float | None:
        """The cost until a subset near the best was measured."""
        return next((cost for cost, score in zip(self.costs, self.scores, strict=True) if score >= 1 - NEAR), None)


def search(
    table: str | None = None,
    problem: str | None = None,
    strategies: Sequence[str] = (),
    repetitions: int = 20,
    batch: int = 1,
    workers: int = 1,
) -> Json:
    """The document of the benchmark. InputError for a problem or strategy that is not there."""
    if table is None and problem is None:
        table = str(TABLE) if TABLE.exists() else None
    file, name = (table or "", "") if table else ("", problem or "n20")
    first = open_problem(file, name, 0)  # what is wrong shows before any worker starts
    laddered = {"ladder"} if set(first.shares) >= {*ORDER} else set[str]()
    strategies = strategies or (*laddered, *SYNTHETIC)
    for strategy in strategies:
        if split_repeats(strategy)[0] not in {*STRATEGIES, *laddered} and not strategy.startswith(
            ("diversity:", PREFIX)
        ):
            others = ("surrogate:auto", *laddered, "diversity:<select strategy>", *map(PREFIX.__add__, RIVALS))
            known = ", ".join((*STRATEGIES, *others))
            raise InputError(f"there is no strategy '{strategy}'", f"known: {known}")
        first.planner(strategy, 0)
    horizon = first.space.count() if file else max(LOOKS)  # synthetic ones would need thousands by chance
    tasks = [
        RunTask(file, name, each, repetition, horizon, batch)
        for repetition in range(repetitions)
        for each in strategies
    ]
    traces = _all(tasks, workers)
    rows = [_row([trace for trace in traces if trace.strategy == each], horizon) for each in strategies]
    return {"rows": rows, "problem": first.name, "horizon": horizon, "batch": batch}


def open_problem(file: str, name: str, repetition: int) -> BenchProblem:
    return Replayed(replay.load(Path(file))) if file else synthetic_problem(name, repetition)


def _all(tasks: Sequence[RunTask], workers: int) -> list[Trace]:
    """In the order of the tasks, whoever ran them."""
    with terminal.progress() as advance:
        if workers == 1:
            traces = list[Trace]()
            for task in tasks:
                advance("bench search", len(traces), len(tasks), task.strategy)
                traces.append(run(task))
            advance("bench search", len(tasks), len(tasks))
            return traces
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            futures = [pool.submit(run, task) for task in tasks]
            for done, _ in enumerate(as_completed(futures), 1):
                advance("bench search", done, len(tasks))
            return [future.result() for future in futures]


_opened: dict[tuple[str, str, int], BenchProblem] = {}  # the last one: the strategies of a repetition share it


def run(task: RunTask) -> Trace:
    key = (task.table, task.problem, 0 if task.table else task.repetition)
    if key not in _opened:
        _opened.clear()
        _opened[key] = open_problem(*key)
    return trace_run(_opened[key], task)


def trace_run(problem: BenchProblem, task: RunTask) -> Trace:
    """Search until the horizon, and no further than the last look where near the best."""
    plan = problem.planner(task.strategy, task.repetition)
    seen, begun, met = list[MeasuredSubset](), list[tuple[Subset, str]](), set[Language]()
    costs, scores, observed, recommended = list[float](), list[float](), list[float](), dict[int, float]()
    best, luckiest, spent, seconds = -np.inf, (-np.inf, 0.0), 0.0, 0.0
    while len(costs) < task.horizon and (len(costs) < max(LOOKS) or best < 1 - NEAR):
        position = len(begun)
        known = tuple(seen[: max(0, position - task.batch + 1)])
        started = time.process_time()
        chosen = plan(position, Past(known, tuple(begun)))
        seconds += time.process_time() - started
        if chosen is None:
            break
        begun.append((chosen.subset, chosen.level))
        seen.append(problem.measure(chosen.subset, chosen.level, default_rng([task.repetition, position])))
        new = set(chosen.subset) - met if chosen.level == "merge" else set()
        spent += problem.shares[chosen.level] * (len(new) if chosen.level == "merge" else 1)
        met |= new  # merging trains every language once
        if chosen.level == "full":
            if problem.space.allows(chosen.subset):
                score = problem.score(problem.truth(chosen.subset))
                best, luckiest = max(best, score), max(luckiest, (seen[-1].value, score))
            costs.append(spent)
            scores.append(float(best) if np.isfinite(best) else 0.0)
            observed.append(luckiest[1])
            if len(costs) in RECOMMENDED:
                recommended[len(costs)] = _recommended(problem, seen)
    last = _recommended(problem, seen)
    return Trace(task.strategy, costs, scores, observed, last, recommended, seconds / len(begun))


def _recommended(problem: BenchProblem, seen: Sequence[MeasuredSubset]) -> float:
    """The true score of what the surrogate recommends after these; 0 where it recommends nothing."""
    subset = problem.recommend(seen)
    return 0.0 if subset is None else problem.score(problem.truth(subset))


def _row(traces: Sequence[Trace], horizon: int) -> Json:
    """Means over repetitions; who never came near the best counts with what it had spent at the end."""
    reached = [trace.costs[-1] if trace.reached is None else trace.reached for trace in traces]
    looks = [look for look in LOOKS if look <= horizon]
    return {
        "strategy": traces[0].strategy,
        "evaluations_to_1pct": {**_mean(reached), "censored": sum(trace.reached is None for trace in traces)},
        "score_at": {str(look): _mean([trace.at(look, trace.scores) for trace in traces])["mean"] for look in looks},
        "score_ci90": {str(look): _mean([trace.at(look, trace.scores) for trace in traces])["ci90"] for look in looks},
        "observed_at": {
            str(look): _mean([trace.at(look, trace.observed) for trace in traces])["mean"] for look in looks
        },
        "recommended": _mean([trace.posterior for trace in traces])["mean"],
        "recommended_at": {
            str(look): _mean([trace.recommended.get(look, trace.posterior) for trace in traces])
            for look in RECOMMENDED
            if look <= horizon
        },
        "regret": {
            str(cost): _mean([1.0 - trace.at(cost, trace.scores) for trace in traces])["mean"]
            for cost in GRID
            if cost <= horizon
        },
        "seconds_per_suggestion": statistics.mean(trace.seconds for trace in traces),
        "repetitions": len(traces),
    }


def _mean(values: Sequence[float]) -> Json:
    return {"mean": statistics.mean(values), "ci90": list(student_interval(values, LEVEL))}


def _plus_minus(found: Json) -> str:
    return f"{found['mean']:.3f} ± {found['mean'] - found['ci90'][0]:.3f}"


def render(document: Json) -> Any:
    def cells(row: Json) -> list[str]:
        near, looks = row["evaluations_to_1pct"], list(row["score_at"])
        late = f" ({near['censored']} never)" if near["censored"] else ""
        spread = f"{near['ci90'][0]:.0f} to {near['ci90'][1]:.0f}"
        scores = [
            f"{row['score_at'][look]:.3f} ± {row['score_at'][look] - row['score_ci90'][look][0]:.3f}" for look in looks
        ]
        advised = [_plus_minus(row["recommended_at"][look]) for look in looks]
        return [row["strategy"], f"{near['mean']:.1f}{late}", spread, *scores, *advised, f"{row['recommended']:.3f}"]

    looks = list(document["rows"][0]["score_at"])
    asked = [*(f"after {look}" for look in looks), *(f"recommended {look}" for look in looks), "at the end"]
    columns = ("strategy", "to 1 %", "90 %", *asked, "ms", "runs")
    rows = [
        [*cells(row), f"{1000 * row['seconds_per_suggestion']:.0f}", str(row["repetitions"])]
        for row in document["rows"]
    ]
    title = f"{document['problem']}, {document['batch']} at a time; 0 is the median subset, 1 the best"
    return terminal.table(title, list(columns), rows, columns[1:])
