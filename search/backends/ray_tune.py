"""Ray Tune as a place where trials run: its scheduler stops poor ones early. One of two importers of Ray.

What to measure next is still decided by the driver, and the study is still the only record. Tune's search algorithm is
here a queue that the driver fills; what Tune knows of an experiment is thrown away with it. So nothing can be told
twice, and a search goes on as with every other backend, by running it again.

ASHA (Li et al. 2020, arXiv 1810.05934) looks at the mean after each of a trial's seeds, `search.seeds`, and stops those
below the best third at that seed. Which those are depends on who came first, so with one seed a search is equal to that
of any other backend, with several only where one worker runs without interruption.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # the study is the log
os.environ.setdefault("TUNE_FORCE_TRIAL_CLEANUP_S", "1")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the new one writes to stdout even when it is to be silent

import ray
from ray import tune
from ray.exceptions import RayError
from ray.tune.schedulers import AsyncHyperBandScheduler
from ray.util.queue import Queue
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from realign.score import Advance, Evaluator
from search.backends.backend import Job, Outcome, Stage, format_problem, keep_to, overdue, run_job, travelling
from search.backends.ray_actors import Connection
from search.backends.stages import StageBoard, StageReporter
from selector.errors import RunError

Make = Callable[[Advance], Evaluator]
Value = Callable[[Mapping[str, float]], float]  # what the study maximizes, of scores per language
KEPT_OF_A_RUNG = 3  # one in so many goes on to the next seed
GRACE_SECONDS = 5.0  # for Tune to end when it is asked to
EAR_SECONDS = 0.5  # until it is looked again whether stages are still listened to


@dataclass(frozen=True)
class StageWord:
    """A stage as an actor tells it."""

    actor: str
    trial: int
    stage: Stage


class MeasuringTrainable(tune.Trainable):
    """A trial of Tune, a step for each seed. The evaluator stays when Tune gives the same actor another trial."""

    def setup(self, config: dict[str, Any], **known: Any) -> None:
        os.environ.update(known["environment"])
        keep_to(known["share"])
        self.reset_config(config)
        self._ear: Queue = known["ear"]
        self._actor = str(ray.get_runtime_context().get_actor_id())
        self._evaluator: Evaluator = known["make"](StageReporter(self._tell))
        self._value: Value = known["value"]

    def _tell(self, stage: Stage) -> None:
        with suppress(RayError):  # the driver is closing: nobody listens any more
            self._ear.put_nowait(StageWord(self._actor, self._job.number, stage))

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._job: Job = new_config["job"]
        self._left = self._job.time_limit or 0.0  # seconds; 0: as long as it takes
        self._runs = 0
        return True

    def step(self) -> dict[str, Any]:
        """One more seed; those before it are answered from the cache."""
        self._runs += 1
        signal.setitimer(signal.ITIMER_REAL, self._left)  # the kernel ends a process that hangs, whatever it does
        outcome = run_job(self._evaluator, replace(self._job, seeds=self._runs, pruner=None))  # ASHA decides
        self._left = signal.setitimer(signal.ITIMER_REAL, 0)[0]
        value = self._value(outcome.score.per_language) if outcome.score else 0.0
        return {"value": value, "outcome": outcome, "done": outcome.score is None or self._runs == self._job.seeds}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: what a trial has measured is in the cache."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing, as above."""


class Line(tune.search.Searcher):
    """Tune's search algorithm: the jobs of the driver, in its order."""

    def __init__(self, ended: queue.SimpleQueue[Outcome | StageWord | None]) -> None:
        super().__init__(metric="value", mode="max")
        self.jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self.closed = threading.Event()
        self.started: dict[str, float] = {}  # time.monotonic() by Tune's name of the trial
        self._running: dict[str, Job] = {}
        self._ended = ended

    def suggest(self, trial_id: str) -> Any:
        """While nothing runs, wait here: Tune itself would sleep a second."""
        while not self.closed.is_set():
            try:
                job = self.jobs.get(timeout=0.02)
            except queue.Empty:
                if self._running:
                    return None
            else:
                self._running[trial_id] = job
                return {"job": job}
        return self.FINISHED

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        job = self._running.pop(trial_id, None)
        if job is None or self.closed.is_set():
            return
        spent = time.monotonic() - self.started.get(trial_id, time.monotonic())
        if result and not error:
            runs = int(result["training_iteration"])
            early = result["outcome"].score is not None and runs < job.seeds
            self._ended.put(replace(result["outcome"], runs=runs if early else None))
        elif job.time_limit and spent >= job.time_limit:
            self._ended.put(overdue(job))
        else:
            self._ended.put(Outcome(job.number, error="its Ray actor died", lost=True))

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study is the record."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, as above."""


