"""Repeats: the same ones every time, on a seed of their own each, and a recommendation by means."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rehearsal
from similarities import POOL, side

from search.bench.problems.synthetic import Synthetic
from search.bench.repeats_in_names import split_repeats
from search.bench.strategies import RunTask, trace_run
from search.commands import search as run
from search.config.study_config import StudyConfig
from search.confirmation import recommend
from search.space import Space
from search.strategies.proposer import MeasuredSubset, Past, generator
from search.study.study import open_study
from search.study.trial import last_attempts
from search.surrogate import repeats
from search.surrogate.kernels import masks
from search.surrogate.repeats import knowledge_gain
from search.surrogate.surrogate import Surrogate
from selector.errors import InputError
from selector.languages.subset import Subset

pytestmark = pytest.mark.usefixtures("own_cache")

SPACE = Space(POOL, (2, 2), exclude=frozenset(POOL[5:]))  # ten subsets


def past(runs: int) -> Past:
    """Eight subsets, the first three measured more often; each measurement is the mean of `runs` runs."""
    rng = np.random.default_rng(2)
    subsets = list(SPACE.every())[:8]
    order = [*subsets, *subsets[:3], *subsets[:2], subsets[0]]
    seen = tuple(MeasuredSubset(subset, 0.1 * subsets.index(subset) + rng.normal(), seeds=runs) for subset in order)
    return Past(seen, tuple((subset, "full") for subset in order))


def history(config: StudyConfig) -> list[tuple[int, Subset, int, float | None]]:
    trials = last_attempts(open_study(config, create=False).trials())
    return [(trial.position, trial.subset, trial.seed, trial.value) for trial in trials.values()]


def study(folder: Path, setting: str, seeds: int = 1) -> StudyConfig:
    changes = (f"search.repeats={setting}", f"search.seeds={seeds}", "model.base.noise=3.0")
    return rehearsal.study(folder, *changes, strategy="surrogate")


@pytest.mark.parametrize(("setting", "seeds"), [("auto", 1), ("auto", 2), ("3", 1)])
def test_the_same_trials_resumed_or_not_and_no_seed_of_a_subset_twice(tmp_path: Path, setting: str, seeds: int) -> None:
    whole, parts = study(tmp_path / "whole", setting, seeds), study(tmp_path / "parts", setting, seeds)
    run.search(whole, trials=24)
    for trials in (3, 11, 12, 24):
        run.search(parts, trials=trials)
    found = history(whole)
    assert found == history(parts)
    subsets = [subset for _, subset, _, _ in found]
    assert len(set(subsets)) < len(subsets)
    for subset in set(subsets):
        begun = [seed for _, own, seed, _ in found if own == subset]
        assert begun == [whole.seed + i * seeds for i in range(len(begun))]
        assert len(begun) <= (repeats.MOST if setting == "auto" else int(setting))


def test_two_workers_give_the_same_repeats_every_time(tmp_path: Path) -> None:
    first, second = study(tmp_path / "first", "auto"), study(tmp_path / "second", "auto")
    for config in (first, second):
        run.search(config, trials=16, workers=2, backend="process")
    assert history(first) == history(second)


def test_a_worker_process_repeats_what_the_inline_backend_repeats(tmp_path: Path) -> None:
    inline, process = study(tmp_path / "inline", "auto"), study(tmp_path / "process", "auto")
    run.search(inline, trials=16)
    run.search(process, trials=16, backend="process")
    assert history(inline) == history(process)


def test_never_is_never(tmp_path: Path) -> None:
    config = study(tmp_path, "never")
    run.search(config, trials=20)
    assert len({subset for _, subset, _, _ in history(config)}) == 20
    assert {seed for _, _, seed, _ in history(config)} == {config.seed}


@pytest.mark.parametrize("runs", [1, 3])
def test_the_recommendation_is_that_of_the_means_by_brute_force(runs: int) -> None:
    """The posterior of a Gaussian process given each subset's mean, with noise divided by its measurements."""
    known, surrogate = past(runs), Surrogate(side())
    fit = surrogate.fit(SPACE, known, own=True)
    values: dict[Subset, list[float]] = {}
    for each in known.seen:
        values.setdefault(each.subset, []).append(each.value)
    at = fit.kernels.at(masks(SPACE, values))
    K = fit.kernels.towards(fit.weights.kernels, at)(at)
    y = np.array([np.mean(some) for some in values.values()])
    noise = fit.scale**2 * fit.weights.noise / np.array([len(some) for some in values.values()])
    C = fit.scale**2 * K
    inverse, ones = np.linalg.inv(C + np.diag(noise)), np.ones(len(y))
    constant = (ones @ inverse @ y) / (ones @ inverse @ ones)
    mean = constant + C @ inverse @ (y - constant)
    found = surrogate.recommend(SPACE, known)
    assert [subset for subset, _, _ in found] == [list(values)[i] for i in np.argsort(-mean)]
    assert [expected for _, expected, _ in found] == pytest.approx(np.sort(mean)[::-1].tolist(), abs=1e-4)


