"""`realingo study copy`: a study moved to another storage, with its trials, notes and figures.

The copy carries a mark until it was read back and found equal, so half a copy is never taken for a study.
`optuna.copy_study` has no such mark, copies who drives the study, leaves the notes of the dashboard with the keys that
trials had in the old storage, and ends where a server is away for a moment.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from search import terminal
from search.results.json_reader import Json
from search.study.provenance import check_readable
from search.study.storage import Storage, Taken, open_storage, patiently, redact_url
from selector.errors import InputError, RunError

NOTE = re.compile(r"(dashboard:)(\d+)(:note_(?:ver|str:\d+))")  # of a trial, by its key in the storage
MARK = "unfinished"
OWN = {"driver", MARK}  # attributes that say something of the study where it is, not of the study


@dataclass(frozen=True)
class StudyCopy:
    """A copied study, from where and to where; the storages are named without passwords."""

    study: str
    source: str
    target: str
    trials: Mapping[str, int]  # state → how many

    def to_json(self) -> Json:
        return {"study": self.study, "from": self.source, "to": self.target, "trials": dict(self.trials)}


def copy(source: str, target: str, name: str | None = None) -> StudyCopy:
    """Copy the study `name` (may be left out where there is one) and tell what was copied.

    Source and target are URLs or files. InputError where the source is not there or the target has a study of that
    name; RunError if a storage fails on the way, and the target is then as it was.
    """
    from_url, to_url = url(source), url(target)
    before = open_storage(from_url, create=False)
    name = _choose_study(before, name, from_url)
    theirs = before.get_study_id_from_name(name)
    attributes = before.get_study_user_attrs(theirs)
    check_readable(name, attributes)
    if attributes.get("driver"):
        terminal.remark(f"study '{name}' is being searched, or its search was killed: it is copied as it is now")
    made = None if "://" in to_url and not to_url.startswith("sqlite:///") else _file(to_url)
    made = made if made is not None and not made.exists() else None
    after = open_storage(to_url, create=True)
    mine = _begin_copy(after, name, before.get_study_directions(theirs), to_url)
    try:
        with terminal.progress() as advance:
            _fill(before, theirs, after, mine, to_url, advance)
    except BaseException:
        with suppress(Exception):
            after.delete_study(mine)
            if made is not None:
                made.unlink()
        raise
    states = Counter(trial.state.name.lower() for trial in after.get_all_trials(mine, deepcopy=False))
    return StudyCopy(name, redact_url(from_url), redact_url(to_url), dict(states))


def url(given: str) -> str:
    """A storage as `search.storage` names it, for `given`: a URL as it is, or the path of a database or a journal.

    A database is known by its first bytes or, where there is none yet, by its suffix.
    """
    if "://" in given:
        return given
    path = Path(given).expanduser().absolute()
    database = path.suffix in (".db", ".sqlite", ".sqlite3")
    if path.is_file():
        with path.open("rb") as stream:
            database = stream.read(15) == b"SQLite format 3"
    return f"sqlite:///{path}" if database else str(path)


def render(made: StudyCopy) -> terminal.RenderableType:
    """The copied study `made`, as a table."""
    trials = ", ".join(f"{count} {state}" for state, count in made.trials.items()) or "none"
    rows = [["study", made.study], ["from", made.source], ["to", made.target], ["trials", trials]]
    return terminal.table("", ["", ""], [*rows, ["next", f"set search.storage = '{made.target}'"]])


def _file(storage: str) -> Path:
    return Path(storage.removeprefix("sqlite:///"))


def _choose_study(storage: Storage, name: str | None, where: str) -> str:
    names = sorted(study.study_name for study in storage.get_all_studies())
    if name is None and len(names) == 1:
        return names[0]
    known = f"it has: {', '.join(names)}" if names else "it has none"
    if name is None:
        raise InputError(f"{redact_url(where)} has {len(names)} studies", f"choose one with --name; {known}")
    if name not in names:
        raise InputError(f"there is no study '{name}' in {redact_url(where)}", known)
    return name


def _begin_copy(storage: Storage, name: str, directions: Any, where: str) -> int:
    """The key of a new study that is marked; what is left of a copy that was killed goes."""
    for study in storage.get_all_studies():
        if study.study_name == name and study.user_attrs.get(MARK):
            storage.delete_study(study._study_id)
    try:
        key = storage.create_new_study(directions, name)
    except Taken:
        raise InputError(
            f"{redact_url(where)} has a study '{name}' already", "nothing is overwritten: copy to another storage"
        ) from None
    storage.set_study_user_attr(key, MARK, True)
    return key


def _fill(before: Storage, theirs: int, after: Storage, mine: int, where: str, advance: terminal.Advance) -> None:
    trials = before.get_all_trials(theirs, deepcopy=False)
    keys: dict[str, int] = {}  # of a trial, there → here
    for done, trial in enumerate(trials):
        advance("copying", done, len(trials))
        keys[str(trial._trial_id)] = after.create_new_trial(mine, trial)
    for key, value in before.get_study_system_attrs(theirs).items():
        here = NOTE.sub(lambda found: f"{found[1]}{keys.get(found[2], -1)}{found[3]}", key)
        patiently(partial(after.set_study_system_attr, mine, here, value), where)
    for key, value in before.get_study_user_attrs(theirs).items():
        if key not in OWN:
            patiently(partial(after.set_study_user_attr, mine, key, value), where)
    if list(map(_content, after.get_all_trials(mine, deepcopy=False))) != list(map(_content, trials)):
        raise RunError(f"the copy in {redact_url(where)} differs from what was copied", "try again, or another storage")
    after.set_study_user_attr(mine, MARK, False)
    advance("copying", len(trials), len(trials))


def _content(trial: Any) -> tuple[Any, ...]:
    return (
        trial.number, trial.state, trial.values, trial.intermediate_values,
        trial.params, trial.user_attrs, trial.system_attrs,
    )  # fmt: skip
