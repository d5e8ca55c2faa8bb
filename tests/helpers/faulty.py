"""An evaluator that kills, hangs or fails its process on chosen subsets; made where it works, as the real one is."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from realign.score import Advance, Evaluator, Fidelity, Look, Score
from search.backends.registry import View
from selector.languages.subset import Subset


def _exit() -> None:
    os._exit(3)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _hang() -> None:
    time.sleep(3600)


def _memory() -> None:
    raise MemoryError("no memory left")


FAULTS: Mapping[str, Callable[[], None]] = {
    "exit": _exit,
    "kill": _kill,
    "stop": _stop,
    "hang": _hang,
    "memory": _memory,
}


@dataclass(frozen=True)
class Faulty:
    """Makes the evaluator. A fault "kill once" leaves a mark in the folder and does not happen again."""

    view: View
    faults: Mapping[str, str]  # key of a subset → what happens there
    folder: Path

    def __call__(self, advance: Advance | None = None) -> Evaluator:
        if "start" in self.faults:
            FAULTS[self.faults["start"]]()
        return _Evaluator(self.view.evaluator(), self.faults, self.folder)


class _Evaluator:
    def __init__(self, inner: Evaluator, faults: Mapping[str, str], folder: Path) -> None:
        self.inner, self.faults, self.folder = inner, faults, folder

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        return self.inner.signature(subset, fidelity, seed)

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
        fault, _, once = self.faults.get(subset.key, "").partition(" ")
        if fault == "nan":
            return Score(float("nan"), {}, "")
        if fault and not (once and self._marked(subset)):
            FAULTS[fault]()
        return self.inner(subset, fidelity, seed, look)

    def _marked(self, subset: Subset) -> bool:
        """Whether it happened before; from now on it has."""
        mark = self.folder / f"happened-{subset.key}"
        before = mark.exists()
        mark.touch()
        return before
