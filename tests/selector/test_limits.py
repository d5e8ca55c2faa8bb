"""Costs under a budget, quotas, targets with weights, measured transfer: against brute force on small pools."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selector import typdiv
from selector.distances.distance import distances
from selector.errors import InputError
from selector.languages.language import parse, parse_pool
from selector.objective import MaxSum, objective_of
from selector.problem import pose
from selector.solvers import feasible, greedy
from selector.solvers.limits import Limits
from selector.strategy import STRATEGIES, choose, ranking, solve

ENG = parse("eng")
WORLD = parse_pool("world")
SMALL = parse_pool("deu,nld,fra,spa,rus,hin,tur,uzn,swh")
OUTSIDE = parse_pool("ita,kat,ekk,hin")
HEURISTICS = [name for name, static in STRATEGIES.items() if not static.exact and name != "predicted"]
FUNCTIONS = ("max-sum", "max-min", "facility", "k-center", "coverage", "entropy", "nearest", "log-det")
SOURCES = st.sampled_from([None, ENG])

costs_of = st.lists(st.integers(0, 9), min_size=9, max_size=9).map(lambda given: dict(zip(SMALL, given, strict=True)))
quotas_of = st.sampled_from([[], ["family=1"], ["family=3", "script=4"], ["script:Latn=2"], ["family=2", "resource=3"]])


def brute(problem):
    """Every allowed set, by the words of the demand and not by `Limits`."""
    more = combinations(problem.free, problem.k - len(problem.pinned))
    return [sorted([*problem.pinned, *some]) for some in more if problem.limits.hold([*problem.pinned, *some])]


def allowed(chosen, costs, budget, quotas):
    """Whether a set of languages keeps what was asked."""
    if sum(costs[language] for language in chosen) > budget:
        return False
    for quota in quotas:
        name, most = quota.split("=")
        kind, _, only = name.partition(":")
        groups = [str(getattr(x, kind)) if kind != "resource" else resource(x) for x in chosen]
        if any(groups.count(group) > int(most) for group in groups if only in ("", group)):
            return False
    return True


def resource(language):
    from selector.languages.resources import resource_class

    return str(resource_class(language))


@given(st.sampled_from(HEURISTICS), st.integers(1, 9), costs_of, st.integers(0, 40), quotas_of, SOURCES)
@settings(max_examples=150, deadline=None)
def test_limits_hold_or_are_said_to_be_impossible(name, k, costs, budget, quotas, source):
    possible = any(allowed(some, costs, budget, quotas) for some in combinations(SMALL, k))
    try:
        chosen = choose(name, SMALL, k, source=source, costs=costs, budget=budget, quotas=quotas)
    except InputError:
        assert not possible
    else:
        assert len(chosen) == k
        assert allowed(list(chosen), costs, budget, quotas)


@given(st.sampled_from(FUNCTIONS), st.integers(2, 6), costs_of, quotas_of, SOURCES)
@settings(max_examples=60, deadline=None)
def test_swaps_within_limits_improve_and_never_pass_the_best(name, k, costs, quotas, source):
    try:
        problem = pose(SMALL, k, source=source, costs=costs, budget=5 * k, quotas=quotas, include=[SMALL[4]])
    except InputError:
        return
    function, demand = objective_of(name, problem), (problem.pinned, problem.free, problem.limits)
    start = greedy.greedy(function, k, *demand)
    better = greedy.swap(function, start, *demand)
    best = max(map(function.value, brute(problem)))
    assert function.value(start) - 1e-9 <= function.value(better) <= best + 1e-9
    assert all(problem.limits.hold(chosen) for chosen in (start, better))
    assert 4 in better


@pytest.mark.parametrize("name", [name for name, static in STRATEGIES.items() if static.exact])
def test_exact_strategies_keep_limits_and_are_best(name):
    costs = {language: float(i % 4) for i, language in enumerate(SMALL)}
    problem = pose(SMALL, 4, source=ENG, costs=costs, budget=5, quotas=["family=2"], exclude=[SMALL[0]])
    choice = solve(name, problem)
    function = objective_of(choice.objective, problem)
    assert choice.status == "optimal"
    assert choice.gap == pytest.approx(0, abs=1e-9)
    assert choice.value == pytest.approx(max(map(function.value, brute(problem))), abs=1e-7)
    assert choice.cost <= 5


def test_look_ahead_needs_the_integer_program():
    """The language that takes least shuts out both others by crossing quotas: cheapest first fails, [1, 2] is found."""
    weights = np.array([[1, 1, 0], [1, 0, 1], [0, 9, 9], [0, 9, 9], [0, 9, 9]], dtype=float)
    limits = Limits(weights, np.array([1.0, 1.0, 18.0, 18.0, 18.0]), tuple("abcde"))
    assert feasible._cheapest([], 2, np.arange(3), limits) is None
    assert feasible.complete([], 2, range(3), limits) == [1, 2]
    assert feasible.complete([0], 2, range(3), limits) is None
    assert greedy.greedy(MaxSum(np.ones((3, 3)) - np.eye(3)), 2, [], range(3), limits) == [1, 2]


@given(st.integers(2, 7), st.lists(st.integers(0, 5), min_size=4, max_size=4), SOURCES, st.booleans())
@settings(max_examples=60, deadline=None)
def test_lazy_greedy_is_naive_greedy(k, weights, source, count):
    weights[0] += 1
    weighted = dict(zip(OUTSIDE, weights, strict=True))
    for targets in (None, OUTSIDE):
        problem = pose(
            WORLD, k, source=source, targets=targets, weights=weighted if targets else None, count_source=count
        )
        for name in ("facility", "coverage"):
            function = objective_of(name, problem)
            lazy = greedy.rank(function, k, [3], problem.free)
            assert lazy == greedy.rank(function, k, [3], problem.free, lazy=False)


@given(st.lists(st.integers(0, 23), min_size=1, max_size=6, unique=True), SOURCES, st.booleans())
@settings(max_examples=40, deadline=None)
def test_all_exchanges_at_once_are_the_changed_sets(chosen, source, count):
    problem = pose(WORLD, len(chosen), source=source, count_source=count, targets=(*OUTSIDE, *WORLD[:9]))
    for name in FUNCTIONS:
        function = objective_of(name, problem)
        values, ties = function.exchanges(chosen)
        for place, out in enumerate(chosen):
            for into in set(range(0, 24, 5)) - set(chosen):
                changed = [*(i for i in chosen if i != out), into]
                assert values[place, into] == pytest.approx(function.value(changed), abs=1e-8)
                assert ties[place, into] == pytest.approx(function.second(changed), abs=1e-8)


@given(st.lists(st.integers(0, 8), min_size=1, max_size=4, unique=True), st.booleans())
@settings(max_examples=30, deadline=None)
def test_objectives_over_weighted_targets_are_their_formulas(chosen, count):
    weights = {language: float(i) for i, language in enumerate(OUTSIDE)}
    problem = pose(SMALL, 2, source=ENG, targets=(*OUTSIDE, ENG), weights=weights, count_source=count, radius=0.3)
    assert problem.targets == OUTSIDE
    far = distances([*SMALL, *OUTSIDE, ENG], "syntactic").matrix
    served = [*chosen, len(far) - 1] if count else chosen
    nearest = np.array([min(far[9 + t, i] for i in served) for t in range(4)])
    share = np.arange(4) / 6
    assert objective_of("facility", problem).value(chosen) == pytest.approx(1 - share @ nearest)
    assert objective_of("k-center", problem).value(chosen) == pytest.approx(1 - nearest[1:].max())  # weight 0: nobody
    assert objective_of("coverage", problem).value(chosen) == pytest.approx(share @ (nearest <= 0.3))
    assert objective_of("nearest", problem).value(chosen) == pytest.approx(
        np.mean([1 - share @ far[9:13, i] for i in chosen])
    )


def test_measured_transfer_orders_subsets_as_it_was_measured(tmp_path):
    path = tmp_path / "transfer.csv"
    path.write_text(",ita,kat,hin\ndeu,10,2,5\nfra,30,1,4\nrus,5,9,5\nhin,0,3,40\n", encoding="utf-8")
    pool = parse_pool("deu,fra,rus,hin")
    problem = pose(pool, 2, source=ENG, transfer=str(path))
    raw = np.array([[10, 5, 2], [30, 4, 1], [0, 40, 3], [5, 5, 9]], dtype=float)  # deu fra hin rus × hin-ita-kat below
    order = [language.code for language in problem.targets]
    column = {"ita": 0, "hin": 1, "kat": 2}
    raw = raw[:, [column[code] for code in order]]
    function = objective_of("facility", problem)
    for pair in combinations(range(4), 2):
        expected = raw[list(pair)].max(axis=0).mean() / 40  # 0 is the worst and 40 the best of the file
        assert function.value(pair) == pytest.approx(expected)
    assert choose("exact-facility", pool, 2, source=ENG, transfer=str(path)).codes == ("fra", "hin")
    assert choose("facility", pool, 2, source=ENG, transfer=str(path)).codes == ("fra", "hin")
    with pytest.raises(InputError, match="no transfer from swh"):
        pose((*pool, parse("swh")), 2, transfer=str(path))
    with pytest.raises(InputError, match="no transfer to fra"):
        pose(pool, 2, transfer=str(path), targets=[parse("fra")])


def test_nearest_to_targets():
    georgian = parse("kat")
    near = choose("nearest", WORLD, 3, source=ENG, targets=[georgian])
    d = distances([georgian, *WORLD], "syntactic").matrix[0, 1:]
    assert set(near.codes) == {WORLD[i].code for i in np.argsort(d)[:3]}


def test_thin_rows_are_no_candidates_when_asked_unless_included():
    pool = parse_pool("flores-200")
    problem = pose(pool, 10, source=ENG)
    thin = [x for x, share in zip(problem.frame, problem.distances.observed, strict=True) if share < 0.25]
    chosen = choose("max-min", pool, 10, source=ENG, least_observed=0.25, include=thin[:1])
    assert set(chosen) & set(thin) == set(thin[:1])


@pytest.mark.parametrize("name", ["facility", "coverage", "max-sum", "max-min", "k-center", "entropy", "dpp"])
def test_ranking_continues_a_shorter_one_and_adds_up(name):
    include = [parse("fra")]
    short = ranking(name, pose(WORLD, 5, source=ENG, include=include))
    long = ranking(name, pose(WORLD, 9, source=ENG, include=include))
    assert long[:4] == short
    assert len(long) == 8
    problem = pose(WORLD, 9, source=ENG, include=include)
    function = objective_of(STRATEGIES[name].objective, problem)
    chosen = [problem.frame.index(language) for language, _ in long]
    gained = function.value([*problem.pinned, *chosen]) - function.value(problem.pinned)
    assert sum(gain for _, gain in long) == pytest.approx(gained)
    if STRATEGIES[name].objective in ("facility", "coverage"):
        gains = [gain for _, gain in long]
        assert gains == sorted(gains, reverse=True)  # diminishing returns


def test_choice_says_how_sure_it_is():
    costs = dict.fromkeys(WORLD, 1.5)
    problem = pose(WORLD, 4, source=ENG, costs=costs)
    drawn, best, proven = (solve(name, problem, seed=3) for name in ("random", "facility", "exact-facility"))
    assert (drawn.status, drawn.bound, drawn.gap) == ("heuristic", None, None)
    assert best.bound >= best.value
    assert best.status in ("bounded", "optimal")
    assert proven.status == "optimal"
    assert best.value <= proven.value + 1e-9 <= best.bound + 1e-6
    assert {choice.cost for choice in (drawn, best, proven)} == {6.0}
    assert drawn.seed == 3
    observed = [share for x, share in zip(problem.frame, problem.distances.observed, strict=True) if x in best.subset]
    assert best.imputed == pytest.approx(1 - np.mean(observed))


# Worked by hand. Sums of rows: a 14, b 15, c 15, d 12, so both methods begin with b, the first of the largest.
# Distances to b are a 6, c 5, d 4: a. MaxSum: sums to {a, b} are c 5 + 5, d 3 + 4: c. MaxMin: the nearest of {a, b} is
# 5 from c, 3 from d: c.
GOLDEN = np.array([[0, 6, 5, 3], [6, 0, 5, 4], [5, 5, 0, 5], [3, 4, 5, 0]], dtype=float)
# All sums are 4: both begin with a, the first. Farthest from a: d 2. Then b and c tie by sum (1 + 1) and by minimum: b.
TIED = np.array([[0, 1, 1, 2], [1, 0, 2, 1], [1, 2, 0, 1], [2, 1, 1, 0]], dtype=float)
# The two methods part. Sums: a 21, b 15, c 14, d 14: a. Farthest from a: b 9. Then as said below.
PARTED = np.array([[0, 9, 8, 4], [9, 0, 1, 5], [8, 1, 0, 5], [4, 5, 5, 0]], dtype=float)


@pytest.mark.parametrize(
    ("d", "k", "method", "expected"),
    [
        (GOLDEN, 1, "max-sum", [1]),
        (GOLDEN, 1, "max-min", [1]),
        (GOLDEN, 2, "max-sum", [0, 1]),
        (GOLDEN, 3, "max-sum", [0, 1, 2]),
        (GOLDEN, 3, "max-min", [0, 1, 2]),
        (GOLDEN, 4, "max-min", [0, 1, 2, 3]),
        (TIED, 2, "max-sum", [0, 3]),
        (TIED, 3, "max-sum", [0, 1, 3]),
        (TIED, 3, "max-min", [0, 1, 3]),
        (PARTED, 3, "max-sum", [0, 1, 2]),  # sums to {a, b}: c 8 + 1 = 9, d 4 + 5 = 9 tie: c
        (PARTED, 3, "max-min", [0, 1, 3]),  # nearest of {a, b}: c 1, d 4: d
    ],
)
def test_parity_with_typdiv_sampling_worked_by_hand(d, k, method, expected):
    assert typdiv.typdiv(d, k, method) == expected


def test_parity_counts_missing_pairs_as_zero_and_refuses_nonsense():
    d = GOLDEN.copy()
    d[0, 1] = d[1, 0] = np.nan  # sums a 8, b 9, c 15, d 12: c first; a, b, d tie at 5: a; then d 3 + 5 > b 0 + 5
    assert typdiv.typdiv(d, 3, "max-sum") == [0, 2, 3]
    assert typdiv.typdiv(d, 3, "max-min") == [0, 2, 3]
    for k, method in ((0, "max-sum"), (5, "max-min"), (2, "facility")):
        with pytest.raises(ValueError, match="typdiv-sampling has no"):
            typdiv.typdiv(d, k, method)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"quotas": ["family"]}, "'family' is not a quota"),
        ({"quotas": ["family=two"]}, "is not a quota"),
        ({"quotas": ["script:=2"]}, "is not a quota"),
        ({"quotas": ["colour=2"]}, "'colour' is not a kind of group"),
        ({"quotas": ["script:Goth=1"]}, "limits nothing"),
        ({"quotas": ["family=0"]}, "at least 2 of family Indo-European, and at most 0"),
        ({"quotas": ["script:Latn=1", "family=1"], "include": [parse("deu"), parse("fra")]}, "included languages take"),
        ({"budget": 3.0}, "no costs"),
        ({"budget": -1.0, "costs": dict.fromkeys(SMALL, 1.0)}, "the budget is -1"),
        ({"budget": 4.0, "costs": dict.fromkeys(SMALL, 1.0)}, "at least 5 of the budget, and at most 4"),
        ({"costs": dict.fromkeys(SMALL[:3], 1.0)}, "no cost is given for"),
        ({"costs": dict.fromkeys(SMALL, -1.0)}, "the cost of deu is -1"),
        ({"targets": []}, "no target besides the source"),
        ({"targets": [ENG]}, "no target besides the source"),
        ({"weights": {SMALL[0]: 1.0}}, "no weight is given for"),
        ({"weights": dict.fromkeys(SMALL, 0.0)}, "every target has weight 0"),
        ({"weights": dict.fromkeys(SMALL, float("nan"))}, "the weight of deu is nan"),
        ({"radius": -0.1}, "the radius is -0.1"),
        ({"least_observed": 2.0}, "least observed share is 2"),
        ({"least_observed": 0.999}, "observed well enough"),
    ],
)
def test_impossible_conditions(asked, says):
    with pytest.raises(InputError) as caught:
        pose(SMALL, 5, source=ENG, **asked)
    assert says in caught.value.message
    assert caught.value.hint


def test_counting_gives_up_where_sums_are_too_many():
    """Costs of which no two sums are equal."""
    costs = np.sqrt(np.arange(2.0, 42.0))
    limits = Limits(costs[None], np.array([40.0]), ("the budget",))
    assert feasible.count_choices([], (1, 20), range(40), limits) is None
    assert feasible.count_choices([], (1, 1), range(40), limits) == 40
    assert feasible.count_choices([0, 1], (1, 1), range(40), limits) == 0
