"""How diverse a subset is: the measures that papers report. The source is not counted; `None` where undefined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from selector.objective import Facility, bits
from selector.problem import Problem
from selector.strategy import feature_matrix

Measures = dict[str, float | int | None]


def diversity(problem: Problem, chosen: Sequence[int]) -> Measures:
    """Measures of the chosen indices of a problem's frame, under its distances and over all typological features.

    mean_pairwise, min_pairwise  distances between the chosen (typdiv's MPD)
    families, genera, scripts    how many different ones
    entropy                      mean over the features, in bits
    feature_inclusion            share of the frame's feature values that occur among the chosen (typdiv's FVI)
    nearest                      mean over the frame of the distance to the nearest chosen language
    source_distance              mean distance of the chosen to the source
    observed                     mean share of the metric's features that were observed, not imputed
    """
    index = list(chosen)
    d = problem.distances.matrix
    languages = [problem.frame[i] for i in index]
    pairs = d[np.ix_(index, index)][np.triu_indices(len(index), 1)]
    x = feature_matrix(problem.frame)  # (n, f)
    return {
        "mean_pairwise": float(pairs.mean()) if len(pairs) else None,
        "min_pairwise": float(pairs.min()) if len(pairs) else None,
        "families": len({language.family for language in languages}),
        "genera": len({language.genus for language in languages}),
        "scripts": len({language.script for language in languages}),
        "entropy": float(bits(x[index].mean(axis=0)).mean()),
        "feature_inclusion": _inclusion(x, x[index]),
        "nearest": 1.0 - Facility(d).value(index),
        "source_distance": None if problem.to_source is None else float(problem.to_source[index].mean()),
        "observed": float(problem.distances.observed[index].mean()),
    }


def _inclusion(frame: np.ndarray, chosen: np.ndarray) -> float:
    """Share of (feature, value) pairs of the frame [n, f] that occur in the subset [k, f]."""
    attested = np.stack([(frame == value).any(axis=0) for value in (0.0, 1.0)])  # (2, f)
    included = np.stack([(chosen == value).any(axis=0) for value in (0.0, 1.0)])  # (2, f)
    return float(included.sum() / max(1, attested.sum()))
