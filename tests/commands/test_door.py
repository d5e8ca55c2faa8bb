"""The door: what a user calls from Python gives what the commands give, and leaves the process as it was."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
from itertools import combinations, islice
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
import rehearsal

import realingo
from realign.core import FakeModel
from search import planner
from search.config import strategy_names
from selector.errors import InputError, RunError
from selector.languages.subset import Subset

ROOT = Path(__file__).resolve().parents[2]
CODES = list(rehearsal.POOL)

pytestmark = pytest.mark.usefixtures("own_cache")


def study(folder: Path, **values: Any) -> Path:
    """A study file on a journal, which opens faster than a database."""
    path = rehearsal.write(folder, **values)
    text = path.read_text(encoding="utf-8").replace("[search]", '[search]\nstorage = "trial.journal"')
    path.write_text(text, encoding="utf-8")
    return path


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Code in a process of its own that starts in `folder`, which comes first on the path, as in a notebook."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)


def test_the_import_is_light_and_the_names_are_there(tmp_path: Path) -> None:
    heavy = ["numpy", "torch", "transformers", "optuna", "pydantic", "rich", "scipy", "pandas"]
    got = python(f"import sys, realingo; print([m for m in {heavy} if m in sys.modules])", tmp_path)
    assert got.stdout == "[]\n", got.stderr
    assert [name for name in realingo.__all__ if getattr(realingo, name) is None] == []
    assert set(dir(realingo)) == set(realingo.__all__)
    with pytest.raises(AttributeError, match="'serach'"):
        realingo.serach  # noqa: B018


@pytest.mark.parametrize("name", ["selector.py", "search.py", "realign/__init__.py"])
def test_a_file_of_the_user_that_hides_a_package_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("", encoding="utf-8")
    got = python("import realingo", tmp_path)
    assert got.returncode == 1
    last = got.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert str(tmp_path / name) in last
    assert "rename that file or folder" in last


def test_a_script_beside_a_file_that_hides_a_package_runs_with_safe_paths(tmp_path: Path) -> None:
    (tmp_path / "search.py").write_text("", encoding="utf-8")
    (tmp_path / "script.py").write_text("import realingo; print(realingo.Subset.of(['deu']).codes)", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for flags, status in ([], 1), (["-P"], 0):
        command = [sys.executable, *flags, "script.py"]
        got = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert got.returncode == status, got.stderr


def test_choose_takes_codes_and_names_and_answers_as_select(capsys: pytest.CaptureFixture[str]) -> None:
    for strategy in ("facility", "max-sum", "random"):
        assert rehearsal.realingo("select", "--pool", "paper-65", "-k", "10", "--strategy", strategy, "--json") == 0
        asked = json.loads(capsys.readouterr().out)["languages"]
        assert list(realingo.choose(strategy, "paper-65", 10).codes) == asked
    named = realingo.choose("facility", pool=["German", "tr", "swa", "jpn"], k=2)
    assert named == realingo.choose("facility", pool=["deu", "tur", "swh", "jpn"], k=2)
    limited = realingo.choose(
        "max-sum", CODES, 3, include="de", exclude=["tur"], costs=dict.fromkeys(CODES, 2), budget=6
    )
    assert "deu" in limited.codes
    assert "tur" not in limited.codes
    with pytest.raises(InputError, match="xxyz"):
        realingo.choose("facility", ["deu", "xxyz"], 1)


def test_distances_are_those_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    found = realingo.distances(["deu", "tur", "Swahili"], metric="genetic")
    assert rehearsal.realingo("distances", "deu", "tur", "swh", "--metric", "genetic", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert found.to_json() == {key: document[key] for key in found.to_json()}
    assert found.to_dataframe().loc["deu", "tur"] == document["matrix"][0][1]


def test_distances_are_a_graph_of_languages_that_are_near(tmp_path: Path) -> None:
    found = realingo.distances("world", "geographic")
    graph = found.to_graph(0.1)
    near = {(i, j) for i, j in combinations(range(len(found.languages)), 2) if found.matrix[i, j] <= 0.1}
    code = found.languages
    assert {frozenset(edge) for edge in graph.edges} == {frozenset((code[i], code[j])) for i, j in near}
    assert all(graph.edges[code[i], code[j]]["weight"] == found.matrix[i, j] for i, j in near)
    assert (len(graph), graph.nodes["deu"]["name"]) == (len(code), "German")
    usual = found.to_graph().number_of_edges() / (len(code) * (len(code) - 1) / 2)
    assert usual == pytest.approx(0.1, abs=0.01)  # the nearest tenth of all pairs
    networkx.write_graphml(graph, tmp_path / "near.graphml")
    assert set(map(frozenset, networkx.read_graphml(tmp_path / "near.graphml").edges)) == set(
        map(frozenset, graph.edges)
    )
    for wrong in (-0.1, float("nan")):
        with pytest.raises(InputError, match="radius"):
            found.to_graph(wrong)


def test_a_subset_that_covers_a_pool_dominates_its_graph() -> None:
    """Of a strategy that promises a radius: at that radius every language has a chosen one beside it, and no less."""
    found, chosen = realingo.distances("paper-65"), realingo.choose("dominating", "paper-65", 8, source=None).codes
    columns = [found.languages.index(code) for code in chosen]
    reach = float(found.matrix[:, columns].min(axis=1).max())
    assert networkx.is_dominating_set(found.to_graph(reach), chosen)
    assert not networkx.is_dominating_set(found.to_graph(0.999 * reach), chosen)


def test_search_and_confirm_are_those_of_the_commands(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    paths = [study(tmp_path / name, trials=10) for name in ("door", "command")]
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}, dict(os.environ)
    heard: list[tuple[str, int, int]] = []
    status = realingo.search(paths[0], progress=lambda *each: heard.append(each))
    confirmation = realingo.confirm(paths[0], progress=lambda *each: heard.append(each))
    assert capfd.readouterr() == ("", "")
    assert ({number: signal.getsignal(number) for number in before[0]}, dict(os.environ)) == before
    assert ("search", 10, 10) in heard
    assert {what for what, _, _ in heard} >= {"search", "confirm", "winner's luck"}

    assert rehearsal.realingo("search", paths[1], "--json") == 0
    document = json.loads(capfd.readouterr().out)
    assert rehearsal.realingo("confirm", paths[1], "--json") == 0
    confirmed = json.loads(capfd.readouterr().out)
    mine = status.to_json()
    assert mine["best"] == document["best"]
    assert mine["trials"] == document["trials"] == {"complete": 10, "failed": 0, "pruned": 0, "running": 0}
    assert [row.to_json() for row in confirmation.rows] == confirmed["rows"]
    assert confirmation.luck.to_json() == confirmed["luck"]
    assert len(status.to_dataframe()) == 10
    assert list(confirmation.to_dataframe().index) == [row["name"] for row in confirmed["rows"]]

    report = realingo.report(paths[0])
    export = realingo.export(paths[0], tmp_path / "export")
    assert report.stat().st_size > 10_000
    assert json.loads((export / "subset.json").read_text(encoding="utf-8"))["schema"] == 1


def test_a_callback_that_fails_is_named_and_costs_no_trial(tmp_path: Path) -> None:
    study(tmp_path)
    code = """
        import realingo

        def broken(record):
            raise ValueError("the disk is full")

        print(realingo.search("study.toml", trials=3, callbacks=[broken]).trials["complete"])
    """
    got = python(textwrap.dedent(code), tmp_path)
    assert (got.returncode, got.stdout.strip()) == (0, "3")
    assert got.stderr == "broken failed and gets no further trials: ValueError: the disk is full\n"


def test_an_interrupted_search_continues_to_the_same_trials(tmp_path: Path) -> None:
    whole = realingo.search(study(tmp_path / "whole", trials=8))
    path = study(tmp_path / "parts", trials=8)

    def stop(what: str, done: int, total: int) -> None:
        if (what, done) == ("search", 5):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        realingo.search(path, progress=stop)
    assert realingo.status(path).trials["complete"] == 5
    rest = realingo.search(path)
    assert [(each.languages, each.value) for each in rest.history if each.state == "complete"] == [
        (each.languages, each.value) for each in whole.history
    ]


def test_a_search_runs_in_a_thread(tmp_path: Path) -> None:
    found: list[int] = []
    path = study(tmp_path, trials=3)
    thread = threading.Thread(target=lambda: found.append(realingo.search(path).trials["complete"]))
    thread.start()
    thread.join()
    assert found == [3]


def test_worker_processes_do_not_run_the_script_again(tmp_path: Path) -> None:
    """It has no `if __name__ == "__main__":`, as scripts of few lines do."""
    path = study(tmp_path, trials=3)
    script = tmp_path / "script.py"
    script.write_text(
        f"import realingo\nprint(realingo.search({str(path)!r}, workers=2).trials['complete'])\n", "utf-8"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    got = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=300)
    assert (got.stdout, got.stderr) == ("3\n", "")


def shares(subset: Subset, fidelity: realingo.Fidelity, seed: int) -> dict[str, float]:
    """The share of the first three languages that are in the subset, for every language, and more for members."""
    common = len(set(subset.codes) & set(CODES[:3])) / 4
    return {code: common + 0.1 * (code in subset.codes) + 0.001 * (seed % 7) for code in (*CODES, "tel", "kaz")}


def test_an_evaluator_of_ones_own_is_searched_and_confirmed_with(tmp_path: Path) -> None:
    path = study(tmp_path, trials=30, noise=0)
    status = realingo.search(path, evaluator=shares)
    assert status.best is not None
    assert set(status.best.languages) == set(CODES[:3])
    assert status.best.value == pytest.approx(0.75 + 0.03 + 0.003)
    assert set(status.best.per_language) == set(CODES)  # the search does not see held-out languages
    confirmation = realingo.confirm(path, evaluator=shares)
    assert confirmation.best.mean == pytest.approx(0.78 + 0.001 * (1003 % 7 + 1004 % 7 + 1005 % 7) / 3)
    assert confirmation.best.held_out is not None
    assert confirmation.best.held_out.mean == pytest.approx(confirmation.best.mean - 0.03)
    versus = confirmation.best.vs_none
    assert versus is not None
    assert versus.difference == pytest.approx(0.78)


def test_a_study_is_measured_by_one_evaluator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = study(tmp_path, trials=4)
    realingo.search(path, evaluator=shares)
    with pytest.raises(InputError, match=r"is measured by .*shares"):
        realingo.search(path, trials=5, evaluator=lambda subset, fidelity, seed: shares(subset, fidelity, seed))
    with pytest.raises(InputError, match=r"is measured by .*shares, not by the evaluator of its file"):
        realingo.confirm(path)
    assert rehearsal.realingo("search", path, "--trials", "5") == 2
    assert "the same evaluator" in capsys.readouterr().err
    assert realingo.status(path).trials["complete"] == 4


def constant(value: float) -> Any:
    def measure(subset: Subset, fidelity: realingo.Fidelity, seed: int) -> dict[str, float]:
        return dict.fromkeys(CODES, value)

    return measure


def test_other_code_of_the_same_name_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, same, changed = study(tmp_path, trials=2), constant(0.5), constant(0.5)
    changed.__code__ = changed.__code__.replace(co_consts=(*changed.__code__.co_consts, "more"))
    realingo.search(path, evaluator=same)
    with caplog.at_level(logging.WARNING, "realingo.study"):
        realingo.search(path, trials=3, evaluator=constant(0.5))
        assert "the code of" not in caplog.text
        realingo.search(path, trials=4, evaluator=changed)
    assert "constant.<locals>.measure changed since trials were measured with it" in caplog.text


@pytest.mark.parametrize("k", ["2", 2.0, True, None, [2]])
def test_a_number_of_languages_is_a_whole_number(k: Any) -> None:
    with pytest.raises(InputError, match=r"k is .*not a whole number"):
        realingo.choose("facility", pool=["deu", "tur", "swh"], k=k)
    with pytest.raises(InputError, match=r"k is .*not a whole number|has no k"):
        realingo.Space(["deu", "tur", "swh"], k=k)


@pytest.mark.parametrize("seed", [-1, 1.5, "1"])
def test_a_seed_is_a_whole_number_from_zero(seed: Any) -> None:
    with pytest.raises(InputError, match="seed is"):
        realingo.choose("random", pool=["deu", "tur", "swh"], k=2, seed=seed)


def test_numbers_of_a_search_are_whole_numbers(tmp_path: Path) -> None:
    path = study(tmp_path, trials=2)
    for wrong in (2.5, True, "2"):
        with pytest.raises(InputError, match=r"the number of trials is .*not a whole number"):
            realingo.search(path, trials=wrong)  # type: ignore[arg-type]
        with pytest.raises(InputError, match=r"the number of workers is .*not a whole number"):
            realingo.search(path, workers=wrong, backend="process")  # type: ignore[arg-type]
    assert not (tmp_path / "trial.journal").exists()


def test_what_is_no_language_is_said() -> None:
    with pytest.raises(InputError, match="a Subset is made of languages, not of 'deu', 'tur'"):
        Subset(("deu", "tur"))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="7 is not a language"):
        realingo.parse_pool([7])  # type: ignore[list-item]


THREE = ("deu", "fra", "tur")


def test_one_quota_may_be_given_as_text() -> None:
    several = realingo.choose("facility", "world", 4, quotas=["family=1"])
    assert realingo.choose("facility", "world", 4, quotas="family=1") == several
    assert realingo.Space("world", k=4, quotas="family=1").allows(several)
    with pytest.raises(realingo.InputError, match="at least 2 of family Indo-European, and at most 1"):
        realingo.choose("facility", ["deu", "fra"], 2, quotas="family=1")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: realingo.choose("facility", pool=None, k=2), "None is no list of languages"),
        (lambda: realingo.choose("facility", THREE, 2, metric=3), "the metric is 3"),
        (lambda: realingo.choose("facility", THREE, 2, costs=dict.fromkeys(THREE, 1), budget="3"), "the budget is '3'"),
        (lambda: realingo.choose("facility", THREE, 2, costs=dict.fromkeys(THREE, "1"), budget=3), "deu is '1'"),
        (lambda: realingo.choose("facility", THREE, 2, costs={"deu": 1, "de": 9, "fra": 1}), "deu is given twice"),
        (lambda: realingo.Space(THREE, k=2, budget="3"), "the budget is '3'"),
        (lambda: realingo.Space(THREE, k=2, costs=[1, 2]), "the costs are 2 numbers"),
        (lambda: realingo.load_study(3), "3 is no path"),
        (lambda: realingo.load_study({"name": "a"}), "is no path"),
        (lambda: realingo.search(None), "None is no path"),
        (lambda: realingo.search("study.toml", evaluator=3), "evaluator is 3, which cannot be called"),
        (lambda: realingo.confirm("study.toml", evaluator=realingo.FakeEvaluator), "which is a class, not an object"),
        (lambda: realingo.search("study.toml", progress="bar"), "progress is 'bar'"),
        (lambda: realingo.search("study.toml", callbacks=["log"]), "callbacks is 'log'"),
        (lambda: realingo.load_study("study.toml", {"seed": None}), "'seed' cannot be None"),
        (lambda: realingo.load_study("study.toml", ["seed=3"]), "which is no mapping"),
    ],
)
def test_values_of_another_kind_are_said(wrong: Any, says: str) -> None:
    with pytest.raises(realingo.InputError, match=says):
        wrong()


def test_an_object_with_a_signature_is_an_evaluator_and_cached(tmp_path: Path) -> None:
    fake = realingo.FakeEvaluator(CODES, [*CODES, "tel", "kaz"])
    first = realingo.search(study(tmp_path / "one", trials=5), evaluator=fake)
    calls: list[int] = []

    class Counting:
        signature = staticmethod(fake.signature)

        def __call__(self, subset: Subset, fidelity: realingo.Fidelity, seed: int) -> realingo.Score:
            calls.append(seed)
            return fake(subset, fidelity, seed)

    again = realingo.search(study(tmp_path / "two", trials=5), evaluator=Counting())
    assert [each.value for each in again.history] == [each.value for each in first.history]
    assert calls == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (0.5, "answered float"),
        ({"deu": 0.5}, "no score for"),
        (dict.fromkeys(CODES, 1.5), "the score 1.5"),
        ({**dict.fromkeys(CODES, 0.5), "deu": float("nan")}, "the score nan"),
        ({}, "without scores"),
        ({**dict.fromkeys(CODES, 0.5), "deu": True}, "the score True"),
        ({**dict.fromkeys(CODES, 0.5), "deu": "0.5"}, "the score 0.5"),
    ],
)
def test_wrong_answers_of_an_evaluator_are_said(tmp_path: Path, answer: Any, problem: str) -> None:
    with pytest.raises(RunError, match=problem):
        realingo.search(study(tmp_path, trials=4), evaluator=lambda subset, fidelity, seed: answer)


def test_an_evaluator_of_ones_own_is_inline(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="in this process alone"):
        realingo.search(study(tmp_path), workers=2, evaluator=shares)
    assert rehearsal.tree(tmp_path) == {"study.toml"}


def test_a_strategy_of_ones_own_proposes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "OWN", {})
    monkeypatch.setattr(strategy_names, "REGISTERED", set())

    def alphabetical(space: realingo.Space, past: realingo.Past, rng: Any) -> list[str] | None:
        left = (subset for subset in space.every() if subset not in past.taken)
        found = next(left, None)
        return None if found is None else list(found.codes)

    path = study(tmp_path / "one", trials=5)
    with pytest.raises(InputError, match="unknown strategy 'alphabetical'"):
        realingo.load_study(path, {"search.strategy": "alphabetical"})
    realingo.register_strategy("alphabetical", alphabetical)
    asked = {"search.strategy": "alphabetical", "search.warm_start": False}
    status = realingo.search(realingo.load_study(path, asked))
    space = realingo.Space(CODES, k=3)
    assert [each.languages for each in status.history] == [subset.codes for subset in islice(space.every(), 5)]
    assert {each.origin for each in status.history} == {"alphabetical"}
    with pytest.raises(InputError, match="cannot be called 'swap'"):
        realingo.register_strategy("swap", alphabetical)
    realingo.register_strategy("stubborn", lambda space, past, rng: CODES[:3])
    with pytest.raises(RunError, match="'stubborn' proposed arb\\+cmn\\+deu again"):
        realingo.search(realingo.load_study(study(tmp_path / "two"), {**asked, "search.strategy": "stubborn"}))


@pytest.mark.parametrize("answer", [7, ["deu", "qqq"], [None]])
def test_a_strategy_that_proposes_no_subset_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setattr(planner, "OWN", {})
    monkeypatch.setattr(strategy_names, "REGISTERED", set())
    realingo.register_strategy("junk", lambda space, past, rng: answer)
    asked = {"search.strategy": "junk", "search.warm_start": False}
    with pytest.raises(RunError, match=r"the strategy 'junk' proposed .* which is no subset"):
        realingo.search(realingo.load_study(study(tmp_path), asked))


def test_the_end_of_a_search_says_whether_all_was_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(planner, "OWN", {})
    monkeypatch.setattr(strategy_names, "REGISTERED", set())
    realingo.register_strategy("short", lambda space, past, rng: None if past.taken else CODES[:3])
    asked = {"search.strategy": "short", "search.warm_start": False, "pool.k": 3}
    with caplog.at_level(logging.INFO, "realingo"):
        realingo.search(realingo.load_study(study(tmp_path), asked))
        realingo.search(realingo.load_study(study(tmp_path), {"name": "all", "pool.k": len(CODES)}))
    told = [message for message in caplog.messages if "the search ends here" in message]
    assert "the strategy has nothing more to propose after 1 of" in told[0]
    assert told[1] == "every subset that the study allows has been tried: the search ends here"


def test_overrides_are_those_of_the_command(tmp_path: Path) -> None:
    config = realingo.load_study(study(tmp_path), {"search.trials": 7, "pool.k": [2, 3], "confirm.top": 1})
    assert (config.search.trials, config.sizes, config.confirm.top) == (7, (2, 3), 1)
    rehearsed = {"model.base": {"kind": "fake", "noise": np.float64(0.25), "world": np.int64(3)}}
    base = realingo.load_study(study(tmp_path), rehearsed).core.model.base
    assert isinstance(base, FakeModel)
    assert (base.noise, base.world) == (0.25, 3)
    with pytest.raises(InputError, match="\U0001f600"):
        realingo.load_study(study(tmp_path), {"pool.languages": ["\U0001f600"]})


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_examples_run_and_are_short(example: Path, tmp_path: Path) -> None:
    assert len(example.read_text(encoding="utf-8").splitlines()) <= 40
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    got = subprocess.run([sys.executable, str(example)], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (got.returncode, got.stderr) == (0, "")
    assert got.stdout


def test_types_are_published() -> None:
    assert all((ROOT / package / "py.typed").is_file() for package in ("selector", "realign", "search"))
