"""No code is ever read as an unrelated language: whole lists of data sets, and all codes of two and three letters."""

import itertools
import json
import logging
import string
import subprocess
import sys
from pathlib import Path

import pytest

from selector.distances import user_table
from selector.errors import InputError
from selector.languages import tags
from selector.languages.language import all_languages, parse, parse_with_remark, two_letter
from selector.sources import code_tables, schemes, subtags
from selector.sources.iso639 import macrolanguage

DATA = Path(__file__).parent / "data"
LISTS = {path.stem.removeprefix("codes-"): path for path in sorted(DATA.glob("codes-*.tsv"))}
SIZES = {
    "cc-100": 116, "flores-200": 204, "flores-plus": 229, "glottolog": 243, "masakhane": 21, "opus-100": 100, "ud": 706,
    "wikiann": 175, "wikipedia": 350, "xtreme": 50,
}  # fmt: skip


def rows(name: str) -> list[list[str]]:
    return [line.split("\t") for line in LISTS[name].read_text(encoding="utf-8").splitlines()[2:]]


def code_of(text: str) -> str:
    """The code that a text is read as, - where it is an error."""
    try:
        return parse_with_remark(text).language.code
    except InputError:
        return "-"


def test_every_list_is_there():
    assert {name: len(rows(name)) for name in LISTS} == SIZES


@pytest.mark.parametrize("name", SIZES)
def test_every_code_of_a_list_is_its_language(name):
    wrong = {code: (right, found) for code, right in rows(name) if (found := code_of(code)) != right}
    assert not wrong, "code → the right one, ours"


@pytest.mark.parametrize("name", ["flores-200", "cc-100", "wikipedia"])
@pytest.mark.parametrize(
    "change", [str.upper, lambda code: code.replace("_", "-"), lambda code: code.replace("-", "_")]
)
def test_case_and_separator_do_not_matter(name, change):
    assert not [code for code, right in rows(name) if code_of(change(code)) != right]


def today(code: str) -> str | None:
    """ISO 639-3 of an individual language or macrolanguage, by iso639-lang alone; None for any other code."""
    import iso639
    from iso639.exceptions import DeprecatedLanguageValue, InvalidLanguageValue

    try:
        entry = iso639.Lang(code)
    except DeprecatedLanguageValue as gone:
        return today(gone.change_to) if gone.change_to else None
    except InvalidLanguageValue:
        return None
    return entry.pt3 if entry.scope() in ("Individual", "Macrolanguage") else None


WITHDRAWN = {
    "bh": "bho", "in": "ind", "iw": "heb", "ji": "yid", "jw": "jav", "mo": "ron", "sh": "hbs",
    "scc": "srp", "scr": "hrv",
}  # fmt: skip
OURS = {"ns": "nso", "fil": "tgl"}  # CC-100's Northern Sotho; Filipino


def test_every_code_of_two_or_three_letters_is_what_iso_says_or_an_error():
    """18,252 codes: 8,000 languages, no name of three letters among them."""
    import iso639

    right, wrong = 0, []
    for letters in itertools.chain(*(itertools.product(string.ascii_lowercase, repeat=n) for n in (2, 3))):
        code = "".join(letters)
        found, due = tags.parse_tag(code), (WITHDRAWN | OURS).get(code) or today(code)
        members = {each.pt3 for each in iso639.Lang(due).individuals()} if due else set()
        fits = found is None if due is None else found is not None and found.code in {due, *members}
        right += due is not None and fits
        wrong += [] if fits else [(code, due, found)]
    assert not wrong
    assert right > 8000


@pytest.mark.parametrize("name", ["Bai", "bai", "Bih", "Vao", "Gao", "Ngo", "Bwa"])
def test_three_letters_never_match_a_name(name):
    found = tags.parse_tag(name.lower())
    assert code_of(name) == ("-" if found is None else found.code)


def test_an_extended_language_counts_only_behind_its_own_prefix():
    two = sorted(tags.two_letter())
    for prefix in two:
        base = tags.standard(prefix)
        for code in ("yue", "arz", "zaw", "rom", "smg", "swc", "lvs", "ase", "deu", "ind"):
            found = tags.parse_tag(f"{prefix}-{code}")
            spelled = f"{prefix}-{code}" in {"bn-rom", "hi-rom", "ta-rom", "te-rom", "ur-rom", "my-zaw"}
            assert (found is not None) == (subtags.is_extended(base, code) or spelled), f"{prefix}-{code}"
            assert found is None or spelled or found.code == code


