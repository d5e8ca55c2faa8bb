"""confirm.json: written by `confirm`, read by all that tell what was confirmed. The one place that opens it."""

from __future__ import annotations

import json

from realign.cache import write_text
from search.config.study_config import StudyConfig
from search.results.confirmation import BASELINES, Confirmation
from selector.errors import InputError


def save(config: StudyConfig, confirmation: Confirmation) -> None:
    """Write it whole into the study's folder. InputError where that cannot be written."""
    text = json.dumps(confirmation.to_json(), indent=1, ensure_ascii=False) + "\n"
    try:
        write_text(config.folder / "confirm.json", text)
    except OSError as problem:
        raise InputError(f"cannot write to {config.folder}: {problem}", "make the folder writable") from None


def load(config: StudyConfig) -> Confirmation | None:
    """The study's confirmation; None before the first. InputError for a file that is none, or of another study."""
    file, hint = (
        config.folder / "confirm.json",
        f"run 'realingo confirm {config.path.name}' again, which writes it anew",
    )
    try:
        confirmation = Confirmation.from_json(json.loads(file.read_text(encoding="utf-8")), str(file))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as problem:
        raise InputError(f"{file} cannot be read: {problem}", hint) from None
    except InputError as problem:
        raise InputError(problem.message, hint) from None
    names = {row.name for row in confirmation.rows}
    if missing := [name for name in ("best", *BASELINES) if name not in names]:
        raise InputError(f"{file} has no row {', '.join(missing)}", hint)
    strangers = set(confirmation.best.languages) - {language.code for language in config.pool}
    if confirmation.study != config.name or strangers:
        raise InputError(f"{file} is of another study or pool", hint)
    return confirmation


def require(config: StudyConfig) -> Confirmation:
    """The study's confirmation. InputError where there is none."""
    confirmation = load(config)
    if confirmation is None:
        message = f"study '{config.name}' is not confirmed: there is no {config.folder / 'confirm.json'}"
        raise InputError(message, f"run 'realingo confirm {config.path.name}' first")
    return confirmation
