"""Text from files, folders and databases is text on the terminal: brackets are no styles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import rehearsal
from rich.console import Console

from search import terminal
from search.commands import doctor, evaluate
from search.commands import search as run
from search.study import copy

HOSTILE = ["[/]", "[red]x", "data[1]", "[/bold]", "[link=https://example.org]x[/link]", "a\\[b]", "[bold]", ":smile:"]


@pytest.mark.parametrize("text", HOSTILE)
def test_tables_remarks_and_lines_show_brackets(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = terminal.stack(terminal.table(f"title {text}", [f"head {text}", "b"], [[text, "y"]]), f"line {text}")
    terminal.out.file, terminal.err.file  # noqa: B018  both write to what stands in for the streams
    terminal.emit({}, False, lambda _: drawn)
    terminal.remark(f"remark {text}")
    printed = capsys.readouterr()
    shown = " ".join(printed.out.split())
    assert all(part in shown for part in (f"title {text}", f"head {text}", f"line {text}", f"│ {text} "))
    assert printed.err == f"remark {text}\n"


def test_a_style_is_a_style_of_a_cell_and_never_of_its_text() -> None:
    table = terminal.table("", ["a", "b"], [[terminal.Text("good", style="green"), "[green]"]])
    console = Console(width=40, force_terminal=True, color_system="standard", markup=False)
    with console.capture() as capture:
        console.print(table)
    assert "\x1b[32mgood" in capture.get()
    assert "[green]" in capture.get()


def status(text: str) -> Any:
    document = {"study": text, "storage": text, "trials": {}, "seconds": 0.0, "best": None}
    return run.render_status({**document, "evaluations": {"full_equivalents": 1.0}})


def checked(text: str) -> Any:
    check = {"group": "data", "name": text, "state": "ok", "found": text, "hint": text}
    return doctor.render({"checks": [check], "ok": True})


def evaluated(text: str) -> Any:
    common = {"mean": 0.5, "ci95": [0.4, 0.6], "std": 0.0, "seeds": [1], "signature": "s", "held_out": None}
    document = {"model": text, "task": "pos", "study": text, "split": "test", "metric": "accuracy", "targets": ["deu"]}
    return evaluate.render({**common, **document, "per_language": {"deu": 0.5}, "against": None})


def copied(text: str) -> Any:
    return copy.render({"study": text, "from": text, "to": text, "trials": {}})


@pytest.mark.parametrize("draw", [status, checked, evaluated, copied])
@pytest.mark.parametrize("text", HOSTILE)
def test_what_commands_print_keeps_names_whole(draw: Any, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.emit({}, False, lambda _: draw(text))
    assert text in capsys.readouterr().out


def test_a_study_in_a_folder_with_brackets_is_shown_with_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = rehearsal.study(tmp_path / "[a]x[/b]")
    run.search(config, 2)
    capsys.readouterr()
    assert rehearsal.realingo("status", config.path, "--set", "search.storage=trial.journal") == 0
    assert "[a]x[/b]" in "".join(capsys.readouterr().out.replace("│", "").split())
