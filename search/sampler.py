"""Optuna's samplers as proposers of subsets, rebuilt in memory from what was measured (an importer of Optuna)."""

from __future__ import annotations

from collections.abc import Mapping

import optuna
from numpy.random import Generator
from optuna.distributions import CategoricalDistribution
from optuna.trial import create_trial

from search.proposal import Past, random
from search.space import Space
from selector.subset import Subset

BOOLEAN = CategoricalDistribution((False, True))


def tpe(space: Space, past: Past, rng: Generator) -> Subset | None:
    """Tree-structured Parzen estimator (Bergstra et al. 2011) over one boolean per language."""
    inside = {subset: value for subset, value in past.values.items() if space.allows(subset)}
    for _ in range(5):  # a model that has converged asks for the same again
        subset = _asked(space, inside, rng)
        if subset is not None and subset not in past.taken:
            return subset
    return random(space, past, rng)


def _asked(space: Space, values: Mapping[Subset, float], rng: Generator) -> Subset | None:
    """Ask for one boolean per language, then repair the size by chance.

    TPE is told the subsets as they were measured, that is repaired: told what it had asked for, it learns nothing
    (with 60 languages it is then no better than random).
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=int(rng.integers(2**32)), multivariate=True, constant_liar=False)
    memory = optuna.create_study(direction="maximize", sampler=sampler)
    every = {language.code: BOOLEAN for language in space.pool}
    memory.add_trials(
        create_trial(params={code: code in subset.codes for code in every}, distributions=dict(every), value=value)
        for subset, value in values.items()
    )
    asked = memory.ask(fixed_distributions=dict(every)).params
    chosen = Subset.of(language for language in space.pool if asked[language.code])
    size = min(max(len(chosen), space.sizes[0]), space.sizes[1])
    return space.completed(chosen, size, rng)
