"""A damaged SQLite file is said in one line at once, by every command; nothing waits for what no time mends."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
import rehearsal

from search.commands import search as run
from search.config.study_config import StudyConfig
from search.study.study import open_study
from selector.errors import InputError

URL = "sqlite:///trial.db"
pytestmark = pytest.mark.usefixtures("own_cache")


def begun(folder: Path) -> tuple[StudyConfig, Path]:
    config = rehearsal.study(folder, f"search.storage={URL}")
    run.search(config, 3)
    return config, folder / "trial.db"


def a_page_of_noise(file: Path) -> None:
    content = bytearray(file.read_bytes())
    for page in range(2, len(content) // 4096):  # the first holds the schema
        content[page * 4096 : page * 4096 + 200] = bytes(range(200))
    file.write_bytes(bytes(content))


def cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: 3 * 4096])


def another_header(file: Path) -> None:
    file.write_bytes(b"x" * 100 + file.read_bytes()[100:])


def a_table_less(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("DROP TABLE trial_values")
        database.commit()


@pytest.mark.parametrize("damage", [a_page_of_noise, cut_off, another_header, a_table_less])
@pytest.mark.parametrize("command", ["search", "status", "confirm", "report"])
def test_every_command_says_so_at_once(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage,  # type: ignore[no-untyped-def]
    command: str,
) -> None:
    config, file = begun(tmp_path)
    damage(file)
    before = file.read_bytes()
    capsys.readouterr()
    start = time.monotonic()
    assert rehearsal.realingo(command, config.path, "--set", f"search.storage={URL}") == 2
    assert time.monotonic() - start < 20
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"]
    assert "trial.db is damaged: " in lines[0]
    assert "restore" in lines[1]
    assert file.read_bytes() == before


def test_damage_under_a_study_that_is_open_is_not_waited_for(tmp_path: Path) -> None:
    config, file = begun(tmp_path)
    study = open_study(config, create=False)
    a_table_less(file)
    start = time.monotonic()
    with pytest.raises(InputError, match="is damaged: no such table: trial_values"):
        study.trials()
    assert time.monotonic() - start < 5


def test_a_locked_database_is_no_damaged_one(tmp_path: Path) -> None:
    config, file = begun(tmp_path)
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(InputError, match="locked"):
            open_study(config, create=False)
    assert len(open_study(config, create=False).trials()) == 3
