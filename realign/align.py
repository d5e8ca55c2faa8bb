"""Word aligners: which word of a sentence translates which of its partner. Pure functions of a similarity matrix.

Notations
    m, n        words of the source sentence and of its translation
    similarity  [..., m, n]; a batch of sentences of unequal length is filled with −∞
    mask        [..., m, n] true where word i is linked with word j
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from realign.table import spans, stacked_offsets

Links = tuple[tuple[int, int], ...]  # (source word, target word), zero-based

DISCOUNT = 0.9  # of a pair one of whose words has a link already (Jalili Sabet et al. 2020, section 3.2: α)


@dataclass(frozen=True)
class Linked:
    """Word links of n sentence pairs as ragged rows: those of pair i are `words[offsets[i]:offsets[i + 1]]`."""

    words: np.ndarray  # [links, 2] (source word, target word)
    offsets: np.ndarray  # [n + 1] int64

    @classmethod
    def of(cls, links: Sequence[Links]) -> Linked:
        flat = np.array([link for some in links for link in some], dtype=np.int16).reshape(-1, 2)
        return cls(flat, np.cumsum([0, *map(len, links)]))

    @classmethod
    def stack(cls, parts: Sequence[Linked]) -> Linked:
        words = np.concatenate([part.words for part in parts])
        return cls(words, stacked_offsets([part.offsets for part in parts]))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def select(self, rows: np.ndarray) -> Linked:
        """The links of the chosen pairs, in that order, in memory."""
        places, offsets = spans(self.offsets, rows)
        return Linked(np.asarray(self.words[places]), offsets)


def mutual(similarity: Tensor) -> Tensor:
    """Words that are each other's nearest: argmax both ways (Jalili Sabet et al. 2020, "Argmax"). → mask."""
    real = torch.isfinite(similarity)
    forward = torch.zeros_like(real).scatter_(-1, similarity.argmax(-1, keepdim=True), True)
    backward = torch.zeros_like(real).scatter_(-2, similarity.argmax(-2, keepdim=True), True)
    return forward & backward & real


def itermax(similarity: Tensor, rounds: int = 2) -> Tensor:
    """Mutual nearest words, then again among what is left (Jalili Sabet et al. 2020, "Itermax"). → mask.

    Cosines in [−1, 1]. In each further round a pair of linked words is out, and one with a linked word counts 0.9 of
    its similarity (moved to [0, 1]); so a word can get a second link.
    """
    found = mutual(similarity)
    closeness = (similarity + 1) / 2
    for _ in range(rounds - 1):
        left, right = found.any(-1, keepdim=True), found.any(-2, keepdim=True)
        open_ = torch.where(left | right, DISCOUNT * closeness, closeness).masked_fill(left & right, float("-inf"))
        found = found | mutual(open_)
    return found


def links_of(mask: Tensor) -> list[Links]:
    """The links of each pair of a batch [b, m, n]."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(len(mask))]
    for pair, i, j in mask.nonzero().tolist():
        found[pair].append((i, j))
    return [tuple(some) for some in found]


def one_to_one(links: Links) -> Links:
    """Only links whose two words have no other link."""
    left, right = [i for i, _ in links], [j for _, j in links]
    return tuple((i, j) for i, j in links if left.count(i) == 1 and right.count(j) == 1)


def informative(links: Links, source: tuple[str, ...], target: tuple[str, ...]) -> Links:
    """One-to-one links between words that are not spelled the same: identical words are aligned already."""
    return tuple((i, j) for i, j in one_to_one(links) if source[i] != target[j])


def alignment_error_rate(
    found: Iterable[Links], sure: Iterable[Links], possible: Iterable[Links] | None = None
) -> float:
    """1 − (|A ∩ S| + |A ∩ P|) / (|A| + |S|) over all sentence pairs (Och and Ney 2003, eq. 25); 0 is perfect.

    A: `found`; S: `sure` gold links; P: `possible` ones, among them the sure (none given: the sure alone).
    """
    said = [set(some) for some in found]
    gold = [set(some) for some in sure]
    wide = gold if possible is None else [s | set(some) for s, some in zip(gold, possible, strict=True)]
    hits = sum(len(a & s) + len(a & p) for a, s, p in zip(said, gold, wide, strict=True))
    return 1.0 - hits / max(1, sum(map(len, said)) + sum(map(len, gold)))