@pytest.mark.parametrize(
    ("text", "guess"),
    [
        ("hi_zza", "hin (Hindi)"),
        ("ru_rom", "rus (Russian)"),
        ("ms-ind", "zsm (Standard Malay), ind (Indonesian)"),
        ("min-nan", "min (Minangkabau), nan (Min Nan Chinese)"),
        ("deu_Abcd", "deu (German)"),  # no script
        ("deu-QQ", "deu (German)"),  # no region
        ("deu_Latn_vale1252", "deu (German)"),  # a dialect of Catalan
        ("de-rozaj", "deu (German)"),  # a dialect of Slovenian
        ("eng_Latn_nonsense", "eng (English)"),
        ("de-x-foo", "deu (German)"),
        ("Latn", "lat (Latin)"),
        ("bih", "bho (Bhojpuri), mai (Maithili), mag (Magahi)"),
        ("bat", "lit (Lithuanian), ltg (Latgalian)"),
        ("roa", "cat (Catalan)"),
        ("nah", "nhe (Eastern Huasteca Nahuatl)"),
        ("eml", "egl (Emilian), rgn (Romagnol)"),
        ("Bai", "Bai (South Sudan)"),  # the name is a guess, never an answer
        ("UD_Norwegian-Some", "nob (Norwegian Bokmål), nno (Norwegian Nynorsk)"),
    ],
)
def test_what_is_no_language_is_an_error_with_guesses(text, guess):
    with pytest.raises(InputError) as caught:
        parse_with_remark(text)
    assert f"'{text}'" in caught.value.message
    assert guess in caught.value.hint


@pytest.mark.parametrize(
    "text", ["indo1319", "cypr1249", "abcd1234", "sgn", "qaa", "qtd_sagt", "zxx", "und", "mul", "mis", "en-xh", "fr-en"]
)
def test_what_is_no_one_language_is_an_error(text):
    assert code_of(text) == "-"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("pa-Arab", "pnb"),
        ("pan_Arab", "pnb"),
        ("pa-PK", "pnb"),
        ("pa-Guru-PK", "pan"),  # the script says which one
        ("fa-AF", "prs"),
        ("fas_Arab_AF", "prs"),
        ("kur_Arab", "ckb"),
        ("ku-Latn-IQ", "kmr"),
        ("az-Arab", "azb"),
        ("az-Cyrl-IR", "azj"),
        ("uz-AF", "uzs"),
        ("mn-Mong", "mvf"),
        ("sw-CD", "swc"),
        ("sh-Cyrl", "srp"),
    ],
)
def test_a_script_or_region_that_changes_the_language(text, code):
    found = parse_with_remark(text)
    assert found.language.code == code
    usual = tags.parse_tag(text.replace("_", "-").split("-")[0]).code
    assert (f"'{text}' is read as {code} (" in found.remark) == (code != usual)
    assert (f"without it, it is {usual} (" in found.remark) == (code != usual)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("sr-Latn", "srp"), ("khk_Mong", "khk"), ("uzn_Arab", "uzn"), ("zh-TW", "cmn"), ("zh-Hant", "cmn"),
        ("kk-Arab", "kaz"), ("no", "nob"), ("nb", "nob"), ("nn", "nno"), ("zh-cmn-Hans-CN", "cmn"), ("sgn-ase", "ase"),
        ("nds-NL", "nds"), ("sl-rozaj-1994", "slv"), ("be-tarask", "bel"), ("de-CH-1996", "deu"), ("i-klingon", "tlh"),
        ("hy-arevmda", "hyw"), ("als_Latn", "als"), ("cat_Latn_vale1252", "cat"), ("apc_Arab_sout3123", "apc"),
        ("tlf", "tlf"), ("en_XX", "eng"),
    ],
)  # fmt: skip
def test_a_script_or_region_of_the_same_language(text, code):
    assert (parse_with_remark(text).language.code, parse_with_remark(text).remark) == (code, "")


@pytest.mark.parametrize(
    ("text", "code", "other"),
    [
        ("als", "als", "gsw"),  # Alemannic in Wikipedia
        ("nrm", "nrm", "nrf"),  # Norman in Wikipedia
        ("zh-HK", "cmn", "yue"),
        ("zh-Hant-HK", "cmn", "yue"),
        ("ar-EG", "arb", "arz"),
        ("ff_SN", "fuv", "fuc"),
        ("qu-BO", "quy", "quh"),
        ("simple", "eng", "Simple English"),
        ("map-bms", "jav", "Banyumasan"),
        ("roa-tara", "nap", "Tarantino"),
        ("bh", "bho", "Bihari"),
    ],
)
def test_a_second_reading_is_said(text, code, other):
    found = parse_with_remark(text)
    assert found.language.code == code
    assert found.remark.startswith(f"'{text}' is read as {code} (")
    assert other in found.remark


