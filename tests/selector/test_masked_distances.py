"""Distances over shared observed features: brute force, what is unknown, sources, users' tables and matrices."""

import json
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from selector.distances import masked as pairs
from selector.distances import user_table
from selector.distances.distance import LEAST_OVERLAP, binary, distances
from selector.distances.user_matrix import read_transfer
from selector.errors import InputError
from selector.languages.language import parse, parse_pool
from selector.sources import features, uriel

WORLD = parse_pool("world")
small = arrays.arrays(np.int64, st.tuples(st.integers(2, 7), st.integers(1, 9)), elements=st.integers(-1, 2))


def languages(codes):
    return [parse(code) for code in codes.split()]


def naive(values, least, compare):
    """Pair by pair and feature by feature; -1 is missing. `compare` sees the shared values of both."""
    n = len(values)
    answer = np.full((n, n), np.nan)
    for i in range(n):
        for j in range(n):
            both = (values[i] >= 0) & (values[j] >= 0)
            if both.sum() >= least:
                answer[i, j] = compare(values[i][both].astype(float), values[j][both].astype(float))
    return answer


def angle(a, b):
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return 1 - a @ b / length if length else np.nan


@given(small, st.integers(1, 4))
@settings(max_examples=80, deadline=None)
def test_masked_distances_equal_brute_force(values, least):
    mask = values >= 0
    shared = pairs.overlap(mask, [str(i) for i in range(len(values))])
    assert shared.tolist() == [[int((a & b).sum()) for b in mask] for a in mask]
    cosine = pairs.masked_cosine(values.astype(float), mask, shared, least)
    np.testing.assert_allclose(cosine, naive(values, least, angle), atol=1e-12)
    states = np.where(mask, values, 0)
    mismatch = pairs.masked_mismatch(states, mask, shared, least)
    np.testing.assert_allclose(mismatch, naive(values, least, lambda a, b: (a != b).mean()), atol=1e-12)


@given(small)
@settings(max_examples=40, deadline=None)
def test_hamming_is_the_share_of_differences(values):
    x = (values > 0).astype(float)
    expected = [[(a != b).mean() for b in x] for a in x]
    np.testing.assert_allclose(pairs.hamming(x), expected, atol=1e-12)


