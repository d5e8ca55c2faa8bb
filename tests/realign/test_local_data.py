"""Readers of local data: what is written comes back; bytes of any kind either parse or are refused with a reason."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realign.corpora.conllu_lines import UPOS, Conllu
from realign.corpora.corpus import Pair, Tagged
from realign.corpora.folder import SPLITS, find_folder
from realign.corpora.verses import LazyRows, Plain, Verses, chapter_split
from selector.errors import InputError

WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=6)
IDS = st.builds("{}.{}.{}".format, st.sampled_from(["MAT", "JHN"]), st.integers(1, 40), st.integers(1, 4))
VERSES = st.dictionaries(IDS, st.lists(WORD, min_size=1, max_size=5), max_size=12)
SENTENCES = st.lists(st.lists(st.tuples(WORD, st.sampled_from(sorted(UPOS))), min_size=1, max_size=6), max_size=5)


def write(path: Path, data: str | bytes) -> Path:
    """Put data at `path`, compressed where the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = data.encode() if isinstance(data, str) else data
    path.write_bytes(gzip.compress(raw, mtime=0) if path.suffix == ".gz" else raw)
    return path


def as_lines(verses: dict[str, list[str]]) -> str:
    return "".join(f"{verse}\t{' '.join(words)}\n" for verse, words in verses.items())


def row(place: object, form: str, tag: str) -> str:
    return f"{place}\t{form}\t_\t{tag}" + "\t_" * 6 + "\n"


def attempt(read: Callable[[], Iterable[Any]]) -> list[Any] | InputError:
    """What a reader yields, or its refusal; any other error passes through and fails the test."""
    try:
        return list(read())
    except InputError as problem:
        return problem


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


# ---------------------------------------------------------------------------------------------------- verses


@given(eng=VERSES, deu=VERSES, suffix=st.sampled_from([".txt", ".txt.gz"]))
@settings(max_examples=60, deadline=None)
def test_verses_are_joined_on_their_id_whatever_the_order_and_packing(
    scratch: Path, eng: dict[str, list[str]], deu: dict[str, list[str]], suffix: str
) -> None:
    folder = fresh(scratch)
    write(folder / "eng.txt", as_lines(eng))
    write(folder / f"deu{suffix}", as_lines(deu))
    verses = Verses(folder, "eng")
    expected = {split: [v for v in eng if v in deu and chapter_split(v) == split] for split in SPLITS}
    for split in SPLITS:
        outcome = attempt(lambda split=split: verses.pairs("deu", split))
        if isinstance(outcome, InputError):
            assert not expected[split]
            assert "have no" in outcome.message
        else:
            assert outcome == [Pair(tuple(eng[v]), tuple(deu[v])) for v in expected[split]]
            assert outcome
    assert list(verses.texts("deu")) == [tuple(deu[v]) for v in deu if chapter_split(v) == "train"]


def test_the_split_table_rules_order_and_split(tmp_path: Path) -> None:
    write(tmp_path / "verse_ids.tsv", "verse_id\tsplit\tn\nB.1.1\ttrain\t2\nA.1.1\ttrain\t2\nC.1.1\ttest\t2\n")
    for code in ("eng", "fra"):
        write(tmp_path / f"{code}.txt", f"A.1.1\t{code} a\nB.1.1\t{code} b\nC.1.1\t{code} c\nD.1.1\t{code} d\n")
    verses = Verses(tmp_path, "eng")
    assert [pair.target for pair in verses.pairs("fra", "train")] == [("fra", "b"), ("fra", "a")]
    assert [pair.target for pair in verses.pairs("fra", "test")] == [("fra", "c")]
    assert list(verses.texts("eng")) == [("eng", "b"), ("eng", "a")]
    with pytest.raises(InputError, match="have no dev verse in common"):
        verses.pairs("fra", "dev")


def test_hashed_splits_keep_chapters_whole_and_near_ninety_five_five() -> None:
    counts = dict.fromkeys(SPLITS, 0)
    for chapter in range(4000):
        splits = {chapter_split(f"BOOK.{chapter}.{verse}") for verse in range(3)}
        assert len(splits) == 1
        counts[splits.pop()] += 1
    assert 0.88 < counts["train"] / 4000 < 0.92
    assert min(counts["dev"], counts["test"]) / 4000 > 0.035


@pytest.mark.parametrize("name", ["ara.txt", "ara.txt.gz"])
def test_a_macrolanguage_file_serves_its_individual_language_which_wins_when_present(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, "A.1.1\tmacro\n")
    assert Plain(tmp_path).languages() == ("arb",)
    assert list(Plain(tmp_path).texts("arb")) == [("A.1.1", "macro")]
    write(tmp_path / "arb.txt.gz", "A.1.1\tindividual\n")
    assert list(Plain(tmp_path).texts("arb")) == [("A.1.1", "individual")]


