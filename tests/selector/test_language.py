"""Any usual code or name of a language → one individual language of ISO 639-3."""

import logging
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selector.errors import InputError
from selector.languages import pools
from selector.languages.language import all_languages, parse, parse_pool
from selector.languages.subset import Subset
from selector.sources import code_tables

MACROS = """
    zho:cmn ara:arb est:ekk lav:lvs nep:npi swa:swh msa:zsm fas:pes sqi:als aze:azj uzb:uzn mlg:plt nor:nob ori:ory
    orm:gaz pus:pbt kur:kmr mon:khk que:quy yid:ydd ful:fuv aka:twi hbs:hrv grn:gug aym:ayr
"""


@pytest.mark.parametrize("pair", MACROS.split())
def test_macrolanguage_answers_with_its_usual_individual(pair):
    macro, individual = pair.split(":")
    assert parse(macro).code == individual


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("deu", "deu"),
        ("de", "deu"),
        ("ger", "deu"),  # ISO 639-2/B
        ("German", "deu"),
        ("deu_Latn", "deu"),
        ("pt-BR", "por"),
        ("zh", "cmn"),
        ("zh-TW", "cmn"),
        ("zh-Hant-HK", "cmn"),
        ("zho_Hans", "cmn"),
        ("zh-yue", "yue"),  # BCP-47 extended language
        ("zh-min-nan", "nan"),  # grandfathered BCP-47 tag
        ("nan", "nan"),  # Min Nan, not a number (T7)
        ("no", "nob"),  # Norwegian, not false (T7)
        ("iw", "heb"),
        ("in", "ind"),
        ("ji", "ydd"),
        ("fil", "tgl"),
        ("ajp", "apc"),  # merged in 2023
        ("sr_Latn", "srp"),
        ("es-419", "spa"),
        ("Farsi", "pes"),
        ("modern greek", "ell"),
        ("Tok Pisin", "tpi"),
        ("norwegian bokmål", "nob"),
        ("Ainu (Japan)", "ain"),  # outside of the package's own table
        ("  Swahili ", "swh"),
    ],
)
def test_usual_spellings(text, code):
    assert parse(text).code == code


@given(st.sampled_from(all_languages()), st.sampled_from([str.lower, str.upper, str.title]))
def test_codes_and_names_in_any_case(language, case):
    assert parse(case(language.code)) == language
    assert parse(case(language.name)) == language


@pytest.mark.parametrize("text", ["Germn", "xx", "und", "mul", "", "deu-", "12", "qaa", "eng_Latn_nonsense_tag_here_9"])
def test_unknown_names_the_code_and_offers_a_way_out(text):
    with pytest.raises(InputError) as caught:
        parse(text)
    assert f"'{text}'" in caught.value.message
    assert caught.value.hint


def test_nearest_guess_leads():
    with pytest.raises(InputError) as caught:
        parse("Germn")
    assert "deu (German)" in caught.value.hint


def test_a_split_code_names_its_parts():
    with pytest.raises(InputError) as caught:
        parse("eml")
    assert "egl (Emilian), rgn (Romagnol)" in caught.value.hint


@pytest.mark.parametrize("code", pools.NAMED["flores-200"])
def test_flores_tags(code):
    """Every FLORES language under its tag, in whatever script it comes: but Punjabi in Arabic script is another one."""
    for script in (parse(code).script, "Latn", "Arab"):
        if (code, script) == ("pan", "Arab"):
            continue
        assert parse(f"{code}_{script}").code == code


def test_every_row_of_uriel_that_iso_knows_is_a_language():
    """Of 7,970 rows the others are special codes, codes retired without a successor, and codes of no standard."""
    import iso639
    from iso639.exceptions import DeprecatedLanguageValue, InvalidLanguageValue

    from selector.sources import features

    parsed = 0
    for code in features.codes():
        try:
            scope = iso639.Lang(code).scope()
        except (DeprecatedLanguageValue, InvalidLanguageValue):
            continue
        if scope in ("Individual", "Macrolanguage"):
            parsed += len(parse(code).code) == 3
    assert parsed > 7700


@given(st.text(max_size=12))
def test_any_text_is_a_language_or_an_input_error(text):
    try:
        language = parse(text)
    except InputError:
        return
    assert parse(language.code) == language


def test_every_macrolanguage_is_mapped_to_a_member_of_its_own():
    import iso639

    macros = [entry for entry in iso639.iter_langs() if entry.pt3 and entry.scope() == "Macrolanguage"]
    assert len(macros) > 50
    for macro in macros:
        members = {member.pt3 for member in macro.individuals()}
        assert code_tables.PREFERRED[macro.pt3] in members | {"san"}
        assert parse(macro.pt1 or macro.pt3).code == code_tables.PREFERRED[macro.pt3]


