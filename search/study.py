"""The study: what was tried, in an Optuna storage, which is the only record (one of two importers of Optuna).

One trial is one evaluation of one subset, kept in user attributes: a parameter per language would cost a database
write each. A trial stands at a *position* 0, 1, 2, …; another attempt at the same position (after a kill) is a new
trial with the same subset. What is proposed at a position depends on the seed and the position only, so a resumed
study equals an uninterrupted one. The driver alone writes.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from realign.score import Score
from search import owner
from search.config import StudyConfig
from search.objective import front
from selector.errors import InputError, RunError
from selector.subset import Subset

State = Literal["complete", "failed", "pruned", "running"]
STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.FAIL: "failed",
    TrialState.PRUNED: "pruned",
    TrialState.RUNNING: "running",
}
INTERRUPTED = "interrupted"  # stopped on request: may be tried again any number of times
LOST = "lost"  # its process died: tried again, but it may have been the cause
MOST_RETRIES = 2
DIRECTIONS = (StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE)  # of the score and the cost


@dataclass(frozen=True)
class Trial:
    """One attempt at evaluating one subset."""

    number: int
    position: int
    state: State
    subset: Subset
    origin: str  # the strategy that proposed it, or "warm:max-sum"
    seed: int
    value: float | None = None  # what the study maximizes, in [0, 1]
    per_language: Mapping[str, float] = field(default_factory=dict)
    signature: str = ""
    level: str = ""  # "full", "short" or "merge"
    cost: float = 0.0  # of the subset: the sum of its languages' costs, or their number
    fidelity: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    error: str = ""
    retry_of: int | None = None  # number of the attempt before
    owner: Mapping[str, Any] = field(default_factory=dict)
    started: datetime | None = None


class Study:
    """Read and write one study. Construct through `open_study`."""

    def __init__(self, storage: BaseStorage, name: str, config: StudyConfig) -> None:
        self.storage = storage
        self.name = name
        self.config = config
        self._id = storage.get_study_id_from_name(name)
        self._languages = {language.code: language for language in config.pool}

    def trials(self) -> list[Trial]:
        """Every attempt, by number."""
        frozen = self.storage.get_all_trials(self._id, deepcopy=False)
        return [self._trial(each) for each in frozen if "subset" in each.user_attrs]

    def best(self, count: int = 1) -> list[Trial]:
        """The best finished trials of those that count; ties go to the earlier."""
        done = [t for t in self.trials() if t.state == "complete" and self.counts(t)]
        return sorted(done, key=lambda trial: (-(trial.value or 0.0), trial.number))[:count]

    def front(self) -> list[Trial]:
        """The Pareto front: no other subset scores as much for less, or more for as much. Cheap ones first."""
        return front(self.best(len(self.trials())))

    def counts(self, trial: Trial) -> bool:
        """Whether the trial is an answer to what the study asks: an allowed subset, not measured on the cheap."""
        return trial.level == self.config.level and self.config.space.allows(trial.subset)

    def begin(
        self,
        subset: Subset,
        origin: str,
        position: int,
        fidelity: Mapping[str, Any],
        retry_of: int | None = None,
        level: str = "full",
    ) -> Trial:
        """Record that the subset is being evaluated, in one write: a kill leaves all of it or nothing."""
        attributes = {
            "subset": " ".join(subset.codes),
            "k": len(subset),
            "origin": origin,
            "position": position,
            "seed": self.config.seed,
            "cost": self.config.space.cost(subset),
            "level": level,
            "fidelity": dict(fidelity),
            "owner": owner.me(),
            "retry_of": retry_of,
        }
        template = create_trial(state=TrialState.RUNNING, user_attrs=attributes)
        return self._read(self.storage.create_new_trial(self._id, template))

    def finish(self, trial: Trial, score: Score, value: float) -> Trial:
        """Record the score; the state is written last, so a half-written trial counts as not finished."""
        key = self._key(trial)
        result = {"per_language": dict(score.per_language), "signature": score.signature, "seconds": score.seconds}
        for name, content in result.items():
            self.storage.set_trial_user_attr(key, name, content)
        values = [value, trial.cost] if self.config.search.objectives else [value]
        self.storage.set_trial_state_values(key, TrialState.COMPLETE, values)
        return self._read(key)

    def fail(self, trial: Trial, message: str) -> Trial:
        key = self._key(trial)
        self.storage.set_trial_user_attr(key, "error", message)
        self.storage.set_trial_state_values(key, TrialState.FAIL)
        return self._read(key)

    def recover(self) -> list[Trial]:
        """Mark running trials whose process has ended as failed, and list the attempts that should be made again.

        Call as the only driver. What runs on another host is RunError, unless search.take_over says it is dead.
        An attempt is made again if it was interrupted, or if its process died under it at most twice; and where
        nothing has succeeded yet, if it failed at all: then the set-up was wrong, not the subset.
        """
        for trial in self.trials():
            if trial.state != "running":
                continue
            if not owner.gone(trial.owner) and not self.config.search.take_over:
                raise RunError(
                    f"trial {trial.number} of study '{self.name}' is running on {trial.owner.get('host')}",
                    "wait for it; if that machine or process is gone, add --set search.take_over=true",
                )
            self.fail(trial, LOST)
        latest = last_attempts(self.trials())
        if any(trial.state == "complete" for trial in latest.values()):
            return [trial for trial in latest.values() if self.deserves_another(trial)]
        return [trial for trial in latest.values() if trial.state == "failed"]

    def deserves_another(self, trial: Trial) -> bool:
        """Whether a failed attempt says so little about its subset that it should be made again."""
        lost = [t for t in self.trials() if t.position == trial.position and t.error == LOST]
        return trial.error == INTERRUPTED or (trial.error == LOST and len(lost) <= MOST_RETRIES)

    def _trial(self, frozen: FrozenTrial) -> Trial:
        kept = frozen.user_attrs
        known = {f.name for f in dataclasses.fields(Trial)} & set(kept) - {"subset"}
        kept = {"level": self.config.level, **kept}
        return Trial(
            number=frozen.number,
            state=STATES.get(frozen.state, "running"),
            subset=Subset.of(self._languages[code] for code in kept["subset"].split()),
            value=frozen.values[0] if frozen.values else None,
            started=frozen.datetime_start,
            **{name: kept[name] for name in known},
        )

    def _read(self, key: int) -> Trial:
        return self._trial(self.storage.get_trial(key))

    def _key(self, trial: Trial) -> int:
        return self.storage.get_trial_id_from_study_id_trial_number(self._id, trial.number)


def last_attempts(trials: Iterable[Trial]) -> dict[int, Trial]:
    """The latest attempt at each position, in the order of the positions."""
    latest = {trial.position: trial for trial in sorted(trials, key=lambda trial: trial.number)}
    return dict(sorted(latest.items()))


def open_study(config: StudyConfig, create: bool) -> Study:
    """Open the study of a study file, or create it. InputError if it is not there, cannot be opened or is another's."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    storage = _storage(config.storage, create)
    try:
        names = {study.study_name for study in storage.get_all_studies()}
        if config.name not in names:
            if not create:
                raise _absent(config)
            directions = DIRECTIONS[: len(config.search.objectives) or 1]
            sampler = optuna.samplers.RandomSampler(0)  # never asked
            optuna.create_study(storage=storage, study_name=config.name, directions=directions, sampler=sampler)
        study = Study(storage, config.name, config)
        _same_facts(study, facts(config), create)
    except (InputError, KeyboardInterrupt):
        raise
    except Exception as problem:
        raise _unusable(config.storage, problem) from problem
    return study


