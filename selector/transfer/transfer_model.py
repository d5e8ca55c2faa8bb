"""Model of transfer gains: how much a target gains when an encoder is realigned on a subset, fitted to measurements.

The gain of target t from subset S is linear in the columns of `covariates` and in their products with the response of t
to realignment (how strongly its gains vary), measured or expected. Added to it are effects of t alone (its level, its
slopes by size and by the share of new languages, and kernels on shared and on similar members), a deviation of the
subset, and noise. `mixed_model` finds the scales.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from selector.languages.language import Language
from selector.transfer import mixed_model, published
from selector.transfer.covariates import GROUPS, USUAL_SIZE, Affinity
from selector.transfer.left_out import LeaveOneOutErrors
from selector.transfer.published import Draws

Array = NDArray[np.float64]
Index = NDArray[np.intp]

COLUMNS = (*dict.fromkeys(GROUPS), "level", "deviation", "deviation by response")  # one λ each
KERNELS = ("level", "size", "new languages", "shared members", "similar members")  # one τ each


@dataclass(frozen=True)
class Observations:
    """Gains measured on L subsets and T targets, in any unit; NaN where there is none."""

    lists: Sequence[Draws]  # [L], each one subset, or several equally likely ones
    targets: Sequence[Language]  # [T]
    gain: Array  # [L, T]
    variance: Array  # [L, T], of the measurements
    baseline: Array  # [T], the targets' scores without realignment; NaN where unknown

    @classmethod
    def of(cls, results: published.PublishedResults) -> Observations:
        return cls(results.lists, results.targets, results.gain, results.variance, results.baseline)


@dataclass(frozen=True)
class Prediction:
    """Gains of B subsets on T targets, with the covariance of what a new measurement would show."""

    mean: Array  # [B, T]
    covariance: Array  # [B, T, T]

    def average(self, weights: Array | None = None) -> tuple[Array, Array]:
        """Mean over the targets [B] and its standard deviation [B]; `weights` [T] are equal unless given."""
        count = self.mean.shape[1]
        share = np.full(count, 1.0 / count) if weights is None else weights / weights.sum()
        return self.mean @ share, np.sqrt(np.einsum("t,btu,u->b", share, self.covariance, share))


class TransferModel:
    """Gains predicted from measured ones. Shapes as in `mixed_model`."""

    def __init__(
        self, observations: Observations, affinity: Affinity, scales: mixed_model.Scales | None = None
    ) -> None:
        """Scales are found by marginal likelihood unless given."""
        self.affinity = affinity
        self.lists, self.targets, self.gain = observations.lists, observations.targets, observations.gain.T  # (T, L)
        self.trait = Response.fit(
            observations.targets, observations.gain, observations.variance, observations.baseline, affinity
        )
        self.known = {language.code: i for i, language in enumerate(observations.targets)}
        self.draws = [[affinity.index(draw) for draw in draws] for draws in observations.lists]
        self.similar = affinity.kernel()
        targets = affinity.index(observations.targets)
        columns = np.stack([self._columns_of(draws, targets) for draws in self.draws])  # (L, T, q)
        self.centre = columns.mean(axis=(0, 1))
        spread = columns.std(axis=(0, 1))
        self.spread = np.where(spread > 1e-9, spread, 1.0)
        self.response = self.trait.of(observations.targets)  # (T,)
        self.members = np.stack([self._profile(draws) for draws in self.draws])  # (L, 2 + n)
        self.noise = float(np.median(observations.variance))
        self.variance = np.median(observations.variance, axis=0)  # (T,)
        design = self._design(columns, self.response)  # (L, T, p)
        count = len(self.draws)
        deviations = np.eye(count)[:, None, :, None] * self._covariates(self.response)[None, :, None, :]
        X = np.concatenate([design, deviations.reshape(count, len(targets), -1)], axis=2).transpose(1, 0, 2)
        groups = np.concatenate([self._groups(), np.tile([len(COLUMNS) - 2, len(COLUMNS) - 1], count)])
        M = self._kernels(self.members, self.members)
        data = mixed_model.Measurements(self.gain, X, groups, M, self.response, observations.variance.T)
        self.posterior = mixed_model.fit(data, scales)
        self.width = design.shape[2]

    @cached_property
    def single(self) -> dict[tuple[str, ...], int]:
        """Lists that are one subset: codes of the members → index of the list."""
        return {tuple(x.code for x in draws[0]): i for i, draws in enumerate(self.lists) if len(draws) == 1}

    @cached_property
    def leave_one_out_errors(self) -> LeaveOneOutErrors:
        """Errors on the lists that are one subset, in the order of `single`, each predicted from all other lists."""
        return LeaveOneOutErrors.of(self.posterior, ~np.isnan(self.gain), list(self.single.values()))

    def general(self, S: Index) -> Array:
        """Mean gain [B] of subsets `S` [B, k] over all measured targets."""
        return np.asarray(self.mean(S, self.targets).mean(axis=1))

    @property
    def scales(self) -> mixed_model.Scales:
        return self.posterior.scales

    def mean(self, S: Index, targets: Sequence[Language]) -> Array:
        """Expected gains [B, T] of subsets `S` [B, k], which have equal size, on `targets` [T]."""
        response = self.trait.of(targets)
        design = self._design(self.affinity.columns(S, self.affinity.index(targets)), response)
        profile = self._profiles(S)
        kernel = np.einsum("j,jbl->bl", self.scales.kernels, self._kernels(profile, self.members))
        own = self._own(targets)
        weights = np.where((own >= 0)[:, None], self.posterior.weights[own], 0.0)  # (T, L)
        return design @ self.posterior.mean[: self.width] + (kernel @ weights.T) * response**2

    def predict(self, subsets: Sequence[Draws], targets: Sequence[Language]) -> Prediction:
        """Expected gains of `subsets` [B] on `targets` [T], with the covariance of a new measurement's errors."""
        found = [self._one([self.affinity.index(draw) for draw in draws], targets) for draws in subsets]
        return Prediction(np.stack([mean for mean, _ in found]), np.stack([cov for _, cov in found]))

    def _one(self, draws: Sequence[Index], targets: Sequence[Language]) -> tuple[Array, Array]:
        """Mean [T] and covariance [T, T] of one list."""
        response, own = self.trait.of(targets), self._own(targets)
        known = own >= 0
        x = self._design(self._columns_of(draws, self.affinity.index(targets))[None], response)[0]  # (T, w)
        profile = self._profile(draws)[None]
        to_lists = np.einsum("j,jbl->bl", self.scales.kernels, self._kernels(profile, self.members))[0]  # (L,)
        k = np.where(known[:, None], response[:, None] ** 2 * to_lists, 0.0)  # (T, L)
        pull = np.einsum("tlm,tm->tl", self.posterior.precision[own], k)  # Σ⁻¹ k
        open_ = np.pad(x, ((0, 0), (0, self.posterior.X.shape[2] - self.width)))
        open_ = open_ - np.einsum("tl,tlp->tp", pull, self.posterior.X[own])
        mean = open_ @ self.posterior.mean + np.einsum("tl,tl->t", pull, self.posterior.y[own])
        prior = np.einsum("j,jbc->", self.scales.kernels, self._kernels(profile, profile))
        alone = prior * self.trait.square(targets) - np.einsum("tl,tl->t", pull, k)
        typical = np.where(known, self.variance[own], self.noise)
        c = self._covariates(response)
        covariance = open_ @ self.posterior.covariance @ open_.T
        covariance += (c * self.scales.columns[-2:]) @ c.T + np.diag(alone + self.scales.noise * typical)
        return mean, covariance

    def _own(self, targets: Sequence[Language]) -> Index:
        """Index of each target among the measured ones; -1 where it was not measured."""
        return np.array([self.known.get(language.code, -1) for language in targets], dtype=np.intp)

    def _columns_of(self, draws: Sequence[Index], targets: Index) -> Array:
        return np.mean([self.affinity.columns(S[None], targets)[0] for S in draws], axis=0)

    def _profile(self, draws: Sequence[Index]) -> Array:
        return np.mean([self._profiles(S[None])[0] for S in draws], axis=0)

    def _profiles(self, S: Index) -> Array:
        """Inputs of the kernels, [B, 2 + n]: size, share of new languages, and membership."""
        size = np.full(len(S), np.log(S.shape[1] / USUAL_SIZE))
        new = (~self.affinity.seen[S]).mean(axis=1) - 0.5
        return np.concatenate([size[:, None], 3.0 * new[:, None], self.affinity.membership(S)], axis=1)

    def _kernels(self, one: Array, other: Array) -> Array:
        """Constant, size, share of new languages, members in common, members alike: [5, B, L]."""
        shared = one[:, 2:] @ other[:, 2:].T
        alike = one[:, 2:] @ self.similar @ other[:, 2:].T
        slopes = [np.outer(one[:, j], other[:, j]) for j in (0, 1)]
        return np.stack([np.ones_like(shared), *slopes, shared, alike])

    def _covariates(self, response: Array) -> Array:
        return np.stack([np.ones_like(response), response - 1.0], axis=1)  # (T, 2)

    def _design(self, columns: Array, response: Array) -> Array:
        """Standardized columns and a constant, each also times the response: [B, T, 2 q + 2]."""
        scaled = (columns - self.centre) / self.spread
        whole = np.concatenate([scaled, np.ones((*columns.shape[:2], 1))], axis=2)
        return np.concatenate([whole, whole * (response - 1.0)[:, None]], axis=2)

    def _groups(self) -> Index:
        one = [COLUMNS.index(name) for name in (*GROUPS, "level")]
        return np.array([*one, *one], dtype=np.intp)


