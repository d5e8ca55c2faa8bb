"""What the dashboard says beside optuna-dashboard's own pages: notes on the study and its trials, figures, a few words.

Notes lie in the storage beside the trials, and what a reader adds below our text is kept. Figures and words are shown
alone, see `search.dashboard.view`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import ModuleType

import optuna

from search.dashboard.view import IN, REFUSED, StudyAbout
from search.pages.canvas import Plot
from search.pages.templates import plain, quoted
from search.report.html_report import ReportFacts
from search.results.words import join_names, percent, points
from search.study.next_command import study_command
from search.study.study import Study
from search.study.trial import Trial
from search.terminal import Advance
from selector.errors import InputError

YOURS = "*Written by Realingo from the study. What you add below this line is kept.*"
SHOWN = 5  # best and worst languages named in a note
AT_FIRST = 20  # trials, the best, whose notes are written before the page is there
BUILT_IN = ("progress", "front")  # figures that optuna-dashboard draws itself, as History and Pareto Front
MAPS = ("world", "typology")  # figures with a scale of colours
IMPORTANCE = (
    "how well a language tells the best tenth of the trials from the others, not whether it helps or harms: "
    "the figure with intervals says that"
)
READING = (
    "Each trial realigns the encoder on one subset of languages and scores it on languages that the search may see. "
    f"A parameter is a language of the pool, `{IN}` where the subset holds it. The note of a trial names its subset. "
    f"*Hyperparameter Importance* says {IMPORTANCE}. Single scores are noisy: trust what is confirmed."
)


def about(story: ReportFacts) -> StudyAbout:
    """The texts and figures of the study beside its notes."""
    found = story.verdict
    take = join_names([each.name for each in story.chosen], most=100) if found.row is not None else ""
    words = {
        "which trial to take": found.trials,
        "confirmed languages": take,
        "confirmed score": f"{percent(found.row.mean)} %: {found.gains}" if found.row is not None else "",
        "hyperparameter importance": IMPORTANCE,
        "next": "" if found.row is not None else study_command(story.config, "confirm"),
        "to change something": REFUSED,
    }
    figures = {plot.name: _fitted(plot) for plot in story.plots.values() if plot.name not in BUILT_IN}
    return StudyAbout(found.highest, {name: text for name, text in words.items() if text}, figures)


def _fitted(plot: Plot) -> str:
    """The figure as JSON, with its title and the names of its axes inside its card, which has half the page."""
    figure = plot.titled()
    figure.update_layout(width=None, autosize=True, margin_r=45)
    figure.update_layout(title={"y": 0.97, "yref": "container", "pad": {"t": 0}, "font": {"size": 13}})
    figure.update_xaxes(title_font_size=11, tickfont_size=11, tickangle=0, nticks=4)
    if plot.name in MAPS:
        figure.update_layout(
            title_text=f"{figure.layout.title.text}<br>the stronger the colour, the farther from the chosen"
        )
    return str(figure.to_json())


def annotate(
    study: Study, story: ReportFacts, advance: Advance = lambda what, done, total: None, most: int | None = None
) -> None:
    """Write the notes of a study into its storage; what already says the same is left alone.

    Notes of `most` trials, the best (None: of all). `advance` hears of each before it is written: the first time a note
    costs several writes, some 50 ms on SQLite.
    """
    board = installed()
    sampler = optuna.samplers.RandomSampler(0)  # never asked
    handle = optuna.load_study(study_name=study.name, storage=study.storage, sampler=sampler)
    kept = _Kept(study.storage.get_study_system_attrs(handle._study_id))
    if note := kept.changed(None, study_note(story)):
        board.save_note(handle, note)
    names = {each.code: each.name for each in (*story.config.pool, *story.config.tune)}
    trials = sorted(finished(study), key=lambda trial: -(trial.value or 0.0))[:most]
    for done, trial in enumerate(trials):
        advance("notes", done, len(trials))
        if done and done % AT_FIRST == 0:  # somebody may be writing one
            kept = _Kept(study.storage.get_study_system_attrs(handle._study_id))
        key = study.storage.get_trial_id_from_study_id_trial_number(handle._study_id, trial.number)
        if note := kept.changed(key, trial_note(trial, names)):
            board.save_note(optuna.trial.Trial(handle, key), note)
    advance("notes", len(trials), len(trials))


class _Kept:
    """What the storage holds already, read for many trials: the public functions read it again for each."""

    def __init__(self, attributes: Mapping[str, object]) -> None:
        from optuna_dashboard import _note

        self._attributes = attributes
        self._read = _note.get_note_from_system_attrs

    def changed(self, key: int | None, body: str) -> str | None:
        """The note of a trial (None: of the study) with our part renewed above the reader's own.

        None where it is as it should be, or where our marker is gone: then the note is the reader's alone.
        """
        before = self._read(self._attributes, key)["body"]
        _, marker, theirs = before.partition(YOURS)
        if before and not marker:
            return None
        after = f"{body}\n\n{YOURS}{theirs}"
        return after if after != before else None


def study_note(story: ReportFacts) -> str:
    """The headline, the comparisons, and how to read the dashboard, in Markdown."""
    against = [
        f"- against {each.against}: **{points(each.difference)}** ({each.details}; {each.verdict})"
        for each in story.verdict.comparisons
    ]
    confirm = quoted(study_command(story.config, "confirm"))
    status = (
        "Confirmed on fresh seeds and test splits:"
        if story.confirmation is not None
        else f"Not confirmed yet: run {confirm} for fresh seeds and baselines."
    )
    warning = [f"**{plain(story.unlearned)}.**", ""] if story.unlearned else []
    head = (f"## {plain(story.headline)}", "", *warning, plain(story.verdict.trials), "", status, "", *against)
    return "\n".join((*head, "", "### How to read this", "", READING))


def trial_note(trial: Trial, names: Mapping[str, str]) -> str:
    """The languages that a trial realigned on, its score, and where it did well and badly, in Markdown."""
    who = [f"{plain(each.name)} (`{each.code}`)" for each in trial.subset]
    order = sorted(trial.per_language, key=lambda code: (-trial.per_language[code], code))

    def format_scores(codes: Iterable[str]) -> str:
        return ", ".join(f"{plain(names.get(code, code))} {percent(trial.per_language[code])}" for code in codes)

    lines = [
        f"## {percent(trial.value or 0)} % · {len(trial.subset)} languages",
        f"**Realigned on:** {join_names(who, most=100)}",
        f"**Proposed by:** {plain(trial.origin)}",
        f"**Best transfer, %:** {format_scores(order[:SHOWN])}" if order else "",
        f"**Worst transfer, %:** {format_scores(order[: -SHOWN - 1 : -1])}" if len(order) > SHOWN else "",
        f"Signature {quoted(trial.signature)}, {trial.seconds:.1f} s" if trial.signature else "",
    ]
    return "\n\n".join(line for line in lines if line)


def finished(study: Study) -> list[Trial]:
    """The trials that are complete."""
    return [trial for trial in study.trials() if trial.state == "complete"]


def installed() -> ModuleType:
    """The module optuna_dashboard; InputError where it is not installed."""
    try:
        import optuna_dashboard
    except ImportError:
        raise InputError(
            "optuna-dashboard is not installed", "install it with: pip install 'realingo[dashboard]'"
        ) from None
    return optuna_dashboard
