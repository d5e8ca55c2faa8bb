"""The study: what was tried, in an Optuna storage, which is the only record.

One trial is one evaluation of one subset, kept in user attributes. Its members are parameters as well, written with the
trial and read by nobody but Optuna's pages. A trial stands at a *position* 0, 1, 2, …; another attempt at the same
position (after a kill) is a new trial with the same subset. What is proposed at a position depends on the seed and the
position only, so a resumed study equals an uninterrupted one. The driver alone writes, so it reads once and then knows.

User attributes of a study: `facts`, what of the study file changes a score; `contents`, the signatures of what it
names; `schema`, the form of the others (absent in the first
versions: a trial's `per_language`, `signature` and `seconds` then stand beside each other, not in one `result`);
`driver`, who writes now, see `search.study.lease`; `evaluator`, the name of a user's own, where one measures;
`unfinished`, that it is a copy in the making.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TypeVar

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from realign.inputs import Contents, find_differences
from realign.score import Score
from search.config.study_config import StudyConfig
from search.score_objective import pareto_front
from search.study.owner import Owner, this_process
from search.study.provenance import SCHEMA, check_facts, check_readable, facts, foreign, unlike
from search.study.record import StudyRecord, trial_of
from search.study.storage import Storage, open_storage, redact_url, unusable
from search.study.trial import (
    CHANGED,
    INTERRUPTED,
    LOST,
    MOST_RETRIES,
    State,
    Trial,
    TrialResult,
    TrialStart,
    last_attempts,
    pool_repeats,
)
from selector.errors import InputError, RunError
from selector.languages.subset import Subset

DIRECTIONS = (StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE)  # of the score and the cost
Answer = TypeVar("Answer")

log = logging.getLogger("realingo.study")
MEMBER = CategoricalDistribution((False, True))
MOST_PARAMETERS = 24  # languages of a pool of which those left out are recorded as well


class Study:
    """Read and write one study. Construct through `open_study`."""

    def __init__(self, storage: Storage, config: StudyConfig) -> None:
        self.config = config
        self.record = StudyRecord(storage, config.name, config.storage)
        self._languages = {language.code: language for language in config.pool}
        self._known: dict[int, Trial] | None = None  # by number, once this process is the driver

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def storage(self) -> Storage:
        return self.record.storage

    def trials(self) -> list[Trial]:
        """Every attempt, by number."""
        if self._known is not None:
            return list(self._known.values())
        return [self._trial(each) for each in self.record.trials() if "subset" in each.user_attrs]

    def driven(self) -> AbstractContextManager[None]:
        """Be the only one on any machine to write trials; RunError while another one is."""
        return self.record.driven(self.config.search.take_over)

    def require_evaluator(self, name: str, code: str = "") -> None:
        """Remember the user's evaluator that measures, by name; "" is the study file's. InputError for another one.

        A warning where the code of the same name, which `code` stands for, is another than before.
        """
        before = self.record.attributes.get("evaluator", "")
        if name and not before and not self.trials():
            self.record.set_attribute("evaluator", name)
        elif name != before:
            raise InputError(
                f"study '{self.name}' is measured by {before or 'the evaluator of its file'}, "
                f"not by {name or 'the evaluator of its file'}",
                "pass the same evaluator to every call from Python, or give the study another name",
            )
        known = self.record.attributes.get("evaluator_code", "")
        if known.partition(":")[0] == code.partition(":")[0] and known != code:
            message = (
                "study '%s': the code of %s changed since trials were measured with it: their scores may not compare"
            )
            log.warning(message, self.name, name)
        if code and known != code:
            self.record.set_attribute("evaluator_code", code)

    def agree(self, contents: Contents) -> None:
        """Remember `contents`, what the evaluator reads, by signature: encoder, parallel text, task data.

        To be called as driver. InputError names what is not what the trials were measured with, or says that this is
        not known of them.
        """
        if not contents:
            return
        known: Contents = self.record.attributes.get("contents", {})
        if not known and any(trial.state == "complete" for trial in self.trials()):
            raise unlike(self.name, self.config.storage, ["the way of measuring"])
        if names := find_differences(known, contents):
            raise unlike(self.name, self.config.storage, names)
        if contents.keys() - known.keys():
            self.record.write(lambda: self.record.set_attribute("contents", {**known, **contents}))

    def check(self, contents: Contents) -> None:
        """InputError where `contents`, what an evaluator reads, are not those that the trials were measured with."""
        known = self.record.attributes.get("contents", {})
        if names := find_differences(known, contents):
            raise unlike(self.name, self.config.storage, names)

    def best(self, count: int = 1) -> list[Trial]:
        """The `count` best subsets of the finished trials that count, by mean over trials; ties go to the earlier."""
        done = [t for t in self.trials() if t.state == "complete" and self.counts(t)]
        return sorted(pool_repeats(done), key=lambda trial: (-(trial.value or 0.0), trial.number))[:count]

    def front(self) -> list[Trial]:
        """The Pareto front: no other subset scores as much for less, or more for as much. Cheap ones first."""
        return pareto_front(self.best(len(self.trials())))

    def counts(self, trial: Trial) -> bool:
        """True if `trial` answers the study's question: an allowed subset, at the fidelity whose scores count."""
        return trial.level == self.config.level and self.config.space.allows(trial.subset)

    def begin(
        self,
        subset: Subset,
        origin: str,
        position: int,
        fidelity: Mapping[str, object],
        retry_of: int | None = None,
        level: str = "full",
        seed: int | None = None,
    ) -> Trial:
        """Record that the subset is being evaluated, in one write: a kill leaves all of it or nothing.

        `seed` is that of its first run; None: the study's.
        """
        me, token = this_process(), self.record.token
        attributes = TrialStart(
            subset=subset.codes,
            origin=origin,
            position=position,
            seed=self.config.seed if seed is None else seed,
            cost=self.config.space.cost(subset),
            level=level,
            fidelity=fidelity,
            owner=me if token is None else dataclasses.replace(me, token=token),
            retry_of=retry_of,
        ).to_json()
        return self._remember(self._trial(self.record.begin_trial(attributes, self._parameters(subset))))

    def _parameters(self, subset: Subset) -> dict[str, bool]:
        """The members, as Optuna's pages show them: every language of a small pool, else the members alone,
        since each costs a database a row."""
        members = {language.code: True for language in subset}
        pool = self.config.pool if len(self.config.pool) <= MOST_PARAMETERS else ()
        return {**{language.code: False for language in pool}, **members}

    def finish(
        self,
        trial: Trial,
        score: Score,
        value: float,
        runs: int | None = None,
        course: tuple[float, ...] = (),
        expected: float | None = None,
    ) -> Trial:
        """Record the score; if the trial was stopped after `runs` of its seeds, that too: it is no answer then.

        `course`, the values on the way, are Optuna's intermediate values; `expected` belongs to a run that was stopped.
        """
        result = TrialResult(
            dict(score.per_language), score.signature, score.seconds, runs, expected, score.source_score
        )
        values = [value, trial.cost] if self.config.search.objectives else [value]
        state: State = "complete" if runs is None else "pruned"
        ended = trial.ended(state, value, course, result)
        content = dataclasses.replace(result, check=ended.check).to_json()
        written = TrialState.COMPLETE if runs is None else TrialState.PRUNED
        self.record.end_trial(trial.number, written, ("result", content), values, course)
        return self._remember(ended)

    def fail(self, trial: Trial, message: str) -> Trial:
        """Record that `trial` failed, with the reason `message`; returns the trial as it is then."""
        self.record.end_trial(trial.number, TrialState.FAIL, ("error", message))
        return self._remember(dataclasses.replace(trial, state="failed", error=message))

    def recover(self) -> list[Trial]:
        """Mark running trials whose process has ended as failed, and list the attempts that should be made again.

        Call as the only driver: from here on the study is known without reading. Under the lease no other driver is
        left; what an older version runs on another machine, without a lease, is RunError, unless search.take_over.
        An attempt is made again if it was interrupted, or if its process died under it at most twice; and where
        nothing has succeeded yet, if it failed at all: then the set-up was wrong, not the subset.
        """
        self._known = None
        trials = self.trials()
        self._known = {trial.number: trial for trial in trials}
        for trial in trials:
            if trial.state != "running":
                continue
            owner = trial.owner or Owner()
            under_lease = self.record.token is not None and owner.token
            if not (under_lease or owner.has_ended or self.config.search.take_over):
                raise RunError(
                    f"trial {trial.number} of study '{self.name}' is running on {owner.host}",
                    "wait for it; if that machine or process is gone, add --set search.take_over=true",
                )
            self.fail(trial, LOST)
        latest = last_attempts(self.trials())
        if any(trial.state == "complete" for trial in latest.values()):
            return [trial for trial in latest.values() if self.deserves_another(trial)]
        return [trial for trial in latest.values() if trial.state == "failed"]

    def deserves_another(self, trial: Trial) -> bool:
        """True if `trial`, a failed attempt, says so little about its subset that it should be repeated."""
        lost = [t for t in self.trials() if t.position == trial.position and t.error == LOST]
        return (
            trial.error == INTERRUPTED
            or trial.error.startswith(CHANGED)
            or (trial.error == LOST and len(lost) <= MOST_RETRIES)
        )

    def _trial(self, frozen: FrozenTrial) -> Trial:
        found, check = trial_of(frozen, self._languages, self.config.level)
        if found.state in ("complete", "pruned") and check not in (None, found.check):
            raise InputError(
                f"trial {found.number} of study '{self.name}' holds a result that is not its own: "
                f"{redact_url(self.config.storage)} is damaged",
                "restore the storage from a copy, or begin a study of another name",
            )
        return dataclasses.replace(found, cost=self.config.space.cost(found.subset))  # by the prices of today

    def _remember(self, trial: Trial) -> Trial:
        if self._known is not None:
            self._known[trial.number] = trial
        return trial


