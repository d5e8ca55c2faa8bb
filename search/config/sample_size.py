"""How many training pairs of one language a study can see: more are not prepared."""

from __future__ import annotations

import math
from dataclasses import replace

from realign.core import Core
from search.config.schema import FidelitySection, SearchSection
from search.config.strategy_names import GROWING


def limit_sample(
    core: Core, sizes: tuple[int, int], included: int, search: SearchSection, asked: FidelitySection
) -> Core:
    """The core with `data.pairs` as the number that a study can see at most; without a number all there are.

    A run draws its steps × batch pairs evenly from its languages, so of one it sees the share of the smallest subset.
    All of the world's are taken: they are few. `sizes` are the smallest and largest of a subset, of which `included`
    languages are given.
    """
    if core.data.pairs is not None or core.data.parallel == "world":
        return core
    smallest = included + 1 if search.strategy in GROWING else sizes[0]
    most = max(math.ceil(core.pairs / max(1, smallest)), _alone(core.pairs, sizes[1], search.fidelity, asked))
    return replace(core, data=replace(core.data, pairs=most))


def _alone(budget: int, largest: int, level: str, asked: FidelitySection) -> int:
    """Pairs of a language when merging realigns on it alone; 0 without merging."""
    if level not in ("merge", "ladder"):
        return 0
    share = asked.pairs if level == "merge" else None  # on a ladder a given share is that of "short"
    if share is None:
        share = 1 / largest if asked.method == "scores" else 1.0
    return math.ceil(budget * share)
