"""The report: one self-contained HTML file that a newcomer can read and nobody needs a network for.

study + confirm.json → `gather` → `Story` → template → file. The dashboard tells the same story.
"""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from realign.cache import write_text
from search.config.study_config import StudyConfig
from search.confirmation import recommend
from search.confirmation.comparison import check_schema
from search.report import canvas, findings, plots
from search.report.canvas import Plot
from search.report.findings import Comparison, Row, Shot
from search.report.plots import Ground, Names
from search.study.provenance import versions
from search.study.storage import shown
from search.study.study import Study, open_study
from search.study.trial import Trial
from search.surrogate.importance import Effect
from selector.errors import InputError
from selector.languages.language import Language

TOP = 20  # subsets in the table
RENAMED = {"best": "Best found", "all": "All languages", "none": "No realignment"}


@dataclass(frozen=True)
class Story:
    """Everything there is to tell about a study, in the order it is told."""

    config: StudyConfig
    headline: str
    chosen: tuple[Language, ...]  # the best confirmed subset, else the best so far
    confirmed: bool
    overtaken: int | None  # number of a trial that is ahead since the confirmation
    luck: Mapping[str, Any] | None  # search score of the best against the same on fresh seeds
    comparisons: Sequence[Comparison]
    rows: Sequence[Row]  # of confirm.json
    labels: Mapping[str, str]  # name of a row → how it is called
    plots: Mapping[str, Plot]
    table: Sequence[tuple[Trial, str]]  # the best trials with the names of their languages
    facts: Sequence[tuple[str, str]]


def write(config: StudyConfig, output: Path | None) -> str:
    """Write the report (default: report.html in the study's folder) and answer its path.

    InputError where the study does not exist, has no finished trial, or the path cannot be written.
    """
    text = page(config)
    path = Path(output) if output is not None else config.folder / "report.html"
    if output is not None and not path.parent.is_dir():
        raise _unwritable(path, "its folder does not exist")
    try:
        write_text(path, text)
    except OSError as problem:
        raise _unwritable(path, problem.strerror or str(problem)) from None
    return str(path)


def page(config: StudyConfig) -> str:
    """The report of a study as HTML. InputError where the study does not exist or has no finished trial."""
    story = gather(config, open_study(config, create=False))
    if not story.table:
        message = f"study '{config.name}' has no finished trial to report"
        raise InputError(message, "run 'realingo search STUDY.toml' first")
    return render(story)


def gather(config: StudyConfig, study: Study) -> Story:
    """Read the study and its confirmation, if there is one, and work out what they say."""
    done = [trial for trial in study.trials() if trial.state == "complete" and study.counts(trial)]
    shots = [Shot(t.number, float(t.value or 0), t.subset.codes, t.origin, t.cost) for t in done]
    names = {each.code: each.name for each in (*config.pool, *config.tune, *config.held_out, config.core.source)}
    proof = confirmation(config)
    rows = proof.get("rows", [])
    chosen, top = findings.row(rows, "best"), findings.best(shots)
    codes = tuple(chosen["languages"]) if chosen else top.codes if top else ()
    labels = {row["name"]: _called(row["name"], len(codes)) for row in rows}
    reading = recommend.Reading(config, study)
    latest, (effects, _) = reading.top(), reading.effects()
    return Story(
        config=config,
        headline=findings.headline(chosen, names, top),
        chosen=tuple(each for each in config.pool if each.code in codes),
        confirmed=chosen is not None,
        overtaken=latest[0].number if chosen and latest and set(latest[0].subset.codes) != set(codes) else None,
        luck=proof.get("luck"),
        comparisons=findings.comparisons(chosen) if chosen else (),
        rows=rows,
        labels=labels,
        plots={plot.name: plot for plot in _plots(config, shots, rows, names, labels, effects)},
        table=[(trial, findings.joined([each.name for each in trial.subset], most=100)) for trial in study.best(TOP)],
        facts=_facts(config, study, proof),
    )


def confirmation(config: StudyConfig) -> dict[str, Any]:
    """What confirm.json holds; empty before the first confirmation. InputError for a file that is not one."""
    path = config.folder / "confirm.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if all({"name", "languages", "mean", "ci95"} <= set(row) for row in document["rows"]):
            check_schema(document, path)
            return dict(document)
        reason = "a row lacks its name, languages, mean or ci95"
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as problem:
        reason = str(problem)
    raise InputError(f"{path} cannot be read: {reason}", "write it again with 'realingo confirm STUDY.toml'")


def render(story: Story) -> str:
    """The whole page. Everything but our own figures is escaped."""
    drawn = {name: (plot, Markup(plot.fragment())) for name, plot in story.plots.items()}
    return _pages().get_template("report.html.j2").render(story=story, plots=drawn, library=Markup(canvas.library()))


