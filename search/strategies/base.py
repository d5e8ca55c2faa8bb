"""What to measure next, from what was measured: the interface, and the plain strategies. Pure: same arguments, same
answer.

A strategy never proposes a subset that was begun before at the same level; it answers None when there is none left.
Strategies know no study file: `search.planner` puts one together with what a study asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

from numpy.random import Generator, default_rng

from search.space import ENUMERABLE, Space
from selector.languages.given import Languages
from selector.languages.subset import Subset

TRIES = 200  # random draws before every subset is looked at one by one


@dataclass(frozen=True)
class Seen:
    """One measured subset."""

    subset: Subset
    value: float  # what is maximized
    per_language: Mapping[str, float] = field(default_factory=dict, compare=False)
    level: str = "full"  # the fidelity: "full", "short" or "merge"
    seeds: int = 1  # runs that were averaged


@dataclass(frozen=True)
class Past:
    """What a strategy may look at, at all levels; `values` and `taken` are of its own `level`."""

    seen: tuple[Seen, ...] = ()  # measured, in the order of their positions
    begun: tuple[tuple[Subset, str], ...] = ()  # subset and level: measured, failed, or running now
    level: str = "full"

    def at(self, level: str) -> Past:
        return replace(self, level=level)

    @cached_property
    def here(self) -> tuple[Seen, ...]:
        """What was measured at this level."""
        return tuple(each for each in self.seen if each.level == self.level)

    @cached_property
    def values(self) -> Mapping[Subset, float]:
        return {each.subset: each.value for each in self.here}

    @cached_property
    def taken(self) -> frozenset[Subset]:
        return frozenset(subset for subset, level in self.begun if level == self.level)

    @cached_property
    def pending(self) -> tuple[Subset, ...]:
        """Begun, and without a value that may be looked at: running, or failed. In the order they were begun."""
        return tuple(subset for subset, level in self.begun if level == self.level and subset not in self.values)


class Proposer(Protocol):
    def __call__(self, space: Space, past: Past, rng: Generator) -> Subset | None: ...


Propose = Callable[[Space, Past, Generator], Subset | Languages | None]  # a user's strategy: codes are fine too


def generator(seed: int, position: int) -> Generator:
    """The randomness of one position, whatever happened before it and in whatever process."""
    return default_rng([seed, position])


def random(space: Space, past: Past, rng: Generator) -> Subset | None:
    """Any subset not begun yet, first the size by chance, then the languages."""
    for _ in range(TRIES):
        if (subset := space.random(rng)) not in past.taken:
            return subset
    untaken = (subset for subset in space.every() if subset not in past.taken)
    if space.count() > ENUMERABLE:
        return next(untaken, None)
    left = list(untaken)
    return left[rng.integers(len(left))] if left else None
