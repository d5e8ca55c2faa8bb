"""Several sets as one: each language from the first that has it, labels agree, the signature names what is in use."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from realign.corpora.bitext import Moses
from realign.corpora.conllu_lines import Conllu
from realign.corpora.corpus import Classified, Pair, Split, Tagged
from realign.corpora.mixed import Member, MixedExamples, MixedLabelled, MixedParallel
from selector.errors import InputError, NoDataError

EVALUATED: tuple[Split, ...] = ("dev", "test")


@dataclass(frozen=True)
class Fake:
    """A corpus in memory: language → split → labels of its one sentence."""

    name: str
    rows: Mapping[str, Mapping[str, Sequence[str]]]
    languages: tuple[str, ...] = ()

    @property
    def signature(self) -> str:
        return f"{self.name}:{','.join(self.languages)}"

    def _labels(self, language: str, split: str) -> Sequence[str]:
        if split not in self.rows.get(language, {}):
            raise NoDataError(f"{self.name} has no {split} of {language}", "leave it out")
        return self.rows[language][split]

    def sentences(self, language: str, split: Split) -> Sequence[Tagged]:
        labels = tuple(self._labels(language, split))
        return [Tagged(tuple(f"{self.name}{i}" for i, _ in enumerate(labels)), labels)]

    def examples(self, language: str, split: Split) -> Sequence[Classified]:
        return [Classified((self.name,), None, label) for label in self._labels(language, split)]

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        self._labels(language, split)
        return [Pair(("a",), (self.name,))]


def member(name: str, rows: Mapping[str, Mapping[str, Sequence[str]]]) -> Member[Fake]:
    return Member(name, lambda languages: Fake(name, rows, tuple(languages)))


def three(*labels: str) -> dict[str, Sequence[str]]:
    return dict.fromkeys(("train", *EVALUATED), labels)


UD = member(
    "ud", {"eng": three("NOUN", "VERB"), "deu": three("NOUN"), "yor": {"test": ["NOUN"]}, "jav": {"test": ["VERB"]}}
)
MASAKHA = member("masakha", {"yor": three("VERB"), "swh": three("NOUN"), "deu": three("VERB")})


def test_each_language_is_taken_from_the_first_set_with_the_splits_that_are_looked_at(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mixed = MixedLabelled([UD, MASAKHA], ["deu", "yor", "swh", "jav"], EVALUATED, None, "eng")
    with caplog.at_level(logging.WARNING):
        assert mixed.languages() == {"masakha": ("swh", "yor"), "ud": ("deu", "eng", "jav")}
    assert "labelled text of yor: from masakha" in caplog.text
    assert "deu" not in caplog.text  # the first set needs no word
    assert mixed.sentences("yor", "dev")[0].words == ("masakha0",)
    assert mixed.sentences("yor", "test")[0].words == ("masakha0",)  # though the first set has a test of it
    assert mixed.sentences("jav", "test")[0].tags == ("VERB",)
    with pytest.raises(NoDataError, match="no dev of jav"):
        mixed.sentences("jav", "dev")


def test_a_language_of_no_set_is_an_error_with_all_their_names() -> None:
    mixed = MixedLabelled([UD, MASAKHA], ["deu", "tam"], EVALUATED, None, "eng")
    with pytest.raises(InputError, match="none of the data sets has tam: ud, masakha"):
        mixed.sentences("tam", "test")
    without = MixedLabelled([MASAKHA], ["swh"], EVALUATED, None, "eng")
    with pytest.raises(InputError, match="training text in eng") as found:
        without.sentences("eng", "train")
    assert "train = {name" in found.value.hint


def test_another_set_trains() -> None:
    nli = member("xnli", {"eng": three("yes", "no"), "swh": three("yes")})
    afri = member("afri", {"eng": {"dev": ["yes"], "test": ["no"]}, "swh": {"dev": ["no"], "test": ["yes"]}})
    mixed = MixedExamples([afri], ["swh"], EVALUATED, nli, "eng")
    assert [row.first for row in mixed.examples("eng", "train")] == [("xnli",), ("xnli",)]
    assert [row.first for row in mixed.examples("eng", "dev")] == [("xnli",), ("xnli",)]  # never from another set
    assert [row.first for row in mixed.examples("swh", "test")] == [("afri",)]


def test_labels_must_be_among_those_that_are_trained() -> None:
    wikiann = member("wikiann", {"eng": three("B-PER", "O", "B-LOC")})
    dated = member("masakhaner", {"swh": three("I-PER", "B-DATE", "O"), "yor": three("B-LOC", "I-LOC")})
    mixed = MixedLabelled([dated], ["swh", "yor"], EVALUATED, wikiann, "eng")
    with pytest.raises(InputError, match="masakhaner has labels for swh that the training set lacks: DATE") as found:
        mixed.sentences("swh", "test")
    assert "labels = {DATE" in found.value.hint
    assert mixed.sentences("yor", "test")[0].tags == ("B-LOC", "I-LOC")  # I-LOC is of a type that is trained


def test_the_signature_names_what_is_taken_from_where() -> None:
    def signature(members: list[Member[Fake]], languages: list[str]) -> str:
        return MixedLabelled(members, languages, EVALUATED, None, "eng").signature

    other = member("ud", {"eng": three("NOUN"), "deu": three("NOUN")})
    assert signature([UD, MASAKHA], ["deu", "swh"]) == signature([UD, MASAKHA], ["swh", "deu", "deu"])
    assert signature([UD, MASAKHA], ["deu", "swh"]) != signature([UD, MASAKHA], ["deu"])
    assert signature([UD], ["deu"]) == signature([other], ["deu"])  # what is in it is the set's own signature's affair
    assert signature([MASAKHA, UD], ["deu"]) != signature([UD, MASAKHA], ["deu"])


def test_parallel_text_of_several_sets() -> None:
    opus = member("opus", {"deu": {"train": []}})
    nllb = member("nllb", {"deu": {"train": []}, "swh": {"train": []}})
    mixed = MixedParallel([opus, nllb], ["deu", "swh"], ("train",))
    assert [mixed.pairs(code, "train")[0].target for code in ("deu", "swh")] == [("opus",), ("nllb",)]


def test_local_folders_mix_with_other_sets(tmp_path: Path) -> None:
    rows = "".join(f"{i}\tw{i}\t_\tNOUN\t_\t_\t_\t_\t_\t_\n" for i in (1, 2)) + "\n"
    for split in ("train", "dev", "test"):
        (tmp_path / f"eng.{split}.conllu").write_text(rows, encoding="utf-8")
        (tmp_path / f"fin.{split}.conllu").write_text(rows, encoding="utf-8")
    local = Member("conllu", lambda languages: Conllu(tmp_path, languages))
    mixed = MixedLabelled([local, MASAKHA], ["fin", "swh"], EVALUATED, None, "eng")
    assert mixed.languages() == {"conllu": ("eng", "fin"), "masakha": ("swh",)}


def test_text_as_opus_ships_it_mixes_with_other_sets(tmp_path: Path) -> None:
    (tmp_path / "NLLB.en-sw.en").write_text("one two\nthree\n", encoding="utf-8")
    (tmp_path / "NLLB.en-sw.sw").write_text("moja mbili\ntatu\n", encoding="utf-8")
    local = Member("moses", lambda languages: Moses(tmp_path, "eng", languages))
    hub = member("opus-100", {"deu": {"train": []}})
    mixed = MixedParallel([hub, local], ["deu", "swh"], ("train",))
    assert mixed.languages() == {"moses": ("swh",), "opus-100": ("deu",)}
    assert [pair.target for pair in mixed.pairs("swh", "train")] == [("moja", "mbili"), ("tatu",)]
