"""Files as people have them: what a reader makes of them is right, or said, or refused."""

from __future__ import annotations

import json
import math
import unicodedata
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    ModernBertConfig,
    ModernBertModel,
    MPNetConfig,
    MPNetModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5EncoderModel,
)

from realign.corpora.bitext import Moses, Tsv
from realign.corpora.conllu_lines import Conllu
from realign.corpora.hub import Hub
from realign.corpora.labels import Conll, LabelTable
from realign.corpora.mixed import Member, MixedParallel
from realign.corpora.verses import Verses, chapter_of
from realign.corpora.word_links import ByDictionary, ByPharaoh
from realign.encoder.encoder import Encoder, position_count
from realign.hub.sets import Spec
from realign.tasks.unseen import check_labels
from realign.training.word_alignment import itermax, mutual
from search.study.storage import check_storage, reason
from selector.errors import InputError

WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=6)
SENTENCE = st.lists(WORD, min_size=1, max_size=5)
PAIRS = st.lists(st.tuples(SENTENCE, SENTENCE), min_size=1, max_size=5)
WARM = settings(max_examples=60, deadline=None, derandomize=True)


def bitext(folder: Path, source: str, target: str) -> Moses:
    (folder / "eng-deu.eng").write_bytes(source.encode())
    (folder / "eng-deu.deu").write_bytes(target.encode())
    return Moses(folder, "eng")


def test_links_count_tokens_between_ascii_blanks(tmp_path: Path) -> None:
    text = bitext(tmp_path, "New\u00a0York sleeps\n", "New\u00a0York schläft\n")
    (tmp_path / "deu.align").write_text("0-0 1-1\n")
    (pair,) = ByPharaoh(text, tmp_path).pairs("deu", "train")
    assert pair.source == ("New\u00a0York", "sleeps")
    assert [(pair.source[i], pair.target[j]) for i, j in pair.links or ()][1] == ("sleeps", "schläft")
    assert next(iter(text.pairs("deu", "train"))).source == ("New", "York", "sleeps")


@pytest.mark.parametrize("mixed", [False, True])
def test_links_over_text_of_the_hub_count_tokens_between_ascii_blanks(tmp_path: Path, mixed: bool) -> None:
    (tmp_path / "deu.tsv").write_text("eng\tdeu\nNew\u00a0York sleeps\tNew\u00a0York schläft\n", encoding="utf-8")
    (tmp_path / "deu.align").write_text("0-0 1-1\n")
    spec = Spec("x", ("parallel",), {"source": "{source}", "target": "{lang}"}, files="{lang}.tsv").at(str(tmp_path))
    hub = Hub(spec, "eng", ["deu"])
    text = MixedParallel([Member("x", lambda languages: Hub(spec, "eng", languages))], ["deu"], ["train"])
    (pair,) = ByPharaoh(text if mixed else hub, tmp_path).pairs("deu", "train")
    assert (pair.source, pair.target) == (("New\u00a0York", "sleeps"), ("New\u00a0York", "schläft"))
    assert pair.links == ((0, 0), (1, 1))
    assert next(iter((text if mixed else hub).pairs("deu", "train"))).source == ("New", "York", "sleeps")


@pytest.mark.parametrize(("link", "hint"), [("0p0", "possible links"), ("0-0:0.98", "weights"), ("x", "written")])
def test_other_notations_of_links_are_refused_by_name(tmp_path: Path, link: str, hint: str) -> None:
    (tmp_path / "deu.align").write_text(link + "\n")
    with pytest.raises(InputError, match="line 1") as caught:
        list(ByPharaoh(bitext(tmp_path, "a\n", "b\n"), tmp_path).pairs("deu", "train"))
    assert hint in caught.value.hint