@pytest.mark.parametrize(
    ("data", "line", "problem"),
    [
        ("A.1.1\ta\nno tab here\n", 2, "TAB"),
        ("A.1.1\ta\n\tno id\n", 2, "verse id"),
        ("A.1.1\ta\nB.1.1\tb\nA.1.1\tc\n", 3, "second time"),
        (b"A.1.1\ta\nB.1.1\t\xff\n", 2, "UTF-8"),
    ],
)
def test_a_malformed_verse_names_file_and_line(tmp_path: Path, data: str | bytes, line: int, problem: str) -> None:
    write(tmp_path / "eng.txt", "A.1.1\ta\n")
    path = write(tmp_path / "fra.txt", data)
    with pytest.raises(InputError, match=problem) as caught:
        Verses(tmp_path, "eng").pairs("fra", "train")
    assert f"{path}, line {line}:" in caught.value.message


@pytest.mark.parametrize("keep", [5, 40, -1])
def test_a_truncated_gzip_file_is_refused(tmp_path: Path, keep: int) -> None:
    whole = gzip.compress("".join(f"A.1.{i}\tverse {i}\n" for i in range(500)).encode(), mtime=0)
    (tmp_path / "eng.txt.gz").write_bytes(whole[:keep])
    with pytest.raises(InputError, match=r"eng\.txt\.gz, line \d+: damaged gzip"):
        Verses(tmp_path, "eng").texts("eng")


def test_byte_order_mark_carriage_returns_blank_lines_and_empty_verses_do_no_harm(tmp_path: Path) -> None:
    write(tmp_path / "verse_ids.tsv", "verse_id\tsplit\r\nA.1.1\ttrain\r\nA.1.2\ttrain\r\nA.1.3\ttrain\r\n")
    write(tmp_path / "eng.txt", b"\xef\xbb\xbfA.1.1\tone two\r\n\r\nA.1.2\t  \r\nA.1.3\tthree\xe2\x80\xa8four")
    assert list(Verses(tmp_path, "eng").texts("eng")) == [("one", "two"), ("three", "four")]


@pytest.mark.parametrize(
    ("table", "line"),
    [("", 1), ("id\tsplit\n", 1), ("verse_id\tsplit\nA\tvalid\n", 2), ("verse_id\tsplit\nA\ttest\nA\tdev\n", 3)],
)
def test_a_malformed_split_table_names_its_line(tmp_path: Path, table: str, line: int) -> None:
    write(tmp_path / "eng.txt", "A\ta\n")
    write(tmp_path / "verse_ids.tsv", table)
    with pytest.raises(InputError, match=rf"verse_ids\.tsv, line {line}:"):
        Verses(tmp_path, "eng").texts("eng")


# ---------------------------------------------------------------------------------------------------- treebanks


@given(sentences=SENTENCES, final_blank=st.booleans(), suffix=st.sampled_from(["", ".gz"]))
@settings(max_examples=60, deadline=None)
def test_what_conllu_holds_comes_back(
    scratch: Path, sentences: list[list[tuple[str, str]]], final_blank: bool, suffix: str
) -> None:
    text = ""
    for sentence in sentences:
        text += "# text = …\n1-2\tab\t_\t_" + "\t_" * 6 + "\n" + row("0.1", "empty", "_")
        text += "".join(row(place, *word) for place, word in enumerate(sentence, start=1)) + "\n"
    folder = fresh(scratch)
    write(folder / f"fin.test.conllu{suffix}", text if final_blank else text.removesuffix("\n"))
    expected = [Tagged(tuple(w for w, _ in s), tuple(t for _, t in s)) for s in sentences]
    assert list(Conllu(folder).sentences("fin", "test")) == expected


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ("2\tb\tNOUN\n", "3 columns instead of 10"),
        ("2 b _ NOUN _ _ _ _ _ _\n", "1 columns instead of 10"),
        (row(3, "b", "NOUN"), "word id '3' where 2 was expected"),
        (row("two", "b", "NOUN"), "word id 'two'"),
        (row(2, "b", "noun"), "'noun' is not a UPOS tag"),
        (row(2, " ", "NOUN"), "the word is empty"),
    ],
)
def test_a_malformed_treebank_line_names_file_and_line(tmp_path: Path, bad: str, problem: str) -> None:
    path = write(tmp_path / "fin.dev.conllu", "# sent_id = 1\n" + row(1, "a", "NOUN") + bad)
    with pytest.raises(InputError) as caught:
        Conllu(tmp_path).sentences("fin", "dev")
    assert f"{path}, line 3: {problem}" in caught.value.message


