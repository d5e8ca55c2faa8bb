"""Which confirmed subset to take, and what of a confirmation no longer holds: the study, or its file, has changed."""

from __future__ import annotations

from collections.abc import Sequence

from search.results.confirmation import Confirmation, ConfirmedRow
from search.space import Space
from search.study.trial import Trial
from selector.errors import InputError
from selector.languages.language import Pool
from selector.languages.subset import Subset

AGAIN = "run 'realingo confirm' again, or undo the change of the study file"


def allows(space: Space, row: ConfirmedRow) -> bool:
    """True if the subset of `row` is in `space`, that of the study file as it is now."""
    known = {language.code: language for language in space.pool}
    codes = row.languages
    return set(codes) <= set(known) and space.allows(Subset.of(known[code] for code in codes))


def allowed_candidates(space: Space, confirmation: Confirmation) -> list[ConfirmedRow]:
    """The candidates that are still in `space`, each subset once, in the order of the confirmation.

    Candidates are the subsets the search found and the one chosen without measuring: all were named before a fresh
    seed was drawn. All languages, none, and random draws are what they are compared with.
    """
    return [row for row in confirmation.candidates if allows(space, row)]


def highest(rows: Sequence[ConfirmedRow]) -> ConfirmedRow:
    """The one of `rows` with the highest mean; of equals the earlier, which the search ranked higher."""
    return max(rows, key=lambda row: row.mean)


def choose(space: Space, confirmation: Confirmation, name: str | None = None) -> ConfirmedRow:
    """The candidate called `name`, or without one the candidate with the highest confirmed mean.

    InputError where there is no such candidate, or where `space`, the study file as it is now, forbids it or all.
    """
    if name is None:
        left = allowed_candidates(space, confirmation)
        if not left:
            raise InputError("the study file forbids every subset that was confirmed by now", AGAIN)
        return highest(left)
    named = {row.name: row for row in confirmation.rows if row.is_candidate}
    if name not in named:
        raise InputError(f"no candidate '{name}' was confirmed", f"the confirmed candidates are {', '.join(named)}")
    if not allows(space, named[name]):
        raise InputError(f"the study file forbids '{name}' ({' '.join(named[name].languages)}) by now", AGAIN)
    return named[name]


def trial_ahead(confirmation: Confirmation, top: Trial | None) -> Trial | None:
    """`top`, the trial to take by now, where it is neither the one that was confirmed as the best nor lost its race."""
    tried = [confirmation.best.languages, *(confirmation.race.subsets if confirmation.race else ())]
    return top if top is not None and set(top.subset.codes) not in [set(codes) for codes in tried] else None


def stale_parts(space: Space, held_out: Pool, confirmation: Confirmation, top: Trial | None) -> list[str]:
    """Sentences on what no longer holds of a confirmation.

    `space` and `held_out` are those of the study file as it is now; `top` is the trial that would be confirmed as the
    best now.
    """
    lines = [
        f"{row.name} ({' '.join(row.languages)}) was confirmed, but the study file forbids it by now"
        for row in confirmation.rows
        if row.was_found and not allows(space, row)
    ]
    if ahead := trial_ahead(confirmation, top):
        lines.append(
            f"trial {ahead.number} ({' '.join(ahead.subset.codes)}) is ahead in the search by now, "
            "but it was not confirmed as the best: confirm again"
        )
    if list(confirmation.held_out) != [language.code for language in held_out]:
        lines.append("the held-out languages were changed since the confirmation: confirm again")
    return lines
