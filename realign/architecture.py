"""Which encoders the packed forward pass (realign/packed.py) knows: of the shape of BERT, RoBERTa or DistilBERT."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from realign.packed import Affine, Block, Net


def net_of(model: Any) -> Net | None:
    """The parts of `model`, as it stands now; None where it is built in another way, or adapted (LoRA)."""
    try:
        net = {"bert": _bert, "roberta": _roberta, "xlm-roberta": _roberta, "distilbert": _distilbert}[
            model.config.model_type
        ](model)
    except (KeyError, AttributeError, _OtherLayerError):
        return None
    return net


class _OtherLayerError(Exception):
    """A layer of another kind stands where a linear one or a norm is known."""


def _bert(model: Any, first: int = 0) -> Net:
    """`first`: the number of the first place (RoBERTa's first places stand for padding)."""
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
        before.position_embeddings.weight[..., first:, :],
        before.token_type_embeddings.weight[..., 0, :],
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
        None,
        next(_layers(before.LayerNorm)),
        blocks,
        config.n_heads,
        before.LayerNorm.eps,
        model.transformer.layer[0].ffn.activation,
        before.dropout.p if model.training else 0.0,
        model.transformer.layer[0].attention.dropout.p if model.training else 0.0,
    )


def _layers(*layers: nn.Module) -> Iterator[Affine]:
    for layer in layers:
        if type(layer) not in (nn.Linear, nn.LayerNorm):
            raise _OtherLayerError
        weight, bias = layer._parameters["weight"], layer._parameters["bias"]
        if not isinstance(weight, Tensor) or not isinstance(bias, Tensor):
            raise _OtherLayerError
        yield weight, bias