def test_a_dictionary_matches_whatever_the_normal_form_and_counts_phrases(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = bitext(tmp_path, "café Bar\n", unicodedata.normalize("NFD", "Café Kneipe") + "\n")
    rows = f"{unicodedata.normalize('NFD', 'CAFÉ')}\tcafé\nbar\tKneipe\nnew york\tNew York\n"
    (tmp_path / "eng-deu.txt").write_text(rows)
    (tmp_path / "deu-eng.txt").write_text("bar x\n")
    (tmp_path / "fra-deu.txt").write_text("bar café\n")
    (pair,) = ByDictionary(text, tmp_path).pairs("deu", "train")
    assert pair.links == ((0, 0), (1, 1))
    assert "1 of 3 entries are phrases" in caplog.text


def entities(folder: Path, text: str) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    (folder / "deu.dev.conll").write_text(text)
    return [(each.words, each.tags) for each in Conll(folder).sentences("deu", "dev")]


def test_only_tabs_separate_where_there_are_tabs(tmp_path: Path) -> None:
    assert entities(tmp_path, "New York\tB-LOC\nsleeps\tO\n") == [(("New York", "sleeps"), ("B-LOC", "O"))]


def test_a_row_with_more_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 2: 3 columns"):
        entities(tmp_path, "a O\nNew York B-LOC\n")


def test_comments_are_no_words_and_a_hash_is_one(tmp_path: Path) -> None:
    found = entities(tmp_path, "# text = vitamin O\n# id 3\tdomain=x\n# O\n1 B-X\n \t \n#\tO\nb\tO\n")
    assert found == [(("#", "1"), ("O", "B-X")), (("#", "b"), ("O", "O"))]


def test_a_file_without_blank_lines_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    entities(tmp_path, "a O\n" * 3000)
    assert "a sentence of 3000 words (1 sentences in the file)" in caplog.text


def treebank(*rows: tuple[str, str]) -> str:
    return "".join(f"{at}\t{word}\t_\t{tag}" + "\t_" * 6 + "\n" for at, (word, tag) in enumerate(rows, 1))


def test_a_blank_line_may_hold_white_space_and_untagged_sentences_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = treebank(("a", "NOUN")) + " \t \n" + treebank(("b", "_"), ("c", "VERB")) + "\n" + treebank(("d", "X"))
    (tmp_path / "deu.dev.conllu").write_text(text)
    assert [each.words for each in Conllu(tmp_path).sentences("deu", "dev")] == [("a",), ("d",)]
    assert "1 of 3 sentences left out" in caplog.text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("deu.dev.tsv", "text\tlabel\na\tyes\nb\t-\nc\t-1\nd\tno\n\n"),
        ("deu.dev.jsonl", '{"text":"a","label":"yes"}\n{"text":"b","label":"-"}\n{"text":"c","label":-1}\n'
         '{"text":"d","label":"no"}\n'),
    ],
)  # fmt: skip
def test_rows_without_a_gold_label_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    assert [(each.first, each.label) for each in LabelTable(tmp_path).examples("deu", "dev")] == [
        (("a",), "yes"),
        (("d",), "no"),
    ]
    assert "2 of 4 rows left out" in caplog.text


def test_blanks_around_a_label_are_refused(tmp_path: Path) -> None:
    (tmp_path / "deu.dev.tsv").write_text("text\tlabel\na\tyes \n")
    with pytest.raises(InputError, match=r"line 2.*blanks"):
        LabelTable(tmp_path).examples("deu", "dev")


def test_labels_that_training_never_saw_are_counted_or_refused(caplog: pytest.LogCaptureFixture) -> None:
    check_labels("deu", "dev", ["a", "c", "c"], ["a", "b"])
    assert "'c' 2 times" in caplog.text
    with pytest.raises(InputError, match="'Yes', training has 'yes'"):
        check_labels("deu", "dev", ["Yes", "no"], ["yes", "no"])
    with pytest.raises(InputError, match="none is the same"):
        check_labels("deu", "dev", ["0", "1"], ["no", "yes"])


@pytest.mark.parametrize(
    ("verse", "chapter"),
    [("GEN 1:1", "GEN 1"), ("MAT.1.12", "MAT.1"), ("b.GEN.1.1", "b.GEN.1"), ("GEN_1_1", "GEN_1"), ("GEN-1-1", "GEN-1"),
     ("40001001", "40001"), ("1 John 2:3", "1 John 2"), ("x", "x")],
)  # fmt: skip
def test_a_chapter_is_the_id_without_its_verse(verse: str, chapter: str) -> None:
    assert chapter_of(verse) == chapter


def test_merged_verses_pair_with_nothing_and_what_does_not_join_is_counted_by_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ids = [f"GEN 1:{verse}" for verse in range(1, 9)]
    (tmp_path / "verse_ids.tsv").write_text("verse_id\tsplit\n" + "".join(f"{each}\ttrain\n" for each in ids) + "\n")
    (tmp_path / "eng.txt").write_text("".join(f"{each}\tenglish {each}\n" for each in ids))
    theirs = ["1 eins", "2 zwei und drei", "3 <range>", "4 vier", "5 ", "7 sieben", "8 acht"]
    rows = [f"GEN 1:{line.replace(' ', chr(9), 1)}\n" for line in theirs]
    (tmp_path / "deu.txt").write_text("".join(rows) + "GEN.1.6\tsechs\n")
    pairs = Verses(tmp_path, "eng").pairs("deu", "train")
    assert [pair.target for pair in pairs] == [("eins",), ("vier",), ("sieben",), ("acht",)]
    assert [pair.source[-1] for pair in pairs] == ["1:1", "1:4", "1:7", "1:8"]
    reasons = "absent there: 1; empty on one side: 1; one text for several verses on one side (<range>): 2; "
    assert f"4 train verses joined with eng.txt; lost: {reasons}ids that eng.txt does not have: 1" in caplog.text


