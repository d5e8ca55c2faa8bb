"""The dashboard: it tells which languages a trial had, keeps what readers write, and changes no trial."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import rehearsal

from realign.score import Score
from search.config.study_config import StudyConfig
from search.dashboard import guard, notes
from search.dashboard import server as dashboard
from search.dashboard.view import StudyView
from search.report import html_report
from search.study.study import Study, open_study
from selector.errors import InputError
from selector.languages.subset import Subset

pytest.importorskip("optuna_dashboard", reason="the extra 'dashboard' is not installed")


def filled(folder: Path) -> tuple[StudyConfig, Study]:
    """A study of three finished trials and one failed, written by hand."""
    config = rehearsal.study(folder)
    study = open_study(config, create=True)
    for position in range(3):
        trial = study.begin(Subset(config.pool[position : position + 3]), "warm:max-sum", position, {})
        scores = {each.code: 0.4 + 0.01 * place for place, each in enumerate(config.pool)}
        study.finish(trial, Score(0.5 + 0.1 * position, scores, f"sign{position}"), 0.5 + 0.1 * position)
    study.fail(study.begin(Subset(config.pool[-3:]), "swap", 3, {}), "out of memory")
    return config, study


def viewed(config: StudyConfig, study: Study) -> StudyView:
    about = notes.about(html_report.gather(config, study))
    return StudyView(study.storage, study.storage.get_study_id_from_name(study.name), about)


def attributes(study: Study) -> dict[str, Any]:
    return dict(study.storage.get_study_system_attrs(study.storage.get_study_id_from_name(study.name)))


def noted(study: Study, number: int) -> dict[str, Any]:
    """The stored note of a trial: attribute → part of the text."""
    key = study.storage.get_trial_id_from_study_id_trial_number(
        study.storage.get_study_id_from_name(study.name), number
    )
    return {name: value for name, value in attributes(study).items() if f":{key}:note_str" in name}


def test_every_finished_trial_gets_a_note_with_its_languages(tmp_path: Path) -> None:
    config, study = filled(tmp_path)
    before = [trial.state for trial in study.trials()]
    notes.annotate(study, html_report.gather(config, study))
    for trial in study.trials():
        note = "".join(noted(study, trial.number).values())
        assert bool(note) == (trial.state == "complete")
        for language in trial.subset if note else ():
            assert f"{language.name} (`{language.code}`)" in note
    assert [trial.state for trial in study.trials()] == before


def test_the_best_trials_get_their_notes_before_the_page_is_there(tmp_path: Path) -> None:
    config, study = filled(tmp_path)
    notes.annotate(study, html_report.gather(config, study), most=2)
    trials = [trial for trial in study.trials() if trial.state == "complete"]
    best = sorted(trials, key=lambda trial: -(trial.value or 0.0))[:2]
    assert [bool(noted(study, trial.number)) for trial in trials] == [trial in best for trial in trials]


def test_the_other_trials_get_theirs_while_it_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, study = filled(tmp_path)
    monkeypatch.setattr(notes, "AT_FIRST", 1)
    notes.annotate(study, html_report.gather(config, study), most=1)
    trials = [trial for trial in study.trials() if trial.state == "complete"]
    until = time.monotonic() + 60
    with dashboard.refreshing(config, study, viewed(config, study)):
        while not all(noted(study, trial.number) for trial in trials) and time.monotonic() < until:
            time.sleep(0.05)
    assert all(noted(study, trial.number) for trial in trials)


def test_a_storage_that_takes_no_notes_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, _ = filled(tmp_path)
    monkeypatch.setattr(os, "access", lambda place, mode: False)  # root, as in a container, may write everywhere
    with pytest.raises(InputError, match="cannot write to ") as problem:
        dashboard.serve(config, "127.0.0.1", 0)
    assert problem.value.hint == "make it writable, or set search.storage"


def test_annotating_tells_how_far_it_is(tmp_path: Path) -> None:
    config, study = filled(tmp_path)
    told: list[tuple[str, int, int]] = []
    notes.annotate(study, html_report.gather(config, study), lambda *each: told.append(each))
    assert told == [("notes", done, 3) for done in range(4)]


def test_annotating_twice_writes_nothing_new(tmp_path: Path) -> None:
    config, study = filled(tmp_path)
    notes.annotate(study, html_report.gather(config, study))
    once = attributes(study)
    notes.annotate(study, html_report.gather(config, study))
    assert attributes(study) == once


def test_what_a_reader_writes_is_kept(tmp_path: Path) -> None:
    config, study = filled(tmp_path)
    notes.annotate(study, html_report.gather(config, study))
    study_id = study.storage.get_study_id_from_name(study.name)
    ((first, text), (second, _), _) = [next(iter(noted(study, number).items())) for number in range(3)]
    study.storage.set_study_system_attr(study_id, first, text.replace("max", "MAX") + "\n\nlooks odd")
    study.storage.set_study_system_attr(study_id, second, "mine alone")
    notes.annotate(study, html_report.gather(config, study))
    assert noted(study, 0)[first] == text + "\n\nlooks odd", "our part is renewed, theirs kept"
    assert noted(study, 1)[second] == "mine alone"


def test_notes_say_what_was_measured(tmp_path: Path) -> None:
    config, study = filled(tmp_path)
    trial = study.trials()[2]
    names = {each.code: each.name for each in config.pool}
    note = notes.trial_note(trial, names)
    assert "70.0 %" in note
    assert f"**Best transfer, %:** {config.pool[-1].name} 49.0" in note
    assert f"**Worst transfer, %:** {names['arb']} 40.0" in note
    assert trial.signature in note
    story = html_report.gather(config, study)
    assert "Not confirmed yet" in notes.study_note(story)
    assert all(language.name in notes.study_note(story) for language in trial.subset)


def test_markup_in_names_is_told_as_text(tmp_path: Path) -> None:
    config, study = filled(tmp_path)
    note = notes.trial_note(study.trials()[0], dict.fromkeys((each.code for each in config.pool), "<b>[x](y)"))
    assert "<b>" not in note
    assert r"\<b\>\[x\](y)" in note


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/studies/1", True),
        ("PUT", "/api/studies/1/note", True),
        ("PUT", "/api/studies/1/7/note", True),
        ("DELETE", "/api/studies/1", False),
        ("POST", "/api/trials/1/tell", False),
        ("PUT", "/api/studies/1/note/x", False),
        ("POST", "/api/studies/1/rename", False),
    ],
)
def test_only_reading_and_notes_pass(method: str, path: str, allowed: bool) -> None:
    reached: list[str] = []

    def inner(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        reached.append(environ["PATH_INFO"])
        start_response("200 OK", [])
        return [b"inner"]

    statuses: list[str] = []
    answer = guard.read_only(inner)(
        {"REQUEST_METHOD": method, "PATH_INFO": path}, lambda status, headers: statuses.append(status)
    )
    assert bool(reached) == allowed
    assert statuses[0].startswith("200" if allowed else "403")
    assert (b"".join(answer) == b"inner") == allowed


@pytest.mark.parametrize(
    ("header", "allowed"),
    [("localhost:8080", True), ("127.0.0.1:8080", True), ("[::1]:8080", True), ("LOCALHOST", True),
     ("attacker.example:8080", False), ("localhost.attacker.example", False), ("127.0.0.1.nip.io:80", False),
     ("[::1", False), ("", False), ("127.0.0.1@attacker.example", False)],
)  # fmt: skip
def test_a_page_under_another_name_reads_nothing(header: str, allowed: bool) -> None:
    reached: list[str] = []

    def inner(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        reached.append(environ["HTTP_HOST"])
        start_response("200 OK", [])
        return []

    statuses: list[str] = []
    guard.for_this_machine(inner)({"HTTP_HOST": header}, lambda status, headers: statuses.append(status))
    assert (bool(reached), statuses[0][:3]) == ((True, "200") if allowed else (False, "421"))


@pytest.mark.parametrize(
    ("host", "inside"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)]
)
def test_loopback(host: str, inside: bool) -> None:
    assert guard.loopback(host) is inside


def test_a_busy_port_is_an_input_error_and_nothing_is_written(tmp_path: Path) -> None:
    config, study = filled(tmp_path)
    before = attributes(study)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(InputError, match="cannot listen"):
        dashboard.serve(config, "127.0.0.1", taken.getsockname()[1])
    assert attributes(study) == before


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70000), ("127.0.0.1", -1), ("host.invalid", 0)])
def test_an_impossible_address_is_an_input_error(tmp_path: Path, host: str, port: int) -> None:
    config, _ = filled(tmp_path)
    with pytest.raises(InputError):
        dashboard.serve(config, host, port)


def test_an_unknown_study_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no study"):
        dashboard.serve(rehearsal.study(tmp_path), "127.0.0.1", 0)
    assert rehearsal.tree(tmp_path) == {"study.toml"}


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, _ = filled(tmp_path)
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    with pytest.raises(InputError) as problem:
        dashboard.serve(config, "127.0.0.1", 0)
    assert "realingo[dashboard]" in problem.value.hint


def fetch(url: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, problem.read().decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_the_study_on_loopback_until_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    config, study = filled(tmp_path)
    where = ("--set", "search.storage=trial.journal")
    process = rehearsal.started("dashboard", config.path, "--port", "0", *where, cache=tmp_path / "cache")
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        root, _, key = url.partition("/dashboard/studies/")
        assert root.startswith("http://127.0.0.1:")
        assert fetch(url)[0] == 200
        status, body = fetch(f"{root}/api/studies/{key}")
        detail = json.loads(body)
        assert status == 200
        assert detail["note"]["body"].startswith("## FAKE: The best score so far, 70.0 %")
        assert {each["id"] for each in detail["plotly_graph_objects"]} == {"world", "typology"}
        assert [bool(trial["note"]["body"]) for trial in detail["trials"]] == [True, True, True, False]
        assert fetch(f"{root}/api/studies/{key}/param_importances")[0] == 200
        assert fetch(f"{root}/api/studies/{key}", "DELETE")[0] == 403
        assert fetch(f"{root}/api/studies/{key}", Host="attacker.example")[0] == 421
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "Traceback" not in err
    finally:
        process.kill()
        process.communicate()
    assert [trial.state for trial in study.trials()] == ["complete"] * 3 + ["failed"]
