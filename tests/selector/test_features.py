"""URIEL through lang2vec's files: row orders, stand-in rows, observed masks, family paths, coordinates."""

import os
import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selector.errors import InputError
from selector.languages.language import all_languages, parse, parse_pool
from selector.sources import features

WORLD = parse_pool("world")


@pytest.fixture(scope="module")
def raw():
    """lang2vec's files, read here once more and indexed each by its own `langs` (T1)."""

    def load(name):
        place = metadata.distribution("lang2vec").locate_file(f"lang2vec/data/{name}")
        with np.load(str(place)) as archive:
            data = archive["data"]  # inflated anew at every access
            return dict(zip(archive["langs"].tolist(), data, strict=True)), archive["feats"].tolist()

    return load


def test_values_are_the_rows_of_the_language_itself(raw):
    """T1: the files have different row orders; German must get German's values in each of them."""
    rows, names = raw("feature_predictions.npz")
    for code in ("deu", "jpn", "yor"):
        for name in names[::7]:
            assert features.feature(parse(code), name) == rows[code][names.index(name), 0]


def test_family_and_geography_follow_their_own_row_order(raw):
    rows, names = raw("family_features.npz")
    for code in ("deu", "jpn", "swh"):
        member = {name.removeprefix("F_") for name, value in zip(names, rows[code][:, 0], strict=True) if value}
        assert set(features.family_path(parse(code))) == member


def test_mask_says_what_sources_say(raw):
    rows, names = raw("feature_averages.npz")
    table = features.table([parse("deu"), parse("jpn")], "syntactic")
    for i, code in enumerate(table.rows):
        seen = [rows[code][names.index(name), 0] >= 0 for name in table.names]
        assert table.observed[i].tolist() == seen
    assert 0 < table.observed.mean() < 1


def test_word_order_is_what_grammars_say():
    """Known facts (WALS 81A, 85A): Japanese and Turkish put the object first and have postpositions."""
    for code, object_first in (("jpn", 1.0), ("tur", 1.0), ("hin", 1.0), ("vie", 0.0), ("fra", 0.0)):
        assert features.feature(parse(code), "S_OBJECT_BEFORE_VERB") == object_first
    assert features.feature(parse("jpn"), "S_ADPOSITION_BEFORE_NOUN") == 0.0


@pytest.mark.parametrize(
    ("code", "group", "row"),
    [
        ("zsm", "syntactic", "msa"),  # own row has 12 of 103
        ("arb", "phonological", "ara"),  # own row has none
        ("arb", "syntactic", "arb"),  # own row is good enough
        ("lvs", "syntactic", "lav"),
        ("nno", "syntactic", "nor"),
        ("ory", "syntactic", "ori"),
        ("quy", "syntactic", "que"),
        ("deu", "syntactic", "deu"),
        ("wuu", "syntactic", "wuu"),  # thin, but Wu is not Mandarin: no stand-in
    ],
)
def test_stand_in_rows_per_group(code, group, row):
    """T3: which row serves is decided per feature group, and said."""
    assert features.table([parse(code)], group).rows == (row,)


@given(st.sampled_from(all_languages()), st.sampled_from(list(features.PREFIXES)))
@settings(max_examples=60)
def test_tables_are_complete_and_binary(language, group):
    table = features.table([language], group)
    assert table.values.shape == table.observed.shape == (1, len(table.names))
    assert set(np.unique(table.values)) <= {0.0, 0.5, 1.0}
    assert table.known[0] or not table.observed.any()
    own = [features.feature(language, name) for name in table.names] if table.known[0] else []
    assert own == table.values[0].tolist() or not table.known[0]


@pytest.mark.parametrize(
    ("code", "root", "branch"),
    [
        ("ekk", "Uralic", "Finnic"),
        ("nob", "Indo-European", "Germanic"),
        ("nno", "Indo-European", "Germanic"),
        ("lvs", "Indo-European", "Balto-Slavic"),
        ("ltg", "Indo-European", "Balto-Slavic"),
        ("vro", "Uralic", "Finnic"),
        ("twi", "Atlantic-Congo", "Kwa Volta-Congo"),
    ],
)
def test_empty_family_vectors_do_not_look_like_isolates(code, root, branch):
    """T5: URIEL's own vector is empty for these."""
    path = features.family_path(parse(code))
    assert path[0] == root
    assert branch in path
    assert parse(code).family == root


def test_isolates_and_unknowns_differ():
    assert features.family_path(parse("eus")) == ("eus (isolate)",)
    assert parse("eus").family == "Basque"
    assert parse("bsk").family == "Burushaski"
    unknown = next(language for language in parse_pool("uriel") if language.family == "Unclassified")
    assert features.family_path(unknown) == ()


@given(st.sampled_from(all_languages()), st.sampled_from(all_languages()))
def test_paths_form_one_tree(one, other):
    """A node has one parent: two paths agree up to some depth and share no node below it."""
    a, b = features.family_path(one), features.family_path(other)
    depth = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    assert not set(a[depth:]) & set(b[depth:])


def test_table_families_agree_with_uriel():
    for language in all_languages():
        path = features.family_path(language)
        assert language.family in (path[0] if path else "", "Basque", "Japonic", "Koreanic", "Artificial Language")


def test_unknown_feature_is_an_input_error():
    with pytest.raises(InputError, match="S_NO_SUCH"):
        features.feature(parse("deu"), "S_NO_SUCH")


@pytest.mark.parametrize(("code", "latitude", "longitude"), [("fin", 62, 25), ("jpn", 35, 135), ("zul", -27, 31)])
def test_coordinates(code, latitude, longitude):
    """Recovered from distances to fixed points; compared with an atlas within 4 degrees."""
    x, y, z = features.coordinates([parse(code)])[0]
    assert np.degrees(np.arcsin(z)) == pytest.approx(latitude, abs=4)
    assert np.degrees(np.arctan2(y, x)) == pytest.approx(longitude, abs=4)


def test_observed_share_is_between_nothing_and_all():
    shares = [features.observed_share(language) for language in WORLD]
    assert all(0.2 < share <= 1 for share in shares)


def test_found_from_an_installed_command():
    """lang2vec puts a script lang2vec.py beside installed commands, where it hides the package from imports."""
    folder = os.path.dirname(sys.executable)
    code = (
        f"import sys; sys.path.insert(0, {folder!r})\n"
        "from selector.languages import language\nfrom selector.sources import features\n"
        "assert features.feature(language.parse('jpn'), 'S_OBJECT_BEFORE_VERB') == 1.0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
