"""How many training pairs of one language a study can see: more are not prepared."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search.config.study_config import StudyConfig

GROWING = ("greedy",)  # strategies that measure subsets smaller than those asked for


def sample_size(config: StudyConfig) -> int | None:
    """The training pairs to prepare of each language at most; None: all there are.

    A run draws its steps × batch pairs evenly from its languages, so of one it sees the share of the smallest subset.
    All of the world's are taken: they are few.
    """
    given = config.data.pairs
    if isinstance(given, int):
        return given
    if given == "all" or config.data.parallel == "world":
        return None
    budget = config.realign.steps * config.realign.batch
    return max(math.ceil(budget / _smallest(config)), _alone(config, budget))


def _smallest(config: StudyConfig) -> int:
    """The size of the smallest subset that is realigned on."""
    if config.search.strategy in GROWING:
        return max(1, len(config.include) + 1)
    return max(1, config.sizes[0])


def _alone(config: StudyConfig, budget: int) -> int:
    """Pairs of a language when merging realigns on it alone; 0 without merging."""
    if config.search.fidelity not in ("merge", "ladder"):
        return 0
    how = config.fidelity
    share = how.pairs if config.search.fidelity == "merge" else None  # on a ladder a given share is that of "short"
    if share is None:
        share = 1 / config.sizes[1] if how.method == "scores" else 1.0
    return math.ceil(budget * share)
