"""How well each cheap level ranks subsets, as far as it was measured: shown wherever a study relies on one.

Spearman's correlation of a cheap score at one seed with full scores at others, and the same for a full score itself,
which no cheap one can beat. Sources: `studies/tables` (495 subsets of 4 of 12 languages, two seeds) and
`studies/fidelity` (40 subsets of 4 of 24, three seeds), both tagging in the embedded world. On the one real encoder
with a table (`studies/tables/e5.npz`) subsets do not differ, so that levels could not be ranked there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from search.config.study_config import StudyConfig
from search.results.json_reader import Json
from search.strategies import ladder


@dataclass(frozen=True)
class RankCorrelation:
    """Of a cheap score with a full one, its 90 % interval, and what a full score reaches in its place."""

    value: float
    low: float
    high: float
    full: float
    subsets: str


_TABLE, _FORTY = "495 subsets of 4 of 12 languages", "40 subsets of 4 of 24 languages"
MEASURED: Mapping[str, Mapping[str, RankCorrelation]] = {  # task → level, or method of merging
    "pos": {
        "short": RankCorrelation(0.41, 0.36, 0.45, 0.54, _TABLE),
        "scores": RankCorrelation(0.50, 0.45, 0.54, 0.54, _TABLE),
        "average": RankCorrelation(0.43, 0.38, 0.47, 0.54, _TABLE),
        "touched": RankCorrelation(0.32, 0.10, 0.50, 0.43, _FORTY),
        "ties": RankCorrelation(0.42, 0.22, 0.58, 0.43, _FORTY),
        "dare": RankCorrelation(0.38, 0.14, 0.57, 0.43, _FORTY),
    }
}


def cheap_levels(config: StudyConfig) -> list[str]:
    """The levels below full that the study measures at."""
    names = ladder.ORDER if config.search.fidelity == "ladder" else (config.search.fidelity,)
    return [name for name in names if name != "full"]


def found(config: StudyConfig, level: str) -> RankCorrelation | None:
    """What is known of a level for the task of a study; None where it was not measured for such a task."""
    of_task = MEASURED.get(config.core.task.kind, {})
    return of_task.get(config.fidelity.merging.method if level == "merge" else level)


def to_json(config: StudyConfig) -> list[Json]:
    """A row for each cheap level; its numbers are null where nothing is known."""
    rows: list[Json] = []
    for level in cheap_levels(config):
        known = found(config, level)
        row: Json = {"level": level, "task": config.core.task.kind, "spearman": None, "ci90": None, "full": None}
        if known is not None:
            row |= {"spearman": known.value, "ci90": [known.low, known.high], "full": known.full}
        rows.append(row)
    return rows


def sentence(config: StudyConfig) -> str | None:
    """How far the cheap levels of a study are to be trusted, in one line; None where it has none."""
    levels, kind = cheap_levels(config), config.core.task.kind
    if not levels:
        return None
    known = {level: each for level in levels if (each := found(config, level)) is not None}
    if not known:
        more = "the ladder does it itself" if config.search.fidelity == "ladder" else "fidelity = 'ladder' does it"
        what = f"how {' and '.join(levels)} ranks subsets for {kind} was not measured"
        return f"{what}: compare some subsets with full trainings first ({more})"
    parts = [f"{level} {each.value:.2f} ({each.low:.2f} to {each.high:.2f})" for level, each in known.items()]
    one = next(iter(known.values()))
    return (
        f"rank correlation with a full training for {kind}: {', '.join(parts)}; a second full training has"
        f" {one.full:.2f} (embedded world, {one.subsets}; other encoders and settings may differ)"
    )
