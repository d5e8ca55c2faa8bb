"""The forward pass of BERT-like encoders on the tokens of a batch alone: nothing is computed for padding.

Linear layers, norms and the feed-forward part take tokens [s, d], whatever sentence they are of. For the attention they
are laid out in rows of several whole sentences, each token seeing those of its own sentence only. Of the last block
only the states asked for are computed. The same code runs several encoders of one shape side by side
(see `search.bench`): weights and tokens then have one dimension more, in front.

Notations
    n, t    sentences of a batch, tokens of the longest
    s       tokens of all sentences, one sentence after the other
    r, w    rows of the attention, their width in tokens
    d, h    width of the encoder, its attention heads
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from realign.encoder.pooling import put_rows, rows_of, take_rows

ROW = 64  # tokens a row of the attention at least has room for: shorter rows make many tiny products

Affine = tuple[Tensor, Tensor]  # weight and bias of a linear layer or a norm


@dataclass(frozen=True)
class Packed:
    """Tokens of a batch and their positions. All tensors are on one device."""

    ids: Tensor  # [s]
    place: Tensor  # [s] in the sentence, from 0
    slot: Tensor  # [s] in the rows of the attention, of r · w
    apart: Tensor | None  # [r, 1, w, w] −∞ between tokens of different sentences, else 0; None where there are none
    rows: int
    width: int
    longest: int  # t
    wanted: Tensor | None = None  # [m] the tokens whose last state is asked for; None: all
    borders: Tensor | None = None  # [n + 1] int32 first token of each sentence; then there are no rows: see `attend`

    def to(self, device: torch.device) -> Packed:
        if device.type == "cpu":
            return self
        ids, place, slot = (x.to(device, non_blocking=True) for x in (self.ids, self.place, self.slot))
        apart, wanted = (x if x is None else x.to(device, non_blocking=True) for x in (self.apart, self.wanted))
        borders = None if self.borders is None else self.borders.to(device, non_blocking=True)
        return Packed(ids, place, slot, apart, self.rows, self.width, self.longest, wanted, borders)


@dataclass(frozen=True)
class Block:
    """One transformer block with the norm after each part (Vaswani et al. 2017)."""

    query: Affine
    key: Affine
    value: Affine
    output: Affine
    first_norm: Affine
    up: Affine
    down: Affine
    second_norm: Affine
    joined: Affine | None = None  # query, key and value as one layer, where they lie end to end in memory


@dataclass(frozen=True)
class Net:
    """Inputs of the forward pass from an encoder: its weights themselves, or those of m encoders stacked."""

    words: Callable[[Tensor], Tensor]  # ids → [s, d]
    positions: Tensor  # [first + t or more, d]
    first: int  # the row of the first place: RoBERTa's first rows stand for padding
    kinds: Tensor | None  # [types, d] BERT's types of sentences: the first is added to all
    norm: Affine
    blocks: Sequence[Block]
    heads: int
    epsilon: float  # of the norms
    activation: Callable[[Tensor], Tensor]
    dropout: float = 0.0
    attention_dropout: float = 0.0


def pack(ids: Tensor, mask: Tensor, wanted: Tensor | None = None) -> tuple[Packed, Tensor]:
    """Remove the padding from `ids` [n, t], with the attention `mask` [n, t] and the tokens `wanted` [n, t], on the
    CPU.

    Returns the tokens alone, and for each state that the forward pass gives its place among n · t. Sentences begin at
    the left.
    """
    laid = Layout.of(mask)
    asked = None if wanted is None else torch.from_numpy(laid.token_numbers(wanted))
    kept = torch.from_numpy(laid.kept)
    tokens = Packed(
        ids.reshape(-1)[kept],
        torch.from_numpy(laid.place),
        torch.from_numpy(laid.slot(laid.width)),
        laid.borders(laid.rows, laid.width),
        laid.rows,
        laid.width,
        laid.longest,
        asked,
    )
    return tokens, kept if asked is None else kept[asked]


@dataclass(frozen=True)
class Layout:
    """Places of the tokens of a batch, and their rows: sentences one after the other."""

    kept: np.ndarray  # [s] of n · t
    sentence: np.ndarray  # [s]
    place: np.ndarray  # [s] in the sentence
    row: np.ndarray  # [s]
    column: np.ndarray  # [s]
    rows: int
    width: int
    longest: int

    @classmethod
    def of(cls, mask: Tensor) -> Layout:
        """Layout of the tokens in `mask` [n, t], on the CPU."""
        kept = np.flatnonzero(mask.numpy())
        lengths = mask.numpy().sum(1)
        longest = int(lengths.max(initial=1))
        rows, columns, row, column = [], [], 0, 0
        for length in lengths.tolist():
            if column + length > max(ROW, longest):
                row, column = row + 1, 0
            rows.append(row)
            columns.append(column)
            column += length
        sentence = np.repeat(np.arange(len(lengths)), lengths)
        place = kept % mask.shape[1]
        first = np.array(columns)
        return cls(
            kept,
            sentence,
            place,
            np.array(rows)[sentence],
            first[sentence] + place,
            row + 1,
            int((first + lengths).max(initial=1)),
            longest,
        )

    def slot(self, width: int) -> np.ndarray:
        """Places of the tokens [s] in rows of `width`."""
        return self.row * width + self.column

    def token_numbers(self, wanted: Tensor) -> np.ndarray:
        """Numbers [m] of the tokens `wanted` [n, t]."""
        return np.flatnonzero(wanted.numpy().ravel()[self.kept])

    def borders(self, rows: int, width: int) -> Tensor | None:
        """Numbers [`rows`, 1, `width`, `width`] to add to the scores of the attention; None if none are needed.

        Empty slots attend to each other, so that each has something to attend to.
        """
        owner = np.full((rows, width), -1)
        owner[self.row, self.column] = self.sentence
        if (owner == owner[:, :1]).all():
            return None
        apart = owner[:, None, :, None] != owner[:, None, None, :]
        return torch.from_numpy(np.where(apart, np.float32(-np.inf), np.float32(0)))


def forward(net: Net, tokens: Packed, depth: int, frozen: int = 0) -> Tensor:
    """States [s, d] of `tokens` after `depth` blocks (0: the embeddings), or [m, d] of the wanted ones.

    `frozen` is the number of lowest blocks that, with the embeddings, are computed without gradients.
    """
    if frozen:
        x = _embed(net, tokens).detach()
        with torch.no_grad():
            for block in net.blocks[:frozen]:
                x = _block(net, block, tokens, x, None)
        return _after(net, tokens, x, net.blocks[frozen:depth])
    return _after(net, tokens, _embed(net, tokens), net.blocks[:depth])


def _embed(net: Net, tokens: Packed) -> Tensor:
    positions = net.positions[..., net.first : net.first + tokens.longest, :]
    if net.kinds is not None:
        positions = positions + net.kinds[..., :1, :]
    x = net.words(tokens.ids) + rows_of(positions, tokens.place)
    return _dropout(_normalize(x, net.norm, net.epsilon), net.dropout)


def _after(net: Net, tokens: Packed, x: Tensor, blocks: Sequence[Block]) -> Tensor:
    for block in blocks[:-1]:
        x = _block(net, block, tokens, x, None)
    if blocks:
        return _block(net, blocks[-1], tokens, x, tokens.wanted)
    return x if tokens.wanted is None else take_rows(x, tokens.wanted)


def _block(net: Net, block: Block, tokens: Packed, x: Tensor, wanted: Tensor | None) -> Tensor:
    """One block; of its output only the tokens `wanted`."""
    if tokens.borders is not None:
        seen = attend(net, tokens, _linear(x, block.joined or _join_layers(block.query, block.key, block.value)))
        here = x if wanted is None else take_rows(x, wanted)
        return _feed_forward(net, block, here, seen if wanted is None else take_rows(seen, wanted))
    if wanted is None:
        here, slot = x, tokens.slot
        q, k, v = _in_rows(tokens, _linear(x, _join_layers(block.query, block.key, block.value)), slot, 3, net.heads)
    else:
        here, slot = take_rows(x, wanted), take_rows(tokens.slot[..., None], wanted)[..., 0]
        (q,) = _in_rows(tokens, _linear(here, block.query), slot, 1, net.heads)
        k, v = _in_rows(tokens, _linear(x, _join_layers(block.key, block.value)), tokens.slot, 2, net.heads)
    # eq. 1 of Vaswani et al. 2017
    apart = None if tokens.apart is None else tokens.apart.to(q.dtype)
    seen = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=apart, dropout_p=net.attention_dropout)
    return _feed_forward(net, block, here, take_rows(seen.transpose(1, 2).flatten(2).flatten(0, 1), slot))


def _feed_forward(net: Net, block: Block, here: Tensor, seen: Tensor) -> Tensor:
    """Part of a block after the attention: its output layer, and the feed-forward layers."""
    y = _linear(seen, block.output)
    y = _normalize(_dropout(y, net.dropout) + here, block.first_norm, net.epsilon)
    z = _linear(net.activation(_linear(y, block.up)), block.down)
    return _normalize(_dropout(z, net.dropout) + y, block.second_norm, net.epsilon)


def attend(net: Net, tokens: Packed, x: Tensor) -> Tensor:
    """Attention within each sentence: queries, keys and values `x` [.., s, 3 · d] → [.., s, d].

    In half precision on CUDA by FlashAttention over sentences of any length (Dao 2023), without rows or masks.
    """
    assert tokens.borders is not None
    *lead, s, _ = x.shape
    q, k, v = x.view(-1, 3, net.heads, x.shape[-1] // (3 * net.heads)).unbind(1)
    if x.is_cuda and x.dtype != torch.float32:
        return _flash(q, k, v, tokens.borders, tokens.longest, net.attention_dropout).reshape(*lead, s, -1)
    owner = torch.bucketize(torch.arange(len(q), device=x.device, dtype=torch.int32), tokens.borders, right=True)
    owner = owner.view(-1, 1, s)
    q, k, v = (part.view(-1, s, *part.shape[1:]).transpose(1, 2) for part in (q, k, v))
    sees = owner[..., None] == owner[:, :, None]  # [m, 1, s, s]
    seen = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=sees, dropout_p=net.attention_dropout)
    return seen.transpose(1, 2).reshape(*lead, s, -1)


def _flash(q: Tensor, k: Tensor, v: Tensor, borders: Tensor, longest: int, dropout: float) -> Tensor:
    """FlashAttention on [s, h, d / h] each: torch's `varlen_attn`, and the operator below it if there is dropout."""
    if dropout:
        forward = torch.ops.aten._flash_attention_forward
        return forward(q, k, v, borders, borders, longest, longest, dropout, False, False)[0]
    from torch.nn.attention.varlen import varlen_attn

    found = varlen_attn(q, k, v, borders, borders, longest, longest)
    assert isinstance(found, Tensor)
    return found


