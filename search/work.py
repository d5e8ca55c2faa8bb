"""What a search costs: training, in full evaluations, by the sentences it takes. What scoring takes is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from realign.score import Fidelity
from search import assemble
from search.config import StudyConfig
from search.trial import Trial


def full_equivalents(config: StudyConfig, ended: Sequence[Trial]) -> float:
    """Of what was done.

    Merging trains on every language that it met, once a seed: by scores all of an evaluation, else realignment. Merged
    encoders share one fine-tuning a size and seed, which has met the whole pool, or have one each.
    """
    seeds = config.search.seeds
    merged = [trial for trial in ended if trial.level == "merge"]
    others = [trial for trial in ended if trial.level != "merge"]
    sentences = sum(trial.begun(seeds) * _sentences(config, trial.fidelity)[2] for trial in others)
    if merged:
        once, met = seeds + config.fidelity.seeds - 1, {language for trial in merged for language in trial.subset}
        realigning, tuning, both = _sentences(config, merged[0].fidelity)
        if config.fidelity.method == "scores":
            sentences += once * len(met) * both
        elif config.fidelity.tuned == "once":
            sentences += once * len(config.pool) * realigning
            sentences += seeds * len({len(trial.subset) for trial in merged}) * tuning
        else:
            sentences += once * len(met) * realigning + sum(trial.begun(seeds) for trial in merged) * tuning
    return sentences / _sentences(config, assemble.fidelity(config).facts)[2]


def paid_once(config: StudyConfig, fidelity: Fidelity) -> float:
    """Of the trainings that merging at `fidelity` shares, on one seed: those of every language of the pool, and one
    fine-tuning where all subsets of a size have the same. 0 without merging."""
    how = fidelity.merging
    if how is None:
        return 0.0
    realigning, tuning, both = _sentences(config, fidelity.facts)
    languages = how.seeds * len(config.pool)
    if how.method == "scores":
        sentences = languages * both
    else:
        sentences = languages * realigning + (tuning if how.tuned == "once" else 0)
    return sentences / _sentences(config, assemble.fidelity(config).facts)[2]


def paid_at_first(config: StudyConfig) -> float:
    """Of training on single languages, whose scores a ladder merges; 0 for other searches."""
    merged = assemble.at_level(config, "merge")
    how = merged.merging
    if config.search.fidelity != "ladder" or how is None or how.method != "scores":
        return 0.0
    every = replace(how, seeds=config.search.seeds + how.seeds - 1)  # seeds follow each other
    return paid_once(config, replace(merged, merging=every))


def _sentences(config: StudyConfig, fidelity: Mapping[str, Any]) -> tuple[int, int, int]:
    """That an evaluation trains on: in realignment, in fine-tuning, in both."""
    realigning, tuning = 2 * fidelity["pairs"], fidelity["steps"] * config.task.batch
    return realigning, tuning, realigning + tuning
