"""Kill a search at a random moment, let it go on, and count what is wrong then: lost, repeated, corrupted, different.

One study grows round by round. In each round the same command asks for some more trials and something is killed with
SIGKILL: a worker or the server (the search goes on by itself), or the driver (the command is given again).
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import time
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, field
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Literal

import postgres
import rehearsal
from numpy.random import Generator, default_rng

from search.commands import search as run
from search.config.study_config import StudyConfig, load
from search.study.study import open_study
from search.study.trial import Trial, last_attempts

Victim = Literal["worker", "driver", "server"]
STORAGES = {"sqlite": "sqlite:///trial.db", "journal": "trial.journal"}
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["search.commands.search", "optuna.storages._rdb.storage"])
STUDY = {"k": [3, 4], "strategy": "swap"}  # 330 subsets; each proposal depends on what came before
WORKERS = 2
EACH = 6  # trials of a round
SECONDS = 0.1  # of a trial
STARTING = 0.25  # share of the kills that may hit the start of the program
PATIENCE = 300.0  # seconds


@dataclass
class Tally:
    victim: str
    storage: str
    kills: int = 0
    trials: int = 0
    attempts: int = 0
    lost: int = 0  # finished trials that are not there any more, or not as they were
    repeated: int = 0  # positions or subsets measured twice
    corrupted: int = 0  # trials or records that are not whole; commands that failed
    different: int = 0  # trials that an undisturbed search did not make
    said: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.repeated or self.corrupted or self.different)

    @property
    def document(self) -> dict[str, Any]:
        return asdict(self)


def undisturbed(folder: Path, trials: int) -> list[Any]:
    config = rehearsal.study(folder, trials=trials, **STUDY)
    run.search(config, trials, WORKERS, "process")
    return _history(config)


class Siege:
    """Kills of one kind of victim on one kind of storage, held against what an undisturbed search finds."""

    def __init__(
        self, folder: Path, victim: Victim, storage: str, truth: list[Any], seed: int, server: postgres.Server | None
    ) -> None:
        self.folder, self.victim, self.truth, self.server = folder, victim, truth, server
        self.url = server.url if storage == "postgres" and server else STORAGES[storage]
        name = f"{victim}-{seed}-{folder.name}"
        self.file = rehearsal.write(folder, name=name, seconds=SECONDS, trials=len(truth), **STUDY)
        self.config = load(self.file, [f"search.storage={self.url}"])
        self.rng: Generator = default_rng(seed)
        self.tally = Tally(victim, storage)
        self.wanted = 2
        assert self._ended(self._started()) == 0, self._said()
        self.eye = open_study(self.config, create=False)

    def round(self) -> None:
        """Some more trials, and one kill in the middle, if it comes before the end."""
        self.wanted += EACH
        process = self._started()
        self._wait(process)
        killed = process.is_alive() and self._kill(process)
        finished = {} if self.victim == "server" else _finished(self.config)
        if self.victim == "driver":
            process.join(PATIENCE)
            process = self._started()
        status = self._ended(process)
        self.tally.kills += killed
        self._check(finished, status)

    def _started(self) -> Any:
        forkserver.ensure_running()
        arguments = ["search", self.file, "--set", f"search.storage={self.url}", "--trials", self.wanted]
        arguments += ["--backend", "process", "--workers", WORKERS]
        process = SERVER.Process(target=_command, args=([str(each) for each in arguments], self.folder))
        process.start()
        return process

    def _ended(self, process: Any) -> int:
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()
        return int(process.exitcode or 0)

    def _wait(self, process: Any) -> None:
        """Until a moment that nobody has chosen: at the start, or in the middle of a trial."""
        if self.rng.random() < STARTING:
            time.sleep(self.rng.uniform(0, 2))
            return
        last = len(self.eye.trials()) + self.rng.integers(1, EACH)
        while process.is_alive() and len(self.eye.trials()) < last:
            time.sleep(0.02)
        time.sleep(self.rng.uniform(0, SECONDS))

    def _kill(self, process: Any) -> bool:
        if self.victim == "server":
            assert self.server is not None
            self.server.kill()
            time.sleep(self.rng.uniform(0, 2))
            self.server.start()
            return True
        victims = [process.pid] if self.victim == "driver" else workers(process.pid)
        if not victims:
            return False
        os.kill(victims[self.rng.integers(len(victims))], signal.SIGKILL)
        return True

    def _check(self, finished: dict[int, Trial], status: int) -> None:
        trials = open_study(self.config, create=False).trials()
        now = {trial.number: trial for trial in trials}
        complete = [trial for trial in trials if trial.state == "complete"]
        history, tally = _history(self.config), self.tally
        tally.trials, tally.attempts = len(history), len(trials)
        tally.lost += sum(now.get(number) != trial for number, trial in finished.items())
        tally.repeated += len(complete) - len({trial.position for trial in complete})
        tally.repeated += len(complete) - len({trial.subset for trial in complete})
        broken = sum(not (trial.signature and trial.per_language) for trial in complete) + _broken(self.config)
        tally.corrupted += broken + sum(trial.state == "running" for trial in trials) + (status != 0)
        tally.different += sum(mine != true for mine, true in zip(history, self.truth, strict=False))
        tally.different += abs(len(history) - self.wanted)
        if not tally.good and len(tally.said) < 3:
            tally.said.append(f"round to {self.wanted}, exit {status}: {self._said()}")

    def _said(self) -> str:
        return (self.folder / "said").read_text(encoding="utf-8")[-2000:]


def workers(driver: int) -> list[int]:
    """The processes below a driver that measure."""
    below, found = [driver], []
    while below:
        try:
            children = Path(f"/proc/{below[0]}/task/{below[0]}/children").read_text(encoding="utf-8").split()
            found += [int(child) for child in children if _measures(int(child))]
        except OSError:
            children = []
        below = [*below[1:], *map(int, children)]
    return found


def _measures(process: int) -> bool:
    command = Path(f"/proc/{process}/cmdline").read_bytes()
    return b"multiprocessing" in command and b"resource_tracker" not in command


def _command(arguments: list[str], folder: Path) -> None:
    os.environ |= {"REALINGO_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    with (folder / "said").open("w", encoding="utf-8") as stream, redirect_stdout(stream), redirect_stderr(stream):
        status = rehearsal.realingo(*arguments)
    raise SystemExit(status)


def _finished(config: StudyConfig) -> dict[int, Trial]:
    trials = open_study(config, create=False).trials()
    return {trial.number: trial for trial in trials if trial.state == "complete"}


def _history(config: StudyConfig) -> list[Any]:
    latest = last_attempts(open_study(config, create=False).trials())
    return [(trial.position, trial.subset, trial.value, trial.origin, trial.state) for trial in latest.values()]


def _broken(config: StudyConfig) -> int:
    """Records of the storage that cannot be read."""
    if config.storage.startswith("sqlite"):
        with closing(sqlite3.connect(config.storage.removeprefix("sqlite:///"))) as connection:
            return int(connection.execute("PRAGMA integrity_check").fetchone() != ("ok",))
    if "://" in config.storage:
        return 0
    count = 0
    for line in Path(config.storage).read_bytes().splitlines():
        try:
            json.loads(line)
        except ValueError:
            count += 1
    return count
