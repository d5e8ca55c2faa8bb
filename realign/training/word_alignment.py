"""Word aligners: links between the words of a sentence and of its translation.

Notations

    m, n        words of the source sentence and of its translation
    similarity  [..., m, n]; a batch of sentences of unequal length is filled with −∞
    mask        [..., m, n] true where word i is linked with word j

mutual, itermax pure functions of the similarity of word vectors under the starting encoder gold, dictionary, pharaoh
links that the pairs have already: the corpus's own, or those of corpora/word_links.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from realign.corpora.corpus import Links, Pair
from realign.encoder.encoder import Encoder, hidden_states
from realign.encoder.pooling import word_vectors
from realign.encoder.ragged import RaggedTable, spans, stacked_offsets
from realign.training.settings import Realignment
from selector.errors import InputError

DISCOUNT = 0.9  # of a pair one of whose words has a link already (Jalili Sabet et al. 2020, section 3.2: α)


@dataclass(frozen=True)
class WordLinks:
    """Word links of n sentence pairs as ragged rows: those of pair i are `words[offsets[i]:offsets[i + 1]]`."""

    words: np.ndarray  # [links, 2] (source word, target word)
    offsets: np.ndarray  # [n + 1] int64

    @classmethod
    def of(cls, links: Sequence[Links]) -> WordLinks:
        flat = np.array([link for some in links for link in some], dtype=np.int16).reshape(-1, 2)
        return cls(flat, np.cumsum([0, *map(len, links)]))

    @classmethod
    def stack(cls, parts: Sequence[WordLinks]) -> WordLinks:
        words = np.concatenate([part.words for part in parts])
        return cls(words, stacked_offsets([part.offsets for part in parts]))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def select(self, rows: np.ndarray) -> WordLinks:
        """Links of the chosen pairs `rows`, in that order, in memory."""
        places, offsets = spans(self.offsets, rows)
        return WordLinks(np.asarray(self.words[places]), offsets)


def mutual(similarity: Tensor) -> Tensor:
    """Mask of the words that are each other's nearest by `similarity` (Jalili Sabet et al. 2020, "Argmax")."""
    real = torch.isfinite(similarity)
    if not similarity.numel():  # a side without words has no nearest one
        return real
    forward = torch.zeros_like(real).scatter_(-1, similarity.argmax(-1, keepdim=True), True)
    backward = torch.zeros_like(real).scatter_(-2, similarity.argmax(-2, keepdim=True), True)
    return forward & backward & real


def itermax(similarity: Tensor, rounds: int = 2) -> Tensor:
    """Mask of mutual nearest words, found again in what is left for `rounds` (Jalili Sabet et al. 2020, "Itermax").

    `similarity` are cosines in [−1, 1]. In each further round a pair of linked words is out, and a pair with one linked
    word counts 0.9 of its similarity (moved to [0, 1]); so a word can get a second link.
    """
    found = mutual(similarity)
    closeness = (similarity + 1) / 2
    for _ in range(rounds - 1):
        left, right = found.any(-1, keepdim=True), found.any(-2, keepdim=True)
        open_ = torch.where(left | right, DISCOUNT * closeness, closeness).masked_fill(left & right, float("-inf"))
        found = found | mutual(open_)
    return found