@given(small, st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_unknown_pairs_get_the_mean_of_the_known_ones(values, least):
    """T8, T9: never 0, never 1, whatever is missing."""
    mask = values >= 0
    shared = pairs.overlap(mask, [str(i) for i in range(len(values))])
    matrix = pairs.masked_mismatch(np.where(mask, values, 0), mask, shared, least)
    other = ~np.eye(len(values), dtype=bool)
    compared = matrix[other & ~np.isnan(matrix)]
    unknown = pairs.fill_unknown(matrix, mask.any(axis=1))
    assert (unknown == (other & (shared < least))).all()
    assert (np.diag(matrix) == 0).all()
    np.testing.assert_allclose(matrix[unknown], compared.mean() if len(compared) else 0.5)


def test_blocks_and_single_precision_change_nothing():
    """More languages than a block holds, and enough for float32."""
    rng = np.random.default_rng(0)
    n = pairs.LARGE + 52
    x, mask = rng.integers(0, 2, (n, 40)).astype(float), rng.random((n, 40)) < 0.7
    shared = pairs.overlap(mask, [str(i) for i in range(n)])
    some = rng.choice(n, 30, replace=False)
    for whole, part in (
        (pairs.cosine(x), pairs.cosine(x[some])),
        (pairs.hamming(x), pairs.hamming(x[some])),
        (
            pairs.masked_cosine(x, mask, shared, 5),
            pairs.masked_cosine(x[some], mask[some], shared[np.ix_(some, some)], 5),
        ),
    ):
        assert (whole.dtype, part.dtype) == (np.float32, np.float64)
        assert ((whole == whole.T) | np.isnan(whole)).all()
        np.testing.assert_allclose(whole[np.ix_(some, some)], part, atol=1e-5)


@pytest.mark.parametrize("metric", ["syntactic", "phonological", "syntactic:average", "hamming:inventory"])
def test_overlap_counts_what_was_observed_for_both(metric):
    group = next(group for group in features.PREFIXES if group in metric)
    table = features.table(WORLD, group)
    expected = table.observed.astype(int) @ table.observed.T.astype(int)
    assert distances(WORLD, metric).overlap.tolist() == expected.tolist()


def test_metrics_without_features_have_no_overlap_and_mixes_add_it():
    assert distances(WORLD, "genetic").overlap is None
    mixed = distances(WORLD, "syntactic=2,genetic=1,phonological=1")
    parts = [distances(WORLD, metric).overlap for metric in ("syntactic", "phonological")]
    assert (mixed.overlap == parts[0] + parts[1]).all()
    assert set(mixed.rows) == {"syntactic", "phonological"}


@pytest.mark.parametrize(
    ("macro", "code", "expected"), [("zho", "cmn", 0.04), ("est", "ekk", 0.04), ("lav", "lvs", 0.19)]
)
def test_golden_distances_between_rows(macro, code, expected):
    """T3: cosine on kNN syntax between a macrolanguage's row and its individual language's, read off once."""
    sheet = uriel.sheet("syntactic")
    found = pairs.cosine(sheet.values[[sheet.row[macro], sheet.row[code]]].astype(float))
    assert found[0, 1] == pytest.approx(expected, abs=0.006)


def test_thin_overlap_is_marked_and_never_zero():
    """T8: Swedish and Kazakh share 12 observed syntactic features."""
    found = distances(languages("swe kaz deu fin"), "syntactic:average")
    thin = (found.overlap < LEAST_OVERLAP) & ~np.eye(4, dtype=bool)
    assert thin.any()
    assert (found.unknown == thin).all()
    assert (found.matrix[found.unknown] > 0).all()
    bold = distances(languages("swe kaz deu fin"), "syntactic:average", least_overlap=1)
    assert bold.unknown is None


def test_a_language_with_nothing_observed_is_unknown():
    """T9: all of Adamorobe Sign Language is imputed: at the mean under a source, marked under both."""
    asked = languages("deu fin tur ads")
    completed, masked = distances(asked, "syntactic"), distances(asked, "syntactic:average")
    assert completed.observed[3] == masked.observed[3] == 0
    assert masked.known.tolist() == [True, True, True, False]
    assert completed.overlap[3].tolist() == [0, 0, 0, 0]
    rest = masked.matrix[:3, :3][np.triu_indices(3, 1)]
    np.testing.assert_allclose(masked.matrix[3, :3], rest.mean())


@pytest.mark.parametrize("metric", ["syntactic", "syntactic:average"])
def test_one_row_for_two_languages_is_said(metric):
    """Slovak is read from the Czech row: distance 0, overlap 0, and listed."""
    found = distances(languages("ces slk pol"), metric)
    assert found.rows["syntactic"] == ("ces", "ces", "pol")
    assert found.matrix[0, 1] == found.overlap[0, 1] == 0
    assert np.argwhere(found.same_row()).tolist() == [[0, 1], [1, 0]]
    assert found.known.all()


def test_learned_distances():
    """German is nearer to Dutch than to Yoruba; what has no vector is unknown."""
    found = distances(languages("deu nld yor zun"), "learned")
    assert found.matrix[0, 1] < found.matrix[0, 2]
    assert found.known.tolist() == [True, True, True, False]
    assert found.rows["learned"][:3] == ("deu", "nld", "yor")
    vectors, _, _ = features.translation_vectors(languages("deu nld"))
    cosine = vectors[0] @ vectors[1] / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[1])
    assert found.matrix[0, 1] == pytest.approx((1 - cosine) / 2)


@pytest.mark.parametrize(
    ("metric", "width"), [("hamming", 289), ("hamming:syntactic", 103), ("hamming:phonological", 28)]
)
def test_hamming_has_its_binary_features(metric, width):
    x = binary(WORLD, metric)
    assert x.shape == (24, width)
    assert set(np.unique(x)) == {0.0, 1.0}
    np.testing.assert_allclose(distances(WORLD, metric).matrix, np.abs(x[:, None] - x).mean(axis=2), atol=1e-12)


