"""The README.md of an export: which subset, what it gains, on what data; the model's own card is `model_card`."""

from __future__ import annotations

from dataclasses import dataclass

from realign.core import FakeModel
from realign.data_sets import HubSet
from search.config.study_config import StudyConfig
from search.confirmation.significance import format_p
from search.confirmation.verdict import luck_in_words
from search.pages.templates import fill_template, plain, quoted
from search.results.confirmation import Confirmation, ConfirmedRow
from search.results.estimates import Difference
from search.results.exported_subset import ExportedSubset
from search.results.words import gain

AGAINST = {
    "vs_none": "no realignment",
    "vs_all": "all languages",
    "vs_random": "random of the same size",
}


@dataclass(frozen=True)
class Origins:
    """The sources of a study's data, in Markdown."""

    parallel: str
    tested: str  # what kind of data scores are made of
    task: str
    trained: str
    tuning: str


def render(config: StudyConfig, subset: ExportedSubset, confirmation: Confirmation) -> str:
    """The card as Markdown."""
    names = {language.code: language for language in (*config.pool, *config.tune, *config.held_out)}
    base = config.core.model.base
    encoder = f"{base.kind} (FAKE: no encoder was trained)" if isinstance(base, FakeModel) else quoted(base)
    return fill_template(
        "export_card.md.j2",
        config=config,
        subset=subset,
        score=subset.score,
        confirmation=confirmation,
        names=names,
        encoder=encoder,
        gains=gains(subset.score),
        worse=", ".join(names[code].name for code in subset.score.regressions) or "none",
        luck=luck_in_words(confirmation.luck),
        origins=_origins(config),
        merges=config.merges_vectors,
        versions=", ".join(f"{name} {number}" for name, number in subset.versions.items()),
    )


def gains(row: ConfirmedRow) -> list[tuple[str, str]]:
    """Over what, and the gain with its interval and p-value."""
    cells: dict[str, Difference | None] = {against: getattr(row, key) for key, against in AGAINST.items()}
    return [(against, gain(cell, _p(cell))) for against, cell in cells.items() if cell is not None]


def _p(found: Difference) -> str:
    """The p-value; "" for that of an earlier version, which did not keep its level: it has none before Holm."""
    return "" if found.p is None or found.p_before_holm is None else format_p(found.p)


def _origins(config: StudyConfig) -> Origins:
    task = config.core.task
    retrieval = task.kind == "retrieval"
    return Origins(
        parallel=_describe_set(config.core.data.parallel),
        tested="sentences to retrieve" if retrieval else "labelled text",
        task=_describe_set(config.core.task_data),
        trained=f", trained on {_describe_set(task.train)}" if task.train else "",
        tuning="none" if retrieval else f"{task.training} of {task.batch} sentences of {config.core.source.name}",
    )


def _describe_set(source: object) -> str:
    """A data set in a few words of Markdown."""
    if isinstance(source, str):
        return source
    if isinstance(source, tuple):
        return ", ".join(_describe_set(each) for each in source)
    if isinstance(source, HubSet):
        return f"{plain(source.name or source.id)} of the hub"
    return f"{getattr(source, 'kind', '')} in {quoted(getattr(source, 'folder', ''))}"
