"""A search problem whose answer is known, and the parts that every kind of problem needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from search.config.schema import StudyFile, check
from search.config.study_config import StudyConfig, resolve_study
from search.planner import Planner, Proposal
from search.space import Space
from search.strategies import proposer as proposal
from search.strategies.proposer import MeasuredSubset, Past, Proposer
from search.surrogate.kernels import PriorKnowledge
from search.surrogate.surrogate import Surrogate
from selector.languages.subset import Subset

Array = NDArray[np.float64]


class BenchProblem(ABC):
    """A search problem: what can be measured, with how much noise, and what is true."""

    name: str
    config: StudyConfig  # a study of it
    best: float  # the true value of the best subset
    usual: float  # the median of the true values of all subsets
    side: PriorKnowledge  # what a strategy may know
    shares: Mapping[str, float]  # what a run costs at each level, of a full one; at "merge" each language once

    @property
    def space(self) -> Space:
        return self.config.space

    @abstractmethod
    def truth(self, subset: Subset) -> float: ...

    @abstractmethod
    def measure(self, subset: Subset, level: str, rng: Generator) -> MeasuredSubset: ...

    @abstractmethod
    def planner(self, strategy: str, seed: int) -> Planner:
        """A strategy as a study has it; only the surrogate with a warm start, so that others are as they are known."""

    def recommend(self, seen: Sequence[MeasuredSubset]) -> Subset | None:
        """The subset that the surrogate recommends after these measurements, whoever chose them.

        None where nothing of the size asked for was measured.
        """
        past = Past(tuple(seen), tuple((each.subset, each.level) for each in seen))
        found = Surrogate(self.side).recommend(self.space, past)
        return found[0][0] if found else None

    def score(self, value: float) -> float:
        """0 for the median subset, 1 for the best."""
        return (value - self.usual) / (self.best - self.usual)


def planner_of(propose: Proposer, space: Space, warm: Sequence[Subset], strategy: str, seed: int) -> Planner:
    """A plan: the subsets of the warm start, then what the strategy proposes."""

    def plan(position: int, past: Past) -> Proposal | None:
        unseen = [subset for subset in warm if subset not in past.taken]
        subset = unseen[0] if unseen else propose(space, past, proposal.generator(seed, position))
        return None if subset is None else Proposal(subset, strategy)

    return plan


def config_of(pool: Sequence[str], source: str, size: int, targets: Sequence[str] | None = None) -> StudyConfig:
    """A study of these languages, for the parts that need one; without `targets` the pool is."""
    file = Path.cwd() / "bench-search.toml"
    languages = {"languages": list(pool), "source": source, "k": size}
    tune = {"tune": list(targets or pool)}
    return resolve_study(file, check(StudyFile, file, {"name": "bench", "pool": languages, "targets": tune}))