def facts(config: StudyConfig) -> dict[str, Any]:
    """Everything in the study file that changes a score, by its key; two studies compare only if these are equal."""

    def sections(*names: str) -> dict[str, Any]:
        return {name: getattr(config, name).model_dump(mode="json") for name in names}

    codes = {"pool": config.pool, "targets.tune": config.tune}
    whole = {
        **{key: [language.code for language in languages] for key, languages in codes.items()},
        **sections("model", "data", "task", "realign"),
        "pool.source": config.source.code,
        "search.objective": list(config.search.objectives) or config.search.objective,
        "search.seeds": config.search.seeds,
        "search.fidelity": config.search.fidelity,
        **(sections("fidelity") if config.search.fidelity != "full" else {}),
        "seed": config.seed,
        **({"targets.weights": dict(config.weights)} if config.weights else {}),
    }
    if isinstance(whole["model"]["base"], dict):
        whole["model"]["base"].pop("seconds", None)  # how long a rehearsal takes changes no score
    return whole


def shown(storage: str) -> str:
    """The storage without a password."""
    return re.sub(r"(://[^:/@]+):[^@]*@", r"\1:***@", storage)


def _same_facts(study: Study, mine: dict[str, Any], create: bool) -> None:
    """Refuse to mix scores that cannot be compared; a new study remembers what it is about."""
    key = study.storage.get_study_id_from_name(study.name)
    kept = study.storage.get_study_user_attrs(key).get("facts")
    if kept is None:
        if not create:
            raise _absent(study.config)
        study.storage.set_study_user_attr(key, "facts", mine)
        return
    mine = json.loads(json.dumps(mine))
    if different := [name for name in mine if kept.get(name) != mine[name]]:
        raise InputError(
            f"study '{study.name}' in {shown(study.config.storage)} was made with other settings of "
            f"{', '.join(different)}: its scores cannot be compared with new ones",
            "give this study another name or another search.storage, or restore the settings",
        )