def links_of(mask: Tensor) -> list[Links]:
    """Links of each pair of a batch, from `mask` [b, m, n]."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(len(mask))]
    for pair, i, j in mask.nonzero().tolist():
        found[pair].append((i, j))
    return [tuple(some) for some in found]


def one_to_one(links: Links) -> Links:
    """Those of `links` whose two words have no other link."""
    left, right = [i for i, _ in links], [j for _, j in links]
    return tuple((i, j) for i, j in links if left.count(i) == 1 and right.count(j) == 1)


def informative(links: Links, source: tuple[str, ...], target: tuple[str, ...]) -> Links:
    """Those of `links` that are one to one and between words of different spelling: identical words are aligned
    already.
    """
    return tuple((i, j) for i, j in one_to_one(links) if source[i] != target[j])


def alignment_error_rate(
    found: Iterable[Links], sure: Iterable[Links], possible: Iterable[Links] | None = None
) -> float:
    """1 − (|A ∩ S| + |A ∩ P|) / (|A| + |S|) over all sentence pairs (Och and Ney 2003, eq. 25); 0 is perfect.

    A: `found` links; S: `sure` gold links; P: `possible` ones, which include the sure (None: the sure alone).
    """
    found_links = [set(some) for some in found]
    gold = [set(some) for some in sure]
    wide = gold if possible is None else [s | set(some) for s, some in zip(gold, possible, strict=True)]
    hits = sum(len(a & s) + len(a & p) for a, s, p in zip(found_links, gold, wide, strict=True))
    return 1.0 - hits / max(1, sum(map(len, found_links)) + sum(map(len, gold)))


ALIGN_BATCH = 64  # sentence pairs
BY_SIMILARITY: dict[str, Callable[[Tensor], Tensor]] = {"mutual": mutual, "itermax": itermax}


class WordAligner(Protocol):
    """A function from sentence pairs to word links. Pure: equal pairs, equal links."""

    @property
    def signature(self) -> str:
        """Name of everything, except the pairs, that the links depend on."""
        ...

    def __call__(self, language: str, pairs: Sequence[Pair], source: RaggedTable, target: RaggedTable) -> list[Links]:
        """Links of each of `pairs`, with the encoded sides `source` and `target`."""
        ...


def aligner(settings: Realignment, encoder: Encoder) -> WordAligner:
    """Word aligner that `settings` name. InputError: they name none."""
    if settings.aligner is None:
        raise InputError("no aligner is given", 'aligner = "mutual" needs no data')
    if settings.aligner in BY_SIMILARITY:
        return LinksBySimilarity(settings.aligner, encoder, settings.layer)
    return LinksOfPairs(settings.aligner)


class LinksOfPairs:
    """Word aligner that takes the links that the pairs have already."""

    def __init__(self, name: str) -> None:
        self.signature = name

    def __call__(self, language: str, pairs: Sequence[Pair], source: RaggedTable, target: RaggedTable) -> list[Links]:
        if any(pair.links is None for pair in pairs):
            message = f"the parallel text of {language} has no {self.signature} word alignment"
            raise InputError(message, 'use aligner = "mutual"')
        return [pair.links or () for pair in pairs]


class LinksBySimilarity:
    """Word aligner by the cosine of word vectors at `layer` of the starting encoder."""

    def __init__(self, name: str, encoder: Encoder, layer: int) -> None:
        self._encoder, self._layer, self._links = encoder, layer, BY_SIMILARITY[name]
        self.signature = f"{name}:{encoder.signature}:{layer}"

    @torch.inference_mode()
    def __call__(self, language: str, pairs: Sequence[Pair], source: RaggedTable, target: RaggedTable) -> list[Links]:
        on_gpu = torch.cuda.is_available()
        model = self._encoder.copy().to("cuda") if on_gpu else self._encoder.model
        order = np.argsort(np.diff(source.offsets) + np.diff(target.offsets), kind="stable")  # little padding
        found: list[Links] = [()] * len(order)
        for rows, similarity in self._similarities(model, source, target, order):
            for row, links in zip(rows, links_of(self._links(similarity)), strict=True):
                found[row] = links
        return found

    def _similarities(
        self, model: nn.Module, source: RaggedTable, target: RaggedTable, order: np.ndarray
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Rows and the cosines [b, m, n] of their words, −∞ beyond the end of a sentence."""
        for start in range(0, len(order), ALIGN_BATCH):
            rows = order[start : start + ALIGN_BATCH]
            ours, here = unit_words(model, source, rows, self._layer)
            theirs, there = unit_words(model, target, rows, self._layer)
            cosines = torch.bmm(ours, theirs.transpose(1, 2))
            yield rows, cosines.masked_fill(~(here[:, :, None] & there[:, None, :]), float("-inf"))


def unit_words(model: nn.Module, table: RaggedTable, rows: np.ndarray, layer: int) -> tuple[Tensor, Tensor]:
    """Word vectors of length one [b, m, d] of `rows` of `table`, and True where there is a word [b, m].

    m: the most words of a sentence. The vectors are from `layer` of `model`.
    """
    device = next(model.parameters()).device
    ids, mask, word = table.take(rows)
    word = word.to(device)
    many = int(word.max()) + 1 if word.numel() else 0
    row, number = torch.meshgrid(torch.arange(len(rows)), torch.arange(many), indexing="ij")
    states = hidden_states(model, ids, mask, layer)
    vectors = word_vectors(states, word, row.flatten().to(device), number.flatten().to(device))
    present = (word[:, :, None] == torch.arange(many, device=device)).any(1)
    return nn.functional.normalize(vectors, dim=1).view(len(rows), many, vectors.shape[-1]), present