@pytest.mark.parametrize("metric", ["syntactic", "hamming:genetic", "hamming,genetic", "m.csv"])
def test_other_metrics_have_none(metric):
    assert binary(WORLD, metric) is None


def test_own_features(tmp_path):
    """Grambank-like: multi-value, missing cells, `nan` a language (T7); German and Turkish differ in 1 of 2 shared."""
    path = tmp_path / "gb.csv"
    path.write_text("code,a,b,c\nde,0,2,?\ntur,1,2.0,1\nnan,1,,1\n", encoding="utf-8")
    found = distances(languages("deu tur nan fin"), f"features:{path}", least_overlap=2)
    assert found.overlap[:3, :3].tolist() == [[2, 2, 1], [2, 3, 2], [1, 2, 2]]
    assert found.matrix[0, 1] == 0.5
    assert found.matrix[1, 2] == 0.0
    assert found.matrix[0, 2] == pytest.approx(0.25)  # the mean of the two known pairs
    assert found.unknown[0].tolist() == [False, False, True, True]
    assert found.known.tolist() == [True, True, True, False]
    assert found.observed.tolist() == pytest.approx([2 / 3, 1, 2 / 3, 0])


def test_own_features_that_are_quantities_are_said(tmp_path, caplog):
    path = tmp_path / "own.csv"
    path.write_text('code,a,share,b,"c,d"\nde,1,0.51,5%,"0,5"\ntur,2.0,0.52,7%,"0,7"\n', encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        found = distances(languages("deu tur"), f"features:{path}", least_overlap=2)
    assert found.matrix[0, 1] == 1.0
    assert "numbers are compared as names, the same or not, in 3 columns: share, b, c,d" in caplog.text


def test_own_features_of_differing_case_are_refused(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("code,order\nde,SVO\ntur,SOV\nfin,svo\n", encoding="utf-8")
    with pytest.raises(InputError, match="column order: both 'SVO' and 'svo'"):
        distances(languages("deu tur fin"), f"features:{path}", least_overlap=1)
    assert distances(languages("deu tur"), f"features:{path}", least_overlap=1).matrix[0, 1] == 1.0  # not asked for


def test_own_columns(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("code,region,cost\nnan,Asia,3.5\nno,,x\n", encoding="utf-8")
    own = user_table.read(str(path))
    assert own.names == ("region", "cost")
    assert own.label("region", parse("nan")) == "Asia"
    assert own.label("region", parse("nob")) is None is own.label("region", parse("deu"))
    assert own.number("cost", parse("nan")) == 3.5
    for code in ("nob", "deu"):
        with pytest.raises(InputError, match="instead of a number"):
            own.number("cost", parse(code))
    with pytest.raises(InputError) as caught:
        own.label("regoin", parse("nan"))
    assert "did you mean region" in caught.value.hint


def test_transfer_files(tmp_path):
    """Asymmetric, donors in rows; CSV and NPZ alike; `nan` is a donor (T7)."""
    text, packed = tmp_path / "t.csv", tmp_path / "t.npz"
    text.write_text("donor,de,zho,fin\nnan,0.1,-0.9,0.2\nswe,0.8,0.1,0.3\n", encoding="utf-8")
    matrix = np.array([[0.1, -0.9, 0.2], [0.8, 0.1, 0.3]])
    np.savez(packed, donors=["nan", "swe"], targets=["de", "zho", "fin"], matrix=matrix)
    for path in (text, packed):
        donors, targets, found = read_transfer(str(path))
        assert (donors, targets) == (("nan", "swe"), ("deu", "cmn", "fin"))
        assert found.tolist() == matrix.tolist()


def test_own_matrix_as_npz(tmp_path):
    path = tmp_path / "d.npz"
    np.savez(path, codes=["de", "nan"], matrix=[[0, 2], [2, 0]])
    assert distances(languages("nan deu"), str(path)).matrix.tolist() == [[0, 2], [2, 0]]


BAD = {
    "empty.csv": "",
    "header.csv": "code,a\n",
    "narrow.csv": "code\ndeu\n",
    "short.csv": "code,a,b\ndeu,1\n",
    "unknown.csv": "code,a\nGermn,1\n",
    "twice.csv": "code,a\ndeu,1\nde,0\n",
    "columns.csv": "code,a,a\ndeu,1,0\n",
    "silent.csv": "code,a\ndeu,?\n",
    "word.csv": ",deu\nfra,x\n",
    "infinite.csv": ",deu\nfra,inf\n",
    "hole.csv": ",deu\nfra,\n",
    "targets.csv": ",deu,de\nfra,1,2\n",
    "donors.csv": ",deu\nfra,1\nfr,2\n",
}


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        ("features:empty.csv", "empty"),
        ("features:header.csv", "0 languages"),
        ("features:narrow.csv", "0 columns"),
        ("features:short.csv", "line 2: 2 cells instead of 3"),
        ("features:unknown.csv", "line 2: unknown language 'Germn'"),
        ("features:twice.csv", "line 3: deu appears twice"),
        ("features:columns.csv", "'a' is empty or given twice"),
        ("features:silent.csv", "no values"),
        ("features:none.csv", "cannot read the table"),
        ("features:", "unknown metric"),
        ("syntactic:wiki", "no source 'wiki'"),
        ("inventory:wals", "no inventory features"),
        ("genetic:wals", "unknown metric"),
        ("hamming:genetic", "unknown metric"),
        ("none.npz", "cannot read"),
        ("text.npz", "not an NPZ file"),
        ("pickled.npz", "not an NPZ file of plain arrays"),
        ("keys.npz", "no array 'codes'"),
        ("shape.npz", "shape (1, 2) instead of (2, 2)"),
        ("negative.npz", "row 0, column 1"),
        ("asymmetric.npz", "deu to fra is 1 but back it is 2"),
        ("single.npz", "not an NPZ file"),
    ],
)
def test_bad_files_and_metrics(tmp_path, monkeypatch, metric, says):
    monkeypatch.chdir(tmp_path)
    write_bad_files(tmp_path)
    with pytest.raises(InputError) as caught:
        distances(languages("deu fra"), metric)
    assert says in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("empty.csv", "empty"),
        ("header.csv", "unknown language 'a'"),
        ("word.csv", "line 2: 'x' is not a number"),
        ("infinite.csv", "line 2: 'inf' is not a number"),
        ("hole.csv", "line 2: a number is missing"),
        ("targets.csv", "line 1: deu appears twice"),
        ("donors.csv", "line 3: fra appears twice"),
        ("none.csv", "cannot read the transfer"),
        ("keys.npz", "no array 'donors'"),
        ("flat.npz", "shape"),
        ("holes.npz", "nan in row 0"),
    ],
)
def test_bad_transfer_files(tmp_path, file, says):
    write_bad_files(tmp_path)
    with pytest.raises(InputError) as caught:
        read_transfer(str(tmp_path / file))
    assert says in caught.value.message
    assert caught.value.hint


