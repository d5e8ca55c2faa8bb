"""Commands that make and judge encoders, and those that look at the machine and at Realingo itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli.options import Json, Overrides, Public, Push, announce, check_destination, load_study, push_result
from search.terminal import command_line, emit
from selector.errors import InputError

if TYPE_CHECKING:
    from search.results.realigned_model import RealignedModel


def realign(
    given: Annotated[Path, typer.Argument(metavar="DIR_OR_TOML", help="An export, or a TOML file with its keys.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="MODEL_DIR", help="A new or empty folder.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the last checkpoint, if there is one.")
    ] = False,
    every: Annotated[
        float, typer.Option(metavar="MINUTES", help="Time between two checkpoints; --merge has none.")
    ] = 10.0,
    sentences: Annotated[
        bool,
        typer.Option(
            "--sentence-transformers",
            help="Also the files that sentence-transformers loads; always with a retrieval task.",
        ),
    ] = False,
    merge: Annotated[
        bool,
        typer.Option(
            "--merge",
            help="Realign on each language alone and merge the changes, as [merging] of the file says. What the search "
            "or an earlier merge trained is in the cache and is not trained again.",
        ),
    ] = False,
    push: Push = None,
    public: Public = False,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Realign at full fidelity: an encoder that transformers loads, with its model card."""
    announce("realign", given)
    from search.commands import realign as production
    from search.export import merged_encoder, model_card

    if merge and resume:
        hint = "leave --resume out: language vectors that are finished are in the cache and are not trained again"
        raise InputError("--resume goes on from a checkpoint, and --merge has none", hint)
    place = check_destination(push, public)
    where = place.repository if place else ""
    if merge:
        made = merged_encoder.merge(given, output, overrides or [], sentences, where)
    else:
        made = production.realign(given, output, resume, every, overrides or [], sentences, where)
    emit(push_result(made, place), as_json, model_card.summary, _evaluation(given, output, made))


def _evaluation(given: Path, output: Path, made: RealignedModel) -> str:
    """The command that scores the encoder under the study that chose its languages, or begins a study to score it."""
    own = Path(f"{output}-study.toml")
    places = [folder / made.chosen.study for folder in (given.parent, given / "..", Path())] if made.chosen else []
    for study in (*places, own):
        if study.is_file():
            return command_line("evaluate", output, "--study", study)
    model = [] if made.base.model == "world" else ["--model", made.path]
    return command_line("init", "-o", own, *model)


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
    announce("evaluate", model)
    from search.commands import evaluate as evaluating

    wanted = evaluating.EvaluationRequest(model, against, split, seeds, workers)
    emit(evaluating.evaluate(load_study(study, overrides), wanted), as_json, evaluating.render)


def doctor(
    study: Annotated[
        Path | None, typer.Argument(metavar="[STUDY.toml]", help="Also what this study needs, by one short trial.")
    ] = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Show what works here: versions, devices, caches, storages, the hub; with a way out of what does not."""
    announce("doctor", "looking at this machine")
    from search.commands import doctor as examination

    found = examination.examine(None if study is None else load_study(study, overrides))
    emit(found, as_json, examination.render)
    if not found.ok:
        raise typer.Exit(1)


def pretrain(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="What to train on, and how large.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="MODEL_DIR")],
) -> None:
    """Train a small multilingual encoder from text."""
    announce("pretrain", config)
    from search.commands import pretrain as pretraining

    pretraining.run(config, output)


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
    announce("bench", name)
    from search.bench import benchmarks as benches

    if name == "search":
        document = benches.run_search(table, problem, strategies, repetitions, batch, workers)
        emit(document, as_json, benches.render)
    elif results or subsets or codes:
        emit(benches.run_table(name, results, subsets, codes), as_json, benches.render)
    else:
        emit(benches.run(name, seeds, workers), as_json, benches.render)
