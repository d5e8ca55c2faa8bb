"""The command `realingo`: parse, call, print. Heavy rooms are imported by the command that needs them."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import TyperException

from search.terminal import adjust, command_line, complain, complain_of_a_bug, emit, remark
from selector.errors import InputError, RealingoError, StopError

if TYPE_CHECKING:
    from search.results.confirmation import Confirmation
    from search.results.trials import SearchStatus

app = typer.Typer(
    name="realingo",
    help="Choose which languages to realign a multilingual encoder on, by measuring.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

studies = typer.Typer(help="What is kept of a search.", rich_markup_mode=None)
app.add_typer(studies, name="study")

INTERRUPTED = 130
ANYWHERE = ("--quiet", "--verbose", "--no-color")  # may stand before or behind the command

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.toml", help="The study file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a dotted key of the study file; repeatable."),
]
Backend = Annotated[
    str | None,
    typer.Option(help="Where evaluations run: inline (the default for one), process, ray or tune.", show_default=False),
]
Address = Annotated[str, typer.Option(help="A Ray cluster to run on; without it one is started on this machine.")]
Push = Annotated[
    str | None,
    typer.Option(
        "--push",
        metavar="OWNER/NAME",
        help="Push the folder to the hub as well: private where it is new, unless --public is given. Whether you may "
        "(HF_TOKEN, or hf auth login) is looked at first.",
    ),
]
Public = Annotated[bool, typer.Option("--public", help="With --push: for everyone to see.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout and nothing else there.")]


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"realingo {version('realingo')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Show the version and end.")
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


@app.command()
def languages(
    codes: Annotated[list[str] | None, typer.Argument(metavar="[CODE]...", help="Any usual code or name.")] = None,
    pool: Annotated[str | None, typer.Option(help="Codes, a file of codes, or a named pool.")] = None,
    own: Annotated[
        str | None, typer.Option("--table", metavar="FILE.csv", help="Your own columns; the code is the first.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List languages: kinship, scripts, resource class, place, and what URIEL observed of them."""
    from search.commands import languages as choose

    emit(choose.describe(codes or [], pool, own), as_json, choose.render_languages)


@app.command()
def distances(
    codes: Annotated[list[str], typer.Argument(metavar="CODE CODE...", help="At least two languages.")],
    metric: Annotated[
        str, typer.Option(help="A metric, one source (syntactic:wals), a weighted mix, features:FILE.csv, or a matrix.")
    ] = "syntactic",
    least_overlap: Annotated[
        int, typer.Option(help="Pairs with fewer shared observed features get the mean (one source, features:FILE).")
    ] = 15,
    as_json: Json = False,
) -> None:
    """Pairwise distances between languages."""
    _one_thread()
    from search.commands import languages as choose

    emit(choose.measure(codes, metric, least_overlap), as_json, choose.render_distances)


@app.command()
def select(
    pool: Annotated[str, typer.Option(help="Codes, a file of codes, or a named pool.")],
    k: Annotated[int | None, typer.Option("-k", help="How many languages to choose.")] = None,
    strategy: Annotated[str, typer.Option(help="How to choose.")] = "facility",
    metric: Annotated[str, typer.Option(help="A metric, a weighted mix, or FILE.csv.")] = "syntactic",
    source: Annotated[str, typer.Option(help="The language of fine-tuning; never chosen.")] = "eng",
    include: Annotated[str, typer.Option(help="Codes that must be chosen, comma-separated.")] = "",
    exclude: Annotated[str, typer.Option(help="Codes that must not be chosen, comma-separated.")] = "",
    targets: Annotated[str | None, typer.Option(help="Whom the chosen serve; the pool if not given.")] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Weights of the targets: code,weight a line.")
    ] = None,
    transfer: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Measured transfer, donors × targets, as CSV or NPZ.")
    ] = None,
    costs: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Costs of the languages: code,cost a line.")
    ] = None,
    budget: Annotated[float | None, typer.Option(help="What the chosen may cost in all.")] = None,
    quota: Annotated[
        list[str] | None,
        typer.Option(metavar="GROUP=N", help="At most N of any family, genus, script, resource; or script:Latn=2."),
    ] = None,
    table: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Your own columns, usable as groups of a quota.")
    ] = None,
    least_observed: Annotated[
        float | None, typer.Option(help="Leave out languages with less of their features observed, 0 to 1.")
    ] = None,
    radius: Annotated[float | None, typer.Option(help="The distance within which a language is covered.")] = None,
    count_source: Annotated[
        bool | None,
        typer.Option("--count-source/--no-count-source", help="Whether the source counts as already chosen."),
    ] = None,
    task: Annotated[str | None, typer.Option(help="Of predicted: pos, ner, xnli, americasnli, or another.")] = None,
    subset: Annotated[str | None, typer.Option(help="Measure these languages instead of choosing.")] = None,
    rank: Annotated[bool, typer.Option(help="What each language adds after those included, in greedy order.")] = False,
    compare: Annotated[bool, typer.Option(help="All strategies side by side.")] = False,
    parity: Annotated[
        str | None, typer.Option(metavar="typdiv", help="max-sum and max-min exactly as typdiv-sampling does them.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="What an exact strategy may take.")] = 20.0,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png|FILE.html", help="Draw the pool with the chosen marked.")
    ] = None,
    view: Annotated[str | None, typer.Option(help="What to draw: typology (the default) or world.")] = None,
    as_json: Json = False,
) -> None:
    """Choose languages without measuring."""
    options = locals()
    _begin("select", pool)
    _one_thread()
    from search.commands import select as selecting
    from search.commands import select_request

    given = {name: value for name, value in options.items() if name in select_request.Request.__dataclass_fields__}
    request = select_request.Request(**given, quotas=tuple(quota or ()))
    mode = selecting.mode(request, compare, rank)
    emit(selecting.run(mode, request, plot, view), as_json, mode.show)


