"""Text that stands in two places is said, with counts; text that stands where it belongs is not."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import rehearsal
from hypothesis import given
from hypothesis import strategies as st

from realign.build.repeated import ParallelText, TaskText, count_known
from realign.corpora.corpus import Classified, Pair, Tagged
from search.commands.check import check
from search.config.study_config import load


def tagged(*numbers: int) -> list[Tagged]:
    return [Tagged(("sentence", str(number)), ("NOUN", "NUM")) for number in numbers]


def pairs(language: str, numbers: Sequence[int]) -> list[Pair]:
    return [Pair(("sentence", str(number)), (language, str(number))) for number in numbers]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING, "realingo.data")
    return caplog


def test_a_test_that_was_trained_on_is_said(said: pytest.LogCaptureFixture) -> None:
    text = TaskText()
    text.add("eng", "train", tagged(*range(100)))
    text.add("deu", "dev", tagged(*range(200, 300)))
    text.add("deu", "test", tagged(*range(85, 105)))
    assert said.messages == ["15 of 20 test sentences of deu are also in the train data of eng"]


def test_a_split_that_is_the_other_one_is_said(said: pytest.LogCaptureFixture) -> None:
    text = TaskText()
    text.add("deu", "dev", tagged(*range(10)))
    text.add("deu", "test", tagged(*range(9, 19)))
    assert said.messages == ["1 of 10 test sentences of deu are also in the dev data of deu"]


def test_one_file_under_two_languages_is_said(said: pytest.LogCaptureFixture) -> None:
    text = TaskText()
    rows = [Classified(("a", str(number)), ("b",), "yes") for number in range(10)]
    text.add("deu", "dev", rows)
    text.add("fin", "test", rows)  # of other languages only the same split is compared
    assert not said.messages
    text.add("tur", "dev", rows)
    assert said.messages[-1] == "10 of 10 dev sentences of tur are also in the dev data of deu"


def test_a_few_equal_sentences_are_chance(said: pytest.LogCaptureFixture) -> None:
    text = TaskText()
    text.add("eng", "train", tagged(*range(100)))
    text.add("deu", "dev", tagged(*range(91, 200)))
    parallel = ParallelText()
    parallel.add("deu", [*pairs("deu", range(100)), *(Pair(("OK",), ("OK",)) for _ in range(9))])
    parallel.add("fin", [*pairs("fin", range(100)), *pairs("deu", range(9))])
    assert not said.messages


def test_translations_that_are_none_are_said(said: pytest.LogCaptureFixture) -> None:
    text = ParallelText()
    text.add("deu", pairs("sentence", range(30)))
    assert said.messages == ["30 of the first 30 pairs of deu are the same on both sides"]
    text.add("fin", pairs("fin", range(2000)))
    text.add("tur", pairs("fin", range(500, 2500)))
    assert said.messages[1:] == ["500 of the first 1000 sentences of tur are also sentences of fin"]


@given(st.lists(st.integers(0, 9)), st.lists(st.integers(0, 9)))
def test_the_known_are_counted(new: list[int], known: list[int]) -> None:
    found = count_known(np.array(new, dtype=np.uint64), np.sort(np.array(known, dtype=np.uint64)))
    assert found == sum(each in known for each in new)


STUDY = """
name = "files"
[pool]
languages = "deu,fin"
k = 1
[model]
base = "world"
[data]
parallel = {kind = "tsv", folder = "text"}
[realign]
LOSS
[task]
kind = "ner"
data = {kind = "conll", folder = "tags"}
"""


def write(folder: Path, loss: str = "steps = 4") -> Path:
    (folder / "study.toml").write_text(STUDY.replace("LOSS", loss))
    for name in ("text", "tags"):
        (folder / name).mkdir()
    for code in ("deu", "fin"):
        (folder / "text" / f"{code}.tsv").write_text("".join(f"this is {n}\tdas ist {n}\n" for n in range(20)))
        for split in ("dev", "test"):
            (folder / "tags" / f"{code}.{split}.conll").write_text(f"{code} B-PER\n{split} O\n")
    (folder / "tags" / "eng.train.conll").write_text("Ann B-PER\nis O\n\nBen B-LOC\n")
    return folder / "study.toml"


@pytest.mark.usefixtures("own_cache")
def test_check_looks_at_files_from_their_first_line_on(tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    check(load(write(tmp_path), []))
    assert "20 of the first 20 sentences of fin are also sentences of deu" in said.messages
    assert not any("are also in" in message for message in said.messages)


@pytest.mark.usefixtures("own_cache")
def test_check_asks_whether_there_is_a_gold_alignment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, 'loss = "word"\naligner = "gold"')
    assert rehearsal.realingo("check", path) == 2
    assert "error: the parallel text of deu has no gold word alignment" in capsys.readouterr().err


@pytest.mark.usefixtures("own_cache")
def test_a_batch_of_one_sentence_pair_teaches_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rehearsal.realingo("check", write(tmp_path, "batch = 1")) == 2
    assert "its loss is always 0" in capsys.readouterr().err
