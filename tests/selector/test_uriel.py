"""The traps of URIEL's data and of language codes: whose row is read, what is an isolate, where a language is."""

import io
import pickle

import numpy as np
import pytest

from selector.errors import InputError
from selector.languages import pools
from selector.languages.language import all_languages, parse, parse_pool, scripts
from selector.languages.resources import resource_class
from selector.sources import code_tables, features, iso639, uriel

NAMED = sorted({*pools.NAMED["flores-200"], *pools.NAMED["xlmr-100"], *pools.NAMED["paper-65"]})


@pytest.mark.parametrize("file", ["family_features.npz", "geocoord_features.npz"])
def test_files_have_row_orders_of_their_own(file):
    """T1: what is read by the row number of another file belongs to another language."""
    completed = [str(code) for code in uriel._array("feature_predictions.npz", "langs")]
    other = [str(code) for code in uriel._array(file, "langs")]
    assert sorted(other) == sorted(completed)
    assert other != completed


@pytest.mark.parametrize(
    ("code", "latitude", "longitude"),
    [
        *(("eus", 43.2787, -1.3162), ("jpn", 35.0, 135.0), ("fin", 64.7628, 25.5577)),
        *(("quy", -13.8471, -74.3225), ("mri", -38.2881, 176.541)),
    ],
)
def test_places_are_those_of_glottolog(code, latitude, longitude):
    """T1: coordinates through the file's own order; expected are Glottolog's as qwanqwa 1.2.1 ships them."""
    found = features.degrees([parse(code)])[0]
    assert found == pytest.approx([latitude, longitude], abs=1.0)


def test_a_language_without_place_is_nowhere():
    """Blissymbols have no home; URIEL's 299 angles for them fit no point of the earth."""
    assert np.isnan(features.degrees([parse("zbl")])).all()


def test_macrolanguages_have_rows():
    """T2: lang2vec's own list of languages leaves these out."""
    assert {"ara", "aze", "fas", "lvs", "mon", "npi", "ory", "pus", "sqi", "swa", "uzb", "msa", "nno", "zho"} <= set(
        features.codes()
    )
    assert len(features.codes()) == 7970


@pytest.mark.parametrize("code", NAMED)
def test_every_code_of_the_named_pools_reads_a_known_row(code):
    """T3, T4: each parses to itself, and in each feature group reads its own row or a declared stand-in's."""
    language = parse(code)
    assert language.code == code
    for group in features.PREFIXES:
        table = features.table([language], group)
        assert table.known[0]
        assert table.rows[0] in (code, *features.stand_ins(code))


def test_thin_rows_of_the_package_are_all_decided():
    """T3, T4: below a quarter of the syntax a language has a stand-in or is declared to stand alone."""
    sheet = uriel.sheet("syntactic")
    thin = [item.code for item in all_languages() if sheet.seen[sheet.row[item.code]] < 0.25 * len(sheet.names)]
    undecided = {code for code in thin if code not in code_tables.STAND_INS} - code_tables.ALONE
    assert not undecided
    assert set(thin) >= code_tables.ALONE


def test_stand_ins_have_more_to_say():
    """No stand-in of the package's own languages is declared for nothing: URIEL observed something of it."""
    for code, rows in code_tables.STAND_INS.items() & {
        (item.code, code_tables.STAND_INS.get(item.code)) for item in all_languages()
    }:
        seen = [sum(int(uriel.sheet(g).seen[uriel.sheet(g).row[row]]) for g in features.PREFIXES) for row in rows]
        assert max(seen) > 0, code


@pytest.mark.parametrize(
    ("code", "row"),
    [
        *(
            ("azj", "aze"),
            ("zsm", "msa"),
            ("ekk", "est"),
            ("lvs", "lav"),
            ("gaz", "orm"),
            ("prs", "fas"),
            ("slk", "ces"),
        ),
        *(
            ("ory", "ori"),
            ("pbt", "pus"),
            ("fuv", "ful"),
            ("ckb", "kur"),
            ("fat", "aka"),
            ("run", "kin"),
            ("tsn", "sot"),
        ),
        ("aae", "sqi"),  # not in the package's table: by ISO's macrolanguage
        *(("kaz", "kaz"), ("jav", "jav"), ("lzh", "lzh"), ("gan", "gan")),  # Gan is no Mandarin
    ],
)
def test_thin_rows_are_replaced(code, row):
    assert features.table([parse(code)], "syntactic").rows == (row,)


def test_the_long_tail_falls_back_on_iso():
    assert iso639.macrolanguage("aae") == "sqi"
    assert iso639.macrolanguage("deu") is None
    assert iso639.macrolanguage("xyz9") is None
    assert features.stand_ins("wuu") == () == features.stand_ins("deu")


@pytest.mark.parametrize("code", ["ekk", "nob", "nno", "lvs", "ltg", "vro", "twi", "quy", "als"])
def test_empty_vectors_of_large_languages_are_no_isolates(code):
    """T5: the family comes from a stand-in, and the language is not alone in it."""
    path = features.family_path(parse(code))
    assert len(path) > 1
    assert "isolate" not in path[0]


def test_isolates_are_alone_and_the_rest_is_unclassified():
    """T5: of 676 empty vectors some are Glottolog's isolates; the others are unknown, and one group."""
    paths = uriel.paths()
    empty = {code for code, path in paths.items() if not path}
    assert len(empty) == 676
    assert empty >= code_tables.ISOLATES
    pool = parse_pool("uriel")
    alone = [language for language in pool if language.code in code_tables.ISOLATES]
    assert len({language.family for language in alone}) == len(alone) > 100
    assert {"Basque", "Zuni", "Sumerian", "Hadza"} <= {language.family for language in alone}
    lost = [language for language in pool if language.family == "Unclassified"]
    assert {language.genus for language in lost} == {"Unclassified"}
    assert {"epo", "tlh", "xho"} & {language.code for language in lost} == {"tlh"}