@pytest.mark.parametrize(
    ("ours", "theirs", "joined"),
    [
        (("a", "<range>", "c"), ("x", "<range>", "z"), ["x", "z"]),  # the same verses on both sides
        (("a", "<range>", "c"), ("x", "y", "z"), ["z"]),
        (("a", "<range>", "<range>"), ("x", "<range>", "z"), []),
        (("a", "b", "c"), ("x", "", "<range>"), ["x"]),  # merged into a verse without text
        (("a", "b", "c"), ("<range>", "y", "z"), ["y", "z"]),  # into none
    ],
)
def test_a_text_pairs_only_with_one_of_the_same_verses(
    tmp_path: Path, ours: tuple[str, ...], theirs: tuple[str, ...], joined: list[str]
) -> None:
    table = "verse_id\tsplit\n" + "".join(f"G.1.{number}\ttrain\n" for number in range(3))
    (tmp_path / "verse_ids.tsv").write_text(table + "G.2.1\ttrain\n")
    for code, texts in (("eng", ours), ("deu", theirs)):
        lines = "".join(f"G.1.{number}\t{text}\n" for number, text in enumerate(texts))
        (tmp_path / f"{code}.txt").write_text(lines + "G.2.1\tlast\n")
    pairs = Verses(tmp_path, "eng").pairs("deu", "train")
    assert [pair.target[0] for pair in pairs] == [*joined, "last"]


def test_ids_without_a_chapter_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for code in ("eng", "deu"):
        (tmp_path / f"{code}.txt").write_text("".join(f"v{number}\ttext\n" for number in range(40)) + "G.1.1\ta\n")
    Verses(tmp_path, "eng").pairs("deu", "train")
    assert "40 of 41 verse ids have no chapter ('v0')" in caplog.text


def test_bare_carriage_returns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 1: a carriage return"):
        bitext(tmp_path, "a\rb\rc\r", "x\ry\rz\r").pairs("deu", "train")


def test_a_blank_last_line_is_skipped_and_one_in_the_middle_is_not(tmp_path: Path) -> None:
    (tmp_path / "deu.tsv").write_text("a\tb\n\n")
    assert len(Tsv(tmp_path, "eng").pairs("deu", "train")) == 1
    (tmp_path / "deu.tsv").write_text("a\tb\n\nc\td\n")
    with pytest.raises(InputError, match="line 2: a blank line"):
        Tsv(tmp_path, "eng").pairs("deu", "train")


@pytest.mark.parametrize("name", ["db.sqlite3", "x.db", "X.SQLITE"])
def test_a_database_without_its_scheme_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="names a database") as caught:
        check_storage(name)
    assert f"sqlite:///{name}" in caught.value.hint


def test_no_part_of_a_password_is_shown() -> None:
    url = "postgresql://u:a@S3cr3t@host/db"
    assert "S3cr3t" not in reason(ValueError("could not translate host name 'S3cr3t@host'"), url)


@pytest.mark.parametrize("link", [mutual, itermax])
def test_a_side_without_words_has_no_links(link) -> None:  # type: ignore[no-untyped-def]
    for m, n in ((0, 3), (3, 0), (0, 0)):
        assert link(torch.zeros(2, m, n)).shape == (2, m, n)


