"""Word aligners: which word of a sentence translates which of its partner. Pure functions of a similarity matrix."""

from __future__ import annotations

from torch import Tensor

Links = tuple[tuple[int, int], ...]


def mutual(similarity: Tensor) -> Links:
    """Words that are each other's nearest: argmax both ways (Jalili Sabet et al. 2020, "Argmax"). [m, n] → links."""
    forward, backward = similarity.argmax(1), similarity.argmax(0)
    return tuple((i, int(j)) for i, j in enumerate(forward) if int(backward[j]) == i)


def one_to_one(links: Links) -> Links:
    """Only links whose two words have no other link."""
    left, right = [i for i, _ in links], [j for _, j in links]
    return tuple((i, j) for i, j in links if left.count(i) == 1 and right.count(j) == 1)


def informative(links: Links, source: tuple[str, ...], target: tuple[str, ...]) -> Links:
    """One-to-one links between words that are not spelled the same: identical words are aligned already."""
    return tuple((i, j) for i, j in one_to_one(links) if source[i] != target[j])
