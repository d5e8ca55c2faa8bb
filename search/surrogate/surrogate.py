"""The set-aware surrogate: a Gaussian process over subsets proposes what is expected to improve most. No torch.

Notations
    N, B, J   measurements, subsets asked about, kernels
    y, r      values, standardized [N], and their noise relative to a run's [N]: 1 / runs averaged
Kernels are those of `kernels`; expected improvement over the best posterior mean, not over the best value seen, which
is the luckiest. Where there are too many subsets to look through, every second proposal is optimistic: it expects
of what it does not know as much as of what was measured, which the search has chosen. Subsets that are running stand in
with their expected value (Kriging believer: Ginsbourger et al. 2010). What a cheaper fidelity says, its posterior mean,
is a feature of the one above, with a learned weight (autoregressive cokriging: Kennedy & O'Hagan 2000, in the recursive
form of Le Gratiet & Garnier 2014). So is what the scores of single targets say together (`source_effects`), and what
published results promise (`prior_knowledge`). A subset may be measured more than once, on other seeds (`repeats`):
its measurements stand beside each other, so how far they lie apart helps to tell the noise.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from search import terminal
from search.space import ENUMERABLE, Space
from search.strategies import ladder, local
from search.strategies import proposer as proposal
from search.strategies.proposer import MeasuredSubset, Past
from search.surrogate import acquisition, gaussian_process, repeats
from search.surrogate.acquisition import Score
from search.surrogate.gaussian_process import Posterior, Weights
from search.surrogate.kernels import Kernels, Points, PriorKnowledge, masks
from search.surrogate.one_thread import one_thread
from search.surrogate.repeats import Repeats
from search.surrogate.source_effects import Donors, donors
from selector.languages.subset import Subset

Array = NDArray[np.float64]
Learned = TypeVar("Learned")

NOISE = 0.2  # usual share of noise in what is measured
DOUBT = 1.5  # standard deviation of log weights around what is usual
MOST_LEARNED = 200  # measurements that weights are learned from
STARTS = (3, 7)  # climbs: few where the pool and the past are large, more where each is quick
QUICK = 40_000  # languages times measurements that leave time for one climb


@dataclass(frozen=True)
class Fit:
    """A surrogate that has seen what it has seen."""

    kernels: Kernels
    weights: Weights
    posterior: Posterior  # of what was measured, and what is running
    towards: Callable[[Points], Array]  # covariances with `points`, of the values themselves
    centre: float
    scale: float

    def __call__(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of subsets X [B, n], in units of the objective."""
        at = self.kernels.at(X)
        k = self.towards(at)
        variance = self.posterior.variance(k, self.kernels.own(self.weights.kernels, at))
        return self.centre + self.scale * self.posterior.mean(k), self.scale * np.sqrt(variance)

    def joint(self, X: Array) -> tuple[Array, Array]:
        """Mean [B] and covariance [B, B] of subsets `X` [B, n], in units of the objective."""
        at = self.kernels.at(X)
        k = self.towards(at)
        own = self.kernels.towards(self.weights.kernels, at)(at)
        covariance = self.posterior.covariance(k, own, np.ones(len(X)))
        return self.centre + self.scale * self.posterior.mean(k), self.scale**2 * covariance

    def mean(self, X: Array) -> Array:
        """Mean of subsets `X` [B, n], standardized, [B, 1]: a feature for the fidelity above."""
        k = self.towards(self.kernels.at(X))
        return self.posterior.mean(k)[:, None]

    def functional(self, W: Array, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation, each [F], of W f: weights `W` [F, B], values f of subsets `X` [B, n]."""
        at = self.kernels.at(X)
        k = W @ self.towards(at)
        own = W @ self.kernels.towards(self.weights.kernels, at)(at) @ W.T
        ones = W.sum(axis=1)
        mean = (self.centre + self.scale * self.posterior.constant) * ones + self.scale * (k @ self.posterior.alpha)
        variance = np.diag(self.posterior.covariance(k, own, ones))
        return mean, self.scale * np.sqrt(np.maximum(variance, 0.0))


class Surrogate:
    """`Proposer`. `side` is in the order of the space's pool; `repeats` happen at `level` alone."""

    def __init__(self, side: PriorKnowledge, repeats: Repeats = "never", level: str = "full") -> None:
        self.side, self.repeats, self.level = side, repeats, level
        self._said = False
        self._remembered: dict[tuple[str, str], tuple[bytes, Any]] = {}  # what was learned at a level, and from what

    @one_thread()
    def __call__(self, space: Space, past: Past, rng: Generator) -> Subset | None:
        past = _finite(past)
        if len(past.here) < (2 if ladder.below(past) else begin_with(space)):
            return proposal.random(space, past, rng)
        try:
            return self._best(space, past, rng)
        except (np.linalg.LinAlgError, ValueError, FloatingPointError) as problem:
            if not self._said:
                terminal.warn(f"the surrogate cannot be fitted ({problem}): swap search goes on in its place")
            self._said = True
            return local.swap(space, past, rng)

    @one_thread()
    def recommend(self, space: Space, past: Past) -> list[tuple[Subset, float, float]]:
        """The subsets of `space` that `past` has measured, by posterior mean, best first.

        Each comes with mean and standard deviation of its true value, in units of the objective. The best value seen
        overstates itself; this does so much less. Where no model can be fitted: values as measured, deviations NaN.
        """
        past = _finite(past)
        seen = [each for each in past.means if space.allows(each.subset)]
        if not seen:
            return []
        try:
            fit = self.fit(space, replace(past, begun=()), own=True)
            mean, deviation = fit(masks(space, (each.subset for each in seen)))
        except (np.linalg.LinAlgError, ValueError, FloatingPointError):
            mean, deviation = np.array([each.value for each in seen]), np.full(len(seen), np.nan)
        order = np.argsort(-mean, kind="stable")
        return [(seen[i].subset, float(mean[i]), float(deviation[i])) for i in order]

    def fit(self, space: Space, past: Past, optimistic: bool = False, own: bool = False) -> Fit:
        """The surrogate after all measurements of the past's level; LinAlgError or ValueError where that fails.

        `optimistic`: the mean of all subsets is taken to be that of the measured ones, instead of estimated. `own`: a
        measured subset may differ from what its members and pairs say. That helps to rank what was measured, and keeps
        a search for new subsets from climbing: all of them look as uncertain.
        """
        seen = past.here
        y, r = np.array([each.value for each in seen]), _relative(seen)
        first = count_to_learn_from(len(seen))
        centre, scale = float(y[:first].mean()), float(y[:first].std()) or 1.0
        y = (y - centre) / scale
        X = masks(space, (each.subset for each in seen))
        lower = {level: self.fit(space, past.at(level)).mean for level in ladder.below(past)}
        kernels = Kernels(self.side, space, {**lower, **self._donors(past.level, X[:first], seen[:first])}, own)
        weights = self._learn_weights(past.level, kernels, X[:first], y[:first], r[:first])
        points = kernels.at(np.concatenate([X, masks(space, past.pending)]))
        towards = kernels.towards(weights.kernels, points)
        constant = float(y.mean()) if optimistic else None
        posterior = _posterior(towards(points), y, weights.noise * r, weights.noise, constant)
        return Fit(kernels, weights, posterior, towards, centre, scale)

    def _best(self, space: Space, past: Past, rng: Generator) -> Subset | None:
        optimistic = space.count() > ENUMERABLE and past.count % 2 == 0
        fit = self.fit(space, past, optimistic)
        x, _ = self._most_improving(fit, space, past, rng)
        if (again := self._again(space, past, fit, x)) is not None:
            return again
        if x is None:
            return proposal.random(space, past, rng)
        return space.subset(tuple(np.flatnonzero(x).tolist()))

    @one_thread()
    def expected_improvement(self, space: Space, past: Past, rng: Generator) -> float | None:
        """Expected gain of the best subset of `space` not measured yet over the best expected value, at least 0.

        In units of the objective. None where no model can be fitted to `past`, or no unmeasured subset was met; `rng`
        draws where climbs begin.
        """
        past = _finite(past)
        try:
            fit = self.fit(space, replace(past, begun=()))
            x, score = self._most_improving(fit, space, past, rng)
        except (np.linalg.LinAlgError, ValueError, FloatingPointError):
            return None
        return None if x is None else float(np.exp(score(x[None])[0]))

    def _most_improving(self, fit: Fit, space: Space, past: Past, rng: Generator) -> tuple[Array | None, Score]:
        """The unmeasured subset [n] of highest expected improvement, None if none was met, and that of any, as log."""
        X = masks(space, dict.fromkeys((*past.values, *past.pending)))
        mean, _ = fit(X)
        inside = acquisition.Moves(space).allowed(X)
        best = float(mean[inside].max()) if inside.any() else float(mean.max())
        count = int(np.clip(QUICK // X.size, *STARTS))
        top = X[inside][np.argsort(-mean[inside], kind="stable")[: count - count // 3]]
        starts = np.concatenate([top, masks(space, (space.random(rng) for _ in range(count // 3)))])

        def score(X: Array) -> Array:
            return acquisition.log_improvement(*fit(X), best)

        return acquisition.best_unseen(space, score, starts, masks(space, past.taken), rng), score

    def _again(self, space: Space, past: Past, fit: Fit, new: Array | None) -> Subset | None:
        """The measured subset to measure once more; None: rather the new one [n]."""
        if self.repeats == "never" or past.level != self.level:
            return None
        known = [subset for subset in past.values if space.allows(subset)]
        begun = Counter(subset for subset, level in past.begun if level == past.level)
        counts = np.array([begun[subset] for subset in known], dtype=np.intp)
        noise = fit.weights.noise * fit.scale**2
        chosen = repeats.again(self.repeats, fit.joint, noise, masks(space, known), counts, new)
        return None if chosen is None else known[chosen]

    def _donors(self, level: str, X: Array, seen: Sequence[MeasuredSubset]) -> Mapping[str, Donors]:
        """The gain of single targets, as a feature; nothing where not every measurement tells of every target."""
        codes, some = self.side.targets, _some(len(X))
        told = [seen[index].per_language for index in some]
        if len(codes) < 2 or not all(each.keys() >= set(codes) for each in told):
            return {}
        X, Y = X[some], np.array([[each[code] for code in codes] for each in told])
        near = list(self.side.near.values())
        found = self._once("donors", level, lambda: donors(X, Y, self.side.share, near), X, Y)
        return {} if found is None else {"donors": found}

    def _learn_weights(self, level: str, kernels: Kernels, X: Array, y: Array, r: Array) -> Weights:
        """The weights for these measurements."""
        some = _some(len(y))
        X, y, r = X[some], y[some], r[some]
        at = kernels.at(X)
        K = kernels.each(at, at)
        doubt = np.full(len(kernels.names) + 1, DOUBT)
        usual = Weights(kernels.usual, NOISE)
        what = "weights, own" if "own" in kernels.names else "weights"
        return self._once(what, level, lambda: gaussian_process.learn_weights(K, y, r, usual, doubt), K, y, r)

    def _once(self, what: str, level: str, learn: Callable[[], Learned], *given: Array) -> Learned:
        """The fit to these arrays; remembered, since most positions in a row ask for the same."""
        key = hashlib.sha256(b"".join(each.tobytes() for each in given)).digest()
        if self._remembered.get((what, level), (b"",))[0] != key:
            self._remembered[what, level] = key, learn()
        found: Learned = self._remembered[what, level][1]
        return found


def _finite(past: Past) -> Past:
    return replace(past, seen=tuple(each for each in past.seen if np.isfinite(each.value)))


def begin_with(space: Space) -> int:
    """Number of measurements in `space` before the first one by model: a fifth of the pool, from 4 to 8."""
    return int(max(4, min(8, len(space.pool) / 5)))


def count_to_learn_from(count: int) -> int:
    """Number of the `count` measurements that weights are learned from: all if few, else up to a round number."""
    step = 1 if count < 30 else 5 if count < 100 else 25
    return count - count % step


def _some(count: int) -> NDArray[np.intp]:
    """The measurements to learn from: an even sample, where there are very many."""
    return np.linspace(0, count - 1, min(count, MOST_LEARNED)).astype(np.intp)


def _relative(seen: Sequence[MeasuredSubset]) -> Array:
    runs = np.array([each.seeds for each in seen], dtype=np.float64)
    return np.asarray(np.median(runs) / runs)


def _posterior(K: Array, y: Array, noise: Array, running: float, constant: float | None) -> Posterior:
    """Posterior under K over N measured and then some running subsets, believed to be what is expected of them."""
    N, extra = len(y), len(K) - len(y)
    measured = Posterior(K[:N, :N] + np.diag(noise), y, constant)
    if not extra:
        return measured
    believed = np.append(y, measured.mean(K[N:, :N]))
    return Posterior(K + np.diag(np.append(noise, np.full(extra, running))), believed, constant)
