"""Labels of an evaluated split that do not occur in training: no model can predict them, so they are reported or
refused.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable

from selector.errors import InputError

log = logging.getLogger("realingo.task")
ONE_SCHEME = "write labels the same way in every file"


def check_labels(language: str, split: str, labels: Iterable[str], known_labels: Collection[str]) -> None:
    """Warn of `labels` that are not among the `known_labels`, with their counts.

    InputError: one differs from a known label by case alone, or none of them is known.
    """
    counts = Counter(labels)
    unseen = {label: counts[label] for label in sorted(counts) if label not in known_labels}
    where = f"the {split} data of {language}"
    cases = {label.casefold(): label for label in known_labels}
    for label in unseen:
        if label.casefold() in cases:
            message = f"{where} has the label '{label}', training has '{cases[label.casefold()]}'"
            raise InputError(message, ONE_SCHEME)
    if unseen and len(unseen) == len(counts):
        message = f"{where} has the labels {_some(unseen)}, training has {_some(known_labels)}: none is the same"
        raise InputError(message, f"{ONE_SCHEME}: names or numbers, not both")
    if unseen:
        counts_text = ", ".join(f"'{label}' {number} times" for label, number in unseen.items())
        log.warning("%s has labels that training never saw, which are never right: %s", where, counts_text)


def _some(labels: Iterable[str]) -> str:
    return ", ".join(f"'{label}'" for label in sorted(labels)[:5])
