"""Objectives and strategies: pure functions of what was measured."""

from __future__ import annotations

import itertools
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import rehearsal
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from realign.evaluators.fake import FakeEvaluator, Terms
from search import planner, score_objective
from search.commands import search
from search.config.study_config import load
from search.space import Space
from search.strategies import optuna_samplers
from search.strategies.genetic import genetic
from search.strategies.local import backward, exhaustive, greedy, swap
from search.strategies.proposer import MeasuredSubset, Past, Proposer, generator, random
from search.study.study import open_study
from selector.errors import InputError
from selector.languages.language import parse_pool
from selector.languages.subset import Subset
from selector.solvers.limits import Limits

POOL = parse_pool(list(rehearsal.POOL))
CODES = tuple(language.code for language in POOL)
STRATEGIES: dict[str, Proposer] = {
    "random": random,
    "exhaustive": exhaustive(0),
    "greedy": greedy,
    "backward": backward,
    "swap": swap,
    "genetic": genetic,
    "tpe": optuna_samplers.tpe,
    "gp": optuna_samplers.gp,
    "nsga2": optuna_samplers.nsga2,
}
PASSING = ("greedy", "backward")  # measure smaller and larger subsets on their way
SCORES = st.dictionaries(st.sampled_from(CODES), st.floats(0, 1), min_size=1)


@given(scores=SCORES, share=st.sampled_from([0.1, 0.25, 0.5, 1.0]))
def test_objectives_are_ordered(scores: dict[str, float], share: float) -> None:
    codes = tuple(scores)
    worst, mean = score_objective.value("worst", scores, codes), score_objective.value("mean", scores, codes)
    tail = score_objective.value(f"cvar:{share}", scores, codes)
    assert worst <= tail + 1e-12
    assert tail <= mean + 1e-12
    assert worst == min(scores.values())
    assert score_objective.value("cvar:1.0", scores, codes) == pytest.approx(mean)


@given(scores=SCORES, data=st.data())
def test_objectives_never_fall_when_a_language_rises(scores: dict[str, float], data: st.DataObject) -> None:
    code = data.draw(st.sampled_from(sorted(scores)))
    risen = {**scores, code: min(1.0, scores[code] + 0.1)}
    for name in ("mean", "worst", "cvar:0.25"):
        assert (
            score_objective.value(name, risen, tuple(scores))
            >= score_objective.value(name, scores, tuple(scores)) - 1e-12
        )


def test_low_resource_looks_at_low_resource_languages_only() -> None:
    world = parse_pool("world")
    assert set(score_objective.languages("low-resource", world, world=True)) == {"jav", "sna", "uzn"}
    assert set(score_objective.languages("low-resource", world, world=False)) >= {"swh", "zul"}
    assert len(score_objective.languages("mean", world, world=True)) == len(world)


@cache
def truth(subset: Subset) -> float:
    return float(np.mean(list(FakeEvaluator(POOL, POOL, Terms(noise=0.0)).truth(subset).values())))


def measured(subsets: list[Subset], taken: int = 0) -> Past:
    """Noise-free values of all but the last `taken` subsets, which are still running."""
    seen = tuple(MeasuredSubset(subset, truth(subset)) for subset in subsets[: len(subsets) - taken])
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
    if name not in PASSING:
        assert space.allows(chosen)
    assert chosen == STRATEGIES[name](space, past, generator(seed, 7))


