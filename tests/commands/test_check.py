"""`realingo check`: what it counts, that it finds every problem at once, and what it says of time."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import rehearsal
from rehearsal import realingo, tree

from realign.score import Fidelity
from search.commands import check as checking
from search.commands.estimate import Pace, StageClock
from search.config.study_config import load

pytestmark = pytest.mark.usefixtures("own_cache")

WORLD = """
name = "small"
[pool]
languages = "deu,fin,swh,tur"
k = [1, 2]
[targets]
tune = "deu,fin,hin"
held_out = "ekk"
[task]
steps = 4
batch = 8
examples = 6
[realign]
steps = 8
batch = 4
[search]
trials = 5
"""
FILES = """
name = "files"
[pool]
languages = "deu,fin,swh"
k = 2
[data]
parallel = {kind = "tsv", folder = "text"}
[task]
kind = "ner"
data = {kind = "conll", folder = "tags"}
steps = 2
batch = 4
[realign]
steps = 5
batch = 4
"""
SENTENCE = "Anna B-PER\nsees O\nParis B-LOC\n\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "home"
    place.mkdir()
    (place / "world.toml").write_text(WORLD)
    (place / "files.toml").write_text(FILES)
    for folder in ("text", "tags"):
        (place / folder).mkdir()
    for code in ("deu", "fin", "swh"):
        rows = [f"sentence number {number} here\tSatz Nummer {number} hier\n" for number in range(40)]
        (place / "text" / f"{code}.tsv").write_text("".join([*rows, rows[0]]))
        for split in ("dev", "test"):
            (place / "tags" / f"{code}.{split}.conll").write_text(SENTENCE * 3)
    (place / "tags" / "eng.train.conll").write_text(SENTENCE * 8)
    monkeypatch.chdir(place)
    return place


def checked(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Any:
    capsys.readouterr()
    assert realingo("check", *arguments, "--json") == status
    return json.loads(capsys.readouterr().out)


def test_every_language_is_there_with_its_counts(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(home)
    document = checked(capsys, "world.toml")
    assert set(document) == {"ok", "problems", "model", "subsets", "languages", "estimate"}
    assert (document["ok"], document["problems"], document["estimate"]) == (True, [], None)
    assert document["model"] == {"id": "world", "revision": None, "layers": 2, "width": 96, "positions": 128}
    assert document["subsets"] == math.comb(4, 1) + math.comb(4, 2)
    roles = {row["code"]: row["role"] for row in document["languages"]}
    pool = dict.fromkeys(("deu", "fin", "swh", "tur"), "pool")
    assert roles == {"eng": "source", **pool, "hin": "tune", "ekk": "held_out"}
    rows = {row["code"]: row for row in document["languages"]}
    assert rows["deu"]["parallel"] == {"source": "world", "available": 1200, "used": 1200}
    assert rows["hin"]["parallel"] is rows["ekk"]["parallel"] is rows["eng"]["parallel"] is None
    assert rows["eng"]["task"] == {"source": "world", "train": 1500, "dev": None, "test": None}
    assert rows["deu"]["task"] == {"source": "world", "train": None, "dev": 200, "test": 200}
    assert rows["swh"]["task"]["dev"] is rows["ekk"]["task"]["dev"] is None
    assert tree(home) == before
    assert realingo("check", "world.toml") == 0
    assert "nothing is wrong" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("search.strategy=diversity:nonsense", "unknown strategy 'nonsense'"),
        ("search.metric=nonsense", "unknown metric 'nonsense'"),
        ("search.metric=absent.csv", "absent.csv"),
    ],
)
def test_what_would_stop_the_first_proposals_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], override: str, says: str
) -> None:
    study = str(rehearsal.write(tmp_path / "study"))
    problems = checked(capsys, study, "--set", override, status=2)["problems"]
    assert [says in problem["error"] for problem in problems] == [True]
    unused = ("--set", "search.strategy=random", "--set", "search.metric=nonsense")
    assert checked(capsys, study, *unused)["ok"]


def test_a_sample_is_counted_with_what_there_is(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = checked(capsys, "files.toml")
    assert document["ok"], document["problems"]
    texts = {row["code"]: row["parallel"] for row in document["languages"] if row["role"] == "pool"}
    assert set(texts) == {"deu", "fin", "swh"}
    assert texts["deu"] == {"source": "tsv in text", "available": 41, "used": 10}
    whole = checked(capsys, "files.toml", "--set", "data.pairs=all")
    assert {row["parallel"]["used"] for row in whole["languages"] if row["parallel"]} == {40}  # one is a duplicate


def test_all_problems_are_found_at_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "text" / "swh.tsv").unlink()
    (home / "text" / "fin.tsv").write_text("no tab\n")
    (home / "tags" / "deu.dev.conll").unlink()
    (home / "tags" / "fin.test.conll").write_text("today B-DATE\nMonday I-DATE\n\n" * 3)
    wrong = ("--set", "search.storage=absent/x.journal", "--set", "realign.layer=9")
    before = tree(home)
    document = checked(capsys, "files.toml", *wrong, status=2)
    said = [problem["error"] for problem in document["problems"]]
    expected = ("absent", "swh", "fin.tsv, line 1", "dev", "the test data of fin has the labels", "no layer 9")
    assert len(said) == len(expected)
    for part in expected:
        assert sum(part in one for one in said) == 1, (part, said)
    assert all(problem["hint"] for problem in document["problems"])
    assert not document["ok"]
    assert document["model"] is None
    assert tree(home) == before
    assert realingo("check", "files.toml", *wrong) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["error", "hint"] * len(expected)


def test_search_asks_the_same_first(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "tags" / "deu.test.conll").unlink()
    (home / "tags" / "swh.test.conll").unlink()
    before = tree(home)
    assert realingo("search", "files.toml") == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert "test" in error
    assert "deu" in error
    assert hint.endswith("'realingo check files.toml' shows 1 more problem")
    assert tree(home) == before


def test_a_study_of_other_settings_is_a_problem(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = rehearsal.write(home / "fake", trials=1)
    assert realingo("search", study) == 0
    assert checked(capsys, str(study))["ok"]
    document = checked(capsys, str(study), "--set", "seed=5", status=2)
    assert "other settings of seed" in document["problems"][0]["error"]


def test_a_study_file_that_cannot_be_read_is_a_document_too(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = checked(capsys, "world.toml", "--set", "pool.k=9", status=2)
    assert [set(problem) for problem in document["problems"]] == [{"error", "hint"}]
    assert document["languages"] == []


def test_a_few_strange_labels_are_no_problem(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "tags" / "fin.test.conll").write_text(SENTENCE * 100 + "today B-DATE\n\n")
    assert checked(capsys, "files.toml")["ok"]
    (home / "tags" / "swh.test.conll").write_text("Anna B-per\n\n")
    assert "'B-per'" in checked(capsys, "files.toml", status=2)["problems"][0]["error"]


def test_a_rehearsal_takes_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = rehearsal.write(tmp_path / "study", seconds=1.5, trials=12)
    cost = checked(capsys, str(study), "--time")["estimate"]
    assert cost["seconds_per_trial"] == 1.5
    assert cost["search_hours"] == pytest.approx(12 * 1.5 / 3600)
    assert cost["confirm_hours"] == pytest.approx((5 * 3 + 5) * 1.5 / 3600)  # 2 found, 3 baselines, 5 random draws


def test_a_search_ends_when_every_subset_was_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = rehearsal.write(tmp_path / "study", pool=("deu", "fin", "fra", "hin"), k=2, seconds=1.5, trials=40)
    document = checked(capsys, str(study), "--time")
    assert document["subsets"] == 6
    assert document["estimate"]["search_hours"] == pytest.approx(6 * 1.5 / 3600)
    quota = ("--set", 'pool.quota=["family=1"]')  # two of the four are Indo-European, and Hindi is a third
    document = checked(capsys, str(study), "--time", *quota)
    assert document["subsets"] == 3
    assert document["estimate"]["search_hours"] == pytest.approx(3 * 1.5 / 3600)


def test_a_short_trial_tells_what_all_takes(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = checked(capsys, "world.toml", "--time")
    cost = document["estimate"]
    assert document["ok"]
    assert set(cost) == {"seconds_per_trial", "search_hours", "confirm_hours", "memory_gb", "disk_gb"}
    assert all(value > 0 for value in cost.values())
    assert cost["search_hours"] == pytest.approx(5 * cost["seconds_per_trial"] / 3600)
    assert 0.1 < cost["memory_gb"] < 100
    longer = checked(capsys, "world.toml", "--time", "--set", "realign.steps=8000")["estimate"]
    assert longer["seconds_per_trial"] > 20 * cost["seconds_per_trial"]


def test_the_pace_of_a_stage_is_that_between_its_first_and_last_step() -> None:
    clock = StageClock(lambda what, done, total: None)
    clock.first, clock.last = {"realigning": (10.0, 1), "once": (1.0, 1)}, {"realigning": (15.0, 6), "once": (1.0, 1)}
    assert clock.pace("realigning") == 1.0
    assert clock.pace("once") == clock.pace("absent") == 0.0


def test_a_trial_is_the_sum_of_its_stages(home: Path) -> None:
    batch = load(home / "world.toml").core.realign.batch
    assert Pace(2.0, 3.0, 0.5, 1.0).trial(batch, Fidelity(32, 4, 6), 3) == 1.0 + 2.0 * 8 + 3.0 * 4 + 0.5 * 6 * 3


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], 10),
        (["pool.k=1"], 20),
        (["pool.k=[1, 3]"], 20),
        (["pool.k=3"], 7),
        (["data.pairs=6"], 6),
        (["data.pairs=all"], "all"),
        (["search.strategy=greedy"], 20),
        (["search.strategy=greedy", 'pool.include=["deu"]'], 10),
        (["search.fidelity=merge"], 10),
        (["search.fidelity=merge", "fidelity.method=average"], 20),
        (["search.fidelity=merge", "fidelity.method=average", "fidelity.pairs=0.3"], 10),
        (["search.fidelity=merge", "fidelity.method=average", "fidelity.pairs=0.8"], 16),
        (["search.fidelity=ladder", "fidelity.method=average", "fidelity.pairs=0.8"], 20),
    ],
)
def test_as_many_pairs_of_a_language_as_a_run_can_see(home: Path, changes: list[str], expected: int | str) -> None:
    assert load(home / "files.toml", changes).core.data.pairs == expected


def test_all_of_the_world_is_taken(home: Path) -> None:
    assert load(home / "world.toml").core.data.pairs is None
    assert load(home / "world.toml", ["data.pairs=9"]).core.data.pairs == 9


def test_without_counting_the_world_is_asked_for_little(home: Path) -> None:
    asked: list[str] = []
    report = checking.StudyCheck(
        load(home / "world.toml"), lambda what, done, total: asked.append(what), counting=False
    ).examine()
    assert not report.problems
    rows = {row["code"]: row for row in report.to_json()["languages"]}
    assert rows["deu"]["task"]["dev"] == 200
    assert rows["deu"]["task"]["test"] is None
    assert set(asked) == {"reading parallel text", "reading the task's data", "loading the encoder"}
