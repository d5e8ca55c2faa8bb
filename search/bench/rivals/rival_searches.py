"""Other people's ways to search over subsets, for `bench search` alone: `rival:NAME`. Each proposes from the past only.

Notations
    N, n     measurements, languages of the pool
    X        who is in a subset [N, n], 0 or 1
    y        values, standardize [N]
heat       Gaussian process of BoTorch with the heat kernel on the hypercube, Π tanh(β_i)^[x_i ≠ y_i], one β for all
           languages (Doumont et al. 2025, arXiv 2510.26633); heat-ard: a β for each
johnson    Gaussian process with the heat kernel on the Johnson graph, between subsets of one size (`johnson_kernel`)
smac       random forest and expected improvement of SMAC 3 (Lindauer et al. 2022) over one real number per language; a
           subset is the languages with the k greatest
quadratic  Bayesian regression on members and pairs with normal priors, expected improvement
bocs       the same with one draw of the coefficients at each position (Thompson sampling), as BOCS does (Baptista and
           Poloczek 2018), whose sparse prior it does not have
linear     Bayesian regression on members alone; the mean of all subsets is taken to be that of the measured ones
None knows similarities of languages or looks at the scores of single targets. But for SMAC, the best subset of a model
is sought as the surrogate seeks it: all subsets of small spaces, else by swaps. BoTorch and SMAC come with the extra
`rivals`. AutoSampler of OptunaHub needs no place here: with fewer than 250 trials it is Optuna's Gaussian process where
parameters are numbers and its TPE where they are booleans, which are the strategies `gp` and `tpe`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from search.bench.rivals.johnson_kernel import JohnsonProcess
from search.space import Space
from search.strategies.proposer import Past, Proposer, random
from search.surrogate import acquisition, gaussian_process
from search.surrogate.gaussian_process import Posterior, Weights
from search.surrogate.kernels import masks
from search.surrogate.surrogate import begin_with
from selector.errors import InputError
from selector.languages.subset import Subset

Array = NDArray[np.float64]
Predict = Callable[[Array], tuple[Array, Array]]  # subsets X [B, n] → mean [B] and standard deviation [B]
Model = Callable[[Array, Array], Predict]  # X [N, n] and y [N] → what it predicts

PREFIX = "rival:"
STARTS = 8  # climbs: five from what is predicted best, three from random subsets
USUAL = Weights(np.array([0.5, 0.3]), 0.2)  # members, pairs, noise
DOUBT = 1.5  # standard deviation of log weights around the usual ones
CHALLENGERS, CLIMBS = 1000, 2  # of SMAC's search in its model: its own 10,000 and 10 take 4 to 6 s a suggestion
NEEDS = {"heat": "botorch", "heat-ard": "botorch", "smac": "smac"}


def rival(strategy: str) -> Proposer:
    """The proposer behind `rival:NAME`. InputError where there is none, or where its library is not installed."""
    name = strategy.removeprefix(PREFIX)
    if name not in RIVALS:
        raise InputError(f"there is no strategy '{strategy}'", f"known: {', '.join(map(PREFIX.__add__, RIVALS))}")
    library = NEEDS.get(name)
    if library and importlib.util.find_spec(library) is None:
        raise InputError(f"{strategy} needs {library}, which is not installed", "pip install 'realingo[rivals]'")
    return RIVALS[name]


def by_improvement(model: Model, space: Space, past: Past, rng: Generator) -> Subset | None:
    """The subset of highest expected improvement over the highest mean of a measured one, not begun before."""
    if len(past.values) < begin_with(space):
        return random(space, past, rng)
    X, y = standardize(space, past)
    predict = model(X, y)
    best = float(predict(X)[0].max())

    def score(Z: Array) -> Array:
        return acquisition.log_improvement(*predict(Z), best)

    return most(score, predict(X)[0], space, past, rng)


def standardize(space: Space, past: Past) -> tuple[Array, Array]:
    """The measurements as arrays: X [N, n] and y [N]."""
    y = np.array(list(past.values.values()))
    return masks(space, past.values), (y - y.mean()) / (y.std() or 1.0)


def most(score: acquisition.Score, heights: Array, space: Space, past: Past, rng: Generator) -> Subset | None:
    """The subset of highest score not begun before; `heights` [N] of the measured subsets say where climbs begin."""
    X = masks(space, past.values)
    top = X[np.argsort(-heights, kind="stable")[: STARTS - 3]]
    starts = np.concatenate([top, masks(space, (space.random(rng) for _ in range(3)))])
    x = acquisition.best_unseen(space, score, starts, masks(space, past.taken), rng)
    return random(space, past, rng) if x is None else space.subset(tuple(np.flatnonzero(x).tolist()))


def centred(X: Array) -> Array:
    """Membership less its mean over random subsets of the same size, of length about 1."""
    size = X.sum(axis=1, keepdims=True)
    return np.asarray((X - size / X.shape[1]) / np.sqrt(np.maximum(size, 1.0)))


def by_order(shared: Array, orders: int) -> Array:
    """Kernels of members, and of pairs of them, from products of centred masks: [orders, ...]."""
    return np.stack([shared, shared**2][:orders])


def regression(pairs: bool, optimistic: bool, X: Array, y: Array) -> Predict:
    """Bayesian regression on members, and on `pairs` of them, with the most plausible variances of the coefficients.

    `optimistic`: the mean of all subsets is taken to be that of the measured ones, instead of estimated.
    """
    Z, orders = centred(X), 1 + pairs
    each = by_order(Z @ Z.T, orders)
    usual = Weights(USUAL.kernels[:orders], USUAL.noise)
    w = gaussian_process.learn_weights(each, y, np.ones(len(y)), usual, np.full(orders + 1, DOUBT))
    K = np.tensordot(w.kernels, each, 1) + w.noise * np.eye(len(y))
    posterior = Posterior(K, y, float(y.mean()) if optimistic else None)

    def predict(A: Array) -> tuple[Array, Array]:
        a = centred(A)
        k = np.tensordot(w.kernels, by_order(a @ Z.T, orders), 1)
        own = w.kernels @ by_order(np.einsum("bn,bn->b", a, a), orders)
        return posterior.mean(k), np.sqrt(posterior.variance(k, own))

    return predict


def thompson(space: Space, past: Past, rng: Generator) -> Subset | None:
    """The best subset under one draw of all coefficients of members and pairs."""
    if len(past.values) < begin_with(space):
        return random(space, past, rng)
    X, y = standardize(space, past)
    each = by_order(centred(X) @ centred(X).T, 2)
    weights = gaussian_process.learn_weights(each, y, np.ones(len(y)), USUAL, np.full(3, DOUBT))
    one, two = coefficients(centred(X), y, weights, rng)

    def score(A: Array) -> Array:
        a = centred(A)
        return np.asarray(a @ one + ((a @ two) * a).sum(axis=1))

    return most(score, score(X), space, past, rng)


def coefficients(Z: Array, y: Array, weights: Weights, rng: Generator) -> tuple[Array, Array]:
    """One draw from the posterior, of members [n] and pairs [n, n], after y [N] at centred masks Z [N, n].

    A draw from the prior is corrected by what it gets wrong at Z (Matheron's rule): n² coefficients need no n² × n²
    matrix.
    """
    n, (w1, w2) = Z.shape[1], weights.kernels
    one, two = np.sqrt(w1) * rng.normal(size=n), np.sqrt(w2) * rng.normal(size=(n, n))
    K = np.tensordot(weights.kernels, by_order(Z @ Z.T, 2), 1)
    K[np.diag_indices(len(y))] += weights.noise + gaussian_process.JITTER
    told = Z @ one + ((Z @ two) * Z).sum(axis=1) + np.sqrt(weights.noise) * rng.normal(size=len(y))
    rest = np.linalg.solve(K, y - told)
    return one + w1 * (Z.T @ rest), two + w2 * (Z.T * rest) @ Z


def heat(each_own: bool, X: Array, y: Array) -> Predict:
    return predictions(heat_model(each_own, X, y), X, y)


def heat_model(each_own: bool, X: Array, y: Array) -> Any:
    """BoTorch's single-task model with the heat kernel, fitted; BoTorch's usual prior of the noise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what these libraries use of torch, of inputs that fill no unit cube
        import torch
        from botorch.exceptions import ModelFittingError
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from gpytorch.kernels import ScaleKernel
        from gpytorch.mlls import ExactMarginalLogLikelihood

        from search.bench.rivals.heat_kernel import HeatKernel

        points = torch.from_numpy(X)
        kernel = ScaleKernel(HeatKernel(X.shape[1], each_own)).to(points)
        model = SingleTaskGP(points, torch.from_numpy(y)[:, None], covar_module=kernel, outcome_transform=None)
        with contextlib.suppress(ModelFittingError):  # then with the weights it began with
            fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        return model.eval()


def predictions(model: Any, X: Array, y: Array) -> Predict:
    """The posterior of a fitted model, in NumPy: the same numbers, for thousands of subsets at once."""
    scale = float(model.covar_module.outputscale.detach())
    rate = np.broadcast_to(model.covar_module.base_kernel.rate.detach().numpy(), X.shape[1:])
    noise, constant = float(model.likelihood.noise.detach()), float(model.mean_module.constant.detach())

    def kernel(A: Array) -> Array:
        weighted = A * rate
        apart = weighted.sum(axis=1)[:, None] + (X @ rate)[None] - 2.0 * weighted @ X.T
        return np.asarray(scale * np.exp(-np.maximum(apart, 0.0)))

    posterior = Posterior(kernel(X) + noise * np.eye(len(y)), y, constant)

    def predict(A: Array) -> tuple[Array, Array]:
        k = kernel(A)
        return posterior.mean(k), np.sqrt(posterior.variance(k, np.full(len(A), scale)))

    return predict


def smac(space: Space, past: Past, rng: Generator) -> Subset | None:
    """SMAC's answer to what was measured. A measured subset is told as keys: members above a half, others below."""
    if len(past.values) < begin_with(space):
        return random(space, past, rng)
    keys = _ask_smac(space, past, int(rng.integers(2**31)))
    order = sorted(space.free, key=lambda place: -keys[place])
    asked = space.filled(order, min(max(int((keys > 0.5).sum()), space.sizes[0]), space.sizes[1]))
    if asked is not None and asked not in past.taken:
        return asked
    near = [] if asked is None else [subset for subset in space.neighbours(asked) if subset not in past.taken]
    return near[rng.integers(len(near))] if near else random(space, past, rng)


def _ask_smac(space: Space, past: Past, seed: int) -> Array:
    """Keys [n] of SMAC's next configuration."""
    import tempfile
    from pathlib import Path

    from ConfigSpace import Configuration, ConfigurationSpace, Float
    from smac import HyperparameterOptimizationFacade as Facade
    from smac import Scenario
    from smac.acquisition.function import EI
    from smac.acquisition.maximizer import LocalAndSortedRandomSearch
    from smac.model.random_forest import RandomForest
    from smac.runhistory.dataclasses import TrialInfo, TrialValue
    from smac.runhistory.encoder import RunHistoryEncoder

    logging.getLogger("smac").setLevel(logging.ERROR)
    names = [language.code for language in space.pool]
    configurations = ConfigurationSpace(seed=seed)
    configurations.add([Float(name, (0.0, 1.0)) for name in names])
    X, y = standardize(space, past)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scenario = Scenario(
            configurations, deterministic=True, n_trials=10_000, seed=seed, output_directory=Path(folder)
        )
        search = Facade(
            scenario,
            lambda config, seed=0: 0.0,
            model=RandomForest(configurations, ratio_features=1.0, min_samples_leaf=1, n_jobs=1, seed=seed),
            acquisition_function=EI(),
            acquisition_maximizer=LocalAndSortedRandomSearch(
                configurations, challengers=CHALLENGERS, local_search_iterations=CLIMBS, seed=seed
            ),
            initial_design=Facade.get_initial_design(scenario, n_configs=0),
            runhistory_encoder=RunHistoryEncoder(scenario),
            overwrite=True,
            logging_level=False,
        )
        for place, (x, value) in enumerate(zip(X, y, strict=True)):
            own = (x + default_rng(place).random(len(x))) / 2
            told = Configuration(configurations, values=dict(zip(names, own.tolist(), strict=True)))
            search.tell(TrialInfo(told, seed=0), TrialValue(cost=-float(value)), save=False)
        found: Mapping[str, Any] = search.ask().config
    return np.array([float(found[name]) for name in names])


RIVALS: Mapping[str, Proposer] = {
    "heat": partial(by_improvement, partial(heat, False)),
    "heat-ard": partial(by_improvement, partial(heat, True)),
    "johnson": partial(by_improvement, JohnsonProcess),
    "smac": smac,
    "quadratic": partial(by_improvement, partial(regression, True, False)),
    "bocs": thompson,
    "linear": partial(by_improvement, partial(regression, False, True)),
}
