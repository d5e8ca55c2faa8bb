"""Optuna's samplers as proposers of subsets, rebuilt in memory from what was measured.

Each gets the subsets as they were measured, that is, repaired. From the subsets that it asked for it learns nothing
(with 60 languages TPE is then no better than random). Each has the encoding it does best with.

Any strategy as a sampler of Optuna, for those who drive Optuna (or Ray Tune's OptunaSearch) themselves.

`study.optimize` then asks for one boolean per language with `trial.suggest_categorical(code, (False, True))`, and what
it gets is always a subset that the space allows and that was not tried before.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optuna
from numpy.random import Generator
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.space import Space, require_space
from search.strategies.local import swap
from search.strategies.proposer import MeasuredSubset, Past, Propose, generator, own_strategy, random
from selector.errors import InputError, RunError, require_callable, whole_number
from selector.languages.subset import Subset
from selector.solvers.limits import ROUNDING

BOOLEAN = CategoricalDistribution((False, True))
KEY = FloatDistribution(0.0, 1.0)
TRIES = 5  # a model that has converged asks for the same again
POPULATION = 20  # of NSGA-II: its own 50 would be half of a usual search drawn by chance


def tpe(space: Space, past: Past, rng: Generator) -> Subset | None:
    """Subset that a tree-structured Parzen estimator asks for, over one boolean per language (Bergstra et al. 2011).

    It is told the values in `past` and seeded by `rng`; what it asks for is cut or filled to the sizes of `space`. If
    that was begun before, a neighbour that was not.
    """

    def sampler(seed: int) -> BaseSampler:
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=False)

    return _proposed(sampler, BOOLEAN, TRIES, space, past, rng)


def nsga2(space: Space, past: Past, rng: Generator) -> Subset | None:
    """The subset that NSGA-II (Deb et al. 2002) asks for, over one key per language, of which the greatest are chosen.

    It is told the values in `past`, `POPULATION` a generation, and seeded by `rng`; sizes and repeats as in `tpe`.
    """

    def sampler(seed: int) -> BaseSampler:
        return optuna.samplers.NSGAIISampler(seed=seed, population_size=POPULATION)

    return _proposed(sampler, KEY, TRIES, space, past, rng)


def gp(space: Space, past: Past, rng: Generator) -> Subset | None:
    """The subset that Optuna's Gaussian process asks for, by expected improvement over one key per language.

    Its kernel is a Matérn kernel. It is told the values in `past` and seeded by `rng`; sizes and repeats as in `tpe`.
    It takes about a second with 60 languages.
    """

    def sampler(seed: int) -> BaseSampler:
        return optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False)

    return _proposed(sampler, KEY, 1, space, past, rng)


def _proposed(
    sampler: Callable[[int], BaseSampler],
    code: BaseDistribution,
    tries: int,
    space: Space,
    past: Past,
    rng: Generator,
) -> Subset | None:
    """The sampler's proposal, repaired; a neighbour where that was begun before."""
    inside = {subset: value for subset, value in past.values.items() if space.allows(subset)}
    asked: Subset | None = None
    for _ in range(tries):
        asked = _ask(sampler(int(rng.integers(2**32))), code, space, inside, rng)
        if asked is not None and asked not in past.taken:
            return asked
    near = [] if asked is None else [subset for subset in space.neighbours(asked) if subset not in past.taken]
    return near[rng.integers(len(near))] if near else random(space, past, rng)


