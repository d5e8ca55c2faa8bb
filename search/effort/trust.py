"""Rank correlations of each cheap level, as far as they were measured: shown wherever a study relies on one.

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
    """The rank correlation of a cheap score with a full one, and of another full score in its place."""

    value: float
    low: float  # of the 90 % interval
    high: float
    full: float  # of a full score with another
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


@dataclass(frozen=True)
class CheapLevels:
    """The levels below full that a study measures at, with what is known of how they rank subsets."""

    config: StudyConfig

    @property
    def names(self) -> list[str]:
        kind = self.config.search.fidelity
        return [name for name in (ladder.ORDER if kind == "ladder" else (kind,)) if name != "full"]

    def correlation(self, level: str) -> RankCorrelation | None:
        """Rank correlation of the scores at `level` with full ones, for the study's task.

        None where it was not measured for such a task.
        """
        of_task = MEASURED.get(self.config.core.task.kind, {})
        return of_task.get(self.config.fidelity.merging.method if level == "merge" else level)

    def to_json(self) -> list[Json]:
        """A row for each cheap level; its numbers are null where nothing is known."""
        rows: list[Json] = []
        for level in self.names:
            known, kind = self.correlation(level), self.config.core.task.kind
            row: Json = {"level": level, "task": kind, "spearman": None, "ci90": None, "full": None}
            if known is not None:
                row |= {"spearman": known.value, "ci90": [known.low, known.high], "full": known.full}
            rows.append(row)
        return rows

    def sentence(self) -> str | None:
        """One line on how far the cheap levels are to be trusted; None where the study has none."""
        levels, kind = self.names, self.config.core.task.kind
        if not levels:
            return None
        known = {level: each for level in levels if (each := self.correlation(level)) is not None}
        if not known:
            ladders = self.config.search.fidelity == "ladder"
            more = "the ladder does it itself" if ladders else "fidelity = 'ladder' does it"
            what = f"how {' and '.join(levels)} ranks subsets for {kind} was not measured"
            return f"{what}: compare some subsets with full trainings first ({more})"
        parts = [f"{level} {each.value:.2f} ({each.low:.2f} to {each.high:.2f})" for level, each in known.items()]
        one = next(iter(known.values()))
        return (
            f"rank correlation with a full training for {kind}: {', '.join(parts)}; a second full training has"
            f" {one.full:.2f} (embedded world, {one.subsets}; other encoders and settings may differ)"
        )
