"""How far workers are with what they do: how each tells it, and how the driver passes it on, worker by worker."""

from __future__ import annotations

import time
from collections.abc import Callable

from realign.score import Advance
from search.backends.backend import Stage

STAGE_SECONDS = 0.5  # between two messages of a worker on how far it is


class StageReporter:
    """In a worker: sends the driver now and then how far it is (an `Advance`)."""

    def __init__(self, send: Callable[[Stage], object]) -> None:
        self._send, self._last = send, 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= STAGE_SECONDS:
            self._last = now
            self._send(Stage(what, done, total))


class StageBoard:
    """In the driver: the present stage of each worker, told under labels such as "worker 2: realigning"."""

    def __init__(self, advance: Advance | None = None) -> None:
        self._advance: Advance = advance or (lambda what, done, total: None)
        self._stages: dict[int, Stage] = {}  # by the worker's place, from 0

    def show(self, place: int, stage: Stage | None) -> None:
        """Tell what a worker does now; what it did before has ended, whether it said so or not."""
        before = self._stages.pop(place, None)
        label = f"worker {place + 1}: "
        if before is not None and before.done < before.total and (stage is None or stage.what != before.what):
            self._advance(label + before.what, before.total, before.total)
        if stage is not None:
            self._stages[place] = stage
            self._advance(label + stage.what, stage.done, stage.total)
