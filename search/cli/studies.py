"""Commands on a study file, from the check to the export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli.options import (
    Address,
    Backend,
    Json,
    Overrides,
    Public,
    Push,
    StudyFile,
    announce,
    check_destination,
    load_study,
    next_command,
    push_result,
)
from search.terminal import command_line, complain, emit, remark, write_line
from selector.errors import InputError

if TYPE_CHECKING:
    from search.results.confirmation import Confirmation
    from search.results.trials import SearchStatus


def check(
    study: StudyFile,
    time: Annotated[bool, typer.Option("--time", help="Measure one short trial and estimate what all takes.")] = False,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Everything that can fail, before anything is trained; every problem with a way out."""
    announce("check", study)
    from search.commands import check as checking
    from search.commands import check_table
    from search.results.check_report import CheckReport

    try:
        config = load_study(study, overrides)
    except InputError as problem:
        report = CheckReport([problem])
    else:
        report = checking.check(config, time)
    then = "" if report.problems else next_command("search", study, overrides=overrides)
    emit(report, as_json, check_table.render, then)
    for each in report.problems:
        complain(each.message, each.hint)
    if report.problems:
        raise typer.Exit(2)


def search(
    study: StudyFile,
    trials: Annotated[int | None, typer.Option(help="Trials in all, over every run of this study.")] = None,
    workers: Annotated[int, typer.Option(help="Trials at a time.")] = 1,
    backend: Backend = None,
    address: Address = "",
    log_to: Annotated[
        list[str] | None,
        typer.Option(
            "--log-to", metavar="TRACKER", help="tensorboard[:FOLDER], mlflow[:URI] or wandb[:PROJECT]. Repeatable."
        ),
    ] = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Run or continue a study; a finished trial is never repeated."""
    announce("search", study)
    from search.backends.registry import usual_backend
    from search.commands import search as searching

    config = load_study(study, overrides)
    place = backend or usual_backend(workers, config.search.time_limit)
    found = searching.search(config, trials, workers, place, address, log_to or ())
    emit(found, as_json, searching.render_status, _after_search(found, study, overrides))


def status(
    study: StudyFile,
    explain: Annotated[bool, typer.Option("--explain", help="Also which languages and pairs matter.")] = False,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Trials by state, the best so far, the cost so far."""
    from search.commands import search as searching

    found = searching.status(load_study(study, overrides), explain)
    emit(found, as_json, searching.render_status, _after_search(found, study, overrides))


def _after_search(found: SearchStatus, study: Path, overrides: list[str] | None) -> str:
    """The command that comes next: search until a trial has finished, confirm once, then export."""
    if found.best is None:
        return next_command("search", study, overrides=overrides)
    if found.confirmed is None:
        return next_command("confirm", study, overrides=overrides)
    return next_command("report", study, overrides=overrides)


def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="A storage: a URL, a database file or a journal.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="A storage without a study of that name.")],
    name: Annotated[str | None, typer.Option(help="The study, where FROM has several.")] = None,
    as_json: Json = False,
) -> None:
    """Copy a study to another storage: trials, notes, figures."""
    from search.study import copy as copying

    emit(copying.copy(source, target, name), as_json, copying.render)


def confirm(
    study: StudyFile,
    top: Annotated[int | None, typer.Option(help="How many of the best subsets to confirm.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Fresh seeds for each row.")] = None,
    workers: Annotated[int, typer.Option(help="Evaluations at a time; changes no result.")] = 1,
    backend: Backend = None,
    address: Address = "",
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Re-score the best subsets and the baselines on fresh seeds, test splits and held-out languages."""
    announce("confirm", study)
    from search.backends.registry import usual_backend
    from search.confirmation import confirm as confirmation
    from search.confirmation import confirm_table
    from search.confirmation.recommend import Recommender
    from search.confirmation.verdict import verdict
    from search.study.study import open_study

    config = load_study(study, overrides)
    answer = confirmation.confirm(config, top, seeds, workers, backend or usual_backend(workers), address)
    then = next_command("report", study, overrides=overrides)

    def table(found: Confirmation) -> Any:
        recommender = Recommender(open_study(config, create=False))
        return confirm_table.render(found, verdict(recommender, found))

    emit(answer, as_json, table, then)


def dashboard(
    study: StudyFile,
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to bind; anything but loopback is open to others.")] = "127.0.0.1",
    overrides: Overrides = None,
) -> None:
    """optuna-dashboard on the study, with our notes and plots in it."""
    announce("dashboard", study)
    from search.dashboard import server as board

    board.serve(load_study(study, overrides), host, port)


def report(
    study: StudyFile,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE.html")] = None,
    overrides: Overrides = None,
) -> None:
    """One self-contained HTML file; no network needed to view it."""
    announce("report", study)
    from search.report import html_report as reporting

    config = load_study(study, overrides)
    write_line(reporting.write(config, output))
    if (config.folder / "confirm.json").exists():
        then = next_command("export", study, "-o", f"{study.stem}-export", overrides=overrides)
    else:
        then = next_command("confirm", study, overrides=overrides)
    remark(f"next: {then}")


def export(
    study: StudyFile,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="A new or empty folder.")],
    row: Annotated[
        str | None, typer.Option(help="The confirmed candidate to take, not the one that scored best.")
    ] = None,
    push: Push = None,
    public: Public = False,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """The best confirmed subset, ready for production realignment."""
    announce("export", study)
    from search.export import export as exporting

    place, config = check_destination(push, public), load_study(study, overrides)
    made = push_result(exporting.export(config, output, row), place)
    then = command_line("realign", output, "-o", f"{output}-model")
    if config.core.is_rehearsal:
        then = f"name an encoder in model.base, then {command_line('check', study)}"
    emit(made, as_json, exporting.render, then)
