"""The report: one self-contained HTML file that a newcomer can read and nobody needs a network for.

study + confirm.json → `gather` → `ReportFacts` → template → file. The dashboard shows the same facts. No script:
figures are drawn here, and the table of languages is saved from a link that holds it.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from realign.cache import write_text
from realign.score import mean_source_score
from search.config.study_config import StudyConfig
from search.confirmation.confirm_file import ConfirmationFile
from search.confirmation.recommend import Recommender
from search.confirmation.verdict import Verdict, luck_in_words, verdict
from search.pages import atlas, map_html
from search.pages.canvas import Plot
from search.pages.templates import fill_template
from search.report import costs, findings, plots
from search.report.costs import Step
from search.report.findings import CompleteTrial
from search.report.language_table import LanguageRow, as_csv, as_link, language_rows, losses
from search.report.plots import Names
from search.results.confirmation import Confirmation, ConfirmedRow
from search.results.convergence import convergence_remark
from search.results.effects import Explanation, PairEffect
from search.results.words import join_names
from search.study.next_command import study_command
from search.study.provenance import versions
from search.study.storage import redact_url
from search.study.study import Study, open_study
from search.study.trial import Trial
from selector.errors import InputError, quantity
from selector.languages.language import Language
from selector.problem import pose

TOP = 20  # subsets in the table
RENAMED = {"best": "Best of the search", "all": "All languages", "none": "No realignment"}


@dataclass(frozen=True)
class ReportFacts:
    """Everything there is to tell about a study, in the order it is told."""

    config: StudyConfig
    verdict: Verdict
    headline: str
    chosen: tuple[Language, ...]  # the confirmed subset to take, else the best so far
    confirmation: Confirmation | None
    labels: Mapping[str, str]  # name of a confirmed row → how it is called
    plots: Mapping[str, Plot]
    table: Sequence[tuple[Trial, str]]  # the best trials with the names of their languages
    facts: Sequence[tuple[str, str]]
    unlearned: str = ""  # where fine-tuning has not converged: that, in one sentence
    languages: Sequence[LanguageRow] = ()  # language by language; empty before the confirmation
    pairs: Sequence[tuple[str, PairEffect]] = ()  # with the names of both
    pairs_finding: str = ""
    cost_finding: str = ""
    costs: Sequence[tuple[str, str]] = ()
    outlook: str = ""  # whether more trials would help; "" where that was not asked
    steps: Sequence[Step] = ()  # what to do next

    @property
    def confirm_command(self) -> str:
        return study_command(self.config, "confirm")

    @property
    def rows(self) -> Sequence[ConfirmedRow]:
        """The confirmed rows, each subset once; empty before the confirmation."""
        return self.confirmation.distinct if self.confirmation is not None else ()

    @property
    def losses(self) -> Sequence[str]:
        """The languages that score less than without realignment, beyond noise and within it."""
        return losses(self.languages)

    @property
    def csv(self) -> str:
        """The table of languages, as an address that a browser saves."""
        return as_link(as_csv(self.languages))

    @property
    def has_intervals(self) -> bool:
        """True if the confirmation holds an interval for each language."""
        return any(each.gain_ci95 is not None for each in self.languages)

    @property
    def luck(self) -> str:
        """The search's overstatement, in words; "" before the confirmation."""
        return luck_in_words(self.confirmation.luck) if self.confirmation is not None else ""


def write(config: StudyConfig, output: Path | None) -> str:
    """Write the report (default: report.html in the study's folder) and answer its path.

    InputError where the study does not exist, has no finished trial, or the path cannot be written or holds anything
    but a page: `-o study.toml` is a slip.
    """
    path = Path(output) if output is not None else config.folder / "report.html"
    if output is not None and not path.parent.is_dir():
        raise _unwritable(path, "its folder does not exist")
    if path.is_file() and path.suffix.lower() != ".html" and not _is_page(path):
        raise InputError(f"{path} is there and is no report", "name a new file, or a report that is to be replaced")
    text = page(config)
    try:
        write_text(path, text)
    except OSError as problem:
        raise _unwritable(path, problem.strerror or str(problem)) from None
    return str(path)


def page(config: StudyConfig) -> str:
    """The report of a study as HTML. InputError where the study does not exist or has no finished trial."""
    study = open_study(config, create=False)
    Recommender(study).check_any()
    return render(gather(config, study, with_outlook=True))


def gather(config: StudyConfig, study: Study, with_outlook: bool = False) -> ReportFacts:
    """Read the study and its confirmation, if there is one, and work out what they say.

    `with_outlook`: also whether more trials would help, which takes a moment in a large pool.
    """
    done = [trial for trial in study.trials() if trial.state == "complete" and study.counts(trial)]
    trials = [CompleteTrial(t.number, float(t.value or 0), t.subset.codes, t.origin, t.cost) for t in done]
    names = {each.code: each.name for each in (*config.pool, *config.tune, *config.held_out, config.core.source)}
    confirmation, recommender = ConfirmationFile(study).load(), Recommender(study)
    found = verdict(recommender, confirmation)
    labels = _labels(confirmation, len(found.languages)) if confirmation is not None else {}
    effects = recommender.effects()
    drawn, rows = _searched(config, trials, names, effects), list[LanguageRow]()
    if confirmation is not None and found.row is not None:
        rows = language_rows(config, confirmation, found.row)
        drawn += _confirmed(confirmation, found.row, labels, rows)
    drawn += _maps(config, found.languages) if found.languages else []
    unlearned = convergence_remark(mean_source_score(t.source_score for t in done), config.core.task.length_key)
    answer, left = costs.outlook(config, recommender) if with_outlook else ("", None)
    return ReportFacts(
        config=config,
        verdict=found,
        headline=found.title(names),
        chosen=tuple(each for each in config.pool if each.code in found.languages),
        confirmation=confirmation,
        labels=labels,
        plots={plot.name: plot for plot in drawn},
        table=[(trial, join_names([each.name for each in trial.subset], most=100)) for trial in study.best(TOP)],
        facts=_facts(config, study, confirmation),
        unlearned=unlearned,
        languages=rows,
        pairs=[(" + ".join(names.get(code, code) for code in pair.codes), pair) for pair in effects.pairs],
        pairs_finding=findings.pairs_finding(effects.pairs, names),
        cost_finding=costs.cost_finding(study.trials(), confirmation),
        costs=costs.cost_facts(config, study.trials(), confirmation),
        outlook=answer,
        steps=costs.next_steps(config, found, confirmation, len(done), left, not unlearned),
    )


