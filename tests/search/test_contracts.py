"""Contracts that users' evaluators and strategies are run against: ours keep them, what breaks one is caught."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
import rehearsal
from numpy.random import Generator, default_rng

from realign.evaluators.fake import FakeEvaluator, Terms
from realign.evaluators.single_language import SingleLanguageScores
from realign.evaluators.wrappers import Cached
from realign.score import Fidelity, Score
from realign.testing import EvaluatorContract, check_evaluator
from search.space import Space
from search.strategies import optuna_samplers
from search.strategies.genetic import genetic
from search.strategies.local import backward, exhaustive, greedy, swap
from search.strategies.proposer import Past, Propose, random
from search.testing import check_strategy
from selector.languages.language import parse_pool
from selector.languages.subset import Subset

POOL = parse_pool(list(rehearsal.POOL))
STRATEGIES: dict[str, Propose] = {"random": random, "exhaustive": exhaustive(0), "swap": swap, "genetic": genetic}
STRATEGIES |= {"tpe": optuna_samplers.tpe, "nsga2": optuna_samplers.nsga2}


class TestFake(EvaluatorContract):
    pool = POOL[:4]

    def make(self) -> FakeEvaluator:
        return FakeEvaluator(POOL, POOL)


@pytest.mark.usefixtures("own_cache")
class TestWrapped(EvaluatorContract):
    pool = POOL[:4]

    def make(self) -> Cached:
        return Cached(SingleLanguageScores(FakeEvaluator(POOL, POOL, Terms(noise=0.0))))


@pytest.mark.parametrize("name", STRATEGIES)
def test_our_strategies_keep_the_contract(name: str) -> None:
    check_strategy(STRATEGIES[name])


@pytest.mark.parametrize("strategy", [greedy, backward])
def test_strategies_that_pass_through_other_sizes_keep_the_rest(strategy: Propose) -> None:
    check_strategy(strategy, passes_through=True)
    with pytest.raises(AssertionError, match="breaks a condition"):
        check_strategy(strategy)


def stubborn(space: Space, past: Past, rng: Generator) -> Subset:
    return space.random(default_rng(0))


def forgetful(space: Space, past: Past, rng: Generator) -> Subset | None:
    return random(space, past, default_rng())


def early(space: Space, past: Past, rng: Generator) -> Subset | None:
    return random(space, past, rng) if len(past.taken) < 5 else None


def abroad(space: Space, past: Past, rng: Generator) -> list[str]:
    return ["vie", "zul", "deu"]


@pytest.mark.parametrize(
    ("strategy", "problem"),
    [(stubborn, "again"), (forgetful, "other answers"), (early, "stops after 5 of 6"), (abroad, "not in the pool")],
)
def test_what_breaks_a_rule_of_strategies_is_caught(strategy: Propose, problem: str) -> None:
    with pytest.raises(AssertionError, match=problem):
        check_strategy(strategy)


def even(subset: Subset, fidelity: Fidelity, seed: int) -> Mapping[str, float]:
    return {code: len(subset) / 20 for code in rehearsal.POOL}


class Wrong(FakeEvaluator):
    """Signed without the seed."""

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        return super().signature(subset, fidelity, 0)


def test_a_function_with_scores_of_languages_keeps_the_contract() -> None:
    check_evaluator(even, POOL[:4])


def test_what_breaks_a_rule_of_evaluators_is_caught() -> None:
    count = itertools.count()
    fake = FakeEvaluator(POOL, POOL)

    def drifting(subset: Subset, fidelity: Fidelity, seed: int) -> Mapping[str, float]:
        return {code: next(count) / 10_000 for code in rehearsal.POOL}

    def members(subset: Subset, fidelity: Fidelity, seed: int) -> Mapping[str, float]:
        return dict.fromkeys((*subset.codes, "eng"), 0.5)

    def boastful(subset: Subset, fidelity: Fidelity, seed: int) -> Score:
        score = fake(subset, fidelity, seed)
        return Score(score.value + 0.1, score.per_language, score.signature, score.tallies)

    for measure, problem in ((drifting, "other scores"), (members, "other languages"), (boastful, "the mean of")):
        with pytest.raises(AssertionError, match=problem):
            check_evaluator(measure, POOL[:4])  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="leaves out the subset, the seed"):
        check_evaluator(Wrong(POOL, POOL), POOL[:4])
