"""Trials that go to TensorBoard, MLflow and Weights & Biases, all of them without a network."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import rehearsal

import realingo
from search.results.trials import TrialRecord
from search.trackers.tracker import About, Callbacks, check_trackers, flat, open_tracker
from selector.errors import InputError

CODES = ("deu", "jpn", "swh", "tur")
STUDY = """
name = "tracked"
[pool]
languages = "deu,jpn,swh,tur"
k = 2
[search]
strategy = "random"
trials = 4
storage = "sqlite:///tracked.db"
"""


def score(subset: realingo.Subset, fidelity: realingo.Fidelity, seed: int) -> dict[str, float]:
    """More for languages that come early in the alphabet."""
    value = 0.5 + 0.1 * sum(code in ("deu", "jpn") for code in subset.codes)
    return dict.fromkeys(CODES, value)


def record(
    number: int, value: float | None, state: str = "complete", codes: tuple[str, ...] = ("deu", "tur")
) -> TrialRecord:
    per_language = {} if value is None else dict.fromkeys(CODES, value)
    return TrialRecord(
        number, codes, value, per_language, seed=7, fidelity={}, origin="random", state=state, seconds=1.5
    )


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path / "study.toml"


def test_callbacks_get_every_ended_trial_after_it_was_written(study: Path) -> None:
    seen: list[tuple[TrialRecord, int]] = []

    def look(trial: TrialRecord) -> None:
        written = realingo.status(study).history
        seen.append((trial, sum(each.state == "complete" for each in written)))

    status = realingo.search(study, evaluator=score, callbacks=[look])
    assert [trial for trial, _ in seen] == list(status.history)
    assert [written for _, written in seen] == [1, 2, 3, 4]


def test_a_callback_that_fails_costs_no_trial_and_is_not_called_again(
    study: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "realingo")
    calls: list[int] = []

    def fail(trial: TrialRecord) -> None:
        calls.append(trial.number)
        raise OSError("no space left")

    status = realingo.search(study, evaluator=score, callbacks=[fail])
    assert calls == [0]
    assert sum(each.state == "complete" for each in status.history) == 4
    assert "no space left" in caplog.text


def test_tensorboard_holds_scores_and_the_best_so_far(tmp_path: Path) -> None:
    tracker = open_tracker(f"tensorboard:{tmp_path}", About("a study", {"pool": {"k": 2}}, best=0.55))
    for number, value in enumerate((0.5, 0.7, 0.6)):
        tracker(record(number, value))
    tracker(record(3, None, "failed"))
    tracker.close()
    (file,) = (tmp_path / "a study").iterdir()
    scalars = read_events(file)
    assert scalars["score"] == pytest.approx({0: 50.0, 1: 70.0, 2: 60.0})
    assert scalars["best_score"] == pytest.approx({0: 55.0, 1: 70.0, 2: 70.0})
    assert scalars["score_of/tur"] == pytest.approx({0: 50.0, 1: 70.0, 2: 60.0})


def read_events(file: Path) -> dict[str, dict[int, float]]:
    """Scalars of an event file by tag and step, read with tensorboardX's own records."""
    from tensorboardX.proto.event_pb2 import Event

    data, place, found = file.read_bytes(), 0, dict[str, dict[int, float]]()
    while place < len(data):
        size = int.from_bytes(data[place : place + 8], "little")
        event = Event.FromString(data[place + 12 : place + 12 + size])
        place += 16 + size
        for value in event.summary.value:
            if value.HasField("simple_value"):
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


@pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")  # MLflow's own
def test_mlflow_has_a_run_for_each_trial(tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    about = About("a study", {"pool": {"k": 2}, "search": {"strategy": "random"}})
    for number, value in enumerate((0.5, None)):  # opened anew: the study goes on in the same experiment
        tracker = open_tracker(f"mlflow:{uri}", about)
        tracker(record(number, value, "complete" if value else "failed"))
        tracker.close()
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("a study")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    good, bad = runs["0: deu tur"], runs["1: deu tur"]
    assert (good.info.status, bad.info.status) == ("FINISHED", "FAILED")
    assert good.data.metrics["score"] == pytest.approx(50.0)
    assert good.data.metrics["score_of/swh"] == pytest.approx(50.0)
    assert good.data.params["search.strategy"] == "random"
    assert good.data.params["subset"] == "deu tur"
    assert bad.data.metrics == {}


def test_wandb_writes_a_run_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    tracker = open_tracker("wandb:project", About("a study", {"pool": {"k": 2}}))
    tracker(record(0, 0.5))
    tracker(record(1, None, "failed"))
    tracker.close()
    (file,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    until = time.monotonic() + 30.0
    while b"best_score" not in file.read_bytes() and time.monotonic() < until:  # wandb's own process writes it
        time.sleep(0.1)
    text = file.read_bytes()
    assert b"best_score" in text
    assert b"deu tur" in text


def test_names_of_trackers_are_checked_before_anything_is_written(study: Path) -> None:
    with pytest.raises(InputError, match="no tracker 'tensorbord'") as caught:
        realingo.search(study, evaluator=score, log_to=["tensorbord:runs"])
    assert "tensorboard[:runs]" in caught.value.hint
    assert not (study.parent / "tracked.db").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tensorboard:file", "cannot write to file: .* is no folder"),
        ("tensorboard:file/deeper/runs", "is no folder"),
        ("mlflow:sqlite:///file/mlflow.db", "is no folder"),
        ("mlflow:sqlite:///folder", "it is a folder"),
        ("mlflow:http://127.0.0.1:1", "does not answer"),
    ],
)
def test_an_unusable_tracker_is_found_before_anything_is_written(study: Path, name: str, message: str) -> None:
    (study.parent / "file").write_text("no folder")
    (study.parent / "folder").mkdir()
    before = rehearsal.tree(study.parent)
    with pytest.raises(InputError, match=message) as refusal:
        realingo.search(study, evaluator=score, log_to=["tensorboard:runs", name])
    assert refusal.value.hint.startswith("name ")  # a sentence with a way out
    assert rehearsal.tree(study.parent) == before


def test_wandb_without_a_login_is_found_before_anything_is_written(study: Path) -> None:
    """In a process of its own: wandb reads its settings once."""
    code = "import realingo; realingo.search('study.toml', log_to=['wandb'])"
    home = {"HOME": str(study.parent), "NETRC": str(study.parent / "none"), "PYTHONDONTWRITEBYTECODE": "1"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    before = rehearsal.tree(study.parent)
    found = subprocess.run([sys.executable, "-c", code], env=environment | home, capture_output=True, text=True)
    assert "InputError: Weights & Biases" in found.stderr
    assert {name for name in rehearsal.tree(study.parent) - before if "tracked" in name or "runs" in name} == set()


def test_usable_places_pass_the_check_and_nothing_is_made(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    before = rehearsal.tree(study.parent)
    check_trackers(["tensorboard", "mlflow", "mlflow:sqlite:///new/folder/x.db", "wandb"])
    assert rehearsal.tree(study.parent) == before


def test_settings_are_flat_text() -> None:
    assert flat({"a": {"b": 1, "c": {"d": None, "e": [2, 3]}}, "f": "g"}) == {"a.b": "1", "a.c.e": "[2, 3]", "f": "g"}
    assert json.dumps(flat({})) == "{}"


def test_trackers_are_closed_once_and_a_failing_close_is_a_remark(capsys: pytest.CaptureFixture[str]) -> None:
    class Bad:
        def __call__(self, trial: TrialRecord) -> None: ...

        def close(self) -> None:
            raise RuntimeError("the network is away")

    Callbacks([Bad()]).close()  # raises nothing
    assert "the network is away" in capsys.readouterr().err
