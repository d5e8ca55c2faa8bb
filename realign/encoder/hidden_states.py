"""Token states of any encoder; known architectures run a packed pass, which computes nothing for padding.

BERT, RoBERTa and DistilBERT: packed.py; ModernBERT and EuroBERT: rotary.py. DeBERTa has an attention of its own between
positions, so `transformers` runs it, with padding; studies/LOG.md has what that costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import Tensor, nn

from realign.encoder.packed import Affine, Block, Net, forward, pack
from realign.encoder.pooling import put_rows
from realign.encoder.rotary import AttentionKind, Layer, RotaryBlock, RotaryNet, rotary_forward


def hidden_states(model: nn.Module, ids: Tensor, mask: Tensor, layer: int = -1, wanted: Tensor | None = None) -> Tensor:
    """Token states [n, t, d] of `model` after `layer`: -1 is the last block's output, -2 the one before, 0 the
    embeddings.

    `ids` and `mask` are [n, t] on the CPU, sentences at the left; the result is on the model's device. States of
    padding, and of tokens that are not `wanted` [n, t], are undefined.
    """
    return States(model)(ids, mask, layer, wanted)


class States:
    """`hidden_states` of one model, many times: its parts are looked up once.

    It follows the weights as they are trained, but not a part that is replaced, nor train() and eval().
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._net = net_of(model) or rotary_net_of(model)
        self._device = next(model.parameters()).device

    def __call__(self, ids: Tensor, mask: Tensor, layer: int = -1, wanted: Tensor | None = None) -> Tensor:
        if net := self._net:
            tokens, places = pack(ids, mask, wanted)
            depth = layer if layer >= 0 else len(net.blocks) + 1 + layer
            tokens = tokens.to(self._device)
            states = forward(net, tokens, depth) if isinstance(net, Net) else rotary_forward(net, tokens, depth)
            return put_rows(states, places.to(self._device), ids.numel()).view(*ids.shape, -1)
        ids, mask = ids.to(self._device), mask.to(self._device)
        if layer == -1:
            return self._model(input_ids=ids, attention_mask=mask).last_hidden_state
        return self._model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states[layer]


def net_of(model: Any) -> Net | None:
    """Parts of a BERT-like `model` as it is now; None where it is built otherwise, or has adapters (LoRA)."""
    try:
        net = {"bert": _bert, "roberta": _roberta, "xlm-roberta": _roberta, "distilbert": _distilbert}[
            model.config.model_type
        ](model)
    except (KeyError, AttributeError, _OtherLayerError):
        return None
    return net


def rotary_net_of(model: Any) -> RotaryNet | None:
    """Parts of a ModernBERT or EuroBERT `model`; None where it is built otherwise, has adapters, or trains with
    dropout.
    """
    try:
        return {"modernbert": _modernbert, "eurobert": _eurobert}[model.config.model_type](model)
    except (KeyError, AttributeError, _OtherLayerError):
        return None


class _OtherLayerError(Exception):
    """A layer is of another kind than the linear layer or norm that is expected."""


def _bert(model: Any, first: int = 0) -> Net:
    config, before = model.config, model.embeddings
    if config.is_decoder or getattr(config, "position_embedding_type", "absolute") != "absolute":
        raise _OtherLayerError
    blocks = [
        Block(
            *_layers(part.attention.self.query, part.attention.self.key, part.attention.self.value),
            *_layers(part.attention.output.dense, part.attention.output.LayerNorm),
            *_layers(part.intermediate.dense, part.output.dense, part.output.LayerNorm),
        )
        for part in model.encoder.layer
    ]
    return Net(
        before.word_embeddings,
        before.position_embeddings.weight,
        first,
        before.token_type_embeddings.weight,
        next(_layers(before.LayerNorm)),
        blocks,
        config.num_attention_heads,
        config.layer_norm_eps,
        model.encoder.layer[0].intermediate.intermediate_act_fn,
        before.dropout.p if model.training else 0.0,
        model.encoder.layer[0].attention.self.dropout.p if model.training else 0.0,
    )


def _roberta(model: Any) -> Net:
    return _bert(model, model.embeddings.position_embeddings.padding_idx + 1)


def _distilbert(model: Any) -> Net:
    config, before = model.config, model.embeddings
    blocks = [
        Block(
            *_layers(part.attention.q_lin, part.attention.k_lin, part.attention.v_lin, part.attention.out_lin),
            *_layers(part.sa_layer_norm, part.ffn.lin1, part.ffn.lin2, part.output_layer_norm),
        )
        for part in model.transformer.layer
    ]
    return Net(
        before.word_embeddings,
        before.position_embeddings.weight,
        0,
        None,
        next(_layers(before.LayerNorm)),
        blocks,
        config.n_heads,
        before.LayerNorm.eps,
        model.transformer.layer[0].ffn.activation,
        before.dropout.p if model.training else 0.0,
        model.transformer.layer[0].attention.dropout.p if model.training else 0.0,
    )


def _modernbert(model: Any) -> RotaryNet:
    config, rotary = model.config, model.rotary_emb
    _check_dropout(model, config.attention_dropout, config.mlp_dropout, config.embedding_dropout)
    blocks = [
        RotaryBlock(
            part.attn_norm,
            list(_plain_layers(part.attn.Wqkv)),
            next(_plain_layers(part.attn.Wo)),
            part.mlp_norm,
            list(_plain_layers(part.mlp.Wi)),
            next(_plain_layers(part.mlp.Wo)),
            part.mlp.act,
            part.attention_type,
        )
        for part in model.layers
    ]
    windows = {"full_attention": None, "sliding_attention": config.sliding_window}
    sights = {kind: AttentionKind(partial(rotary, layer_type=kind), windows[kind]) for kind in set(config.layer_types)}
    heads = config.num_attention_heads
    return RotaryNet(model.embeddings, blocks, model.final_norm, sights, heads, heads)


def _eurobert(model: Any) -> RotaryNet:
    config, kind = model.config, "full_attention"
    _check_dropout(model, config.attention_dropout)
    blocks = [
        RotaryBlock(
            part.input_layernorm,
            list(_plain_layers(part.self_attn.q_proj, part.self_attn.k_proj, part.self_attn.v_proj)),
            next(_plain_layers(part.self_attn.o_proj)),
            part.post_attention_layernorm,
            list(_plain_layers(part.mlp.gate_proj, part.mlp.up_proj)),
            next(_plain_layers(part.mlp.down_proj)),
            part.mlp.act_fn,
            kind,
        )
        for part in model.layers
    ]
    heads, shared = config.num_attention_heads, config.num_key_value_heads
    return RotaryNet(model.embed_tokens, blocks, model.norm, {kind: AttentionKind(model.rotary_emb)}, heads, shared)


def _check_dropout(model: nn.Module, *chances: float) -> None:
    if model.training and any(chances):
        raise _OtherLayerError


def _plain_layers(*layers: nn.Module) -> Iterator[Layer]:
    """Weights of linear layers, with a bias or without."""
    for layer in layers:
        if type(layer) is not nn.Linear:
            raise _OtherLayerError
        yield layer._parameters["weight"], layer._parameters["bias"]  # type: ignore[misc]


def _layers(*layers: nn.Module) -> Iterator[Affine]:
    for layer in layers:
        if type(layer) not in (nn.Linear, nn.LayerNorm):
            raise _OtherLayerError
        weight, bias = layer._parameters["weight"], layer._parameters["bias"]
        if not isinstance(weight, Tensor) or not isinstance(bias, Tensor):
            raise _OtherLayerError
        yield weight, bias
