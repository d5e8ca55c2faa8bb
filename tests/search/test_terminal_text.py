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
from search.results import Estimate, Interval, SearchStatus
from search.results.evaluation import Evaluation
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
    return run.render_status(SearchStatus(text, text, {}, None, 1.0, 0.0, verdict=text))


def checked(text: str) -> Any:
    return doctor.render(doctor.Examination((doctor.Finding("data", text, "ok", text, text),)))


def evaluated(text: str) -> Any:
    mean, scores = Estimate(0.5, Interval(0.4, 0.6)), {"deu": 0.5}
    return evaluate.render(
        Evaluation(
            *(text, text, "pos", "accuracy", "test", "eng", (1,), mean, 0.0, ("deu",), None, ()),
            per_language=scores,
            per_seed=(scores,),
            signature="s",
            versions={},
        )
    )


def copied(text: str) -> Any:
    return copy.render(copy.StudyCopy(text, text, text, {}))


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