def test_conllu_says_which_languages_and_splits_exist(tmp_path: Path) -> None:
    for name in ("eng.train", "eng.dev", "eng.test", "ceb.test", "ara.test"):
        write(tmp_path / f"{name}.conllu", row(1, "a", "X"))
    treebanks = Conllu(tmp_path)
    assert [treebanks.languages(split) for split in SPLITS] == [("eng",), ("eng",), ("arb", "ceb", "eng")]
    with pytest.raises(InputError, match="no dev treebank") as caught:
        treebanks.sentences("ceb", "dev")
    assert "eng" in caught.value.hint


# ---------------------------------------------------------------------------------------------------- any bytes


@given(data=st.binary(max_size=200), packed=st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_bytes_parse_or_are_refused(scratch: Path, data: bytes, packed: bool) -> None:
    folder = fresh(scratch)
    suffix = ".gz" if packed else ""
    for name in ("eng.txt", "eng.test.conllu", "verse_ids.tsv"):
        (folder / (name if name.endswith("tsv") else name + suffix)).write_bytes(data)
    check_readable_or_refused(folder)


@given(
    data=st.lists(
        st.sampled_from(["A.1.1", "\t", "\n", "1", "_", "NOUN", "verse_id\tsplit\n", "train", "\r", "é", "#"])
    ),
    cut=st.integers(0, 3),
)
@settings(max_examples=200, deadline=None)
def test_almost_right_bytes_parse_or_are_refused(scratch: Path, data: list[str], cut: int) -> None:
    folder = fresh(scratch)
    raw = "".join(data).encode()
    write(folder / "verse_ids.tsv", raw)
    for name in ("eng.txt.gz", "eng.test.conllu.gz"):
        whole = gzip.compress(raw, mtime=0)
        (folder / name).write_bytes(whole[: len(whole) - cut])
    check_readable_or_refused(folder)


def check_readable_or_refused(folder: Path) -> None:
    readers = (
        lambda: Verses(folder, "fra").texts("eng"),
        lambda: Plain(folder).texts("eng"),
        lambda: Conllu(folder).sentences("eng", "test"),
    )
    for read in readers:
        outcome = attempt(read)
        if isinstance(outcome, InputError):
            assert str(folder) in outcome.message
            assert outcome.hint
        else:
            assert all(item.words if isinstance(item, Tagged) else isinstance(item, tuple) for item in outcome)


# ---------------------------------------------------------------------------------------------------- all readers


def test_the_signature_follows_names_and_bytes_and_not_the_place_or_what_was_read(tmp_path: Path) -> None:
    def build(name: str, text: str = "A.1.1\ta\n", code: str = "fra") -> Verses:
        write(tmp_path / name / "eng.txt", "A.1.1\ta\n")
        write(tmp_path / name / f"{code}.txt", text)
        return Verses(tmp_path / name, "eng")

    first, before = build("one"), build("one").signature
    first.texts("fra")
    assert first.signature == before == build("two").signature
    assert len({before, build("three", "A.1.1\tb\n").signature, build("four", code="spa").signature}) == 3
    write(tmp_path / "one" / "verse_ids.tsv", "verse_id\tsplit\nA.1.1\ttrain\n")
    assert first.signature != before


def test_named_languages_limit_what_the_signature_covers(tmp_path: Path) -> None:
    for code in ("eng", "fra", "spa"):
        write(tmp_path / f"{code}.txt", f"A.1.1\t{code}\n")
        write(tmp_path / f"{code}.test.conllu", row(1, code, "X"))
    text, treebank = Verses(tmp_path, "eng", ["fra"]), Conllu(tmp_path, ["fra"])
    before = text.signature, treebank.signature
    write(tmp_path / "spa.txt", "A.1.1\tother text\n")
    write(tmp_path / "spa.test.conllu", row(1, "other", "X"))
    assert (text.signature, treebank.signature) == before
    write(tmp_path / "fra.txt", "A.1.1\tother text\n")
    write(tmp_path / "fra.test.conllu", row(1, "other", "X"))
    assert text.signature != before[0]
    assert treebank.signature != before[1]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "eng.test.conllu", row(1, "old", "X"))
    assert Conllu(tmp_path).sentences("eng", "test")[0].words == ("old",)
    write(path, row(1, "newer", "X"))
    assert Conllu(tmp_path).sentences("eng", "test")[0].words == ("newer",)


