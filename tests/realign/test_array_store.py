"""The store of encoded text: right arrays or a clear word, whatever happens to its files; filters, readers of pairs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realign.corpora.bitext import Moses, Tsv
from realign.corpora.corpus import Pair, Stream
from realign.corpora.filters import FilteredParallel, Rules, count_dropped, share
from realign.corpora.labels import iob2
from realign.encoder.ragged import RaggedTable
from realign.store.array_store import ArrayStream, StoredArrays, key_of, load_or_compute, open_folder
from selector.errors import InputError

ROWS = st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=7), min_size=1, max_size=12)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REALINGO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Made:
    """Arrays that count how often they are made."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> ArrayStream:
        self.times += 1
        return ArrayStream([{"a": np.arange(3)}, {"a": np.arange(3, 10), "empty": np.empty(0, np.int16)}], {"n": 10})


def folder(cache: Path) -> Path:
    return cache / "store" / "kind" / key_of("x")


def check(stored: StoredArrays) -> None:
    assert stored.arrays["a"].tolist() == list(range(10))
    assert len(stored.arrays["empty"]) == 0
    assert stored.facts == {"n": 10}


def test_what_is_kept_is_made_once_and_mapped(cache: Path) -> None:
    made = Made()
    for _ in range(3):
        check(load_or_compute("kind", key_of("x"), made))
    assert made.times == 1
    assert not load_or_compute("kind", key_of("x"), made).arrays["a"].flags.owndata
    assert [path.name for path in folder(cache).parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("name", ["a.bin", "manifest.json"])
@pytest.mark.parametrize("harm", ["cut", "flip", "remove", "empty"])
def test_damage_is_seen_and_mended(cache: Path, name: str, harm: str) -> None:
    made = Made()
    load_or_compute("kind", key_of("x"), made)
    file = folder(cache) / name
    raw = file.read_bytes()
    if harm == "remove":
        file.unlink()
    else:
        changed = {"cut": raw[:-3], "flip": bytes([raw[0] ^ 1, *raw[1:]]), "empty": b""}[harm]
        file.write_bytes(changed)
    check(load_or_compute("kind", key_of("x"), made))
    assert made.times == 2
    assert open_folder(folder(cache)) is not None


def test_a_build_that_fails_leaves_nothing(cache: Path) -> None:
    def broken() -> ArrayStream:
        def pieces():  # type: ignore[no-untyped-def]
            yield {"a": np.arange(3)}
            raise RuntimeError("cut short")

        return ArrayStream(pieces(), {})

    with pytest.raises(RuntimeError, match="cut short"):
        load_or_compute("kind", key_of("x"), broken)
    assert [path.suffix for path in folder(cache).parent.iterdir()] in ([], [".lock"])
    check(load_or_compute("kind", key_of("x"), Made()))


def test_where_the_cache_cannot_be_written_memory_serves(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache.write_text("a file in the way")
    check(load_or_compute("kind", key_of("x"), Made()))
    assert "kept in memory" in caplog.text


def test_a_full_disk_is_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "small"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("mounting a small disk is not allowed here")
    try:
        monkeypatch.setenv("REALINGO_CACHE", str(disk / "cache"))
        big = np.arange(100_000)
        stored = load_or_compute("kind", key_of("x"), lambda: ArrayStream([{"a": big}], {}))
        assert np.array_equal(stored.arrays["a"], big)
        assert open_folder(disk / "cache" / "store" / "kind" / key_of("x")) is None
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_two_processes_build_one_store(cache: Path) -> None:
    code = (
        "import numpy as np, time\nfrom realign.store.array_store import ArrayStream, load_or_compute, key_of\n"
        "def make():\n    print('made'); time.sleep(0.5)\n    return ArrayStream([{'a': np.arange(10)}], {})\n"
        "print(load_or_compute('kind', key_of('x'), make).arrays['a'].sum())"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        for _ in range(2)
    ]
    said = [run.communicate(timeout=60)[0].split() for run in runs]
    assert sorted(word for words in said for word in words) == ["45", "45", "made"]


@given(rows=ROWS, data=st.data())
@settings(max_examples=60, deadline=None)
def test_ragged_rows_come_back_padded(rows: list[list[int]], data: st.DataObject) -> None:
    table = RaggedTable.pack(rows, rows, pad=7)
    chosen = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=6)))
    ids, mask, word = table.take(chosen)
    for place, row in enumerate(chosen):
        size = len(rows[row])
        assert ids[place].tolist() == rows[row] + [7] * (ids.shape[1] - size)
        assert word[place].tolist() == rows[row] + [-1] * (ids.shape[1] - size)
        assert mask[place].sum() == size
    assert all(
        a.equal(b) for a, b in zip(table.select(chosen).take(np.arange(len(chosen))), (ids, mask, word), strict=True)
    )


