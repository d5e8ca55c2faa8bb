"""Trackers take ended trials to other programs: `tensorboard:FOLDER`, `mlflow:URI`, `wandb:PROJECT`."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Protocol

from search import terminal
from search.results.trials import TrialRecord
from selector.errors import InputError

Callback = Callable[[TrialRecord], object]  # called after each ended trial, once it is written to the study


@dataclass(frozen=True)
class About:
    """The study that a tracker is opened for."""

    name: str
    settings: Mapping[str, object]  # the study file, as JSON values
    best: float | None = None  # score so far, where the study goes on


class Tracker(Protocol):
    """Takes ended trials to another program."""

    def __call__(self, record: TrialRecord) -> object: ...

    def close(self) -> None:
        """Write what is still in memory."""
        ...


KINDS = {"tensorboard": "runs", "mlflow": "sqlite:///mlflow.db", "wandb": "realingo"}  # kind → its usual place


def check_trackers(names: Sequence[str]) -> None:
    """InputError for a tracker `KIND[:PLACE]` of an unknown kind, without its package, or with an unusable place.

    Nothing is written.
    """
    for name in names:
        kind, _, place = name.partition(":")
        _module(kind).check_place(place or KINDS[kind])


def open_tracker(name: str, about: About) -> Tracker:
    """The tracker `KIND[:PLACE]`. InputError as `check_trackers`."""
    kind, _, place = name.partition(":")
    tracker: Tracker = _module(kind).open_tracker(place or KINDS[kind], about)
    return tracker


def check_folder(folder: Path, hint: str) -> None:
    """InputError, with `hint`, where files cannot be written to a folder, or where it cannot be made."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        why = "may not be written to" if there.is_dir() else "is no folder"
        raise InputError(f"cannot write to {folder}: {there} {why}", hint)


def _module(kind: str) -> ModuleType:
    if kind not in KINDS:
        known = ", ".join(f"{each}[:{place}]" for each, place in KINDS.items())
        raise InputError(f"there is no tracker '{kind}'", f"known: {known}")
    try:
        return importlib.import_module(f"search.trackers.{kind}_tracker")
    except ImportError as problem:
        raise InputError(
            f"the tracker '{kind}' needs a package: {problem}", "pip install 'realingo[trackers]'"
        ) from None


class Callbacks:
    """Calls all of several; one that fails is left out from then on, with a remark: it must not cost a trial."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = list(callbacks)

    def __call__(self, record: TrialRecord) -> None:
        for each in list(self._callbacks):
            self._guard(each, partial(each, record))

    def close(self) -> None:
        """Close those that can be closed."""
        for each in list(self._callbacks):
            self._guard(each, getattr(each, "close", lambda: None))

    def _guard(self, callback: Callback, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as problem:
            self._callbacks.remove(callback)
            name = getattr(callback, "__name__", type(callback).__name__)
            terminal.warn(f"{name} failed and gets no further trials: {type(problem).__name__}: {problem}")


class BestSoFar:
    """The best score of all trials seen."""

    def __init__(self, before: float | None) -> None:
        self.value = before

    def after(self, record: TrialRecord) -> float | None:
        """The best score with `record` among the trials."""
        if record.state == "complete" and record.value is not None:
            self.value = record.value if self.value is None else max(self.value, record.value)
        return self.value


def metrics_of(record: TrialRecord, best: float | None) -> dict[str, float]:
    """Numbers of a trial by name, scores in percent; empty where it has no score."""
    if record.value is None:
        return {}
    found = {"score": 100 * record.value, "seconds": record.seconds, "languages": float(len(record.languages))}
    found |= {} if best is None else {"best_score": 100 * best}
    return found | {f"score_of/{code}": 100 * value for code, value in sorted(record.per_language.items())}


def flat(settings: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Settings by dotted key, as text."""
    found: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        elif value is not None:
            found[f"{prefix}{key}"] = str(value)
    return found
