"""The subsets a study may choose: conditions always hold, whatever is drawn, completed or walked to."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import rehearsal
from hypothesis import given, settings
from hypothesis import strategies as st

from search import planner
from search.space import Space
from search.strategies.proposer import Past, generator
from selector import constraints
from selector.errors import InputError
from selector.languages.language import parse_pool
from selector.languages.subset import Subset

POOL = parse_pool(list(rehearsal.POOL))


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Spaces with at least one subset."""
    low = draw(st.integers(1, 4))
    marked = draw(st.lists(st.sampled_from(POOL), unique=True, max_size=3))
    prices = np.array(draw(st.lists(st.integers(0, 5), min_size=len(POOL), max_size=len(POOL))), dtype=float)
    quotas = constraints.quotas(POOL, ["family=2"] if draw(st.booleans()) else [], None)
    limits = constraints.limits(POOL, prices, draw(st.sampled_from([None, 4.0, 9.0])), quotas)
    space = Space(POOL, (low, low + 1), frozenset(marked[:1]), frozenset(marked[1:]), limits, prices)
    if next(space.every(), None) is None:
        return Space(POOL, (low, low + 1))
    return space


def allowed(space: Space) -> set[Subset]:
    """By looking at every subset there is."""
    sizes = range(space.sizes[0], space.sizes[1] + 1)
    every = (Subset(each) for size in sizes for each in itertools.combinations(POOL, size))
    return {subset for subset in every if space.allows(subset)}


@settings(max_examples=30, deadline=None)
@given(space=spaces(), seed=st.integers(0, 9))
def test_everything_drawn_keeps_the_conditions(space: Space, seed: int) -> None:
    every = allowed(space)
    assert set(space.every()) == every
    assert space.exact_count == len(every) <= space.count()
    assert not space.bounds or len(every) <= space.count()
    rng = generator(seed, 0)
    subset = space.random(rng)
    assert subset in every
    assert set(space.neighbours(subset)) <= every
    completed = space.completed(Subset(POOL[:3]), space.sizes[1], rng)
    assert completed is None or completed in every


@settings(max_examples=30, deadline=None)
@given(space=spaces(), seed=st.integers(0, 9))
def test_neighbours_are_all_of_one_step(space: Space, seed: int) -> None:
    centre = space.random(generator(seed, 1))
    near = space.neighbours(centre)
    steps = {
        other
        for other in allowed(space)
        if other != centre and max(len(set(other) - set(centre)), len(set(centre) - set(other))) == 1
    }
    assert set(near) == steps
    assert len(near) == len(steps)


def test_a_completed_subset_keeps_what_it_may() -> None:
    space = Space(POOL, (3, 3), frozenset(POOL[:1]), frozenset(POOL[1:2]))
    kept = space.completed(Subset(POOL[1:3]), 3, generator(0, 0))
    assert kept is not None
    assert {POOL[0], POOL[2]} <= set(kept)
    assert POOL[1] not in kept


def test_a_study_file_makes_its_space(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "costs.csv").write_text("code,cost\n" + "".join(f"{code},2\n" for code in rehearsal.POOL))
    keys = ["pool.k=[1, 5]", "pool.costs=costs.csv", "pool.budget=6", "pool.include=['fra']", "pool.exclude=['deu']"]
    config = rehearsal.study(folder, *keys, "pool.quota=['script:Latn=2']")
    assert config.sizes == (1, 3)  # what the budget cannot pay is no size
    assert config.space.cost(Subset(POOL[:2])) == 4
    for position in range(20):
        asked = planner.planner(config)(position, Past())
        assert asked is not None
        assert config.space.allows(asked.subset)
        assert "fra" in asked.subset.codes
        assert sum(language.script == "Latn" for language in asked.subset) <= 2


def test_a_budget_alone_allows_any_size(tmp_path: Path) -> None:
    path = rehearsal.write(tmp_path)
    path.write_text(path.read_text().replace("k = 3", "budget = 4"))
    from search.config.study_config import load

    assert load(path).sizes == (1, 4)
    path.write_text(path.read_text().replace("budget = 4", ""))
    with pytest.raises(InputError, match=r"pool\.k is missing"):
        load(path)


def test_weights_change_what_is_maximized(tmp_path: Path) -> None:
    (tmp_path / "weights.csv").write_text("fra,3\n")
    config = rehearsal.study(tmp_path, "targets.weights=weights.csv", "targets.tune=['fra', 'tur']")
    assert config.value({"fra": 1.0, "tur": 0.0}) == pytest.approx(0.75)
