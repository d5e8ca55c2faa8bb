"""The commands on a study, as a person types them: results, refusals, and what a kill leaves behind."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
import rehearsal
import warm_python
from rehearsal import realingo

from search.config.study_config import StudyConfig, load
from search.study.study import open_study
from search.study.trial import last_attempts

pytestmark = pytest.mark.usefixtures("own_cache")

SLOW = {"seconds": 0.4, "trials": 10, "noise": 0.5}


def test_search_status_confirm_export_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = rehearsal.write(tmp_path / "study", trials=6)
    documents = {}
    for name, extra in {"search": (), "status": (), "confirm": ("--seeds", "2"), "export": ()}.items():
        output = ("-o", tmp_path / "out") if name == "export" else ()
        assert realingo(name, study, *extra, *output, "--json") == 0
        documents[name] = json.loads(capsys.readouterr().out)
    assert documents["search"] == documents["status"]
    assert set(documents["search"]) == {"study", "storage", "trials", "best", "evaluations", "seconds"}
    assert documents["search"]["trials"]["complete"] == 6
    assert len(documents["search"]["best"]["languages"]) == 3
    assert documents["confirm"]["rows"][0]["languages"] == documents["search"]["best"]["languages"]
    assert documents["export"]["languages"] == documents["confirm"]["rows"][0]["languages"] or (
        documents["export"]["row"] != "best"
    )
    assert (tmp_path / "out" / "subset.json").is_file()


def test_what_people_see(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = rehearsal.write(tmp_path / "study", trials=4)
    for command in (("search", study), ("confirm", study), ("export", study, "-o", tmp_path / "out")):
        assert realingo(*command) == 0
    out = capsys.readouterr().out
    assert "4 complete" in out
    assert "gain over no realignment" in out
    assert str(tmp_path / "out" / "report.html") in out


WRONG = {
    "no such file": ("search", "absent.toml"),
    "unknown key": ("search", "study.toml", "--set", "search.stratgy=tpe"),
    "unknown language": ("search", "study.toml", "--set", "pool.languages=fra,qqz"),
    "k larger than the pool": ("search", "study.toml", "--set", "pool.k=50"),
    "k = 0": ("search", "study.toml", "--set", "pool.k=0"),
    "empty pool": ("search", "study.toml", "--set", "pool.languages=[]"),
    "held out in pool": ("search", "study.toml", "--set", "targets.held_out=['fra']"),
    "storage in no folder": ("search", "study.toml", "--set", "search.storage=sqlite:///no/such/a.db"),
    "storage is a folder": ("search", "study.toml", "--set", "search.storage=sqlite:///."),
    "storage is no database": ("search", "study.toml", "--set", "search.storage=sqlite:///study.toml"),
    "storage is no journal": ("search", "study.toml", "--set", "search.storage=study.toml"),
    "storage of no kind": ("search", "study.toml", "--set", "search.storage=nonsense://host/db"),
    "storage in memory": ("search", "study.toml", "--set", "search.storage=sqlite:///:memory:"),
    "unknown backend": ("search", "study.toml", "--backend", "cluster"),
    "no workers": ("search", "study.toml", "--backend", "process", "--workers", "0"),
    "no trials": ("search", "study.toml", "--trials", "0"),
    "unknown metric": ("search", "study.toml", "--set", "search.metric=nonsense"),
    "unknown selection": ("search", "study.toml", "--set", "search.strategy=diversity:nonsense"),
    "unknown option": ("search", "study.toml", "--trails", "3"),
    "status of nothing": ("status", "study.toml"),
    "confirm of nothing": ("confirm", "study.toml"),
    "export of nothing": ("export", "study.toml", "-o", "out"),
    "report of nothing": ("report", "study.toml"),
    "confirm without seeds": ("confirm", "study.toml", "--seeds", "0"),
    "confirm nowhere": ("confirm", "study.toml", "--backend", "cluster"),
    "confirm inline with two": ("confirm", "study.toml", "--workers", "2"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_costs_two_lines_and_nothing_is_written(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rehearsal.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = {path: (tmp_path / path).read_bytes() for path in rehearsal.tree(tmp_path)}
    assert realingo(*WRONG[case]) == 2
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert printed.out == ""
    assert [line.split(":")[0] for line in lines] == ["error", "hint"]
    assert all(len(line.split(":", 1)[1].strip()) > 5 for line in lines)
    after = {path for path in rehearsal.tree(tmp_path) if not path.startswith("cache")}
    assert after == set(before)
    assert (tmp_path / "study.toml").read_bytes() == before["study.toml"]


def test_without_arguments_comes_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert realingo("--help") == 0
    asked = capsys.readouterr()
    assert realingo() == 0
    assert capsys.readouterr() == asked
    assert "confirm" in asked.out
    assert asked.err == ""


@pytest.mark.parametrize(("k", "warm"), [(2, True), (3, False), ([2, 3], False)])
def test_greedy_says_when_its_budget_is_too_small(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], k: int | list[int], warm: bool
) -> None:
    """Its number is exact: the trial named is greedy's first of a size the study asks for, and none before is."""
    study = rehearsal.write(tmp_path / "study", k=k, strategy="greedy")
    common = ("--set", f"search.warm_start={str(warm).lower()}", "--set", "search.storage=trial.journal")
    assert realingo("search", study, *common, "--trials", "3") == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("greedy comes")]
    needed = int(line.split(" in trial ")[1].split()[0])
    assert realingo("search", study, *common, "--trials", str(needed)) == 0
    assert "greedy comes" not in capsys.readouterr().err
    trials = open_study(load(study, ["search.storage=trial.journal"]), create=False).trials()
    assert [len(trial.subset) for trial in trials if trial.origin == "greedy"][-2:] == ([1, 2] if k != 3 else [2, 3])
    assert sum(len(trial.subset) >= (3 if k == 3 else 2) for trial in trials if trial.origin == "greedy") == 1


