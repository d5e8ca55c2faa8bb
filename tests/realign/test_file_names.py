"""File names take every code that a pool takes, in the form data sets are released in; what fits twice is an error."""

import csv
import gzip
from pathlib import Path

import pytest

from realign.corpora.bitext import Moses, Tsv
from realign.corpora.conllu_lines import Conllu
from realign.corpora.file_names import FileLanguage, language_of, pair_of, pair_side_of, treebank_of
from realign.corpora.labels import Conll, LabelTable
from realign.corpora.verses import Plain, Verses
from selector.errors import InputError

LISTS = Path(__file__).parents[1] / "selector" / "data"
CONLLU = "1\t{word}\t_\tNOUN\t_\t_\t0\troot\t_\t_\n\n"


def listed(name: str) -> list[tuple[str, str]]:
    rows = csv.reader(LISTS.joinpath(f"codes-{name}.tsv").read_text(encoding="utf-8").splitlines()[2:], delimiter="\t")
    return [(code, right) for code, right in rows if right != "-"]


def put(folder: Path, **texts: str) -> Path:
    """Files whose names are written with __ for a full stop."""
    for name, text in texts.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


def code_of(found: FileLanguage | None) -> str | None:
    return None if found is None else found.code


@pytest.mark.parametrize(
    "name", ["flores-200", "flores-plus", "cc-100", "opus-100", "masakhane", "xtreme", "glottolog"]
)
def test_every_code_of_a_data_set_can_name_a_file(name):
    assert not [(code, right) for code, right in listed(name) if code_of(language_of(code)) != right]


def test_the_exceptions_of_wikipedia_can_name_a_file():
    wrong = [code for code, right in listed("wikipedia") if code_of(language_of(code)) != right]
    assert wrong == ["simple"], "only what begins with a code of two or three letters"


def test_every_released_treebank_has_its_language():
    short = [(name, right) for name, right in listed("ud") if not name.startswith("UD_")]
    assert len(short) > 340
    assert not [(name, right) for name, right in short if code_of(treebank_of(name)) != right]


@pytest.mark.parametrize(
    "stem", ["README", "german", "en-de", "de-en", "xyz", "train", "deu.train", "verse_ids", "x", "", "bih", "hi_zza"]
)
def test_other_names_are_no_language(stem):
    assert language_of(stem) is None


@pytest.mark.parametrize(("stem", "code"), [("en-DE", "eng"), ("pt-br", "por"), ("zh-cn", "cmn"), ("zh-yue", "yue")])
def test_a_region_is_no_pair(stem, code):
    assert language_of(stem).code == code


@pytest.mark.parametrize(
    ("name", "code", "other", "split", "partner"),
    [
        ("eng-deu.deu", "deu", "eng", None, "eng-deu.eng"),
        ("eng-deu.dev.eng", "eng", "deu", "dev", "eng-deu.dev.deu"),
        ("bible-uedin.de-en.de", "deu", "eng", None, "bible-uedin.de-en.en"),
        ("europarl-v7.de-en.en", "eng", "deu", None, "europarl-v7.de-en.de"),
        ("OpenSubtitles.v2018.en-zh_cn.zh_cn", "cmn", "eng", None, "OpenSubtitles.v2018.en-zh_cn.en"),
        ("opus.de-en-train.de", "deu", "eng", "train", "opus.de-en-train.en"),
        ("valid.de-en.de", "deu", "eng", "dev", "valid.de-en.en"),
        ("eng_Latn-deu_Latn.deu_Latn", "deu", "eng", None, "eng_Latn-deu_Latn.eng_Latn"),
    ],
)
def test_sides_of_pairs(name, code, other, split, partner):
    side = pair_side_of(name)
    assert (side.name.code, side.other.code, side.split, side.partner) == (code, other, split, partner)


@pytest.mark.parametrize("name", ["bible.de-en.xml", "README", "de-en.txt", "eng-deu.tok.eng", "deu-deu.deu", "de.en"])
def test_other_names_are_no_side(name):
    assert pair_side_of(name) is None


def test_a_pair_keeps_its_order():
    assert [name.code for name in pair_of("fra-deu")] == ["fra", "deu"]
    assert pair_of("deu") is pair_of("deu-readme") is None


@pytest.mark.parametrize("name", ["fil", "tl", "zho_Hans", "ger", "de", "deu_Latn", "stan1295", "German"])
def test_plain_text_by_any_code(tmp_path, name):
    put(tmp_path, **{f"{name}__txt": "a b\n", "notes__txt": "c\n", "eng__txt": "d\n"})
    right = {"fil": "tgl", "tl": "tgl", "zho_Hans": "cmn"}.get(name, "deu")
    found = Plain(tmp_path)
    assert found.languages() == (("eng",) if name == "German" else tuple(sorted((right, "eng"))))
    if name != "German":
        assert list(found.texts(right)) == [("a", "b")]


def test_verses_by_any_code(tmp_path):
    put(tmp_path, en__txt="GEN.1.1\tin the beginning\n", ger__txt="GEN.1.1\tam Anfang\n")
    put(tmp_path, verse_ids__tsv="verse_id\tsplit\nGEN.1.1\ttrain\n")
    assert [pair.target for pair in Verses(tmp_path, "eng").pairs("deu", "train")] == [("am", "Anfang")]


def test_two_files_of_one_language_are_an_error_when_it_is_asked_for(tmp_path):
    put(tmp_path, de__txt="a\n", ger__txt="b\n", fr__txt="c\n")
    found = Plain(tmp_path)
    assert found.languages() == ("deu", "fra")
    assert list(found.texts("fra")) == [("c",)], "the others can be used"
    with pytest.raises(InputError, match="more than one file fits deu") as caught:
        found.texts("deu")
    assert "/de.txt and " in caught.value.message
    assert "/ger.txt" in caught.value.message