# ---------------------------------------------------------------------------------------------------- filters


class Text:
    signature = "text"

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self._pairs = [Pair(tuple(a.split()), tuple(b.split())) for a, b in pairs]

    def pairs(self, language: str, split: str) -> list[Pair]:
        return self._pairs


def test_each_reason_is_counted_and_test_data_is_left_alone() -> None:
    good = ("a good sentence", "хорошее предложение")
    text = Text(good, ("…", "что"), ("x" * 1200, "ы" * 1200), ("yes", "да " * 60), ("no", "not Russian at all"), good)
    scripts = {"eng": ("Latn",), "rus": ("Cyrl",)}
    filtered = FilteredParallel(text, Rules(), "eng", scripts)
    pairs = filtered.pairs("rus", "train")
    assert [" ".join(pair.source) for pair in pairs] == ["a good sentence"]
    assert count_dropped(pairs) == {"empty": 1, "length": 1, "ratio": 1, "script": 1, "duplicate": 1}
    assert len(filtered.pairs("rus", "test")) == 6
    assert len({FilteredParallel(text, rules, "eng", scripts).signature for rules in (Rules(), Rules(ratio=5))}) == 2


def test_a_language_may_have_several_scripts() -> None:
    assert share("dobar dan", ("Cyrl", "Latn")) == 1
    assert share("dobar dan", ("Cyrl",)) == 0
    assert share("ありがとう 漢字", ("Jpan",)) == 1
    assert share("anything", ("Zyyy",)) == 1


# ---------------------------------------------------------------------------------------------------- pairs in files


def test_moses_and_tsv_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "eng-deu.eng").write_text("one two\nthree\n")
    (tmp_path / "eng-deu.deu").write_text("eins zwei\ndrei\n")
    (tmp_path / "deu.tsv").write_text("one two\teins zwei\nthree\tdrei\n")
    expected = [Pair(("one", "two"), ("eins", "zwei")), Pair(("three",), ("drei",))]
    for reader in (Moses(tmp_path, "eng"), Tsv(tmp_path, "eng")):
        pairs = reader.pairs("deu", "train")
        assert list(pairs) == expected
        assert (len(pairs), pairs[1], pairs[-1], pairs[:1]) == (2, expected[1], expected[1], expected[:1])
        with pytest.raises(InputError, match="no dev parallel text"):
            reader.pairs("deu", "dev")


def test_sides_of_unequal_length_and_odd_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "eng-deu.eng").write_text("one\ntwo\n")
    (tmp_path / "eng-deu.deu").write_text("eins\n")
    with pytest.raises(InputError, match=r"eng-deu\.deu has 1 lines"):
        list(Moses(tmp_path, "eng").pairs("deu", "train"))
    (tmp_path / "deu.tsv").write_text("one\teins\ntwo\n")
    with pytest.raises(InputError, match=r"deu\.tsv, line 2: 1 columns instead of 2"):
        list(Tsv(tmp_path, "eng").pairs("deu", "train"))


def test_entity_tags_become_iob2() -> None:
    assert iob2(["I-PER", "I-PER", "B-PER", "O", "I-LOC"]) == ("B-PER", "I-PER", "B-PER", "O", "B-LOC")
    assert iob2(["B-PER", "E-PER", "S-LOC"]) == ("B-PER", "I-PER", "B-LOC")
    assert iob2(["B-PER", "I-LOC"]) == ("B-PER", "B-LOC")


@given(st.lists(st.integers()), st.integers(-5, 5), st.slices(6))
def test_a_stream_is_a_sequence(items: list[int], at: int, some: slice) -> None:
    stream = Stream(lambda: iter(items))
    assert (list(stream), len(stream), bool(stream)) == (items, len(items), bool(items))
    assert list(stream[some]) == items[some]
    if -len(items) <= at < len(items):
        assert stream[at] == items[at]
    else:
        with pytest.raises(IndexError):
            stream[at]
