"""Maps: places that keep distances, words that do not cover each other, pages that need no network."""

import dataclasses
import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.pages import atlas, map_html
from search.pages.atlas import Atlas
from selector.languages.language import parse, parse_pool
from selector.problem import pose

PROBLEM = pose(parse_pool("world"), 4, "syntactic", parse("eng"))
CHOSEN = [1, 5, 9, 20]
VIEWS = {view: atlas.atlas(PROBLEM, CHOSEN, view, "4 of 24") for view in atlas.VIEWS}


def apart(spots):
    return np.linalg.norm(spots[:, None] - spots[None], axis=2)


points = st.integers(3, 12).flatmap(
    lambda n: st.integers(0, 10**6).map(lambda seed: np.random.default_rng(seed).random((n, 2)))
)


@settings(max_examples=30, deadline=None)
@given(points)
def test_points_of_a_plane_keep_all_their_distances(spots):
    d = apart(spots)
    found, share = atlas.scaled(d, range(len(d)))
    assert np.allclose(apart(found), d)
    assert share == pytest.approx(1.0)


@settings(max_examples=30, deadline=None)
@given(points)
def test_a_few_landmarks_place_the_rest_of_a_plane(spots):
    d = apart(spots)
    found, _ = atlas.scaled(d[:3], range(3))  # three points that are not on a line fix a plane
    assert np.allclose(apart(found), d, atol=1e-5)


@pytest.mark.parametrize("d", [np.zeros((1, 1)), np.zeros((3, 3)), 1.0 - np.eye(2)])
def test_degenerate_distances_have_places_too(d):
    found, share = atlas.scaled(d, range(len(d)))
    assert np.isfinite(found).all()
    assert share == pytest.approx(1.0)
    assert np.allclose(apart(found), d)


def test_landmarks_and_all_languages_give_the_same_kind_of_picture(monkeypatch):
    problem = pose(parse_pool("xlmr-100"), 4, "syntactic", parse("eng"))
    whole = atlas.atlas(problem, CHOSEN, "typology", "").spots
    monkeypatch.setattr(atlas, "LANDMARKS", 50)
    few = atlas.atlas(problem, CHOSEN, "typology", "").spots
    kept = np.corrcoef(apart(whole).ravel(), apart(few).ravel())[0, 1]
    assert kept > 0.95


def test_equal_earth_keeps_areas():
    """Cells of equal area on the globe are equal on the map: that is what the projection is for."""
    heights = np.linspace(-0.95, 0.95, 20)  # sine of the latitude: bands of equal area
    north = np.degrees(np.arcsin(heights))
    y = atlas.equal_earth(np.zeros(20), north)[:, 1]
    middle = np.degrees(np.arcsin((heights[1:] + heights[:-1]) / 2))
    width = atlas.equal_earth(np.full(19, 180.0), middle)[:, 0]
    area = width * np.diff(y)
    assert area.std() / area.mean() < 0.002
    assert np.allclose(atlas.equal_earth(np.zeros(1), np.zeros(1)), 0.0)


def test_languages_lie_where_they_are_spoken():
    world = VIEWS["world"]
    spot = {each.code: tuple(place) for each, place in zip(world.languages, world.spots, strict=True)}
    assert spot["spa"][0] < spot["tur"][0] < spot["jpn"][0]  # west to east
    assert spot["zul"][1] < spot["swh"][1] < spot["fin"][1]  # south to north


@pytest.mark.parametrize("view", atlas.VIEWS)
def test_every_language_has_one_role(view):
    drawn = VIEWS[view]
    assert (drawn.plain.astype(int) + drawn.chosen + drawn.source == drawn.placed).all()
    assert [each.code for each in np.array(drawn.languages, dtype=object)[drawn.source]] == ["eng"]
    assert drawn.chosen.sum() == 4
    assert (drawn.near[drawn.chosen] == 0).all()


def test_the_nearest_chosen_language_is_told():
    drawn = VIEWS["typology"]
    d = PROBLEM.distances.matrix
    for i, language in enumerate(PROBLEM.frame):
        assert drawn.near[i] == d[i, CHOSEN].min()
        assert d[i, PROBLEM.frame.index(drawn.relative[i])] == drawn.near[i], language


