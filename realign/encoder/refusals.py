"""Errors for encoders that cannot be loaded: the reason in one line, and a way out in another."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import __version__ as version

from realign.encoder.tokenizer import read_stored_json
from selector.errors import InputError

NO_SAFETENSORS = re.compile(r"(no file named|not appear to have a file named)\s+model\.safetensors")
BLOCK = re.compile(r"(^|\.)(layer|layers|h|block)\.[0-9]+\.")
CONVERTER = "https://huggingface.co/spaces/safetensors/convert"
NATIVE = {  # repositories of code → the same model in a form that needs none (documentation of transformers 5)
    "Alibaba-NLP/new-impl": "alibaba-nlp-community/gte-multilingual-base",
    "jinaai/xlm-roberta-flash-implementation": "jinaai/jina-embeddings-v3-hf",
}


log = logging.getLogger("realingo.encoder")


def refusal(base: str, commit: str | None, problem: Exception) -> InputError:
    """InputError for the encoder `base` whose loading raised `problem`.

    `commit` is that of the copy in the cache; None where `base` is a folder.
    """
    text = str(problem).strip() or type(problem).__name__
    config = read_stored_json(base, commit, "config.json")
    unknown = "does not recognize this architecture" in text
    if (code := _code(config)) and (unknown or "custom code" in text):
        message = f"the encoder {base!r} needs its own code ({code}), and code from a model's repository is never run"
        return InputError(message, f"take an encoder that transformers {version} has itself: {_other(code)}")
    if unknown:
        message = f"cannot load the encoder {base!r}: transformers {version} knows no type {config.get('model_type')!r}"
        return InputError(message, "take another encoder, or a newer version: pip install -U transformers")
    if NO_SAFETENSORS.search(text) and (commit or any(Path(base).glob("*.bin"))):
        message = (
            f"cannot load the encoder {base!r}: no model.safetensors, and a .bin file may run code when it is read"
        )
        return InputError(message, _conversion(commit))
    return InputError(
        f"cannot load the encoder {base!r}: {text.splitlines()[0]}",
        "give a folder with config.json, model.safetensors and tokenizer.json, or the id of a model on the hub",
    )


def lacks_weights(base: str, commit: str | None, lost: list[str]) -> InputError:
    """InputError for an encoder `base` whose files lack the weights named `lost` (at least one)."""
    message = f"the weights of {base!r} do not have {lost[0]}" + (f" and {len(lost) - 1} more" if len(lost) > 1 else "")
    if (
        code := _code(read_stored_json(base, commit, "config.json"))
    ) and "--" in code:  # an architecture that only looks like a known one
        return InputError(message, f"they may be for {code}, which is code and not run; instead: {_other(code)}")
    return InputError(message, "give the weights of the model that config.json describes")


def check_weights(base: str, model: nn.Module, ids: int, unused: Collection[str]) -> None:
    """Check the loaded weights of `model`: their numbers, a row for every sub-word, and unused weights.

    `ids` is the number of the tokenizer's ids; `unused` are names of weights in the files. InputError: scores could not
    be right; a warning where blocks are not used.
    """
    for name, weights in model.named_parameters():
        if not torch.isfinite(weights.detach()).all():
            message = f"the weights of {base!r} are not all numbers: {name} holds NaN or infinity"
            raise InputError(message, "fetch or save them again")
    rows = int(model.get_input_embeddings().weight.shape[0])  # type: ignore[operator]  # every encoder has the method
    if ids > rows:
        message = f"the tokenizer of {base!r} has sub-words numbered up to {ids - 1}, its weights have {rows} rows"
        raise InputError(message, "put the tokenizer that was trained with the weights beside them")
    if blocks := sorted(name for name in unused if BLOCK.search(name)):
        log.warning("%s: weights of blocks that config.json does not have are not used: %s, …", base, blocks[0])


def _other(code: str) -> str:
    same = NATIVE.get(code.split("--")[0])
    return f"{same} is such a model" if same else "XLM-R, mBERT, multilingual-e5, mmBERT or EuroBERT"


def _conversion(commit: str | None) -> str:
    if commit is None:
        return f"save it as safetensors; for a model on the hub {CONVERTER} does so"
    return f'a pull request of it may add safetensors, or ask for one at {CONVERTER}; then set revision = "refs/pr/N"'


def _code(config: dict[str, Any]) -> str:
    """The class that loads the model, `repository--module.Class` or `module.Class`, where it comes with the weights."""
    places = config.get("auto_map")
    return str(places.get("AutoModel") or "") if isinstance(places, dict) else ""
