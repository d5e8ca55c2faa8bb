"""The study in its storage, and the search that drives it."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import rehearsal
from filelock import FileLock

from realign.build import evaluator as assemble
from realign.score import Fidelity, Look, Score
from search import driver
from search.backends import registry as backend
from search.backends.backend import Job, Outcome, run_job
from search.backends.process import processes
from search.commands import search as run
from search.config.study_config import StudyConfig
from search.confirmation import recommend
from search.effort.fidelities import Fidelities
from search.interrupts import Interrupts
from search.study import lease
from search.study.owner import this_process
from search.study.provenance import facts
from search.study.storage import redact_url
from search.study.study import Study, open_study
from search.study.trial import LOST, Trial, last_attempts
from selector.errors import InputError, RunError
from selector.languages.subset import Subset

pytestmark = pytest.mark.usefixtures("own_cache")

STORAGES = ("sqlite:///study.db", "study.journal")


def score(value: float = 0.5) -> Score:
    return Score(value, {"fra": value}, "signed", seconds=1.5)


def history(config: StudyConfig) -> list[tuple[int, Subset, float | None, str]]:
    """What was tried, without what an interruption may change: numbers, times, owners."""
    latest = last_attempts(open_study(config, create=False).trials())
    return [(trial.position, trial.subset, trial.value, trial.origin) for trial in latest.values()]


@pytest.mark.parametrize("storage", STORAGES)
def test_what_is_recorded_is_read_back_by_another_reader(tmp_path: Path, storage: str) -> None:
    config = rehearsal.study(tmp_path, f"search.storage={storage}")
    study = open_study(config, create=True)
    subset = Subset(config.pool[:3])
    begun = study.begin(subset, "swap", 0, {"pairs": 9})
    assert (begun.state, begun.number, begun.owner) == ("running", 0, this_process())
    study.finish(begun, score(), 0.5)
    failed = study.fail(study.begin(Subset(config.pool[1:4]), "swap", 1, {}), "out of memory")
    first, second = open_study(config, create=False).trials()
    assert (first.state, first.subset, first.value, first.origin) == ("complete", subset, 0.5, "swap")
    assert (first.per_language, first.signature, first.seconds) == ({"fra": 0.5}, "signed", 1.5)
    assert first.fidelity == {"pairs": 9}
    assert first.seed == config.seed
    assert (second.state, second.error, second.value) == ("failed", "out of memory", None)
    assert second == failed


def test_best_has_an_asked_size_and_ties_go_to_the_earlier(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path)
    study = open_study(config, create=True)
    sizes_and_values = [(3, 0.4), (2, 0.9), (3, 0.6), (3, 0.6)]
    for position, (size, value) in enumerate(sizes_and_values):
        subset = Subset(config.pool[position : position + size])
        study.finish(study.begin(subset, "greedy", position, {}), score(value), value)
    assert [trial.number for trial in study.best(5)] == [2, 3, 0]


def owned(study: Study, trial: Trial, **changed: object) -> None:
    """As if another process had begun the trial."""
    key = study.storage.get_trial_id_from_study_id_trial_number(
        study.storage.get_study_id_from_name(study.name), trial.number
    )
    study.storage.set_trial_user_attr(key, "owner", {**this_process().to_json(), **changed})


def test_a_killed_trial_is_made_again_at_most_twice(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path)
    study = open_study(config, create=True)
    study.finish(study.begin(Subset(config.pool[:3]), "swap", 0, {}), score(), 0.5)
    subset = Subset(config.pool[1:4])
    trial = study.begin(subset, "swap", 1, {})
    for attempt in range(3):
        owned(study, trial, started="long ago")
        again = open_study(config, create=False).recover()
        if attempt == 2:
            assert again == []
            break
        assert [(each.subset, each.position, each.error) for each in again] == [(subset, 1, LOST)]
        trial = study.begin(subset, "swap", 1, {}, again[0].number)
    assert [each.state for each in study.trials()] == ["complete", "failed", "failed", "failed"]


def test_a_trial_of_another_host_is_not_stolen(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path)
    study = open_study(config, create=True)
    trial = study.begin(Subset(config.pool[:3]), "swap", 0, {})
    owned(study, trial, host="elsewhere")
    with pytest.raises(RunError, match="elsewhere"):
        open_study(config, create=False).recover()
    taking_over = rehearsal.study(tmp_path, "search.take_over=true")
    assert [each.subset for each in open_study(taking_over, create=False).recover()] == [trial.subset]


def test_this_process_lives_and_an_ended_one_has_ended() -> None:
    assert not this_process().has_ended
    assert replace(this_process(), started="another boot").has_ended
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert replace(this_process(), pid=child).has_ended


@pytest.mark.parametrize(
    "override",
    ["seed=4", "realign.lr=0.5", "task.examples=21", "search.objective=worst", "model.base={kind='fake', noise=0.1}"],
)
def test_a_study_with_other_settings_is_refused(tmp_path: Path, override: str) -> None:
    open_study(rehearsal.study(tmp_path), create=True)
    with pytest.raises(InputError, match="other settings"):
        open_study(rehearsal.study(tmp_path, override), create=True)


@pytest.mark.parametrize("override", ["search.strategy=random", "pool.k=4", "search.trials=99", "confirm.seeds=9"])
def test_settings_that_change_no_score_may_change(tmp_path: Path, override: str) -> None:
    before, after = rehearsal.study(tmp_path), rehearsal.study(tmp_path, override)
    assert facts(before) == facts(after)
    open_study(before, create=True)
    open_study(after, create=True)


def test_trials_that_the_study_does_not_allow_any_more_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run.search(rehearsal.study(tmp_path, trials=3))
    changed = rehearsal.study(tmp_path, "pool.k=2", trials=3)
    with caplog.at_level(logging.WARNING, "realingo.study"):
        assert run.status(changed).best is None
    assert "3 of its finished trials are of subsets that the study file does not allow" in caplog.text


def test_a_study_of_another_program_is_left_alone(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, "search.storage=sqlite:///other.db")
    other = optuna.create_study(storage=config.storage, study_name=config.name)
    other.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    for create in (False, True):
        with pytest.raises(InputError, match=r"study 'trial' in sqlite:///.*other.db has trials that Realingo did not"):
            open_study(config, create)
    assert (len(other.trials), other.user_attrs) == (1, {})


def test_costs_are_those_of_the_file_as_it_is_now(tmp_path: Path) -> None:
    """They change no score, so a study goes on with other prices; a front of old and new ones would be wrong."""
    prices = {code: float(at) for at, code in enumerate(rehearsal.POOL, start=1)}
    (tmp_path / "costs.csv").write_text("".join(f"{code},{x}\n" for code, x in prices.items()), encoding="utf-8")
    overrides = ("pool.costs=costs.csv", 'search.objectives=["mean", "cost"]', "search.strategy=random")
    run.run(rehearsal.study(tmp_path, *overrides, trials=4))
    doubled = "".join(f"{code},{2 * x}\n" for code, x in prices.items())
    (tmp_path / "costs.csv").write_text(doubled, encoding="utf-8")
    found = run.search(rehearsal.study(tmp_path, *overrides, trials=8))
    assert found.trials["complete"] == 8
    for trial in found.front or ():
        assert trial.cost == sum(2 * prices[code] for code in trial.languages)


def test_two_studies_share_a_storage(tmp_path: Path) -> None:
    for name in ("one", "two"):
        run.search(rehearsal.study(tmp_path, f"name={name}", "search.storage=sqlite:///both.db"), 3)
    assert history(rehearsal.study(tmp_path, "name=one", "search.storage=sqlite:///both.db")) == history(
        rehearsal.study(tmp_path, "name=two", "search.storage=sqlite:///both.db")
    )


def test_a_torn_journal_is_mended(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, "search.storage=torn.journal")
    run.search(config, 3)
    before = history(config)
    with (tmp_path / "torn.journal").open("ab") as stream:
        stream.write(b'{"op_code": 4, "worker_id"')
    assert run.status(config).trials["complete"] == 3
    run.search(config, 5)
    assert history(config)[:3] == before
    assert len(history(config)) == 5


def test_a_password_is_not_shown() -> None:
    assert redact_url("postgresql://me:secret@host:5432/db") == "postgresql://me:***@host:5432/db"
    assert redact_url("sqlite:////a/b.db") == "sqlite:////a/b.db"


@pytest.mark.parametrize("strategy", ["swap", "tpe", "greedy", "random", "diversity:family"])
def test_resumed_equals_uninterrupted_and_no_subset_is_repeated(tmp_path: Path, strategy: str) -> None:
    whole = rehearsal.study(tmp_path / "whole", strategy=strategy)
    parts = rehearsal.study(tmp_path / "parts", strategy=strategy)
    run.search(whole, 9)
    for trials in (1, 6, 9):
        run.search(parts, trials)
    assert history(whole) == history(parts)
    assert len({subset for _, subset, _, _ in history(whole)}) == 9
    other = rehearsal.study(tmp_path / "other", "seed=8", strategy=strategy)
    run.search(other, 9)
    assert [entry[1] for entry in history(other)] != [entry[1] for entry in history(whole)]


def test_trials_count_over_all_runs_and_finished_ones_stay(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, trials=7)
    first = run.search(config, 5)
    assert first.trials == {"complete": 5, "failed": 0, "pruned": 0, "running": 0}
    assert run.search(config, 4) == first == run.status(config)
    assert run.search(config).trials["complete"] == config.search.trials == 7
    json.dumps(first.to_json(), allow_nan=False)


def test_seeds_are_averaged_and_cost_what_they_cost(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, "search.seeds=3")
    document = run.search(config, 2)
    assert document.full_equivalents == 6
    best = open_study(config, create=False).best()[0]
    single = assemble.evaluator(config.core, config.scope, config.tune, "dev")
    runs = [single(best.subset, Fidelities(config).full, config.seed + i).value for i in range(3)]
    assert best.value == pytest.approx(sum(runs) / 3)


def courses(config: StudyConfig) -> list[tuple[str, str, float | None, tuple[float, ...]]]:
    trials = last_attempts(open_study(config, create=False).trials()).values()
    return [(trial.subset.key, trial.state, trial.value, trial.course) for trial in trials]


@pytest.mark.parametrize(("workers", "seeds"), [(1, 3), (2, 3), (1, 1)])
def test_a_trial_below_the_median_is_stopped(tmp_path: Path, workers: int, seeds: int) -> None:
    """At two looks into its first run, and between its seeds."""
    given = (f"search.seeds={seeds}", "search.pruner=median")
    config = rehearsal.study(tmp_path, *given, trials=20)
    document = run.search(config, None, workers, "inline" if workers == 1 else "process")
    trials = sorted(open_study(config, create=False).trials(), key=lambda trial: trial.position)
    pruned = [trial for trial in trials if trial.state == "pruned"]
    assert 2 <= len(pruned) <= 14
    spent = sum(seeds if trial.runs is None else max(1, trial.runs) for trial in trials)
    assert document.full_equivalents == spent
    whole = 2 + seeds
    for trial in trials:  # the rule, from what is recorded
        before = [each for each in trials if each.position <= trial.position - workers and each.state == "complete"]
        medians = np.median([each.course for each in before], axis=0) if len(before) >= 5 else np.full(whole, -np.inf)
        below = [after < bar for after, bar in zip(trial.course, medians, strict=False)]
        assert not any(below[:-1])
        assert (trial.state == "pruned") == (len(trial.course) < whole) == (below[-1] and len(trial.course) < whole)
        assert trial.value == pytest.approx(trial.course[-1])
        assert trial.runs == (max(0, len(trial.course) - 2) if trial.state == "pruned" else None)
        (seen,) = recommend.observations_of(trial, config.search.seeds)
        if trial.runs == 0:  # what it would have come to
            assert seen.value == pytest.approx(trial.course[-1] + medians[2] - medians[len(trial.course) - 1])
            assert trial.signature.endswith(f"/look-{len(trial.course)}")
        else:
            assert seen.value == trial.value
    again = rehearsal.study(tmp_path / "again", *given, trials=20)
    run.search(again, 8, workers, "inline" if workers == 1 else "process")
    run.search(again, None, workers, "inline" if workers == 1 else "process")
    assert courses(again) == courses(config)


def test_an_exhausted_search_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = rehearsal.study(tmp_path, pool=("fra", "deu", "vie", "tur"), k=3, trials=40)
    assert run.search(config).trials["complete"] == 4
    assert "every subset" in capsys.readouterr().err


class Fragile:
    """An evaluator that fails on some subsets and answers nonsense on others."""

    def __init__(self, raising: set[str], broken: set[str]) -> None:
        self.raising, self.broken = raising, broken

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        return subset.key

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
        if self.raising & set(subset.codes):
            raise RuntimeError("CUDA out of memory")
        value = float("nan") if self.broken & set(subset.codes) else 0.5
        return Score(value, dict.fromkeys((*rehearsal.POOL,), value), subset.key)


def test_a_failed_evaluation_is_an_outcome_in_words(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path)
    job = Job(5, Subset(config.pool[:2]), Fidelities(config).full, 0)
    fragile = Fragile({"arb"}, set())
    assert run_job(fragile, job) == Outcome(5, error="RuntimeError: CUDA out of memory")
    assert "finite" in run_job(Fragile(set(), {"arb"}), job).error
    assert run_job(Fragile(set(), set()), job).score is not None


def drive(config: StudyConfig, evaluator: Any, trials: int) -> Study:
    study = open_study(config, create=True)
    place = backend.Inline(evaluator)
    with Interrupts() as interrupts:
        driver.Driver(study, run.planner(config), place, lambda *_: None, interrupts).run(trials)
    return study


def test_a_failure_costs_one_trial_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = rehearsal.study(tmp_path)
    warm = run.planner(config).warm_start
    victim = next(code for code in rehearsal.POOL if code not in warm[0][1].codes)
    study = drive(config, Fragile({victim}, set()), 9)
    failed = [trial for trial in study.trials() if trial.state == "failed"]
    assert len(study.trials()) == 9
    assert failed
    assert all(victim in trial.subset.codes and "out of memory" in trial.error for trial in failed)
    assert f"({failed[0].subset.key}) failed" in capsys.readouterr().err
    assert study.recover() == []


def test_three_failures_at_the_start_stop_the_search_and_a_mended_one_makes_them_again(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path)
    with pytest.raises(RunError, match="out of memory"):
        drive(config, Fragile(set(rehearsal.POOL), set()), 5)
    study = open_study(config, create=False)
    assert [trial.state for trial in study.trials()] == ["failed"] * 3
    drive(config, Fragile(set(), set()), 5)
    latest = last_attempts(study.trials())
    assert [trial.state for trial in latest.values()] == ["complete"] * 5
    assert [latest[i].retry_of for i in range(4)] == [0, 1, 2, None]


@pytest.mark.parametrize("trials", [1, 2])
def test_a_search_in_which_nothing_succeeded_is_a_failure(trials: int, tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path)
    with pytest.raises(RunError, match="out of memory"):
        drive(config, Fragile(set(rehearsal.POOL), set()), trials)
    assert len(open_study(config, create=False).trials()) == trials


def test_an_interrupt_is_recorded_and_made_again(tmp_path: Path) -> None:
    class Interrupted(Fragile):
        calls = 0

        def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
            self.calls += 1
            if self.calls == 4:
                raise KeyboardInterrupt
            return super().__call__(subset, fidelity, seed)

    config = rehearsal.study(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        drive(config, Interrupted(set(), set()), 8)
    study = open_study(config, create=False)
    assert [trial.state for trial in study.trials()] == ["complete"] * 3 + ["failed"]
    interrupted = study.trials()[3]
    drive(config, Fragile(set(), set()), 8)
    assert len(last_attempts(study.trials())) == 8
    assert last_attempts(study.trials())[3].subset == interrupted.subset
    assert last_attempts(study.trials())[3].state == "complete"


def test_a_second_driver_is_turned_away(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path)
    (lock,) = [lease._lock_file(config.storage, config.name)]
    lock.parent.mkdir(parents=True)
    with FileLock(lock), pytest.raises(RunError, match="another process"):
        run.search(config, 3)
    assert not (tmp_path / "trial.journal").exists()
    assert run.search(config, 3).trials["complete"] == 3


def test_worker_processes_find_what_one_process_finds(tmp_path: Path) -> None:
    inline = rehearsal.study(tmp_path / "inline")
    spread = rehearsal.study(tmp_path / "spread")
    run.search(inline, 6)
    run.search(spread, 6, workers=1, backend="process")
    assert history(inline) == history(spread)
    assert (tmp_path / "spread" / "trial.journal").exists()


def test_two_workers_give_the_same_trials_every_time(tmp_path: Path) -> None:
    once = rehearsal.study(tmp_path / "once")
    parts = rehearsal.study(tmp_path / "parts")
    run.search(once, 7, workers=2, backend="process")
    run.search(parts, 7, workers=2, backend="process")
    assert history(once) == history(parts)
    assert len({entry[1] for entry in history(once)}) == 7


def test_a_worker_that_dies_takes_only_its_job_with_it(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, seconds=1.0)
    place = processes(backend.search_view(config).evaluator, 2)
    try:
        for number in range(2):
            place.submit(Job(number, Subset(config.pool[number : number + 3]), Fidelities(config).full, 0))
        while not all(slot.job for slot in place._slots):
            place._hand_out()
            for slot in place._slots:
                if place._site.wait([slot.worker], 0.1):
                    place._hear(slot)
        first, second = place._slots
        first.worker.process.kill()
        (outcome,) = place.collect()
        assert outcome.lost
        assert "SIGKILL" in outcome.error
        assert first.job
        assert outcome.number == first.job.number
        (outcome,) = place.collect()
        assert second.worker.process.is_alive()
        assert outcome.score is not None
    finally:
        place.close()


@pytest.mark.parametrize(("name", "workers"), [("cluster", 1), ("inline", 2), ("process", 0)])
def test_wrong_places_are_refused(tmp_path: Path, name: str, workers: int) -> None:
    config = rehearsal.study(tmp_path)
    before = rehearsal.tree(tmp_path)
    with pytest.raises(InputError):
        run.search(config, 3, workers, name)
    assert rehearsal.tree(tmp_path) == before


def test_full_fidelity_is_what_the_file_says(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, "realign.steps=7", "realign.batch=3", "task.steps=5", "task.examples=11")
    assert Fidelities(config).full.facts == {"pairs": 21, "steps": 5, "examples": 11}


def test_members_are_parameters_that_optuna_shows(tmp_path: Path) -> None:
    """Of a small pool those left out as well; written with the trial, so there is no trial without them."""
    config = rehearsal.study(tmp_path, trials=3)
    run.search(config)
    found = optuna.load_study(study_name=config.name, storage=open_study(config, create=False).storage)
    for trial in found.trials:
        members = trial.user_attrs["subset"].split()
        assert trial.params == {code: code in members for code in rehearsal.POOL}
