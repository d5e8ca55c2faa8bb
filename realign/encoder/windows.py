"""Long sentences for evaluation: cut at word borders into windows, so that every word is read, wherever it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from realign.encoder.encoder import Encoder
from realign.encoder.ragged import RaggedTable

Words = Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Windows:
    """Row r of `table` holds the words of sentence `owner[r]` from its word `start[r]` on."""

    table: RaggedTable
    owner: Tensor  # [rows]
    start: Tensor  # [rows]


def windows(encoder: Encoder, sentences: Words, max_length: int) -> Windows:
    """Windows of `sentences` with at most `max_length` sub-words, special tokens included.

    Most sentences are one window. Words are never split; of a word longer than a window only the first sub-words are
    used.
    """
    spans = [(0, len(words)) for words in sentences]
    table = encoder.encode(sentences, max_length)
    full = encoder.limit(max_length)
    long = [row for row, length in enumerate(table.length.tolist()) if length >= full]
    if not long:
        return Windows(table, torch.arange(len(sentences)), torch.zeros(len(sentences), dtype=torch.long))
    owners, starts = list(range(len(sentences))), [0] * len(sentences)
    for row in long:
        first, *rest = _cuts(encoder, sentences[row], max_length)
        spans[row] = first
        owners += [row] * len(rest)
        starts += [start for start, _ in rest]
        spans += rest
    pieces = [sentences[owner][start:stop] for owner, (start, stop) in zip(owners, spans, strict=True)]
    return Windows(encoder.encode(pieces, max_length), torch.tensor(owners), torch.tensor(starts))


def _cuts(encoder: Encoder, words: tuple[str, ...], max_length: int) -> list[tuple[int, int]]:
    """The windows of one sentence as (first word, word after the last). A full window may have cut its last word."""
    cuts: list[tuple[int, int]] = []
    start = 0
    while start < len(words):
        table = encoder.encode([words[start:]], max_length)
        full = int(table.length[0]) >= encoder.limit(max_length)
        seen = int(table.take(torch.tensor([0]))[2].max())  # the last word that has a sub-word in the window
        stop = start + max(1, seen) if full else len(words)
        cuts.append((start, stop))
        start = stop
    return cuts
