"""Strategies as a sampler of Optuna: always a new, allowed subset."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import optuna
import pytest
from similarities import side

import realingo
from search.space import Space
from search.strategies import local
from search.strategies import proposer as proposal
from search.strategies.optuna_samplers import SubsetSampler
from search.strategies.proposer import Past
from search.surrogate.prior_knowledge import prior_of_pool
from search.surrogate.surrogate import Surrogate
from selector.errors import InputError, RunError
from selector.languages.language import parse_pool
from selector.languages.subset import Subset

POOL = parse_pool("arb,cmn,deu,fin,fra,hin,jpn,swh,tur,vie")
SPACE = Space(POOL, (3, 4))
POOL_CODES = [language.code for language in POOL]
HUB = Path(__file__).resolve().parents[2] / "examples" / "optunahub" / "package" / "samplers" / "realingo_subset"
GOOD = {"deu", "fin", "swh"}


def chosen(trial: optuna.Trial | optuna.trial.FrozenTrial) -> Subset:
    if isinstance(trial, optuna.trial.FrozenTrial):
        return Subset.of(language for language in POOL if trial.params[language.code])
    return Subset.of(language for language in POOL if trial.suggest_categorical(language.code, (False, True)))


def imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("realingo_subset", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def test_limits_are_shown_as_constraints() -> None:
    """The budget and the fullest quota; every trial of the sampler is feasible to Optuna."""
    space = Space(POOL, k=3, costs={code: 1.0 + place for place, code in enumerate(POOL_CODES)}, budget=12.0)
    both = Space(POOL, k=3, quotas=["family=1"], costs=dict.fromkeys(POOL_CODES, 1.0), budget=3.0)
    tight = optimized(SubsetSampler(space, local.swap, seed=4), 10)
    for trial in tight.trials:
        cost = space.cost(chosen(trial))
        assert trial.constraints == {"the budget": pytest.approx(cost - 12.0)}
        assert cost <= 12.0
    for trial in optimized(SubsetSampler(both, local.swap, seed=4), 5).trials:
        taken = len({"deu", "fra", "hin"} & set(chosen(trial).codes))  # the only family with several in the pool
        assert trial.constraints == {"the budget": 0.0, "the quotas": taken - 1.0}
    assert all(not trial.constraints for trial in optimized(SubsetSampler(SPACE, local.swap), 3).trials)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"space": "arb,cmn"}, "no Space"),
        ({"propose": "surrogate"}, "a name"),
        ({"propose": 3}, "cannot be called"),
        ({"seed": "one"}, "not a whole number"),
    ],
)
def test_arguments_of_another_kind_are_refused(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        SubsetSampler(**{"space": SPACE, **arguments})


def test_a_strategy_of_ones_own_may_answer_with_codes() -> None:
    def first(space: Space, past: Past, rng: np.random.Generator) -> list[str]:
        return POOL_CODES[len(past.taken) : len(past.taken) + 3]

    assert [chosen(trial).codes for trial in optimized(SubsetSampler(SPACE, first), 2).trials] == [
        tuple(POOL_CODES[:3]),
        tuple(POOL_CODES[1:4]),
    ]
    for wrong, problem in ((["deu", "zul"], "zul, not in the pool"), (["deu", 5], "no subset")):
        with pytest.raises(RunError, match=problem):
            optimized(SubsetSampler(SPACE, lambda *_, wrong=wrong: wrong), 1)


def test_the_surrogate_for_a_sampler_knows_what_is_similar() -> None:
    space = realingo.Space(POOL, k=3)
    prior = prior_of_pool(POOL, POOL[0])
    assert all(alike.shape == (len(POOL), len(POOL)) for alike in (*prior.alike.values(), *prior.near.values()))
    deu, fra, jpn = (POOL_CODES.index(code) for code in ("deu", "fra", "jpn"))
    assert prior.alike["genetic"][deu, fra] > prior.alike["genetic"][deu, jpn]
    assert prior.source["syntactic"][0] == 1.0
    outside = prior_of_pool(POOL[1:], POOL[0])
    assert outside.targets == tuple(POOL_CODES[1:])
    assert outside.source["syntactic"].shape == (len(POOL) - 1,)
    found = optimized(SubsetSampler(space, realingo.surrogate(space), seed=1), 25)
    assert set(chosen(found.best_trial).codes) == GOOD
    assert len({chosen(trial) for trial in found.trials}) == 25


def test_the_folder_for_optunahub_is_whole() -> None:
    """As its registry asks: four files, a head with these keys, and a module that can be imported by itself."""
    assert {path.name for path in HUB.iterdir() if path.is_file()} == {
        "README.md",
        "__init__.py",
        "LICENSE",
        "example.py",
    }
    head = (HUB / "README.md").read_text(encoding="utf-8").split("---")[1]
    keys = {line.partition(":")[0] for line in head.strip().splitlines()}
    assert keys == {"author", "title", "description", "tags", "optuna_versions", "license"}
    module = imported(HUB / "__init__.py")
    assert module.surrogate is realingo.surrogate
    readme = (HUB / "README.md").read_text(encoding="utf-8")
    block = readme.split("## Example")[1].split("```python\n")[1].split("```")[0]
    for text in (block, (HUB / "example.py").read_text(encoding="utf-8")):
        program = text.replace("import optunahub\n", "").replace(
            'optunahub.load_module("samplers/realingo_subset")', "hub_module"
        )
        names = {"hub_module": module}
        exec(compile(program, "example.py", "exec"), names)
        best = names["study"].best_trial  # type: ignore[attr-defined]
        assert best.value == max(trial.value for trial in names["study"].trials)  # type: ignore[attr-defined]
        assert len(best.user_attrs["subset"].split()) == sum(best.params.values())