def render(story: ReportFacts) -> str:
    """The whole page. Everything but our own figures is escaped."""
    drawn = {name: (plot, plot.fragment()) for name, plot in story.plots.items()}
    return fill_template("report.html.j2", story=story, plots=drawn)


def _searched(config: StudyConfig, trials: Sequence[CompleteTrial], names: Names, effects: Explanation) -> list[Plot]:
    """The figures of the search that there is data for."""
    if not trials:
        return []
    drawn = [plots.progress(trials, names)]
    if config.search.objectives:
        drawn.append(plots.front(trials, names, "languages" if config.costs is None else "unit of the costs file"))
    return [*drawn, plots.importance(effects.languages, names)] if effects.languages else drawn


def _confirmed(
    confirmation: Confirmation, chosen: ConfirmedRow, labels: Names, languages: Sequence[LanguageRow]
) -> list[Plot]:
    """The figures of the confirmation."""
    drawn = [plots.confirmed(confirmation.distinct, labels, chosen.name)]
    if chosen.vs_none is not None and chosen.vs_none.non_members is not None:
        drawn.append(plots.spill(confirmation.distinct, labels, chosen.name))
    return [*drawn, plots.gains(languages)] if languages else drawn


def _maps(config: StudyConfig, chosen: Sequence[str]) -> list[Plot]:
    """The pool, the source and the held-out languages on the globe and by their grammar."""
    frame = (*config.pool, *config.held_out)
    problem = pose(frame, max(1, len(chosen)), "syntactic", config.core.source)
    places = [i for i, language in enumerate(problem.frame) if language.code in chosen]
    titles = {
        "world": f"Where the chosen {len(places)} are spoken, among the {len(frame) + 1} languages of the study",
        "typology": "How the chosen languages spread over the grammars of the pool",
    }
    drawn = [atlas.atlas(problem, places, view, title, config.held_out) for view, title in titles.items()]
    return [map_html.figure(each, each.view, map_html.WIDTH["report"]) for each in drawn]


def _labels(confirmation: Confirmation, k: int) -> dict[str, str]:
    """Names of confirmed rows in words; one that has further names tells them."""
    found = {}
    for row in confirmation.distinct:
        others = confirmation.other_names(row)
        found[row.name] = _called(row.name, k) + (f" (also {', '.join(others)})" if others else "")
    return found


def _called(name: str, k: int) -> str:
    """The name of a confirmed row in words."""
    place = name.removeprefix("best-")
    if place.isdigit():
        return f"Choice no. {place} of the search"
    if name.startswith("random-"):
        return f"Random {k if name == 'random-k' else name.removeprefix('random-')} languages"
    return RENAMED.get(name) or f"Chosen without measuring: {name}"


def _facts(config: StudyConfig, study: Study, confirmation: Confirmation | None) -> list[tuple[str, str]]:
    """What it takes to know which study this was, and to repeat it."""
    best = study.best()
    low, high = config.sizes
    base = config.core.model.base
    installed = versions() if confirmation is None else confirmation.versions
    used = ", ".join(f"{name} {number}" for name, number in installed.items())
    confirmed = (
        "not yet"
        if confirmation is None
        else f"{quantity(len(confirmation.seeds), 'fresh seed')}; {confirmation.method}"
    )
    return [
        ("Study file", config.path.name),
        ("Storage", redact_url(config.search.storage or f"sqlite:///{config.name}.db")),
        ("Pool", f"{len(config.pool)} languages; subsets of {low}" + (f" to {high}" if high > low else "")),
        ("Source language", config.core.source.name),
        ("Held out", join_names([each.name for each in config.held_out], most=100) if config.held_out else "none"),
        ("Encoder", base if isinstance(base, str) else f"{base.kind}: a closed form, no encoder was trained"),
        ("Task", f"{config.core.task.kind}, scored by {config.core.task.metric}"),
        (
            "Realignment",
            f"{config.core.realign.loss} loss, {config.core.realign.steps} steps of {config.core.realign.batch} pairs",
        ),
        ("Search", f"{config.search.strategy}, objective {config.search.score}, seed {config.seed}"),
        ("Confirmation", confirmed),
        ("Signature of the best trial", best[0].signature if best else ""),
        ("Versions", f"Python {platform.python_version()}, {used}"),
        ("Written", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
    ]


def _is_page(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(15).lower() in (b"", b"<!doctype html>")
    except OSError as problem:
        raise _unwritable(path, problem.strerror or str(problem)) from None


def _unwritable(path: Path, reason: str) -> InputError:
    return InputError(f"cannot write {path}: {reason}", "name a file in a folder that exists, is writable and has room")
