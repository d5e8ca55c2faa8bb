"""Subsets scored from their languages' own scores: no training, no encoder, not even an evaluation for a new subset.

What a subset does for a target is close to what the best of its languages does for it alone, and a little more where
several help: a soft maximum. It takes one full evaluation of every language, which a cache keeps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

from realign.evaluators.wrappers import Cached
from realign.score import Evaluator, Fidelity, Look, Score, mean_source_score
from selector.languages.subset import Subset


class SingleLanguageScores:
    """Evaluator that computes scores of subsets from those of single languages, at fidelities that merge scores so.

    It passes all other fidelities to the evaluator inside.
    """

    def __init__(self, evaluator: Evaluator, single: Evaluator | None = None) -> None:
        """`single` scores the languages one by one; None: `evaluator` does. A cache keeps these scores."""
        self.evaluator = evaluator
        self._single = Cached(evaluator) if single is None else single

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        return self.evaluator.signature(subset, fidelity, seed)

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
        settings = fidelity.merging
        if settings is None or settings.method != "scores":
            return self.evaluator(subset, fidelity, seed, look)
        started = time.perf_counter()
        alone = [Subset((language,)) for language in subset] or [subset]
        plain, seeds = replace(fidelity, merging=None), range(seed, seed + settings.seeds)
        found = [[self._single(each, plain, at) for at in seeds] for each in alone]
        runs = [[score.per_language for score in each] for each in found]
        per_language = {
            code: soft_maximum([sum(run[code] for run in each) / settings.seeds for each in runs], settings.sharpness)
            for code in runs[0][0]
        }
        return Score(
            value=sum(per_language.values()) / len(per_language),
            per_language=per_language,
            signature=self.signature(subset, fidelity, seed),
            seconds=time.perf_counter() - started,
            course=(),
            source_score=mean_source_score(score.source_score for each in found for score in each),
        )


def soft_maximum(values: Sequence[float], sharpness: float) -> float:
    """Log-mean-exp of `values`: between their mean (`sharpness` 0) and their maximum (infinite)."""
    if not sharpness:
        return sum(values) / len(values)
    most = max(values)
    return most + math.log(sum(math.exp(sharpness * (value - most)) for value in values) / len(values)) / sharpness