def test_a_language_of_unknown_coordinates_is_left_out_and_counted(monkeypatch):
    whole = atlas.features.coordinates
    monkeypatch.setattr(
        atlas.features, "coordinates", lambda languages: np.vstack([[[np.nan] * 3], whole(languages[1:])])
    )
    drawn = atlas.atlas(PROBLEM, CHOSEN, "world", "")
    assert drawn.placed.sum() == len(drawn.languages) - 1
    assert "want of coordinates: 1" in drawn.note


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(0, 10**6))
def test_words_that_may_cover_nothing_cover_nothing(n, seed):
    rng = np.random.default_rng(seed)
    anchors, sizes = 100 * rng.random((n, 2)), np.column_stack([rng.uniform(10, 40, n), np.full(n, 8.0)])
    around, taken = atlas.around(sizes, 5.0), [(40.0, 40.0, 60.0, 60.0)]
    found = atlas.place(anchors, sizes, around, taken, np.zeros((0, 4)), [True] * n)
    boxes = [(40.0, 40.0, 60.0, 60.0)]
    for i, position in enumerate(found):
        if position >= 0:
            low = anchors[i] + around[position][i]
            box = (*low, *(low + sizes[i]))
            assert all(min(box[2], b[2]) <= max(box[0], b[0]) or min(box[3], b[3]) <= max(box[1], b[1]) for b in boxes)
            boxes.append(box)
    assert taken == boxes


def test_a_word_that_must_stand_stands():
    sizes = np.array([[10.0, 8.0]])
    everywhere = [(-100.0, -100.0, 100.0, 100.0)]
    assert atlas.place(np.zeros((1, 2)), sizes, atlas.around(sizes, 5.0), everywhere, np.zeros((0, 4)), [False]) == [0]


@pytest.mark.parametrize("view", atlas.VIEWS)
def test_png_is_the_same_twice_and_as_large_as_said(view):
    pytest.importorskip("matplotlib")
    from search.pages import map_png

    once, again = map_png.png(VIEWS[view]), map_png.png(VIEWS[view])
    assert once == again
    from matplotlib.image import imread

    tall, wide, _ = imread(io.BytesIO(once)).shape
    assert wide > 1400
    assert tall > 1000


@pytest.mark.parametrize("view", atlas.VIEWS)
def test_page_needs_no_network_and_names_the_chosen(view):
    body = map_html.html(VIEWS[view])
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", body)
    assert "<script" not in body
    assert len(body.encode()) < 300_000
    assert "default-src 'none'" in body
    for i in CHOSEN:
        assert f"<td>{PROBLEM.frame[i].name}</td>" in body


def hostile(drawn: Atlas) -> Atlas:
    named = tuple(dataclasses.replace(each, name="<script>alert(1)</script>") for each in drawn.languages)
    return dataclasses.replace(drawn, languages=named, title="<script>alert(2)</script>")


def test_nothing_from_the_data_becomes_markup():
    text = map_html.html(hostile(VIEWS["typology"]))
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(2)" in text


def test_held_out_languages_are_marked_and_not_part_of_the_pool():
    held_out = parse_pool(["deu", "tur"])
    problem = pose(parse_pool(["arb", "deu", "fin", "fra", "tur"]), 2, "syntactic", parse("eng"))
    drawn = atlas.atlas(problem, [0, 2], "typology", "", held_out)
    told: dict[str, list[str]] = {}
    for mark in map_html.figure(drawn).chart.marks:
        told.setdefault(mark.look.label, []).append(mark.tip.partition(" (")[0])
    assert told["held out"] == ["German", "Turkish"]
    assert told["pool"] == ["French"]


@pytest.mark.parametrize("view", atlas.VIEWS)
def test_words_of_a_map_lie_inside_it(view):
    """A word at the edge would be cut; one that finds no place there stands on the other side of its mark."""
    chart = map_html.figure(VIEWS[view], width=912).chart
    scale = 912 / (chart.box[2] - chart.box[0])
    for word in chart.words:
        left = (word.x - chart.box[0]) * scale + {1: 0.0, 0: -0.5, -1: -1.0}[word.across] * 7.0 * len(word.text)
        assert left >= 0
        assert left + 7.0 * len(word.text) <= 912
