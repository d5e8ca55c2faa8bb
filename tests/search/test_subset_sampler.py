"""Strategies as a sampler of Optuna: always a new, allowed subset."""

from __future__ import annotations

import optuna
import pytest
from similarities import side

from search.space import Space
from search.strategies import base as proposal
from search.strategies import local
from search.strategies.optuna_samplers import SubsetSampler
from search.surrogate.model import Surrogate
from selector.errors import RunError
from selector.languages.language import parse_pool
from selector.languages.subset import Subset

POOL = parse_pool("arb,cmn,deu,fin,fra,hin,jpn,swh,tur,vie")
SPACE = Space(POOL, (3, 4))
GOOD = {"deu", "fin", "swh"}


def chosen(trial: optuna.Trial | optuna.trial.FrozenTrial) -> Subset:
    if isinstance(trial, optuna.trial.FrozenTrial):
        return Subset.of(language for language in POOL if trial.params[language.code])
    return Subset.of(language for language in POOL if trial.suggest_categorical(language.code, (False, True)))


def loss(trial: optuna.Trial) -> float:
    """The fewer languages differ from the good ones, the smaller; and another parameter, which is no language."""
    return len(GOOD ^ set(chosen(trial).codes)) + 0.1 * trial.suggest_float("lr", 0.0, 1.0)


def optimized(sampler: SubsetSampler, count: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="minimize", sampler=sampler)
    study.optimize(loss, n_trials=count)
    return study


def test_trials_are_allowed_and_new_and_become_better() -> None:
    studies = [optimized(SubsetSampler(SPACE, Surrogate(side()), seed=1), 25) for _ in range(2)]
    subsets = [[chosen(trial) for trial in study.trials] for study in studies]
    assert all(SPACE.allows(subset) for subset in subsets[0])
    assert len(set(subsets[0])) == 25
    assert subsets[0] == subsets[1]
    assert set(chosen(studies[0].best_trial).codes) == GOOD


def test_running_trials_are_not_asked_for_again() -> None:
    study = optuna.create_study(sampler=SubsetSampler(Space(POOL[:4], (2, 2)), local.swap))
    names = {language.code: optuna.distributions.CategoricalDistribution((False, True)) for language in POOL[:4]}
    asked = [tuple(sorted(study.ask(names).params.items())) for _ in range(6)]
    assert len(set(asked)) == 6
    with pytest.raises(RunError, match="every subset"):
        study.ask(names)


def test_trials_of_another_sampler_are_learned_from() -> None:
    first = optimized(SubsetSampler(SPACE, proposal.random, seed=2), 12)
    study = optuna.create_study(sampler=SubsetSampler(SPACE, Surrogate(side()), seed=3))
    for trial in first.trials:
        study.add_trial(
            optuna.trial.create_trial(params=trial.params, distributions=trial.distributions, value=trial.value)
        )
    study.optimize(loss, n_trials=8)
    subsets = [chosen(trial) for trial in study.trials]
    assert len(set(subsets)) == 20
    assert study.best_value < first.best_value
