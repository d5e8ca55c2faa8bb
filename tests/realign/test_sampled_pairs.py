"""Samples of large parallel text: which pairs, in which order, how many, and what is said of the rest."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realign.corpora.bitext import Moses, Tsv
from realign.corpora.corpus import Pair, Split, Stream, pick, pick_in_order
from realign.corpora.filters import FilteredParallel, Rules, count_dropped
from realign.corpora.folder import lines, with_stamp
from realign.corpora.line_files import count_blocks, count_lines, pick_lines
from realign.store.sampled_pairs import SampledParallel, StoredPairs, first
from selector.errors import InputError

LOOSE = Rules(ratio=1e9, script=0.0)


class Text:
    """Pairs in memory as a corpus; counts how often they are read."""

    signature = "text"

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.items, self.readings = tuple(pairs), 0

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        return Stream(self._read, length=len(self.items))

    def _read(self) -> Iterator[Pair]:
        self.readings += 1
        return iter(self.items)


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALINGO_CACHE", str(tmp_path / "cache"))


def numbered(count: int, links: bool = False) -> list[Pair]:
    return [Pair((f"s{i}", "x"), (f"t{i}", "y", "z"), ((0, 0), (1, 2)) if links else None) for i in range(count)]


def sample(text: Text, limit: int, language: str = "deu", rules: Rules | None = None) -> Sequence[Pair]:
    around = FilteredParallel(text, rules, "eng", {}) if rules else text
    return SampledParallel(around, limit).pairs(language, "train")


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5000), st.integers(0, 5000), st.sampled_from(["deu", "swh", "jpn"]))
def test_a_longer_sample_begins_with_a_shorter_one(total: int, count: int, language: str) -> None:
    order = first(language, total, total)
    assert sorted(order) == list(range(total))
    assert list(first(language, total, count)) == list(order[:count])


def test_the_order_is_even_and_another_for_each_language() -> None:
    german, swahili = (first(code, 3_000_000, 30_000) for code in ("deu", "swh"))
    for chosen in (german, swahili):
        counts = np.bincount(chosen // 300_000, minlength=10)
        assert abs(counts - 3000).max() < 300  # five standard deviations
    assert 150 < len(set(german) & set(swahili)) < 450  # one in a hundred, by chance


def test_a_small_text_is_left_as_it_is() -> None:
    text = Text(numbered(40))
    assert list(sample(text, 40)) == list(text.items)
    assert not isinstance(sample(text, 40), StoredPairs)
    assert isinstance(sample(text, 39), StoredPairs)
    assert list(SampledParallel(text, 3).pairs("deu", "dev")) == list(text.items)


@pytest.mark.parametrize("links", [False, True])
def test_a_sample_has_the_pairs_of_its_numbers_in_the_order_of_the_text(links: bool) -> None:
    text = Text(numbered(10_000, links))
    found = sample(text, 5000)
    assert isinstance(found, StoredPairs)
    assert list(found.numbers) == sorted(first("deu", 10_000, 5000))
    assert list(found) == [text.items[number] for number in found.numbers]
    assert found[17] == list(found)[17]
    assert found[-2:] == list(found)[-2:]
    assert len(found) == 5000
    assert found.available == 10_000


def test_samples_are_nested_whatever_the_filter_drops() -> None:
    rng = np.random.default_rng(0)
    pairs = [pair if rng.random() < 0.4 else Pair((), pair.target) for pair in numbered(3000)]
    pairs += [pairs[number] for number in rng.integers(0, 3000, 2000)]
    text = Text(pairs)
    sizes = (1, 7, 50, 400, 900)
    found = [sample(text, size, rules=LOOSE) for size in sizes]
    assert [len(some) for some in found] == list(sizes)
    for small, large in itertools.pairwise(found):
        assert set(small) < set(large)
    for some in found:
        assert len(set(some)) == len(some)
        assert all(pair.source for pair in some)
        lost = count_dropped(some)
        assert set(lost) <= {"empty", "duplicate"}
        assert isinstance(some, StoredPairs)
        assert some.facts["read"] == len(some) + sum(lost.values()) <= 5000
    assert count_dropped(found[-1])["duplicate"] > 0
    assert 0.5 < count_dropped(found[-1])["empty"] / found[-1].facts["read"] < 0.7  # type: ignore[attr-defined]


def test_where_the_filter_leaves_too_few_everything_is_as_without_a_sample() -> None:
    pairs = [pair if number % 10 == 0 else Pair((), pair.target) for number, pair in enumerate(numbered(500))]
    plain = FilteredParallel(Text(pairs), LOOSE, "eng", {}).pairs("deu", "train")
    assert list(sample(Text(pairs), 51, rules=LOOSE)) == list(plain)
    assert len(sample(Text(pairs), 49, rules=LOOSE)) == 49


def test_text_is_read_once_and_then_never_again() -> None:
    text = Text(numbered(1000))
    before = list(sample(text, 10))
    assert text.readings == 1
    assert list(sample(text, 10)) == before
    assert text.readings == 1


def test_size_language_and_text_make_another_sample() -> None:
    text = Text(numbered(1000))
    assert SampledParallel(text, 10).signature != SampledParallel(text, 11).signature != text.signature
    assert set(sample(text, 100)) != set(sample(text, 100, "swh"))


def test_what_is_sampled_is_said(caplog: pytest.LogCaptureFixture) -> None:
    pairs = [pair if number % 2 else Pair((), pair.target) for number, pair in enumerate(numbered(500))]
    found = sample(Text(pairs), 100, rules=LOOSE)
    empty = count_dropped(found)["empty"]
    expected = f"deu: a sample of 100 of 500 pairs is used; dropped while choosing: {empty} of {100 + empty}"
    assert caplog.messages == [f"{expected}, {empty} empty"]


def test_a_sample_of_files_is_the_sample_of_their_lines(tmp_path: Path) -> None:
    sides = {code: [f"{code} é{number}" for number in range(200)] for code in ("eng", "deu")}
    for code, text in sides.items():
        (tmp_path / f"eng-deu.{code}").write_bytes("\r\n".join(text).encode())
    rows = ["\t".join(pair) for pair in zip(*sides.values(), strict=True)]
    (tmp_path / "deu.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    numbers = sorted(first("deu", 200, 20))
    for corpus in (Moses(tmp_path, "eng"), Tsv(tmp_path, "eng")):
        found = SampledParallel(corpus, 20).pairs("deu", "train")
        assert [pair.target[1] for pair in found] == [f"é{number}" for number in numbers]
        assert all(pair.source[1] == pair.target[1] for pair in found)


@pytest.mark.parametrize("ending", ["", "\n", "\n\n", "\r\n"])
@pytest.mark.parametrize("block", [1, 3, 1 << 22])
def test_lines_by_blocks_are_lines(tmp_path: Path, ending: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realign.corpora.line_files.BLOCK", block)
    path = tmp_path / "text"
    path.write_bytes(("\ufeffone\u2028two\r\n\nähm\n" + "drei" + ending).encode())
    every = list(lines(path))
    assert count_lines(with_stamp(path)) == len(every)
    assert list(pick_lines(path, range(len(every)))) == every
    assert list(pick_lines(path, [1, 2])) == every[1:3]


def test_the_line_that_is_wrong_is_named(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"one\ntwo\xff\n")
    with pytest.raises(InputError, match=r"line 2: not UTF-8"):
        count_lines(with_stamp(path))
    path.write_bytes(b"one\rtwo\n")
    with pytest.raises(InputError, match=r"line 1: a carriage return"):
        count_lines(with_stamp(path))


def test_rows_that_are_not_plain_are_looked_at_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "deu.tsv"
    for text, expected in (("a\tb\nc\td\n", 2), ("a\tb\nc\n", None), ("a\tb\n\n", None), ("a\tb\n\t\n", None)):
        path.write_text(text)
        assert count_blocks(path, columns=2) == expected
    path.write_text("a\tb\nc\td\n\n")
    assert len(Tsv(tmp_path, "eng").pairs("deu", "train")) == 2


def test_items_are_picked_from_what_has_no_quick_way() -> None:
    assert list(pick_in_order(iter("abcdef"), [0, 1, 4])) == ["a", "b", "e"]
    assert list(pick("abcdef", [2, 5])) == ["c", "f"]
    assert list(Stream(lambda: iter("abcdef")).pick([3])) == ["d"]
