"""Overlap of the parallel text with the text of the task's test: a table of the texts that data sets are made of."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from realign.build.corpora import hub_spec, title
from realign.core import Core
from realign.data_sets import HubSet, VerseFiles, as_tuple
from selector.errors import InputError

log = logging.getLogger(__name__)

BIBLE = "bible"  # what verses are


def check_overlap(core: Core) -> None:
    """Compare the texts behind parallel data and task of `core`.

    InputError: both are made of the same text; a warning where one may contain the other. One and the same set is
    allowed as long as its training split is another than those that are tested.
    """
    for theirs in as_tuple(core.task_data):
        for ours in as_tuple(core.data.parallel):
            if ours == theirs and not _same_split(core, ours):
                continue
            shared = _texts(core, ours, "parallel", "text") & _texts(core, theirs, _kind(core), "text")
            if shared:
                text = f"{title(ours)} and {title(theirs)} are made of the same text ({', '.join(sorted(shared))})"
                message = f"{text}: realignment would see the test"
                raise InputError(message, "take other parallel text, or another test")
            _warn(core, ours, theirs)


def _warn(core: Core, ours: Any, theirs: Any) -> None:
    held = _texts(core, ours, "parallel", "may_hold") & _texts(core, theirs, _kind(core), "text")
    if held:
        _tell(title(ours), title(theirs), ", ".join(sorted(held)))


@cache
def _tell(ours: str, theirs: str, text: str) -> None:
    """Once a process: `check` looks first, then what is built."""
    log.warning("%s may contain text that %s tests (%s): scores after realignment may be too good", ours, theirs, text)


def _same_split(core: Core, given: Any) -> bool:
    """True if a set of the hub is realigned on and tested by the same split."""
    if not isinstance(given, HubSet):
        return False
    splits = hub_spec(core, given, "parallel").splits
    return bool(set(splits.get("train", ())) & {*splits.get("dev", ()), *splits.get("test", ())})


def _texts(core: Core, given: Any, task: str, key: str) -> frozenset[str]:
    if isinstance(given, VerseFiles):
        return frozenset({BIBLE} if key == "text" else ())
    return frozenset(getattr(hub_spec(core, given, task), key)) if isinstance(given, HubSet) else frozenset()


def _kind(core: Core) -> str:
    return "parallel" if core.task.kind == "retrieval" else core.task.kind
