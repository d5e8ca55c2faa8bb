"""The ladder: cheap levels first, full ones last, and no trust in a level that says nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rehearsal
from hypothesis import given, settings
from hypothesis import strategies as st
from similarities import side

from search import planner
from search.config.study_config import load
from search.effort.cost import Price
from search.space import Space
from search.strategies import ladder
from search.strategies.proposer import MeasuredSubset, Past, generator, random
from search.surrogate.surrogate import Surrogate
from selector.languages.language import parse_pool
from selector.languages.subset import Subset

POOL = parse_pool(list(rehearsal.POOL))
SPACE = Space(POOL, (3, 3))
WORTH = np.random.default_rng(0).normal(size=len(POOL)) * 0.02


def value(subset: Subset, level: str, tells: float) -> float:
    """Full values, and cheap ones that correlate with them by about `tells`."""
    truth = 0.5 + float(WORTH[list(SPACE.indices(subset))].sum())
    if level == "full":
        return truth
    other = np.random.default_rng([len(level), *SPACE.indices(subset)]).normal() * WORTH.std() * np.sqrt(3)
    return tells * truth + (1 - tells) * float(other)


def climbed(config_plan: planner.Planner, trials: int, tells: float) -> list[tuple[Subset, str]]:
    begun: list[tuple[Subset, str]] = []
    for position in range(trials):
        seen = tuple(MeasuredSubset(subset, value(subset, level, tells), level=level) for subset, level in begun)
        found = config_plan(position, Past(seen, tuple(begun)))
        assert found is not None
        assert (found.subset, found.level) not in begun
        begun.append((found.subset, found.level))
    return begun


def counted(begun: list[tuple[Subset, str]]) -> dict[str, int]:
    return {level: sum(own == level for _, own in begun) for level in ladder.ORDER}


@pytest.mark.parametrize("strategy", ["surrogate", "swap"])
def test_cheap_levels_come_first_and_full_ones_last(tmp_path: Path, strategy: str) -> None:
    config = rehearsal.study(tmp_path, "search.fidelity=ladder", strategy=strategy, trials=30)
    begun = climbed(planner.planner(config), 30, tells=1.0)
    assert counted(begun) == {"merge": 15, "short": 6, "full": 9}
    assert begun[0][1] == "merge"
    assert begun[-1][1] == "full"
    by_level = {level: {subset for subset, own in begun if own == level} for level in ladder.ORDER}
    assert len(by_level["full"] & by_level["merge"]) >= ladder.common_of(30)
    assert by_level["full"] & by_level["short"]
    truth = {subset: value(subset, "full", 1.0) for subset in SPACE.every()}
    assert max(truth[subset] for subset in by_level["full"]) >= np.quantile(list(truth.values()), 0.98)


def test_a_level_that_says_nothing_is_left(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, "search.fidelity=ladder", strategy="surrogate", trials=60)
    begun = climbed(planner.planner(config), 60, tells=-1.0)
    past = Past(tuple(MeasuredSubset(s, value(s, level, -1.0), level=level) for s, level in begun), tuple(begun))
    assert not ladder.trusted(past, "merge", "full")
    assert counted(begun)["merge"] == 15  # half of its share, which was spent before it was judged
    assert ladder.below(past) == []


def test_few_trials_still_end_in_full_ones(tmp_path: Path) -> None:
    for trials in (4, 8, 20):
        folder = tmp_path / str(trials)
        config = rehearsal.study(folder, "search.fidelity=ladder", strategy="swap", trials=trials)
        assert counted(climbed(planner.planner(config), trials, 1.0))["full"] >= max(2, trials // 4)


@settings(max_examples=30, deadline=None)
@given(counts=st.tuples(*[st.integers(0, 40)] * 3), trials=st.integers(1, 100))
def test_a_full_training_is_always_a_way_out(counts: tuple[int, int, int], trials: int) -> None:
    every = list(SPACE.every())
    begun = [(s, level) for level, count in zip(ladder.ORDER, counts, strict=True) for s in every[:count]]
    due = ladder.levels_due(Past((), tuple(begun)), trials)
    assert "full" in due
    assert len(set(due)) == len(due)


def test_agreement_is_the_rank_correlation_of_common_subsets() -> None:
    some = list(SPACE.every())[:12]
    seen = [MeasuredSubset(subset, i, level="merge") for i, subset in enumerate(some)]
    seen += [MeasuredSubset(subset, -(i**3), level="full") for i, subset in enumerate(some[:8])]
    assert ladder.agreement(Past(tuple(seen)), "merge", "full") == pytest.approx(-1.0)
    assert ladder.agreement(Past(tuple(seen[:15])), "merge", "full") is None
    assert ladder.trusted(Past(tuple(seen[:15])), "merge", "full")


def test_a_cheap_level_informs_the_level_above() -> None:
    """Four full trainings and thirty good merges predict better than the four alone."""
    some = [random(SPACE, Past(), generator(9, i)) for i in range(40)]
    subsets = list(dict.fromkeys(subset for subset in some if subset is not None))
    cheap = tuple(MeasuredSubset(s, value(s, "merge", 0.9), level="merge") for s in subsets)
    full = tuple(MeasuredSubset(s, value(s, "full", 0.9)) for s in subsets[:6])
    X = np.array([[language in subset for language in POOL] for subset in SPACE.every()], dtype=float)
    truth = [value(subset, "full", 0.9) for subset in SPACE.every()]
    alone, informed = (Surrogate(side()).fit(SPACE, Past(seen))(X)[0] for seen in (full, (*cheap, *full)))
    assert np.corrcoef(informed, truth)[0, 1] > np.corrcoef(alone, truth)[0, 1] + 0.1


def test_a_study_climbs_and_recommends_what_was_trained_in_full(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = rehearsal.write(tmp_path, strategy="surrogate", trials=16)
    assert rehearsal.realingo("search", path, "--set", "search.fidelity=ladder", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["trials"]["complete"] == 16
    assert document["recommended"]["std"] > 0
    assert document["evaluations"]["full_equivalents"] < 16


def test_a_ladder_says_what_it_pays_at_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten languages in subsets of 3, a third of 3,200 pairs each, and 200 steps of 16 sentences."""
    path = rehearsal.write(tmp_path, trials=16)
    config = load(path, ["search.fidelity=ladder"])
    paid = Price(config).paid_at_first()
    assert paid == pytest.approx(len(config.pool) * (2 * 1067 + 3200) / (6400 + 3200))
    assert Price(load(path)).paid_at_first() == 0.0
    assert rehearsal.realingo("search", path, "--set", "search.fidelity=ladder") == 0
    assert f"the work of up to {paid:.0f} full evaluations" in capsys.readouterr().err


def test_the_levels_share_the_trials_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = rehearsal.write(tmp_path, strategy="random", trials=100)
    assert rehearsal.realingo("search", path, "--trials", "10", "--set", "search.fidelity=ladder", "--json") == 0
    levels = json.loads(capsys.readouterr().out)["levels"]
    assert levels["merge"] <= 5
    assert levels["full"] >= 3
