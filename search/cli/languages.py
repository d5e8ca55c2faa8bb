"""Commands about languages, and the one that writes a study file: nothing is measured."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli.options import INTERRUPTED, Json, announce, use_one_thread
from search.terminal import command_line, emit, remark

if TYPE_CHECKING:
    from search.commands.select_request import Request


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
    use_one_thread()
    from search.commands import languages as choose

    emit(choose.measure(codes, metric, least_overlap), as_json, choose.render_distances)


def select(
    pool: Annotated[str, typer.Option(help="Codes, a file of codes, or a named pool.")],
    k: Annotated[int | None, typer.Option("-k", help="How many languages to choose.")] = None,
    strategy: Annotated[str, typer.Option(help="How to choose.")] = "facility",
    metric: Annotated[str, typer.Option(help="A metric, a weighted mix, or FILE.csv.")] = "syntactic",
    source: Annotated[str, typer.Option(help="The language of fine-tuning; never chosen.")] = "eng",
    include: Annotated[str, typer.Option(help="Codes that must be chosen, comma-separated.")] = "",
    exclude: Annotated[str, typer.Option(help="Codes that must not be chosen, comma-separated.")] = "",
    targets: Annotated[str | None, typer.Option(help="Languages to serve; the pool if not given.")] = None,
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
    count_source: Annotated[bool | None, typer.Option(help="Whether the source counts as already chosen.")] = None,
    task: Annotated[str | None, typer.Option(help="Of predicted: pos, ner, xnli, americasnli, or another.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Of predicted: the encoder, xlm-roberta-base if none.")] = None,
    subset: Annotated[str | None, typer.Option(help="Measure these languages instead of choosing.")] = None,
    rank: Annotated[bool, typer.Option(help="What each language adds after those included, in greedy order.")] = False,
    compare: Annotated[bool, typer.Option(help="All strategies side by side.")] = False,
    parity: Annotated[
        str | None, typer.Option(metavar="typdiv", help="max-sum and max-min exactly as typdiv-sampling does them.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Seconds that an exact strategy may take.")] = 20.0,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png|FILE.html", help="Draw the pool with the chosen marked.")
    ] = None,
    view: Annotated[str | None, typer.Option(help="What to draw: typology (the default) or world.")] = None,
    as_json: Json = False,
) -> None:
    """Choose languages without measuring."""
    options = locals()
    announce("select", pool)
    use_one_thread()
    from search.commands import select as selecting
    from search.commands import select_request

    request = select_request.Request.of(options)
    mode = selecting.mode(request, compare, rank)
    emit(selecting.run(mode, request, plot, view), as_json, mode.show)
    if not as_json:
        _tell_next(request)


def _tell_next(request: Request) -> None:
    """The command that comes next, and what of the request has to be written into a study by hand."""
    limits = {
        "include": request.include,
        "exclude": request.exclude,
        "quota": request.quotas,
        "costs": request.costs,
        "budget": request.budget,
    }
    if request.subset is None and (demands := [name for name, value in limits.items() if value]):
        remark(f"a study has {', '.join(demands)} in [pool] of its file: write them there before the search")
    remark(f"next: {_after_selection(request)}")


SETS = {"pos": "udpos", "ner": "wikiann", "xnli": "xnli"}  # task of predicted → a data set to measure it on


def _after_selection(request: Request) -> str:
    """The command that comes next: a study that measures which subset is best, or what a strategy would choose."""
    from search.commands.select_request import listed
    from search.starting.init import InitRequest, is_possible
    from selector.languages.language import parse, parse_pool

    source = None if request.source == "eng" else request.source
    if request.subset is not None:
        size = str(len(set(listed(request.subset))))
        return command_line("select", "--pool", request.pool, "-k", size, *_options({"--source": source}))
    names = chain(["study"], (f"study-{number}" for number in count(2)))
    file = next(file for name in names if not (file := Path(f"{name}.toml")).exists())
    given = InitRequest(pool=request.pool, k=request.k, source=source)
    if source or not {*parse_pool(request.pool)} <= {*parse_pool("world"), parse("eng")}:  # its tasks are in English
        given = replace(
            given, model=request.encoder, parallel="opus-100", task=SETS.get(request.task or "pos", "udpos")
        )
    if not is_possible(given, file):
        return command_line("languages", "--pool", request.pool)
    words = {f"--{name}": getattr(given, name) for name in ("model", "parallel", "task", "pool", "source")}
    return command_line("init", "-o", file, *_options({**words, "-k": given.k}))


def _options(given: Mapping[str, object]) -> list[str]:
    """The options that have a value, as words."""
    return [word for name, value in given.items() if value is not None for word in (name, str(value))]


def init(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="STUDY.toml", help="The file to write.")] = Path(
        "study.toml"
    ),
    folder: Annotated[
        Path | None, typer.Option("--from-folder", metavar="DIR", help="Look at the files in this folder and use them.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A folder, a model of the hub, world, or fake (a rehearsal).")
    ] = None,
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

    request = starting.InitRequest(folder, model, parallel, task, pool, size, source)
    starting.check_place(output, yes)
    if request.empty and not yes and not as_json and sys.stdin.isatty():
        try:
            request = questions.ask(lambda text, default: str(typer.prompt(text, default, show_default=bool(default))))
        except (KeyboardInterrupt, typer.Abort):
            typer.echo("\nnothing was written; 'realingo init' asks again", err=True)
            raise SystemExit(INTERRUPTED) from None  # the line is out, and no run is to be continued
    emit(starting.init(output, request, yes), as_json, starting.render_init)
