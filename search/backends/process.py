"""Worker processes on this machine: how they start, what they share, how their end is noticed.

They are forked from a server process that has imported what evaluators need, so a further worker, or another one in the
place of a dead one, starts in the time its evaluator takes. Token stores and encoders are mapped into memory from the
cache: however many workers read one, it is there once.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Protocol

from realign.score import Advance, Evaluator
from search.backends.backend import Job, Outcome, Stage, format_problem, keep_to, run_job, share_of, travelling
from search.backends.stages import StageReporter
from search.backends.worker_pool import LostError, WorkerPool

Make = Callable[[Advance], Evaluator]
PATIENCE = 10.0  # seconds that another fork server may take to answer
OF_WORKERS = ("realign.", "search.backends.", "transformers.models.")  # packages that a worker uses
# by every evaluator of an encoder
NEEDED = ("realign.realign_and_transfer", "realign.tasks.tagging", "realign.build.evaluator")


@dataclass(frozen=True)
class WorkerShare:
    """The share of this machine that a worker gets."""

    threads: int
    gpu: str = ""  # as CUDA_VISIBLE_DEVICES names it
    share: float = 0.0  # of that GPU's memory


class Process:
    """A worker process behind a pipe."""

    def __init__(self, make: Make, worker_share: WorkerShare) -> None:
        context = multiprocessing.get_context("forkserver")
        self._problem = ""
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, make, worker_share, travelling()), daemon=True)
        try:
            with _without_main():
                start(self.process)
        except (OSError, EOFError) as problem:  # no memory, no more processes
            self._problem = format_problem(problem)
        theirs.close()

    def begin(self, job: Job) -> None:
        with suppress(OSError):  # it died: that is heard
            self.pipe.send(job)

    def hear(self) -> Outcome | Stage | None:
        try:
            word: Outcome | Stage | LostError | None = self.pipe.recv() if self.pipe.poll() else LostError(self._end())
        except (EOFError, OSError):
            word = LostError(self._end())
        if isinstance(word, LostError):
            raise word
        return word

    def end(self) -> None:
        if not self._problem:
            self.process.kill()
            self.process.join()
        self.pipe.close()

    def handles(self) -> list[Connection | int]:
        return [self.pipe] if self._problem else [self.pipe, self.process.sentinel]

    def _end(self) -> str:
        if self._problem:
            return self._problem
        self.process.join()
        code = self.process.exitcode or 0
        if code == -signal.SIGKILL:
            return "killed by SIGKILL, as the kernel does when memory runs out"
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"


class Startable(Protocol):
    """A process that can be started."""

    def start(self) -> None: ...


def start(process: Startable, patience: float = PATIENCE) -> None:
    """Start a process. Where the fork server was killed a moment ago, try again until another one answers.

    A killed process closes its connections before the system counts it as ended, so at first no new server is started
    and the old one refuses. ConnectionError or EOFError after `patience` seconds; OSError at once where memory or
    processes are lacking.
    """
    until = time.monotonic() + patience
    while True:
        try:
            return process.start()
        except (ConnectionError, EOFError):
            if time.monotonic() >= until:
                raise
            time.sleep(0.05)


@contextmanager
def _without_main() -> Iterator[None]:
    """Workers need nothing of the main script. Named, it would be run again in each of them, with the search in it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


class ThisMachine:
    """Cores are divided by the workers, GPUs go round: more threads than cores only spin, 10-50 times slower."""

    def __init__(self, make: Make, workers: int) -> None:
        self._make = make
        gpus = _gpus()
        threads = max(1, (os.cpu_count() or 1) // workers)
        self._shares = [WorkerShare(threads)]
        if gpus:
            self._shares = [WorkerShare(threads, gpu, share_of(workers, len(gpus))) for gpu in gpus]
        multiprocessing.set_forkserver_preload(modules_of_workers())

    def start(self, place: int) -> Process:
        return Process(self._make, self._shares[place % len(self._shares)])

    def wait(self, workers: Sequence[Process], seconds: float | None) -> list[Process]:
        heard = multiprocessing.connection.wait([each for worker in workers for each in worker.handles()], seconds)
        return [worker for worker in workers if any(each in heard for each in worker.handles())]

    def close(self) -> None:
        """Nothing of its own: the fork server ends with this process."""


def modules_of_workers() -> list[str]:
    """What this process has imported and a worker needs too. The search is left out: it would take half a second."""
    return [name for name in sys.modules if name.startswith(OF_WORKERS)]


def prepare() -> None:
    """Start the server early: it imports while this process imports the same, and on a core of its own."""
    multiprocessing.set_forkserver_preload(list(NEEDED))
    forkserver.ensure_running()


def processes(make: Make, workers: int, advance: Advance | None = None) -> WorkerPool[Process]:
    """A backend of worker processes that each make their evaluator once. `advance` hears how far each of them is."""
    return WorkerPool(ThisMachine(make, workers), workers, advance)


def _gpus() -> list[str]:
    """The GPUs of this process. What has not loaded torch by now measures without it."""
    torch = sys.modules.get("torch")
    count = torch.cuda.device_count() if torch else 0
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return (named or [str(number) for number in range(count)])[:count]


def _work(pipe: Connection, make: Make, worker_share: WorkerShare, environment: dict[str, str]) -> None:
    """The life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the driver decides
    threading.Thread(target=_end_with_driver, daemon=True).start()
    os.environ.update(environment)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(worker_share.threads)
    if worker_share.gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = worker_share.gpu
    try:
        _leave_no_semaphores()
        keep_to(worker_share.share)
        evaluator = make(StageReporter(pipe.send))
    except Exception as problem:
        pipe.send(LostError(f"it could not start: {format_problem(problem)}"))
        return
    with suppress(EOFError, OSError):  # dismissed, but out of reach of a kill: the fork server died
        pipe.send(None)
        while True:
            pipe.send(run_job(evaluator, pipe.recv()))


def _leave_no_semaphores() -> None:
    """Progress bars of libraries lock with a semaphore of the system, which a killed worker leaves behind."""
    with suppress(ImportError):
        from tqdm import tqdm

        tqdm.set_lock(threading.RLock())


def _end_with_driver() -> None:
    """A killed driver cannot stop its workers, and they would wait for jobs for ever."""
    driver = multiprocessing.parent_process()
    if driver is not None:
        multiprocessing.connection.wait([driver.sentinel])
        os._exit(1)
