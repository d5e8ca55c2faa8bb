"""Problems whose answer is known, and the benchmark over them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rehearsal
from hypothesis import given, settings
from hypothesis import strategies as st

from realign.evaluators.fake import FakeEvaluator, Terms
from realign.evaluators.table import ScoreTable, load
from search.bench import strategies as bench_search
from search.bench.problems.replayed import Replayed
from search.bench.problems.synthetic import Synthetic
from search.bench.problems.truth import Truth
from selector.errors import InputError
from selector.languages.language import parse_pool
from selector.languages.subset import Subset

POOL = parse_pool(list(rehearsal.POOL))[:7]
CODES = tuple(language.code for language in POOL)


def truth(seed: int, n: int = 9) -> Truth:
    rng = np.random.default_rng(seed)
    pairs = np.triu(rng.normal(size=(n, n)) * (rng.random((n, n)) < 0.3), 1)
    found = Truth(rng.random((n, n)), rng.normal(size=n), pairs + pairs.T)
    found.standardize(4, rng)
    return found


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999))
def test_every_way_to_evaluate_a_truth_agrees(seed: int) -> None:
    f, chosen = truth(seed), [1, 3, 4, 8]
    assert f.with_each(chosen[:3])[0][8] == pytest.approx(f.value(chosen))
    exchanged, _ = f.exchanges(chosen)
    for row, into in itertools.product(range(4), (0, 2, 5)):
        other = sorted({*chosen[:row], *chosen[row + 1 :], into})
        assert exchanged[row, into] == pytest.approx(f.value(other))
    assert f.per_target(chosen).mean() == pytest.approx(f.value(chosen))


def test_parts_have_the_shares_that_are_promised() -> None:
    f, rng = truth(1), np.random.default_rng(5)
    parts = np.array([f.parts(rng.choice(9, 4, replace=False).tolist()) for _ in range(3000)])
    spread = parts.std(axis=0) * f.weights
    assert spread[1:] / spread[0] == pytest.approx([0.7, 0.7], rel=0.1)
    values = parts @ f.weights + f.shift
    assert [values.mean(), values.std()] == pytest.approx([0.0, 1.0], abs=0.1)


def test_knowledge_changes_what_is_seen_and_never_what_is_true() -> None:
    names = ("good", "misleading", "absent", "told")
    good, misleading, absent, told = (Synthetic(20, 0.5, side, 3) for side in names)
    subset = Subset(good.space.pool[:5])
    assert good.truth(subset) == misleading.truth(subset) == absent.truth(subset) == told.truth(subset)
    mask = np.zeros((1, 20))
    mask[0, :5] = 1.0
    sums = [float(part(mask)[0, 0]) for part in told.side.given.values()]
    assert sums == pytest.approx(list(told.f.parts(range(5))[:2]))
    assert good.best == misleading.best >= good.truth(subset)
    assert good.side.alike["known"] != pytest.approx(misleading.side.alike["known"])
    assert np.sort(good.side.alike["known"].ravel()) == pytest.approx(np.sort(misleading.side.alike["known"].ravel()))
    assert absent.side.alike == {}
    first = good.planner("diversity:facility", 0)(0, bench_search.Past())
    assert first is not None
    assert first.subset != misleading.planner("diversity:facility", 0)(0, bench_search.Past()).subset  # type: ignore[union-attr]
    measured = [good.measure(subset, "full", np.random.default_rng(seed)) for seed in range(400)]
    assert np.mean([each.value for each in measured]) == pytest.approx(good.truth(subset), abs=0.1)
    assert np.std([each.value for each in measured]) == pytest.approx(0.5, rel=0.15)
    assert np.mean(list(measured[0].per_language.values())) == pytest.approx(measured[0].value)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every subset of 1 to 3 of 7 languages of the fake world, two seeds."""
    fake = FakeEvaluator(POOL, POOL, Terms(noise=0.0))
    subsets = [Subset(each) for size in (1, 2, 3) for each in itertools.combinations(POOL, size)]
    true = np.array([list(fake.truth(subset).values()) for subset in subsets])
    noise = np.random.default_rng(0).normal(size=(len(subsets), 2, 1)) * 0.01
    values = np.stack([true[:, None, :] + noise] * 3).astype(np.float32)
    levels: dict[str, Any] = {"full": {"pairs": 400}, "short": {"pairs": 100}, "scores": {"pairs": 80}}
    codes = tuple(subset.codes for subset in subsets)
    file = tmp_path_factory.mktemp("table") / "table.npz"
    ScoreTable(CODES, CODES, codes, levels, {"full": 4.0, "short": 1.0, "scores": 0.0, "alone": 0.8}, values, {}).save(
        file
    )
    return file


