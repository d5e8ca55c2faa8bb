"""The entry point: the commands in the order of the help, the options before them, and the exit status."""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from search.cli.encoders import bench, doctor, evaluate, pretrain, realign
from search.cli.languages import distances, init, languages, select
from search.cli.options import INTERRUPTED
from search.cli.studies import check, confirm, copy, dashboard, export, report, search, status
from search.terminal import adjust, complain, complain_of_a_bug, discard_output
from selector.errors import InputError, RealingoError, StopError

app = typer.Typer(
    name="realingo",
    help="Choose which languages to realign a multilingual encoder on, by measuring.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
records = typer.Typer(help="Copy a study to another storage.", rich_markup_mode=None)

OURS = ("realign", "realingo", "search", "selector")  # the packages of this project
ANYWHERE = ("--quiet", "--verbose", "--no-color")  # may stand before or behind the command
COMMANDS = (
    *(languages, distances, select, init),
    *(check, search, status, confirm),
    *(dashboard, report, export),
    *(realign, evaluate, doctor, pretrain, bench),
)  # in the order of the help

for command in COMMANDS:
    app.command()(command)
records.command()(copy)
app.add_typer(records, name="study")


def show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"realingo {version('realingo')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=show_version, help="Show the version and end.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress and no remarks: warnings and errors alone.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Also what the parts of Realingo log, and tracebacks.")
    ] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colours, as with NO_COLOR in the environment.")
    ] = False,
) -> None:
    """Choose which languages to realign a multilingual encoder on, by measuring.

    --quiet, --verbose and --no-color may stand behind the command as well.
    """
    if quiet and verbose:
        raise InputError("--quiet and --verbose exclude each other", "give one of them")
    adjust(quiet, verbose, not no_color)


CONTINUED = ("search", "confirm", "evaluate")  # their scores are kept one by one


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the command line: every failure ends in its exit status; a traceback is for --verbose alone."""
    try:
        code = exit_status(arguments)
    except KeyboardInterrupt:  # Ctrl-C once more, while the first one was reported
        code = INTERRUPTED
    except Exception as problem:
        code = 1
        missing = (problem.name or "").partition(".")[0] if isinstance(problem, ModuleNotFoundError) else ""
        if missing and missing not in OURS:
            complain(f"the package '{missing}' is not installed", "'realingo doctor' shows what else is missing")
        else:
            complain_of_a_bug(problem)
    if code == INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C once more changes nothing now
    sys.exit(code)


def exit_status(arguments: list[str] | None) -> int:
    given = forward_options(sys.argv[1:] if arguments is None else arguments)
    _prepare_streams()
    try:
        result = app(args=given or ["--help"], prog_name="realingo", standalone_mode=False)
    except TyperException as problem:
        if problem.exit_code == 0:
            return 0
        complain(problem.format_message() or "no command given", "see 'realingo --help' or 'realingo COMMAND --help'")
        return 2
    except RealingoError as problem:
        complain(problem.message, problem.hint)
        if isinstance(problem, StopError):
            return INTERRUPTED
        return 2 if isinstance(problem, InputError) else 1
    except (KeyboardInterrupt, typer.Abort):
        result = INTERRUPTED
    except BrokenPipeError:
        discard_output()
        return 1
    if result == INTERRUPTED:  # typer turns Ctrl-C inside a command into this status without a word
        _complain_of_an_interrupt(given)
    return result if isinstance(result, int) else 0


def _complain_of_an_interrupt(given: list[str]) -> None:
    if next((word for word in given if word not in ANYWHERE), "") in CONTINUED:
        complain("interrupted; what was finished is kept", "run the same command again to continue")
    else:
        complain("interrupted", "the same command begins anew")


def _prepare_streams() -> None:
    """Make a stream of what the caller closed, and let a terminal of few letters have its table all the same."""
    if sys.stdout is None:  # else the first file that is opened would be standard output
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # as long as the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        few_letters = not sys.stdout.encoding.lower().startswith("utf")  # in the locale C errors are not "strict"
        if few_letters or sys.stdout.errors == "strict":
            sys.stdout.reconfigure(errors="replace")


def forward_options(given: list[str]) -> list[str]:
    """The options that every command takes before it, wherever they stand."""
    options = given[: given.index("--")] if "--" in given else given
    moved = [option for option in ANYWHERE if option in options]
    return [*moved, *(word for place, word in enumerate(given) if word not in moved or place >= len(options))]


if __name__ == "__main__":
    main()