@app.command()
def init(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="STUDY.toml", help="The file to write.")] = Path(
        "study.toml"
    ),
    folder: Annotated[
        Path | None, typer.Option("--from-folder", metavar="DIR", help="Look at what lies there.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="An encoder: a folder, a model of the hub, or world.")] = None,
    parallel: Annotated[str | None, typer.Option(help="A known set of parallel text, such as opus-100.")] = None,
    task: Annotated[
        str | None, typer.Option(help="A known set of a task, such as udpos; of a folder pos, ner or classification.")
    ] = None,
    pool: Annotated[str | None, typer.Option(help="Codes, a file of codes, or a named pool.")] = None,
    size: Annotated[int | None, typer.Option("-k", help="How many languages to choose.")] = None,
    source: Annotated[
        str | None, typer.Option(help="The language of fine-tuning, on the other side of all parallel text.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing, and replace the file if it is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write a study file to begin with: for your folder, for sets of the hub, or for the embedded world."""
    from search.starting import init as starting
    from search.starting import questions

    wish = starting.Wish(folder, model, parallel, task, pool, size, source)
    starting.check_place(output, yes)
    if wish.empty and not yes and not as_json and sys.stdin.isatty():
        try:
            wish = questions.ask(lambda text, default: str(typer.prompt(text, default, show_default=bool(default))))
        except (KeyboardInterrupt, typer.Abort):
            typer.echo("\nnothing was written; 'realingo init' asks again", err=True)
            raise SystemExit(INTERRUPTED) from None  # the line is out, and no run is to be continued
    emit(starting.init(output, wish, yes), as_json, starting.render_init)


@app.command()
def check(
    study: StudyFile,
    time: Annotated[bool, typer.Option("--time", help="Measure one short trial and estimate what all takes.")] = False,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Everything that can fail, before anything is trained; every problem with a way out."""
    _begin("check", study)
    from search.commands import check as checking
    from search.commands import check_table

    try:
        config = _study(study, overrides)
    except InputError as problem:
        document = checking.unreadable(problem)
    else:
        document = checking.check(config, time)
    emit(document, as_json, check_table.render, _next("search", study, overrides=overrides) if document["ok"] else "")
    for each in document["problems"]:
        complain(each["error"], each["hint"])
    if not document["ok"]:
        raise typer.Exit(2)


@app.command()
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
    _begin("search", study)
    from search.backends.registry import usual_backend
    from search.commands import search as run

    config = _study(study, overrides)
    place = backend or usual_backend(workers, config.search.time_limit)
    found = run.search(config, trials, workers, place, address, log_to or ())
    emit(found, as_json, run.render_status, _after_search(found, study, overrides))


@app.command()
def status(
    study: StudyFile,
    explain: Annotated[bool, typer.Option("--explain", help="Also which languages and pairs matter.")] = False,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Trials by state, the best so far, the cost so far."""
    from search.commands import search as run

    found = run.status(_study(study, overrides), explain)
    emit(found, as_json, run.render_status, _after_search(found, study, overrides))


def _after_search(found: SearchStatus, study: Path, overrides: list[str] | None) -> str:
    """The command that comes next: search until a trial has finished, confirm once, then export."""
    if found.best is None:
        return _next("search", study, overrides=overrides)
    if found.confirmed is None:
        return _next("confirm", study, overrides=overrides)
    return _next("report", study, overrides=overrides)


@studies.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="A storage: a URL, a database file or a journal.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="A storage without a study of that name.")],
    name: Annotated[str | None, typer.Option(help="The study, where FROM has several.")] = None,
    as_json: Json = False,
) -> None:
    """Copy a study to another storage: trials, notes, figures."""
    from search.study import copy as copying

    emit(copying.copy(source, target, name), as_json, copying.render)


@app.command()
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
    _begin("confirm", study)
    from search.backends.registry import usual_backend
    from search.confirmation import confirm as confirmation
    from search.confirmation import confirm_table
    from search.confirmation.recommend import Recommender
    from search.confirmation.verdict import verdict
    from search.study.study import open_study

    config = _study(study, overrides)
    answer = confirmation.confirm(config, top, seeds, workers, backend or usual_backend(workers), address)
    then = _next("report", study, overrides=overrides)

    def table(found: Confirmation) -> Any:
        recommender = Recommender(open_study(config, create=False))
        return confirm_table.render(found, verdict(recommender, found))

    emit(answer, as_json, table, then)


@app.command()
def dashboard(
    study: StudyFile,
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to bind; anything but loopback is open to others.")] = "127.0.0.1",
    overrides: Overrides = None,
) -> None:
    """optuna-dashboard on the study, with our notes and plots in it."""
    _begin("dashboard", study)
    from search.dashboard import server as board

    board.serve(_study(study, overrides), host, port)


@app.command()
def report(
    study: StudyFile,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE.html")] = None,
    overrides: Overrides = None,
) -> None:
    """One self-contained HTML file; no network needed to view it."""
    _begin("report", study)
    from search.report import html_report as reporting

    config = _study(study, overrides)
    typer.echo(reporting.write(config, output))
    if (config.folder / "confirm.json").exists():
        then = _next("export", study, "-o", f"{study.stem}-export", overrides=overrides)
    else:
        then = _next("confirm", study, overrides=overrides)
    remark(f"next: {then}")


@app.command()
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
    _begin("export", study)
    from search.export import export as exporting

    then = command_line("realign", output, "-o", f"{output}-model")
    place = _destination(push, public)
    made = _push(exporting.export(_study(study, overrides), output, row), place)
    emit(made, as_json, exporting.render, then)


@app.command()
def realign(
    given: Annotated[Path, typer.Argument(metavar="DIR_OR_TOML", help="An export, or a TOML file with its keys.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="MODEL_DIR", help="A new or empty folder.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint, if there is one.")] = False,
    every: Annotated[float, typer.Option(metavar="MINUTES", help="Time between two checkpoints.")] = 10.0,
    sentences: Annotated[
        bool,
        typer.Option(
            "--sentence-transformers",
            help="Also the files that sentence-transformers loads; always with a retrieval task.",
        ),
    ] = False,
    push: Push = None,
    public: Public = False,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Realign at full fidelity: an encoder that transformers loads, with its model card."""
    _begin("realign", given)
    from search.commands import realign as production
    from search.export import model_card

    then = command_line("evaluate", output, "--study", "STUDY.toml")
    place = _destination(push, public)
    where = place.repository if place else ""
    made = production.realign(given, output, resume, every, overrides or [], sentences, where)
    emit(_push(made, place), as_json, model_card.summary, then)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL_DIR", help="Any encoder: a folder, or a hub id.")],
    study: Annotated[Path, typer.Option("--study", metavar="STUDY.toml", help="Whose task to score it under.")],
    split: Annotated[str, typer.Option(help="test, or dev: what the search sees.")] = "test",
    seeds: Annotated[int, typer.Option(help="How often to fine-tune; the first seed is the study's.")] = 1,
    against: Annotated[str | None, typer.Option(metavar="MODEL", help="Another encoder to compare with.")] = None,
    workers: Annotated[int, typer.Option(help="Evaluations at a time; changes no result.")] = 1,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Zero-shot scores of any encoder under a study's task, fine-tuned as the study does."""
    _begin("evaluate", model)
    from search.commands import evaluate as evaluating

    wanted = evaluating.EvaluationRequest(model, against, split, seeds, workers)
    emit(evaluating.evaluate(_study(study, overrides), wanted), as_json, evaluating.render)


@app.command()
def doctor(
    study: Annotated[
        Path | None, typer.Argument(metavar="[STUDY.toml]", help="Also what this study needs, by one short trial.")
    ] = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """What works on this machine: versions, devices, caches, storages, the hub; with a way out of what does not."""
    _begin("doctor", "looking at this machine")
    from search.commands import doctor as examination

    found = examination.examine(None if study is None else _study(study, overrides))
    emit(found, as_json, examination.render)
    if not found.ok:
        raise typer.Exit(1)


@app.command()
def pretrain(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="What to train on, and how large.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="MODEL_DIR")],
) -> None:
    """Train a small multilingual encoder from text."""
    _begin("pretrain", config)
    from search.commands import pretrain as pretraining

    pretraining.run(config, output)


@app.command()
def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help="world, core, fidelity, search, select or transfer.")],
    seeds: Annotated[int, typer.Option(help="Seeds of each row.")] = 5,
    workers: Annotated[int, typer.Option(help="Evaluations at a time; changes no result.")] = 1,
    results: Annotated[str | None, typer.Option(help="transfer: CSV with strategy, language, mean, std.")] = None,
    subsets: Annotated[str | None, typer.Option(help="transfer: JSON, strategy to its languages.")] = None,
    codes: Annotated[str | None, typer.Option(help="transfer: JSON, names in the table to codes.")] = None,
    table: Annotated[str | None, typer.Option(help="search: a table of measured subsets.")] = None,
    problem: Annotated[str | None, typer.Option(help="search: a synthetic problem, such as n60 or n60-noisy.")] = None,
    strategies: Annotated[str | None, typer.Option(help="search: those to compare, comma-separated.")] = None,
    repetitions: Annotated[int, typer.Option(help="search: runs of each strategy.")] = 20,
    batch: Annotated[int, typer.Option(help="search: evaluations under way at a time.")] = 1,
    as_json: Json = False,
) -> None:
    """The benchmarks behind the numbers in the documentation."""
    _begin("bench", name)
    from search.bench import world as benches

    if name == "search":
        document = benches.run_search(table, problem, strategies, repetitions, batch, workers)
        emit(document, as_json, benches.render)
    elif results or subsets or codes:
        emit(benches.run_table(name, results, subsets, codes), as_json, benches.render)
    else:
        emit(benches.run(name, seeds, workers), as_json, benches.render)


def _destination(push: str | None, public: bool) -> Any:
    """Where the result is pushed to; None where that is not asked for. Asked before anything is worked on."""
    if push is None:
        if public:
            raise InputError("--public says how to push, and nothing is pushed", "add --push OWNER/NAME")
        return None
    from realign.hub import upload

    return upload.check_rights(push, public)


def _push(made: Any, place: Any) -> Any:
    """What was made, with where on the hub it is."""
    if place is None:
        return made
    from realign.hub import upload

    remark(f"pushing {made.path} to {place.repository}")
    return replace(made, pushed=upload.push(Path(made.path), place, "Made with realingo"))


def _next(name: str, study: Path, *rest: str, overrides: list[str] | None) -> str:
    """The command that comes next, with the same `--set`, but for a password in one."""
    from search.study.storage import shown

    return command_line(name, study, *rest, overrides=[shown(override) for override in overrides or ()])


def _one_thread() -> None:
    """Before NumPy is loaded: on matrices this small further threads only wait, at full load, for each other."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def _study(path: Path, overrides: list[str] | None) -> Any:
    from search.config.study_config import load

    return load(path, overrides or [])


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the command line: every failure ends in its exit status; a traceback is for --verbose alone."""
    try:
        status = _status(arguments)
    except Exception as problem:
        status = 1
        complain_of_a_bug(problem)
    sys.exit(status)


def _forward(given: list[str]) -> list[str]:
    """The options that every command takes before it, wherever they stand."""
    options = given[: given.index("--")] if "--" in given else given
    moved = [option for option in ANYWHERE if option in options]
    return [*moved, *(word for place, word in enumerate(given) if word not in moved or place >= len(options))]


def _begin(command: str, what: object) -> None:
    """A line at once for who waits at a terminal: loading the libraries takes seconds on some machines."""
    if sys.stderr.isatty():
        remark(f"{command}: {what}")


def _status(arguments: list[str] | None) -> int:
    given = _forward(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")  # a terminal of few letters still gets its table
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
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if result == INTERRUPTED:  # typer turns Ctrl-C inside a command into this status without a word
        complain("interrupted; what was finished is kept", "run the same command again to continue")
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    main()
