"""What a backend measures: a job, and what became of it. Sent between processes, so plain values."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from realign.evaluators.wrappers import Repeated
from realign.inputs import ChangedError
from realign.score import Evaluator, Fidelity, Score, Stopped
from selector.errors import RealingoError
from selector.languages.subset import Subset

TRAVELLING = ("REALINGO_", "HF_")  # environment variables that a worker needs, wherever it runs


@dataclass(frozen=True)
class Race:
    """When a job is stopped: at a look into its first run, or between its seeds.

    A course are the values at the looks, then those of the means after 1, 2, … seeds.
    """

    value: Callable[[Mapping[str, float]], float]  # what the study maximizes, of scores per language
    bars: tuple[float, ...]  # a whole course: the job stops where its own is lower

    def lost(self, course: Sequence[float]) -> bool:
        return len(course) <= len(self.bars) and course[-1] < self.bars[len(course) - 1]

    def expected(self, course: Sequence[float], seeds: int) -> float:
        """What the first run would have come to, had it gained from its last look on what the bars do."""
        return course[-1] + self.bars[-seeds] - self.bars[len(course) - 1]


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
    changed: bool = False  # what is read has changed: no job of this study can be measured until it is put back
    runs: int | None = None  # stopped early: the score is the mean over this many of the job's seeds; 0: of a look
    course: tuple[float, ...] = ()  # of a job with a race
    expected: float | None = None  # stopped at a look: the value that the first run would have come to


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
    course, expected = list[float](), None

    def lost(per_language: Mapping[str, float]) -> bool:
        assert job.race
        course.append(job.race.value(per_language))
        return job.race.lost(course)

    try:
        for runs in (job.seeds,) if job.race is None else range(1, job.seeds + 1):  # what was measured is in the cache
            looking = lost if job.race and runs == 1 else None
            score = (Repeated(evaluator, runs) if runs > 1 else evaluator)(job.subset, job.fidelity, job.seed, looking)
            if job.race and lost(score.per_language):
                break
    except Stopped as stopped:
        assert job.race
        runs, score, expected = 0, stopped.score, job.race.expected(course, job.seeds)
    except RealingoError as problem:
        changed = isinstance(problem, ChangedError)
        return Outcome(job.number, error=problem.message, hint=problem.hint, changed=changed)
    except Exception as problem:
        return Outcome(job.number, error=said(problem))
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
