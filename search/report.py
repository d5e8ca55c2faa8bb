"""The report: one self-contained HTML file that a newcomer can read and nobody needs a network for.

study + confirm.json → `gather` → `Story` → template → file. The dashboard tells the same story.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from search import figures, findings
from search.config import StudyConfig
from search.figures import Ground, Plot
from search.findings import Comparison, Row, Shot
from search.study import Study, Trial, open_study, shown
from selector.errors import InputError
from selector.language import Language

TOP = 20  # subsets in the table
PACKAGES = ("realingo", "optuna", "torch", "transformers", "numpy", "lang2vec")
RENAMED = {"best": "Best found", "all": "All languages", "none": "No realignment"}


@dataclass(frozen=True)
class Story:
    """Everything there is to tell about a study, in the order it is told."""

    config: StudyConfig
    headline: str
    chosen: tuple[Language, ...]  # the best confirmed subset, else the best so far
    confirmed: bool
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
    story = gather(config, open_study(config, create=False))
    if not story.table:
        raise InputError(
            f"study '{config.name}' has no finished trial to report", "run 'realingo search STUDY.toml' first"
        )
    path = Path(output) if output is not None else config.folder / "report.html"
    if output is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, render(story))
    return str(path)


def gather(config: StudyConfig, study: Study) -> Story:
    """Read the study and its confirmation, if there is one, and work out what they say."""
    trials = [trial for trial in study.trials() if trial.state == "complete" and trial.value is not None]
    low, high = config.sizes
    sized = [trial for trial in trials if low <= len(trial.subset) <= high]
    shots = [Shot(trial.number, float(trial.value or 0), trial.subset.codes, trial.origin) for trial in sized]
    names = {each.code: each.name for each in (*config.pool, *config.tune, *config.held_out, config.source)}
    rows = confirmation(config)
    chosen, top = findings.row(rows, "best"), findings.best(shots)
    codes = tuple(chosen["languages"]) if chosen else top.codes if top else ()
    labels = {row["name"]: _called(row["name"], len(codes)) for row in rows}
    table = sorted(sized, key=lambda trial: (-(trial.value or 0), trial.number))[:TOP]
    return Story(
        config=config,
        headline=findings.headline(chosen, names, top),
        chosen=tuple(each for each in config.pool if each.code in codes),
        confirmed=chosen is not None,
        comparisons=findings.comparisons(chosen) if chosen else (),
        rows=rows,
        labels=labels,
        plots={plot.name: plot for plot in _plots(config, shots, rows, names, labels)},
        table=[(trial, findings.joined([each.name for each in trial.subset], most=100)) for trial in table],
        facts=_facts(config, study, trials),
    )


def confirmation(config: StudyConfig) -> list[Row]:
    """The rows of confirm.json; empty before the first confirmation. InputError for a file that is not one."""
    path = config.folder / "confirm.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        rows = list(document["rows"])
        known = all({"name", "languages", "mean", "ci95"} <= set(row) for row in rows)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise _damaged(path, str(problem)) from None
    if not known:
        raise _damaged(path, "a row lacks its name, languages, mean or ci95")
    return rows


def render(story: Story) -> str:
    """The whole page. Everything but our own figures is escaped."""
    plots = {name: (plot, Markup(plot.fragment())) for name, plot in story.plots.items()}
    return _pages().get_template("report.html.j2").render(story=story, plots=plots, library=Markup(figures.library()))


@cache
def _pages() -> Environment:
    pages = Environment(
        loader=PackageLoader("search"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters.update(percent=lambda value: f"{100 * value:.1f}", points=findings.points)
    return pages


def _plots(
    config: StudyConfig, shots: Sequence[Shot], rows: Sequence[Row], names: Mapping[str, str], labels: Mapping[str, str]
) -> list[Plot]:
    """The figures there is data for."""
    if not shots:
        return []
    plots = [figures.progress(shots, names)]
    chosen, none = findings.row(rows, "best"), findings.row(rows, "none")
    top = findings.best(shots)
    members = chosen["languages"] if chosen else top.codes if top else ()
    if chosen:
        plots.append(figures.confirmed(rows, labels, _groups(rows)))
    if chosen and none and chosen.get("per_language") and none.get("per_language"):
        table = {name: row["per_language"] for name in ("best", "none", "all") if (row := findings.row(rows, name))}
        plots.append(figures.gains(table, names, members))
    if effects := findings.effects(shots, [each.code for each in config.pool]):
        plots.append(figures.importance(effects, names))
    return plots + _grounds(config, names, members)


def _groups(rows: Sequence[Row]) -> dict[str, str]:
    """Which groups of languages the rows report beside the mean over all, with their headings."""
    known = {"members": "Inside the subset", "non_members": "Outside the subset", "held_out": "Held-out languages"}
    given = {key: heading for key, heading in known.items() if any((row.get(key) or {}).get("ci95") for row in rows)}
    return {"": "Target languages", **given}


def _grounds(config: StudyConfig, names: Mapping[str, str], members: Sequence[str]) -> list[Plot]:
    """The pool on the globe and in the space of grammars."""
    from selector import distance, features

    shown_here = (*config.pool, *config.held_out, config.source)
    marks = {config.source.code: "source", **{each.code: "held out" for each in config.held_out}}
    where = features.coordinates(shown_here)  # (n, 3), unit vectors
    east, north = np.degrees(np.arctan2(where[:, 1], where[:, 0])), np.degrees(np.arcsin(np.clip(where[:, 2], -1, 1)))
    spots = {
        each.code: (float(x), float(y)) for each, x, y in zip(shown_here, east, north, strict=True) if np.isfinite(x)
    }
    flat = findings.unfold(distance.distances(shown_here, "syntactic").matrix)  # (n, 2)
    grammar = {each.code: (float(x), float(y)) for each, (x, y) in zip(shown_here, flat, strict=True)}
    return [
        figures.world_map(Ground(spots, names, members, marks)),
        figures.typology(Ground(grammar, names, members, marks)),
    ]


def _called(name: str, k: int) -> str:
    if name.startswith("random"):
        return f"Random {k} languages"
    return RENAMED.get(name, f"Model-free: {name}" if "-" in name or name in ("facility", "coverage") else name)


def _facts(config: StudyConfig, study: Study, trials: Sequence[Trial]) -> list[tuple[str, str]]:
    """What it takes to know which study this was, and to repeat it."""
    states = [trial.state for trial in study.trials()]
    count = ", ".join(f"{states.count(state)} {state}" for state in ("complete", "failed", "running"))
    low, high = config.sizes
    base = config.model.base
    return [
        ("Study file", config.path.name),
        ("Storage", shown(config.search.storage or f"sqlite:///{config.name}.db")),
        ("Trials", count),
        ("Time in trials", f"{sum(trial.seconds for trial in trials):.0f} s"),
        ("Pool", f"{len(config.pool)} languages; subsets of {low}" + (f" to {high}" if high > low else "")),
        ("Source language", config.source.name),
        ("Held out", findings.joined([each.name for each in config.held_out], most=100) if config.held_out else "none"),
        ("Encoder", base if isinstance(base, str) else f"{base.kind}: a closed form, no encoder was trained"),
        ("Task", config.task.kind),
        ("Realignment", f"{config.realign.loss} loss, {config.realign.steps} steps of {config.realign.batch} pairs"),
        ("Search", f"{config.search.strategy}, objective {config.search.objective}, seed {config.seed}"),
        ("Signature of the best trial", max(trials, key=lambda t: t.value or 0).signature if trials else ""),
        ("Versions now", f"Python {platform.python_version()}, {', '.join(_versions())}"),
        ("Written", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
    ]


def _versions() -> list[str]:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return found


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(f"{path} cannot be read: {reason}", "write it again with 'realingo confirm STUDY.toml'")


def _replace(path: Path, text: str) -> None:
    """Write the whole file or nothing."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False
        ) as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(stream.name, 0o644)
        os.replace(stream.name, path)
    except OSError as problem:
        raise InputError(
            f"cannot write {path}: {problem.strerror or problem}", "name a file in a folder that exists and is writable"
        ) from None