def _in_rows(tokens: Packed, x: Tensor, slot: Tensor, parts: int, heads: int) -> tuple[Tensor, ...]:
    """Tokens [.., s, parts · d] → for each part [r, h, w, d / h]."""
    laid = put_rows(x, slot, tokens.rows * tokens.width)
    return laid.view(tokens.rows, tokens.width, parts, heads, -1).permute(2, 0, 3, 1, 4).unbind(0)


def _linear(x: Tensor, layer: Affine) -> Tensor:
    weight, bias = layer
    if weight.dim() == 2:
        return nn.functional.linear(x, weight, bias)
    return torch.baddbmm(bias[:, None], x, weight.mT)


def _join_layers(*layers: Affine) -> Affine:
    """Layers of one input as one layer: a larger product uses the machine better."""
    return torch.cat([weight for weight, _ in layers], dim=-2), torch.cat([bias for _, bias in layers], dim=-1)


def _normalize(x: Tensor, norm: Affine, epsilon: float) -> Tensor:
    weight, bias = norm
    if weight.dim() == 1:
        return nn.functional.layer_norm(x, weight.shape, weight, bias, epsilon)
    return nn.functional.layer_norm(x, weight.shape[-1:], eps=epsilon) * weight[:, None] + bias[:, None]


def _dropout(x: Tensor, chance: float) -> Tensor:
    return nn.functional.dropout(x, chance) if chance else x
