"""Measured tables as search problems: a strategy gets what was measured, without measuring again."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from realign.evaluators import table as replay
from search import planner as plan
from search.bench.problems.bench_problem import BenchProblem, config_of, planner_of
from search.bench.repeats_in_names import split_repeats
from search.bench.rivals.rival_searches import PREFIX, rival
from search.planner import Planner
from search.strategies.proposer import MeasuredSubset
from search.surrogate.prior_knowledge import prior_of
from selector.errors import InputError
from selector.languages.subset import Subset

Array = NDArray[np.float64]

LEVELS = {"merge": "scores", "short": "short"}  # levels of a study → their names in a table


class Replayed(BenchProblem):
    """The largest subsets of a table. What is measured is the run of one seed, drawn; true is the mean of all."""

    def __init__(self, table: replay.ScoreTable) -> None:
        size = max((len(each) for each in table.subsets if len(each) < len(table.pool)), default=0)
        self.name, self.table = f"table {table.signature}, k={size}", table
        self.config = config_of(table.pool, "eng", size, table.targets)
        self.side = prior_of(self.config)
        rows = [table.row[each] for each in table.subsets if len(each) == size]
        whole = [bool(np.isfinite(level[rows]).all()) for level in table.values]  # measured to the end
        names = {"full": "full", **LEVELS}
        levels = list(table.fidelities)
        self.place = {own: levels.index(name) for own, name in names.items() if name in levels}
        self.place = {own: place for own, place in self.place.items() if whole[place]}
        if len(rows) < math.comb(len(table.pool), size) or "full" not in self.place:
            raise InputError(f"the table lacks subsets of {size} languages", "make it with studies/tables/make.py")
        timed = {level: "alone" if level == "merge" else levels[place] for level, place in self.place.items()}
        if not {*timed.values()} <= table.seconds.keys():
            raise InputError("the table does not say how long its levels take", "make it with studies/tables/make.py")
        self.shares = {level: table.seconds[name] / table.seconds["full"] for level, name in timed.items()}
        true = table.values[self.place["full"]][rows].mean(axis=(1, 2))
        self.best, self.usual = float(true.max()), float(np.median(true))

    def truth(self, subset: Subset) -> float:
        return float(self.table.values[self.place["full"], self.table.row[subset.codes]].mean())

    def measure(self, subset: Subset, level: str, rng: Generator) -> MeasuredSubset:
        row, run = self.table.row.get(subset.codes), int(rng.integers(self.table.seeds))
        if row is None or level not in self.place or np.isnan(self.table.values[self.place[level], row]).any():
            message = f"the table has no {subset.key} at level {level}"
            raise InputError(message, "take strategies that measure neither other sizes nor other levels")
        scores = self.table.values[self.place[level], row, run]  # (t,)
        per_target = dict(zip(self.table.targets, scores.tolist(), strict=True))
        return MeasuredSubset(subset, float(scores.mean()), per_target, level)

    def planner(self, strategy: str, seed: int) -> Planner:
        """`strategy` may be "ladder": the surrogate, over all levels of the table."""
        if strategy.startswith(PREFIX):
            return planner_of(rival(strategy), self.space, (), strategy, seed)
        fidelity: Literal["ladder", "full"] = "ladder" if strategy == "ladder" else "full"
        base, repeats = split_repeats("surrogate" if strategy == "ladder" else strategy)
        warm = base == "surrogate"
        search = replace(self.config.search, strategy=base, warm_start=warm, fidelity=fidelity, repeats=repeats)
        return plan.planner(replace(self.config, seed=seed, search=search))
