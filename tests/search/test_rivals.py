"""Other people's searches: they keep the space and the past, and their numbers are those of their models."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import rehearsal
from scipy.linalg import expm

from search.bench.problems.synthetic import synthetic_problem
from search.bench.rivals import johnson_kernel
from search.bench.rivals import rival_searches as rivals
from search.space import Space
from search.strategies.proposer import MeasuredSubset, Past, generator
from search.surrogate.gaussian_process import Weights
from selector.errors import InputError
from selector.languages.language import parse_pool

SPACE = Space(parse_pool(list(rehearsal.POOL))[:9], k=4)
HERE = [name for name in rivals.RIVALS if importlib.util.find_spec(rivals.NEEDS.get(name, "numpy"))]
ABSENT = [name for name in rivals.RIVALS if name not in HERE]


def measured(count: int) -> Past:
    """Values that are the sum of the members' places, and a little noise."""
    rng, past = np.random.default_rng(0), Past()
    while len(past.seen) < count:
        subset = SPACE.random(rng)
        if subset not in past.taken:
            value = float(sum(SPACE.indices(subset))) + 0.1 * rng.normal()
            past = Past((*past.seen, MeasuredSubset(subset, value)), (*past.begun, (subset, "full")))
    return past


@pytest.mark.parametrize("name", HERE)
def test_a_rival_proposes_what_was_not_begun_and_answers_the_same_again(name: str) -> None:
    propose, past = rivals.rival(f"rival:{name}"), measured(40)
    first = propose(SPACE, past, generator(3, 40))
    assert first is not None
    assert SPACE.allows(first)
    assert first not in past.taken
    assert first == propose(SPACE, past, generator(3, 40))


@pytest.mark.parametrize("name", sorted({*HERE} - {"smac", "bocs"}))
def test_a_model_finds_the_best_of_a_sum(name: str) -> None:
    """The four last languages are best; where they were met already, their neighbour is."""
    past = measured(40)
    best = SPACE.subset((5, 6, 7, 8))
    past = replace(past, seen=tuple(each for each in past.seen if each.subset != best))
    past = Past(past.seen, tuple((each.subset, "full") for each in past.seen))
    assert rivals.rival(f"rival:{name}")(SPACE, past, generator(0, 0)) == best


def test_draws_of_coefficients_have_the_mean_and_spread_of_the_regression() -> None:
    """Against the formulas for all 4 + 16 coefficients at once."""
    rng = np.random.default_rng(1)
    Z, y, weights = rng.normal(size=(12, 4)), rng.normal(size=12), Weights(np.array([0.7, 0.2]), 0.3)
    features = np.hstack([Z, np.einsum("bi,bj->bij", Z, Z).reshape(12, 16)])
    prior = np.repeat([0.7, 0.2], [4, 16])
    covariance = np.linalg.inv(features.T @ features / 0.3 + np.diag(1 / prior))
    mean = covariance @ features.T @ y / 0.3
    draws = [rivals.coefficients(Z, y, weights, rng) for _ in range(4000)]
    flat = np.array([np.append(one, two.ravel()) for one, two in draws])
    assert flat.mean(axis=0) == pytest.approx(mean, abs=0.05)
    assert flat.std(axis=0) == pytest.approx(np.sqrt(np.diag(covariance)), rel=0.08)


@pytest.mark.filterwarnings("ignore")  # what GPyTorch and BoTorch use of torch is deprecated
@pytest.mark.skipif(bool(ABSENT), reason="the extra 'rivals' is not installed")
def test_the_heat_kernel_is_the_published_product_and_its_numbers_are_those_of_botorch() -> None:
    import torch

    from search.bench.rivals.heat_kernel import HeatKernel

    X = np.random.default_rng(0).integers(0, 2, (14, 6)).astype(float)
    kernel = HeatKernel(6, each_own=True)
    kernel.raw_rate.data = torch.linspace(-2, 1, 6, dtype=torch.float64)
    beta = np.arctanh(np.exp(-kernel.rate.detach().numpy()))
    product = np.prod(np.where(X[:, None] != X[None], np.tanh(beta), 1.0), axis=2)
    points = torch.from_numpy(X)
    assert kernel(points).to_dense().detach().numpy() == pytest.approx(product)
    y = X @ np.arange(6.0)
    model = rivals.heat_model(True, X, (y - y.mean()) / y.std())
    with torch.no_grad():
        theirs = model.posterior(points[:5])
    mean, deviation = rivals.predictions(model, X, (y - y.mean()) / y.std())(X[:5])
    assert mean == pytest.approx(theirs.mean.numpy().ravel(), abs=1e-3)
    assert deviation == pytest.approx(theirs.variance.sqrt().numpy().ravel(), abs=1e-3)


@pytest.mark.parametrize(("n", "k", "rate"), [(6, 3, 0.4), (7, 2, 0.15), (6, 5, 0.3), (5, 1, 1.0)])
def test_the_johnson_kernel_is_the_heat_of_the_graph_of_exchanges(n: int, k: int, rate: float) -> None:
    """Against the exponential of the graph's whole Laplacian."""
    X = np.array([[i in chosen for i in range(n)] for chosen in combinations(range(n), k)], dtype=float)
    apart = np.rint(k - X @ X.T).astype(int)
    edges = (apart == 1).astype(float)
    heat = expm(-rate * (np.diag(edges.sum(axis=1)) - edges))
    assert johnson_kernel.by_distance(n, k, rate)[apart] == pytest.approx(heat / heat[0, 0], abs=1e-12)


def test_the_johnson_kernel_holds_its_digits_where_subsets_are_large() -> None:
    table = johnson_kernel.by_distance(200, 20, np.log(200) / 200)
    assert table[0] == pytest.approx(1.0)
    assert (np.diff(table) < 0).all()
    assert table[-1] > -1e-12


def test_the_johnson_graph_has_subsets_of_one_size() -> None:
    with pytest.raises(ValueError, match="one size"):
        johnson_kernel.JohnsonProcess(np.array([[1.0, 0, 0], [1, 1, 0]]), np.array([0.0, 1.0]))


def test_what_is_not_there_is_said_with_a_way_out() -> None:
    with pytest.raises(InputError, match="no strategy 'rival:oracle'"):
        rivals.rival("rival:oracle")
    for name in ABSENT:
        with pytest.raises(InputError, match="not installed") as problem:
            rivals.rival(f"rival:{name}")
        assert "realingo[rivals]" in problem.value.hint


def test_sparse_problems_have_few_pairs_and_say_so() -> None:
    sparse, usual = synthetic_problem("n60-sparse", 1), synthetic_problem("n60", 1)
    count = [int((problem.f.pairs != 0).sum()) // 2 for problem in (sparse, usual)]  # type: ignore[attr-defined]
    assert 1 <= count[0] <= 20 < 120 <= count[1]
    assert "0.5% of pairs interact" in sparse.name
