"""Local search: greedy, backward, swap; and exhaustive enumeration."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.random import Generator, default_rng

from search.space import Space
from search.strategies.proposer import Past, Proposer, random
from selector.languages.language import Language
from selector.languages.subset import Subset


def greedy(space: Space, past: Past, rng: Generator) -> Subset | None:
    """Forward selection: every language alone, then the best with others, and so on; then swaps around the best.

    Smaller subsets than `space` allows are measured on the way: n, n - 1, and from then on as many as lazy evaluation
    needs (Minoux 1978). `rng` breaks ties and draws the swaps. None: nothing is left that `past` has not begun.
    """

    def grown(base: Subset) -> list[Subset]:
        return [base.add(language) for language in loose if language not in base and _room(space, base, language)]

    loose = [space.pool[index] for index in space.free]
    return _walk(space.subset(space.pinned), space.sizes[1], grown, space, past, rng)


def backward(space: Space, past: Past, rng: Generator) -> Subset | None:
    """Backward elimination: the whole pool, then without the language that is missed least, and so on; then swaps.

    Larger subsets than `space` asks for are measured on the way. Where limits bar the whole pool, it begins with a
    subset of the largest size that they allow, the same at every position. `rng` breaks ties and draws the swaps. None:
    nothing is left that `past` has not begun.
    """

    def shrunk(base: Subset) -> list[Subset]:
        return [base.drop(language) for language in base if language not in space.include]

    base: Subset | None = space.subset((*space.pinned, *space.free))
    if base is not None and not space.bounds.hold(space.indices(base)):
        base = space.completed(Subset(), space.sizes[1], default_rng(0))
    if base is None:
        return swap(space, past, rng)
    return base if base not in past.taken else _walk(base, space.sizes[0], shrunk, space, past, rng)


def _walk(
    base: Subset, size: int, moves: Callable[[Subset], list[Subset]], space: Space, past: Past, rng: Generator
) -> Subset | None:
    """The best move, one after another, until `size`, then swaps: what the next of these needs to have measured.

    Evaluated lazily (Minoux 1978): what a language last gained bounds what it gains now, if the values are submodular;
    a move with a smaller bound than the best that was measured is passed over.
    """
    bounds: dict[Language, float] = {}
    while len(base) != size and (steps := moves(base)):
        bound = {step: bounds.get(_changed(base, step), math.inf) for step in steps}
        measured = {step: past.values[step] for step in steps if step in past.values}
        best = max(measured, key=measured.__getitem__, default=None)
        now = past.values.get(base)
        reached = -math.inf if best is None or now is None else measured[best] - now
        open_ones = [step for step in steps if step not in past.taken and bound[step] > reached]
        if open_ones:
            first = max(bound[step] for step in open_ones)
            likely = [step for step in open_ones if bound[step] == first]
            return likely[rng.integers(len(likely))]
        if best is None:
            break
        if now is not None:
            bounds |= {_changed(base, step): value - now for step, value in measured.items()}
        base = best
    return swap(space, past, rng)


def _changed(one: Subset, other: Subset) -> Language:
    (language,) = set(one) ^ set(other)
    return language


def _room(space: Space, base: Subset, language: Language) -> bool:
    return space.bounds.hold(space.indices(base.add(language)))


def swap(space: Space, past: Past, rng: Generator) -> Subset | None:
    """Local search: a neighbour in `space` of the best of `past`, not begun yet; else a restart by chance (`rng`).

    The neighbours are tried in the order of what their exchange should gain: of all that was measured, each language's
    effect by ridge regression (Ilyas et al. 2022), estimated anew at every position. Ties by chance. The best is left
    for the next best half of the time once all its neighbours were begun.
    """
    inside = {subset: value for subset, value in past.values.items() if space.allows(subset)}
    ranked = sorted(inside, key=lambda subset: -inside[subset])
    for rank, centre in enumerate(ranked):
        if fresh := [subset for subset in space.neighbours(centre) if subset not in past.taken]:
            return _most_promising(fresh, _effects(space, inside), rng)
        if rank == 0 and rng.random() < 0.5:  # the best is a local optimum: leave it half of the time
            break
    return random(space, past, rng)


def _most_promising(subsets: list[Subset], effects: Mapping[str, float], rng: Generator) -> Subset:
    hopes = [math.fsum(effects[language.code] for language in subset) for subset in subsets]
    first = [subset for subset, hope in zip(subsets, hopes, strict=True) if hope == max(hopes)]
    return first[rng.integers(len(first))]


def _effects(space: Space, values: Mapping[Subset, float]) -> Mapping[str, float]:
    """The gain of adding each language to a subset, by ridge regression on membership (Ilyas et al. 2022)."""
    members = np.zeros((len(values), len(space.pool)))
    for row, subset in enumerate(values):
        members[row, list(space.indices(subset))] = 1.0
    scores = np.array(list(values.values()))
    members, scores = members - members.mean(axis=0), scores - scores.mean()
    if len(values) <= len(space.pool):  # m equations, else n: one solution, by the smaller system
        found = members.T @ np.linalg.solve(members @ members.T + np.eye(len(values)), scores)  # (n,)
    else:
        found = np.linalg.solve(members.T @ members + np.eye(len(space.pool)), members.T @ scores)
    return dict(zip((language.code for language in space.pool), found.tolist(), strict=True))


def exhaustive(seed: int) -> Proposer:
    """Strategy that proposes every subset of a space, in an order that `seed` shuffles.

    For spaces of at most `ENUMERABLE` subsets: they are listed in memory.
    """

    last: tuple[Space, list[Subset]] | None = None  # a study asks for one space again and again

    def propose(space: Space, past: Past, rng: Generator) -> Subset | None:
        nonlocal last
        if last is None or last[0] is not space:
            every = list(space.every())
            last = space, [every[index] for index in default_rng(seed).permutation(len(every))]
        return next((subset for subset in last[1] if subset not in past.taken), None)

    return propose
