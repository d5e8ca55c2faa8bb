"""From whom targets learn: what was planted is found again, and who is listed first never matters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import spearmanr

from search.space import Space
from search.strategies.proposer import MeasuredSubset, Past
from search.surrogate.kernels import PriorKnowledge
from search.surrogate.source_effects import SHARPNESS, Donors, LeastSquares, donors
from search.surrogate.surrogate import Surrogate
from selector.languages.language import parse_pool
from selector.languages.subset import Subset

n, t, k = 15, 20, 4


def drawn(rng: np.random.Generator, count: int) -> np.ndarray:
    X = np.zeros((count, n))
    for row in X:
        row[rng.choice(n, k, replace=False)] = 1.0
    return X


def planted(seed: int) -> tuple[np.random.Generator, np.ndarray, Donors]:
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(t, n))
    return rng, A, Donors(A, np.full(t, 1 / t))


def scores(A: np.ndarray, X: np.ndarray) -> np.ndarray:
    return np.log1p(X @ np.exp(SHARPNESS * A).T) / SHARPNESS


@pytest.mark.parametrize("seed", range(3))
def test_what_every_target_gains_is_found_although_a_run_shifts_all_of_them(seed: int) -> None:
    rng, A, truth = planted(seed)
    X, new = drawn(rng, 60), drawn(rng, 200)
    Y = scores(A, X) + rng.normal(size=(60, 1)) + 0.1 * rng.normal(size=(60, t))
    found = donors(X, Y, truth.share, [])
    assert found is not None
    assert spearmanr(found(new)[:, 0], truth(new)[:, 0]).statistic > 0.75
    again = donors(X, Y + rng.normal(size=(60, 1)), truth.share, [])  # another shift of each run
    assert again is not None
    np.testing.assert_allclose(again.A, found.A, atol=1e-3)


def test_similarity_stands_in_for_measurements() -> None:
    rng, A, truth = planted(0)
    X, new = drawn(rng, 6), drawn(rng, 200)
    Y = scores(A, X) + 0.1 * rng.normal(size=(6, t))

    def agreement(near: list[np.ndarray]) -> float:
        found = donors(X, Y, truth.share, near)
        assert found is not None
        return float(spearmanr(found(new)[:, 0], truth(new)[:, 0]).statistic)

    assert agreement([A + 0.5 * rng.normal(size=A.shape)]) > agreement([]) + 0.1


def task(seed: int) -> tuple[np.random.Generator, LeastSquares, np.ndarray]:
    """A fit with one metric, and a point of it whose contrasts fit to the last digit."""
    rng, A, _ = planted(seed)
    X, weights, R = drawn(rng, 12), rng.random(t), rng.random((t, n))
    share = weights / weights.sum()
    exact = scores(A + 0.4 * R, X)
    exact -= (exact @ share)[:, None]
    return rng, LeastSquares(X, exact, share, [R]), np.concatenate([[0.4], A.ravel(), np.zeros(t)])


def test_slope_and_bend_are_those_of_the_loss() -> None:
    rng, fit, exact = task(1)
    theta = exact + 0.3 * rng.normal(size=exact.shape)
    _, slope = fit.loss(theta)
    for index in rng.choice(len(theta), 40, replace=False):
        step = np.zeros(len(theta))
        step[index] = 1e-6
        difference = (fit.loss(theta + step)[0] - fit.loss(theta - step)[0]) / 2e-6
        assert slope[index] == pytest.approx(difference, rel=1e-4, abs=1e-5)
    along = rng.normal(size=exact.shape)
    bend = (fit.loss(exact + 1e-5 * along)[1] - fit.loss(exact - 1e-5 * along)[1]) / 2e-5
    np.testing.assert_allclose(fit.bend(exact, along), bend, atol=1e-4)  # no residual: the true second derivative


@pytest.mark.parametrize("seed", range(3))
def test_the_loss_ends_where_another_method_brings_it(seed: int) -> None:
    rng, A, truth = planted(seed)
    X = drawn(rng, 60)
    Y = scores(A, X) + 0.5 * rng.normal(size=(60, t))
    C = Y - (Y @ truth.share)[:, None]
    fit = LeastSquares(X, C / (C - C.mean(axis=0)).std(), truth.share, [A + rng.normal(size=A.shape)])
    lowest = minimize(fit.loss, fit.start, jac=True, method="L-BFGS-B", options={"maxiter": 2000}).fun
    assert fit.loss(fit.start)[0] > 1.5 * lowest
    assert fit.loss(fit.solve())[0] < 1.002 * lowest


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_the_order_of_measurements_languages_and_targets_never_matters(seed: int) -> None:
    rng, A, truth = planted(seed)
    X = drawn(rng, 20)
    Y, near = scores(A, X) + 0.1 * rng.normal(size=(20, t)), rng.random((t, n))
    rows, columns, targets = rng.permutation(20), rng.permutation(n), rng.permutation(t)
    one = donors(X, Y, truth.share, [near])
    other = donors(X[rows][:, columns], Y[rows][:, targets], truth.share, [near[targets][:, columns]])
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(other(X[:, columns]), one(X), atol=5e-3)


def test_nobody_gives_nothing_and_targets_that_do_not_differ_teach_nothing() -> None:
    rng, _, truth = planted(2)
    X = drawn(rng, 10)
    assert truth(np.zeros((1, n)))[0, 0] == 0.0
    alike = np.repeat(rng.normal(size=(10, 1)), t, axis=1) + rng.normal(size=t)
    assert donors(X, alike, truth.share, []) is None


def test_the_surrogate_reads_the_targets_where_every_measurement_tells_of_them() -> None:
    pool = parse_pool("deu,fra,rus,hin,tur,fin,swh,ind,jpn,zho")
    codes = tuple(language.code for language in pool)
    space, rng = Space(pool, (3, 3)), np.random.default_rng(0)
    subsets = list(dict.fromkeys(space.random(rng) for _ in range(12)))

    def kernels(told: int) -> tuple[str, ...]:
        def seen(index: int, subset: Subset) -> MeasuredSubset:
            each = {code: float(rng.normal() + (code in subset.codes)) for code in codes}
            return MeasuredSubset(subset, float(np.mean(list(each.values()))), each if index < told else {})

        past = Past(tuple(map(seen, range(len(subsets)), subsets)), tuple((subset, "full") for subset in subsets))
        return Surrogate(PriorKnowledge(targets=codes)).fit(space, past).kernels.names

    assert "donors" in kernels(len(subsets))
    assert "donors" not in kernels(5)