@cache
def _pages() -> Environment:
    pages = Environment(
        loader=PackageLoader("search"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters.update(percent=lambda value: f"{100 * value:.1f}", points=findings.points)
    return pages


def _plots(
    config: StudyConfig,
    shots: Sequence[Shot],
    rows: Sequence[Row],
    names: Names,
    labels: Names,
    effects: Sequence[Effect],
) -> list[Plot]:
    """The figures there is data for."""
    top, chosen = findings.best(shots), findings.row(rows, "best")
    if top is None:
        return []
    members = chosen["languages"] if chosen else top.codes
    drawn = [plots.progress(shots, names)]
    if config.search.objectives:
        drawn.append(plots.front(shots, names, "languages" if config.costs is None else "unit of the costs file"))
    if chosen:
        drawn.append(plots.confirmed(rows, labels))
        if (chosen.get("vs_none") or {}).get("non_members"):
            drawn.append(plots.spill(rows, labels))
        drawn += _gains(config, rows, names, members)
    if effects:
        drawn.append(plots.importance(effects, names))
    return drawn + _grounds(config, names, members)


def _gains(config: StudyConfig, rows: Sequence[Row], names: Names, members: Sequence[str]) -> list[Plot]:
    """Language by language, where the confirmation kept the scores of each."""
    told = {each.code for each in (*config.tune, *config.held_out)}
    table = {
        row["name"]: {code: value for code, value in row["per_language"].items() if code in told}
        for row in rows
        if row["name"] in ("best", "none", "all") and row.get("per_language")
    }
    apart = {each.code: f"{each.name} (held out)" for each in config.held_out}
    return [plots.gains(table, {**names, **apart}, members)] if {"best", "none"} <= set(table) else []


def _grounds(config: StudyConfig, names: Names, members: Sequence[str]) -> list[Plot]:
    """The pool on the globe and in the space of grammars."""
    from selector.distances import distance
    from selector.sources import features

    shown_here = (*config.pool, *config.held_out, config.core.source)
    marks = {config.core.source.code: "source", **{each.code: "held out" for each in config.held_out}}
    where = features.coordinates(shown_here)  # (n, 3), unit vectors
    east, north = np.degrees(np.arctan2(where[:, 1], where[:, 0])), np.degrees(np.arcsin(np.clip(where[:, 2], -1, 1)))
    spots = {
        each.code: (float(x), float(y)) for each, x, y in zip(shown_here, east, north, strict=True) if np.isfinite(x)
    }
    flat = findings.unfold(distance.distances(shown_here, "syntactic").matrix)  # (n, 2)
    grammar = {each.code: (float(x), float(y)) for each, (x, y) in zip(shown_here, flat, strict=True)}
    return [
        plots.world_map(Ground(spots, names, members, marks)),
        plots.typology(Ground(grammar, names, members, marks)),
    ]


def _called(name: str, k: int) -> str:
    """The name of a confirmed row in words."""
    place = name.removeprefix("best-")
    if place.isdigit():
        return f"Search score no. {place}"
    if name.startswith("random-"):
        return f"Random {k if name == 'random-k' else name.removeprefix('random-')} languages"
    return RENAMED.get(name) or f"Unmeasured choice: {name}"


def _facts(config: StudyConfig, study: Study, proof: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What it takes to know which study this was, and to repeat it."""
    trials, best = study.trials(), study.best()
    states = Counter(trial.state for trial in trials)
    low, high = config.sizes
    base = config.core.model.base
    used = ", ".join(f"{name} {number}" for name, number in proof.get("versions", versions()).items())
    seeds = proof.get("seeds", [])
    return [
        ("Study file", config.path.name),
        ("Storage", shown(config.search.storage or f"sqlite:///{config.name}.db")),
        ("Trials", ", ".join(f"{states[state]} {state}" for state in ("complete", "failed", "running"))),
        ("Time in trials", f"{sum(trial.seconds for trial in trials):.0f} s"),
        ("Pool", f"{len(config.pool)} languages; subsets of {low}" + (f" to {high}" if high > low else "")),
        ("Source language", config.core.source.name),
        ("Held out", findings.joined([each.name for each in config.held_out], most=100) if config.held_out else "none"),
        ("Encoder", base if isinstance(base, str) else f"{base.kind}: a closed form, no encoder was trained"),
        ("Task", f"{config.core.task.kind}, scored by {config.core.task.metric}"),
        (
            "Realignment",
            f"{config.core.realign.loss} loss, {config.core.realign.steps} steps of {config.core.realign.batch} pairs",
        ),
        ("Search", f"{config.search.strategy}, objective {config.search.score}, seed {config.seed}"),
        ("Confirmation", f"{len(seeds)} fresh seeds; {proof.get('method', '')}" if seeds else "not yet"),
        ("Signature of the best trial", best[0].signature if best else ""),
        ("Versions", f"Python {platform.python_version()}, {used}"),
        ("Written", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
    ]


def _unwritable(path: Path, reason: str) -> InputError:
    return InputError(f"cannot write {path}: {reason}", "name a file in a folder that exists and is writable")
