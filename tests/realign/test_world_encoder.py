"""The encoder that comes with the package belongs to the world as it is, and to the file that says how to make it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from realign.training.pretraining import Shape, text_signature
from realign.world.world import World
from realign.world.world_encoder import FOLDER, world_encoder
from search.commands.pretrain import load_pretrain

MADE_BY = Path(__file__).parents[2] / "studies" / "world-encoder.toml"


def test_it_was_pretrained_on_what_the_world_says_now() -> None:
    facts, world = json.loads((FOLDER / "pretraining.json").read_text(encoding="utf-8")), World()
    assert facts["text"] == text_signature({code: world.texts(code) for code in world.languages})


def test_its_file_describes_it() -> None:
    facts, config = json.loads((FOLDER / "pretraining.json").read_text(encoding="utf-8")), load_pretrain(MADE_BY)
    model, train = config.model, config.train
    asked = Shape(
        config.tokenizer.vocabulary, model.layers, model.width, model.heads, train.steps, train.batch, train.lr,
        train.max_length,
    )  # fmt: skip
    assert (facts["shape"], facts["seed"]) == (asdict(asked), train.seed)
    assert world_encoder().model.config.hidden_size == asked.width