def test_a_search_with_nothing_to_do_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = rehearsal.write(tmp_path / "study", trials=4)
    said = "study 'trial' has 4 trials already: ask for more with --trials NUMBER"
    assert realingo("search", study) == 0
    assert said not in capsys.readouterr().err
    for few in ("2", "4"):
        assert realingo("search", study, "--trials", few) == 0
        assert said in capsys.readouterr().err
    assert realingo("search", study, "--trials", "5") == 0
    assert said not in capsys.readouterr().err


def history(config: StudyConfig) -> list[tuple[int, tuple[str, ...], float | None]]:
    latest = last_attempts(open_study(config, create=False).trials())
    return [(trial.position, trial.subset.codes, trial.value) for trial in latest.values()]


def wait_for(process: warm_python.Process, database: Path, complete: int) -> None:
    """Until that many trials are complete and another one is running."""
    while process.poll() is None:
        time.sleep(0.02)
        if not database.exists():
            continue
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            try:
                states = dict(connection.execute("SELECT state, COUNT(*) FROM trials GROUP BY state").fetchall())
            except sqlite3.OperationalError:  # the tables are only being made
                continue
        if states.get("COMPLETE", 0) >= complete and "RUNNING" in states:
            return
    raise AssertionError(f"the search ended too early: {process.communicate()}")


@pytest.mark.parametrize("extra", [(), ("--backend", "process", "--workers", "2")], ids=["inline", "process"])
def test_kill_in_the_middle_then_the_same_command(tmp_path: Path, extra: tuple[str, ...]) -> None:
    study = rehearsal.write(tmp_path / "study", **SLOW)
    config = load(study)
    with rehearsal.started("search", study, *extra, cache=tmp_path / "cache") as process:
        wait_for(process, config.core.home / "trial.db", 4)
        process.kill()
    left = open_study(config, create=False).trials()
    finished = {trial.number: trial for trial in left if trial.state == "complete"}
    running = [trial for trial in left if trial.state == "running"]
    assert finished
    assert running

    with rehearsal.started("search", study, *extra, "--json", cache=tmp_path / "cache") as again:
        out, err = again.communicate()
    assert again.returncode == 0, err
    trials = open_study(config, create=False).trials()
    assert {trial.number: trial for trial in trials if trial.number in finished} == finished
    complete = [trial for trial in trials if trial.state == "complete"]
    assert len({trial.subset for trial in complete}) == len(complete) == SLOW["trials"]
    assert {trial.retry_of for trial in trials} - {None} == {trial.number for trial in running}
    retried = {trial.retry_of: trial.subset for trial in trials if trial.retry_of is not None}
    assert retried == {trial.number: trial.subset for trial in running}

    undisturbed = rehearsal.write(tmp_path / "undisturbed", **{**SLOW, "seconds": 0.0})
    assert realingo("search", undisturbed, *extra) == 0
    assert history(load(undisturbed)) == history(config)
    assert json.loads(out)["best"]["languages"] == list(open_study(load(undisturbed), False).best()[0].subset.codes)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_exits_130_and_says_how_to_continue(tmp_path: Path, number: signal.Signals) -> None:
    study = rehearsal.write(tmp_path / "study", **SLOW)
    config = load(study)
    with rehearsal.started("search", study, cache=tmp_path / "cache") as process:
        wait_for(process, config.core.home / "trial.db", 1)
        process.send_signal(number)
        _, err = process.communicate()
    assert process.returncode == 130
    assert "run the same command again to continue" in err
    assert "Traceback" not in err
    states = [trial.state for trial in open_study(config, create=False).trials()]
    assert "running" not in states
    assert states.count("failed") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_confirmation_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    study = rehearsal.write(tmp_path / "study", **{**SLOW, "seconds": 0.0, "trials": 3})
    assert realingo("search", study) == 0
    slow = ("confirm", study, "--backend", "process", "--workers", "2", "--set", "model.base.seconds=0.3")
    scores = tmp_path / "cache" / "scores"
    before = kept(scores)
    with rehearsal.started(*slow, cache=tmp_path / "cache") as process:
        while process.poll() is None and len(kept(scores)) < len(before) + 3:
            time.sleep(0.02)
        process.send_signal(number)
        out, err = process.communicate()
    assert process.returncode == 130, err
    assert out == ""
    assert "run the same command again to continue" in err
    assert "Traceback" not in err
    assert not (tmp_path / "study" / "trial" / "confirm.json").exists()
    left = kept(scores)
    assert realingo("confirm", study) == 0
    assert left.items() <= kept(scores).items()
    assert len(left) < len(kept(scores))


def kept(scores: Path) -> dict[Path, int]:
    """The scores in a cache, and when they were written."""
    return {path: path.stat().st_mtime_ns for path in scores.rglob("[!.]*.json")}


def test_a_second_search_at_the_same_time_is_turned_away(tmp_path: Path) -> None:
    study = rehearsal.write(tmp_path / "study", **{**SLOW, "seconds": 3.0})
    with rehearsal.started("search", study, cache=tmp_path / "cache") as first:
        wait_for(first, tmp_path / "study" / "trial.db", 1)
        with rehearsal.started("search", study, cache=tmp_path / "cache") as second:
            _, err = second.communicate()
        first.send_signal(signal.SIGTERM)
        first.communicate()
    assert second.returncode == 1
    assert "another process" in err
    assert first.returncode == 130
