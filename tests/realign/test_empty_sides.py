"""Text of which a tokenizer leaves nothing, such as zero-width spaces: it links nothing and disturbs nobody."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import tiny_encoder
from tokenizers import Tokenizer, normalizers

from realign.corpora.bitext import Tsv
from realign.encoder.encoder import Encoder, load
from realign.training.encoded_pairs import PairStore
from realign.training.realigner import Realigner
from realign.training.settings import Realignment
from realign.world.world import Sizes, World
from selector.errors import InputError

SIZES = Sizes(parallel=24, source=40, evaluation=20, text=120, source_text=120, low_text=40)
NOTHING = "\u200b"
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def encoder(world: World, tmp_path: Path) -> Encoder:
    """With a normalizer that takes zero-width spaces away, as those of many released encoders do."""
    tiny_encoder.make_model(tmp_path / "model", world)
    file = str(tmp_path / "model" / "tokenizer.json")
    core = Tokenizer.from_file(file)
    core.normalizer = normalizers.Replace(NOTHING, "")
    core.pre_tokenizer = None
    core.save(file)
    encoder = load(str(tmp_path / "model"))
    assert int(encoder.encode([(NOTHING,)], 32).length[0]) == 2, "only <s> and </s>"
    return encoder


def corpus(folder: Path, world: World, empty: str) -> Tsv:
    """64 pairs with an empty side, or two, and behind them those of the world."""
    whole = "".join(f"{' '.join(pair.source)}\t{' '.join(pair.target)}\n" for pair in world.pairs("deu", "train"))
    folder.mkdir()
    (folder / "deu.tsv").write_text(64 * empty + whole, encoding="utf-8")
    return Tsv(folder, "eng")


@pytest.mark.parametrize("aligner", ["mutual", "itermax"])
@pytest.mark.parametrize("empty", [f"{NOTHING}\twort\n", f"word\t{NOTHING}\n", f"{NOTHING} {NOTHING}\t{NOTHING}\n"])
def test_sides_of_zero_width_spaces_link_nothing_and_change_no_other_link(
    world: World, encoder: Encoder, tmp_path: Path, empty: str, aligner: str
) -> None:
    how = Realignment(loss="word", aligner=aligner, batch=8, max_length=32)  # type: ignore[arg-type]
    mixed = PairStore(encoder, corpus(tmp_path / "mixed", world, empty), how).of("deu")
    plain = PairStore(encoder, corpus(tmp_path / "plain", world, ""), how).of("deu")
    assert np.diff(mixed.links.offsets)[:64].sum() == 0
    assert np.array_equal(mixed.links.words, plain.links.words)
    assert len(plain.links.words) > 0
    realigner = Realigner(encoder.copy(), {"deu": mixed}, how, 12, 0)
    for _ in range(12):
        realigner.step()
    realigner.look()
    assert math.isfinite(realigner.loss)


def test_text_of_zero_width_spaces_alone_is_refused(world: World, encoder: Encoder, tmp_path: Path) -> None:
    (tmp_path / "deu.tsv").write_text(64 * f"{NOTHING}\t{NOTHING}\n", encoding="utf-8")
    store = PairStore(encoder, Tsv(tmp_path, "eng"), Realignment(loss="word", aligner="mutual", max_length=32))
    with pytest.raises(InputError, match="links no words in the 64 sentence pairs of deu"):
        store.of("deu")
