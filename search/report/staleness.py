"""What of a confirmation no longer holds: the study went on, or its file was changed since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from search.config.study_config import StudyConfig
from search.confirmation.recommend import Reading
from search.study.study import Study
from selector.errors import InputError
from selector.languages.subset import Subset

AGAIN = "run 'realingo confirm' again, or undo the change of the study file"


def allowed(config: StudyConfig, row: Mapping[str, Any]) -> bool:
    """Whether the study, as its file is now, may choose the subset of a confirmed row."""
    known = {language.code: language for language in config.pool}
    codes = row["languages"]
    return set(codes) <= set(known) and config.space.allows(Subset.of(known[code] for code in codes))


def allowed_rows(config: StudyConfig, rows: Sequence[Mapping[str, Any]], asked: str | None) -> list[Mapping[str, Any]]:
    """The confirmed candidates that the study still allows. InputError: none, or not the one asked for."""
    left = [row for row in rows if allowed(config, row)]
    if asked is not None and asked not in [row["name"] for row in left]:
        (row,) = (row for row in rows if row["name"] == asked)
        raise InputError(f"the study file forbids '{asked}' ({_codes(row)}) by now", AGAIN)
    if not left:
        raise InputError("the study file forbids every subset that was confirmed by now", AGAIN)
    return left


def stale(
    config: StudyConfig, study: Study, confirmed: Mapping[str, Any], left: Sequence[Mapping[str, Any]]
) -> list[str]:
    """In plain words what no longer holds; `left` are the candidates that are still allowed."""
    candidates = [row for row in confirmed["rows"] if row["name"].startswith("best")]
    lines = [
        f"{row['name']} ({_codes(row)}) was confirmed, but the study file forbids it by now"
        for row in candidates
        if row not in left
    ]
    top = Reading(config, study).top()
    if top and list(top[0].subset.codes) != sorted(candidates[0]["languages"]):
        lines.append(
            f"trial {top[0].number} ({' '.join(top[0].subset.codes)}) is ahead in the search by now, "
            "but it was not confirmed as the best: confirm again"
        )
    if confirmed.get("held_out") != [language.code for language in config.held_out]:
        lines.append("the held-out languages were changed since the confirmation: confirm again")
    return lines


def _codes(row: Mapping[str, Any]) -> str:
    return " ".join(row["languages"])
