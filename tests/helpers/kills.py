"""Kill a search at a random moment, let it go on, and count what is wrong then: lost, repeated, corrupted, different.

One study grows round by round. In each round the same command asks for some more trials and something is hit: SIGKILL
for a worker or the server (the search goes on by itself) or the driver (the command is given again), or Ctrl-C (SIGINT
for the driver and its workers). Trials are those of the fake evaluator, or short ones of the world's encoder. A
confirmation is hit and given again as well.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import time
from contextlib import closing, redirect_stderr, redirect_stdout, suppress
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

Victim = Literal["worker", "driver", "server", "interrupt"]
AGAIN = ("driver", "interrupt")  # where the command is given again
INTERRUPTED = 130  # the exit status after Ctrl-C
STORAGES = {"sqlite": "sqlite:///trial.db", "journal": "trial.journal"}
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["search.commands.search", "optuna.storages._rdb.storage"])
STUDY = {"k": [3, 4], "strategy": "swap"}  # 330 subsets; each proposal depends on what came before
SPOKEN = ("deu", "fin", "fra", "hin", "ind", "jpn", "rus", "spa", "swh", "tur")  # in the world
REAL = (  # a trial of about a second, of which little is the training
    "model.base=world",
    f"pool.languages={json.dumps(SPOKEN)}",
    'targets.held_out=["tam"]',
    "realign.steps=2",
    "realign.batch=4",
    "task.steps=2",
    "task.examples=5",
    "confirm.seeds=2",
)
WORKERS = 2
EACH = 6  # trials of a round
SECONDS = 0.1  # of a trial
REAL_SECONDS = 1.0  # of a trial of the world's encoder
STARTING = 0.25  # share of the kills that may hit the start of the program
PATIENCE = 300.0  # seconds


@dataclass
class Tally:
    victim: str
    storage: str
    evaluator: str = "fake"
    command: str = "search"
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


def undisturbed(folder: Path, trials: int, real: bool = False) -> list[Any]:
    config = rehearsal.study(folder, *(REAL if real else ()), trials=trials, **STUDY)
    run.search(config, trials, WORKERS, "process")
    return _history(config)


class Siege:
    """Kills of one kind of victim on one kind of storage, held against what an undisturbed search finds."""

    def __init__(
        self,
        folder: Path,
        victim: Victim,
        storage: str,
        truth: list[Any],
        seed: int,
        server: postgres.Server | None,
        real: bool = False,
    ) -> None:
        self.folder, self.victim, self.truth, self.server = folder, victim, truth, server
        self.url = server.url if storage == "postgres" and server else STORAGES[storage]
        name = f"{victim}-{seed}-{folder.name}"
        self.file = rehearsal.write(folder, name=name, seconds=SECONDS, trials=len(truth), **STUDY)
        self.overrides = [f"search.storage={self.url}", *(REAL if real else ())]
        self.config = load(self.file, self.overrides)
        self.rng: Generator = default_rng(seed)
        self.seconds = REAL_SECONDS if real else SECONDS
        self.tally = Tally(victim, storage, evaluator="world" if real else "fake")
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
        status = self._ended(process)
        if self.victim in AGAIN:
            self.tally.corrupted += self.victim == "interrupt" and status not in (0, INTERRUPTED)
            status = self._ended(self._started())
        self.tally.kills += killed
        self._check(finished, status)

    def _started(self) -> Any:
        return _start("search", self.file, self.overrides, self.folder, self.folder / "cache", "--trials", self.wanted)

    def _ended(self, process: Any) -> int:
        return _end(process)

    def _wait(self, process: Any) -> None:
        """Until a moment that nobody has chosen: at the start, or in the middle of a trial."""
        if self.victim != "server" and self.rng.random() < STARTING:  # one that is away at the start is refused at once
            time.sleep(self.rng.uniform(0.1, 2))
            return
        last = len(self.eye.trials()) + self.rng.integers(1, EACH)
        while process.is_alive() and len(self.eye.trials()) < last:
            time.sleep(0.02)
        time.sleep(self.rng.uniform(0, self.seconds))

    def _kill(self, process: Any) -> bool:
        if self.victim == "server":
            assert self.server is not None
            self.server.kill()
            time.sleep(self.rng.uniform(0, 2))
            self.server.start()
            return True
        return _hit(process, self.victim, self.rng)

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


class Confirmation:
    """Kills of a confirmation, of its driver or a worker, or Ctrl-C: given again, it says what an undisturbed one says.

    Each round has a cache of its own, so that there is something to do. What was measured before the kill must be
    there afterwards as it was (lost), and must not have been measured again (repeated).
    """

    def __init__(
        self,
        folder: Path,
        victim: Victim,
        storage: str,
        seed: int,
        server: postgres.Server | None = None,
        real: bool = False,
    ) -> None:
        self.folder, self.victim = folder, victim
        name = f"confirmed-{victim}-{seed}-{folder.name}"
        self.file = rehearsal.write(folder, name=name, seconds=SECONDS, trials=4, **STUDY)
        url = server.url if storage == "postgres" and server else STORAGES[storage]
        self.overrides = [f"search.storage={url}", *(REAL if real else ())]
        self.config = load(self.file, self.overrides)
        self.rng: Generator = default_rng(seed)
        self.tally = Tally(victim, storage, "world" if real else "fake", "confirm")
        self.rounds = 0
        first = folder / "cache"
        assert _end(_start("search", self.file, self.overrides, folder, first)) == 0
        begun = time.monotonic()
        assert _end(_start("confirm", self.file, self.overrides, folder, first)) == 0
        self.seconds, self.truth = time.monotonic() - begun, self._rows()

    def round(self) -> None:
        self.rounds += 1
        cache, confirmed = self.folder / f"cache-{self.rounds}", self.config.folder / "confirm.json"
        confirmed.unlink(missing_ok=True)
        process = _start("confirm", self.file, self.overrides, self.folder, cache)
        self._wait(process, cache)
        killed = process.is_alive() and _hit(process, self.victim, self.rng)
        if self.victim == "driver":
            process.join(PATIENCE)
        before = self._scores(cache)
        status = _end(process)
        if self.victim in AGAIN:
            self.tally.corrupted += self.victim == "interrupt" and status not in (0, INTERRUPTED)
            status = _end(_start("confirm", self.file, self.overrides, self.folder, cache))
        self._check(before, self._scores(cache), status, killed)

    def _wait(self, process: Any, cache: Path) -> None:
        """Until something was measured, or at the start; and then any moment more."""
        if self.rng.random() >= STARTING:
            while process.is_alive() and not self._scores(cache):
                time.sleep(0.01)
        time.sleep(self.rng.uniform(0, self.seconds / 3))

    def _scores(self, cache: Path) -> dict[Path, tuple[int, bytes]]:
        """The files of scores: when each was written, and what is in it."""
        return {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in (cache / "scores").rglob("[!.]*.json")}

    def _check(
        self, before: dict[Path, tuple[int, bytes]], after: dict[Path, tuple[int, bytes]], status: int, killed: bool
    ) -> None:
        tally = self.tally
        tally.kills += killed
        tally.attempts += 1
        tally.trials += len(after)
        tally.corrupted += status != 0
        tally.lost += sum(file not in after for file in before)
        tally.repeated += sum(after.get(file, content) != content for file, content in before.items())
        tally.different += self._rows() != self.truth
        if not tally.good and len(tally.said) < 3:
            tally.said.append((self.folder / "said").read_text(encoding="utf-8")[-2000:])

    def _rows(self) -> Any:
        try:
            return json.loads((self.config.folder / "confirm.json").read_text(encoding="utf-8"))["rows"]
        except (OSError, ValueError):
            return None


def _start(command: str, file: Path, overrides: list[str], folder: Path, cache: Path, *more: object) -> Any:
    """The command in a process of its own, with worker processes; what it says goes to <folder>/said."""
    forkserver.ensure_running()
    settings = [word for override in overrides for word in ("--set", override)]
    arguments = [command, file, *settings, *more, "--backend", "process", "--workers", WORKERS]
    process = SERVER.Process(target=_command, args=([str(each) for each in arguments], folder, cache))
    process.start()
    return process


def _end(process: Any) -> int:
    """Its exit status, once it has ended; it is killed where it does not end."""
    process.join(PATIENCE)
    if process.is_alive():
        process.kill()
        process.join()
    return int(process.exitcode or 0)


def _hit(process: Any, victim: Victim, rng: Generator) -> bool:
    """Whether something was hit: a worker of the process, the process, or both, as a terminal does it."""
    if victim == "interrupt":
        with suppress(ProcessLookupError):  # it has no group of its own yet
            os.killpg(process.pid, signal.SIGINT)
            return True
        return False
    victims = workers(process.pid) if victim == "worker" else [process.pid]
    if not victims:
        return False
    os.kill(victims[rng.integers(len(victims))], signal.SIGKILL)
    return True


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


def _command(arguments: list[str], folder: Path, cache: Path) -> None:
    os.setpgid(0, 0)  # Ctrl-C is for it and its workers
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background ignores it
    os.environ |= {"REALINGO_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
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