@pytest.mark.parametrize(
    ("kind", "config", "most"),
    [
        (BertModel, BertConfig, 20),
        (RobertaModel, RobertaConfig, 18),
        (MPNetModel, MPNetConfig, 18),  # counts from behind its padding as well
        (ModernBertModel, ModernBertConfig, 20),  # turns vectors by their positions: those it was made for
        (DebertaV2Model, DebertaV2Config, 20),
    ],
)
def test_the_limit_is_what_the_model_has_positions_for(kind, config, most: int) -> None:  # type: ignore[no-untyped-def]
    core = Tokenizer(models.WordLevel({"a": 0, "[PAD]": 1, "[UNK]": 2}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]")
    about = config(
        vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, pad_token_id=1,
        max_position_embeddings=20,
    )  # fmt: skip
    encoder = Encoder(kind(about).eval(), tokenizer, "x")
    table = encoder.encode([("a",) * 50], 128)
    assert encoder.limit(128) == most == int(table.length[0])
    assert encoder.limit(7) == 7
    encoder.model(*table.take(torch.tensor([0]))[:2])


def test_relative_positions_alone_set_no_limit() -> None:
    about = T5Config(vocab_size=9, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    assert position_count(T5EncoderModel(about)) == math.inf


@given(pairs=PAIRS)
@WARM
def test_pairs_come_back(tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[list[str], list[str]]]) -> None:
    folder = tmp_path_factory.mktemp("pairs")
    ours, theirs = ("".join(" ".join(pair[side]) + "\n" for pair in pairs) for side in (0, 1))
    moses = bitext(folder, ours, theirs)
    (folder / "deu.tsv").write_text("".join(f"{' '.join(a)}\t{' '.join(b)}\n" for a, b in pairs), newline="")
    (folder / "deu.align").write_text("".join(f"{len(a) - 1}-0 0-{len(b) - 1}\n" for a, b in pairs))
    expected = [(tuple(a), tuple(b)) for a, b in pairs]
    for text in (moses, Tsv(folder, "eng"), ByPharaoh(moses, folder)):
        assert [(pair.source, pair.target) for pair in text.pairs("deu", "train")] == expected
    linked = ByPharaoh(moses, folder).pairs("deu", "train")
    assert [pair.links for pair in linked] == [
        tuple(dict.fromkeys([(len(a) - 1, 0), (0, len(b) - 1)])) for a, b in pairs
    ]


@given(sentences=st.lists(st.lists(st.tuples(WORD, st.sampled_from(["O", "B-X"])), min_size=1, max_size=5), max_size=4))
@WARM
def test_words_and_entities_come_back(
    tmp_path_factory: pytest.TempPathFactory, sentences: list[list[tuple[str, str]]]
) -> None:
    folder = tmp_path_factory.mktemp("entities")
    text = "".join("".join(f"{word}\t{tag}\n" for word, tag in some) + "\n" for some in sentences)
    assert entities(folder, text) == [
        (tuple(word for word, _ in some), tuple(tag for _, tag in some)) for some in sentences
    ]


@given(
    rows=st.lists(st.tuples(SENTENCE, SENTENCE, st.sampled_from(["yes", "no", "0", "1"])), min_size=1, max_size=5),
    ascii_only=st.booleans(),
)
@WARM
def test_rows_of_json_come_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[list[str], list[str], str]], ascii_only: bool
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    objects = [{"label": label, "hypothesis": " ".join(b), "premise": " ".join(a)} for a, b, label in rows]
    text = "".join(json.dumps(each, ensure_ascii=ascii_only) + "\n" for each in objects)
    (folder / "deu.dev.jsonl").write_text(text, encoding="utf-8", newline="")
    found = [(each.first, each.second, each.label) for each in LabelTable(folder).examples("deu", "dev")]
    assert found == [(tuple(a), tuple(b), label) for a, b, label in rows]


@given(entries=st.lists(st.tuples(WORD, WORD), min_size=1, max_size=6), tabs=st.booleans(), text=PAIRS)
@WARM
def test_links_are_those_of_the_dictionary_that_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    entries: list[tuple[str, str]],
    tabs: bool,
    text: list[tuple[list[str], list[str]]],
) -> None:
    folder = tmp_path_factory.mktemp("muse")
    text = [([*a, entries[0][0]], [entries[0][1], *b]) for a, b in text]  # one of them at least
    ours, theirs = ("".join(" ".join(pair[side]) + "\n" for pair in text) for side in (0, 1))
    lines = "".join(("\t" if tabs else " ").join(entry) + "\n" for entry in entries)
    (folder / "eng-deu.txt").write_text(lines, encoding="utf-8", newline="")
    known = {(caseless(a), caseless(b)) for a, b in entries}
    expected = [
        {(i, j) for i, x in enumerate(a) for j, y in enumerate(b) if (caseless(x), caseless(y)) in known}
        for a, b in text
    ]
    found = ByDictionary(bitext(folder, ours, theirs), folder).pairs("deu", "train")
    assert [set(pair.links or ()) for pair in found] == expected
    assert all(expected)


def caseless(word: str) -> str:
    """What Unicode calls a canonical caseless match (section 3.13, D145), in its own words."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", word).casefold())
