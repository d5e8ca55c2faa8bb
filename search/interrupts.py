"""Ctrl-C and SIGTERM, held back while something is being recorded: a record is written whole, then the search stops."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

IMPATIENT = 3  # this many interrupts are not held back any more


class Interrupts:
    """Within this context SIGINT and SIGTERM raise KeyboardInterrupt only where they are welcome."""

    def __init__(self, handlers: bool = True) -> None:
        """Without `handlers` signals are left as they are: for callers from Python."""
        self._handlers = handlers
        self._asked = 0
        self._welcome = False
        self._before: dict[signal.Signals, Any] = {}

    @property
    def is_requested(self) -> bool:
        """True if an interrupt was held back."""
        return self._asked > 0

    def __enter__(self) -> Interrupts:
        if (
            self._handlers and threading.current_thread() is threading.main_thread()
        ):  # elsewhere Python allows no handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def welcome(self) -> Iterator[None]:
        """Here an interrupt stops the work at once, also one that came before."""
        self._welcome = True
        try:
            if self._asked:
                raise KeyboardInterrupt
            yield
        finally:
            self._welcome = False

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked += 1
        if self._welcome or self._asked >= IMPATIENT:
            self._welcome = False
            raise KeyboardInterrupt
