"""What a study knows about its languages before it measures: URIEL's distances as similarities, for the surrogate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from search import objective
from search.config import StudyConfig
from search.kernels import Side
from selector.distance import distances
from selector.errors import InputError
from selector.language import Language

METRICS = ("syntactic", "phonological", "inventory", "genetic", "geographic")


def side_of(config: StudyConfig) -> Side:
    """Similarities under every metric of URIEL, and the study's own where it is another one.

    A pair about which nothing is known has the mean distance of the others. A metric that tells no pair of these
    languages from another is left out.
    """
    languages = tuple(sorted({*config.pool, *config.tune, config.source}))
    codes = objective.languages(config.search.score, config.tune, config.data.parallel == "world")
    targets = tuple(language for language in config.tune if language.code in codes)
    place = {language: index for index, language in enumerate(languages)}
    pool, tune = [place[each] for each in config.pool], [place[each] for each in targets]
    found = {}
    for metric in dict.fromkeys((*METRICS, config.search.metric)):
        if (alike := _similarity(languages, metric)) is not None:
            found[metric] = alike
    return Side(
        alike={metric: S[np.ix_(pool, pool)] for metric, S in found.items()},
        near={metric: S[np.ix_(tune, pool)] for metric, S in found.items()},
        source={metric: S[place[config.source], pool] for metric, S in found.items()},
        targets=tuple(language.code for language in targets),
        weights=np.array([config.weights.get(language.code, 1.0) for language in targets]),
    )


def _similarity(languages: tuple[Language, ...], metric: str) -> NDArray[np.float64] | None:
    """[m, m]; None where a metric cannot tell these languages apart."""
    try:
        return similarity(np.asarray(distances(languages, metric).matrix, dtype=np.float64))
    except InputError:
        return None


def similarity(d: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """exp(-2 · distance / usual distance), [m, m], of distances d; None where they tell nobody apart."""
    usual = float(d[np.triu_indices(len(d), 1)].mean()) if len(d) > 1 else 0.0
    return np.exp(-2.0 * d / usual) if usual > 0 and np.isfinite(d).all() else None
