"""Model-free set functions: what makes a set of languages good, without measuring. All are maximized.

Notations
    F    the frame: n candidate languages, in order of their codes
    T    the targets: m languages to be served, with weights w_t that sum to 1; the frame itself unless others are named
    S    the chosen set, a subset of F with k members; indices into F
    s    the source language (English fine-tuning data); where S∪{s} is said it counts as already chosen, unless asked
         otherwise; with (s) it does so only when asked
    d    distances [n, n]; d_ti of target t to candidate i, by the metric or by measured transfer (then asymmetric)
    r    a radius: i covers t when d_ti ≤ r
    x    features [n, f], 0 or 1
    σ    the mean distance

    max-sum    Σ_{i<j ∈ S∪{s}} d_ij                          total dispersion
    max-min    min_{i<j ∈ S∪{s}} d_ij                        no two are alike
    facility   Σ_t w_t max_{i ∈ S(s)} (1 - d_ti)             every target has a near relative in S (p-median)
    k-center   min_{t: w_t > 0} max_{i ∈ S(s)} (1 - d_ti)    so has the worst-off target
    coverage   Σ_t w_t [min_{i ∈ S∪{s}} d_ti ≤ r]            maximum coverage
    nearest    mean_{i ∈ S} (1 - d_si)                       the convenient neighbours of the source, or of the targets
    entropy    mean_f H(mean_{i ∈ S} x_if)                   feature values in equal shares, in bits
    predicted  Σ_t w_t of the gain that the transfer model expects from realigning on S (`transfer/predict.py`)
    log-det    log det(exp(-d_ij / σ))_{i,j ∈ S}             the most probable set of a determinantal point process

A set function and the way to maximize it are two things: the functions are in `dispersion.py` and `location.py`, the
ways in `solvers/greedy.py` and `exact.py`.
"""

from __future__ import annotations

import numpy as np

from selector.languages.language import Pool
from selector.objectives.dispersion import Entropy, LogDet, MaxMin, MaxSum, Nearness
from selector.objectives.location import Coverage, Facility, KCenter
from selector.objectives.set_function import Matrix, SetFunction, Vector, bits
from selector.problem import Problem
from selector.solvers import dominating
from selector.sources import features

__all__ = [
    "Coverage", "Entropy", "Facility", "KCenter", "LogDet", "MaxMin", "MaxSum", "Nearness", "SetFunction",
    "bits", "feature_matrix", "objective_of", "radius_of",
]  # fmt: skip


def objective_of(name: str, problem: Problem) -> SetFunction:
    """Set function `name` on the frame and the targets of `problem`."""
    if name in ("max-sum", "max-min"):
        dispersion = MaxSum if name == "max-sum" else MaxMin
        return dispersion(problem.distances.matrix, problem.to_source if problem.counts_source(True) else None)
    far, weights = problem.to_targets, problem.weights
    if name in ("facility", "k-center"):
        location = Facility if name == "facility" else KCenter
        return location(far, weights, _base(problem, False))
    if name == "coverage":
        return Coverage(far, radius_of(problem), weights, _base(problem, True))
    if name == "entropy":
        return Entropy(feature_matrix(problem.frame, problem.metric))
    if name == "log-det":
        return LogDet(problem.distances.matrix)
    if name == "predicted":
        from selector.transfer import (
            predict as transfer,  # loads published results and fits nothing, but takes a moment
        )

        return transfer.MeanGain(problem.frame, problem.targets, problem.weights, problem.task)
    return Nearness(_nearness(problem))


def radius_of(problem: Problem) -> float:
    """Radius of coverage: the one that `problem` asks for, else the usual one for its targets and candidates."""
    return dominating.usual_radius(problem.to_targets) if problem.radius is None else problem.radius


def feature_matrix(languages: Pool, metric: str = "featural") -> Matrix:
    """Typological features [n, f] of `languages` that `metric` compares, completed; all 289 where it compares none."""
    named = {word for part in metric.split(",") for word in part.partition("=")[0].strip().split(":")}
    groups = [group for group in features.PREFIXES if group in named] or list(features.PREFIXES)
    return np.concatenate([features.table(languages, group).values for group in groups], axis=1)


def _base(problem: Problem, usually: bool) -> Vector | None:
    """Distance of every target from the source [m], where the source counts as chosen; else None."""
    return problem.source_to_targets if problem.counts_source(usually) else None


def _nearness(problem: Problem) -> Vector:
    """Nearness of each candidate [n] to the targets if any are named, else to the source, else to the whole frame."""
    if problem.aimed or problem.to_source is None:
        return np.asarray(1.0 - problem.weights @ problem.to_targets)
    return 1.0 - problem.to_source
