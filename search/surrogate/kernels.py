"""How alike two subsets are, as a sum of kernels: what the surrogate believes before it measures. Pure.

Notations
    B, C, n, t   subsets, other subsets, languages of the pool, targets
    X            who is in a subset [B, n], 0 or 1
    z            (x − |S| / n) / √|S| [B, n], so that large subsets vary no more than small ones
    A            how alike the languages of the pool are, averaged over metrics [n, n], positive semidefinite
    R            how alike target and language are under one metric [t, n], 1 where they are the same
    F            features [B, q], centred and scaled over random subsets of the space: F Fᵀ has a mean diagonal of 1
Kernels: "member" z zᵀ;  "like" z A zᵀ, with which languages share what was seen of those alike;  "pairs" (z zᵀ)²;
"own", where it is asked for, 1 between a subset and itself: what no sum over members and pairs explains, and what
would be taken for noise without it; and F Fᵀ of features, which are regressors whose coefficients have the kernel's
weight as prior variance: "covered" (how near the nearest member is to the targets, on average, under each metric:
facility location with a learned mix of distances), "spread" (how alike the members are, and how near the source),
"size" where it varies, and what is `given`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from search.space import Space
from selector.languages.subset import Subset

Array = NDArray[np.float64]
FeatureMap = Callable[[Array], Array]  # X [B, n] → features [B, q]

SHARPNESS = 16.0  # p of the soft maximum over members, log(Σ exp(p · similarity)) / p
REFERENCE = 256  # random subsets over which features are centred and scaled
USUAL = {"member": 0.5, "like": 0.03, "pairs": 0.15, "own": 0.08}  # prior weights
USUAL |= {"covered": 0.05, "spread": 0.02, "size": 0.1}
GIVEN = 0.3


@dataclass(frozen=True)
class PriorKnowledge:
    """Knowledge of the languages of a pool, in its order, before anything is measured. Metrics by name."""

    alike: Mapping[str, Array] = field(default_factory=dict)  # within the pool [n, n], in [0, 1]
    near: Mapping[str, Array] = field(default_factory=dict)  # targets to the pool [t, n], in [0, 1]
    source: Mapping[str, Array] = field(default_factory=dict)  # the pool to the source [n]
    targets: tuple[str, ...] = ()  # codes [t]
    weights: Array | None = None  # of the targets in the objective [t]; None: equal
    given: Mapping[str, FeatureMap] = field(default_factory=dict)  # further features of subsets, such as a prior mean

    @cached_property
    def share(self) -> Array:
        """The targets' weights, with sum 1 [t]."""
        weights = np.ones(len(self.targets)) if self.weights is None else self.weights
        return np.asarray(weights / weights.sum())

    @cached_property
    def kin(self) -> Array | None:
        """A: the mean over metrics, [n, n]."""
        return _semidefinite(np.mean(list(self.alike.values()), axis=0)) if self.alike else None

    @cached_property
    def reach(self) -> list[NDArray[np.float32]]:
        """exp(p · R) of each metric, each [n, t]: what coverage sums over members, to single precision."""
        return [np.exp(SHARPNESS * R.T).astype(np.float32) for R in self.near.values()]


@dataclass(frozen=True)
class Points:
    """Subsets as the kernels see them."""

    z: Array  # [B, n]
    keys: NDArray[np.int64] | None  # [B], equal for equal subsets; None without the kernel "own"
    features: tuple[Array, ...]  # each [B, q]


