"""The fidelities of a study by name, as amounts of work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from realign.build.evaluator import full_fidelity
from realign.score import Fidelity
from search.config.study_config import StudyConfig
from search.strategies import ladder


@dataclass(frozen=True)
class Fidelities:
    """The fidelities of a study."""

    config: StudyConfig

    @cached_property
    def full(self) -> Fidelity:
        """The full fidelity, which is confirmed."""
        return full_fidelity(self.config.core, self.config.scope.targets)

    @cached_property
    def by_level(self) -> dict[str, Fidelity]:
        """The fidelities that the search measures at, by name, cheap ones first."""
        kind = self.config.search.fidelity
        return {name: self.at(name) for name in (ladder.ORDER if kind == "ladder" else (kind,))}

    @property
    def merged_pairs(self) -> int:
        """Sentence pairs of each language's own realignment where measurements are merged; needs no data."""
        return Fidelity(self.config.core.pairs, 0, 0).share(*self._shares("merge")).pairs

    def at(self, level: str) -> Fidelity:
        """The fidelity at `level`: "full", "short" or "merge"."""
        if level == "full":
            return self.full
        asked = self.config.fidelity
        part = self.full.share(*self._shares(level))
        return replace(part, patience=asked.patience, merging=asked.merging if level == "merge" else None)

    def _shares(self, level: str) -> tuple[float, float, float]:
        """Shares of the pairs, steps and examples. On a ladder, given shares are those of "short"."""
        asked, usual = self.config.fidelity, (0.25, 0.25, 0.25)
        given = (asked.pairs, asked.steps, asked.examples)
        if level == "merge":
            by_scores = asked.method == "scores"
            usual = (1 / self.config.sizes[1] if by_scores else 1.0, 1.0, 1.0 if by_scores else 0.25)
            given = (None, None, None) if self.config.search.fidelity == "ladder" else given
        pairs, steps, examples = (own if share is None else share for share, own in zip(given, usual, strict=True))
        return pairs, steps, examples
