"""Signature of an encoder: a hash of everything that changes the states of a text or its sub-words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from torch import nn

from realign.encoder.tokenizer import needs_spaces

# Keys of a configuration: its place and the version that loaded it. They change no state.
WHEREABOUTS = frozenset({"_name_or_path", "name_or_path", "_commit_hash", "transformers_version"})
LAST_CALL = frozenset({"truncation", "padding"})  # of a tokenizer: how it was called last
TOKENIZER_SETTINGS = (  # that its own file lacks, or that `transformers` replaces
    "model_max_length", "padding_side", "truncation_side", "pad_token_id", "special_tokens_map", "all_special_ids",
    "split_special_tokens", "add_prefix_space", "model_input_names",
)  # fmt: skip


def encoder_signature(model: nn.Module, tokenizer: Any) -> str:
    """`encoder:` and 16 hex digits of SHA-256 over configuration, attention, weights of `model`, and `tokenizer`.

    The place of the encoder and the version that wrote it change nothing.
    """
    about = {
        "class": type(model).__name__,
        "configuration": configuration_facts(model.config),
        "attention": getattr(model.config, "_attn_implementation", None),
        "tokenizer": tokenizer_facts(tokenizer),
    }
    digest = hashlib.sha256(canonical(about))
    for name, weight in sorted(model.state_dict().items()):
        digest.update(f"{name} {weight.dtype} {list(weight.shape)}\n".encode())
        digest.update(weight.detach().cpu().contiguous().numpy().tobytes())
    return "encoder:" + digest.hexdigest()[:16]


def configuration_facts(config: Any) -> dict[str, Any]:
    """Every value of `config` except its place and the version that wrote it, with the values of its parts."""
    return _without(config.to_dict(), WHEREABOUTS)


def tokenizer_facts(tokenizer: Any) -> dict[str, Any]:
    """Every fact of a fast `tokenizer` that changes the ids of a text or their number."""
    core = json.loads(tokenizer.backend_tokenizer.to_str())
    settings = {name: getattr(tokenizer, name, None) for name in TOKENIZER_SETTINGS}
    if needs_spaces(tokenizer):
        settings["words"] = "with the space before them"
    return {"core": {key: core[key] for key in core.keys() - LAST_CALL}, "settings": settings}


def _without(values: Any, names: frozenset[str]) -> Any:
    if isinstance(values, Mapping):
        return {str(key): _without(value, names) for key, value in values.items() if key not in names}
    return [_without(value, names) for value in values] if isinstance(values, list | tuple) else values


def canonical(values: Any) -> bytes:
    """JSON of `values` in which equal values are equal bytes."""
    return json.dumps(values, sort_keys=True, default=str).encode()
