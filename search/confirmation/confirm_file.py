"""confirm.json: written by `confirm`, read by all that tell what was confirmed. The one place that opens it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realign.cache import write_text
from realign.inputs import find_differences, list_some
from search.output_folder import check_place
from search.results.confirmation import BASELINES, Confirmation
from search.study.next_command import study_command
from search.study.provenance import basis, find_other_settings
from search.study.study import Study
from search.terminal import remark
from selector.errors import InputError


@dataclass(frozen=True)
class ConfirmationFile:
    """The file that holds the confirmation of a study, in the study's folder."""

    study: Study

    @property
    def path(self) -> Path:
        return self.study.config.folder / "confirm.json"

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

    def announce_replacement(self) -> None:
        """Say so where the file holds what is no confirmation of this study: it will be replaced."""
        try:
            self.load()
        except InputError as problem:
            remark(f"{problem.message}: it is replaced")

    def load(self) -> Confirmation | None:
        """The confirmation; None before the first. InputError for a file that holds none, or that of another study."""
        hint = f"run '{study_command(self.study.config, 'confirm')}' again, which writes it anew"
        try:
            confirmation = Confirmation.from_json(json.loads(self.path.read_text(encoding="utf-8")), str(self.path))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as problem:
            raise InputError(f"{self.path} cannot be read: {problem}", hint) from None
        except InputError as problem:
            raise InputError(problem.message, hint) from None
        if reason := self._find_problem(confirmation):
            raise InputError(f"{self.path} {reason}", hint)
        return confirmation

    def _find_problem(self, confirmation: Confirmation) -> str:
        """The reason why `confirmation` is not one of this study, in words; "" where it is."""
        names = {row.name for row in confirmation.rows}
        if missing := [name for name in ("best", *BASELINES) if name not in names]:
            return f"has no row {', '.join(missing)}"
        strangers = set(confirmation.best.languages) - {language.code for language in self.study.config.pool}
        if confirmation.study != self.study.name or strangers:
            return "is of another study or pool"
        if confirmation.basis is None:  # of an older version
            return ""
        return _find_difference(confirmation.basis, basis(self.study.config, self.study.record.attributes))

    def require(self) -> Confirmation:
        """The confirmation. InputError where there is none."""
        confirmation = self.load()
        if confirmation is None:
            message = f"study '{self.study.name}' is not confirmed: there is no {self.path}"
            raise InputError(message, f"run '{study_command(self.study.config, 'confirm')}' first")
        return confirmation


def _find_difference(before: Mapping[str, object], now: Mapping[str, object]) -> str:
    """The first difference that changes scores between the bases of two studies, in words; "" where there is none."""
    if names := find_other_settings(_part(before, "facts"), _part(now, "facts")):
        return f"was made with other settings of {', '.join(sorted(names))}"
    if names := find_differences(_part(before, "contents"), _part(now, "contents")):
        return f"was made with another content of {list_some(names)}"
    return "was made by another evaluator" if before.get("evaluator") != now.get("evaluator") else ""


def _part(whole: Mapping[str, object], name: str) -> dict[str, Any]:
    found = whole.get(name)
    return found if isinstance(found, dict) else {}
