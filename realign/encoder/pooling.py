"""Vectors of sentences and of words, from token states."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def sentence_vectors(states: Tensor, word: Tensor, pooling: str = "mean") -> Tensor:
    """Mean of the `states` [n, t, d] of a sentence's sub-words, [n, d]; `word` [n, t] is −1 for special tokens and
    padding.
    """
    visible = word >= 0
    if pooling == "reference-prefix":  # sub-words counted from 1, up to the number of words
        visible &= visible.cumsum(1) <= word.max(1, keepdim=True).values + 1
    mask = visible.to(states.dtype)
    return torch.einsum("ntd,nt->nd", states, mask) / mask.sum(1, keepdim=True).clamp(min=1)


def word_vectors(states: Tensor, word: Tensor, rows: Tensor, words: Tensor, pooling: str = "mean") -> Tensor:
    """Vectors [m, d] of the words with numbers `words` [m] in the sentences `rows` [m], from `states` [n, t, d].

    `word` [n, t] has the word of each sub-word. A word without a sub-word in it (cut off) is zero.
    """
    n, _, d = states.shape
    width = int(word.max()) + 1
    visible = word >= 0
    if pooling == "first":
        visible = visible & (word != nn.functional.pad(word[:, :-1], (1, 0), value=-1))
    nowhere = n * width  # where the sub-words go that no word is made of
    slot = torch.where(visible, torch.arange(n, device=word.device)[:, None] * width + word, nowhere).flatten()
    sums = states.new_zeros(nowhere + 1, d).index_add(0, slot, states.flatten(0, 1))
    counts = states.new_zeros(nowhere + 1).index_add(0, slot, states.new_ones(len(slot)))
    at = rows * width + words
    return sums[at] / counts[at].clamp(min=1)[:, None]