@st.composite
def conditions(draw: st.DrawFn) -> Space:
    """Sizes, languages in and out, a budget and a quota; with at least one subset inside."""
    free = draw(st.permutations(POOL))
    include, exclude = free[: draw(st.integers(0, 2))], free[2 : 2 + draw(st.integers(0, 2))]
    low = draw(st.integers(max(1, len(include)), 4))
    costs = np.array(draw(st.lists(st.integers(1, 5), min_size=len(POOL), max_size=len(POOL))), dtype=float)
    group = [draw(st.booleans()) for _ in POOL]
    most = [draw(st.integers(4, 30)), draw(st.integers(1, 4))]
    limits = Limits(np.array([costs, group], dtype=float), np.array(most, dtype=float), ("budget", "quota"))
    space = Space(POOL, (low, draw(st.integers(low, 5))), frozenset(include), frozenset(exclude), limits, costs)
    assume(next(space.every(), None) is not None)
    return space


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(sorted(set(STRATEGIES) - {"gp"})), space=conditions(), begun=PASTS, seed=st.integers(0, 99))
def test_conditions_always_hold(name: str, space: Space, begun: list[Subset], seed: int) -> None:
    """Also where what was measured before breaks them: the study file may have changed since."""
    begun = list(begun)
    for position in range(4):
        chosen = STRATEGIES[name](space, measured(begun), generator(seed, position))
        if chosen is None:
            assert all(subset in begun for subset in space.every())
            return
        assert chosen not in begun
        assert not space.exclude & set(chosen)
        assert space.bounds.hold(space.indices(chosen))
        assert space.allows(chosen) or name in PASSING
        begun.append(chosen)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_subset_is_proposed_once_and_then_none(name: str) -> None:
    space = Space(POOL[:5], (2, 3))
    begun = list(space.every())[: 17 if name == "gp" else 0]  # a second each
    while (chosen := STRATEGIES[name](space, measured(begun), generator(0, len(begun)))) is not None:
        begun.append(chosen)
        assert len(begun) <= 30
    assert len(set(begun)) == len(begun)
    assert sum(space.allows(subset) for subset in begun) == space.count() == 20


def test_swap_climbs_to_the_optimum() -> None:
    begun = [Subset(POOL[:3])]
    while len(begun) < 90:
        begun.append(STRATEGIES["swap"](Space(POOL, (3, 3)), measured(begun), generator(0, len(begun))) or begun[0])
    best, value = FakeEvaluator(POOL, POOL).optimum(3)
    assert max(measured(begun).values.values()) == pytest.approx(value)
    assert best in begun


def test_greedy_is_forward_selection() -> None:
    base = Subset()
    for _ in range(3):
        base = max((base.add(language) for language in POOL if language not in base), key=truth)
    begun: list[Subset] = []
    for _ in range(len(POOL) * 3 - 3):
        begun.append(STRATEGIES["greedy"](Space(POOL, (3, 3)), measured(begun), generator(1, len(begun))) or base)
    assert max((subset for subset in begun if len(subset) == 3), key=truth) == base


def test_backward_drops_what_is_missed_least() -> None:
    base = Subset(POOL)
    begun: list[Subset] = []
    while not any(len(subset) == 7 for subset in begun):
        begun.append(backward(Space(POOL, (7, 7)), measured(begun), generator(1, len(begun))) or base)
    for size in (9, 8):
        base = max((base.drop(language) for language in base), key=truth)
        assert base == max((subset for subset in begun if len(subset) == size), key=truth)
    assert begun[0] == Subset(POOL)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 999))
def test_lazy_greedy_finds_what_greedy_finds_in_fewer_measurements(seed: int) -> None:
    """On a submodular function: how much of a set of things the languages cover together."""
    covers = np.random.default_rng(seed).random((len(POOL), 40)) < 0.15  # (n, things)
    weights = np.random.default_rng(seed + 1).random(40)
    space = Space(POOL, (6, 6))

    def covered(subset: Subset) -> float:
        return float(weights[covers[list(space.indices(subset))].any(axis=0)].sum()) if len(subset) else 0.0

    base = Subset()
    for _ in range(6):
        base = max((base.add(language) for language in POOL if language not in base), key=covered)
    begun: list[Subset] = []
    for position in range(sum(range(5, 11)) - 5):
        past = Past(tuple(MeasuredSubset(s, covered(s)) for s in begun), tuple((s, "full") for s in begun))
        begun.append(greedy(space, past, generator(seed, position)) or base)
    assert max(covered(subset) for subset in begun if len(subset) == 6) >= covered(base) - 1e-9
    assert sum(3 <= len(subset) <= 5 for subset in begun) < 8 + 7 + 6


