"""Low-rank adaptation of an encoder (Hu et al. 2022), the one importer of peft."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from realign.recipe import LoRA
from selector.errors import InputError


def adapt(model: nn.Module, how: LoRA, seed: int) -> Any:
    """Put low-rank updates beside every linear layer of `model`, in place; only they want gradients then.

    Returns what `merge` takes. They start at zero (B = 0), A is drawn from `seed`. InputError without peft.
    """
    try:
        from peft import LoraConfig, LoraModel
    except ImportError as problem:
        raise InputError("LoRA needs the package peft", "install it: pip install 'realingo[lora]'") from problem
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    config = LoraConfig(r=how.rank, lora_alpha=how.alpha, target_modules=names, lora_dropout=0.0)  # type: ignore
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LoraModel(model, config, "default")


def merge(adapted: Any) -> None:
    """Add the updates to the weights and take the adapters out: the model is a plain encoder again, in place."""
    model = adapted.merge_and_unload()
    for parameter in model.parameters():
        parameter.requires_grad_(True)