@pytest.mark.parametrize("form", [lambda folder: Verses(folder, "eng"), Conllu, Plain])
def test_a_missing_or_empty_folder_is_refused(tmp_path: Path, form: type[Conllu]) -> None:
    with pytest.raises(InputError, match="there is no data folder"):
        form(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no "):
        form(tmp_path)


def test_a_missing_language_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    write(tmp_path / "eng.txt", "A.1.1\ta\n")
    write(tmp_path / "fra.txt", "A.1.1\ta\n")
    for ask in (
        lambda: Verses(tmp_path, "eng").pairs("xho", "train"),
        lambda: Verses(tmp_path, "xho").pairs("eng", "train"),
        lambda: Plain(tmp_path).texts("xho"),
    ):
        with pytest.raises(InputError, match="xho") as caught:
            ask()
        assert caught.value.hint == "there is data for: eng, fra"
    with pytest.raises(InputError, match="source language"):
        Verses(tmp_path, "eng").pairs("eng", "train")


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "eng.txt").mkdir()
    (tmp_path / "fra.txt").symlink_to(tmp_path / "gone")
    for code in ("eng", "fra"):
        with pytest.raises(InputError, match=f"cannot read .*{code}.txt"):
            Plain(tmp_path).texts(code)[0]


@given(rows=st.lists(st.integers(), max_size=9), start=st.integers(-9, 9), stop=st.integers(-9, 9))
def test_a_lazy_sequence_behaves_like_the_list_it_stands_for(rows: list[int], start: int, stop: int) -> None:
    lazy, full = LazyRows(rows, str), [str(number) for number in rows]
    assert list(lazy) == full
    assert list(lazy[start:stop]) == full[start:stop]
    assert list(reversed(lazy)) == full[::-1]


# ---------------------------------------------------------------------------------------------------- finding folders


def test_a_folder_is_looked_for_next_to_the_study_file_then_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, data = tmp_path / "study", tmp_path / "data"
    (data / "parallel").mkdir(parents=True)
    study.mkdir()
    monkeypatch.setenv("REALINGO_DATA", str(data))
    assert find_folder("parallel", study) == data / "parallel"
    (study / "parallel").mkdir()
    assert find_folder("parallel", study) == study / "parallel"
    assert find_folder("{data}/parallel", study) == data / "parallel"
    assert find_folder(str(data), study) == data


@pytest.mark.parametrize("given_root", [True, False])
def test_a_folder_not_found_names_both_places_and_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given_root: bool
) -> None:
    if given_root:
        monkeypatch.setenv("REALINGO_DATA", str(tmp_path / "data"))
    else:
        monkeypatch.delenv("REALINGO_DATA", raising=False)
    with pytest.raises(InputError) as caught:
        find_folder("ud", tmp_path / "study")
    shared = str(tmp_path / "data" / "ud") if given_root else "$REALINGO_DATA/ud (not set)"
    assert str(tmp_path / "study" / "ud") in caught.value.message
    assert shared in caught.value.message
    assert "REALINGO_DATA" in caught.value.hint


@given(text=st.text(max_size=30))
def test_any_folder_text_is_found_or_refused(scratch: Path, text: str) -> None:
    outcome = attempt(lambda: [find_folder(text, scratch)])
    assert outcome.hint if isinstance(outcome, InputError) else outcome[0].is_dir()


# ---------------------------------------------------------------------------------------------------- the real thing


@pytest.fixture(scope="module")
def real() -> Path:
    folder = Path(os.environ.get("REALINGO_DATA") or Path(__file__).parents[3] / "shared" / "data")
    if not (folder / "parallel").is_dir() or not (folder / "ud").is_dir():
        pytest.skip(f"no real data in {folder}: set REALINGO_DATA")
    return folder


def test_real_verses_are_translations_of_each_other_in_every_split(real: Path) -> None:
    verses = Verses(real / "parallel", "eng")
    assert {"arb", "lvs", "deu", "hin"} <= set(verses.languages())
    counts = {split: len(verses.pairs("deu", split)) for split in SPLITS}
    assert counts["train"] > 5000
    assert min(counts.values()) > 100
    # Matthew 1:6, "And Jesse begat David": dev in the split table.
    assert any("David" in pair.source and "David" in pair.target for pair in verses.pairs("deu", "dev"))
    sources = {split: {pair.source for pair in verses.pairs("deu", split)} for split in SPLITS}
    assert len(sources["train"] & sources["test"]) < 0.02 * len(sources["test"])  # a few verses repeat in the Gospels


@pytest.mark.parametrize("language", ["eng", "arb", "vie", "cop", "cmn"])
def test_real_treebanks_read_whole(real: Path, language: str) -> None:
    treebanks = Conllu(real / "ud")
    sentences = treebanks.sentences(language, "dev")
    assert len(sentences) >= 300
    assert all(len(sentence.words) == len(sentence.tags) > 0 for sentence in sentences)
    assert {tag for sentence in sentences for tag in sentence.tags} <= UPOS
    assert set(treebanks.languages("test")) - set(treebanks.languages("dev")) == {"ben", "ceb", "epo", "guj"}


def fresh(scratch: Path) -> Path:
    """A new folder for one example: Hypothesis shares fixtures between examples."""
    folder = scratch / str(len(os.listdir(scratch)))
    folder.mkdir()
    return folder
