"""Choice of the weights that a realignment trains, and low-rank adaptation of an encoder (Hu et al. 2022)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from realign.encoder.encoder import transformer_blocks
from realign.training.settings import Freeze, LoRA
from selector.errors import InputError


def trainable_parameters(model: nn.Module, freeze: Freeze) -> list[nn.Parameter]:
    """Parameters of `model` that are trained under `freeze` (AlignFreeze, arXiv 2502.12959).

    "lower" and "upper" freeze half of the blocks (the middle one of an odd number is upper); what comes before the
    blocks in the model, the embeddings, is lower, what comes after them is upper. A list freezes the blocks with these
    numbers alone. InputError: there is no such block.
    """
    if freeze == "none":
        return list(model.parameters())
    stack = transformer_blocks(model)
    if isinstance(freeze, tuple):
        if wrong := [number for number in freeze if not 0 <= number < len(stack)]:
            raise InputError(f"there is no block {wrong[0]} to freeze", f"blocks are numbered 0 to {len(stack) - 1}")
        held = {id(p) for number in freeze for p in stack[number].parameters()}
        return [parameter for parameter in model.parameters() if id(parameter) not in held]
    every = list(model.parameters())
    first = next(stack[len(stack) // 2].parameters())
    border = next(place for place, parameter in enumerate(every) if parameter is first)
    return every[border:] if freeze == "lower" else every[:border]


@contextmanager
def without_gradients(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Context in which `parameters` get no gradients; afterwards all of them do."""
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def adapt(model: nn.Module, settings: LoRA, seed: int) -> Any:
    """Add low-rank updates to every linear layer of `model`, in place; only they get gradients then.

    Returns the argument for `merge`. The updates start at zero (B = 0); A is drawn from `seed`. InputError: peft is
    missing.
    """
    try:
        from peft import LoraConfig, LoraModel
    except ImportError as problem:
        raise InputError("LoRA needs the package peft", "install it: pip install 'realingo[lora]'") from problem
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=names, lora_dropout=0.0)  # type: ignore
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LoraModel(model, config, "default")


def merge(adapted: Any) -> None:
    """Add the updates of `adapted` to the weights and remove the adapters: the model is a plain encoder again, in
    place.
    """
    model = adapted.merge_and_unload()
    for parameter in model.parameters():
        parameter.requires_grad_(True)
