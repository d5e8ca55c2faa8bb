"""Storages: journals that were cut short, leases between machines, copies, passwords, and storages that fail."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import threading
import time
from contextlib import closing, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import postgres
import pytest
import rehearsal
from hypothesis import given, settings
from hypothesis import strategies as st

from realign.score import Score
from search.commands import search as run
from search.study import storage
from search.study.journal import Journal, Lock
from search.study.lease import Lease
from search.study.owner import Owner, _start_of, this_process
from search.study.storage import open_storage, reason, redact_url
from search.study.study import open_study
from search.study.trial import last_attempts
from selector.errors import InputError, RunError
from selector.languages.subset import Subset

pytestmark = pytest.mark.usefixtures("own_cache")

STORAGES = ("sqlite:///study.db", "study.journal")


def score(value: float = 0.5) -> Score:
    return Score(value, {"fra": value}, "signed", seconds=1.5)


# ---------------------------------------------------------------------------------------------------- journals

RECORDS = [{"op_code": 2, "n": number, "text": '{"op_code"\n'} for number in range(6)]


def journal(path: Path) -> Journal:
    written = Journal(str(path))
    written.append_logs(RECORDS)
    return written


@given(cut=st.integers(0, 400), at=st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_whole_records_are_read_whatever_a_crash_left(
    tmp_path_factory: pytest.TempPathFactory, cut: int, at: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "a.journal"
    journal(path)
    lines = path.read_bytes().splitlines(keepends=True)
    torn = lines[0][: cut % (len(lines[0]) - 1)]  # the start of a record, glued to the next one
    path.write_bytes(b"".join([*lines[:at], torn, *lines[at:], torn]))
    found = list(Journal(str(path)).read_logs(0))
    assert found == RECORDS
    Journal(str(path)).append_logs([{"op_code": 9}])
    reader = Journal(str(path))
    assert [*reader.read_logs(0)] == [*RECORDS, {"op_code": 9}]
    assert [*reader.read_logs(4)] == [*RECORDS[4:], {"op_code": 9}]
    assert [*reader.read_logs(7)] == []


def test_a_reader_goes_on_where_it_was_while_another_writes(tmp_path: Path) -> None:
    writer, reader = journal(tmp_path / "a"), Journal(str(tmp_path / "a"))
    read = len([*reader.read_logs(0)])
    for number in range(20):
        writer.append_logs([{"op_code": 5, "n": number}])
        assert [log["n"] for log in reader.read_logs(read)] == [number]
        read += 1
    assert len([*reader.read_logs(0)]) == 26


@pytest.mark.parametrize("kind", ["link", "link that leads nowhere", "file"])
def test_a_lock_whose_holder_was_killed_is_broken(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "a.journal"
    journal(target)
    left = tmp_path / "a.journal.lock"
    if kind == "file":
        left.touch()
    else:
        left.symlink_to(target if kind == "link" else tmp_path / "moved away")
    lock = Lock(str(target), stale=0.3)
    begun = time.monotonic()
    with lock.hold():
        assert 0.3 < time.monotonic() - begun < 5
    assert not os.path.lexists(left)


def test_a_lock_that_changes_hands_is_waited_for(tmp_path: Path) -> None:
    """Many short holders are no dead one."""
    inside: list[int] = []

    def hold(number: int) -> None:
        for _ in range(20):
            with Lock(str(tmp_path / "a"), stale=0.5).hold():
                inside.append(number)
                assert len(inside) == 1
                time.sleep(0.005)
                inside.pop()

    threads = [threading.Thread(target=hold, args=(number,)) for number in range(4)]
    [thread.start() for thread in threads]
    [thread.join(60) for thread in threads]
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize(
    ("content", "says"), [(b"\n# a study\n", "no journal"), (b"SQLite format 3\0 and so on", "not a journal")]
)
def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "mine.txt"
    file.write_bytes(content)
    with pytest.raises(InputError, match=says):
        run.search(rehearsal.study(tmp_path, "search.storage=mine.txt"), 3)
    assert file.read_bytes() == content


# ---------------------------------------------------------------------------------------------------- leases


class Record:
    """Where a lease is kept, and what stands there."""

    def __init__(self, holder: Owner | None = None) -> None:
        self.holder = holder

    def read(self) -> Owner | None:
        return self.holder

    def write(self, holder: Owner | None) -> None:
        self.holder = holder

    def lease(self) -> Lease:
        return Lease(self.read, self.write, beat=0.05, silence=2.0)


def moved(holder: Owner | None) -> Owner | None:
    """As if the holder were on another machine."""
    return None if holder is None else replace(holder, host="elsewhere", place="other", pid=7)


def test_a_living_driver_elsewhere_keeps_its_study_and_a_dead_one_loses_it() -> None:
    record = Record()
    first, second = record.lease(), record.lease()
    first.take("a")
    original = record.write

    first._write = lambda holder: original(moved(holder))
    record.holder = moved(record.holder)
    with pytest.raises(RunError, match="searched by process 7 on elsewhere"):
        second.take("a")
    first._end.set()  # it stops without a word, as a power cut does it
    first._thread.join()
    second.take("a")
    assert second.is_ours()
    assert not first.is_ours()
    second.give_back()
    assert record.holder is None


def test_a_driver_here_is_seen_without_watching() -> None:
    begun = time.monotonic()
    mine = replace(this_process(), token="t")
    living = replace(mine, pid=os.getppid(), started=_start_of(os.getppid()))
    dead = replace(mine, started="long ago")
    with pytest.raises(RunError, match="searched by"):
        Record(living).lease().take("a", force=True)
    lease = Record(dead).lease()
    lease.take("a")
    lease.give_back()
    assert time.monotonic() - begun < 1.5


@pytest.mark.parametrize("where", STORAGES)
def test_who_lost_the_lease_records_nothing_more(tmp_path: Path, where: str) -> None:
    config = rehearsal.study(tmp_path, f"search.storage={where}")
    study = open_study(config, create=True)
    with study.driven():
        study.recover()
        trial = study.begin(Subset(config.pool[:3]), "swap", 0, {})
        other = open_study(config, create=False)
        other.record.set_driver(Owner("elsewhere", pid=7, token="another"))
        with pytest.raises(RunError, match="process 7 on elsewhere"):
            study.finish(trial, score(), 0.5)
    assert [each.state for each in other.trials()] == ["running"]
    assert (driver := other.record.driver) is not None
    assert driver.pid == 7


def test_a_trial_that_another_driver_ended_is_not_ended_again(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path)
    study = open_study(config, create=True)
    trial = study.begin(Subset(config.pool[:3]), "swap", 0, {})
    open_study(config, create=False).fail(trial, "lost")
    with pytest.raises(RunError, match="now driven by"):
        study.finish(trial, score(), 0.5)
    study.fail(trial, "lost")  # what stands there already is no trouble
    assert [each.state for each in open_study(config, create=False).trials()] == ["failed"]


# ---------------------------------------------------------------------------------------------------- versions


def test_a_newer_study_is_refused_and_an_older_one_is_read(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path)
    study = open_study(config, create=True)
    trial = study.begin(Subset(config.pool[:3]), "swap", 0, {})
    key = study.record.keys[trial.number]
    for name, value in {"per_language": {"fra": 0.25}, "signature": "old", "seconds": 2.0}.items():
        study.storage.set_trial_user_attr(key, name, value)
    study.storage.set_trial_state_values(key, storage.optuna.trial.TrialState.COMPLETE, [0.25])
    study.storage.set_study_user_attr(study.record.id, "schema", 0)
    (old,) = open_study(config, create=False).trials()
    assert (old.value, dict(old.per_language), old.signature, old.seconds) == (0.25, {"fra": 0.25}, "old", 2.0)
    study.storage.set_study_user_attr(study.record.id, "schema", 2)
    with pytest.raises(InputError, match="newer Realingo"):
        open_study(config, create=True)


@pytest.mark.parametrize("where", STORAGES)
def test_status_leaves_no_trace(tmp_path: Path, where: str) -> None:
    config = rehearsal.study(tmp_path, f"search.storage={where}")
    run.search(config, 3)
    file = tmp_path / where.removeprefix("sqlite:///")
    if file.suffix == ".journal":
        with file.open("ab") as stream:
            stream.write(b'{"op_code": 4')
    before, there = file.read_bytes(), rehearsal.tree(tmp_path)
    assert run.status(config).trials["complete"] == 3
    assert (file.read_bytes(), rehearsal.tree(tmp_path)) == (before, there)


def test_status_makes_no_tables(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with pytest.raises(InputError, match="no study"):
        run.status(rehearsal.study(tmp_path, "search.storage=sqlite:///empty.db"))
    assert (tmp_path / "empty.db").read_bytes() == b""


# ---------------------------------------------------------------------------------------------------- copies


def content(config: Any) -> list[Any]:
    trials = open_study(config, create=False).trials()
    return [(t.number, t.position, t.state, t.subset, t.value, t.per_language, t.signature, t.error) for t in trials]


def test_a_study_goes_round_all_storages(tmp_path: Path, server: postgres.Server) -> None:
    first = rehearsal.study(tmp_path, "search.storage=a.journal")
    run.search(first, 5)
    note = "dashboard:{}:note_str:0"
    study = open_study(first, create=False)
    with study.driven():
        study.recover()
        study.fail(study.begin(Subset(first.pool[:2]), "swap", 5, {}), "out of memory")
        study.begin(Subset(first.pool[1:3]), "swap", 6, {})
    study.storage.set_study_system_attr(study.record.id, note.format(study.record.keys[3]), "kept")
    kept = content(first)
    stops = ["a.journal", "b.db", server.url, "c.journal"]
    for source, target in pairwise(stops):
        given = [at if "://" in at else str(tmp_path / at) for at in (source, target)]
        assert rehearsal.realingo("study", "copy", *given) == 0
        assert rehearsal.realingo("study", "copy", *given) == 2
    last = rehearsal.study(tmp_path, "search.storage=c.journal")
    assert content(last) == kept
    study = open_study(last, create=False)
    study.trials()
    assert study.storage.get_study_system_attrs(study.record.id)[note.format(study.record.keys[3])] == "kept"
    assert run.search(last, 8).trials["complete"] == 7


def test_half_a_copy_is_no_study_and_is_made_again(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, "search.storage=a.journal")
    run.search(config, 3)
    from search.study import copy as copying

    copying.copy(str(tmp_path / "a.journal"), str(tmp_path / "b.db"))
    half = rehearsal.study(tmp_path, "search.storage=sqlite:///b.db")
    study = open_study(half, create=False)
    study.storage.set_study_user_attr(study.record.id, copying.MARK, True)
    for create in (True, False):
        with pytest.raises(InputError, match="not finished"):
            open_study(half, create)
    copying.copy(str(tmp_path / "a.journal"), str(tmp_path / "b.db"))
    assert content(half) == content(config)


@pytest.mark.parametrize(
    ("source", "target", "name", "said"),
    [
        ("absent.db", "b.db", None, "no study"),
        ("a.journal", "b.db", "other", "it has: trial"),
        ("a.journal", "a.journal", None, "already"),
        ("a.journal", "no/folder.db", None, "no folder"),
        ("a.journal", "mysql://me:s3cret-m4rker@host/db", None, "no driver"),
    ],
)
def test_wrong_copies_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, target: str, name: str | None, said: str
) -> None:
    run.search(rehearsal.study(tmp_path, "search.storage=a.journal"), 2)
    before = rehearsal.tree(tmp_path)
    given = [at if "://" in at else str(tmp_path / at) for at in (source, target)]
    capsys.readouterr()
    assert rehearsal.realingo("study", "copy", *given, *(["--name", name] if name else [])) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert postgres.PASSWORD not in shown
    assert rehearsal.tree(tmp_path) == before


# ---------------------------------------------------------------------------------------------------- passwords


def test_no_form_of_a_password_is_shown() -> None:
    for url in (
        "postgresql://me:secret@host:5432/db",
        "postgresql://:secret@host/db",
        "postgresql://me:se/cret:secret@host/db?x=a@b",
        "postgresql://host/db?user=me&password=secret&sslpassword=secret",
    ):
        assert "secret" not in redact_url(url)
        assert "host" in redact_url(url) or "@b" in url
    for url in ("sqlite:////a/b.db", "/a/b.journal", "postgresql://me@host:5432/db", "sqlite:///a:b@c.db"):
        assert redact_url(url) == url
    url = "postgresql://me:pass%2Fword@host/db"
    problem = ValueError(f"cannot parse {url}: pass/word or pass%2Fword?")
    assert reason(problem, url) == "cannot parse postgresql://me:***@host/db: *** or ***?"


def test_the_password_of_a_server_stands_in_no_output(
    tmp_path: Path, server: postgres.Server, capfd: pytest.CaptureFixture[str]
) -> None:
    file = rehearsal.write(tmp_path, trials=4, name="secretive")
    right = ["--set", f"search.storage={server.url}"]
    wrong = server.url.replace(postgres.PASSWORD, f"{postgres.PASSWORD}-wrong")
    away = server.url.replace(str(server.port), "1")
    for command, status in (
        (["search", file, *right], 0),
        (["status", file, *right, "--json"], 0),
        (["status", file, *right], 0),
        (["confirm", file, *right], 0),
        (["report", file, *right], 0),
        (["export", file, *right, "-o", tmp_path / "out"], 0),
        (["search", file, "--set", f"search.storage={wrong}"], 2),
        (["search", file, "--set", f"search.storage={away}"], 2),
        (["status", file, "--set", f"search.storage={away}"], 2),
        (["search", file, "--set", f"search.storage={server.url}?nonsense=1"], 2),
        (["search", file, "--set", f"search.storage={server.url.replace('postgresql', 'postgresql+pg8000')}"], 2),
        (["search", file, "--set", "search.storage=nonsense://me:s3cret-m4rker@host"], 2),
    ):
        assert rehearsal.realingo(*command) == status, command
    captured = capfd.readouterr()
    assert "127.0.0.1" in captured.out + captured.err
    assert "pip install 'realingo[postgres]'" in captured.err
    assert postgres.PASSWORD not in captured.out + captured.err
    for path in tmp_path.rglob("*"):
        assert postgres.PASSWORD not in str(path)
        assert not path.is_file() or postgres.PASSWORD.encode() not in path.read_bytes(), path


# ---------------------------------------------------------------------------------------------------- failures


def history(config: Any) -> list[Any]:
    latest = last_attempts(open_study(config, create=False).trials())
    return [(trial.position, trial.subset, trial.value, trial.state) for trial in latest.values()]


def test_a_locked_database_is_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = rehearsal.study(tmp_path, "search.storage=sqlite:///locked.db")
    study = open_study(config, create=True)
    trial = study.begin(Subset(config.pool[:3]), "swap", 0, {})
    other = sqlite3.connect(tmp_path / "locked.db", check_same_thread=False, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    study.record.patience = 0.1
    with pytest.raises(RunError, match="database is locked"):
        study.finish(trial, score(), 0.5)
    study.record.patience = 30.0
    release = threading.Timer(1.6, lambda: other.execute("ROLLBACK"))
    release.start()
    study.finish(trial, score(), 0.5)
    release.join()
    other.close()
    assert "does not answer (database is locked)" in capsys.readouterr().err
    (done,) = open_study(config, create=False).trials()
    assert (done.state, done.value) == ("complete", 0.5)


@pytest.mark.parametrize("where", STORAGES)
def test_a_full_disk_costs_no_finished_trial(tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "PATIENCE", 0.5)
    disk = tmp_path / "small"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("mounting a small disk is not allowed here")
    try:
        config = rehearsal.study(tmp_path, f"search.storage={where.replace('study.', f'{disk}/study.')}")
        run.search(config, 3)
        used = sum(file.stat().st_blocks * 512 for file in disk.iterdir())
        subprocess.run(["mount", "-o", f"remount,size={used + 16384}", str(disk)], check=True)
        with pytest.raises(RunError, match=r"cannot be used: .*(full|space|I/O)"):
            run.search(config, 100)
        before = [entry for entry in history(config) if entry[3] == "complete"]
        assert len(before) >= 3
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        run.search(config, len(before) + 4)
        after = history(config)
        assert after[: len(before)] == before
        assert [entry[3] for entry in after] == ["complete"] * (len(before) + 4)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_server_that_is_killed_and_comes_back_loses_nothing(
    tmp_path: Path, server: postgres.Server, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = rehearsal.study(tmp_path / "whole")
    config = rehearsal.study(tmp_path / "away", f"search.storage={server.url}", "name=away", seconds=0.05)

    def kill() -> None:
        while True:
            with suppress(InputError):  # not begun yet
                if run.status(config).trials["complete"] >= 5:
                    break
            time.sleep(0.1)
        server.kill()
        time.sleep(1)
        server.start()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        run.search(config, 15)
    finally:
        killer.join()
    run.search(whole, 15)
    assert history(config) == history(whole)
    trials = open_study(config, create=False).trials()
    assert {trial.state for trial in trials} <= {"complete", "failed"}
    assert json.dumps(run.status(config).trials) == json.dumps(
        {"complete": 15, "failed": len(trials) - 15, "pruned": 0, "running": 0}
    )


def test_a_reader_leaves_a_database_alone_that_is_still_being_made(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'made.db'}"
    open_storage(url, create=True)
    with closing(sqlite3.connect(tmp_path / "made.db")) as database:
        database.execute("DELETE FROM alembic_version")  # what Optuna writes last
        database.commit()
        with pytest.raises(InputError, match="no study"):
            open_storage(url, create=False)
        assert database.execute("SELECT * FROM alembic_version").fetchall() == []


def test_a_database_server_that_refuses_is_told_with_what_it_needs() -> None:
    with pytest.raises(InputError, match="cannot open the storage") as refusal:
        open_storage("postgresql://realingo@127.0.0.1:1/studies", create=True)
    assert "PGPASSWORD" in refusal.value.hint
    assert "must exist" in refusal.value.hint
