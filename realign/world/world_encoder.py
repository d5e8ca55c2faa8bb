"""The world's own encoder, which comes with the package: the same weights on every machine, loaded as any other.

`realingo pretrain studies/world-encoder.toml -o realign/data/world-encoder` made it.
"""

from __future__ import annotations

from pathlib import Path

from realign.encoder.encoder import Encoder, load

FOLDER = Path(__file__).parents[1] / "data" / "world-encoder"


def world_encoder() -> Encoder:
    return load(str(FOLDER))