class TrialClock(tune.Callback):
    """When a trial really began: its actor may have had to start first."""

    def __init__(self, started: dict[str, float]) -> None:
        self._started = started

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._started[trial.trial_id] = time.monotonic()


class StopWhenClosed(tune.Stopper):
    """Ends the experiment once the driver has closed it."""

    def __init__(self, closed: threading.Event) -> None:
        self._closed = closed

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune keeps copies of its experiment, which nobody reads

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._closed.is_set()


class StageListener:
    """A queue of Ray beside this process, to which trials on any machine of the cluster tell their stages."""

    def __init__(self, words: queue.SimpleQueue[Outcome | StageWord | None]) -> None:
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        self.queue = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
        self._words, self._closed = words, threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with suppress(RayError):  # without it there are no stages, and the trials go on
            while not self._closed.is_set():
                with suppress(queue.Empty):
                    self._words.put(self.queue.get(timeout=EAR_SECONDS))

    def close(self) -> None:
        self._closed.set()
        self._thread.join(GRACE_SECONDS)
        self.queue.shutdown(force=True)


class Places:
    """Numbers of the workers, which Tune does not tell: an actor has one from when it is first heard of.

    Tune may replace actors without a word: where no number is free, the one that was silent longest gives up its own.
    """

    def __init__(self, workers: int, advance: Advance | None = None) -> None:
        self._board = StageBoard(advance)
        self._under_way: set[int] = set()  # numbers of trials
        self._free = list(range(workers))
        self._actors: dict[str, tuple[int, int]] = {}  # place and last trial; the actor heard of last comes last

    def begin(self, trial: int) -> None:
        self._under_way.add(trial)

    def show(self, word: StageWord) -> None:
        """Tell a stage; what comes after the outcome of its trial is dropped."""
        if word.trial not in self._under_way:
            return
        if word.actor in self._actors:
            place, _ = self._actors.pop(word.actor)
        elif self._free:
            place = self._free.pop(0)
        else:
            place, _ = self._actors.pop(next(iter(self._actors)))
            self._board.show(place, None)
        self._actors[word.actor] = place, word.trial
        self._board.show(place, word.stage)

    def end(self, trial: int) -> None:
        self._under_way.discard(trial)
        for place, own in self._actors.values():
            if own == trial:
                self._board.show(place, None)


class TuneTrials:
    """The backend: Tune runs in a thread of its own, between two queues."""

    def __init__(
        self,
        make: Make,
        value: Value,
        workers: int,
        address: str,
        seeds: int = 1,
        advance: Advance | None = None,
    ) -> None:
        """`advance` hears how far each trial is, in the thread that collects."""
        self.workers = workers
        self._connection = Connection(address)
        self._words: queue.SimpleQueue[Outcome | StageWord | None] = queue.SimpleQueue()
        self._line = Line(self._words)
        self._places = Places(workers, advance)
        self._ear = StageListener(self._words)
        self._problem = "it ended by itself"
        cpus, gpus = self._connection.shares(workers)
        known = {"make": make, "value": value, "environment": travelling(), "share": gpus, "ear": self._ear.queue}
        trainable = tune.with_resources(tune.with_parameters(MeasuringTrainable, **known), {"cpu": cpus, "gpu": gpus})
        scheduler = AsyncHyperBandScheduler(
            time_attr="training_iteration", max_t=seeds, grace_period=1, reduction_factor=KEPT_OF_A_RUNG
        )
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # failures are told by the driver
        self._thread = threading.Thread(target=self._run, args=(trainable, scheduler), daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        self._places.begin(job.number)
        self._line.jobs.put(job)

    def collect(self) -> list[Outcome]:
        while isinstance(word := self._words.get(), StageWord):
            self._places.show(word)
        if word is None:
            raise RunError(f"Ray Tune stopped: {self._problem}", "run the same command again: it goes on")
        self._places.end(word.number)
        return [word]

    def close(self) -> None:
        self._line.closed.set()
        self._thread.join(GRACE_SECONDS)
        self._ear.close()
        self._connection.close()

    def _run(self, trainable: Any, scheduler: Any) -> None:
        with tempfile.TemporaryDirectory(prefix="realingo-tune-", ignore_cleanup_errors=True) as folder:
            try:
                tune.run(
                    trainable,
                    metric="value",
                    mode="max",
                    search_alg=self._line,
                    scheduler=scheduler,
                    num_samples=-1,
                    reuse_actors=True,
                    storage_path=folder,
                    stop=StopWhenClosed(self._line.closed),
                    callbacks=[TrialClock(self._line.started)],
                    raise_on_failed_trial=False,
                    verbose=0,
                )
            except Exception as problem:
                self._problem = format_problem(problem)
            finally:
                self._words.put(None)
