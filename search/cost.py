"""What a search costs: training, in full evaluations, by the sentences it takes. What scoring takes is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from realign.score import Fidelity, Merging
from search import fidelities
from search.config.study_config import StudyConfig
from search.study.trial import Trial


def full_equivalents(config: StudyConfig, ended: Sequence[Trial]) -> float:
    """Of what was done.

    Merging trains on every language that it met, once a seed: by scores all of an evaluation, else realignment. Merged
    encoders share one fine-tuning a size and seed, which has met the whole pool, or have one each.
    """
    seeds, how = config.search.seeds, config.fidelity.merging
    merged = [trial for trial in ended if trial.level == "merge"]
    others = [trial for trial in ended if trial.level != "merge"]
    sentences = sum(trial.begun(seeds) * sum(_sentences(config, trial.fidelity)) for trial in others)
    if merged:
        met = {language for trial in merged for language in trial.subset}
        runs = (seeds + how.seeds - 1) * len(config.pool if _shares_tuning(how) else met)
        if how.method == "scores":
            tunings = runs
        elif _shares_tuning(how):
            tunings = seeds * len({len(trial.subset) for trial in merged})
        else:
            tunings = sum(trial.begun(seeds) for trial in merged)
        realigning, tuning = _sentences(config, merged[0].fidelity)
        sentences += runs * realigning + tunings * tuning
    return sentences / _of_full(config)


def paid_once(config: StudyConfig, fidelity: Fidelity) -> float:
    """Of the trainings that merging at `fidelity` shares, on one seed: those of every language of the pool, and one
    fine-tuning where all subsets of a size have the same. 0 without merging."""
    how = fidelity.merging
    if how is None:
        return 0.0
    runs = how.seeds * len(config.pool)
    tunings = runs if how.method == "scores" else int(_shares_tuning(how))
    realigning, tuning = _sentences(config, fidelity.facts)
    return (runs * realigning + tunings * tuning) / _of_full(config)


def paid_at_first(config: StudyConfig) -> float:
    """Of training on single languages, whose scores a ladder merges; 0 for other searches."""
    how = config.fidelity.merging
    if config.search.fidelity != "ladder" or how.method != "scores":
        return 0.0
    every = replace(how, seeds=config.search.seeds + how.seeds - 1)  # seeds follow each other
    return paid_once(config, replace(fidelities.at_level(config, "merge"), merging=every))


def _shares_tuning(how: Merging) -> bool:
    """Whether merged encoders of a size have one fine-tuning, under random subsets of the whole pool."""
    return how.method != "scores" and how.tuned == "once"


def _of_full(config: StudyConfig) -> int:
    return sum(_sentences(config, fidelities.full(config).facts))


def _sentences(config: StudyConfig, fidelity: Mapping[str, Any]) -> tuple[int, int]:
    """That an evaluation trains on: in realignment, in fine-tuning."""
    return 2 * fidelity["pairs"], fidelity["steps"] * config.core.task.batch