def _ask(
    sampler: BaseSampler, code: BaseDistribution, space: Space, values: Mapping[Subset, float], rng: Generator
) -> Subset | None:
    """The languages whose value is above a half, as many as may be; the greatest first, equal ones by chance."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    every = {language.code: code for language in space.pool}
    told = [(set(subset.codes), value) for subset, value in values.items()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is experimental
        memory = optuna.create_study(direction="maximize", sampler=sampler)
        memory.add_trials(
            create_trial(
                params={name: name in chosen for name in every},
                distributions=dict(every),
                value=value,
                system_attrs={"NSGAIISampler:generation": place // POPULATION},
            )
            for place, (chosen, value) in enumerate(told)
        )
        asked: Mapping[str, Any] = memory.ask(fixed_distributions=dict(every)).params
    keys = np.array([float(asked[language.code]) for language in space.pool])  # (n,)
    size = min(max(int((keys > 0.5).sum()), space.sizes[0]), space.sizes[1])
    order = sorted(rng.permutation(np.array(space.free, dtype=np.intp)).tolist(), key=lambda index: -keys[index])
    return space.filled(order, size)


BUDGET = "the budget"  # as limits are named
CONSTRAINT = "constraints"  # Optuna's prefix
ATTRIBUTE = "subset"  # of a trial: codes, known as soon as it was asked for


class SubsetSampler(BaseSampler):
    """Chooses k languages of a pool within any Optuna study. One worker with the same seed makes the same trials.

    The objective asks for one boolean per language with `trial.suggest_categorical(code, (False, True))` and for
    whatever else it likes. Every trial is a subset that the space allows: of its sizes, with what is included, without
    what is excluded, within budget and quotas (a strategy of your own sees to that itself; `greedy` and `backward`
    measure other sizes on their way); none is tried twice, unless two workers ask at the same moment. Other
    parameters are drawn at random. Where the space has limits, what a subset exceeds them by (never more than 0) is
    recorded as Optuna's constraints "the budget" and "the quotas". The subset also stands in the trial's attribute
    `subset`.
    Optuna writes each boolean by itself: 20 languages take about 0.2 s a trial in SQLite, 200 languages 2 s; a journal
    is five times as fast.
    """

    def __init__(self, space: Space, propose: Propose = swap, seed: int = 0) -> None:
        """`propose` is a strategy: `realingo.surrogate(space)`, one of `search.strategies`, or a function of your own.

        Raises InputError where an argument is of another kind.
        """
        require_space(space)
        if isinstance(propose, str):
            hint = "give the strategy itself, for example propose=realingo.surrogate(space)"
            raise InputError(f"propose is '{propose}', a name", hint)
        require_callable(propose=propose)
        seed = whole_number("seed", seed)
        self.space = space
        self.propose = own_strategy(getattr(propose, "__name__", type(propose).__name__), propose)
        self.seed = seed
        self._others = RandomSampler(seed)  # of parameters that are no languages

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {language.code: BOOLEAN for language in self.space.pool}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: Mapping[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Values of the parameters of `trial` that are languages: code → whether it is in the proposed subset.

        The trials of `study` with smaller numbers are the past. RunError: every subset was tried.
        """
        before = [each for each in study.get_trials(deepcopy=False) if each.number < trial.number]
        chosen = self.propose(self.space, self._past(study, before), generator(self.seed, trial.number))
        if chosen is None:
            raise RunError("every subset of the space was tried", "ask for fewer trials")
        study._storage.set_trial_user_attr(trial._trial_id, ATTRIBUTE, " ".join(chosen.codes))
        for name, excess in self._excess(chosen).items():  # what `Trial.set_constraint` writes, without a trial
            study._storage.set_trial_system_attr(trial._trial_id, f"{CONSTRAINT}:{name}", excess)
        return {code: code in chosen.codes for code in search_space}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._others.sample_independent(study, trial, param_name, param_distribution)

    def _excess(self, subset: Subset) -> dict[str, float]:
        """By how much it breaks the budget, and the fullest of the quotas; 0 or less."""
        bounds = self.space.bounds
        left = dict(zip(bounds.names, bounds.remainder(self.space.indices(subset)).tolist(), strict=True))
        quotas = [value for name, value in left.items() if name != BUDGET]
        found = {BUDGET: -left[BUDGET]} if BUDGET in left else {}
        excess = {**found, "the quotas": -min(quotas)} if quotas else found
        return {name: 0.0 if abs(value) <= ROUNDING else value for name, value in excess.items()}

    def _past(self, study: Study, trials: list[FrozenTrial]) -> Past:
        """All are maximized. Trials without languages, of another sampler, are left out."""
        sign = -1.0 if study.directions[0] == StudyDirection.MINIMIZE else 1.0
        known = [(trial, subset) for trial in trials if (subset := self._subset(trial)) is not None]
        seen = [
            MeasuredSubset(subset, sign * trial.values[0])
            for trial, subset in known
            if trial.state == TrialState.COMPLETE and trial.values
        ]
        return Past(tuple(seen), tuple((subset, "full") for _, subset in known))

    def _subset(self, trial: FrozenTrial) -> Subset | None:
        codes = trial.user_attrs[ATTRIBUTE].split() if ATTRIBUTE in trial.user_attrs else None
        if codes is None and not trial.params:
            return None
        return Subset.of(
            language
            for language in self.space.pool
            if (language.code in codes if codes is not None else trial.params.get(language.code))
        )
