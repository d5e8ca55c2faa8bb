"""A study as optuna-dashboard is to show it: a storage that changes what is read, and refuses to write all but notes.

The stored study stays as it is. Shown are scores in percent, one parameter for each language of the pool, a few short
attributes in words, and the figures of `figures`; hidden is what Realingo keeps for itself.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

from search.study.storage import Storage
from selector.errors import InputError
from selector.languages.language import parse

IN, OUT = "in", "out"  # whether a subset holds a language
MEMBER = CategoricalDistribution((OUT, IN))
NOTE = re.compile(r"dashboard:(\d+:)?note_(ver|str)")
FIGURE = "dashboard:plot_data:"
AXES = ["Search score, %", "Cost"]
REFUSED = "Only notes can be changed here: trials are written by 'realingo search' alone."
LONGEST = 200  # letters of an attribute


@dataclass(frozen=True)
class StudyAbout:
    """The texts and figures of one study beside its trials."""

    best: int | None = None  # number of the trial that scored highest among those that count
    words: Mapping[str, str] = field(default_factory=dict)  # its attributes
    figures: Mapping[str, str] = field(default_factory=dict)  # id → a plotly figure as JSON


class StudyView(BaseStorage):
    """The storage `inner` for reading. `about` belongs to the study `study_id` and may be set anew at any time."""

    def __init__(self, inner: Storage, study_id: int, about: StudyAbout) -> None:
        self.about = about
        self._inner, self._id = inner, study_id

    def get_all_studies(self) -> list[FrozenStudy]:
        return [self._study(study) for study in self._inner.get_all_studies()]

    def get_study_id_from_name(self, study_name: str) -> int:
        return self._inner.get_study_id_from_name(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        return self._inner.get_study_name_from_id(study_id)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return self._inner.get_study_directions(study_id)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return self._user_attributes(study_id, self._inner.get_study_user_attrs(study_id))

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        kept = self._inner.get_study_system_attrs(study_id)
        ours = "facts" in self._inner.get_study_user_attrs(study_id)
        return self._system_attributes(study_id, kept, len(self.get_study_directions(study_id))) if ours else kept

    def get_trial(self, trial_id: int) -> FrozenTrial:
        return view_trial(self._inner.get_trial(trial_id), ())

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        pool = self._pool(study_id)
        trials = self._inner.get_all_trials(study_id, deepcopy=deepcopy, states=states)
        return [view_trial(trial, pool) for trial in trials]

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        """The trial that scored highest among those that count, with the languages of its subset alone."""
        if study_id != self._id or self.about.best is None:
            return view_trial(self._inner.get_best_trial(study_id), ())
        key = self._inner.get_trial_id_from_study_id_trial_number(study_id, self.about.best)
        return self.get_trial(key)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Store a part of a note."""
        if not NOTE.match(key):
            self._refuse()
        self._inner.set_study_system_attr(study_id, key, value)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise PermissionError(REFUSED)

    create_new_study = delete_study = set_study_user_attr = create_new_trial = _refuse
    set_trial_param = set_trial_state_values = set_trial_intermediate_value = _refuse
    set_trial_user_attr = set_trial_system_attr = _refuse

    def _pool(self, study_id: int) -> Sequence[str]:
        """Codes of the study's pool; none where the study is not ours."""
        facts = self._inner.get_study_user_attrs(study_id).get("facts") or {}
        return tuple(facts.get("pool", ()))

    def _study(self, study: FrozenStudy) -> FrozenStudy:
        key, system = study._study_id, study.system_attrs
        if "facts" in study.user_attrs:
            system = self._system_attributes(key, system, len(study.directions))
        user = self._user_attributes(key, study.user_attrs)
        return FrozenStudy(study.study_name, None, user, system, key, directions=study.directions)

    def _user_attributes(self, study_id: int, kept: dict[str, Any]) -> dict[str, Any]:
        """Our own words in place of what a search keeps; those of a study that is not ours as they are."""
        if study_id == self._id:
            return dict(self.about.words)
        return {} if "facts" in kept else kept

    def _system_attributes(self, study_id: int, kept: dict[str, Any], axes: int) -> dict[str, Any]:
        """Notes as they are stored; the figures and the names of the axes as they are now."""
        shown = {key: value for key, value in kept.items() if not key.startswith(FIGURE)}
        figures = self.about.figures if study_id == self._id else {}
        now = {f"{FIGURE}{name}:0": figure for name, figure in figures.items()}
        return {**shown, **now, "study:metric_names": AXES[:axes]}


def view_trial(trial: FrozenTrial, pool: Sequence[str]) -> FrozenTrial:
    """A trial with its score in percent, its languages as parameters, and short attributes; another's as it is.

    `pool` holds the codes of which those outside the subset are parameters as well.
    """
    if "subset" not in trial.user_attrs:
        return trial
    members = trial.user_attrs["subset"].split()
    params: dict[str, Any] = {language_name(code): IN for code in members}
    params |= {language_name(code): OUT for code in pool if code not in members}
    distributions: dict[str, BaseDistribution] = dict.fromkeys(params, MEMBER)
    return FrozenTrial(
        number=trial.number,
        state=trial.state,
        value=None,
        values=None if trial.values is None else [in_percent(trial.values[0]), *trial.values[1:]],
        datetime_start=trial.datetime_start,
        datetime_complete=trial.datetime_complete,
        params=params,
        distributions=distributions,
        user_attrs=_words(trial.user_attrs, members),
        system_attrs={},
        intermediate_values={step: in_percent(value) for step, value in trial.intermediate_values.items()},
        trial_id=trial._trial_id,
    )


def in_percent(score: float) -> float:
    """A score in [0, 1] as percent, to two digits."""
    return round(100 * score, 2)


@functools.cache
def language_name(code: str) -> str:
    """The English name of a language; its code where it has none."""
    try:
        return parse(code).name
    except InputError:
        return code


def _words(attributes: Mapping[str, Any], members: Sequence[str]) -> dict[str, Any]:
    """What a reader wants to know of a trial."""
    result = {**attributes, **attributes.get("result", {})}
    found: dict[str, Any] = {
        "languages": ", ".join(map(language_name, members)),
        "proposed by": attributes.get("origin", ""),
        "fidelity": attributes.get("level", ""),
    }
    if "seconds" in result:
        found["seconds"] = round(result["seconds"], 1)
    if attributes.get("cost") not in (None, len(members)):
        found["cost"] = attributes["cost"]
    if "error" in attributes:
        found["error"] = attributes["error"]
    return {name: value[:LONGEST] if isinstance(value, str) else value for name, value in found.items() if value != ""}
