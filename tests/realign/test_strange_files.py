"""Files as people have them by accident: what cannot be right is refused with its line, what may be is said."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from realign.corpora.bitext import Moses, Tsv
from realign.corpora.conllu_lines import Conllu
from realign.corpora.corpus import Pair
from realign.corpora.labels import LabelTable
from realign.encoder.encoder import load
from realign.training.encoded_pairs import PairStore
from realign.training.settings import Realignment
from realign.world.world_encoder import FOLDER
from selector.distances.user_table import numbers
from selector.errors import InputError


def moses(folder: Path) -> list[Any]:
    return list(Moses(folder, "eng").pairs("deu", "train"))


def tsv(folder: Path) -> list[Any]:
    return list(Tsv(folder, "eng").pairs("deu", "train"))


def table(folder: Path) -> list[Any]:
    return list(LabelTable(folder).examples("deu", "dev"))


def treebank(folder: Path) -> list[Any]:
    return list(Conllu(folder).sentences("deu", "dev"))


def costs(folder: Path) -> list[Any]:
    return [(language.code, cost) for language, cost in numbers(folder / "costs.csv", "cost").items()]


def row(*cells: str) -> str:
    return "\t".join((*cells, *["_"] * (10 - len(cells)))) + "\n"


WORD = row("1", "a", "_", "X")
REFUSED: dict[str, tuple[Callable[[Path], Any], dict[str, bytes | str], str]] = {  # reader, files, the message's end
    "UTF-16 without a mark": (
        moses,
        {"eng-deu.eng": "a b\nc\n".encode("utf-16-le"), "eng-deu.deu": "x\ny\nz\n"},
        "line 1: a character NUL",
    ),
    "NUL in a pair": (tsv, {"deu.tsv": "a\tb\nc\0d\te\n"}, "line 2: a character NUL"),
    "joined files": (moses, {"eng-deu.eng": "a\n\ufeffb\n", "eng-deu.deu": "x\ny\n"}, "line 2: a byte order mark"),
    "codes as header": (tsv, {"deu.tsv": "en\tde\na\tb\n"}, "line 1: it seems to be a header: en, de"),
    "names as header": (tsv, {"deu.tsv": "Source\tTarget\na\tb\n"}, "header: Source, Target"),
    "a column twice": (
        table,
        {"deu.dev.tsv": "text\ttext\tlabel\na\tb\tx\n"},
        "a column stands twice: text, text, label",
    ),
    "a key twice": (
        table,
        {"deu.dev.jsonl": '{"text": "a", "text": "b", "label": 1}\n'},
        "a key stands twice: text, text, label)",
    ),
    "half of a pair": (table, {"deu.dev.jsonl": '{"text": "a \\ud800", "label": 1}\n'}, "one half of a surrogate pair"),
    "NUL as JSON has it": (
        table,
        {"deu.dev.jsonl": '{"text": "a\\u0000", "label": 1}\n'},
        "NUL or one half of a surrogate pair",
    ),
    "two forms": (
        table,
        {"deu.dev.jsonl": '{"premise": "a", "hypothesis": "b", "label": 1}\n{"text": "c", "label": 0}\n'},
        "1 of 2 rows have a premise and a hypothesis, the others a text",
    ),
    "a lost word of a token": (
        treebank,
        {"deu.dev.conllu": WORD + row("3-4", "cd") + "\n"},
        "word id '3-4' where 2 was expected",
    ),
    "an empty node elsewhere": (
        treebank,
        {"deu.dev.conllu": WORD + row("8.1", "e") + "\n"},
        "word id '8.1' where 2 was expected",
    ),
    "a first cost with a sign": (costs, {"costs.csv": "deu,5€\nfra,2\n"}, "line 1: no code and cost"),
    "no first cost": (costs, {"costs.csv": "deu,\nfra,2\n"}, "line 1: no code and cost"),
    "a first cost below zero": (costs, {"costs.csv": "deu,\u22121\nfra,2\n"}, "line 1: no code and cost"),
}


def written(folder: Path, files: dict[str, bytes | str]) -> Path:
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_right_is_refused_with_its_place(case: str, tmp_path: Path) -> None:
    read, files, message = REFUSED[case]
    with pytest.raises(InputError) as refused:
        read(written(tmp_path, files))
    assert refused.value.message.endswith(message)
    assert refused.value.hint


@pytest.mark.parametrize("first", ["no\tnein", "is\tist", "the source\tdie Quelle", "English\tEnglisch"])
def test_a_first_pair_of_words_is_no_header(first: str, tmp_path: Path) -> None:
    found = tsv(written(tmp_path, {"deu.tsv": f"{first}\na\tb\n"}))
    assert [pair.source for pair in found] == [tuple(first.split("\t")[0].split()), ("a",)]


def test_tokens_and_empty_nodes_in_their_places_are_passed_over(tmp_path: Path) -> None:
    lines = [
        row("0.1", "e"),
        row("1-2", "zum"),
        WORD,
        row("2", "b", "_", "DET"),
        row("2.1", "e"),
        row("2.2", "f"),
        "\n",
    ]
    (found,) = treebank(written(tmp_path, {"deu.dev.conllu": "".join(lines)}))
    assert (found.words, found.tags) == (("a", "b"), ("X", "DET"))


@pytest.mark.parametrize("header", ["code,cost", "iso,cost", "language,price in euros"])
def test_a_header_of_costs_is_no_language(header: str, tmp_path: Path) -> None:
    assert costs(written(tmp_path, {"costs.csv": f"{header}\ndeu,1\n"})) == [("deu", 1.0)]


QUOTED = '"he said ""hi"" twice"'


@pytest.mark.parametrize(
    ("read", "files"),
    [
        (tsv, {"deu.tsv": f"{QUOTED}\tb\nc\td\n"}),
        (table, {"deu.dev.tsv": f"text\tlabel\n{QUOTED}\tx\nc\ty\n"}),
    ],
)
def test_texts_quoted_as_in_csv_are_said(
    read: Callable[[Path], Any], files: dict[str, bytes | str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert len(read(written(tmp_path, files))) == 2
    assert "1 texts are quoted as in CSV" in caplog.text


def test_a_quotation_in_running_text_is_not_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        tsv(written(tmp_path, {"deu.tsv": '"Hello"\t""Hallo""\n"a" and "b"\tthe empty "" here\n'}))
    assert not caplog.text


def test_a_compressed_twin_that_is_not_read_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    written(tmp_path, {"eng-deu.eng": "a\n", "eng-deu.deu": "x\n", "eng-deu.deu.gz": gzip.compress(b"other\n")})
    with caplog.at_level(logging.WARNING):
        assert [pair.target for pair in moses(tmp_path)] == [("x",)]
        moses(tmp_path)
    assert caplog.text.count("eng-deu.deu.gz is not read: eng-deu.deu is in the same folder") == 1


class Text:
    """Parallel text of one language."""

    signature = "text"

    def __init__(self, *pairs: Pair) -> None:
        self.given = pairs

    def pairs(self, language: str, split: str) -> tuple[Pair, ...]:
        return self.given


@pytest.mark.usefixtures("own_cache")
def test_what_training_cuts_off_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    long, short = Pair(("a",) * 20, ("b",) * 20), Pair(("a",), ("b",))
    with caplog.at_level(logging.WARNING):
        PairStore(load(str(FOLDER)), Text(short, long, short), Realignment(max_length=8)).of("deu")
    assert "deu: 2 of 6 sentences fill all 8 sub-words; the text beyond is not used in training" in caplog.text