def open_study(config: StudyConfig, create: bool) -> Study:
    """Open the study of the file `config`, or `create` it. InputError: it is absent, unusable or of other settings."""
    storage = open_storage(config.storage, create)
    try:
        names = {study.study_name for study in storage.get_all_studies()}
        if config.name not in names:
            if not create:
                raise _absent(config.name, config.storage)
            directions = DIRECTIONS[: len(config.search.objectives) or 1]
            sampler = optuna.samplers.RandomSampler(0)  # never asked
            optuna.create_study(storage=storage, study_name=config.name, directions=directions, sampler=sampler)
        study = Study(storage, config)
        _introduce(study, create)
    except (InputError, KeyboardInterrupt):
        raise
    except Exception as problem:
        raise unusable(config.storage, problem) from None
    return study


def _introduce(study: Study, create: bool) -> None:
    """Refuse what cannot be understood or compared; a new study remembers what it is about."""
    attributes = study.record.attributes
    check_readable(study.name, attributes)
    if attributes.get("facts") is not None:
        check_facts(study.name, study.config.storage, attributes["facts"], facts(study.config))
    elif study.storage.get_n_trials(study.record.id):
        raise foreign(study.name, study.config.storage)
    elif not create:
        raise _absent(study.name, study.config.storage)
    if create:
        for name, value in (("schema", SCHEMA), ("facts", facts(study.config))):
            if attributes.get(name) is None:
                study.record.set_attribute(name, value)


def _absent(name: str, storage: str) -> InputError:
    return InputError(
        f"there is no study '{name}' in {redact_url(storage)} yet",
        "start it with 'realingo search STUDY.toml'",
    )
