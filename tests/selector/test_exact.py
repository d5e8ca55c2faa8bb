"""Exact answers: against all subsets of small frames, against known optima, and with a clean standard output."""

import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from search.bench import solver_gaps as bench_select
from selector import exact, strategy
from selector import exact as bound
from selector.errors import InputError
from selector.languages.language import all_languages, parse, parse_pool
from selector.objective import bits, objective_of
from selector.problem import pose
from selector.solvers.covering import Center, MaximumCoverage
from selector.solvers.feasible import complete
from selector.solvers.limits import Limits
from selector.solvers.max_min import Packing, cliques
from selector.solvers.max_sum import Dispersion
from selector.solvers.p_median import Median, fix_candidates, relax, service_cost
from selector.solvers.program import Candidates, Effort, EffortMeter, Program
from selector.solvers.separable import Counts

ENG = parse("eng")
OBJECTIVES = ("facility", "k-center", "coverage", "max-min", "max-sum", "entropy")
METRICS = ("syntactic", "hamming", "geographic", "genetic=0.5,syntactic=0.5")
LANGUAGES = all_languages()


@st.composite
def cases(draw):
    """A generator of numbers, candidates with pins and perhaps a limit, and every set they allow."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    c = draw(st.integers(2, 9))
    k = draw(st.integers(1, c))
    pins = draw(st.integers(0, min(k, 2)))
    limits = Limits.none(c)
    if draw(st.booleans()):
        limits = Limits(rng.integers(1, 6, (1, c)).astype(float), np.array([3.0 * k]), ("budget",))
    candidates = Candidates.of(k, rng.permutation(c)[:pins].tolist(), range(c), limits)
    allowed = [np.array(chosen) for chosen in combinations(range(c), k)]
    allowed = [a for a in allowed if np.isin(np.flatnonzero(candidates.pinned), a).all() and limits.hold(a.tolist())]
    assume(allowed)
    return rng, candidates, allowed


def distances_of(rng, c):
    """Symmetric, with ties, of no geometry."""
    d = np.triu(rng.integers(0, 8, (c, c)) / 10, 1)
    return d + d.T


def check(method, value, case):
    """`method` finds the best of all allowed sets from any of them, and no bound of it is below."""
    rng, _, allowed = case
    best = max(map(value, allowed))
    start = allowed[rng.integers(len(allowed))]
    assert method.upper(start) >= best - 1e-6
    found = method.solve(start, EffortMeter(Effort()))
    assert found.bound >= best - 1e-6
    assert value(found.chosen) == pytest.approx(best, abs=1e-6)
    assert any(np.array_equal(found.chosen, chosen) for chosen in allowed)
    return found, best


@given(cases(), st.booleans())
@settings(max_examples=20, deadline=None)
def test_facility_and_center_and_coverage_with_asymmetric_distances(case, source):
    rng, candidates, _ = case
    m = int(rng.integers(1, 12))
    far = rng.integers(0, 10, (m, len(candidates))) / 10
    weights = rng.dirichlet(np.ones(m)) * rng.integers(0, 2, m)
    assume(weights.sum() > 0)
    weights /= weights.sum()
    base = rng.integers(2, 10, m) / 10 if source else np.full(m, 1.0)

    def nearest(chosen):
        return np.minimum(base, far[:, chosen].min(axis=1))

    check(Median(candidates, far, weights, base), lambda s: 1 - weights @ nearest(s), case)
    found, best = check(Center(candidates, far, base), lambda s: 1 - nearest(s).max(), case)
    assert found.bound == pytest.approx(best, abs=1e-12)
    covers, by_source = far <= 0.4, base <= 0.4 if source else np.zeros(m, dtype=bool)
    method = MaximumCoverage(candidates, covers, weights, by_source)
    check(method, lambda s: weights @ (covers[:, s].any(axis=1) | by_source), case)


@given(cases(), st.booleans())
@settings(max_examples=20, deadline=None)
def test_max_min_and_max_sum_of_any_distances(case, with_source):
    rng, candidates, _ = case
    c = len(candidates)
    d, to_source = distances_of(rng, c), rng.integers(1, 8, c) / 10
    source = to_source if with_source else None

    def smallest(chosen):
        pairs = [d[i, j] for i, j in combinations(chosen, 2)] + (to_source[chosen].tolist() if with_source else [])
        return min(pairs, default=0.0)

    def total(chosen):
        return d[np.ix_(chosen, chosen)].sum() / 2 + (to_source[chosen].sum() if with_source else 0.0)

    found, best = check(Packing(candidates, d, source), smallest, case)
    assert found.bound == pytest.approx(best, abs=1e-12)
    check(Dispersion(candidates, d, to_source if with_source else np.zeros(c)), total, case)


def test_a_bound_where_everything_chosen_is_pinned():
    d = np.array([[0, 7, 1, 7], [7, 0, 7, 0], [1, 7, 0, 7], [7, 0, 7, 0]]) / 10
    everyone = Candidates.of(2, [0, 2], range(4), Limits.none(4))
    assert Dispersion(everyone, d, np.zeros(4)).upper(np.array([0, 2])) == pytest.approx(0.1)


@given(cases(), st.booleans(), st.sampled_from([(0.0, 1.0), (0.0, 0.5, 1.0)]))
@settings(max_examples=20, deadline=None)
def test_sums_of_concave_functions_of_feature_counts(case, with_source, values):
    rng, candidates, _ = case
    x = rng.choice(values, (len(candidates), 7))
    own = rng.choice((0.0, 1.0), 7) if with_source else None
    members = candidates.k + with_source

    def differing(count):
        return count * (members - count)

    def entropy(count):
        return bits(count / members)

    for g in (differing, entropy):
        counted = 0.0 if own is None else own
        check(Counts(candidates, x, g, own), lambda s, g=g, own=counted: g(x[s].sum(axis=0) + own).sum(), case)


@st.composite
def problems(draw):
    """A problem of at most twelve languages with everything that can be asked, and every set it allows."""
    drawn = draw(st.lists(st.sampled_from(LANGUAGES), min_size=3, max_size=12, unique=True))
    pool = [language for language in drawn if language != ENG]
    k = draw(st.integers(1, min(4, len(pool))))
    pins, bans = draw(st.integers(0, min(2, k))), draw(st.integers(0, 2))
    asked = {"include": pool[:pins], "exclude": pool[len(pool) - bans :], "source": draw(st.sampled_from([None, ENG]))}
    asked |= {"metric": draw(st.sampled_from(METRICS)), "count_source": draw(st.sampled_from([None, True, False]))}
    if draw(st.booleans()):
        asked |= {"costs": {language: 1.0 + i % 4 for i, language in enumerate(pool)}, "budget": 2.5 * k}
        asked["quotas"] = ["family=2"]
    if draw(st.booleans()):
        targets = [language for language in LANGUAGES[:: len(LANGUAGES) // 5] if language != ENG]
        asked |= {"targets": targets, "weights": {language: 1.0 + i for i, language in enumerate(targets)}}
    try:
        problem = pose(pool, k, **asked)
    except InputError:
        assume(False)
    sets = [sorted([*problem.pinned, *more]) for more in combinations(problem.free, k - len(problem.pinned))]
    return problem, [chosen for chosen in sets if problem.limits.hold(chosen)]


@given(problems(), st.sampled_from(OBJECTIVES), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_exact_is_brute_force_and_bounds_are_bounds(case, name, random):
    problem, allowed = case
    value = objective_of(name, problem).value
    best, start = max(map(value, allowed)), random.choice(allowed)
    solved = exact.solve(name, problem, start)
    assert solved.chosen in allowed
    assert value(solved.chosen) == pytest.approx(best, rel=2e-6, abs=1e-9)
    assert solved.bound is not None
    assert solved.bound >= value(solved.chosen)
    cheap = bound.upper(name, problem, start)
    assert cheap is not None
    assert cheap >= best - 1e-6 * abs(best)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_best_set_stays_as_it_is(name):
    problem = pose(parse_pool("world")[:12], 4)
    best = exact.solve(name, problem, list(range(4)))
    assert best.status == "optimal"
    assert exact.solve(name, problem, best.chosen).chosen == best.chosen


# Optima of the paper's 65 languages without a source, URIEL as in lang2vec 1.1.2, proven by HiGHS 1.12. The p-median's
# agree with SciPy's milp on the textbook model, one variable for each pair of target and candidate.
GOLDEN = {
    ("facility", "syntactic", 10): 0.8745904549,
    ("facility", "syntactic", 20): 0.9178235293,
    ("k-center", "syntactic", 10): 0.7470178808,
    ("k-center", "syntactic", 20): 0.7833494518,
    ("max-min", "syntactic", 10): 0.3425887570,
    ("max-min", "syntactic", 20): 0.2527352822,
    ("max-sum", "hamming:syntactic", 10): 17.2233009709,
    ("max-sum", "hamming:syntactic", 20): 67.0679611650,
    ("max-sum", "syntactic", 20): 93.1135021143,
}


@pytest.mark.parametrize(("name", "metric", "k"), GOLDEN)
def test_proven_optima_of_the_papers_pool(name, metric, k):
    problem = pose(parse_pool("paper-65"), k, metric)
    start = strategy.STRATEGIES[name].pick(problem, np.random.default_rng(0))
    solved = exact.solve(name, problem, start)
    assert solved.status == "optimal"
    assert objective_of(name, problem).value(solved.chosen) == pytest.approx(GOLDEN[name, metric, k], abs=1e-7)


def test_a_spent_effort_says_so_and_keeps_a_bound():
    problem = pose(parse_pool("world"), 6, "geographic")
    start, value = list(range(6)), objective_of("max-sum", problem).value
    solved = exact.solve("max-sum", problem, start, Effort(nodes=1))
    assert solved.status == "limit"
    assert value(solved.chosen) < solved.bound <= bound.upper("max-sum", problem, start)
    content = exact.solve("max-sum", problem, solved.chosen, Effort(gap=0.5))
    assert (content.status, content.nodes) == ("bounded", 0)
    assert exact.solve("max-sum", problem, start).bound <= solved.bound


def test_an_objective_without_a_method():
    problem = pose(parse_pool("world"), 4)
    assert bound.upper("log-det", problem, range(4)) is None
    with pytest.raises(ValueError, match="log-det"):
        exact.solve("log-det", problem, range(4))


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_fixing_keeps_every_best_set(seed):
    rng = np.random.default_rng(seed)
    cost = rng.integers(1, 20, (8, 8)).astype(float)
    candidates = Candidates.of(3, (), range(8), Limits.none(8))
    costs = {chosen: service_cost(cost, list(chosen)) for chosen in combinations(range(8), 3)}
    dual = relax(cost, candidates, np.array([0, 1, 2]))
    assert dual.bound <= min(costs.values()) + 1e-9
    out, inside = fix_candidates(dual, candidates, dual.cost)
    for chosen, value in costs.items():
        if value <= min(costs.values()):
            assert not out[list(chosen)].any()
            assert set(np.flatnonzero(inside)) <= set(chosen)


@given(st.integers(0, 10**6), st.integers(1, 12), st.sampled_from([True, False, None]))
@settings(max_examples=20, deadline=None)
def test_cliques_are_cliques_and_hold_what_they_must(seed, n, every_edge):
    near = np.triu(np.random.default_rng(seed).random((n, n)) < 0.5, 1)
    near |= near.T
    found = cliques(near, every_edge)
    for clique in found:
        assert all(near[i, j] for i, j in combinations(np.flatnonzero(clique), 2))
    if every_edge:
        assert all(found[:, [i, j]].all(axis=1).any() for i, j in np.argwhere(near))
    else:
        assert found.any(axis=0).all()
    if every_edge is None:
        assert (found.sum(axis=0) == 1).all()


def test_a_program_that_allows_nothing():
    limits = Limits(np.full((1, 4), 2.0), np.array([3.0]), ("budget",))
    program = Program(Candidates.of(2, (), range(4), limits))
    answer = program.solve(Effort())
    assert (answer.chosen, answer.bound, answer.optimal) == (None, -np.inf, True)
    assert program.relax().bound == -np.inf
    assert complete([], 2, range(4), limits) is None


def test_standard_output_stays_clean(capfd):
    """HiGHS prints from C++ on some problems; here the descriptor itself is written to while it solves."""
    code = (
        "import os, scipy.optimize\n"
        "solve = scipy.optimize.milp\n"
        "def loud(*a, **k):\n    os.write(1, b'noise from the solver')\n    return solve(*a, **k)\n"
        "scipy.optimize.milp = loud\n"
        "from selector.languages.language import parse_pool; from selector.problem import pose\n"
        "from selector import exact\n"
        "print('before'); found = exact.solve('entropy', pose(parse_pool('world'), 4), range(4)); print(found.status)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "before\noptimal\n"
    exact.solve("max-sum", pose(parse_pool("world"), 4), range(4))
    assert capfd.readouterr().out == ""


def test_bench_rows_are_below_what_is_proven(monkeypatch):
    monkeypatch.setattr(bench_select, "SIZES", (65,))
    monkeypatch.setattr(bench_select, "MEMBERS", (20,))
    monkeypatch.setattr(bench_select, "OBJECTIVES", (("facility", "syntactic"), ("max-min", "syntactic")))
    rows = bench_select.select(2, 1)["rows"]
    assert {"greedy", "random", "exact", "facility", "max-min"} <= {row["method"] for row in rows}
    for row in rows:
        assert row["value"] <= row["bound"]
        assert row["gap"] == pytest.approx((row["bound"] - row["value"]) / row["bound"])
        assert (row["method"] == "exact") <= (row["gap"] == 0.0)


def test_equal_distances_are_proven():
    """Between families every genetic distance is 1: no four have more than their ten pairs, the source's included."""
    pool = parse_pool("deu,tur,swh,jpn,fin,hin,arb,zul,cmn,quy,eus,vie")
    choice = strategy.solve("exact-max-sum", pose(pool, 4, source=ENG, metric="genetic"))
    assert (choice.value, choice.bound, choice.status) == (10.0, 10.0, "optimal")