def test_swap_tries_the_most_promising_exchange_first() -> None:
    """Every subset of ten languages is worth the number of its first three: one exchange is known to help."""
    good, space = set(POOL[:3]), Space(POOL, (3, 3))
    begun = [Subset((*POOL[:2], POOL[3])), *(Subset.of((POOL[2], *pair)) for pair in itertools.pairwise(POOL[4:]))]
    begun += [Subset.of(POOL[i : i + 3]) for i in range(3, 8)]
    past = Past(tuple(MeasuredSubset(s, float(len(good & set(s)))) for s in begun), tuple((s, "full") for s in begun))
    assert swap(space, past, generator(0, 0)) == Subset(POOL[:3])


def test_exhaustive_is_refused_where_there_is_too_much(tmp_path: Path) -> None:
    path = rehearsal.write(tmp_path, strategy="exhaustive", k=[2, 3])
    assert planner.planner(load(path))(0, Past()) is not None
    with pytest.raises(InputError, match="exhaustive"):
        planner.planner(load(path, ["pool.languages=flores-200", "targets.held_out=[]"]))


@pytest.mark.parametrize("name", ["tpe", "nsga2", "genetic"])
def test_models_learn_what_random_does_not(name: str) -> None:
    reached = {}
    for each in (name, "random"):
        runs = []
        for seed in range(3):
            begun: list[Subset] = []
            for position in range(40 if name == "genetic" else 30):
                begun.append(
                    STRATEGIES[each](Space(POOL, (3, 3)), measured(begun), generator(seed, position)) or Subset()
                )
            runs.append(np.mean(sorted(measured(begun).values.values())[-10:]))
        reached[each] = np.mean(runs)
    assert reached[name] > reached["random"]


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
    warm = planner.StudyPlanner(config).warm_start
    assert next(name for name, _ in warm) == "max-sum"
    assert len({subset for _, subset in warm}) == len(warm) >= 2
    assert {len(subset) for _, subset in warm} == {4}
    assert planner.StudyPlanner(rehearsal.study(tmp_path, "search.warm_start=false")).warm_start == []
    assert planner.StudyPlanner(rehearsal.study(tmp_path, "search.strategy=random")).warm_start == []


def test_a_budget_without_costs_counts_languages(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, "pool.k=[1, 5]", "pool.budget=2")
    warm = planner.StudyPlanner(config).warm_start
    assert warm
    assert {len(subset) for _, subset in warm} == {2}
    propose = planner.StudyPlanner(rehearsal.study(tmp_path, "search.strategy=diversity:max-min", "pool.budget=3"))
    assert propose.propose(propose.config.space, Past(), generator(3, 0)) is not None


def test_diversity_begins_with_the_model_free_choice(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, "search.strategy=diversity:max-min")
    propose = planner.StudyPlanner(config).propose
    first = propose(config.space, Past(), generator(3, 0))
    assert first == planner.StudyPlanner(config).model_free("max-min", 3, config.seed)
    second = propose(config.space, Past(begun=((first, "full"),) if first else ()), generator(3, 1))
    assert second not in (None, first)


@pytest.mark.parametrize("override", ["search.strategy=diversity:nonsense", "search.metric=nonsense"])
def test_wrong_names_are_found_before_the_search(tmp_path: Path, override: str) -> None:
    with pytest.raises(InputError, match="nonsense"):
        planner.planner(rehearsal.study(tmp_path, override))


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("strategy", ["random", "swap", "surrogate", "nsga2"])
def test_a_search_for_a_front_ends_when_every_subset_was_tried(tmp_path: Path, strategy: str) -> None:
    """The bound on the cost of one position may leave nothing new, while there is more for a higher price."""
    given = {"pool": ("deu", "fin", "fra", "hin"), "k": "[1, 3]", "strategy": strategy, "trials": 40}
    config = rehearsal.study(tmp_path, 'search.objectives=["mean", "cost"]', **given)
    search.search(config)
    assert len(open_study(config, create=False).trials()) == config.space.exact_count == 14
