"""Parallel text as the loop takes it: encoded once per language, with word links where the loss needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from realign.align import informative, mutual
from realign.corpus import Pair, Parallel
from realign.encoder import Encoder, hidden_states
from realign.loss import word_vectors
from realign.recipe import Realignment
from realign.table import Table
from selector.errors import InputError

ALIGN_BATCH = 64  # sentence pairs


@dataclass(frozen=True)
class EncodedPairs:
    """Sentence pairs of one language: row i of `target` translates row i of `source`."""

    source: Table
    target: Table
    links: Sequence[Tensor]  # per pair [m, 2]: (source word, target word); empty for the sentence loss


class PairStore:
    """Parallel text encoded once per language, with word links where the loss needs them."""

    def __init__(self, encoder: Encoder, parallel: Parallel, how: Realignment) -> None:
        self._encoder, self._parallel, self._how = encoder, parallel, how
        self._known: dict[str, EncodedPairs] = {}

    def of(self, language: str) -> EncodedPairs:
        if language not in self._known:
            self._known[language] = self._encode(language)
        return self._known[language]

    def _encode(self, language: str) -> EncodedPairs:
        pairs = self._parallel.pairs(language, "train")
        if not pairs:
            raise InputError(f"there are no parallel sentences for {language}", "take it out of the pool, or add data")
        source = self._encoder.encode([pair.source for pair in pairs], self._how.max_length)
        target = self._encoder.encode([pair.target for pair in pairs], self._how.max_length)
        links = self._links(pairs, source, target) if self._how.loss == "word" else []
        return EncodedPairs(source, target, links)

    def _links(self, pairs: Sequence[Pair], source: Table, target: Table) -> list[Tensor]:
        if self._how.aligner == "gold":
            if any(pair.links is None for pair in pairs):
                raise InputError("this parallel text has no gold word alignment", 'use aligner = "mutual"')
            found = [pair.links or () for pair in pairs]
        else:
            found = _align(self._encoder, source, target, self._how.layer)
        links = []
        for row, (pair, some) in enumerate(zip(pairs, found, strict=True)):
            kept = informative(some, pair.source, pair.target)
            seen = _seen(source, row), _seen(target, row)
            visible = [(i, j) for i, j in kept if i in seen[0] and j in seen[1]]
            links.append(torch.tensor(visible, dtype=torch.long).reshape(-1, 2))
        return links


def _seen(table: Table, row: int) -> set[int]:
    """The words of a sentence that still have a sub-word after truncation."""
    return set(table.row(row)[1].tolist())


@torch.inference_mode()
def _align(encoder: Encoder, source: Table, target: Table, layer: int) -> list[tuple[tuple[int, int], ...]]:
    """Mutual nearest words of each pair under the starting encoder."""
    links: list[tuple[tuple[int, int], ...]] = []
    for start in range(0, len(source), ALIGN_BATCH):
        rows = np.arange(start, min(start + ALIGN_BATCH, len(source)))
        sides = zip(_unit_words(encoder, source, rows, layer), _unit_words(encoder, target, rows, layer), strict=True)
        links += [mutual(ours @ theirs.T) for ours, theirs in sides]
    return links


def _unit_words(encoder: Encoder, table: Table, rows: np.ndarray, layer: int) -> list[Tensor]:
    """Per sentence [words, d]: word vectors of length one."""
    ids, mask, word = table.take(rows)
    counts = word.max(1).values + 1
    sentence = torch.repeat_interleave(torch.arange(len(rows)), counts)
    number = torch.cat([torch.arange(int(count)) for count in counts])
    vectors = word_vectors(hidden_states(encoder.model, ids, mask, layer), word, sentence, number)
    return list(nn.functional.normalize(vectors, dim=1).split(counts.tolist()))
