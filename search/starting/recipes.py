"""Settings to begin with, by the size of the encoder; `docs/recipes.md` says where each was measured."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from selector import text_file

WIDEST_TINY = 192  # hidden_size; what `realingo pretrain` makes from little text has 64 to 128
WIDEST_SMALL = 512  # the encoders of 6 to 12 layers that are called small have 384
SMALL_NAMES = re.compile(r"small|mini(?!cpm)|tiny|h384", re.IGNORECASE)  # multilingual-e5-small, Multilingual-MiniLM


@dataclass(frozen=True)
class Recipe:
    """The sections `[task]` and `[realign]`, as TOML without what says which data."""

    name: str
    of: str  # which encoders
    tuning: str
    classifying: str  # the same where the task is classification
    realign: str

    def task(self, kind: str) -> str:
        """The settings of fine-tuning for this kind of task."""
        return self.classifying if kind == "classification" else self.tuning


EXAMPLES = "examples = 200  # sentences of a language that are looked at, at most"
TINY_TUNING = f"""steps = 150     # of fine-tuning on the source language
batch = 16      # sentences a step
lr = 1e-3
{EXAMPLES}"""
TINY = Recipe(
    "tiny",
    "2 or 3 layers, at most 192 wide",
    TINY_TUNING,
    TINY_TUNING,
    """loss = "sentence"  # "word" needs an aligner, such as "mutual"
order = "before"   # the fine-tuning
steps = 100
batch = 16      # sentence pairs a step: 1,600 pairs in all, however many languages share them
lr = 5e-4""",
)
SMALL_TUNING = f"""steps = 1600    # of fine-tuning on the source language; 800 at 2e-4 are nearly as good
batch = 32      # sentences a step
lr = 1e-4
{EXAMPLES}"""
SMALL = Recipe(
    "small",
    "6 to 12 layers, 384 wide",
    SMALL_TUNING,
    SMALL_TUNING,
    """loss = "sentence"  # "word" needs an aligner, such as "mutual"; neither was better on real text
order = "before"   # the fine-tuning
steps = 100
batch = 32      # sentence pairs a step: 3,200 pairs in all, however many languages share them
lr = 1e-4""",
)
BASE_TUNING = """epochs = {epochs}      # of fine-tuning on the source language, as in arXiv 2511.06497
batch = 32      # sentences a step
lr = 2e-5
{examples}"""
BASE = Recipe(
    "base",
    "12 layers, 768 wide, as XLM-R-base",
    BASE_TUNING.format(epochs=5, examples=EXAMPLES),
    BASE_TUNING.format(epochs=2, examples=EXAMPLES),
    """loss = "sentence"  # "word" needs an aligner, such as "mutual"
order = "before"   # the fine-tuning
steps = 24544   # as in arXiv 2511.06497: hours on a processor; begin with 2000 where time is short
batch = 16      # sentence pairs a step: 392,704 pairs in all, however many languages share them
lr = 7.5e-6     # XLM-R-base; mBERT takes 2e-5""",
)


def recipe_for(model: str, home: Path) -> tuple[Recipe, str]:
    """The recipe for an encoder, and how its size was found out, in words.

    model: a folder, from `home` on, or a model of the hub, which is judged by its name
    """
    width = _width(home / model)
    if width is not None:
        recipe = TINY if width <= WIDEST_TINY else SMALL if width <= WIDEST_SMALL else BASE
        return recipe, f"{model} is {width} wide"
    if SMALL_NAMES.search(model.rpartition("/")[2]):
        return SMALL, f"by its name {model} is a small encoder"
    return BASE, f"{model} is taken for an encoder of base size"


def _width(folder: Path) -> int | None:
    """The width that config.json in a folder gives; None where there is none, or it says nothing."""
    try:
        config = json.loads(text_file.small(folder / "config.json"))
        width = config.get("hidden_size", config.get("dim"))
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return width if isinstance(width, int) and not isinstance(width, bool) else None
