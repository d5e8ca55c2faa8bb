"""How to realign: the settings that one realignment follows. Part of every signature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Realignment:
    """How to realign. Defaults suit a small encoder; the paper's for XLM-R-base: lr 7.5e-6, 24,544 steps of 16."""

    loss: Literal["sentence", "word"] = "sentence"
    aligner: Literal["mutual", "gold"] | None = None  # for the word loss
    batch: int = 16  # sentence pairs a step
    lr: float = 1e-3  # constant (Adam)
    temperature: float = 0.1
    layer: int = -1  # -1: the last block's output
    freeze: Literal["none", "lower", "upper"] = "none"  # AlignFreeze (arXiv 2502.12959): half of the blocks
    max_length: int = 96  # sub-words a sentence