_FEW = 3  # weight of the average response, in subsets


@dataclass(frozen=True)
class Response:
    """Spread of a target's gains over subsets, 1 on average; for a new target by regression."""

    measured: Mapping[str, float]
    base: Mapping[str, float]  # standardized baseline
    coefficients: Array  # [3], of log response on 1, baseline, seen in pretraining
    unsure: float  # variance of log response around that regression
    affinity: Affinity
    usual: Array  # [2], mean standardized baseline of targets not seen and seen

    @classmethod
    def fit(
        cls, targets: Sequence[Language], gain: Array, variance: Array, baseline: Array, affinity: Affinity
    ) -> Response:
        """Responses from measured `gain` with its `variance` [L, T] and `baseline` scores [T]; NaN where unknown.

        With fewer than two subsets of any target all respond alike.
        """
        count = (~np.isnan(gain)).sum(axis=0)  # (T,)
        if len(gain) < 2 or not (count > 1).all():
            return cls({}, {}, np.zeros(3), 0.0, affinity, np.zeros(2))
        seen = affinity.seen[affinity.index(targets)]
        base = baseline - np.nanmean(baseline)
        base = np.nan_to_num(base / (np.nanstd(baseline) or 1.0))
        noise = np.nanmean(variance, axis=0)
        signal = np.maximum(np.nanvar(gain, axis=0, ddof=1) - noise, 0.05 * noise)
        square = (count * signal + _FEW * signal.mean()) / (count + _FEW)
        response = np.sqrt(square)
        response = response / response.mean()
        A = np.stack([np.ones(len(base)), base, seen], axis=1)
        inner = A.T @ A + np.diag([1e-6, 1.0, 1.0])
        coefficients = np.linalg.solve(inner, A.T @ np.log(response))
        unsure = float(np.var(np.log(response) - A @ coefficients))
        usual = np.array([base[seen == flag].mean() if (seen == flag).any() else 0.0 for flag in (False, True)])
        codes = [language.code for language in targets]
        pairs = dict(zip(codes, map(float, response), strict=True)), dict(zip(codes, map(float, base), strict=True))
        return cls(*pairs, coefficients, unsure, affinity, usual)

    def of(self, targets: Sequence[Language]) -> Array:
        """Responses of `targets`, [T]."""
        return np.array([self.measured.get(x.code, self._expected_response(x)) for x in targets])

    def square(self, targets: Sequence[Language]) -> Array:
        """Expected squares of the responses of `targets` [T]; larger where the response is only expected."""
        widening = np.array([1.0 if x.code in self.measured else np.exp(self.unsure) for x in targets])
        return np.asarray(self.of(targets) ** 2 * widening)

    def _expected_response(self, language: Language) -> float:
        seen = bool(self.affinity.seen[self.affinity.place[language.code]])
        base = self.base.get(language.code, float(self.usual[int(seen)]))
        return float(np.exp(self.coefficients @ np.array([1.0, base, seen])))
