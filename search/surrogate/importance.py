"""Which languages matter: effects of single languages and of pairs, with intervals, from the surrogate's posterior.

Notations
    f        the true value of a subset, of which the surrogate has a posterior
    B, n     random subsets of the space, languages of the pool
    W        weights [n, B] that make effects of values: W f
An effect is a linear functional of f, so its mean and its interval (90 %) follow from the posterior. The effect of a
language is its coefficient in the linear regression of f on membership over random subsets, less the mean of all
coefficients where the size is fixed: how f moves when the language takes the place of an average one. Optuna's default
importance (PED-ANOVA) ranks languages of subsets hardly better than chance.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from scipy.special import ndtri

from search.results.effects import Effect, PairEffect
from search.space import Space
from search.strategies.proposer import Past
from search.surrogate.kernels import masks, reference
from search.surrogate.one_thread import one_thread
from search.surrogate.surrogate import Fit, Surrogate
from selector.languages.language import Language

Array = NDArray[np.float64]

HALF = float(ndtri(0.95))  # standard deviations to either end of a 90 % interval
STRONG = 10  # languages whose pairs are looked at
DRAWS = 24  # random contexts a pair is put into
FEW = 0.02  # share of random subsets that a language must be in, and out of


def effects(fit: Fit, space: Space, past: Past) -> list[Effect]:
    """Effects of all languages of `space` that may be in or out, strongest first; 0 is an average language.

    They are of the posterior `fit`, in units of the objective, with 90 % intervals. `past` adds how often each language
    was measured, and how often among the best quarter.
    """
    X = reference(space)
    share = X.mean(axis=0)
    free = np.flatnonzero((share > FEW) & (share < 1 - FEW))
    centred = X[:, free] - X[:, free].mean(axis=0)
    W = np.linalg.pinv(centred, rcond=1e-6)  # [n_free, B]
    mean, deviation = fit.functional(W - W.mean(axis=0), X)
    seen = [each for each in past.here if space.allows(each.subset)]
    Z, y = masks(space, (each.subset for each in seen)), np.array([each.value for each in seen])
    top = Z[y >= np.quantile(y, 0.75)].mean(axis=0)
    found = [
        Effect(space.pool[i].code, float(m), float(m - HALF * s), float(m + HALF * s), float(top[i]), float(all_))
        for i, m, s, all_ in zip(free, mean, deviation, Z.mean(axis=0)[free], strict=True)
    ]
    return sorted(found, key=lambda effect: (-effect.effect, effect.code))


def interactions(fit: Fit, space: Space, languages: Sequence[Language], most: int = 5) -> list[PairEffect]:
    """The `most` pairs of `languages` whose effect stands out most from its uncertainty, strongest first.

    Under the posterior `fit`: E[f(R+i+j) − f(R+i+b) − f(R+a+j) + f(R+a+b)] over random a, b and rests R of `space`: the
    size never changes. In units of the objective, with 90 % intervals.
    """
    rng = default_rng(0)
    found = []
    for one, other in itertools.combinations(sorted(languages), 2):
        X = _contexts(space, space.place[one], space.place[other], rng)
        if X is None:
            continue
        signs = np.tile([1.0, -1.0, -1.0, 1.0], len(X) // 4)[None] / (len(X) // 4)
        mean, deviation = (float(each[0]) for each in fit.functional(signs, X))
        found.append(PairEffect((one.code, other.code), mean, mean - HALF * deviation, mean + HALF * deviation))
    return sorted(found, key=lambda pair: (-abs(pair.effect) / (pair.high - pair.low), pair.codes))[:most]


def _contexts(space: Space, i: int, j: int, rng: Generator) -> Array | None:
    """DRAWS times the four subsets with both, with either, and with neither, [4 · DRAWS, n]."""
    others = [index for index in space.free if index not in (i, j)]
    rest = max(space.sizes[1] - len(space.pinned) - 2, 0)
    if len(others) < rest + 2:
        return None
    X = np.zeros((DRAWS, 4, len(space.pool)))
    X[:, :, list(space.pinned)] = 1.0
    for draw in X:
        chosen = rng.choice(others, size=rest + 2, replace=False)
        a, b = chosen[:2]
        draw[:, chosen[2:]] = 1.0
        for row, pair in zip(draw, ((i, j), (i, b), (a, j), (a, b)), strict=True):
            row[list(pair)] = 1.0
    return X.reshape(-1, len(space.pool))


@one_thread()
def explain(space: Space, surrogate: Surrogate, past: Past) -> tuple[list[Effect], list[PairEffect]]:
    """Effects of languages and of pairs, from `surrogate` fitted to `past`: what matters in `space`.

    Both empty before `LEAST_TRIALS` trials, where none of them is in `space` by now, or where no model can be fitted.
    """
    if len(past.here) < LEAST_TRIALS or not any(space.allows(each.subset) for each in past.here):
        return [], []
    try:
        fit = surrogate.fit(space, replace(past, begun=()))
        single = effects(fit, space, past)
        strong = sorted(single, key=lambda each: -abs(each.effect))[:STRONG]
        codes = {each.code for each in strong}
        return single, interactions(fit, space, [each for each in space.pool if each.code in codes])
    except (np.linalg.LinAlgError, ValueError):
        return [], []


LEAST_TRIALS = 10  # fewer than this say nothing about single languages
