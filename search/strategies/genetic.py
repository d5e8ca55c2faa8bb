"""A genetic algorithm over subsets: a child has what both parents have, some of what one has, and a language changed.

Steady state: the best of all that was measured are the parents. Sets recombine as sets, so no encoding is in the way
(fixed-length subset selection, Radcliffe 1993). Pure, as every strategy.
"""

from __future__ import annotations

from collections.abc import Sequence

from numpy.random import Generator

from search.space import Space
from search.strategies.proposer import TRIES, Past, random
from selector.languages.language import Language
from selector.languages.subset import Subset

FIRST = 10  # subsets by chance before the first children
PARENTS = 6  # the best so far; with twelve a search of a hundred came less far
PICK = 0.7  # of the time a parent is the better of two drawn


def genetic(space: Space, past: Past, rng: Generator) -> Subset | None:
    """A child, not in `past.taken`, of two parents among the best of `past` that `space` allows.

    Drawn by `rng` without parents, as long as fewer than `FIRST` subsets were measured, or where `TRIES` children bring
    nothing new. None: every subset of the space was begun.
    """
    inside = [subset for subset in past.values if space.allows(subset)]
    if len(inside) < FIRST:
        return random(space, past, rng)
    parents = sorted(inside, key=lambda subset: -past.values[subset])[:PARENTS]
    for _ in range(TRIES):
        child = _mutate(_cross(_parent(parents, rng), _parent(parents, rng), rng), space, rng)
        if child is not None and child not in past.taken:
            return child
    return random(space, past, rng)


def _parent(ranked: Sequence[Subset], rng: Generator) -> Subset:
    """The better of two drawn, most of the time: a tournament."""
    one, other = sorted(rng.integers(len(ranked), size=2).tolist())
    return ranked[one if rng.random() < PICK else other]


def _cross(one: Subset, other: Subset, rng: Generator) -> Subset:
    """All that both have, and of the rest by chance as much as makes the size of one of them."""
    both = [language for language in one if language in other]
    rest = [language for language in (*one, *other) if language not in both]
    size = len((one, other)[rng.integers(2)])
    chosen = rng.permutation(len(rest))[: size - len(both)]
    return Subset.of([*both, *(rest[index] for index in chosen)])


def _mutate(child: Subset, space: Space, rng: Generator) -> Subset | None:
    """One language exchanged, sometimes more, sometimes none; one more or fewer where the size may change."""
    changes = int(rng.poisson(1.0))
    size = min(max(len(child) + int(rng.integers(-1, 2)), space.sizes[0]), space.sizes[1])
    kept: list[Language] = [language for language in child if language not in space.include]
    stay = rng.permutation(len(kept))[changes:]
    return space.completed(Subset.of(kept[index] for index in stay), size, rng)
