"""One study in an Optuna storage: its attributes, its trials, and the right to write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from optuna.distributions import CategoricalDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.results.json_reader import Json
from search.study.lease import Lease
from search.study.owner import Owner
from search.study.storage import Storage, patiently
from search.study.trial import State, Trial, TrialResult, TrialStart
from selector.errors import RunError
from selector.languages.language import Language
from selector.languages.subset import Subset

STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.FAIL: "failed",
    TrialState.PRUNED: "pruned",
    TrialState.RUNNING: "running",
}
MEMBER = CategoricalDistribution((False, True))
Answer = TypeVar("Answer")


class StudyRecord:
    """Reads and writes what a storage holds of one study; a write waits for a storage that is locked, full or away."""

    def __init__(self, storage: Storage, name: str, url: str) -> None:
        """`url` is that of the storage, for messages. The study `name` must be there."""
        self.storage, self.name, self.url = storage, name, url
        self.patience: float | None = None  # seconds a write is tried again; None: as long as `search.storage` says
        self.id = storage.get_study_id_from_name(name)
        self.keys: dict[int, int] = {}  # number of a trial → key of the storage
        self._lease: Lease | None = None

    @property
    def attributes(self) -> Json:
        """The user attributes of the study, by name."""
        return self.storage.get_study_user_attrs(self.id)

    def set_attribute(self, name: str, value: object) -> None:
        """Write `value` as the user attribute `name` of the study at once, be the study driven or not."""
        self.storage.set_study_user_attr(self.id, name, value)

    @property
    def token(self) -> str | None:
        """The token of the lease under which this process drives the study; None where it does not."""
        return None if self._lease is None else self._lease.token

    @property
    def driver(self) -> Owner | None:
        """The process that drives the study, as the storage says."""
        return Owner.from_json(self.attributes.get("driver"))

    def set_driver(self, driver: Owner | None) -> None:
        """Write that the process `driver` drives the study; None: nobody does."""
        self.set_attribute("driver", {} if driver is None else driver.to_json())

    @contextmanager
    def driven(self, take_over: bool) -> Iterator[None]:
        """Be the only one on any machine to write trials; RunError while another one is.

        With `take_over` a driver that cannot be looked at counts as dead.
        """
        lease = Lease(lambda: self.driver, self.set_driver)
        patiently(lambda: lease.take(self.name, take_over), self.url, self.patience)
        self._lease = lease
        try:
            yield
        finally:
            lease.give_back()
            self._lease = None

    def trials(self) -> list[FrozenTrial]:
        """Every trial, as Optuna has it."""
        read = self.storage.get_all_trials
        frozen = patiently(lambda: read(self.id, deepcopy=False), self.url, self.patience)
        self.keys |= {trial.number: trial._trial_id for trial in frozen}
        return frozen

    def begin_trial(self, attributes: Json, members: Mapping[str, bool]) -> FrozenTrial:
        """Write a running trial with user `attributes`, and `members` (code → in the subset or not) as parameters.

        One write: a kill leaves all of it or nothing. Written again after a failure, the trial stands there once.
        """
        parameters = dict(members)
        template = create_trial(
            state=TrialState.RUNNING,
            user_attrs=attributes,
            params=parameters,
            distributions=dict.fromkeys(parameters, MEMBER),
        )
        tries = 0

        def record() -> FrozenTrial:
            nonlocal tries
            tries += 1
            key = self._key_of_running(attributes) if tries > 1 else None
            return self.storage.get_trial(key if key is not None else self.storage.create_new_trial(self.id, template))

        trial = self.write(record)
        self.keys[trial.number] = trial._trial_id
        return trial

    def _key_of_running(self, attributes: Json) -> int | None:
        """Key of a trial that stands in the study although writing it was reported to have failed."""
        running = self.storage.get_all_trials(self.id, deepcopy=False, states=(TrialState.RUNNING,))
        return next((each._trial_id for each in running if each.user_attrs == attributes), None)

    def end_trial(
        self,
        number: int,
        state: TrialState,
        attribute: tuple[str, object],
        values: Sequence[float] | None = None,
        course: Sequence[float] = (),
    ) -> None:
        """Write one user attribute, then the intermediate values `course`, then the state with the final `values`.

        The state is written last, so a half-written trial counts as not finished.
        """
        if (key := self.keys.get(number)) is None:
            key = self.storage.get_trial_id_from_study_id_trial_number(self.id, number)

        def record() -> None:
            try:
                self.storage.set_trial_user_attr(key, *attribute)
                for seeds, after in enumerate(course, 1):
                    self.storage.set_trial_intermediate_value(key, seeds, after)
                self.storage.set_trial_state_values(key, state, values)
            except UpdateFinishedTrialError:
                if self.storage.get_trial(key).state != state:  # else written, although reported to have failed
                    raise self._lease_error() from None

        self.write(record)

    def write(self, record: Callable[[], Answer]) -> Answer:
        """The answer of `record`, tried again while the storage is busy; RunError where another one drives by now."""

        def mine() -> Answer:
            if self._lease and not self._lease.is_ours():
                raise self._lease_error()
            return record()

        return patiently(mine, self.url, self.patience)

    def _lease_error(self) -> RunError:
        return RunError(
            f"study '{self.name}' is now driven by {self.driver or 'nobody'}",
            "that search goes on; what was measured here is kept in the cache of this machine",
        )


def trial_of(frozen: FrozenTrial, languages: Mapping[str, Language], level: str) -> tuple[Trial, str | None]:
    """A trial as it stands in the storage, and the check sum written with its result, if there is one.

    `languages` holds those of the pool by code; `level` is that of trials of the first versions, which do not name it.
    """
    start, result = TrialStart.from_json(frozen.user_attrs, level), TrialResult.from_json(frozen.user_attrs)
    begun = Trial(
        number=frozen.number,
        position=start.position,
        state=STATES.get(frozen.state, "running"),
        subset=Subset.of(languages[code] for code in start.subset),
        origin=start.origin,
        seed=start.seed,
        level=start.level,
        cost=start.cost,
        fidelity=start.fidelity,
        error=frozen.user_attrs.get("error", ""),
        retry_of=start.retry_of,
        owner=start.owner,
        started=frozen.datetime_start,
    )
    course = tuple(frozen.intermediate_values[seeds] for seeds in sorted(frozen.intermediate_values))
    return begun.ended(begun.state, frozen.values[0] if frozen.values else None, course, result), result.check
