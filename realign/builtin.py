"""The world's own encoder: pretrained once on this machine, kept in the cache, loaded like any other."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch
from filelock import FileLock

from realign.encoder import Encoder, Shape, load, pretrain
from realign.score import Advance
from realign.world import World
from realign.wrap import cache_root

SHAPE = Shape()
VERSION = 1  # raise when pretraining changes


def world_encoder(world: World, advance: Advance | None = None) -> Encoder:
    """Load the encoder of `world`, pretraining it first where the cache has none (under a minute on two cores)."""
    return load(str(world_encoder_folder(world, advance)))


def world_encoder_folder(world: World, advance: Advance | None = None) -> Path:
    facts = json.dumps([VERSION, world.signature, asdict(SHAPE), world.seed, torch.__version__])
    folder = cache_root() / "models" / f"world-{hashlib.sha256(facts.encode()).hexdigest()[:16]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):  # a second process waits for the first instead of training its own
        if not folder.exists():
            texts = {code: world.texts(code) for code in world.languages}
            pretrain(texts, SHAPE, world.seed, folder, advance)
    return folder
