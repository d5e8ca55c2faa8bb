"""The packed forward pass of encoders with rotary positions and a norm before each part: ModernBERT and EuroBERT.

As in packed.py nothing is computed for padding, and of the last block only the states asked for. What differs: places
turn queries and keys instead of being added to the words (Su et al. 2021), the feed-forward part has a gate (Shazeer
2020), some blocks see only tokens near by, and several heads of queries may share one of keys and values (Ainslie et
al. 2023). For the letters in shapes see packed.py; g are the heads
of keys and values, f is the width of a head.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from realign.encoder.packed import Packed
from realign.encoder.pooling import put_rows, take_rows

Layer = tuple[Tensor, Tensor | None]  # weight and bias, which most of these encoders do without
Turns = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # states, places [1, t] → cosine and sine [1, t, f]


@dataclass(frozen=True)
class AttentionKind:
    """Properties that all blocks of one kind share: rotation of positions, and width of the attention."""

    turns: Turns
    window: int | None = None  # so many tokens to each side; None: the whole sentence


@dataclass(frozen=True)
class RotaryBlock:
    """One transformer block with the norm before each part and no dropout."""

    first_norm: nn.Module
    attention: Sequence[Layer]  # queries, keys and values: a layer each, or one for all
    output: Layer
    second_norm: nn.Module
    up: Sequence[Layer]  # the activated part and its gate: a layer each, or one for both
    down: Layer
    activation: Callable[[Tensor], Tensor]
    sight: str


@dataclass(frozen=True)
class RotaryNet:
    """Inputs of the forward pass from an encoder: its weights themselves."""

    words: Callable[[Tensor], Tensor]  # ids → [s, d], normed where the encoder does so
    blocks: Sequence[RotaryBlock]
    norm: nn.Module  # after the last block
    sights: Mapping[str, AttentionKind]
    heads: int  # of queries
    shared: int  # of keys and values


@dataclass(frozen=True)
class _AttentionOfBatch:
    """An attention kind for the tokens of one batch."""

    turn: tuple[Tensor, Tensor]  # [s, 1, f / 2] cosine and sine of the angles
    apart: Tensor | None  # [r or 1, 1, w, w] −∞ between tokens that do not see each other


def rotary_forward(net: RotaryNet, tokens: Packed, depth: int) -> Tensor:
    """States [s, d] of `tokens` after `depth` blocks (0: the embeddings), or [m, d] of the wanted ones; normed after
    the last.
    """
    x = net.words(tokens.ids)
    seen = {name: _attention_of(sight, tokens, x) for name, sight in net.sights.items()}
    for number, block in enumerate(net.blocks[:depth], start=1):
        x = _block(net, block, tokens, seen[block.sight], x, tokens.wanted if number == depth else None)
    if depth == 0 and tokens.wanted is not None:
        x = take_rows(x, tokens.wanted)
    return net.norm(x) if depth == len(net.blocks) else x


def _attention_of(sight: AttentionKind, tokens: Packed, x: Tensor) -> _AttentionOfBatch:
    with torch.no_grad():
        places = torch.arange(tokens.longest, device=x.device)[None]
        # the second half of each table repeats the first
        cosine, sine = (table[0].chunk(2, -1)[0][tokens.place][:, None] for table in sight.turns(x, places))
        apart = tokens.apart
        if sight.window is not None and tokens.longest > sight.window + 1:
            # the tokens of a sentence lie side by side in their row
            column = torch.arange(tokens.width, device=x.device)
            far = (column[:, None] - column).abs() > sight.window
            beyond = torch.zeros(far.shape, device=x.device).masked_fill(far, -torch.inf)
            apart = beyond[None, None] if apart is None else apart + beyond
    return _AttentionOfBatch((cosine, sine), apart)


def _block(
    net: RotaryNet, block: RotaryBlock, tokens: Packed, seen: _AttentionOfBatch, x: Tensor, wanted: Tensor | None
) -> Tensor:
    """One block; of its output only the tokens `wanted`."""
    here, slot = x, tokens.slot
    if wanted is not None:
        here, slot = take_rows(x, wanted), take_rows(tokens.slot[..., None], wanted)[..., 0]
    q, k, v = _in_rows(net, tokens, slot, *_queries_keys_values(net, block, seen, block.first_norm(x), wanted))
    apart = None if seen.apart is None else seen.apart.to(q.dtype)
    mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=apart)
    here = here + _linear(take_rows(mixed.transpose(1, 2).flatten(2).flatten(0, 1), slot), block.output)
    inner, gate = _parts(block.up, block.second_norm(here), 2)
    return here + _linear(block.activation(inner) * gate, block.down)


def _queries_keys_values(
    net: RotaryNet, block: RotaryBlock, seen: _AttentionOfBatch, y: Tensor, wanted: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """[s, h, f] queries, or [m, h, f] of those wanted, and [s, g, f] keys and values."""
    turn, f = seen.turn, 2 * seen.turn[0].shape[-1]
    sizes = [net.heads * f, net.shared * f, net.shared * f]
    if wanted is None:
        query, key, value = _parts(block.attention, y, sizes)
        turn_of_queries = turn
    else:
        first, others = _split(block.attention, sizes[0])
        query = _linear(take_rows(y, wanted), first)
        key, value = _parts(others, y, sizes[1:])
        turn_of_queries = turn[0][wanted], turn[1][wanted]
    query, key, value = (part.unflatten(-1, (-1, f)) for part in (query, key, value))
    return _rotate(query, *turn_of_queries), _rotate(key, *turn), value


def _rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Eq. 34 of Su et al. 2021, the two numbers of a pair lying half a head apart. In single precision."""
    a, b = x.float().chunk(2, -1)
    return torch.cat((a * cosine - b * sine, b * cosine + a * sine), -1).to(x.dtype)


def _in_rows(net: RotaryNet, tokens: Packed, slot: Tensor, q: Tensor, k: Tensor, v: Tensor) -> list[Tensor]:
    """Tokens [.., heads, f] of queries, keys and values → each [r, h, w, f]."""
    rows = []
    for x, place in ((q, slot), (k, tokens.slot), (v, tokens.slot)):
        laid = put_rows(x.flatten(1), place, tokens.rows * tokens.width)
        laid = laid.view(tokens.rows, tokens.width, *x.shape[1:]).transpose(1, 2)
        rows.append(laid.repeat_interleave(net.heads // x.shape[1], 1) if x.shape[1] < net.heads else laid)
    return rows


def _linear(x: Tensor, layer: Layer) -> Tensor:
    return nn.functional.linear(x, *layer)


def _parts(layers: Sequence[Layer], x: Tensor, sizes: int | list[int]) -> Sequence[Tensor]:
    """Outputs of one or several layers for one input; sizes: their widths, or the number of outputs of equal width."""
    if len(layers) > 1:
        return [_linear(x, layer) for layer in layers]
    made = _linear(x, layers[0])
    return made.chunk(sizes, -1) if isinstance(sizes, int) else made.split(sizes, -1)


def _split(layers: Sequence[Layer], width: int) -> tuple[Layer, Sequence[Layer]]:
    """The layer that makes the first `width` outputs, and those that make the others."""
    if len(layers) > 1:
        return layers[0], layers[1:]
    weight, bias = layers[0]
    first, others = (None, None) if bias is None else (bias[:width], bias[width:])
    return (weight[:width], first), [(weight[width:], others)]
