"""confirm.json: written by `confirm`, read by all that tell what was confirmed. The one place that opens it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from realign.cache import write_text
from search.config.study_config import StudyConfig
from search.output_folder import check_place
from search.results.confirmation import BASELINES, Confirmation
from selector.errors import InputError


@dataclass(frozen=True)
class ConfirmationFile:
    """The file that holds the confirmation of a study, in the study's folder."""

    config: StudyConfig

    @property
    def path(self) -> Path:
        return self.config.folder / "confirm.json"

    def save(self, confirmation: Confirmation) -> None:
        """Write `confirmation` to the file, all or nothing. InputError: the file cannot be written."""
        text = json.dumps(confirmation.to_json(), indent=1, ensure_ascii=False) + "\n"
        try:
            write_text(self.path, text)
        except OSError as problem:
            message = f"cannot write {self.path}: {problem.strerror}"
            raise InputError(message, "make room or the folder writable; then run the command again") from None

    def check_writable(self) -> None:
        """InputError where the file could not be written: known before hours of measuring, not after."""
        check_place(self.path.parent, "make it a folder that you may write to")

    def load(self) -> Confirmation | None:
        """The confirmation; None before the first. InputError for a file that holds none, or that of another study."""
        hint = f"run 'realingo confirm {self.config.path.name}' again, which writes it anew"
        try:
            confirmation = Confirmation.from_json(json.loads(self.path.read_text(encoding="utf-8")), str(self.path))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as problem:
            raise InputError(f"{self.path} cannot be read: {problem}", hint) from None
        except InputError as problem:
            raise InputError(problem.message, hint) from None
        names = {row.name for row in confirmation.rows}
        if missing := [name for name in ("best", *BASELINES) if name not in names]:
            raise InputError(f"{self.path} has no row {', '.join(missing)}", hint)
        strangers = set(confirmation.best.languages) - {language.code for language in self.config.pool}
        if confirmation.study != self.config.name or strangers:
            raise InputError(f"{self.path} is of another study or pool", hint)
        return confirmation

    def require(self) -> Confirmation:
        """The confirmation. InputError where there is none."""
        confirmation = self.load()
        if confirmation is None:
            message = f"study '{self.config.name}' is not confirmed: there is no {self.path}"
            raise InputError(message, f"run 'realingo confirm {self.config.path.name}' first")
        return confirmation
