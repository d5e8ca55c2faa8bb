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
from search.backends.base import Job, Outcome, Stage, overdue
from search.backends.stages import Board


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
    """Where workers live."""

    def start(self, place: int) -> Hired:
        """A new worker on one of the places 0, 1, …; a failure to start is heard as its death."""
        ...

    def wait(self, workers: Sequence[Hired], seconds: float | None) -> list[Hired]:
        """Those that have something to say, as soon as there is one; none after so many seconds."""
        ...

    def close(self) -> None: ...


@dataclass
class _Seat(Generic[Hired]):
    place: int
    worker: Hired
    ready: bool = False
    job: Job | None = None
    until: float = math.inf  # the time.monotonic() at which the job must have ended


class Crew(Generic[Hired]):
    """A backend of workers. Jobs go to whoever is ready first; a worker that dies takes only its own job with it."""

    def __init__(self, site: Site[Hired], workers: int, advance: Advance | None = None) -> None:
        """`advance` hears how far each worker is, under labels such as "worker 2: realigning"."""
        self.workers = workers
        self._board = Board(advance)
        self._site = site
        self._jobs: deque[Job] = deque()
        self._seats: list[_Seat[Hired]] = []
        self._fill()

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def collect(self) -> list[Outcome]:
        ended: list[Outcome] = []
        while not ended:
            self._hand_out()
            seats = list(self._seats)
            first = min(seat.until for seat in seats)
            seconds = None if first == math.inf else max(0.0, first - time.monotonic())
            heard = self._site.wait([seat.worker for seat in seats], seconds)
            ended += [outcome for seat in seats if seat.worker in heard for outcome in self._hear(seat)]
            ended += [self._stop(seat) for seat in list(self._seats) if seat.until <= time.monotonic()]
        return ended

    def close(self) -> None:
        self._jobs.clear()
        for seat in self._seats:
            seat.worker.end()
        self._seats.clear()
        self._site.close()

    def _fill(self) -> None:
        """Put a worker on every free place."""
        free = set(range(self.workers)) - {seat.place for seat in self._seats}
        self._seats += [_Seat(place, self._site.start(place)) for place in sorted(free)]

    def _hand_out(self) -> None:
        for seat in self._seats:
            if self._jobs and seat.ready and seat.job is None:
                seat.job = self._jobs.popleft()
                seat.until = time.monotonic() + (seat.job.time_limit or math.inf)
                seat.worker.begin(seat.job)
        if self._jobs:  # not sooner: workers that cannot start would be started for ever
            self._fill()

    def _hear(self, seat: _Seat[Hired]) -> list[Outcome]:
        try:
            said = seat.worker.hear()
        except LostError as death:
            return self._bury(seat, str(death))
        if isinstance(said, Stage):
            self._board.show(seat.place, said)
            return []
        self._board.show(seat.place, None)
        seat.ready, seat.job, seat.until = True, None, math.inf
        return [] if said is None else [said]

    def _bury(self, seat: _Seat[Hired], how: str) -> list[Outcome]:
        """Its job is lost. A worker that never got ready costs the job that waits longest, so that it is heard of."""
        self._dismiss(seat)
        job = seat.job or (self._jobs.popleft() if self._jobs and not seat.ready else None)
        return [Outcome(job.number, error=how, lost=True)] if job else []

    def _stop(self, seat: _Seat[Hired]) -> Outcome:
        self._dismiss(seat)
        assert seat.job is not None
        return overdue(seat.job)

    def _dismiss(self, seat: _Seat[Hired]) -> None:
        self._board.show(seat.place, None)
        seat.worker.end()
        self._seats.remove(seat)
