"""Optuna's TPE as a proposer of subsets, rebuilt in memory from what was measured (the other importer of Optuna)."""

from __future__ import annotations

from collections.abc import Mapping

import optuna
from numpy.random import Generator
from optuna.distributions import CategoricalDistribution
from optuna.trial import create_trial

from selector.language import Pool
from selector.subset import Subset

BOOLEAN = CategoricalDistribution((False, True))


def tpe(pool: Pool, sizes: tuple[int, int], values: Mapping[Subset, float], rng: Generator) -> Subset:
    """Ask for one boolean per language, then repair the size by chance.

    TPE is told the subsets as they were measured, that is repaired: told what it had asked for, it learns nothing
    (with 60 languages it is then no better than random).
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=int(rng.integers(2**32)), multivariate=True, constant_liar=False)
    memory = optuna.create_study(direction="maximize", sampler=sampler)
    space = {language.code: BOOLEAN for language in pool}
    memory.add_trials(
        create_trial(params={code: code in subset.codes for code in space}, distributions=dict(space), value=value)
        for subset, value in values.items()
    )
    asked = memory.ask(fixed_distributions=dict(space)).params
    return _repaired(Subset.of(language for language in pool if asked[language.code]), pool, sizes, rng)


def _repaired(subset: Subset, pool: Pool, sizes: tuple[int, int], rng: Generator) -> Subset:
    low, high = sizes
    while len(subset) > high:
        subset = subset.drop(subset.languages[rng.integers(len(subset))])
    while len(subset) < low:
        outside = [language for language in pool if language not in subset]
        subset = subset.add(outside[rng.integers(len(outside))])
    return subset
