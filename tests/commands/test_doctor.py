"""`realingo doctor`: what it says of a sound machine, and of one where something is missing or broken."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import rehearsal
from packaging.requirements import Requirement
from rehearsal import realingo, tree

from search.commands import doctor
from search.effort.machine import CONTEXT, Machine, this_machine
from search.results.check_report import StudyCost

STATES = {"ok", "warning", "missing", "broken"}


@pytest.fixture(autouse=True)
def _no_data(own_cache: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REALINGO_DATA", raising=False)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A hub that refuses everything, which is an answer too."""

    class Refusing(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def by_name(findings: list[doctor.Finding]) -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in findings}


def test_a_sound_machine(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert realingo("doctor", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is True
    states = {(check["group"], check["name"]): check["state"] for check in document["checks"]}
    assert set(states.values()) <= STATES - {"broken"}
    sound = {("python", "python"), ("packages", "torch"), ("storages", "sqlite"), ("storages", "journal")}
    assert {states[check] for check in sound | {("cache", "folder")}} == {"ok"}
    assert states["hub", "access"] == "warning"  # the tests are offline by choice
    assert all(check["hint"] for check in document["checks"] if check["state"] != "ok")
    assert tree(tmp_path) == {"cache"}
    assert realingo("doctor") == 0
    told = capsys.readouterr().out
    assert "Everything needed works" in told
    assert "REALINGO_DATA" in told


def test_what_is_needed_and_does_not_work_gives_exit_status_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("REALINGO_CACHE", str(tmp_path / "file" / "cache"))
    assert realingo("doctor", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    broken = [check["name"] for check in document["checks"] if check["state"] == "broken"]
    assert (document["ok"], broken) == (False, ["folder"])


def test_a_look_that_fails_is_a_finding() -> None:
    def look() -> Iterator[doctor.Finding]:
        raise OSError("the disk is gone")

    (found,) = doctor._guard(look)
    assert (found.name, found.state) == ("look", "broken")
    assert "the disk is gone" in found.found


@pytest.mark.parametrize(
    ("requirement", "found", "fits"),
    [
        ("numpy>=1.0", None, True),
        ("numpy<1.0", None, False),
        ("no-such-package-at-all>=1", "not installed", False),
    ],
)
def test_versions_are_held_against_what_is_supported(requirement: str, found: str | None, fits: bool) -> None:
    got = doctor._installed_version(Requirement(requirement))
    assert got[1] is fits
    assert found is None or got[0] == found


def test_what_is_needed_is_read_off_the_distribution() -> None:
    assert {"torch", "optuna", "typer"} <= {each.name for each in doctor._requirements("")}
    assert [each.name for each in doctor._requirements("dashboard")] == ["optuna-dashboard", "plotly"]


def test_the_hub_is_asked(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert by_name(list(doctor._hub()))["access"].state == "ok"
    for nobody in ("http://127.0.0.1:9", "no address"):
        monkeypatch.setenv("HF_ENDPOINT", nobody)
        assert by_name(list(doctor._hub()))["access"].state == "warning"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "by choice" in by_name(list(doctor._hub()))["access"].found


def test_the_data_root_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = []
    for root in ("", str(tmp_path), str(tmp_path / "nowhere")):
        monkeypatch.setenv("REALINGO_DATA", root)
        states += [finding.state for finding in doctor._data()]
    assert states == ["missing", "ok", "warning"]


def test_a_storage_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor._try_storage("sqlite:///no/such/folder/s.db")
    assert doctor._try_storage("s.journal") == ""


COST = StudyCost(seconds_per_trial=9.0, search_hours=8.0, confirm_hours=2.0, memory_gb=3.0, disk_gb=1.0)


class Cuda:
    """Answers as torch.cuda does on a machine with two GPUs."""

    def is_available(self) -> bool:
        return True

    def device_count(self) -> int:
        return 2

    def get_device_properties(self, number: int) -> Any:
        return type("Properties", (), {"total_memory": (24e9, 8e9)[number]})


def found(machine: Machine, disk: float = 5e9) -> dict[str, doctor.Finding]:
    return by_name(list(doctor.needs("study.toml", COST, machine, disk)))


def test_on_processors_cores_and_memory_bound_the_workers() -> None:
    told = found(Machine(cores=4, memory=20e9))
    assert told["workers"].found == "up to 4, by 4 cores and the memory"
    assert told["workers"].hint == "realingo search study.toml --workers 4"
    assert "2.00 h and 0.50 h with 4, a core each" in told["time"].found
    assert {finding.state for finding in told.values()} == {"ok"}
    assert found(Machine(cores=4, memory=7e9))["workers"].found.startswith("up to 2,")


def test_what_does_not_fit_is_a_warning_with_a_way_out() -> None:
    told = found(Machine(cores=4, memory=2e9), disk=0.5e9)
    assert [told[name].state for name in ("memory", "workers", "disk")] == ["warning"] * 3
    assert all(finding.hint for finding in told.values() if finding.state == "warning" and finding.name != "workers")


def test_on_gpus_their_memory_bounds_the_workers(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  900 kB\nMemAvailable:  700 kB\n")
    machine = this_machine(Cuda(), meminfo)
    assert (machine.gpus, machine.memory) == ((24e9, 8e9), 700 * 1024)
    each = 3e9 + CONTEXT
    assert machine.workers(3e9) == 24e9 // each + 8e9 // each == 8
    assert found(machine)["workers"].hint.startswith(
        "realingo search study.toml --workers 8; they share the GPU's time"
    )


def test_a_study_is_held_against_this_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = rehearsal.write(tmp_path / "study", seconds=0.0, trials=12)
    assert realingo("doctor", str(study), "--json") == 0
    checks = [check for check in json.loads(capsys.readouterr().out)["checks"] if check["group"] == "study"]
    assert [check["name"] for check in checks] == ["memory", "disk", "time", "workers"]
    assert realingo("doctor", str(study), "--json", "--set", "model.base=nowhere/at/all") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["checks"][-1]["state"] == "broken"
    assert document["checks"][-1]["found"] == "the world does not speak vie"  # the first of its problems
