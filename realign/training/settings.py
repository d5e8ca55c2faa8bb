"""How to realign: the settings that one realignment follows. Part of every signature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from selector.errors import InputError

Aligner = Literal["mutual", "itermax", "dictionary", "gold", "pharaoh"]
Freeze = Literal["none", "lower", "upper"] | tuple[int, ...]


@dataclass(frozen=True)
class LoRA:
    """Low-rank updates W + (alpha / rank) · B A instead of full ones (Hu et al. 2022); merged into W at the end."""

    rank: int = 8
    alpha: float = 16.0


@dataclass(frozen=True)
class Realignment:
    """How to realign. Defaults suit a small encoder; the paper's for XLM-R-base: lr 7.5e-6, 24,544 steps of 16.

    InputError where two settings exclude each other.
    """

    loss: Literal["sentence", "word"] = "sentence"
    aligner: Aligner | None = None  # for the word loss
    pooling: Literal["mean", "first", "reference-prefix"] = "mean"  # see realign/training/loss.py
    negatives: Literal["all", "cross"] = "all"  # "cross": only sentences (words) of the other side
    projection: bool = True  # compare through a head that is thrown away afterwards (SimCLR's g)
    anchor: float = 0.0  # weight of the squared distance to the starting weights
    batch: int = 16  # sentence pairs a step
    lr: float = 1e-3  # the highest (AdamW without weight decay)
    schedule: Literal["constant", "linear"] = "constant"
    warmup: float = 0.0  # share of the steps in which lr rises
    temperature: float = 0.1
    layer: int = -1  # -1: the last block's output, -2 the one before (the reference's), 0 the embeddings
    freeze: Freeze = "none"  # AlignFreeze (arXiv 2502.12959): half of the blocks; or the numbers of blocks, from 0
    lora: LoRA | None = None
    order: Literal["before", "during"] = "before"  # the fine-tuning
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # auto: bf16 on CUDA
    deterministic: bool = True  # same bits each time on CUDA too, at some speed
    max_length: int = 96  # sub-words a sentence

    def __post_init__(self) -> None:
        for wrong, message, hint in self._conflicts():
            if wrong:
                raise InputError(message, hint)

    def _conflicts(self) -> tuple[tuple[bool, str, str], ...]:
        word = self.loss == "word"
        return (
            (word and self.aligner is None, 'loss = "word" needs an aligner', 'aligner = "mutual" needs no data'),
            (
                self.pooling == ("reference-prefix" if word else "first"),
                f'pooling = "{self.pooling}" is for the {"sentence" if word else "word"} loss',
                f'with loss = "{self.loss}": "mean" or "{"first" if word else "reference-prefix"}"',
            ),
            (
                self.lora is not None and self.freeze != "none",
                "lora trains none of the encoder's own weights, so freeze has nothing to freeze",
                "leave one of the two out",
            ),
            (self.lora is not None and self.anchor > 0, "lora has no starting weights to anchor", "leave anchor out"),
            (
                self.lora is not None and self.order == "during",
                'lora is merged after realignment, so it cannot take turns with fine-tuning (order = "during")',
                'use order = "before"',
            ),
            (self.freeze == (), "freeze names no block", 'write freeze = "none", or the numbers of blocks'),
        )
