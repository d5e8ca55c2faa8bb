"""Where trials run: here, or in worker processes. A backend measures; it never touches the study."""

from __future__ import annotations

import math
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Protocol

from realign.score import Evaluator, Fidelity, Score
from realign.wrap import Cached, Repeated
from search import assemble
from search.config import StudyConfig
from selector.errors import InputError, RealingoError
from selector.language import Pool
from selector.subset import Subset

BACKENDS = ("inline", "process")


@dataclass(frozen=True)
class View:
    """What is looked at, in this process or another: an evaluator is made from it and nothing else."""

    config: StudyConfig
    targets: Pool
    split: assemble.DevOrTest
    beside: Subset | None = None  # is scored as the search scores it as well

    def evaluator(self, advance: assemble.Advance | None = None) -> Cached:
        return assemble.evaluator(self.config, self.targets, self.split, advance, self.beside)


@dataclass(frozen=True)
class Job:
    number: int  # of the trial
    subset: Subset
    fidelity: Fidelity
    seed: int
    seeds: int = 1  # averaged: seed, seed + 1, …


@dataclass(frozen=True)
class Outcome:
    """What became of a job: a score, or an error in words; `lost` if its process died under it."""

    number: int
    score: Score | None = None
    error: str = ""
    hint: str = ""  # a way out of the error, where one is known
    lost: bool = False


class Backend(Protocol):
    workers: int

    def submit(self, job: Job) -> None: ...

    def collect(self) -> list[Outcome]:
        """Wait until at least one job has ended."""
        ...

    def close(self) -> None:
        """Stop at once; jobs still running are dropped."""
        ...


def backend(name: str, workers: int, view: View, evaluator: Evaluator) -> Backend:
    """The backend `name`; `evaluator` is that of `view` in this process, worker processes build their own."""
    check(name, workers)
    return Inline(evaluator) if name == "inline" else Processes(view, workers)


def check(name: str, workers: int) -> None:
    """InputError for a backend that is not there or cannot have so many workers."""
    if name not in BACKENDS:
        raise InputError(f"unknown backend '{name}'", f"known: {', '.join(BACKENDS)}")
    if workers < 1:
        raise InputError(f"--workers {workers} is too few", "at least one worker")
    if name == "inline" and workers > 1:
        raise InputError("the inline backend measures one at a time", "add --backend process, or leave --workers out")


class Inline:
    """In this process, when the result is asked for."""

    workers = 1

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._jobs: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def collect(self) -> list[Outcome]:
        return [measure(self._evaluator, self._jobs.popleft())]

    def close(self) -> None:
        self._jobs.clear()


class Processes:
    """Worker processes, each with its own evaluator, built once; a worker that dies takes only its jobs with it."""

    def __init__(self, view: View, workers: int) -> None:
        self.workers = workers
        self._view = view
        self._futures: dict[Future[Outcome], Job] = {}
        self._pool = self._fresh()

    def submit(self, job: Job) -> None:
        try:
            future = self._pool.submit(_work, job)
        except (BrokenProcessPool, OSError) as problem:  # a worker died, or none could start: collect tells it
            future = Future()
            future.set_exception(problem)
        self._futures[future] = job

    def collect(self) -> list[Outcome]:
        done, _ = wait(self._futures, return_when=FIRST_COMPLETED)
        outcomes = []
        for future in done:
            job = self._futures.pop(future)
            problem = future.exception()
            if problem is None:
                outcomes.append(future.result())
            else:
                lost = isinstance(problem, (BrokenProcessPool, OSError))
                outcomes.append(Outcome(job.number, error=_said(problem), lost=lost))
        if any(outcome.lost for outcome in outcomes):
            # a broken pool fails all it holds; which job killed the worker is not known
            outcomes += [Outcome(job.number, error="worker died", lost=True) for job in self._futures.values()]
            self.close()
            self._pool = self._fresh()
        return outcomes

    def close(self) -> None:
        self._futures.clear()
        workers = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()

    def _fresh(self) -> ProcessPoolExecutor:
        threads = max(1, (os.cpu_count() or 1) // self.workers)
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.workers, context, _start, (self._view, threads))


def search_view(config: StudyConfig) -> View:
    """What the search may look at: the tuning targets, on the development split."""
    return View(config, config.tune, "dev")


def measure(evaluator: Evaluator, job: Job) -> Outcome:
    """Run one job; whatever goes wrong in it becomes its error."""
    if job.seeds > 1:
        evaluator = Repeated(evaluator, job.seeds)
    try:
        score = evaluator(job.subset, job.fidelity, job.seed)
    except RealingoError as problem:
        return Outcome(job.number, error=problem.message, hint=problem.hint)
    except Exception as problem:
        return Outcome(job.number, error=_said(problem))
    if not all(math.isfinite(value) for value in (score.value, *score.per_language.values())):
        return Outcome(job.number, error="the score is not a finite number", hint="lower realign.lr or task.lr")
    return Outcome(job.number, score)


_mine: list[Evaluator] = []  # the evaluator of this worker process


def _start(view: View, threads: int) -> None:
    """First thing in a worker. Threads are cores / workers: more spin against each other, 10-50 times slower."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the driver decides
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    threading.Thread(target=_end_with_driver, daemon=True).start()
    _mine.append(view.evaluator())


def _work(job: Job) -> Outcome:
    return measure(_mine[0], job)


def _end_with_driver() -> None:
    """A killed driver cannot stop its workers, and they would wait for jobs for ever."""
    driver = multiprocessing.parent_process()
    if driver is not None:
        multiprocessing.connection.wait([driver.sentinel])
        os._exit(1)


def _said(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {' '.join(str(problem).split())}"[:500]