def test_parse_logs_a_remark_once(caplog):
    with caplog.at_level(logging.WARNING):
        assert parse("ar-LB").code == parse("ar-LB").code == "arb"
        parse("deu")
    assert [record.message for record in caplog.records] == [parse_with_remark("ar-LB").remark]


def test_every_treebank_and_its_folder_are_the_same_language():
    of = dict(rows("ud"))
    folders = [code for code in of if code.startswith("UD_")]
    assert len(folders) == 353
    for folder, short in zip(rows("ud")[::2], rows("ud")[1::2], strict=True):
        assert folder[1] == short[1]


def test_a_treebank_newer_than_the_list_is_known_by_the_name_of_its_language():
    assert code_of("UD_German-Newest") == "deu"
    assert code_of("UD_Norwegian-Newest") == "-"


def test_every_language_of_the_package_has_a_glottocode():
    named = {schemes.glottolog(code) for code, _ in rows("glottolog")}
    assert {tags.individual(code) for code in named} == {language.code for language in all_languages()}


def grambank(folder: Path, *cells: str) -> str:
    """A table in the form of Grambank: Glottocodes, features of 0 and 1, ? for the unknown."""
    path = folder / "features.csv"
    path.write_text("Language_ID,GB020,GB021\n" + "".join(f"{cell}\n" for cell in cells), encoding="utf-8")
    return str(path)


def test_a_table_with_glottocodes(tmp_path, caplog):
    table = user_table.read(grambank(tmp_path, "stan1295,1,0", "stan1290,0,?", "nucl1643,1,1", "latv1249,0,0"))
    assert table.cells == {"deu": ("1", "0"), "fra": ("0", None), "jpn": ("1", "1"), "lvs": ("0", "0")}
    assert not caplog.records


def test_a_table_with_dialects_keeps_the_language_and_counts_the_others(tmp_path, caplog):
    """cire1240 is a dialect of Javanese, cypr1249 has no code in ISO 639-3, indo1319 is a family."""
    rows = ("cire1240,0,0", "java1254,1,1", "cypr1249,0,1", "indo1319,1,0")
    assert user_table.read(grambank(tmp_path, *rows)).cells == {"jav": ("1", "1")}
    assert user_table.read(grambank(tmp_path, *reversed(rows))).cells == {"jav": ("1", "1")}
    assert [record.message.partition(": ")[2] for record in caplog.records] == 2 * [
        "rows left out: 3, of dialects or of languages without a code in ISO 639-3"
    ]


def test_a_table_with_the_same_glottocode_twice_is_an_error(tmp_path):
    with pytest.raises(InputError, match="line 3: deu appears twice"):
        user_table.read(grambank(tmp_path, "stan1295,1,0", "STAN1295,0,1"))


def test_remarks_reach_stderr_and_leave_stdout_alone():
    command = [sys.executable, "-m", "search", "languages", "kur_Arab", "als", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [entry["code"] for entry in json.loads(done.stdout)["languages"]] == ["ckb", "als"]
    assert done.stderr.splitlines() == [parse_with_remark("kur_Arab").remark, parse_with_remark("als").remark]


@pytest.mark.parametrize("table", [code_tables.SHIFTED, code_tables.SPOKEN])
def test_what_a_region_or_script_leads_to_is_a_member_of_the_macrolanguage(table):
    for key, code in table.items():
        base, part = key.split("-")
        assert subtags.is_script(part) or subtags.is_region(part)
        assert tags.individual(code) == code
        assert macrolanguage(code) == base or (base, code) == ("pan", "pnb")  # ISO 639-3 has pnb under Lahnda


@pytest.mark.parametrize("name", ["opus-100", "xtreme"])
def test_two_letters_of_every_language_that_has_them(name):
    """`no`, `sh` and `nb`, `hr` are the same individual languages: these have letters of their own."""
    wrong = {(code, two_letter(right)) for code, right in rows(name) if two_letter(right) != code}
    assert wrong <= {("no", "nb"), ("sh", "hr")}
    assert two_letter("ceb") is None
