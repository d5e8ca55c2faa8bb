"""Knowledge before anything is measured, for the surrogate: URIEL's distances as similarities, published results."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from realign.core import Core, Scope
from search import score_objective
from search.config.study_config import StudyConfig
from search.surrogate.kernels import FeatureMap, PriorKnowledge
from selector.distances.distance import distances
from selector.errors import InputError
from selector.languages.language import Language, Pool
from selector.transfer import predict as transfer

Array = NDArray[np.float64]

METRICS = ("syntactic", "phonological", "inventory", "genetic", "geographic")


def prior_of(config: StudyConfig) -> PriorKnowledge:
    """Similarities of the languages of the study `config` under every metric of URIEL, and its own where it is another.

    A pair about which nothing is known has the mean distance of the others. A metric that tells no pair of these
    languages from another is left out. Where published results are about studies like this one, the gain that they
    promise is a feature of subsets.
    """
    languages = tuple(sorted({*config.pool, *config.tune, config.core.source}))
    codes = score_objective.languages(config.search.score, config.tune, config.core.data.parallel == "world")
    targets = tuple(language for language in config.tune if language.code in codes)
    place = {language: index for index, language in enumerate(languages)}
    pool, tune = [place[each] for each in config.pool], [place[each] for each in targets]
    weights = np.array([config.weights.get(language.code, 1.0) for language in targets])
    known = has_precedent(config.core, config.scope)
    found = _similarities(languages, (*METRICS, config.search.metric))
    return PriorKnowledge(
        alike={metric: S[np.ix_(pool, pool)] for metric, S in found.items()},
        near={metric: S[np.ix_(tune, pool)] for metric, S in found.items()},
        source={metric: S[place[config.core.source], pool] for metric, S in found.items()},
        targets=tuple(language.code for language in targets),
        weights=weights,
        given={"published": _gain(config.core, config.pool, targets, weights)} if known else {},
    )


def prior_of_pool(pool: Pool, source: Language | None) -> PriorKnowledge:
    """URIEL's similarities of the languages of `pool`, to each other and to `source`, where no study names targets.

    The languages of the pool are the targets then.
    """
    languages = pool if source is None or source in pool else (*pool, source)
    found, n = _similarities(languages, METRICS), len(pool)
    return PriorKnowledge(
        alike={metric: S[:n, :n] for metric, S in found.items()},
        near={metric: S[:n, :n] for metric, S in found.items()},
        source={} if source is None else {metric: S[languages.index(source), :n] for metric, S in found.items()},
        targets=tuple(language.code for language in pool),
    )


def has_precedent(core: Core, scope: Scope) -> bool:
    """True if published results of XLM-R are about studies like this: a real encoder, fine-tuned on English.

    `core` and `scope` are those of the study. Where the results do not fit after all, for another encoder perhaps, the
    surrogate learns to give them no weight.
    """
    real = isinstance(core.model.base, str) and core.model.base != "world"
    languages = {*scope.pool, *scope.tune}
    return real and core.source.code == transfer.SOURCE and len(languages) <= transfer.LARGEST


def _gain(core: Core, pool: Pool, targets: tuple[Language, ...], weights: Array) -> FeatureMap:
    """The mean gain that the transfer model expects of the targets, as a feature of subsets [B, 1]."""
    expected = transfer.MeanGain(pool, targets, weights / weights.sum(), core.task.kind, alone=True)

    def gain(X: Array) -> Array:
        found, sizes = np.zeros((len(X), 1)), X.sum(axis=1).astype(np.intp)
        for size in np.unique(sizes[sizes > 0]):
            same = sizes == size
            found[same, 0] = expected.values(np.nonzero(X[same])[1].reshape(-1, size))
        return found

    return gain


def _similarities(languages: tuple[Language, ...], metrics: Iterable[str]) -> dict[str, Array]:
    """Metric → similarities [m, m], without the metrics that cannot tell these languages apart."""
    found = {metric: _similarity(languages, metric) for metric in dict.fromkeys(metrics)}
    return {metric: alike for metric, alike in found.items() if alike is not None}


def _similarity(languages: tuple[Language, ...], metric: str) -> Array | None:
    """[m, m]; None where a metric cannot tell these languages apart."""
    try:
        return similarity(np.asarray(distances(languages, metric).matrix, dtype=np.float64))
    except InputError:
        return None


def similarity(d: Array) -> Array | None:
    """Similarities exp(-2 · distance / usual distance), [m, m], of distances `d` [m, m].

    None where they tell no pair from another.
    """
    usual = float(d[np.triu_indices(len(d), 1)].mean()) if len(d) > 1 else 0.0
    return np.exp(-2.0 * d / usual) if usual > 0 and np.isfinite(d).all() else None
