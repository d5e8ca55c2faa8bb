"""From whom targets learn: what was planted is found again, and who is listed first never matters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from search.space import Space
from search.strategies.proposer import MeasuredSubset, Past
from search.surrogate import source_effects as module
from search.surrogate.kernels import PriorKnowledge
from search.surrogate.source_effects import SHARPNESS, Donors, donors
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


def test_the_slope_is_the_slope(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `minimize` is given, against differences."""
    rng, A, _ = planted(1)
    X = drawn(rng, 12)
    weights = rng.random(t)
    asked = {}

    def caught(loss, start, **rest):  # type: ignore[no-untyped-def]
        asked["loss"], asked["start"] = loss, start
        return type("Found", (), {"x": start})

    monkeypatch.setattr(module, "minimize", caught)
    donors(X, scores(A, X), weights / weights.sum(), [rng.random((t, n))])
    theta = asked["start"] + 0.3 * rng.normal(size=asked["start"].shape)
    _, slope = asked["loss"](theta)
    for index in rng.choice(len(theta), 40, replace=False):
        step = np.zeros(len(theta))
        step[index] = 1e-6
        difference = (asked["loss"](theta + step)[0] - asked["loss"](theta - step)[0]) / 2e-6
        assert slope[index] == pytest.approx(difference, rel=1e-4, abs=1e-5)


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