class Kernels:
    """The kernels of one space; `names` says which, and weights [J] are in that order."""

    def __init__(self, side: PriorKnowledge, space: Space, given: Mapping[str, FeatureMap], own: bool = False) -> None:
        """`given` are features beyond those of the side; `own`: subsets have something of their own as well."""
        self.side = side
        self.given = {**side.given, **given}
        self.sized = space.sizes[0] < space.sizes[1]
        self.alike = side.kin
        sample = reference(space)
        raw = {name: F(sample) for name, F in self._makers().items()}
        self.centre = {name: F.mean(axis=0) for name, F in raw.items()}
        spread = {name: float(np.sqrt(F.var(axis=0).sum())) for name, F in raw.items()}
        self.scale = {name: size for name, size in spread.items() if size > 1e-9}  # a constant tells nothing
        plain = ("member", "like", "pairs") if self.alike is not None else ("member", "pairs")
        plain = (*plain, "own") if own else plain
        codes = np.random.default_rng(0).integers(2**62, size=len(space.pool))
        self.codes = codes if own else None  # a language's part of a key [n]
        self.names = (*plain, *self.scale)
        self.usual = np.array([USUAL.get(name, GIVEN) for name in self.names])
        self.unit = np.ones(len(self.names))
        prior = self.each(self.at(sample), self.at(sample))
        self.unit = np.array([max(np.diag(K).mean() - K.mean(), 1e-9) for K in prior])

    def at(self, X: Array) -> Points:
        """The subsets `X` [B, n] as the kernels see them."""
        makers = self._makers()
        sizes = X.sum(axis=1, keepdims=True)
        z = (X - sizes / X.shape[1]) / np.sqrt(np.maximum(sizes, 1.0))
        keys = None if self.codes is None else X.astype(np.int64) @ self.codes  # exact: integers wrap around
        return Points(z, keys, tuple((makers[name](X) - self.centre[name]) / size for name, size in self.scale.items()))

    def each(self, a: Points, b: Points) -> Array:
        """Every kernel apart, [J, B, C], between `a` [B] and `b` [C], with a variance of 1 over random subsets."""
        shared = a.z @ b.z.T
        linear = [shared] if self.alike is None else [shared, a.z @ self.alike @ b.z.T]
        plain = [*linear, shared**2]
        if (same := _same(a, b)) is not None:
            plain.append(same)
        more = [F @ G.T for F, G in zip(a.features, b.features, strict=True)]
        return np.stack([*plain, *more]) / self.unit[:, None, None]

    def towards(self, weights: Array, b: Points) -> Callable[[Points], Array]:
        """Their weighted sum between any subsets and `b` [C], as a function of the former: [B] → [B, C]."""
        w = dict(zip(self.names, weights / self.unit, strict=True))
        known = b.z.T if self.alike is None else b.z.T + w["like"] / w["member"] * (self.alike @ b.z.T)  # [n, C]
        sides = [w[name] * G.T for name, G in zip(self.scale, b.features, strict=True)]  # each [q, C]

        def mixed(a: Points) -> Array:
            shared = a.z @ b.z.T
            found = w["pairs"] * shared**2 + w["member"] * (shared if self.alike is None else a.z @ known)
            if (same := _same(a, b)) is not None:
                found += w["own"] * same
            for F, G in zip(a.features, sides, strict=True):
                found += F @ G
            return np.asarray(found)

        return mixed

    def own(self, weights: Array, a: Points) -> Array:
        """Prior variance of each of `a` under `weights` [J]: the diagonal of `towards(weights, a)(a)`, [B]."""
        w = dict(zip(self.names, weights / self.unit, strict=True))
        shared = np.einsum("bn,bn->b", a.z, a.z)
        found = w.get("own", 0.0) + shared * (w["member"] + w["pairs"] * shared)
        if self.alike is not None:
            found += w["like"] * np.einsum("bn,bn->b", a.z @ self.alike, a.z)
        for name, F in zip(self.scale, a.features, strict=True):
            found += w[name] * np.einsum("bq,bq->b", F, F)
        return np.asarray(found)

    def _makers(self) -> dict[str, FeatureMap]:
        found: dict[str, FeatureMap] = {}
        if self.side.near:
            found["covered"] = self._covered
        if self.side.alike:
            found["spread"] = self._spread
        if self.sized:
            found["size"] = _size
        return {**found, **self.given}

    def _covered(self, X: Array) -> Array:
        """Mean similarity of the targets to their nearest member, [B, metrics]; 0 for the empty subset."""
        x = X.astype(np.float32)
        return np.stack([np.log1p(x @ R) @ self.side.share / SHARPNESS for R in self.side.reach], axis=1)

    def _spread(self, X: Array) -> Array:
        """Mean similarity of the members to each other, and to the source under each metric, [B, 1 + metrics]."""
        x = X / np.maximum(X.sum(axis=1, keepdims=True), 1.0)
        within = np.einsum("bn,bn->b", x @ self.side.kin, x)
        return np.stack([within, *(x @ s for s in self.side.source.values())], axis=1)


def reference(space: Space) -> Array:
    """Random subsets [REFERENCE, n] of `space`, the same ones every time; limits are left out of account."""
    rng = np.random.default_rng(0)
    X = np.zeros((REFERENCE, len(space.pool)))
    X[:, list(space.pinned)] = 1.0
    low, high = (min(max(size - len(space.pinned), 0), len(space.free)) for size in space.sizes)
    sizes = rng.integers(low, high + 1, size=(REFERENCE, 1))
    order = rng.random((REFERENCE, len(space.free))).argsort(axis=1).argsort(axis=1)
    X[:, list(space.free)] = order < sizes
    return X


def masks(space: Space, subsets: Iterable[Subset]) -> Array:
    """Membership [B, n] of `subsets`: 1 where the language of the pool of `space` is in the subset, else 0."""
    found = [space.indices(subset) for subset in subsets]
    X = np.zeros((len(found), len(space.pool)))
    for row, indices in zip(X, found, strict=True):
        row[list(indices)] = 1.0
    return X


def _same(a: Points, b: Points) -> Array | None:
    """1 where both are one subset, else 0, [B, C]; None for points without keys."""
    return None if a.keys is None or b.keys is None else np.equal.outer(a.keys, b.keys).astype(np.float64)


def _size(X: Array) -> Array:
    return np.stack([np.log1p(X.sum(axis=1)), np.sqrt(X.sum(axis=1))], axis=1)


def _semidefinite(A: Array) -> Array:
    """The nearest positive semidefinite matrix: negative eigenvalues become 0 (Higham 1988)."""
    values, vectors = np.linalg.eigh((A + A.T) / 2)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)