def check_storage(url: str) -> Path | None:
    """The file a storage lives in, None for a server. InputError, with nothing written, where no file can be."""
    if ":memory:" in url or url == "sqlite://":
        raise InputError("a study in memory cannot be continued", "set search.storage to sqlite:///FILE.db")
    if "://" in url and not url.startswith("sqlite:///"):
        return None
    path = Path(url.removeprefix("sqlite:///"))
    if not path.parent.is_dir():
        raise _unusable(url, FileNotFoundError(f"there is no folder {path.parent}"))
    if path.is_dir():
        raise _unusable(url, IsADirectoryError(f"{path} is a folder"))
    return path


def _storage(url: str, create: bool) -> BaseStorage:
    path = check_storage(url)
    if path is not None and not create and not path.exists():
        raise InputError(f"there is no study in {path} yet", "start it with 'realingo search STUDY.toml'")
    try:
        if "://" in url:
            return optuna.storages.get_storage(RDBStorage(url))
        if create:
            _mend(Path(url))
        return JournalStorage(JournalFileBackend(url))
    except KeyboardInterrupt:
        raise
    except Exception as problem:
        raise _unusable(url, problem) from None


def _mend(journal: Path) -> None:
    """Cut off a last line that a kill left unfinished: Optuna would glue its next record to it and lose both.

    Only the one driver may do this, and only to a file that starts as a journal does.
    """
    content = journal.read_bytes() if journal.exists() else b""
    if content.startswith(b'{"op_code"') and not content.endswith(b"\n"):
        with journal.open("r+b") as stream:
            stream.truncate(content.rfind(b"\n") + 1)


def _unusable(url: str, problem: Exception) -> InputError:
    reason = (str(problem).splitlines() or [type(problem).__name__])[0]
    return InputError(
        f"cannot open the storage {shown(url)}: {reason}",
        "search.storage is sqlite:///FILE.db in a folder that exists, a journal file, or the URL of a database server",
    )


def _absent(config: StudyConfig) -> InputError:
    return InputError(
        f"there is no study '{config.name}' in {shown(config.storage)} yet",
        "start it with 'realingo search STUDY.toml'",
    )
