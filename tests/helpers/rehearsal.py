"""Study files with the fake evaluator, for the tests of everything that stands on a study."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import warm_python

from search.cli.entry import exit_status
from search.config.study_config import StudyConfig, load

POOL = ("arb", "cmn", "deu", "fin", "fra", "hin", "jpn", "swh", "tur", "vie")
BASE = """
name = "{name}"
seed = 3
[pool]
languages = [{pool}]
k = {k}
[targets]
held_out = ["tel", "kaz"]
[model]
base = {{kind = "fake", noise = {noise}, seconds = {seconds}}}
[task]
examples = 20
[search]
strategy = "{strategy}"
trials = {trials}
[confirm]
top = 2
seeds = 3
"""


def text(pool: Iterable[str] = POOL, **values: Any) -> str:
    given = {"name": "trial", "k": 3, "noise": 0.3, "seconds": 0.0, "strategy": "swap", "trials": 12, **values}
    return BASE.format(pool=", ".join(f'"{code}"' for code in pool), **given)


def write(folder: Path, **values: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "study.toml"
    path.write_text(text(**values), encoding="utf-8")
    return path


def study(folder: Path, *overrides: str, **values: Any) -> StudyConfig:
    """Kept in a journal file, which opens ten times faster than a database."""
    return load(write(folder, **values), ["search.storage=trial.journal", *overrides])


def realingo(*arguments: str | Path) -> int:
    """Exit status of the command, run in this process."""
    return exit_status([str(argument) for argument in arguments])


def started(*arguments: str | Path, cache: Path, loaded: warm_python.Loaded = "search") -> warm_python.Process:
    """The command in a process of its own."""
    environment = {**os.environ, "REALINGO_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    return warm_python.start("-m", "search", *arguments, env=environment, loaded=loaded)


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
