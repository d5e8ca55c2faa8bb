"""Objectives and strategies: pure functions of what was measured."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import rehearsal
from hypothesis import given, settings
from hypothesis import strategies as st

from realign.fake import FakeEvaluator, Terms
from search import objective, plan, sampler
from search.proposal import Past, Proposer, Seen, generator, greedy, random, swap
from search.space import Space
from selector.errors import InputError
from selector.language import parse_pool
from selector.subset import Subset

POOL = parse_pool(list(rehearsal.POOL))
CODES = tuple(language.code for language in POOL)
STRATEGIES: dict[str, Proposer] = {"random": random, "greedy": greedy, "swap": swap, "tpe": sampler.tpe}
SCORES = st.dictionaries(st.sampled_from(CODES), st.floats(0, 1), min_size=1)


@given(scores=SCORES, share=st.sampled_from([0.1, 0.25, 0.5, 1.0]))
def test_objectives_are_ordered(scores: dict[str, float], share: float) -> None:
    codes = tuple(scores)
    worst, mean = objective.value("worst", scores, codes), objective.value("mean", scores, codes)
    tail = objective.value(f"cvar:{share}", scores, codes)
    assert worst <= tail + 1e-12
    assert tail <= mean + 1e-12
    assert worst == min(scores.values())
    assert objective.value("cvar:1.0", scores, codes) == pytest.approx(mean)


@given(scores=SCORES, data=st.data())
def test_objectives_never_fall_when_a_language_rises(scores: dict[str, float], data: st.DataObject) -> None:
    code = data.draw(st.sampled_from(sorted(scores)))
    risen = {**scores, code: min(1.0, scores[code] + 0.1)}
    for name in ("mean", "worst", "cvar:0.25"):
        assert objective.value(name, risen, tuple(scores)) >= objective.value(name, scores, tuple(scores)) - 1e-12


def test_low_resource_looks_at_low_resource_languages_only() -> None:
    world = parse_pool("world")
    assert set(objective.languages("low-resource", world, world=True)) == {"jav", "sna", "uzn"}
    assert set(objective.languages("low-resource", world, world=False)) >= {"swh", "zul"}
    assert len(objective.languages("mean", world, world=True)) == len(world)


def measured(subsets: list[Subset], taken: int = 0) -> Past:
    """Noise-free values of all but the last `taken` subsets, which are still running."""
    fake = FakeEvaluator(POOL, POOL, Terms(noise=0.0))
    done = subsets[: len(subsets) - taken]
    seen = tuple(Seen(subset, float(np.mean(list(fake.truth(subset).values())))) for subset in done)
    return Past(seen, tuple((subset, "full") for subset in subsets))


PASTS = st.lists(st.sets(st.sampled_from(POOL), min_size=2, max_size=4).map(Subset.of), unique=True, max_size=25)


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(sorted(STRATEGIES)), begun=PASTS, running=st.integers(0, 3), seed=st.integers(0, 99))
def test_proposals_are_new_of_the_right_size_and_repeatable(
    name: str, begun: list[Subset], running: int, seed: int
) -> None:
    past = measured(begun, min(running, len(begun)))
    space = Space(POOL, (2, 4))
    chosen = STRATEGIES[name](space, past, generator(seed, 7))
    assert chosen is not None
    assert chosen not in past.taken
    assert set(chosen) <= set(POOL)
    assert len(chosen) <= 4
    if name != "greedy":  # which begins with single languages
        assert space.allows(chosen)
    assert chosen == STRATEGIES[name](space, past, generator(seed, 7))


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_subset_is_proposed_once_and_then_none(name: str) -> None:
    space = Space(POOL[:5], (2, 3))
    begun: list[Subset] = []
    while (chosen := STRATEGIES[name](space, measured(begun), generator(0, len(begun)))) is not None:
        begun.append(chosen)
        assert len(begun) <= 30
    assert len(set(begun)) == len(begun)
    assert sum(len(subset) >= 2 for subset in begun) == space.count() == 20


def test_swap_climbs_to_the_optimum() -> None:
    begun = [Subset(POOL[:3])]
    while len(begun) < 90:
        begun.append(STRATEGIES["swap"](Space(POOL, (3, 3)), measured(begun), generator(0, len(begun))) or begun[0])
    best, value = FakeEvaluator(POOL, POOL).optimum(3)
    assert max(measured(begun).values.values()) == pytest.approx(value)
    assert best in begun


def test_greedy_is_forward_selection() -> None:
    fake = FakeEvaluator(POOL, POOL, Terms(noise=0.0))

    def truth(subset: Subset) -> float:
        return float(np.mean(list(fake.truth(subset).values())))

    base = Subset()
    for _ in range(3):
        base = max((base.add(language) for language in POOL if language not in base), key=truth)
    begun: list[Subset] = []
    for _ in range(len(POOL) * 3 - 3):
        begun.append(STRATEGIES["greedy"](Space(POOL, (3, 3)), measured(begun), generator(1, len(begun))) or base)
    assert max((subset for subset in begun if len(subset) == 3), key=truth) == base


def test_tpe_learns_what_random_does_not() -> None:
    reached = {}
    for name in ("tpe", "random"):
        runs = []
        for seed in range(3):
            begun: list[Subset] = []
            for position in range(30):
                begun.append(
                    STRATEGIES[name](Space(POOL, (3, 3)), measured(begun), generator(seed, position)) or Subset()
                )
            runs.append(np.mean(sorted(measured(begun).values.values())[-10:]))
        reached[name] = np.mean(runs)
    assert reached["tpe"] > reached["random"]


@given(st.sets(st.sampled_from(POOL), min_size=2, max_size=4).map(Subset.of))
def test_neighbours_are_all_one_step_away(subset: Subset) -> None:
    near = Space(POOL, (2, 4)).neighbours(subset)
    every = [Subset(each) for size in (2, 3, 4) for each in itertools.combinations(POOL, size)]
    one_step = {
        other
        for other in every
        if other != subset and max(len(set(other) - set(subset)), len(set(subset) - set(other))) == 1
    }
    assert set(near) == one_step
    assert len(near) == len(set(near))


def test_space_counts() -> None:
    assert Space(POOL, (2, 3)).count() == len(list(Space(POOL, (2, 3)).every())) == math.comb(10, 2) + math.comb(10, 3)


def test_warm_start_is_distinct_and_of_the_asked_size(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, "pool.k=[2, 4]")
    warm = plan.warm_start(config)
    assert next(name for name, _ in warm) == "max-sum"
    assert len({subset for _, subset in warm}) == len(warm) >= 2
    assert {len(subset) for _, subset in warm} == {4}
    assert plan.warm_start(rehearsal.study(tmp_path, "search.warm_start=false")) == []
    assert plan.warm_start(rehearsal.study(tmp_path, "search.strategy=random")) == []


def test_diversity_begins_with_the_model_free_choice(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, "search.strategy=diversity:max-min")
    propose = plan.proposer(config)
    first = propose(config.space, Past(), generator(3, 0))
    assert first == plan.model_free_subset(config, "max-min", 3, config.seed)
    second = propose(config.space, Past(begun=((first, "full"),) if first else ()), generator(3, 1))
    assert second not in (None, first)


@pytest.mark.parametrize("override", ["search.strategy=diversity:nonsense", "search.metric=nonsense"])
def test_wrong_names_are_found_before_the_search(tmp_path: Path, override: str) -> None:
    with pytest.raises(InputError, match="nonsense"):
        plan.planner(rehearsal.study(tmp_path, override))
