"""The price of a search: training, in full evaluations, by the sentences it takes. Scoring is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from realign.score import Fidelity, Merging
from search.config.study_config import StudyConfig
from search.effort.fidelities import Fidelities
from search.study.trial import Trial


@dataclass(frozen=True)
class Price:
    """The price of a study's trainings, in evaluations at its full fidelity.

    Epochs are counted in steps, for which the training data is looked at.
    """

    config: StudyConfig

    def of_trials(self, ended: Sequence[Trial]) -> float:
        """The price of the trials `ended`, in evaluations at full fidelity.

        Merging trains on every language that it met, once a seed: by scores all of an evaluation, else realignment.
        Merged encoders share one fine-tuning a size and seed, which has met the whole pool, or have one each.
        """
        seeds, how = self.config.search.seeds, self.config.fidelity.merging
        merged = [trial for trial in ended if trial.level == "merge"]
        others = [trial for trial in ended if trial.level != "merge"]
        sentences = sum(trial.runs_begun(seeds) * sum(self._sentences(trial.fidelity)) for trial in others)
        if merged:
            met = {language for trial in merged for language in trial.subset}
            runs = (seeds + how.seeds - 1) * (len(self.config.pool) if _shares_tuning(how) else len(met))
            if how.method == "scores":
                tunings = runs
            elif _shares_tuning(how):
                tunings = seeds * len({len(trial.subset) for trial in merged})
            else:
                tunings = sum(trial.runs_begun(seeds) for trial in merged)
            realigning, tuning = self._sentences(merged[0].fidelity)
            sentences += runs * realigning + tunings * tuning
        return sentences / self._of_full

    def paid_once(self, fidelity: Fidelity) -> float:
        """The price of the trainings that merging at `fidelity` shares, on one seed.

        They are those of every language of the pool, and one fine-tuning where all subsets of a size have the same.
        0 without merging.
        """
        how = fidelity.merging
        if how is None:
            return 0.0
        runs = how.seeds * len(self.config.pool)
        tunings = runs if how.method == "scores" else int(_shares_tuning(how))
        realigning, tuning = self._sentences(fidelity.facts)
        return (runs * realigning + tunings * tuning) / self._of_full

    def paid_at_first(self) -> float:
        """The price of training on single languages, whose scores a ladder merges; 0 for other searches."""
        how, search = self.config.fidelity.merging, self.config.search
        if search.fidelity != "ladder" or how.method != "scores":
            return 0.0
        every = replace(how, seeds=search.seeds + how.seeds - 1)  # seeds follow each other
        return self.paid_once(replace(Fidelities(self.config).at("merge"), merging=every))

    @cached_property
    def _of_full(self) -> int:
        return sum(self._sentences(Fidelities(self.config).full.facts))

    def _sentences(self, fidelity: Mapping[str, Any]) -> tuple[int, int]:
        """Sentences that an evaluation trains on: in realignment, in fine-tuning."""
        return 2 * fidelity["pairs"], fidelity["steps"] * self.config.core.task.batch


def _shares_tuning(how: Merging) -> bool:
    """True if merged encoders of a size have one fine-tuning, under random subsets of the whole pool."""
    return how.method != "scores" and how.tuned == "once"