def test_two_scripts_are_two_files_and_the_individual_code_decides(tmp_path):
    put(tmp_path, zho_Hans__txt="a\n", zho_Hant__txt="b\n")
    with pytest.raises(InputError, match="more than one file fits cmn"):
        Plain(tmp_path).texts("cmn")
    put(tmp_path, cmn_Hant__txt="c\n")
    assert list(Plain(tmp_path).texts("cmn")) == [("c",)]


def test_a_compressed_twin_is_no_second_file(tmp_path):
    put(tmp_path, de__txt="a\n")
    with gzip.open(tmp_path / "de.txt.gz", "wt") as file:
        file.write("b\n")
    assert list(Plain(tmp_path).texts("deu")) == [("a",)]


def test_pairs_as_opus_releases_them(tmp_path):
    put(tmp_path, **{"bible__de-en__de": "Anfang\n", "bible__de-en__en": "beginning\n", "README": "", "LICENSE": ""})
    put(tmp_path, **{"bible__de-fr__de": "Anfang\n", "bible__de-fr__fr": "commencement\n"})
    found = Moses(tmp_path, "eng")
    assert [(pair.source, pair.target) for pair in found.pairs("deu", "train")] == [(("beginning",), ("Anfang",))]
    with pytest.raises(InputError, match="'fra'"):
        found.pairs("fra", "train")


def test_two_corpora_of_one_pair_are_an_error(tmp_path):
    for corpus in ("bible", "europarl"):
        put(tmp_path, **{f"{corpus}__de-en__de": "a\n", f"{corpus}__de-en__en": "b\n"})
    put(tmp_path, **{"ted__en-fr__en": "a\n", "ted__en-fr__fr": "b\n"})
    found = Moses(tmp_path, "eng", ["fra"])
    assert found.signature
    assert len(found.pairs("fra", "train")) == 1
    with pytest.raises(InputError, match=r"fits deu: .*bible.de-en.en and .*europarl.de-en.en"):
        found.pairs("deu", "train")


def test_the_split_may_stand_before_or_behind_the_pair(tmp_path):
    for split, word in (("train", "train"), ("dev", "valid"), ("test", "test")):
        put(tmp_path, **{f"{word}__de-en__de": f"{split}\n", f"{word}__de-en__en": "x\n"})
        put(tmp_path, **{f"opus__en-fr-{split}__fr": f"{split}\n", f"opus__en-fr-{split}__en": "x\n"})
        found = Moses(tmp_path, "eng")
        assert [next(iter(found.pairs(code, split))).target for code in ("deu", "fra")] == [(split,), (split,)]


def test_a_side_without_the_other(tmp_path):
    put(tmp_path, **{"bible__de-en__de": "a\n"})
    with pytest.raises(InputError, match=r"bible.de-en.de has no other side") as caught:
        Moses(tmp_path, "eng")
    assert "bible.de-en.en" in caught.value.hint


def test_rows_of_pairs_by_any_code(tmp_path):
    put(tmp_path, de__tsv="one\teins\n", pt_BR__dev__tsv="two\tdois\n")
    found = Tsv(tmp_path, "eng")
    assert next(iter(found.pairs("deu", "train"))).target == ("eins",)
    assert next(iter(found.pairs("por", "dev"))).target == ("dois",)
    put(tmp_path, deu__train__tsv="one\teins\n")
    with pytest.raises(InputError, match="more than one file fits deu"):
        Tsv(tmp_path, "eng").pairs("deu", "train")


def test_treebanks_as_released(tmp_path):
    german, nynorsk = tmp_path / "UD_German-GSD", tmp_path / "UD_Norwegian-Nynorsk"
    for folder, prefix, word in ((german, "de_gsd", "Haus"), (nynorsk, "no_nynorsk", "hus")):
        folder.mkdir()
        put(
            folder,
            **{f"{prefix}-ud-dev__conllu": CONLLU.format(word=word), f"{prefix}-ud-train__txt": "", "README": ""},
        )
    for folder, code, word in ((tmp_path, "deu", "Haus"), (tmp_path, "nno", "hus"), (german, "deu", "Haus")):
        found = Conllu(folder)
        assert code in found.languages("dev")
        assert [each.words for each in found.sentences(code, "dev")] == [(word,)]
    assert Conllu(tmp_path).languages("dev") == ("deu", "nno")


def test_two_treebanks_of_one_language_are_an_error_that_names_both(tmp_path):
    for treebank in ("GSD", "HDT"):
        folder = tmp_path / f"UD_German-{treebank}"
        folder.mkdir()
        put(folder, **{f"de_{treebank.lower()}-ud-test__conllu": CONLLU.format(word="Haus")})
    with pytest.raises(
        InputError, match=r"UD_German-GSD/de_gsd-ud-test.conllu and UD_German-HDT/de_hdt-ud-test.conllu"
    ):
        Conllu(tmp_path).sentences("deu", "test")


def test_labelled_text_by_any_code(tmp_path):
    put(tmp_path, de__train__conll="Bonn B-LOC\n", zh__test__tsv="text\tlabel\na\tb\n")
    assert Conll(tmp_path).sentences("deu", "train")[0].words == ("Bonn",)
    assert LabelTable(tmp_path).examples("cmn", "test")[0].label == "b"
    put(tmp_path, cmn__test__jsonl='{"text": "a", "label": "b"}\n')
    put(tmp_path, cmn__test__tsv="text\tlabel\na\tb\n")
    with pytest.raises(InputError, match=r"fits cmn: .*cmn.test.tsv and .*cmn.test.jsonl"):
        LabelTable(tmp_path).examples("cmn", "test")
