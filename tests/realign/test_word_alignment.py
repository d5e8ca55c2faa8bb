"""Word aligners: links from similarity, from a dictionary, from Pharaoh files; and how wrong they are."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from realign.corpora.corpus import Pair, Split
from realign.corpora.word_links import ByDictionary, ByPharaoh
from realign.encoder.encoder import Encoder, load
from realign.training.pretraining import Shape, pretrain
from realign.training.settings import Realignment
from realign.training.word_alignment import (
    WordLinks,
    aligner,
    alignment_error_rate,
    informative,
    itermax,
    links_of,
    mutual,
    one_to_one,
)
from realign.world.world import Sizes, World
from selector.errors import InputError

SIZES = Sizes(parallel=60, source=40, evaluation=20, text=300, source_text=400, low_text=40)
sizes = st.integers(1, 7)


def cosines(m: int, n: int, seed: int) -> torch.Tensor:
    return torch.rand(m, n, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@given(sizes, sizes, st.integers(0, 10_000))
def test_mutual_links_are_one_to_one_and_best_both_ways(m: int, n: int, seed: int) -> None:
    similarity = cosines(m, n, seed)
    links = links_of(mutual(similarity)[None])[0]
    assert links == one_to_one(links)
    for i, j in links:
        assert similarity[i, j] == similarity[i].max() == similarity[:, j].max()
    assert divmod(int(similarity.argmax()), n) in links


@given(sizes, sizes, st.integers(0, 10_000))
def test_itermax_is_a_plain_loop_over_words(m: int, n: int, seed: int) -> None:
    similarity = cosines(m, n, seed)
    first = set(links_of(mutual(similarity)[None])[0])
    left, right = {i for i, _ in first}, {j for _, j in first}
    weighed = {
        (i, j): (float(similarity[i, j]) + 1) / 2 * (0.9 if i in left or j in right else 1.0)
        for i in range(m)
        for j in range(n)
        if not (i in left and j in right)
    }

    def best(i: int, j: int) -> bool:
        return all(weighed[i, j] >= value - 1e-7 for (a, b), value in weighed.items() if a == i or b == j)

    expected = first | {(i, j) for i, j in weighed if best(i, j)}
    assert set(links_of(itermax(similarity)[None])[0]) == expected


@pytest.mark.parametrize("find", [mutual, itermax])
def test_a_padded_batch_gives_each_sentence_its_own_links(find) -> None:  # type: ignore[no-untyped-def]
    singles = [cosines(m, n, m + n) for m, n in ((3, 5), (1, 1), (6, 2))]
    batch = torch.full((3, 6, 5), float("-inf"))
    for row, similarity in enumerate(singles):
        batch[row, : similarity.shape[0], : similarity.shape[1]] = similarity
    assert links_of(find(batch)) == [links_of(find(similarity)[None])[0] for similarity in singles]


def test_identical_words_and_many_to_one_links_are_dropped() -> None:
    links = ((0, 0), (1, 1), (2, 2), (3, 2))
    assert informative(links, ("a", "b", "c", "d"), ("x", "b", "y")) == ((0, 0),)


def test_links_as_flat_arrays_come_back_by_row() -> None:
    links = [((0, 1), (2, 0)), (), ((4, 4),)]
    flat = WordLinks.stack([WordLinks.of(links[:2]), WordLinks.of(links[2:])])
    assert len(flat) == 3
    chosen = flat.select(np.array([2, 1, 0, 2]))
    assert chosen.words.tolist() == [[4, 4], [0, 1], [2, 0], [4, 4]]
    assert chosen.offsets.tolist() == [0, 1, 1, 3, 4]
    assert len(WordLinks.of([])) == 0


def test_alignment_error_rate_of_a_case_worked_by_hand() -> None:
    """A = {0-0, 1-1, 2-2}, S = {0-0, 1-2}, P = S ∪ {1-1}: 1 − (1 + 2) / (3 + 2) = 0.4."""
    found, sure, possible = [((0, 0), (1, 1), (2, 2))], [((0, 0), (1, 2))], [((1, 1),)]
    assert alignment_error_rate(found, sure, possible) == pytest.approx(0.4)
    assert alignment_error_rate(found, sure) == pytest.approx(1 - 2 / 5)
    assert alignment_error_rate(sure, sure) == 0
    assert alignment_error_rate([()], sure) == 1


@pytest.fixture(scope="module")
def encoder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    shape = Shape(vocabulary=1200, layers=1, width=32, heads=2, steps=60, batch=32, length=32)
    texts = {code: world.texts(code) for code in ("eng", "nld")}
    return load(str(pretrain(texts, shape, 0, tmp_path_factory.mktemp("models") / "tiny")))


def test_aligners_beat_chance_and_gold_is_right(world: World, encoder: Encoder) -> None:
    pairs = world.pairs("nld", "train")
    sides = [encoder.encode([getattr(pair, side) for pair in pairs], 64) for side in ("source", "target")]
    gold = [pair.links or () for pair in pairs]

    def error(name: str) -> float:
        align = aligner(Realignment(loss="word", aligner=name, layer=0), encoder)  # type: ignore[arg-type]
        return alignment_error_rate(align("nld", pairs, *sides), gold)

    rng = np.random.default_rng(0)
    chance = [tuple((i, int(rng.integers(len(pair.target)))) for i in range(len(pair.source))) for pair in pairs]
    assert error("gold") == 0
    assert error("mutual") < alignment_error_rate(chance, gold) - 0.2
    assert error("itermax") < alignment_error_rate(chance, gold) - 0.2


def test_signatures_tell_aligners_apart(encoder: Encoder) -> None:
    hows = [
        Realignment(loss="word", aligner="mutual"),
        Realignment(loss="word", aligner="mutual", layer=0),
        Realignment(loss="word", aligner="itermax"),
        Realignment(loss="word", aligner="gold"),
        Realignment(loss="word", aligner="pharaoh", alignments="links"),
    ]
    made = {aligner(how, encoder).signature for how in hows}
    assert len(made) == 5


class Tiny:
    """Two pairs, without links."""

    signature = "tiny"

    def pairs(self, language: str, split: Split) -> list[Pair]:
        return [Pair(("The", "dog", "sees", "the", "cat"), ("de", "hond", "ziet", "Kat")), Pair(("no",), ("nee",))]


def test_pairs_without_links_need_another_aligner(encoder: Encoder) -> None:
    pairs = Tiny().pairs("nld", "train")
    table = encoder.encode([pair.source for pair in pairs], 32)
    with pytest.raises(InputError, match="nld has no gold word alignment"):
        aligner(Realignment(loss="word", aligner="gold"), encoder)("nld", pairs, table, table)


def test_dictionary_links_translations_whatever_their_case(tmp_path: Path) -> None:
    (tmp_path / "eng-nld.txt").write_text("the de\nthe het\ndog\thond\nCAT kat\n\nno geen\n", encoding="utf-8")
    text = ByDictionary(Tiny(), tmp_path)
    pairs = text.pairs("nld", "train")
    assert pairs[0].links == ((0, 0), (1, 1), (3, 0), (4, 3))
    assert [pair.links for pair in pairs[1:]] == [()]
    assert text.signature != "tiny"


def test_a_muse_folder_as_downloaded(tmp_path: Path) -> None:
    """Of all pairs and directions, parts of dictionaries included, only the source's own is used."""
    for name in ("en-nl", "nl-en", "fr-nl", "en-nl.0-5000", "en-nl.5000-6500"):
        (tmp_path / f"{name}.txt").write_text("the de\n" if name == "en-nl" else "x y\n", encoding="utf-8")
    assert ByDictionary(Tiny(), tmp_path, "eng").pairs("nld", "train")[0].links == ((0, 0), (3, 0))
    with pytest.raises(InputError, match="for 'fra'"):
        ByDictionary(Tiny(), tmp_path, "nld").pairs("fra", "train")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no dictionary in"),
        ({"eng-nld.txt": "the\n"}, "line 1: 1 words instead of"),
        ({"eng-nld.txt": "a b\nc d e\n"}, "line 2: 3 words instead of"),
        ({"eng-nld.txt": "\n"}, "has no word in it"),
        ({"eng-deu.txt": "a b\n"}, "no dictionary in"),
        ({"fra-nld.txt": "a b\n", "nld-eng.txt": "a b\n"}, "no dictionary in"),
        ({"eng-nld.txt": "a b\n", "en-nl.txt": "a b\n"}, "more than one file fits nld"),
    ],
)
def test_bad_dictionaries_are_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        ByDictionary(Tiny(), tmp_path).pairs("nld", "train")


