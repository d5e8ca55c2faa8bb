"""The command `realingo`: parse, call, print. Heavy rooms are imported by the command that needs them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from search.console import complain, emit
from selector.errors import InputError, RealingoError

app = typer.Typer(
    name="realingo",
    help="Choose which languages to realign a multilingual encoder on, by measuring.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

INTERRUPTED = 130

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.toml", help="The study file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a dotted key of the study file; repeatable."),
]
Backend = Annotated[
    str | None,
    typer.Option(help="Where evaluations run: inline (one worker's default) or process.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout and nothing else there.")]


@app.command()
def languages(
    codes: Annotated[list[str] | None, typer.Argument(metavar="[CODE]...", help="Any usual code or name.")] = None,
    pool: Annotated[str | None, typer.Option(help="Codes, a file of codes, or a named pool.")] = None,
    as_json: Json = False,
) -> None:
    """List languages: code, name, family, genus, script, observed share of typological features."""
    from search import choose

    emit(choose.describe(codes or [], pool), as_json, choose.render_languages)


@app.command()
def distances(
    codes: Annotated[list[str], typer.Argument(metavar="CODE CODE...", help="At least two languages.")],
    metric: Annotated[str, typer.Option(help="A metric, a weighted mix, or FILE.csv.")] = "syntactic",
    as_json: Json = False,
) -> None:
    """Pairwise distances between languages."""
    from search import choose

    emit(choose.measure(codes, metric), as_json, choose.render_distances)


@app.command()
def select(
    pool: Annotated[str, typer.Option(help="Codes, a file of codes, or a named pool.")],
    k: Annotated[int, typer.Option("-k", help="How many languages to choose.")],
    strategy: Annotated[str, typer.Option(help="How to choose.")] = "facility",
    metric: Annotated[str, typer.Option(help="A metric, a weighted mix, or FILE.csv.")] = "syntactic",
    source: Annotated[str, typer.Option(help="The language of fine-tuning; never chosen.")] = "eng",
    include: Annotated[str, typer.Option(help="Codes that must be chosen, comma-separated.")] = "",
    exclude: Annotated[str, typer.Option(help="Codes that must not be chosen, comma-separated.")] = "",
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
    compare: Annotated[bool, typer.Option(help="All strategies side by side.")] = False,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw the pool with the chosen marked.")] = None,
    as_json: Json = False,
) -> None:
    """Choose languages without measuring."""
    from search import choose

    request = choose.Request(pool, k, strategy, metric, source, include, exclude, seed)
    answer = choose.compare(request) if compare else choose.choose(request)
    if plot is not None:
        choose.draw(request, answer, plot)
    emit(answer, as_json, choose.render_comparison if compare else choose.render_choice)


@app.command()
def search(
    study: StudyFile,
    trials: Annotated[int | None, typer.Option(help="Trials in all, over every run of this study.")] = None,
    workers: Annotated[int, typer.Option(help="Trials at a time.")] = 1,
    backend: Backend = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Run or continue a study; a finished trial is never repeated."""
    from search import run

    emit(
        run.search(_study(study, overrides), trials, workers, backend or _fitting(workers)), as_json, run.render_status
    )


@app.command()
def status(study: StudyFile, overrides: Overrides = None, as_json: Json = False) -> None:
    """Trials by state, the best so far, the cost so far."""
    from search import run

    emit(run.status(_study(study, overrides)), as_json, run.render_status)


@app.command()
def confirm(
    study: StudyFile,
    top: Annotated[int | None, typer.Option(help="How many of the best subsets to confirm.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Fresh seeds for each row.")] = None,
    workers: Annotated[int, typer.Option(help="Evaluations at a time; changes no result.")] = 1,
    backend: Backend = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Re-score the best subsets and the baselines on fresh seeds, test splits and held-out languages."""
    from search import confirm as confirmation

    answer = confirmation.confirm(_study(study, overrides), top, seeds, workers, backend or _fitting(workers))
    emit(answer, as_json, confirmation.render)


@app.command()
def dashboard(
    study: StudyFile,
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to bind; anything but loopback is open to others.")] = "127.0.0.1",
    overrides: Overrides = None,
) -> None:
    """optuna-dashboard on the study, with our notes and plots in it."""
    from search import dashboard as board

    board.serve(_study(study, overrides), host, port)


@app.command()
def report(
    study: StudyFile,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE.html")] = None,
    overrides: Overrides = None,
) -> None:
    """One self-contained HTML file; no network needed to view it."""
    from search import report as reporting

    typer.echo(reporting.write(_study(study, overrides), output))


@app.command()
def export(
    study: StudyFile,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="A new or empty folder.")],
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """The best confirmed subset, ready for production realignment."""
    from search import export as exporting

    emit(exporting.export(_study(study, overrides), output), as_json, exporting.render)


@app.command()
def pretrain(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="What to train on, and how large.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="MODEL_DIR")],
) -> None:
    """Train a small multilingual encoder from text."""
    from search import pretraining

    pretraining.run(config, output)


@app.command()
def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which benchmark: world.")],
    seeds: Annotated[int, typer.Option(help="Seeds of each row.")] = 5,
    workers: Annotated[int, typer.Option(help="Evaluations at a time; changes no result.")] = 1,
    as_json: Json = False,
) -> None:
    """The benchmarks behind the numbers in the README."""
    from search import bench as benches

    emit(benches.run(name, seeds, workers), as_json, benches.render)


def _fitting(workers: int) -> str:
    return "inline" if workers == 1 else "process"


def _study(path: Path, overrides: list[str] | None) -> Any:
    from search.config import load

    return load(path, overrides or [])


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the command line: every failure ends in its exit status, never in a traceback."""
    sys.exit(_status(arguments))


def _status(arguments: list[str] | None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    try:
        result = app(args=given or ["--help"], prog_name="realingo", standalone_mode=False)
    except TyperException as problem:
        if problem.exit_code == 0:
            return 0
        complain(problem.format_message() or "no command given", "see 'realingo --help' or 'realingo COMMAND --help'")
        return 2
    except RealingoError as problem:
        complain(problem.message, problem.hint)
        return 2 if isinstance(problem, InputError) else 1
    except (KeyboardInterrupt, typer.Abort):
        result = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if result == INTERRUPTED:  # typer turns Ctrl-C inside a command into this status without a word
        complain("interrupted; what was finished is kept", "run the same command again to continue")
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    main()
