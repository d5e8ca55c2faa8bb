"""What each command looks like on a terminal of 80 and of 120 columns: a pseudo-terminal, and the words in it whole."""

from __future__ import annotations

import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path

import pytest
import rehearsal

COMMANDS = {
    "help": ("--help",),
    "languages": ("languages", "deu", "zho", "arb", "azj", "--pool", "world"),
    "distances": ("distances", "deu", "fra", "tur", "zho", "swa", "jpn", "fin", "hin", "arb", "rus", "vie", "kat"),
    "select": ("select", "--pool", "world", "-k", "4"),
    "compare": ("select", "--pool", "deu,fra,tur,jpn,fin,hin,swh,vie", "-k", "3", "--compare"),
    "predicted": ("select", "--pool", "world", "-k", "3", "--strategy", "predicted"),
    "init": ("init", "-o", "new.toml", "--yes"),
    "check": ("check", "study.toml"),
    "search": ("search", "study.toml", "--trials", "4"),
    "status": ("status", "study.toml", "--explain"),
    "confirm": ("confirm", "study.toml"),
    "doctor": ("doctor",),
}
NEXT = {
    "select": "realingo init -o study-2.toml --pool world -k 4",
    "init": "realingo check new.toml",
    "check": "realingo search study.toml",
    "search": "realingo confirm study.toml",
    "status": "realingo confirm study.toml",
    "confirm": "realingo report study.toml",
}
CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
WORD = re.compile(r"[A-Za-z]{4,}")
WHOLE = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A folder with a study, of a short name: a path longer than its cell breaks anywhere. The commands below are its
    path, in their order."""
    with tempfile.TemporaryDirectory(prefix="s") as place:
        rehearsal.write(Path(place), trials=4, strategy="surrogate")
        yield Path(place)


def on_a_terminal(columns: int, folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit status of the command, and everything that it wrote to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 200, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "CI")}
    environment |= {"TERM": "xterm", "OMP_NUM_THREADS": "1", "REALINGO_CACHE": str(folder / "cache")}
    environment["PYTHONPATH"] = str(WHOLE)
    process = subprocess.Popen(
        [sys.executable, "-m", "search", *arguments],
        cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    written = b""
    while True:
        ready, _, _ = select.select([ours], [], [], 120)
        assert ready, f"nothing for two minutes after {written[-200:]!r}"
        try:
            part = os.read(ours, 1 << 16)
        except OSError:  # how Linux says that the other end is closed
            break
        if not part:
            break
        written += part
    os.close(ours)
    return process.wait(), CONTROL.sub("", written.decode()).replace("\r\n", "\n")


def shown(text: str) -> list[str]:
    """The lines as they stand in the end: what a progress bar wrote over is gone."""
    return [line.rpartition("\r")[2] for line in text.split("\n")]


def broken(lines: list[str], known: set[str]) -> set[str]:
    """Parts of known words that stand in the lines as if they were words."""
    words = {word for line in lines for word in WORD.findall(line)} - known
    return {word for word in words if any(word in whole for whole in known)}


@pytest.mark.parametrize(
    ("name", "columns"),
    [*((name, 80) for name in COMMANDS), ("languages", 120), ("distances", 120), ("confirm", 120)],
)
def test_no_word_is_broken_and_no_line_too_long(
    name: str, columns: int, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, text = on_a_terminal(columns, home, *COMMANDS[name])
    assert status == 0, text
    lines = shown(text)
    assert max(map(len, lines)) <= columns
    assert not re.search(r"\(p *[<=]? *$", text, re.MULTILINE), "p stands beside its number"
    if name in NEXT and columns == 80:
        assert lines[-2] == f"next: {NEXT[name]}"
    monkeypatch.chdir(home)
    monkeypatch.setenv("REALINGO_CACHE", str(home / "cache"))
    assert rehearsal.realingo(*COMMANDS[name]) == 0
    in_a_file = capsys.readouterr()
    assert broken(lines, set(WORD.findall(in_a_file.out + in_a_file.err))) == set(), text


def test_a_broken_word_would_be_found() -> None:
    assert broken(["wor", "se tha", "confir", "med"], {"worse", "than", "confirmed"}) == {"confir"}
