"""Rows of token states: vectors of sentences and of words, and rows picked by their numbers."""

from __future__ import annotations

from typing import Any

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
    nowhere = n * width  # place for sub-words that belong to no word
    slot = torch.where(visible, torch.arange(n, device=word.device)[:, None] * width + word, nowhere).flatten()
    sums = states.new_zeros(nowhere + 1, d).index_add(0, slot, states.flatten(0, 1))
    counts = states.new_zeros(nowhere + 1).index_add(0, slot, states.new_ones(len(slot)))
    at = rows * width + words
    return sums[at] / counts[at].clamp(min=1)[:, None]


def rows_of(table: Tensor, index: Tensor) -> Tensor:
    """Rows [.., s, d] of `table` [.., v, d] with the numbers `index`."""
    if table.dim() == 2:
        return nn.functional.embedding(index, table)
    m, v, d = table.shape
    first = torch.arange(m, device=index.device)[:, None] * v
    return nn.functional.embedding(index + first, table.reshape(m * v, d))


def take_rows(x: Tensor, index: Tensor) -> Tensor:
    """Rows [m, f] of `x` [s, f] with the different numbers `index` [m]; for several x side by side [.., s, f]."""
    if x.dim() == 3:
        first = torch.arange(len(x), device=x.device)[:, None] * x.shape[1]
        return _Pick.apply(x.flatten(0, 1), index + first)
    return _Pick.apply(x, index)


def put_rows(x: Tensor, index: Tensor, size: int) -> Tensor:
    """Reverse of `pick`: rows of `x` [*index.shape, f] at the different places `index` among `size` rows of zeros."""
    return _Lay.apply(x, index, size)


class _Pick(torch.autograd.Function):
    """Rows [s, f] by different numbers → [*index.shape, f]. No two gradients meet: cheap, and the same bits always."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.size = len(x)
        return x.index_select(0, index.reshape(-1)).view(*index.shape, -1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        return _scatter_rows(grad, index, ctx.size), None


class _Lay(torch.autograd.Function):
    """As `_Pick`, the other way round."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, index: Tensor, size: int) -> Tensor:
        ctx.save_for_backward(index)
        return _scatter_rows(x, index, size)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (index,) = ctx.saved_tensors
        return grad.index_select(0, index.reshape(-1)).view(*index.shape, -1), None, None


def _scatter_rows(x: Tensor, index: Tensor, size: int) -> Tensor:
    width = x.shape[-1]
    return x.new_zeros(size, width).index_copy_(0, index.reshape(-1), x.reshape(-1, width))
