"""The table of known sets: codes language by language, what a study adds to it; plain files by the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from realign.hub.rows import read
from realign.hub.sets import Spec, alter, find_set, load_sets, spec_of
from selector.errors import InputError, NoDataError
from selector.languages.language import parse_pool


def test_a_mark_without_its_partner_loses_no_row(tmp_path: Path) -> None:
    file = tmp_path / "a.tsv"
    file.write_text('text\tlabel\n"Hm\ta\nb\tb\nand so" on\tc\n', encoding="utf-8")
    assert [row["text"] for row in read(file, "x")] == ['"Hm', "b", 'and so" on']
    file.write_text('text\tlabel\n"He said ""no""."\ta\nb\tb\n', encoding="utf-8")
    assert [row["text"] for row in read(file, "x")] == ['He said "no".', "b"]


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.tsv", "text\tlabel\na\n", "line 2"),
        ("a.jsonl", '{"a": 1}\n[1]\n', "line 2"),
        ("a.jsonl", "{\n", "line 1"),
        ("a.conll", "word\n", "line 1"),
        ("a.conllu", "1\tword\n", "line 1"),
        ("a.parquet", "no parquet", "not a complete parquet file"),
        ("a.zip", "x", "cannot tell"),
        ("a.tsv.gz", "no gzip", "damaged gzip"),
    ],
)
def test_broken_files_are_refused_by_line(tmp_path: Path, name: str, text: str, line: str) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=line):
        read(file, "x")


SPELLED = {
    "opus-100": {"cmn": "zh", "ekk": "et", "zsm": "ms", "nob": "nb", "pes": "fa", "hbs": "sh", "wln": "wa"},
    "nllb": {"cmn": "zho_Hans", "ekk": "est_Latn", "tgl": "tgl_Latn", "twi": "twi_Latn", "gug": "grn_Latn"},
    "sib-200": {"cmn": "zho_Hans", "ekk": "est_Latn", "tgl": "tgl_Latn", "twi": "twi_Latn", "jpn": "jpn_Jpan"},
    "flores": {"cmn": "cmn_Hans", "ekk": "ekk_Latn", "tgl": "fil_Latn", "twi": "twi_Latn_akua1239", "gug": "gug_Latn"},
    "ntrex": {"cmn": "zho_Hans", "lvs": "lav_Latn", "swh": "swa_Latn", "tgl": "fil_Latn", "pes": "fas_Arab"},
    "wikiann": {"nob": "no", "yue": "zh-yue", "gsw": "als", "als": "sq", "nan": "zh-min-nan", "vro": "fiu-vro"},
    "tatoeba": {"arb": "ara", "ekk": "est", "swh": "swh"},
    "xtreme-udpos": {"cmn": "Chinese", "ell": "Greek", "pes": "Persian"},
    "udpos": {"ces": "cs_pdtc", "nob": "no_bokmaal", "cmn": "zh_gsd", "eng": "en_ewt"},
    "masakhaner": {"swh": "swa", "twi": "twi"},
    "afrixnli": {"swh": "swa", "gaz": "orm"},
    "americasnli": {"ayr": "aym", "gug": "gn"},
    "bouquet": {"cmn": "cmn_Hans", "kor": "kor_Kore"},
}
PAPER = [language.code for language in parse_pool("paper-65")]
LACK = {  # of paper-65
    "opus-100": "bam ewe fon gaz jav lin lug luo mos nya sna swh tgl tsn twi wol",
    "nllb": "eus tha",
    "sib-200": "",
    "wikiann": "bam ewe fon gaz hau lug luo mos nya sna tsn twi wol xho zul",
    "udpos": "ewe fon gaz ibo kin lin lug luo mos mya nya pan sna swh twi xho zsm zul",
}


@pytest.mark.parametrize("name", SPELLED)
def test_codes_are_those_of_the_set(name: str) -> None:
    spec = load_sets()[name]
    assert {code: spec.code(code) for code in SPELLED[name]} == SPELLED[name]


@pytest.mark.parametrize("name", LACK)
def test_what_a_set_lacks_of_the_papers_languages_is_known_without_asking(name: str) -> None:
    lacking = []
    for code in PAPER:
        try:
            load_sets()[name].check("eng", code)
        except NoDataError:
            lacking.append(code)
    assert " ".join(lacking) == LACK[name]


@pytest.mark.parametrize(
    ("name", "language", "others"),
    [
        ("opus-100", "bam", "nllb"),
        ("nllb", "eus", "opus-100"),
        ("wikiann", "bam", "masakhaner"),
        ("xnli", "quy", "americasnli"),  # not sib-200, whose labels are others
        ("udpos", "swh", "masakhapos"),
        ("opus-100", "aqz", ""),
    ],
)
def test_the_hint_names_known_sets_that_have_the_language(name: str, language: str, others: str) -> None:
    with pytest.raises(NoDataError) as caught:
        load_sets()[name].check("eng", language)
    assert caught.value.hint.partition("from the first that has it: ")[2] == others


def test_every_name_is_a_code_that_the_set_has() -> None:
    for name, spec in load_sets().items():
        if spec.languages:
            assert set(spec.names.values()) <= set(spec.languages), name


def test_pairs_are_in_the_order_of_the_set() -> None:
    nllb = load_sets()["nllb"]
    assert nllb.fill(nllb.config, "eng", "als") == "eng_Latn-als_Latn"
    assert nllb.fill(nllb.config, "eng", "afr") == "afr_Latn-eng_Latn"
    assert nllb.fill(nllb.config, "eng", "cmn") == "eng_Latn-zho_Hans"


def test_what_a_study_says_is_added_to_what_is_known() -> None:
    spec = alter(find_set("udpos", "pos"), {"names": {"deu": "de_gsd"}, "splits": {"dev": "test"}, "revision": "2.15"})
    assert (spec.code("deu"), spec.code("fra")) == ("de_gsd", "fr_sequoia")
    assert (spec.splits["dev"], spec.splits["train"], spec.revision) == (("test",), ("train",), "2.15")
    with pytest.raises(InputError, match="no plain files"):
        alter(find_set("xnli", "classification"), {"path": "x"})
    described = spec_of({"id": "a/b", "tasks": ("pos",), "columns": {}, "files": "{lang}.conll"}).at("folder")
    assert (described.path, described.files) == ("folder", "{lang}.conll")


def test_only_its_own_source_has_translations() -> None:
    with pytest.raises(InputError, match="translations of eng only"):
        load_sets()["tatoeba"].check("fra", "cmn")
    Spec("a/b", ("parallel",), {}).check("fra", "cmn")  # nothing is known against it


@pytest.mark.parametrize(
    "pattern",
    ["{nope}", "{0}", "{}", "{lang.__class__}", "{lang!r}", "{lang:>9}", "{", "}", "{{lang}}", "{lang", "a{ }"],
)
def test_braces_hold_only_the_named_fields(pattern: str) -> None:
    spec = Spec("x", ("parallel",), {"text": "text"})
    with pytest.raises(InputError, match="has no meaning") as caught:
        spec.fill(pattern, "eng", "deu")
    assert "{lang}, {source}, {pair}, {split}" in caught.value.hint


def test_every_named_field_is_replaced_once() -> None:
    spec = Spec("x", ("parallel",), {"text": "text"}, names={"deu": "{source}"})
    assert spec.fill("{lang}/{source}.{split}", "eng", "deu", "dev") == "{source}/eng.dev"
    assert spec.fill("{pair}", "eng", "fra") == "eng-fra"
