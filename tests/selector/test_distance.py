"""Distances: metric properties, honesty about what is missing, and a user's own matrix."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selector.distances.distance import METRICS, distances
from selector.errors import InputError
from selector.languages.language import all_languages, parse, parse_pool
from selector.sources import features

WORLD = parse_pool("world")
some_languages = st.lists(st.sampled_from(all_languages()), min_size=1, max_size=8, unique=True)


@given(some_languages, st.sampled_from([*METRICS, "syntactic=0.7,genetic=0.3"]))
@settings(max_examples=80, deadline=None)
def test_every_metric_is_square_symmetric_and_between_0_and_1(languages, metric):
    found = distances(languages, metric)
    assert found.matrix.shape == (len(languages), len(languages))
    assert (found.matrix == found.matrix.T).all()
    assert (np.diag(found.matrix) == 0).all()
    assert ((found.matrix >= 0) & (found.matrix <= 1)).all()
    assert ((found.observed >= 0) & (found.observed <= 1)).all()


@given(st.permutations(WORLD), st.sampled_from(list(METRICS)))
@settings(max_examples=30, deadline=None)
def test_a_distance_depends_on_the_two_languages_only(order, metric):
    straight, mixed = distances(WORLD, metric).matrix, distances(order, metric).matrix
    index = [WORLD.index(language) for language in order]
    np.testing.assert_allclose(mixed, straight[np.ix_(index, index)], atol=1e-12)


def test_syntactic_distance_is_the_cosine_of_the_completed_vectors():
    pair = [parse("deu"), parse("jpn")]
    a, b = features.table(pair, "syntactic").values
    expected = 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert distances(pair, "syntactic").matrix[0, 1] == pytest.approx(expected)


def test_genetic_distance_is_the_cosine_of_the_paths():
    """Both languages count as the last node of their own path: 1 - shared / sqrt(length · length)."""
    pair = [parse("deu"), parse("rus")]
    a, b = (set(features.family_path(language)) for language in pair)
    expected = 1 - len(a & b) / np.sqrt((len(a) + 1) * (len(b) + 1))
    assert distances(pair, "genetic").matrix[0, 1] == pytest.approx(expected)
    assert distances([parse("deu"), parse("eus")], "genetic").matrix[0, 1] == 1.0


def test_kinship_without_a_vector_of_its_own():
    """T5: Estonian is nearer to Finnish, and Bokmål to Swedish, than to an unrelated language."""
    for code, kin, stranger in (("ekk", "fin", "deu"), ("nob", "swe", "fin"), ("twi", "ewe", "arb")):
        matrix = distances([parse(code), parse(kin), parse(stranger)], "genetic").matrix
        assert matrix[0, 1] < 1.0 == matrix[0, 2]


def test_great_circle():
    """Berlin-ish to Tokyo-ish is some 9,000 km of the 20,000 half way round (features are at language centres)."""
    share = distances([parse("deu"), parse("jpn")], "geographic").matrix[0, 1]
    assert 0.40 < share < 0.52


def test_missing_is_never_silently_zero():
    """A language without a family is at the mean distance, is marked, and has nothing observed."""
    unknown = next(language for language in parse_pool("uriel") if language.family == "Unclassified")
    found = distances([*WORLD[:5], unknown], "genetic")
    assert found.known.tolist() == [True] * 5 + [False]
    assert found.observed[-1] == 0
    pairs = found.matrix[:5, :5][np.triu_indices(5, 1)]
    np.testing.assert_allclose(found.matrix[-1, :5], pairs.mean())


def test_mix_is_the_weighted_mean():
    a, b = (distances(WORLD, name).matrix for name in ("syntactic", "genetic"))
    np.testing.assert_allclose(distances(WORLD, "syntactic=7,genetic=3").matrix, 0.7 * a + 0.3 * b)
    np.testing.assert_allclose(distances(WORLD, "syntactic,genetic").matrix, (a + b) / 2)


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        ("syntatic", "did you mean syntactic"),
        ("", "Metrics are"),
        ("syntactic=0.7,", "Metrics are"),
        ("syntactic=x", "positive"),
        ("syntactic=-1", "positive"),
        ("syntactic=0", "positive"),
        ("syntactic=nan", "positive"),
        ("syntactic,syntactic", "once"),
    ],
)
def test_bad_metrics(metric, says):
    with pytest.raises(InputError) as caught:
        distances(WORLD, metric)
    assert says in caught.value.hint


@pytest.mark.parametrize(
    "text", ["deu,zho,nan\n0,1,2\n1,0,3\n2,3,0\n", ",de,zh,nan\ndeu,0,1,2\ncmn,1,0,3\nnan,2,3,0\n"]
)
def test_own_matrix_with_and_without_row_labels(tmp_path, text):
    """T7: the header `nan` is Min Nan."""
    path = tmp_path / "d.csv"
    path.write_text(text, encoding="utf-8")
    found = distances([parse("nan"), parse("deu")], str(path))
    assert found.matrix.tolist() == [[0, 2], [2, 0]]
    mixed = distances([parse("nan"), parse("deu")], f"syntactic=1,{path}=3")
    assert mixed.matrix[0, 1] == pytest.approx(
        (distances([parse("nan"), parse("deu")], "syntactic").matrix[0, 1] + 6) / 4
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("deu,fra\n0,1\n", "2 columns but 1 rows"),
        ("deu,fra\n0,1\n1\n", "line 3: 1 values"),
        ("deu,fra\n0,x\n1,0\n", "line 2: 'x' is not a distance"),
        ("deu,fra\n0,nan\n1,0\n", "line 2: 'nan' is not a distance"),
        ("deu,fra\n0,\n1,0\n", "line 2: a distance is missing"),
        ("deu,fra\n0,-1\n-1,0\n", "line 2: '-1' is not a distance"),
        ("deu,fra\n0,1\n\n2,0\n", "line 4: deu to fra is 1 but back it is 2"),
        ("deu,fra\n0,1\n1,3\n", "line 3: fra is not at distance 0 from itself"),
        ("deu,de\n0,1\n1,0\n", "line 1: deu appears twice"),
        ("deu,Germn\n0,1\n1,0\n", "line 1: unknown language 'Germn'"),
        (",deu,fra\nfra,0,1\ndeu,1,0\n", "line 2: row fra instead of deu"),
        ("deu,spa\n0,1\n1,0\n", "no distances for fra"),
    ],
)
def test_bad_matrices_name_the_line(tmp_path, text, says):
    path = tmp_path / "d.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        distances([parse("deu"), parse("fra")], str(path))
    assert says in caught.value.message


def test_missing_matrix(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        distances(WORLD, str(tmp_path / "none.csv"))
