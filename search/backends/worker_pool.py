"""Workers, each with an evaluator of its own that stays warm: who gets which job, until when, what a death costs.

What a worker is, and where, is said by `search.backends.process` and `search.backends.ray_actors`.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from realign.score import Advance
from search.backends.backend import Job, Outcome, Stage, overdue
from search.backends.stages import StageBoard


class LostError(Exception):
    """The process of a worker has ended; says how."""


class Worker(Protocol):
    """One process with one evaluator. It says once that it is ready, and then one outcome for each job it begins.

    In between it may say how far it is.
    """

    def begin(self, job: Job) -> None: ...

    def hear(self) -> Outcome | Stage | None:
        """The next message of a worker; None: it is ready. LostError if its process has ended."""
        ...

    def end(self) -> None:
        """Kill it; nothing if it is dead."""
        ...


Hired = TypeVar("Hired", bound=Worker)


class Site(Protocol[Hired]):
    """A place where workers live."""

    def start(self, place: int) -> Hired:
        """A new worker on one of the places 0, 1, …; a failure to start is heard as its death."""
        ...

    def wait(self, workers: Sequence[Hired], seconds: float | None) -> list[Hired]:
        """Those that have something to say, as soon as there is one; none after so many seconds."""
        ...

    def close(self) -> None: ...


@dataclass
class _Slot(Generic[Hired]):
    place: int
    worker: Hired
    ready: bool = False
    job: Job | None = None
    until: float = math.inf  # the time.monotonic() at which the job must have ended


class WorkerPool(Generic[Hired]):
    """A backend of workers. Jobs go to whoever is ready first; a worker that dies takes only its own job with it."""

    def __init__(self, site: Site[Hired], workers: int, advance: Advance | None = None) -> None:
        """`advance` hears how far each worker is, under labels such as "worker 2: realigning"."""
        self.workers = workers
        self._board = StageBoard(advance)
        self._site = site
        self._jobs: deque[Job] = deque()
        self._slots: list[_Slot[Hired]] = []
        self._fill()

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def collect(self) -> list[Outcome]:
        ended: list[Outcome] = []
        while not ended:
            self._hand_out()
            slots = list(self._slots)
            first = min(slot.until for slot in slots)
            seconds = None if first == math.inf else max(0.0, first - time.monotonic())
            heard = self._site.wait([slot.worker for slot in slots], seconds)
            ended += [outcome for slot in slots if slot.worker in heard for outcome in self._hear(slot)]
            ended += [self._stop(slot) for slot in list(self._slots) if slot.until <= time.monotonic()]
        return ended

    def close(self) -> None:
        self._jobs.clear()
        for slot in self._slots:
            slot.worker.end()
        self._slots.clear()
        self._site.close()

    def _fill(self) -> None:
        """Put a worker on every free place."""
        free = set(range(self.workers)) - {slot.place for slot in self._slots}
        self._slots += [_Slot(place, self._site.start(place)) for place in sorted(free)]

    def _hand_out(self) -> None:
        for slot in self._slots:
            if self._jobs and slot.ready and slot.job is None:
                slot.job = self._jobs.popleft()
                slot.until = time.monotonic() + (slot.job.time_limit or math.inf)
                slot.worker.begin(slot.job)
        if self._jobs:  # not sooner: workers that cannot start would be started for ever
            self._fill()

    def _hear(self, slot: _Slot[Hired]) -> list[Outcome]:
        try:
            said = slot.worker.hear()
        except LostError as death:
            return self._bury(slot, str(death))
        if isinstance(said, Stage):
            self._board.show(slot.place, said)
            return []
        self._board.show(slot.place, None)
        slot.ready, slot.job, slot.until = True, None, math.inf
        return [] if said is None else [said]

    def _bury(self, slot: _Slot[Hired], how: str) -> list[Outcome]:
        """Its job is lost. A worker that never got ready costs the job that waits longest, so that it is heard of."""
        self._dismiss(slot)
        job = slot.job or (self._jobs.popleft() if self._jobs and not slot.ready else None)
        return [Outcome(job.number, error=how, lost=True)] if job else []

    def _stop(self, slot: _Slot[Hired]) -> Outcome:
        self._dismiss(slot)
        assert slot.job is not None
        return overdue(slot.job)

    def _dismiss(self, slot: _Slot[Hired]) -> None:
        self._board.show(slot.place, None)
        slot.worker.end()
        self._slots.remove(slot)
