"""The command that comes next, for a person to type."""

from __future__ import annotations

from search.config.study_config import StudyConfig
from search.study.storage import redact_url
from search.terminal import command_line


def study_command(config: StudyConfig, name: str, *rest: str) -> str:
    """The command `name` on the study file, from its folder, with the same `--set`, but for a password in one.

    `rest` comes before them. Without them the command would be about another study.
    """
    return command_line(name, config.path.name, *rest, overrides=[redact_url(each) for each in config.overrides])
