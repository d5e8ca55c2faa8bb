"""A job that a backend measures, and its outcome. Sent between processes, so plain values."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from realign.evaluators.wrappers import Repeated
from realign.inputs import ChangedError
from realign.score import Evaluator, Fidelity, Score, Stopped
from search.effort.machine import fraction
from selector.errors import RealingoError
from selector.languages.subset import Subset

TRAVELLING = ("REALINGO_", "HF_")  # environment variables that a worker needs, wherever it runs


@dataclass(frozen=True)
class MedianPruner:
    """The median rule: it stops a job at an intermediate value of its first run, or between its seeds.

    A course holds the intermediate values, then the means after 1, 2, … seeds.
    """

    value: Callable[[Mapping[str, float]], float]  # what the study maximizes, of scores per language
    medians: tuple[float, ...]  # of earlier trials, at each point of a course: the job stops below them

    def prunes(self, course: Sequence[float]) -> bool:
        """True if the job stops after the last value of `course`."""
        return len(course) <= len(self.medians) and course[-1] < self.medians[len(course) - 1]

    def expected(self, course: Sequence[float], seeds: int) -> float:
        """Expected score of the first run at its end: from its last look on it gains what the thresholds gain."""
        return course[-1] + self.medians[-seeds] - self.medians[len(course) - 1]


@dataclass(frozen=True)
class Job:
    number: int  # of the trial
    subset: Subset
    fidelity: Fidelity
    seed: int
    seeds: int = 1  # averaged: seed, seed + 1, …
    time_limit: float | None = None  # seconds
    pruner: MedianPruner | None = None  # None: the job runs to its end


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job: a score, or an error in words; `lost` if its process died under it."""

    number: int
    score: Score | None = None
    error: str = ""
    hint: str = ""  # a way out of the error, where one is known
    lost: bool = False
    changed: bool = False  # what is read has changed: no job of this study can be measured until it is put back
    runs: int | None = None  # stopped early: the score is the mean over this many of the job's seeds; 0: of a look
    course: tuple[float, ...] = ()  # of a job with a pruner
    expected: float | None = None  # stopped at a look: the value that the first run would have come to


@dataclass(frozen=True)
class Stage:
    """The progress of a worker with what it does just now."""

    what: str
    done: int
    total: int


class Backend(Protocol):
    workers: int

    def submit(self, job: Job) -> None: ...

    def collect(self) -> list[Outcome]:
        """Wait until at least one job has ended."""
        ...

    def close(self) -> None:
        """Stop at once; jobs still running are dropped."""
        ...


def run_job(evaluator: Evaluator, job: Job) -> Outcome:
    """Run one job; whatever goes wrong in it becomes its error."""
    course, expected = list[float](), None

    def is_pruned(per_language: Mapping[str, float]) -> bool:
        assert job.pruner
        course.append(job.pruner.value(per_language))
        return job.pruner.prunes(course)

    try:
        for runs in (
            (job.seeds,) if job.pruner is None else range(1, job.seeds + 1)
        ):  # what was measured is in the cache
            looking = is_pruned if job.pruner and runs == 1 else None
            score = (Repeated(evaluator, runs) if runs > 1 else evaluator)(job.subset, job.fidelity, job.seed, looking)
            if job.pruner and is_pruned(score.per_language):
                break
    except Stopped as stopped:
        assert job.pruner
        runs, score, expected = 0, stopped.score, job.pruner.expected(course, job.seeds)
    except RealingoError as problem:
        changed = isinstance(problem, ChangedError)
        return Outcome(job.number, error=problem.message, hint=problem.hint, changed=changed)
    except Exception as problem:
        return Outcome(job.number, error=format_problem(problem))
    if not all(math.isfinite(value) for value in (score.value, *score.per_language.values())):
        return Outcome(job.number, error="the score is not a finite number", hint="lower realign.lr or task.lr")
    early = runs if runs < job.seeds else None
    return Outcome(job.number, score, runs=early, course=tuple(course), expected=expected)


def overdue(job: Job) -> Outcome:
    return Outcome(
        job.number,
        error=f"it took longer than search.time_limit = {job.time_limit:g} seconds",
        hint="raise search.time_limit, or leave it out",
    )


def format_problem(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {' '.join(str(problem).split())}"[:500]


def travelling() -> dict[str, str]:
    """The environment variables of this process that its workers need."""
    return {name: value for name, value in os.environ.items() if name.startswith(TRAVELLING)}


def share_of(workers: int, units: float) -> float:
    """Share of each worker in so many GPUs or CPUs: at most one, and never split over two.

    Three on two GPUs get halves: with two thirds each, the third would find room on neither.
    """
    return 1 / math.ceil(workers / units) if units >= 1 else 0.0


def keep_to(share: float, cuda: Any = None) -> None:
    """In a worker: leave the GPU's memory to the others that share it. `cuda`: what answers as torch.cuda does."""
    if not 0 < share < 1:
        return
    if cuda is None:
        import torch

        cuda = torch.cuda
    cuda.set_per_process_memory_fraction(fraction(share, cuda.get_device_properties(0).total_memory))
