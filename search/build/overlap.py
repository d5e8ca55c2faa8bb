"""Whether the text that is realigned on shows what the task tests: a table of which sets stand on which text."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from search.build.corpora import spec, title
from search.config.core_schema import Hub, Verses, several
from search.config.study_config import StudyConfig
from selector.errors import InputError

log = logging.getLogger(__name__)

BIBLE = "bible"  # what verses are


def check_overlap(config: StudyConfig) -> None:
    """InputError where parallel text and test stand on the same text; a warning where the one may hold the other.

    Text of one and the same set is no leak as long as its training split is another than those that are tested.
    """
    for theirs in several(config.task_data):
        for ours in several(config.data.parallel):
            if ours == theirs and not _same_split(config, ours):
                continue
            shared = _texts(config, ours, "parallel", "text") & _texts(config, theirs, _kind(config), "text")
            if shared:
                text = f"{title(ours)} and {title(theirs)} are of the same text ({', '.join(sorted(shared))})"
                message = f"{text}: realigning on it would show what is tested"
                raise InputError(message, "take other parallel text, or another test")
            _warn(config, ours, theirs)


def _warn(config: StudyConfig, ours: Any, theirs: Any) -> None:
    held = _texts(config, ours, "parallel", "may_hold") & _texts(config, theirs, _kind(config), "text")
    if held:
        _tell(title(ours), title(theirs), ", ".join(sorted(held)))


@cache
def _tell(ours: str, theirs: str, text: str) -> None:
    """Once a process: `check` looks first, then what is built."""
    log.warning("%s may hold text that %s tests (%s): scores after realignment may be too good", ours, theirs, text)


def _same_split(config: StudyConfig, given: Any) -> bool:
    """Whether a set of the hub is realigned on and tested by the same split."""
    if not isinstance(given, Hub):
        return False
    splits = spec(config, given, "parallel").splits
    return bool(set(splits.get("train", ())) & {*splits.get("dev", ()), *splits.get("test", ())})


def _texts(config: StudyConfig, given: Any, task: str, key: str) -> frozenset[str]:
    if isinstance(given, Verses):
        return frozenset({BIBLE} if key == "text" else ())
    return frozenset(getattr(spec(config, given, task), key)) if isinstance(given, Hub) else frozenset()


def _kind(config: StudyConfig) -> str:
    return "parallel" if config.task.kind == "retrieval" else config.task.kind
