"""What to measure next, from what was measured: the interface, and the plain strategies. Pure: same arguments, same
answer.

A strategy proposes no subset that was begun before at the same level, but for the surrogate where a study asks for
repeats; it answers None when there is none left.
Strategies know no study file: `search.planner` puts one together with what a study asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

from numpy.random import Generator, default_rng

from search.space import ENUMERABLE, Space
from selector.errors import InputError, RunError
from selector.languages.conversion import Languages
from selector.languages.subset import Subset

TRIES = 200  # random draws before every subset is looked at one by one


@dataclass(frozen=True)
class MeasuredSubset:
    """One measured subset."""

    subset: Subset
    value: float  # what is maximized
    per_language: Mapping[str, float] = field(default_factory=dict, compare=False)
    level: str = "full"  # the fidelity: "full", "short" or "merge"
    seeds: int = 1  # runs that were averaged


@dataclass(frozen=True)
class Past:
    """The past that a strategy may look at, at all levels; `values` and `taken` are of its own `level`."""

    seen: tuple[MeasuredSubset, ...] = ()  # measured, in the order of their positions
    begun: tuple[tuple[Subset, str], ...] = ()  # subset and level: measured, failed, or running now
    level: str = "full"

    def at(self, level: str) -> Past:
        """The same past with `level` as its own: its `values` and `taken` are then of that level."""
        return replace(self, level=level)

    @cached_property
    def here(self) -> tuple[MeasuredSubset, ...]:
        """Measurements at this level."""
        return tuple(each for each in self.seen if each.level == self.level)

    @cached_property
    def means(self) -> tuple[MeasuredSubset, ...]:
        """Measurements at this level, one for each subset: the mean of its measurements, with all of their runs."""
        groups: dict[Subset, list[MeasuredSubset]] = {}
        for each in self.here:
            groups.setdefault(each.subset, []).append(each)
        return tuple(mean_of(group) for group in groups.values())

    @cached_property
    def values(self) -> Mapping[Subset, float]:
        """Subset → its value at this level, in the unit of the objective; of repeats the mean."""
        return {each.subset: each.value for each in self.means}

    @cached_property
    def taken(self) -> frozenset[Subset]:
        """Subsets begun at this level: measured, failed, or running now."""
        return frozenset(subset for subset, level in self.begun if level == self.level)

    @cached_property
    def pending(self) -> tuple[Subset, ...]:
        """Begun, and without a value that may be looked at: running, or failed. In the order they were begun.

        Of a subset that was begun more often than it has values, the later ones count as pending.
        """
        left = Counter(each.subset for each in self.here)
        found = []
        for subset, level in self.begun:
            if level == self.level and left[subset] < 1:
                found.append(subset)
            elif level == self.level:
                left[subset] -= 1
        return tuple(found)

    @cached_property
    def count(self) -> int:
        """Measurements begun at this level, repeats included."""
        return sum(level == self.level for _, level in self.begun)


def mean_of(group: Sequence[MeasuredSubset]) -> MeasuredSubset:
    """The measurements in `group`, of one subset at one level, as one: their mean, weighted by the runs in each.

    Only languages that every measurement has are in its `per_language`.
    """
    if len(group) == 1:
        return group[0]
    runs = [each.seeds for each in group]
    total = sum(runs)
    codes = set.intersection(*(set(each.per_language) for each in group))
    per_language = {
        code: sum(n * each.per_language[code] for n, each in zip(runs, group, strict=True)) / total
        for code in sorted(codes)
    }
    value = sum(n * each.value for n, each in zip(runs, group, strict=True)) / total
    return MeasuredSubset(group[0].subset, value, per_language, group[0].level, total)


class Proposer(Protocol):
    def __call__(self, space: Space, past: Past, rng: Generator) -> Subset | None: ...


Propose = Callable[[Space, Past, Generator], Subset | Languages | None]  # a user's strategy: codes are fine too


def generator(seed: int, position: int) -> Generator:
    """Random generator for `position` of a study with `seed`.

    It depends on these two numbers alone, whatever happened before and in whatever process.
    """
    return default_rng([seed, position])


def random(space: Space, past: Past, rng: Generator) -> Subset | None:
    """A subset of `space` that `past` has not begun, by `rng`: first its size, then its languages.

    After `TRIES` draws in vain the subsets are looked at one by one. None: all were begun.
    """
    for _ in range(TRIES):
        if (subset := space.random(rng)) not in past.taken:
            return subset
    untaken = (subset for subset in space.every() if subset not in past.taken)
    if space.count() > ENUMERABLE:
        return next(untaken, None)
    left = list(untaken)
    return left[rng.integers(len(left))] if left else None


def own_strategy(name: str, strategy: Propose) -> Proposer:
    """A user's `strategy` as one of ours, under the `name` that errors use.

    RunError where it answers with what is no subset, outside the pool, or with what was begun before.
    """

    def propose(space: Space, past: Past, rng: Generator) -> Subset | None:
        answer = strategy(space, past, rng)
        if answer is None:
            return None
        hint = f"search.testing.check_strategy({name}) shows more of what a strategy must keep"
        try:
            subset = answer if isinstance(answer, Subset) else Subset.of(answer)
        except (InputError, TypeError) as problem:
            raise RunError(f"the strategy '{name}' proposed {answer!r}, which is no subset: {problem}", hint) from None
        if strangers := [language.code for language in subset if language not in space.place]:
            raise RunError(f"the strategy '{name}' proposed {', '.join(strangers)}, not in the pool", hint)
        if subset in past.taken:
            raise RunError(f"the strategy '{name}' proposed {subset.key or 'no language'} again", hint)
        return subset

    return propose
