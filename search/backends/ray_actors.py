"""Ray: warm actors on a cluster. One of two importers of Ray; `search.backends.ray_tune` is the other.

The driver is the only writer of the study, so a node that vanishes takes nothing with it but what was being measured
there. Ray restarts nothing by itself: the pool of workers learns of a dead actor, and starts another in its place.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, TypeVar, cast

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # who asked for no GPU sees what the machine has
os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's 15 starves workers that share a machine with anything else
os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")  # a cluster starts here, never by itself

import ray
import ray._private.worker as ray_worker
from ray._private import ray_constants
from ray.exceptions import RayError, RayTaskError

from realign.score import Advance, Evaluator
from search import terminal
from search.backends.backend import Job, Outcome, Stage, format_problem, keep_to, run_job, share_of, travelling
from search.backends.stages import StageReporter
from search.backends.worker_pool import LostError, WorkerPool
from selector.errors import InputError

Make = Callable[[Advance], Evaluator]
Told = TypeVar("Told")
ray_worker.print_to_stdstream = lambda data, ignore_prefix: None  # dead nodes are reported by us; stdout is for results
HINT = (
    "give the address that 'ray start --head' printed, or leave --address out; "
    "if 'ray start' said that token authentication is enabled, set RAY_AUTH_MODE=token"
)
SILENCE_SECONDS = 60.0  # without any worker, until a remark says what the search waits for


def last_words(problem: RayError) -> str:
    """The end of Ray's long account, without its colours: there stands what happened."""
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", str(problem)).splitlines() if line.strip()]
    return f"{type(problem).__name__}: {lines[-1] if lines else ''}"[:300]


class Connection:
    """The cluster at an address, or one started on this machine, which ends with it and listens to nobody else."""

    def __init__(self, address: str) -> None:
        self._ours = not ray.is_initialized()
        if not self._ours:  # whoever connected this process, ends it
            return
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
        main = threading.current_thread() is threading.main_thread()
        before = signal.getsignal(signal.SIGTERM)  # Ray puts its own in its place
        try:
            if address:
                ray.init(address=address, **quiet)
            else:
                ray_constants.ENABLE_RAY_CLUSTER = False  # one machine: its servers then listen on 127.0.0.1 alone
                ray.init(address="local", include_dashboard=False, **quiet)
        except (ConnectionError, ValueError, RuntimeError) as problem:
            if not address:
                raise
            message = f"there is no Ray cluster at '{address}': {format_problem(problem)}"
            raise InputError(message, HINT) from None
        finally:
            if main:
                signal.signal(signal.SIGTERM, before)

    def shares(self, workers: int) -> tuple[float, float]:
        """The CPUs and the GPUs of each worker, if all are to run at once."""
        there = ray.cluster_resources()
        return share_of(workers, there.get("CPU", 0)), share_of(workers, there.get("GPU", 0))

    def close(self) -> None:
        if self._ours:
            ray.shutdown()


class EvaluatorActor:
    """An actor: an evaluator that is made once and stays. It works in a thread, so that it can tell stages."""

    def __init__(self, make: Make, environment: dict[str, str], share: float) -> None:
        os.environ.update(environment)
        keep_to(share)
        self._thread = ThreadPoolExecutor(1)  # always the same one: threads of the libraries stay with it
        self._words: SimpleQueue[object] = SimpleQueue()  # stages, and last the result
        self._make = make

    def stand(self) -> Iterator[Stage | None]:
        """Make the evaluator: stages of that, and None once it stands."""
        yield from self._stream(self._stand)

    def measure(self, job: Job) -> Iterator[Stage | Outcome | None]:
        """Stages of the job, and last what became of it."""
        yield from self._stream(lambda: run_job(self._evaluator, job))

    def _stand(self) -> None:
        self._evaluator = self._make(StageReporter(self._words.put))

    def _stream(self, work: Callable[[], Told]) -> Iterator[Stage | Told]:
        """Do some work in the thread: its stages as they come, then its result."""
        result = self._thread.submit(work)
        result.add_done_callback(self._words.put)
        while isinstance(word := self._words.get(), Stage):
            yield word
        yield result.result()


class Actor:
    """An actor and what it has to say; `answer` is None while it has nothing to do."""

    def __init__(self, make: Make, cpus: float, gpus: float) -> None:
        kind = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0)(EvaluatorActor)
        self._actor = cast(Any, kind.remote(make, travelling(), gpus))
        self._job: Job | None = None
        self.answer = self._actor.stand.remote()

    def begin(self, job: Job) -> None:
        self._job = job
        self.answer = self._actor.measure.remote(job)

    def hear(self) -> Outcome | Stage | None:
        try:
            word: Outcome | Stage | None = ray.get(next(self.answer))
        except RayTaskError as problem:  # the actor lives: it could not read the job, or write its outcome
            self.answer = None
            if self._job is None:
                raise LostError(last_words(problem)) from None
            return Outcome(self._job.number, error=last_words(problem))
        except RayError as problem:  # ended, or out of reach with its node, which is the same to us
            self.answer = None
            raise LostError(last_words(problem)) from None
        if not isinstance(word, Stage):
            self.answer = None
        return word

    def end(self) -> None:
        ray.kill(self._actor, no_restart=True)


class Cluster:
    """Places on a Ray cluster, which knows best what is free where."""

    def __init__(self, make: Make, workers: int, address: str) -> None:
        self._make = make
        self._connection = Connection(address)
        self._cpus, self._gpus = self._connection.shares(workers)
        self._silent = True  # no worker was heard of yet

    def start(self, place: int) -> Actor:
        return Actor(self._make, self._cpus, self._gpus)

    def wait(self, workers: Sequence[Actor], seconds: float | None) -> list[Actor]:
        owed = [worker.answer for worker in workers if worker.answer is not None]
        patience = SILENCE_SECONDS if self._silent and seconds is None else seconds
        heard, _ = ray.wait(owed, num_returns=1, timeout=patience)
        if not heard and patience != seconds:
            terminal.remark(f"no Ray worker stands yet; each needs {self._cpus:g} CPU and {self._gpus:g} GPU")
        self._silent = self._silent and not heard
        return [worker for worker in workers if worker.answer in heard]

    def close(self) -> None:
        self._connection.close()


def actors(make: Make, workers: int, address: str, advance: Advance | None = None) -> WorkerPool[Actor]:
    """A backend of Ray actors that each make their evaluator once. `advance` hears how far each of them is."""
    return WorkerPool(Cluster(make, workers, address), workers, advance)
