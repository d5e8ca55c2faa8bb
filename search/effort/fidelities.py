"""How thoroughly a study measures: its fidelities by name, as amounts of work."""

from __future__ import annotations

from dataclasses import replace

from realign.build.evaluator import full_fidelity
from realign.score import Fidelity
from search.config.study_config import StudyConfig
from search.strategies import ladder


def full(config: StudyConfig) -> Fidelity:
    """The full fidelity of the study, which is confirmed."""
    return full_fidelity(config.core, config.scope.targets)


def levels(config: StudyConfig) -> dict[str, Fidelity]:
    """The fidelities that the study's search measures at, by name, cheap ones first."""
    names = ladder.ORDER if config.search.fidelity == "ladder" else (config.search.fidelity,)
    return {name: at_level(config, name) for name in names}


def at_level(config: StudyConfig, level: str) -> Fidelity:
    """The fidelity "full", "short" or "merge" of the study. On a ladder, given shares are those of "short"."""
    whole, asked = full(config), config.fidelity
    if level == "full":
        return whole
    by_scores = asked.method == "scores"
    usual = (0.25, 0.25, 0.25)
    given = (asked.pairs, asked.steps, asked.examples)
    if level == "merge":
        usual = (1 / config.sizes[1] if by_scores else 1.0, 1.0, 1.0 if by_scores else 0.25)
        given = (None, None, None) if config.search.fidelity == "ladder" else given
    part = whole.share(*(own if share is None else share for share, own in zip(given, usual, strict=True)))
    return replace(part, patience=asked.patience, merging=asked.merging if level == "merge" else None)