def test_albanian_is_not_its_library_code():
    """T6: `alb` (ISO 639-2) has a junk row of its own; the language is `als`; only the learned vectors read `alb`."""
    assert parse("alb").code == parse("sqi").code == "als"
    assert "alb" not in {language.code for language in parse_pool("uriel")}
    assert features.table([parse("alb")], "syntactic").rows == ("als",)
    assert features.translation_vectors([parse("alb")])[1] == ("alb",)


def test_learned_vectors():
    """1,017 languages; the stray key `langs` is none."""
    rows, vectors = uriel.translation_vectors()
    assert vectors.shape == (1017, 512)
    assert "langs" not in rows
    found, used, is_known = features.translation_vectors([parse("deu"), parse("cmn"), parse("zun")])
    assert used == ("deu", "zho", "zun")
    assert is_known.tolist() == [True, True, False]
    assert not found[2].any()


class Malice:
    def __reduce__(self):
        return print, ("called",)


@pytest.mark.parametrize("content", [Malice(), np.float64(1.0), {"deu": Malice()}])
def test_learned_vectors_call_nothing_but_arrays(content, capsys):
    with pytest.raises(InputError, match="no array"):
        uriel._Arrays(io.BytesIO(pickle.dumps(content))).load()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("source", "label"), [("wals", "WALS"), ("sswl", "SSWL"), ("ethnologue", "ETHNO")])
def test_single_sources_say_what_they_say(source, label):
    data, labels = uriel._array("features.npz", "data"), uriel._array("features.npz", "sources").tolist()
    listed, names = uriel._array("features.npz", "langs").tolist(), uriel._array("features.npz", "feats").tolist()
    table = features.table([parse("tur")], "syntactic", source)
    raw = data[listed.index("tur"), [names.index(name) for name in table.names], labels.index(label)]
    assert table.observed[0].tolist() == (raw != -1).tolist()
    assert table.values[0, table.observed[0]].tolist() == raw[raw != -1].tolist()
    assert not table.values[0, ~table.observed[0]].any()


def test_averages_lie_between_their_sources():
    table = features.table(parse_pool("world"), "syntactic", "average")
    single = [features.table(parse_pool("world"), "syntactic", name) for name in ("wals", "sswl", "ethnologue")]
    assert ((table.values > 0) & (table.values < 1)).any()
    assert (np.logical_or.reduce([part.observed for part in single]) == table.observed).mean() > 0.99


@pytest.mark.parametrize(
    ("group", "source", "says"), [("syntactic", "wikipedia", "no source"), ("syntactic", "phoible_gm", "no syn")]
)
def test_unknown_sources(group, source, says):
    with pytest.raises(InputError, match=says) as caught:
        features.table([parse("deu")], group, source)
    assert "wals" in caught.value.hint


@pytest.mark.parametrize(
    ("code", "genus"),
    [
        *(("sco", "Germanic"), ("lol", "Bantu"), ("tnl", "Oceanic"), ("gsw", "Germanic"), ("rup", "Romance")),
        ("kbd", "Circassian"),  # no genus of the table near: the highest small branch
        ("ain", "Ainu"),  # a family without branches
    ],
)
def test_genera_of_the_long_tail(code, genus):
    assert parse(code).genus == genus


def test_genera_do_not_swallow_their_relatives():
    """Central-Eastern Malayo-Polynesian languages beside Oceanic are not Oceanic, and no genus is a large family."""
    assert parse("tet").genus != "Oceanic"
    sizes: dict[str, int] = {}
    for language in parse_pool("uriel"):
        sizes[language.genus] = sizes.get(language.genus, 0) + 1
    assert {genus for genus, size in sizes.items() if size > 220} == {"Oceanic", "Bantu", "Unclassified"}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("srp", ("Cyrl", "Latn")),
        ("azj", ("Latn", "Arab", "Cyrl")),
        ("jpn", ("Jpan",)),
        ("kor", ("Hang", "Kore")),
        ("aed", ()),
    ],
)
def test_scripts(code, expected):
    assert scripts(parse(code)) == expected


def test_scripts_cover_most_of_uriel():
    pool = parse_pool("uriel")
    written = [scripts(language) for language in pool if scripts(language)]
    assert len(written) > 7000
    assert all(len(script) == 4 and script.istitle() for found in written for script in found)
    assert all(scripts(language)[0] == language.script for language in pool if scripts(language))


@pytest.mark.parametrize(
    ("code", "number"),
    [
        *(("eng", 5), ("arb", 5), ("cmn", 5), ("hin", 4), ("pes", 4), ("ekk", 3), ("zsm", 3), ("swh", 2), ("yor", 2)),
        *(("nan", 1), ("nob", 1), ("npi", 1), ("als", 1), ("apc", None), ("zun", None)),
    ],
)
def test_resource_classes(code, number):
    """Joshi et al. 2020; a macrolanguage's class is its usual individual language's, not that of all its members."""
    assert resource_class(parse(code)) == number


def test_resource_classes_are_as_many_as_in_their_source():
    """7 of class 5, 18 of class 4, 28 of class 3, 19 of class 2: the counts of the table's source."""
    counts = dict.fromkeys((5, 4, 3, 2), 0)
    for language in parse_pool("uriel"):
        number = resource_class(language)
        if number in counts:
            counts[number] += 1
    assert counts == {5: 7, 4: 18, 3: 28, 2: 19}