def write_bad_files(folder):
    for name, text in BAD.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "text.npz").write_text("deu,fra\n", encoding="utf-8")
    np.savez(folder / "pickled.npz", codes=np.array(["deu", None], dtype=object), matrix=np.zeros((2, 2)))
    np.savez(folder / "keys.npz", matrix=np.zeros((2, 2)))
    np.savez(folder / "shape.npz", codes=["deu", "fra"], matrix=np.zeros((1, 2)))
    np.savez(folder / "negative.npz", codes=["deu", "fra"], matrix=[[0, -1], [-1, 0]])
    np.savez(folder / "asymmetric.npz", codes=["deu", "fra"], matrix=[[0, 1], [2, 0]])
    np.savez(folder / "flat.npz", donors=["deu"], targets=["fra"], matrix=[1.0])
    np.savez(folder / "holes.npz", donors=["deu"], targets=["fra"], matrix=[[np.nan]])
    with (folder / "single.npz").open("wb") as stream:
        np.save(stream, np.zeros((2, 2)))


def test_least_overlap_is_positive():
    with pytest.raises(InputError, match="least overlap is 0"):
        distances(WORLD, "syntactic:average", least_overlap=0)


def test_everything_is_plain_json():
    found = distances(WORLD, "syntactic:average=0.5,learned=0.5")
    json.dumps([found.matrix.tolist(), found.observed.tolist(), found.overlap.tolist()], allow_nan=False)
