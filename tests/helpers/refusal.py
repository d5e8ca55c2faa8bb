"""What bad input costs: two lines on stderr, exit status 2, and not a byte written; for the tables of bad input."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest
import rehearsal

Files = Mapping[str, str | bytes | None]  # path in the folder → content; None: a folder
Case = tuple[str, str] | tuple[str, str, Files]  # command line, part of what is said, files beside the study

PROGRESS = re.compile(r".+: \d+/\d+ in \d+ s.*")  # on a slow machine


def lay(folder: Path, files: Files) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())


def contents(folder: Path) -> dict[str, bytes]:
    """Every file with its bytes; of a folder, none."""
    found = {name: folder / name for name in rehearsal.tree(folder)}
    return {name: path.read_bytes() if path.is_file() else b"" for name, path in found.items()}


def check(case: Case, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Run the command in `folder`, which is the working directory, and see that it is refused as it should be."""
    command, says, *rest = case
    lay(folder, rest[0] if rest else {})
    before = contents(folder)
    status = rehearsal.realingo(*shlex.split(command))
    printed = capsys.readouterr()
    assert (status, printed.out) == (2, ""), printed.err
    lines = [line for line in printed.err.splitlines() if not PROGRESS.fullmatch(line)]
    assert [line.partition(": ")[0] for line in lines] == ["error", "hint"], printed.err
    assert all(len(line.partition(": ")[2]) > 5 for line in lines), printed.err
    assert says in printed.err
    assert contents(folder) == before, "something was written"
