"""The surrogate: conditions hold, nothing is asked twice, and it finds what random search does not."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rehearsal
from hypothesis import given, settings
from hypothesis import strategies as st
from similarities import POOL, alike, side
from threadpoolctl import threadpool_info, threadpool_limits

from realign.evaluators.fake import FakeEvaluator
from search import planner
from search.space import Space
from search.strategies import local
from search.strategies import proposer as proposal
from search.strategies.proposer import MeasuredSubset, Past, generator
from search.surrogate import acquisition, gaussian_process
from search.surrogate.kernels import Kernels, PriorKnowledge, masks
from search.surrogate.surrogate import Surrogate, begin_with
from selector.languages.language import parse
from selector.languages.subset import Subset
from selector.solvers.limits import Limits

n = len(POOL)


def measured(space: Space, subsets: list[Subset], running: int = 0, noise: float = 0.1) -> Past:
    """Facility location on the plane of `side(0)`, and a quality of every language."""
    S, quality = alike(0), np.random.default_rng(1).normal(size=n) * 0.05
    done = subsets[: len(subsets) - running]
    seen = []
    for index, subset in enumerate(done):
        chosen = list(space.indices(subset))
        luck = np.random.default_rng([7, index]).normal() * noise
        seen.append(
            MeasuredSubset(subset, float(S[:, chosen].max(axis=1).mean() + quality[chosen].mean() + 0.1 * luck))
        )
    return Past(tuple(seen), tuple((subset, "full") for subset in subsets))


def searched(propose: proposal.Proposer, space: Space, count: int, seed: int) -> list[Subset]:
    begun: list[Subset] = []
    for position in range(count):
        chosen = propose(space, measured(space, begun), generator(seed, position))
        assert chosen is not None
        begun.append(chosen)
    return begun


WIDE = Space(POOL, (2, 4))
TIGHT = Space(
    POOL,
    (2, 5),
    frozenset(POOL[:1]),
    frozenset(POOL[-1:]),
    Limits(np.arange(1.0, n + 1)[None], np.array([16.0]), ("budget",)),
)


@settings(max_examples=12, deadline=None)
@given(space=st.sampled_from([WIDE, TIGHT]), seed=st.integers(0, 99), running=st.integers(0, 4), small=st.booleans())
def test_proposals_keep_the_conditions_and_are_new(space: Space, seed: int, running: int, small: bool) -> None:
    rng = generator(seed, 0)
    begun = list(dict.fromkeys(space.random(rng) for _ in range(20)))
    past = measured(space, begun, running)
    with pytest.MonkeyPatch.context() as patch:
        if not small:  # as a large space is searched
            patch.setattr(acquisition, "ENUMERABLE", 0)
        chosen = Surrogate(side())(space, past, generator(seed, 1))
        assert chosen is not None
        assert space.allows(chosen)
        assert chosen not in past.taken
        assert chosen == Surrogate(side())(space, past, generator(seed, 1))


def test_a_space_is_exhausted_and_then_nothing_is_left() -> None:
    space = Space(POOL, (2, 2), frozenset(POOL[:1]))
    begun = searched(Surrogate(side()), space, n - 1, 0)
    assert set(begun) == set(space.every())
    assert Surrogate(side())(space, measured(space, begun), generator(0, n)) is None


def test_a_batch_holds_different_subsets() -> None:
    space = Space(POOL, (3, 3))
    begun = searched(proposal.random, space, 12, 0)
    batch: list[Subset] = []
    for position in range(16):
        past = measured(space, [*begun, *batch], running=len(batch))
        batch.append(Surrogate(side())(space, past, generator(0, position)) or begun[0])
    assert len({*begun, *batch}) == 28


def test_it_finds_better_subsets_than_chance() -> None:
    space = Space(POOL, (3, 3))
    best: dict[str, list[float]] = {"surrogate": [], "random": []}
    for seed in range(3):
        for name, propose in (("surrogate", Surrogate(side())), ("random", proposal.random)):
            truth = measured(space, searched(propose, space, 25, seed), noise=0.0).values
            best[name].append(max(truth.values()))
    top = max(measured(space, list(space.every()), noise=0.0).values.values())
    assert np.mean(best["surrogate"]) > np.mean(best["random"])
    assert np.mean(best["surrogate"]) > top - 0.01


def test_a_prior_that_misleads_loses_its_weight() -> None:
    space = Space(POOL, (3, 3))
    past = measured(space, searched(proposal.random, space, 40, 0))
    true, false = side(0), side(12)
    weight = {}
    for name, known in (("true", true), ("false", false)):
        fit = Surrogate(known).fit(space, past)
        weight[name] = dict(zip(fit.kernels.names, fit.weights.kernels, strict=True))["covered"]
    assert weight["false"] < weight["true"] / 3


def test_running_subsets_are_believed() -> None:
    """What runs lowers the uncertainty around itself and moves no expectation."""
    space = Space(POOL, (3, 3))
    begun = searched(proposal.random, space, 15, 0)
    alone = Surrogate(side()).fit(space, measured(space, begun))
    crowded = Surrogate(side()).fit(space, measured(space, [*begun, *list(space.every())[:30]], 30))
    X = masks(space, space.every())
    assert crowded(X)[0] == pytest.approx(alone(X)[0], abs=1e-4)
    assert (crowded(X)[1] <= alone(X)[1] + 1e-6).all()


def test_averaged_runs_count_for_more() -> None:
    space = Space(POOL, (3, 3))
    begun = searched(proposal.random, space, 12, 0)
    past = measured(space, begun)
    odd = [
        MeasuredSubset(each.subset, each.value + (0.3 if i == 5 else 0.0), seeds=1) for i, each in enumerate(past.seen)
    ]
    sure = [MeasuredSubset(each.subset, each.value, seeds=9 if i == 5 else 1) for i, each in enumerate(odd)]
    X = masks(space, [begun[5]])
    single, averaged = (Surrogate(side()).fit(space, Past(tuple(seen)))(X)[0][0] for seen in (odd, sure))
    assert averaged > single


def test_the_best_expectation_overstates_less_than_the_best_value() -> None:
    space = Space(POOL, (3, 3))
    surprise: dict[str, list[float]] = {"expected": [], "observed": []}
    for seed in range(16):
        begun = searched(proposal.random, space, 30, seed)
        noisy, truth = measured(space, begun, noise=1.0), measured(space, begun, noise=0.0).values
        subset, mean, deviation = Surrogate(side()).recommend(space, noisy)[0]
        assert deviation > 0
        lucky = max(noisy.values, key=noisy.values.__getitem__)
        surprise["expected"].append(mean - truth[subset])
        surprise["observed"].append(noisy.values[lucky] - truth[lucky])
    assert abs(np.mean(surprise["expected"])) < np.mean(surprise["observed"]) / 2


def test_an_optimist_expects_more_of_what_it_does_not_know() -> None:
    space = Space(POOL, (3, 3))
    order = sorted(measured(space, list(space.every()), noise=0.0).seen, key=lambda each: -each.value)
    best, worst = (masks(space, (each.subset for each in some)) for some in (order[:12], order[-12:]))
    optimist, realist = (
        Surrogate(PriorKnowledge()).fit(space, Past(tuple(order[:12])), each) for each in (True, False)
    )
    unknown, known = (optimist(X)[0] - realist(X)[0] for X in (worst, best))
    assert unknown.min() > 0
    assert unknown.mean() > 2 * np.abs(known).mean()


def test_a_failed_fit_is_said_once_and_swap_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    space = Space(POOL, (3, 3))
    past = measured(space, searched(proposal.random, space, 12, 0))
    broken = Surrogate(PriorKnowledge({"plane": np.full((n, n), np.nan)}))
    for position in range(2):
        assert broken(space, past, generator(0, position)) == local.swap(space, past, generator(0, position))
    assert capsys.readouterr().err.count("swap search") == 1
    assert broken.recommend(space, past)[0][0] == max(past.seen, key=lambda s: s.value).subset


def test_a_value_that_is_no_number_is_left_out() -> None:
    space = Space(POOL, (3, 3))
    past = measured(space, searched(proposal.random, space, 12, 0))
    odd = Past((*past.seen[:-1], MeasuredSubset(past.seen[-1].subset, float("nan"))), past.begun)
    chosen = Surrogate(side())(space, odd, generator(0, 0))
    assert chosen not in {None, *odd.taken}
    assert len(Surrogate(side()).recommend(space, odd)) == 11


def test_linear_algebra_is_on_one_thread_within_and_as_before_afterwards() -> None:
    def threads() -> set[int]:
        return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}

    seen: list[set[int]] = []

    def watched(X: np.ndarray) -> np.ndarray:
        seen.append(threads())
        return X[:, :1]

    space, rng = Space(POOL, (3, 3)), np.random.default_rng(0)
    past = measured(space, list(dict.fromkeys(space.random(rng) for _ in range(12))))
    surrogate = Surrogate(replace(side(0), given={"watched": watched}))
    with threadpool_limits(2, user_api="blas"):
        before = threads()
        surrogate(space, past, generator(0, 12))
        surrogate.recommend(space, past)
        surrogate.expected_improvement(space, past, rng)
        assert threads() == before
    assert len(seen) > 3
    assert all(each == {1} for each in seen)


def test_it_starts_by_chance() -> None:
    space = Space(POOL, (3, 3))
    few = measured(space, searched(proposal.random, space, begin_with(space) - 1, 0))
    assert Surrogate(side())(space, few, generator(0, 9)) == proposal.random(space, few, generator(0, 9))


def test_the_order_of_the_pool_does_not_matter(tmp_path: Path) -> None:
    found = []
    for number, pool in enumerate((rehearsal.POOL, rehearsal.POOL[::-1])):
        config = rehearsal.study(tmp_path / str(number), pool=pool, strategy="surrogate")
        past = measured(config.space, searched(proposal.random, config.space, 12, 0))
        found.append(planner.planner(config)(12, past))
    assert found[0] == found[1]
    assert found[0] is not None
    assert found[0].origin == "surrogate"


def test_another_process_proposes_the_same(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(rehearsal.__file__).parent)!r}]\n"
        "import test_surrogate as t\n"
        "space = t.Space(t.POOL, (3, 3)); print(*(s.key for s in t.searched(t.Surrogate(t.side()), space, 14, 5)))"
    )
    here = " ".join(s.key for s in searched(Surrogate(side()), Space(POOL, (3, 3)), 14, 5))
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


@pytest.mark.parametrize("own", [False, True])
def test_mixed_kernels_are_the_sum_of_each(own: bool) -> None:
    kernels = Kernels(side(), WIDE, {}, own)
    a, b = (kernels.at(masks(WIDE, searched(proposal.random, WIDE, 8, seed))) for seed in (0, 1))
    weights = np.arange(1.0, len(kernels.names) + 1)
    assert kernels.towards(weights, b)(a) == pytest.approx(np.tensordot(weights, kernels.each(a, b), 1))
    assert kernels.own(weights, a) == pytest.approx(np.diag(kernels.towards(weights, a)(a)))
    assert np.linalg.eigvalsh(kernels.towards(weights, a)(a)).min() > -1e-9


def test_what_a_subset_has_of_its_own_is_recommended_and_not_taken_for_noise() -> None:
    """One of forty subsets is worth more than its members and pairs say, and was measured without noise."""
    space = Space(POOL, (3, 3))
    begun = searched(proposal.random, space, 40, 4)
    plain = measured(space, begun, noise=0.0)
    values = [each.value for each in plain.seen]
    special = sorted(plain.seen, key=lambda each: each.value)[-3]
    risen = replace(special, value=max(values) + 0.5 * float(np.std(values)))
    known = replace(plain, seen=tuple(risen if each is special else each for each in plain.seen))
    surrogate = Surrogate(PriorKnowledge())
    without, _ = surrogate.fit(space, replace(known, begun=()))(masks(space, (each.subset for each in known.seen)))
    assert known.seen[int(without.argmax())].subset != special.subset
    assert surrogate.recommend(space, known)[0][0] == special.subset


def test_the_slope_of_the_likelihood_is_that_of_its_value() -> None:
    """Weights that generated the data are found again."""
    rng = np.random.default_rng(0)
    F, G = rng.normal(size=(150, 3)), rng.normal(size=(150, 40))
    K = np.stack([F @ F.T / 3, G @ G.T / 40])
    y = F @ rng.normal(size=3) * 0.2 + G @ rng.normal(size=40) / np.sqrt(40) + rng.normal(size=150) * 0.3
    usual, doubt = gaussian_process.Weights(np.array([1.0, 1.0]), 1.0), np.full(3, 3.0)
    found = gaussian_process.learn_weights(K, y, np.ones(150), usual, doubt)
    assert found.noise == pytest.approx(0.09, rel=0.5)
    assert found.kernels[0] < found.kernels[1] / 2


def test_expected_improvement_is_what_draws_say() -> None:
    draws = np.random.default_rng(0).normal(0.3, 0.5, size=1_000_000)
    given = acquisition.log_improvement(np.array([0.3]), np.array([0.5]), 0.7)
    assert np.exp(given[0]) == pytest.approx(np.maximum(draws - 0.7, 0).mean(), rel=0.01)
    far = acquisition.log_improvement(np.array([-40.0, -41.0]), np.array([1.0, 1.0]), 0.0)
    assert np.isfinite(far).all()
    assert far[0] > far[1]
    certain = acquisition.log_improvement(np.array([29.9, 30.1, 50.0, 1e6, 1e6]), np.array([1, 1, 1, 1, 1e-6]), 0.0)
    assert np.exp(certain) == pytest.approx([29.9, 30.1, 50.0, 1e6, 1e6])


def test_climbing_finds_the_best_of_a_smooth_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acquisition, "ENUMERABLE", 0)
    worth = np.random.default_rng(3).normal(size=n)
    starts = masks(WIDE, [Subset(POOL[:3])])
    seen = masks(WIDE, [WIDE.subset(tuple(np.argsort(-worth)[:4]))])
    found = acquisition.best_unseen(WIDE, lambda X: X @ worth, starts, seen, generator(0, 0))
    assert found is not None
    ranked = sorted((sum(worth[list(c)]) for k in (2, 3, 4) for c in itertools.combinations(range(n), k)), reverse=True)
    best = next(value for value in ranked if not np.isclose(value, float(seen[0] @ worth)))
    assert found @ worth == pytest.approx(best)


def test_a_study_runs_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = rehearsal.write(tmp_path, strategy="surrogate", trials=14)
    assert rehearsal.realingo("search", path, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["trials"]["complete"] == 14
    truth = np.mean(
        list(FakeEvaluator(POOL, POOL).truth(Subset.of(map(parse, document["best"]["languages"]))).values())
    )
    assert truth > 0.95 * FakeEvaluator(POOL, POOL).optimum(3)[1]