def test_a_subset_counts_once_with_the_mean_of_its_measurements() -> None:
    known = past(2)
    first = known.seen[0].subset
    own = [each.value for each in known.seen if each.subset == first]
    assert len(own) == 4
    assert known.means[0].seeds == 8
    assert known.values[first] == pytest.approx(np.mean(own))
    assert known.pending == ()
    assert Past(known.seen, (*known.begun, (first, "full"))).pending == (first,)


def test_the_gain_of_one_more_measurement_is_that_of_simulated_ones() -> None:
    rng = np.random.default_rng(3)
    root = rng.normal(size=(4, 4))
    mean, C, noise = rng.normal(size=4), root @ root.T, 0.7
    found = knowledge_gain(mean, C, noise, known=3)
    for option in range(4):
        outcomes = rng.normal(size=200_000) * np.sqrt(C[option, option] + noise)  # less what is expected
        after = mean[:, None] + C[:, option, None] / (C[option, option] + noise) * outcomes
        rows = [0, 1, 2] if option < 3 else [0, 1, 2, 3]
        assert found[option] == pytest.approx(after[rows].max(axis=0).mean() - mean[:3].max(), abs=0.01)


def test_what_is_known_without_noise_is_not_measured_again() -> None:
    def joint(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.array([1.0, 0.9, 0.0]), np.diag([0.0, 0.0, 1.0])

    known, new = np.eye(3)[:2], np.eye(3)[2]
    assert repeats.again("auto", joint, 0.1, known, np.array([1, 1]), new) is None

    def rivals(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.array([1.0, 0.9, -9.0]), np.diag([0.3, 0.5, 1.0])

    assert repeats.again("auto", rivals, 0.1, known, np.array([1, 1]), new) == 1
    assert repeats.again("auto", rivals, 0.1, known, np.array([1, repeats.MOST]), new) == 0
    assert repeats.again("never", rivals, 0.1, known, np.array([1, 1]), new) is None


def test_a_small_space_is_measured_again_until_every_subset_has_its_share() -> None:
    surrogate, begun, seen = Surrogate(side(), repeats=2), list[Subset](), list[MeasuredSubset]()
    for position in range(40):
        known = Past(tuple(seen), tuple((subset, "full") for subset in begun))
        chosen = surrogate(SPACE, known, generator(1, position))
        if chosen is None:
            break
        begun.append(chosen)
        seen.append(MeasuredSubset(chosen, float(np.random.default_rng(position).normal())))
    assert set(begun) == set(SPACE.every())
    assert max(map(begun.count, begun)) == 2


def test_status_tells_means_and_how_many_trials_they_are_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = rehearsal.write(tmp_path, strategy="surrogate", noise=3.0)
    chosen = ("--set", "search.repeats=3", "--set", "search.storage=trial.journal")
    assert rehearsal.realingo("search", path, "--trials", "20", "--json", *chosen) == 0
    document = json.loads(capsys.readouterr().out)
    config = rehearsal.study(tmp_path, "search.repeats=3", strategy="surrogate", noise=3.0)
    own = [
        t for t in open_study(config, create=False).trials() if list(t.subset.codes) == document["best"]["languages"]
    ]
    assert document["best"]["repeats"] == len(own)
    assert document["best"]["value"] == pytest.approx(np.mean([trial.value for trial in own]))
    taken = [t for t in history(config) if list(t[1].codes) == document["recommended"]["languages"]]
    assert document["recommended"]["runs"] == len(taken)
    top = recommend.Recommender(open_study(config, create=False)).top(30)
    assert len({trial.subset for trial in top}) == len(top) == len({subset for _, subset, _, _ in history(config)})


@pytest.mark.parametrize(
    ("setting", "number"),
    [("1", "greater than or equal to 2"), ("11", "less than or equal to 10"), ("always", "a valid integer")],
)
def test_wrong_repeats_are_refused(tmp_path: Path, setting: str, number: str) -> None:
    with pytest.raises(InputError, match=rf"search\.repeats: Input should be 'never' or 'auto' or {number}"):
        study(tmp_path, setting)
    with pytest.raises(InputError):
        split_repeats(f"surrogate:{setting}")


def test_repeats_are_for_the_surrogate_and_one_objective(tmp_path: Path) -> None:
    for change in ("search.strategy=swap", 'search.objectives=["mean", "cost"]'):
        with pytest.raises(InputError, match="repeats are for"):
            rehearsal.study(tmp_path, "search.repeats=auto", change, strategy="surrogate")


def test_the_benchmark_repeats_where_it_is_asked_to_and_tells_what_is_recommended() -> None:
    problem = Synthetic(20, 1.0, "absent", 0)
    plan, seen, begun = problem.planner("surrogate:2", 0), list[MeasuredSubset](), list[tuple[Subset, str]]()
    for position in range(8):
        chosen = plan(position, Past(tuple(seen), tuple(begun)))
        assert chosen is not None
        begun.append((chosen.subset, chosen.level))
        seen.append(problem.measure(chosen.subset, "full", np.random.default_rng(position)))
    assert len(set(begun)) < len(begun)
    trace = trace_run(problem, RunTask("", "n20", "random", 0, 12, 1))
    assert len(trace.costs) == 12
    assert list(trace.recommended) == [10]