def test_pharaoh_files_link_pairs_by_line(tmp_path: Path) -> None:
    (tmp_path / "nld.align").write_text("0-0 1-1 1-1 4-3\n\n", encoding="utf-8")
    text = ByPharaoh(Tiny(), tmp_path)
    assert [pair.links for pair in text.pairs("nld", "train")] == [((0, 0), (1, 1), (4, 3)), ()]
    assert text.pairs("nld", "train")[-1].source == ("no",)
    assert all(pair.links is None for pair in text.pairs("nld", "dev"))
    before = text.signature
    (tmp_path / "nld.align").write_text("0-0\n0-0\n", encoding="utf-8")
    assert ByPharaoh(Tiny(), tmp_path).signature != before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0-0\n", "1 lines for the 2 train pairs of nld"),
        ("0-0\n0-0\n0-0\n", "3 lines for the 2"),
        ("0-0\n0:0\n", "nld.align, line 2: '0:0' is not a link"),
        ("5-0\n\n", "line 1: link 5-0 lies beyond the sentences of 5 and 4 words"),
        ("0-4\n\n", "line 1: link 0-4 lies beyond"),
    ],
)
def test_bad_pharaoh_files_are_named_with_their_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "nld.align").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        [pair.links for pair in ByPharaoh(Tiny(), tmp_path).pairs("nld", "train")]
