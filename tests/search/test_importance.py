"""Which languages matter: the surrogate's effects against the truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rehearsal
from scipy.stats import spearmanr

from search.space import Space
from search.strategies.proposer import MeasuredSubset, Past, generator, random
from search.surrogate import importance
from search.surrogate.kernels import PriorKnowledge, masks
from search.surrogate.surrogate import Surrogate
from selector.languages.language import parse_pool
from selector.languages.subset import Subset

POOL = parse_pool(list(rehearsal.POOL))
SPACE = Space(POOL, (4, 4))
WORTH = np.linspace(-0.03, 0.03, len(POOL))
TOGETHER = (2, 7)  # are worth more together


def truth(X: np.ndarray) -> np.ndarray:
    return 0.5 + X @ WORTH + 0.1 * X[:, TOGETHER[0]] * X[:, TOGETHER[1]]


def past(count: int, noise: float = 0.01, luck: int = 5) -> Past:
    subsets: list[Subset] = []
    for position in range(count):
        seen = Past((), tuple((subset, "full") for subset in subsets))
        subsets.append(random(SPACE, seen, generator(3, position)) or Subset())
    values = truth(masks(SPACE, subsets)) + np.random.default_rng(luck).normal(size=count) * noise
    seen = tuple(MeasuredSubset(subset, float(value)) for subset, value in zip(subsets, values, strict=True))
    return Past(seen, tuple((subset, "full") for subset in subsets))


def test_effects_are_those_of_the_truth() -> None:
    single, pairs = importance.explain(SPACE, Surrogate(PriorKnowledge()), past(80))
    X = masks(SPACE, SPACE.every())
    real = {each.code: truth(X[X[:, i] > 0]).mean() - truth(X[X[:, i] == 0]).mean() for i, each in enumerate(POOL)}
    assert [each.effect for each in single] == sorted((each.effect for each in single), reverse=True)
    assert spearmanr([each.effect for each in single], [real[each.code] for each in single]).statistic > 0.9
    assert sum(each.effect for each in single) == pytest.approx(0.0, abs=1e-9)
    centred = {code: value - np.mean(list(real.values())) for code, value in real.items()}
    assert pairs[0].codes == tuple(POOL[i].code for i in TOGETHER)
    assert pairs[0].low > 0
    held = []
    for luck in range(10):
        single, _ = importance.explain(SPACE, Surrogate(PriorKnowledge()), past(50, luck=luck))
        held += [each.low <= centred[each.code] <= each.high for each in single]
    assert 0.8 <= np.mean(held) <= 0.98  # of intervals of 90 %


def test_more_trials_narrow_the_intervals() -> None:
    widths = []
    for count in (20, 120):
        single, _ = importance.explain(SPACE, Surrogate(PriorKnowledge()), past(count, noise=0.03))
        widths.append(np.mean([each.high - each.low for each in single]))
    assert widths[1] < widths[0] / 1.3


def test_languages_that_are_always_in_have_no_effect() -> None:
    space = Space(POOL, (4, 4), frozenset(POOL[:1]), frozenset(POOL[-1:]))
    seen = [each for each in past(200).seen if space.allows(each.subset)]
    single, _ = importance.explain(space, Surrogate(PriorKnowledge()), Past(tuple(seen)))
    assert {each.code for each in single} == {each.code for each in POOL[1:-1]}


def test_too_few_trials_say_nothing() -> None:
    assert importance.explain(SPACE, Surrogate(PriorKnowledge()), past(9)) == ([], [])


def test_status_explains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = rehearsal.write(tmp_path, strategy="random", trials=12)
    assert rehearsal.realingo("search", path) == 0
    capsys.readouterr()
    assert rehearsal.realingo("status", path, "--explain", "--json") == 0
    found = json.loads(capsys.readouterr().out)["explain"]
    assert {each["language"] for each in found["languages"]} == set(rehearsal.POOL)
    assert all(each["ci90"][0] < each["effect"] < each["ci90"][1] for each in found["languages"])
    assert found["pairs"]
    assert rehearsal.realingo("status", path, "--explain") == 0
    shown = capsys.readouterr().out
    assert found["languages"][0]["language"] in shown
    assert "average language" in shown
