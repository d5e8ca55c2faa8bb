"""A damaged line in the middle of a journal would shift all later trials: it is an error, and a shift is seen."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import rehearsal
from hypothesis import given, settings
from hypothesis import strategies as st

from realign.score import Score
from search.commands import search as run
from search.study.journal import Journal
from search.study.study import open_study
from selector.errors import InputError
from selector.languages.subset import Subset

RECORDS = [{"op_code": 2, "n": number, "text": '{"op_code"\n'} for number in range(6)]

NEWLINE = b"\n"

pytestmark = pytest.mark.usefixtures("own_cache")


def written(path: Path) -> list[bytes]:
    """The lines of a journal of `RECORDS`."""
    Journal(str(path)).append_logs(RECORDS)
    return path.read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize(
    "damage",
    [b"\n", b"   \n", b"\0\0\0\0\n", b'{"op_code": 2\n', b"[1]\n", b'{"n": 3}\n', b'"text"\n', b"[" * 3000 + b"\n"],
)
@pytest.mark.parametrize("at", [0, 3, 5])
def test_a_damaged_line_is_named(tmp_path: Path, damage: bytes, at: int) -> None:
    path = tmp_path / "a.journal"
    lines = written(path)
    path.write_bytes(b"".join([*lines[:at], damage, *lines[at + 1 :]]))
    with pytest.raises(InputError, match=f"line {at + 1} of .*a.journal is damaged"):
        list(Journal(str(path)).read_logs(0))


def read(path: Path) -> tuple[list[object], str]:
    """The records of a journal, and what was said where reading ended early."""
    found: list[object] = []
    try:
        found += Journal(str(path)).read_logs(0)
    except InputError as problem:
        return [], problem.message
    return found, ""


@given(data=st.data())
@settings(max_examples=150)
def test_a_changed_byte_never_takes_a_record_away_unseen(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever byte is written over another before the last line end, all records are there or a line is named."""
    path = tmp_path_factory.mktemp("journal") / "a.journal"
    whole = b"".join(written(path))
    place = data.draw(st.integers(0, len(whole) - 2))
    byte = data.draw(st.integers(0, 255))
    path.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
    found, message = read(path)
    assert len(found) == len(RECORDS) or f"line {whole[:place].count(NEWLINE) + 1} of" in message


def test_two_records_whose_line_end_is_gone_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    lines = written(path)
    path.write_bytes(b"".join([*lines[:2], lines[2].rstrip(b"\n"), *lines[3:]]))
    with pytest.raises(InputError, match="line 3 "):
        list(Journal(str(path)).read_logs(0))


def test_the_line_is_right_where_a_reader_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    written(path)
    reader = Journal(str(path))
    assert len(list(reader.read_logs(0))) == 6
    with path.open("ab") as stream:
        stream.write(b'{"op_code":9}\nnothing\n')
    with pytest.raises(InputError, match="line 8 "):
        list(reader.read_logs(6))


@pytest.mark.parametrize("command", ["search", "status", "confirm", "report"])
def test_no_command_goes_on_with_a_damaged_journal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    config = rehearsal.study(tmp_path)
    run.search(config, 4)
    file = tmp_path / "trial.journal"
    lines = file.read_bytes().splitlines(keepends=True)
    begun = [number for number, line in enumerate(lines) if json.loads(line)["op_code"] == 4]  # trials
    lines[begun[1]] = b"#" + lines[begun[1]][1:]
    file.write_bytes(b"".join(lines))
    capsys.readouterr()
    before = file.read_bytes()
    assert rehearsal.realingo(command, config.path, "--set", "search.storage=trial.journal") == 2
    error, hint = capsys.readouterr().err.strip().splitlines()[-2:]
    assert f"line {begun[1] + 1} of {file} is damaged" in error
    assert "restore" in hint
    assert file.read_bytes() == before


def test_a_result_that_is_another_trials_is_seen_when_a_study_is_opened(tmp_path: Path) -> None:
    """A record that is missing altogether: every later trial bears the results of the one after it."""
    config = rehearsal.study(tmp_path)
    study, score = open_study(config, create=True), Score(0.5, {"fra": 0.5}, "signed")
    with study.driven():  # as several workers leave it: all are begun before the first ends
        subsets = [Subset(pair) for pair in itertools.islice(itertools.combinations(config.pool, 3), 6)]
        begun = [study.begin(subset, "random", position, {}) for position, subset in enumerate(subsets)]
        for trial in begun:
            study.finish(trial, score, 0.5)
    assert len(open_study(config, create=False).trials()) == 6
    file = tmp_path / "trial.journal"
    lines = file.read_bytes().splitlines(keepends=True)
    created = [number for number, line in enumerate(lines) if json.loads(line)["op_code"] == 4]
    file.write_bytes(b"".join(lines[: created[2]] + lines[created[2] + 1 :]))
    for create in (True, False):
        with pytest.raises(InputError, match=r"trial 2 of study 'trial' .* not its own"):
            open_study(config, create).trials()