def test_a_table_is_searched_without_training(table: Path) -> None:
    problem = Replayed(load(table))
    scores = [problem.score(problem.truth(subset)) for subset in problem.space.every()]
    assert max(scores) == pytest.approx(1.0)
    assert np.median(scores) == pytest.approx(0.0, abs=1e-6)
    assert problem.shares == {"full": 1.0, "short": 0.25, "merge": 0.2}
    subset = problem.space.subset((0, 1, 2))
    drawn = {problem.measure(subset, "full", np.random.default_rng(seed)).value for seed in range(20)}
    assert len(drawn) == 2
    assert np.mean(list(drawn)) == pytest.approx(problem.truth(subset))


def test_the_document_is_as_the_contract_says(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ("--table", table, "--repetitions", "2", "--strategies", "swap,diversity:max-sum")
    assert rehearsal.realingo("bench", "search", *common, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["strategy"] for row in document["rows"]] == ["swap", "diversity:max-sum"]
    for row in document["rows"]:
        assert set(row) >= {"strategy", "evaluations_to_1pct", "score_at", "repetitions"}
        assert 1 <= row["evaluations_to_1pct"]["mean"] <= 35
        assert row["evaluations_to_1pct"]["censored"] == 0
        assert list(row["regret"].values()) == sorted(row["regret"].values(), reverse=True)
        assert row["repetitions"] == 2
    assert rehearsal.realingo("bench", "search", *common) == 0
    assert "0 is the median subset" in capsys.readouterr().out


def test_a_level_that_was_not_measured_to_the_end_is_left_out(table: Path, tmp_path: Path) -> None:
    found = load(table)
    found.values[1, found.row[CODES[:3]]] = np.nan
    found.save(tmp_path / "partial.npz")
    problem = Replayed(load(tmp_path / "partial.npz"))
    assert set(problem.shares) == {"full", "merge"}
    with pytest.raises(InputError, match="at level short"):
        problem.measure(problem.space.subset((0, 1, 2)), "short", np.random.default_rng(0))


def test_a_batch_is_proposed_from_what_a_search_with_as_many_workers_knows(table: Path) -> None:
    problem, known = Replayed(load(table)), list[tuple[int, int]]()

    class Spy(Replayed):
        def planner(self, strategy: str, seed: int) -> Any:
            inner = problem.planner(strategy, seed)

            def plan(position: int, past: bench_search.Past) -> Any:
                known.append((len(past.seen), len(past.begun)))
                return inner(position, past)

            return plan

    bench_search.trace_run(Spy(load(table)), bench_search.RunTask(str(table), "", "swap", 0, 9, 4))
    assert known == [(max(0, begun - 3), begun) for begun in range(9)]


def test_the_ladder_pays_for_its_levels_what_they_cost(table: Path) -> None:
    """Seven languages are merged, at a fifth each, before the first full run; short ones cost a quarter."""
    trace = bench_search.trace_run(Replayed(load(table)), bench_search.RunTask(str(table), "", "ladder", 0, 12, 1))
    assert trace.costs[0] == pytest.approx(7 * 0.2 + 1)
    steps = np.diff(trace.costs)
    assert (steps >= 1 - 1e-9).all()
    assert np.allclose(4 * steps, np.round(4 * steps))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--problem", "n21"), "n21"),
        (("--strategies", "magic"), "magic"),
        (("--table", "absent.npz"), "absent.npz"),
        (("--problem", "n20", "--repetitions", "0"), "--repetitions"),
    ],
)
def test_what_is_wrong_is_named(options: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert rehearsal.realingo("bench", "search", *options) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert named in error
    assert hint.startswith("hint: ")


def test_a_strategy_that_leaves_the_table_is_refused(table: Path) -> None:
    problem = Replayed(load(table))
    with pytest.raises(InputError, match="the table has no"):
        bench_search.trace_run(problem, bench_search.RunTask(str(table), "", "backward", 0, 20, 1))
