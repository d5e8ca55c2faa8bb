"""A checkpoint in which a single bit flipped is never gone on with."""

from __future__ import annotations

from pathlib import Path

import pytest
import small_study
import torch
from numpy.random import default_rng
from safetensors.torch import load_file, save_file

from realign.encoder.encoder import Encoder, load
from realign.training import checkpoint
from realign.training.encoded_pairs import PairStore
from realign.training.pretraining import pretrain
from realign.training.realigner import Realigner
from realign.training.settings import Realignment
from realign.world.world import World
from selector.errors import InputError

SIZES = small_study.SIZES
HOW = Realignment(batch=4)


@pytest.fixture(scope="module")
def encoder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    texts = {code: world.texts(code) for code in ("eng", "deu")}
    return load(str(pretrain(texts, small_study.SHAPE, 0, tmp_path_factory.mktemp("models") / "tiny")))


def fresh(encoder: Encoder, world: World) -> Realigner:
    store = PairStore(encoder, world, HOW)
    return Realigner(encoder.copy(), {"deu": store.of("deu")}, HOW, 6, 0)


@pytest.mark.usefixtures("own_cache")
def test_every_flipped_bit_is_found(encoder: Encoder, world: World, tmp_path: Path) -> None:
    file, rng = tmp_path / "state.safetensors", default_rng(0)
    realigner = fresh(encoder, world)
    for _ in range(3):
        realigner.step()
    checkpoint.save(file, realigner, "a")
    whole = file.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    again = fresh(encoder, world)
    start = {name: weight.clone() for name, weight in again.model.state_dict().items()}
    places = [*rng.integers(0, len(whole), 60), *rng.integers(0, header, 60), len(whole) - 1, header]
    for place in map(int, places):
        flipped = bytes([whole[place] ^ 1 << int(rng.integers(8))])
        file.write_bytes(whole[:place] + flipped + whole[place + 1 :])
        if whole[place : place + 1] == b" ":  # the header is filled up with blanks
            continue
        with pytest.raises(InputError):
            checkpoint.load(file, again, "a")
        assert again.position == 0
    assert all(torch.equal(weight, start[name]) for name, weight in again.model.state_dict().items())
    file.write_bytes(whole)
    checkpoint.load(file, again, "a")
    assert again.position == 3


@pytest.mark.usefixtures("own_cache")
def test_a_state_with_another_position_or_without_a_hash_is_refused(
    encoder: Encoder, world: World, tmp_path: Path
) -> None:
    file, realigner = tmp_path / "state.safetensors", fresh(encoder, world)
    realigner.step()
    checkpoint.save(file, realigner, "a")
    tensors = load_file(file)
    for said in ('{"format": 3, "run": "a", "position": 2, "micro": 8}', '{"format": 3}', "[]", "[" * 5000):
        save_file(tensors, file, metadata={"realingo": said})
        with pytest.raises(InputError):
            checkpoint.load(file, fresh(encoder, world), "a")