@pytest.mark.parametrize(("name", "size"), [("world", 24), ("paper-65", 65), ("flores-200", 194), ("xlmr-100", 93)])
def test_named_pools(name, size):
    pool = parse_pool(name)
    assert len(pool) == size
    assert [language.code for language in pool] == sorted({language.code for language in pool})
    assert all(language.script != "Zyyy" and language.family != "Unclassified" for language in pool)


def test_every_pool_code_is_individual():
    for name in pools.NAMED:
        assert all(parse(code).code == code for code in pools.NAMED[name])


def test_uriel_is_every_individual_language_with_a_row():
    pool = {language.code: language for language in parse_pool("uriel")}
    assert len(pool) > 7600
    assert {"deu", "nan", "eus", "ekk"} <= set(pool)
    assert not {"zho", "ara", "alb", "und", "mul"} & set(pool)
    assert set(pools.NAMED["world"]) <= set(pool)


def test_world_constants_do_not_overlap():
    pool = set(pools.NAMED["world"])
    assert not pool & {*pools.WORLD_HELD_OUT, pools.WORLD_SOURCE}
    assert set(pools.WORLD_LOW_RESOURCE) == set(pools.WORLD_HELD_OUT) | {"jav", "sna", "uzn"}
    everyone = [*parse_pool("world"), *(parse(code) for code in (pools.WORLD_SOURCE, *pools.WORLD_HELD_OUT))]
    assert len({language.family for language in everyone}) >= 10
    kin = Counter(language.genus for language in parse_pool("world"))
    assert sum(count >= 3 for count in kin.values()) >= 4, "one language of a cluster can stand for the others"


@given(st.permutations(["deu", "zh", "Turkish", "eus_Latn", "de"]))
def test_pool_is_canonical_whatever_the_order(items):
    assert [language.code for language in parse_pool(",".join(items))] == ["cmn", "deu", "eus", "tur"]
    assert parse_pool(items) == parse_pool(",".join(items))


def test_pool_file(tmp_path):
    path = tmp_path / "pool.txt"
    path.write_text("# comment\nde\n\nzho  # Mandarin\nTurkish\n", encoding="utf-8")
    assert Subset.of(parse_pool(str(path))).key == "cmn+deu+tur"


def test_pool_file_errors_have_the_line(tmp_path):
    path = tmp_path / "pool.txt"
    path.write_text("deu\n# fine\nGermn\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 3: unknown language 'Germn'"):
        parse_pool(str(path))
    path.write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(InputError, match="empty"):
        parse_pool(str(path))
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        parse_pool(str(path))
    with pytest.raises(InputError, match="cannot read"):
        parse_pool(str(tmp_path / "none.txt"))


@pytest.mark.parametrize("text", ["", ",", " , "])
def test_empty_pool(text):
    with pytest.raises(InputError, match="empty"):
        parse_pool(text)


def test_misspelt_pool_name_finds_the_nearest():
    with pytest.raises(InputError) as caught:
        parse_pool("flores200")
    assert "flores-200" in caught.value.hint


def test_package_languages_need_no_other_package():
    """On a machine without lang2vec and iso639-lang the languages of the named pools still parse."""
    code = (
        "import sys; sys.modules['iso639'] = None; sys.modules['lang2vec'] = None\n"
        "from selector.languages.language import parse, parse_pool\n"
        "assert parse('zho').name == 'Mandarin Chinese' and len(parse_pool('flores-200')) == 194\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_import_is_cold():
    code = (
        "import sys\n"
        "from selector import strategy, diversity\nfrom selector.languages import language\n"
        "heavy = {'torch', 'transformers', 'optuna', 'ray', 'datasets', 'pandas', 'networkx', 'iso639', 'rich'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("given", ["deu,ger,fra", ["deu", "ger", "fra", "German"], "file"])  # a remark is said once
def test_a_pool_that_names_a_language_twice_says_so(given, tmp_path, caplog):
    entries = 4 if isinstance(given, list) else 3
    if given == "file":
        entries = 5
        (tmp_path / "pool.txt").write_text("deu\nger\nfra # French\nGerman\nde\n")
        given = str(tmp_path / "pool.txt")
    with caplog.at_level(logging.WARNING, "realingo.languages"):
        assert [language.code for language in parse_pool(given)] == ["deu", "fra"]
    assert f"{entries} entries are 2 languages: deu named more than once" in caplog.text


def test_a_pool_of_different_languages_says_nothing(caplog):
    with caplog.at_level(logging.WARNING, "realingo.languages"):
        for pool in ("deu,fra", *pools.NAMED):
            parse_pool(pool)
    assert "more than once" not in caplog.text
