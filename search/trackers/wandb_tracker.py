"""Weights & Biases: a run a study, which goes on where the study goes on."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import wandb

from search.results.trials import TrialRecord
from search.trackers.tracker import About, BestSoFar, check_folder, flat, metrics_of
from selector.errors import InputError


def check_place(place: str) -> None:
    """InputError where nobody is logged in and runs are to be sent, or where their files cannot be written.

    `place` is a project, which is made when it is first used.
    """
    check_folder(Path(os.environ.get("WANDB_DIR", ".")) / "wandb", "set WANDB_DIR to a folder of yours")
    try:
        if os.environ.get("WANDB_MODE", "online") == "online":
            wandb.login()
    except wandb.Error as problem:
        raise _unusable(problem) from None


def _unusable(problem: Exception) -> InputError:
    return InputError(f"Weights & Biases: {problem}", "log in with `wandb login`, or set WANDB_MODE=offline")


def open_tracker(place: str, about: About) -> WandbTracker:
    """A tracker in the project `place`. WANDB_MODE=offline writes to the folder `wandb` and sends nothing."""
    try:
        return WandbTracker(place, about)
    except wandb.Error as problem:
        raise _unusable(problem) from None


class WandbTracker:
    """Curves over the number of the trial."""

    def __init__(self, project: str, about: About) -> None:
        settings = flat(about.settings)
        same = hashlib.sha256("\n".join([about.name, settings.get("storage", "")]).encode()).hexdigest()[:16]
        self._run = wandb.init(
            project=project,
            name=about.name,
            id=same,
            resume="allow",
            config=settings,
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off"),
        )
        self._run.define_metric("*", step_metric="trial")  # trials may end in another order than they began
        self._best = BestSoFar(about.best)

    def __call__(self, record: TrialRecord) -> None:
        found: dict[str, float | str] = dict(metrics_of(record, self._best.after(record)))
        found |= {"subset": " ".join(record.languages), "state": record.state, "origin": record.origin}
        self._run.log({"trial": record.number, **found})

    def close(self) -> None:
        self._run.finish()
