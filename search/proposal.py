"""What to measure next: strategies that look at what was measured. Pure: same arguments, same answer.

A strategy never proposes a subset that was begun before; it answers None when there is none left.
The strategies that look at no measurement at all are `selector.strategy`; here they warm the search up.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from numpy.random import Generator, default_rng

from search import sampler
from search.config import StudyConfig
from selector import strategy as model_free
from selector.errors import InputError
from selector.language import Pool
from selector.subset import Subset

WARM = ("max-sum", "max-min", "facility", "coverage", "family")
TRIES = 200  # random draws before every subset is looked at one by one
ENUMERABLE = 20_000  # subsets


@dataclass(frozen=True)
class Past:
    """What a strategy may look at."""

    values: Mapping[Subset, float]  # measured, in the order of their positions
    taken: frozenset[Subset]  # begun: measured, failed or running now


class Proposer(Protocol):
    """`sizes` are the smallest and the largest size allowed."""

    def __call__(self, pool: Pool, sizes: tuple[int, int], past: Past, rng: Generator) -> Subset | None: ...


def proposer(config: StudyConfig) -> Proposer:
    """The strategy a study names. `config` was checked, so only the name after `diversity:` can still be wrong."""
    name = config.search.strategy
    if not name.startswith("diversity:"):
        return STRATEGIES[name]
    inner = name.removeprefix("diversity:")
    return lambda pool, sizes, past, rng: diversity(config, inner, pool, sizes, past, rng)


def generator(seed: int, position: int) -> Generator:
    """The randomness of one position, whatever happened before it and in whatever process."""
    return default_rng([seed, position])


def warm_start(config: StudyConfig) -> list[tuple[str, Subset]]:
    """The subsets a search begins with, each with the names of the strategies that choose it; duplicates dropped.

    They have the largest size the study allows. Empty for the strategy `random`, which is a baseline.
    """
    if not config.search.warm_start or config.search.strategy == "random":
        return []
    first: dict[Subset, str] = {}
    for name in WARM:
        first.setdefault(model_free_subset(config, name, config.sizes[1], config.seed), name)
    return [(name, subset) for subset, name in first.items()]


def model_free_subset(config: StudyConfig, name: str, k: int, seed: int) -> Subset:
    """What `realingo select` would choose for this study."""
    metric, source = config.search.metric, config.source
    return model_free.choose(name, config.pool, k, metric=metric, source=source, seed=seed)


def space(pool: Pool, sizes: tuple[int, int]) -> int:
    """How many subsets there are."""
    return sum(math.comb(len(pool), size) for size in range(sizes[0], sizes[1] + 1))


def random(pool: Pool, sizes: tuple[int, int], past: Past, rng: Generator) -> Subset | None:
    """Any subset not begun yet, first the size by chance, then the languages."""
    for _ in range(TRIES):
        size = int(rng.integers(sizes[0], sizes[1] + 1))
        subset = Subset.of(pool[index] for index in rng.choice(len(pool), size, replace=False))
        if subset not in past.taken:
            return subset
    if space(pool, sizes) > ENUMERABLE:
        return next(_untaken(pool, sizes, past), None)
    left = list(_untaken(pool, sizes, past))
    return left[rng.integers(len(left))] if left else None


def tpe(pool: Pool, sizes: tuple[int, int], past: Past, rng: Generator) -> Subset | None:
    """Tree-structured Parzen estimator (Bergstra et al. 2011) over one boolean per language."""
    inside = {subset: value for subset, value in past.values.items() if sizes[0] <= len(subset) <= sizes[1]}
    for _ in range(5):  # a model that has converged asks for the same again
        subset = sampler.tpe(pool, sizes, inside, rng)
        if subset not in past.taken:
            return subset
    return random(pool, sizes, past, rng)


def greedy(pool: Pool, sizes: tuple[int, int], past: Past, rng: Generator) -> Subset | None:
    """Forward selection: every language alone, the best with every other, and so on; then swaps around the best.

    Needs about n·k measurements until the first subset of size k stands; smaller ones are measured on the way.
    """
    base = Subset()
    for _ in range(sizes[1]):
        grown = [base.add(language) for language in pool if language not in base]
        open_ones = [subset for subset in grown if subset not in past.taken]
        if open_ones:
            return open_ones[rng.integers(len(open_ones))]
        measured = [subset for subset in grown if subset in past.values]
        if not measured:
            break
        base = max(measured, key=past.values.__getitem__)
    return swap(pool, sizes, past, rng)


def swap(pool: Pool, sizes: tuple[int, int], past: Past, rng: Generator) -> Subset | None:
    """Local search: a neighbour of the best that was not begun yet; where there is none left, restart by chance."""
    inside = [subset for subset in past.values if sizes[0] <= len(subset) <= sizes[1]]
    ranked = sorted(inside, key=lambda subset: -past.values[subset])
    for rank, centre in enumerate(ranked):
        fresh = [subset for subset in neighbours(centre, pool, sizes) if subset not in past.taken]
        if fresh:
            return fresh[rng.integers(len(fresh))]
        if rank == 0 and rng.random() < 0.5:  # the best is a local optimum: leave it half of the time
            break
    return random(pool, sizes, past, rng)


def diversity(
    config: StudyConfig, name: str, pool: Pool, sizes: tuple[int, int], past: Past, rng: Generator
) -> Subset | None:
    """A strategy of `selector` with one seed after another, then by chance: what model-free choice alone achieves."""
    size = int(rng.integers(sizes[0], sizes[1] + 1))
    for seed in (config.seed, *(int(seed) for seed in rng.integers(2**31, size=3))):
        subset = model_free_subset(config, name, size, seed)
        if subset not in past.taken:
            return subset
    return random(pool, sizes, past, rng)


def neighbours(subset: Subset, pool: Pool, sizes: tuple[int, int]) -> list[Subset]:
    """One language exchanged; one added or dropped where the size may change."""
    outside = [language for language in pool if language not in subset]
    near = [subset.swap(out, into) for out in subset for into in outside]
    if len(subset) < sizes[1]:
        near += [subset.add(into) for into in outside]
    if len(subset) > sizes[0]:
        near += [subset.drop(out) for out in subset]
    return near


STRATEGIES: dict[str, Proposer] = {"random": random, "tpe": tpe, "greedy": greedy, "swap": swap}


def checked(config: StudyConfig) -> tuple[Proposer, list[tuple[str, Subset]]]:
    """The strategy and the warm start, tried out once: a wrong metric or name is an InputError before any record."""
    propose = proposer(config)
    if config.search.strategy.startswith("diversity:"):
        propose(config.pool, config.sizes, Past({}, frozenset()), generator(config.seed, 0))
    try:
        return propose, warm_start(config)
    except InputError as problem:
        raise InputError(
            f"{config.path.name}: the warm start: {problem.message}", f"{problem.hint}; or search.warm_start = false"
        ) from None


def _untaken(pool: Pool, sizes: tuple[int, int], past: Past) -> Iterator[Subset]:
    for size in range(sizes[0], sizes[1] + 1):
        for languages in itertools.combinations(pool, size):
            if (subset := Subset(languages)) not in past.taken:
                yield subset
