"""Which weights a realignment trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import nn

from realign.encoder import blocks
from realign.recipe import Freeze
from selector.errors import InputError


def trained(model: nn.Module, freeze: Freeze) -> list[nn.Parameter]:
    """The parameters that stay free under `freeze` (AlignFreeze, arXiv 2502.12959).

    "lower" and "upper" freeze half of the blocks (the middle one of an odd number is upper); what comes before them in
    the model, the embeddings, is lower, what comes after them upper. A list freezes the blocks of those numbers alone.
    """
    if freeze == "none":
        return list(model.parameters())
    stack = blocks(model)
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
def held(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """No gradients for `parameters` inside; afterwards all of them want gradients again."""
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
