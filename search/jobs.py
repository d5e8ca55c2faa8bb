"""What a backend measures: a job, and what became of it. Sent between processes, so plain values."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from realign.score import Evaluator, Fidelity, Score
from realign.wrap import Repeated
from selector.errors import RealingoError
from selector.subset import Subset

TRAVELLING = ("REALINGO_", "HF_")  # environment variables that a worker needs, wherever it runs


@dataclass(frozen=True)
class Race:
    """When a job is stopped between its seeds."""

    value: Callable[[Mapping[str, float]], float]  # what the study maximizes, of scores per language
    bars: tuple[float, ...]  # it stops where the mean is less, after 1, 2, … seeds

    def lost(self, course: Sequence[float]) -> bool:
        """`course`: the values of the means after 1, 2, … seeds."""
        return len(course) <= len(self.bars) and course[-1] < self.bars[len(course) - 1]


@dataclass(frozen=True)
class Job:
    number: int  # of the trial
    subset: Subset
    fidelity: Fidelity
    seed: int
    seeds: int = 1  # averaged: seed, seed + 1, …
    time_limit: float | None = None  # seconds
    race: Race | None = None  # against the trials before it


@dataclass(frozen=True)
class Outcome:
    """What became of a job: a score, or an error in words; `lost` if its process died under it."""

    number: int
    score: Score | None = None
    error: str = ""
    hint: str = ""  # a way out of the error, where one is known
    lost: bool = False
    runs: int | None = None  # stopped early: the score is the mean over this many of the job's seeds
    course: tuple[float, ...] = ()  # of a job with a race: the values after 1, 2, … seeds


class Backend(Protocol):
    workers: int

    def submit(self, job: Job) -> None: ...

    def collect(self) -> list[Outcome]:
        """Wait until at least one job has ended."""
        ...

    def close(self) -> None:
        """Stop at once; jobs still running are dropped."""
        ...


def measure(evaluator: Evaluator, job: Job) -> Outcome:
    """Run one job; whatever goes wrong in it becomes its error."""
    course = list[float]()
    try:
        for runs in (job.seeds,) if job.race is None else range(1, job.seeds + 1):  # what was measured is in the cache
            score = (Repeated(evaluator, runs) if runs > 1 else evaluator)(job.subset, job.fidelity, job.seed)
            if job.race is not None:
                course.append(job.race.value(score.per_language))
                if job.race.lost(course):
                    break
    except RealingoError as problem:
        return Outcome(job.number, error=problem.message, hint=problem.hint)
    except Exception as problem:
        return Outcome(job.number, error=said(problem))
    if not all(math.isfinite(value) for value in (score.value, *score.per_language.values())):
        return Outcome(job.number, error="the score is not a finite number", hint="lower realign.lr or task.lr")
    return Outcome(job.number, score, runs=runs if runs < job.seeds else None, course=tuple(course))


def overdue(job: Job) -> Outcome:
    return Outcome(
        job.number,
        error=f"it took longer than search.time_limit = {job.time_limit:g} seconds",
        hint="raise search.time_limit, or leave it out",
    )


def said(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {' '.join(str(problem).split())}"[:500]


def travelling() -> dict[str, str]:
    """What of this process's environment its workers need."""
    return {name: value for name, value in os.environ.items() if name.startswith(TRAVELLING)}


def share_of(workers: int, units: float) -> float:
    """What each of the workers gets of so many whole processors, GPUs or CPUs: at most one, and never split over two.

    Three on two GPUs get halves: with two thirds each, the third would find room on neither.
    """
    return 1 / math.ceil(workers / units) if units >= 1 else 0.0


def keep_to(share: float) -> None:
    """In a worker: leave the GPU's memory to the others that share it."""
    if 0 < share < 1:
        import torch

        torch.cuda.set_per_process_memory_fraction(share)
