"""`bench select`: every heuristic of the selector beside the exact solver, its gap to what is proven, its seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from search import terminal
from search.results.json_reader import Json
from selector import exact
from selector.languages.language import Pool, parse_pool
from selector.objective import objective_of
from selector.problem import Problem, pose
from selector.solvers import greedy
from selector.sources import features
from selector.strategy import STRATEGIES, relative_gap

SIZES = (65, 200, 1000)  # the paper's pool; the languages of URIEL whose syntax is observed best
MEMBERS = (10, 20, 50)
OBJECTIVES = (
    ("facility", "syntactic"),
    ("k-center", "syntactic"),
    ("coverage", "syntactic"),
    ("max-min", "syntactic"),
    ("max-sum", "syntactic"),
    ("max-sum", "hamming:syntactic"),
    ("entropy", "syntactic"),
)
EFFORT = exact.Effort(nodes=1000, seconds=20.0)
BOUNDED = 1e-3  # from this size on a bound within this gap is enough
LARGE = 1000

Row = Json


def select(seeds: int, workers: int) -> Json:
    """No source, no demands; `seeds` random subsets make the row "random", their mean. One process.

    Rows: `value` of the set function (greater is better), `bound` that no subset exceeds, `gap` to it relative to the
    bound, `seconds` of process time; those of "exact" include no heuristic, though it starts from the best one's set.
    """
    asked = [(n, k, *which) for n in SIZES for k in MEMBERS for which in OBJECTIVES]
    pools = {n: pool(n) for n in SIZES}
    rows: list[Row] = []
    with terminal.progress() as advance:
        for done, (n, k, name, metric) in enumerate(asked):
            advance("bench select", done, len(asked))
            rows += measure_problem(name, pose(pools[n], k, metric), seeds)
        advance("bench select", len(asked), len(asked))
    return {"rows": rows}


def pool(n: int) -> Pool:
    """The paper's 65, or the n languages of URIEL with the largest share of observed syntax, ties by code."""
    if n == len(parse_pool("paper-65")):
        return parse_pool("paper-65")
    everyone = parse_pool("uriel")
    observed = features.table(everyone, "syntactic").observed.mean(axis=1)  # (7900,)
    order = np.lexsort((np.arange(len(everyone)), -observed))
    return tuple(sorted(everyone[i] for i in order[:n]))


def measure_problem(name: str, problem: Problem, seeds: int) -> list[Row]:
    """The rows of one problem: random, greedy, every strategy that maximizes the objective, exact."""
    function = objective_of(name, problem)
    tried: dict[str, tuple[list[int], float]] = {"greedy": _timed(lambda: _greedy(name, problem))}
    for strategy, static in STRATEGIES.items():
        if static.objective == name and static.maximizes and not static.exact:
            rng = np.random.default_rng(0)
            tried[strategy] = _timed(lambda pick=static.pick, rng=rng: pick(problem, rng))  # type: ignore[misc]
    start = max((chosen for chosen, _ in tried.values()), key=function.value)
    effort = EFFORT if len(problem.frame) < LARGE else exact.Effort(BOUNDED, EFFORT.nodes, EFFORT.seconds)
    began = time.process_time()
    solved = exact.solve(name, problem, start, effort)
    seconds = time.process_time() - began
    values = {method: (function.value(chosen), spent) for method, (chosen, spent) in tried.items()}
    values["random"] = _random(name, problem, seeds)
    values["exact"] = function.value(solved.chosen), seconds
    return [_row(name, problem, method, *found, solved) for method, found in values.items()]


def _row(name: str, problem: Problem, method: str, value: float, seconds: float, solved: exact.ProvenSet) -> Row:
    return {
        "problem": f"{name} {problem.metric}",
        "n": len(problem.frame),
        "k": problem.k,
        "method": method,
        "value": value,
        "bound": solved.bound,
        "gap": None if solved.bound is None else relative_gap(value, solved.bound),
        "seconds": seconds,
        "status": solved.status if method == "exact" else "heuristic",
    }


def _greedy(name: str, problem: Problem) -> list[int]:
    return greedy.greedy(objective_of(name, problem), problem.k, problem.pinned, problem.free, problem.limits)


def _random(name: str, problem: Problem, seeds: int) -> tuple[float, float]:
    """Mean value of random subsets, and seconds of drawing and scoring one."""
    function, began = objective_of(name, problem), time.process_time()
    drawn = [STRATEGIES["random"].pick(problem, np.random.default_rng(seed)) for seed in range(seeds)]
    value = float(np.mean([function.value(chosen) for chosen in drawn]))
    return value, (time.process_time() - began) / seeds


def _timed(pick: Callable[[], list[int]]) -> tuple[list[int], float]:
    began = time.process_time()
    chosen = pick()
    return chosen, time.process_time() - began


def render(document: Json) -> Any:
    def cell(row: Row) -> list[str]:
        gap = "-" if row["gap"] is None else f"{100 * row['gap']:.3f}"
        return [row["problem"], str(row["n"]), str(row["k"]), row["method"], f"{row['value']:.5f}", gap, row["status"]]

    columns = ["problem", "n", "k", "method", "value", "gap %", "status", "seconds"]
    rows = [[*cell(row), f"{row['seconds']:.2f}"] for row in document["rows"]]
    return terminal.table("Chosen without measuring", columns, rows, ("n", "k", "value", "gap %", "seconds"))
