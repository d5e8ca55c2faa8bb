"""The subsets a study may choose: sizes, languages that must or must not be in, a budget, quotas. Pure.

Notations
    n   languages of the pool          S   a subset; as `indices` a sorted tuple of places in the pool
    A, b   limits of `selector.solvers.limits`: Σ_{i ∈ S} A_li ≤ b_l
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from selector import constraints
from selector.errors import InputError, quantity, whole_number
from selector.languages.conversion import Languages, as_languages, as_ordered_pool, keyed_by_language
from selector.languages.language import Language, Pool
from selector.languages.subset import Subset
from selector.solvers.feasible import complete, count_choices, fill
from selector.solvers.limits import Limits

ENUMERABLE = 20_000  # subsets that may be looked at one by one
DRAWS = 50  # random orders filled up before one that is certain to do

Indices = tuple[int, ...]
Sizes = tuple[int, int]  # the smallest and the largest
Costs = NDArray[np.float64] | Mapping[str, float] | Mapping[Language, float]


def require_space(given: object) -> None:
    """InputError unless `given` is a Space."""
    if not isinstance(given, Space):
        raise InputError(f"space is {given!r}, which is no Space", "give for example realingo.Space(pool, k=4)")


def _sizes(k: object) -> Sizes:
    """The least and the most. InputError for what is neither a whole number nor two of them."""
    hint = "k is a whole number, or two: the least and the most"
    if isinstance(k, tuple | list) and len(k) == 2:
        return whole_number("k", k[0], hint), whole_number("k", k[1], hint)
    number = whole_number("k", k, hint)
    return number, number


@dataclass(frozen=True, init=False)
class Space:
    """All subsets of `pool` that keep every condition; at least one does."""

    pool: Pool  # [n], sorted by code
    sizes: Sizes
    include: frozenset[Language] = frozenset()  # in every subset
    exclude: frozenset[Language] = frozenset()  # in none
    limits: Limits | None = None  # over the pool; None: no budget and no quotas
    costs: NDArray[np.float64] | None = field(default=None, compare=False)  # [n]; None: every language costs 1

    def __init__(
        self,
        pool: Languages,
        sizes: Sizes | None = None,
        include: Languages = (),
        exclude: Languages = (),
        limits: Limits | None = None,
        costs: Costs | None = None,
        *,
        k: int | Sizes | None = None,
        budget: float | None = None,
        quotas: str | Iterable[str] = (),
    ) -> None:
        """Languages may be codes or names. With `k` in place of `sizes` everything is checked.

        `k` is the number of languages, or the least and the most; `costs` are by language, or [n] in the order of the
        sorted pool; `budget` is in their unit, without costs in languages; `quotas` are such as "family=2". Raises
        InputError where the conditions make no sense or no subset keeps them.
        """
        frame = as_ordered_pool(pool)
        prices = constraints.costs(frame, keyed_by_language(costs)) if isinstance(costs, Mapping) else costs
        if prices is not None and np.shape(prices) != (len(frame),):
            message = f"the costs are {np.size(prices)} numbers, and the pool has {quantity(len(frame), 'language')}"
            raise InputError(message, "give a cost for each, or a mapping from code to cost")
        prices = None if prices is None else np.asarray(prices, dtype=np.float64)
        if limits is None and (budget is not None or quotas):
            weights = np.ones(len(frame)) if prices is None else prices
            limits = constraints.limits(frame, weights, budget, constraints.quotas(frame, quotas, None))
        fields = {
            "pool": frame,
            "sizes": _sizes(k) if k is not None else sizes,
            "include": frozenset(as_languages(include)),
            "exclude": frozenset(as_languages(exclude)),
            "limits": limits,
            "costs": prices,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        if k is not None or sizes is None:
            self._check()

    def _check(self) -> None:
        """InputError where no subset is inside."""
        if not self.sizes:
            raise InputError("the space has no k", "say how many languages a subset has, for example Space(pool, k=4)")
        low, high = self.sizes
        if not 1 <= low <= high <= len(self.pool):
            message = f"k is {low}" if low == high else f"k is from {low} to {high}"
            raise InputError(
                f"{message}, and the pool has {quantity(len(self.pool), 'language')}", "choose k from 1 to that number"
            )
        if outside := sorted(language.code for language in (self.include | self.exclude) - set(self.pool)):
            raise InputError(f"{', '.join(outside)} is not in the pool", "include and exclude languages of the pool")
        if both := sorted(language.code for language in self.include & self.exclude):
            raise InputError(f"{', '.join(both)} is both included and excluded", "drop it from one of the two")
        if len(self.pinned) > high or len(self.pinned) + len(self.free) < low:
            able = f"from {len(self.pinned)} to {len(self.pinned) + len(self.free)} languages can be chosen"
            raise InputError(f"k is {low}, but {able}", "change k, or include or exclude fewer")
        if all(complete(self.pinned, size, self.free, self.bounds) is None for size in range(low, high + 1)):
            raise constraints.infeasibility_error(low, self.pinned, self.free, self.bounds)

    @cached_property
    def place(self) -> dict[Language, int]:
        """Language → its place in the pool."""
        return {language: index for index, language in enumerate(self.pool)}

    @cached_property
    def pinned(self) -> Indices:
        """Places of the languages that are in every subset."""
        return tuple(index for index, language in enumerate(self.pool) if language in self.include)

    @cached_property
    def free(self) -> Indices:
        """Places that may be chosen besides the pinned."""
        barred = self.include | self.exclude
        return tuple(index for index, language in enumerate(self.pool) if language not in barred)

    @cached_property
    def bounds(self) -> Limits:
        """Budget and quotas as limits over the pool; empty ones where the space has none."""
        return self.limits if self.limits is not None else Limits.none(len(self.pool))

    def indices(self, subset: Subset) -> Indices:
        """Places in the pool of the languages of `subset`."""
        return tuple(self.place[language] for language in subset)

    def subset(self, indices: Indices) -> Subset:
        """Subset of the languages at the places `indices` in the pool."""
        return Subset.of(self.pool[index] for index in indices)

    def cost(self, subset: Subset) -> float:
        """Cost of `subset`: the sum of its languages' costs, or their number where the space has no costs."""
        chosen = list(self.indices(subset))
        return float(len(chosen) if self.costs is None else self.costs[chosen].sum())

    def allows(self, subset: Subset) -> bool:
        """True if `subset` keeps every condition: size, include, exclude, budget and quotas."""
        inside = self.sizes[0] <= len(subset) <= self.sizes[1] and self.include <= set(subset)
        return inside and not self.exclude & set(subset) and self.bounds.hold(self.indices(subset))

    @cached_property
    def exact_count(self) -> int | None:
        """Number of subsets that keep every condition; None where it takes too long to find out."""
        found = count_choices(self.pinned, self.sizes, self.free, self.bounds)
        return sum(1 for _ in self.every()) if found is None and self.count() <= ENUMERABLE else found

    def count(self) -> int:
        """Number of subsets, without regard to the limits: at least as many as there are."""
        rest = (size - len(self.pinned) for size in range(self.sizes[0], self.sizes[1] + 1))
        return sum(math.comb(len(self.free), size) for size in rest if size >= 0)

    def every(self) -> Iterator[Subset]:
        """All subsets, small ones first; for spaces of at most `ENUMERABLE`, or to look for a first one."""
        for size in range(max(self.sizes[0], len(self.pinned)), self.sizes[1] + 1):
            for chosen in itertools.combinations(self.free, size - len(self.pinned)):
                if self.bounds.hold((*self.pinned, *chosen)):
                    yield self.subset((*self.pinned, *chosen))

    def random(self, rng: Generator) -> Subset:
        """A subset by chance (`rng`): first its size, then its languages.

        With limits, a random order of the languages is filled up as far as they allow, so not all subsets are as
        likely; after `DRAWS` orders that reach no allowed size, the first subset of all.
        """
        for _ in range(DRAWS):
            size = int(rng.integers(self.sizes[0], self.sizes[1] + 1))
            if (subset := self.completed(Subset.of(()), size, rng)) is not None:
                return subset
        return next(self.every())

    def completed(self, subset: Subset, size: int, rng: Generator) -> Subset | None:
        """The subset, cut and filled up by chance to `size` and the conditions; None where that cannot be."""
        order = rng.permutation(np.array(self.free, dtype=np.intp)).tolist()
        own = [index for index in order if self.pool[index] in subset]
        return self.filled([*own, *(index for index in order if self.pool[index] not in subset)], size)

    def filled(self, order: Sequence[int], size: int) -> Subset | None:
        """The first of an order of all free places that fit together, to `size`; None where that cannot be."""
        kept = [*self.pinned]
        if size < len(kept) or complete(kept, size, order, self.bounds) is None:
            return None
        return self.subset(tuple(fill(kept, size, order, self.bounds)))

    def neighbours(self, subset: Subset) -> list[Subset]:
        """Subsets one step from `subset`: one language exchanged; one added or dropped where the size may change.

        All keep every condition. At most k · (n - k) exchanges for k of n languages.
        """
        chosen, kept = self.indices(subset), set(self.pinned)
        outside = [index for index in self.free if index not in chosen]
        loose = [index for index in chosen if index not in kept]
        near = [(*tuple(i for i in chosen if i != out), into) for out in loose for into in outside]
        if len(chosen) < self.sizes[1]:
            near += [(*chosen, into) for into in outside]
        if len(chosen) > self.sizes[0]:
            near += [tuple(i for i in chosen if i != out) for out in loose]
        return [self.subset(each) for each in near if not self.bounds or self.bounds.hold(each)]

    def within(self, cost: float) -> Space:
        """The same space with a further limit: a subset costs at most `cost`, in the unit of `costs`."""
        bounds, prices = self.bounds, np.ones(len(self.pool)) if self.costs is None else self.costs
        weights, most = np.vstack([bounds.weights, prices]), np.append(bounds.most, cost)
        return replace(self, limits=Limits(weights, most, (*bounds.names, "the cost")))
