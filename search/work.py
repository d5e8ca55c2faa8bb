"""What a search costs: training, in full evaluations, by the sentences it takes. What scoring takes is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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


def paid_at_first(config: StudyConfig) -> float:
    """Of training on single languages, whose scores a ladder merges; 0 for other searches."""
    if config.search.fidelity != "ladder" or config.fidelity.method != "scores":
        return 0.0
    merged, full = assemble.at_level(config, "merge"), assemble.fidelity(config)
    seeds = config.search.seeds + config.fidelity.seeds - 1
    return seeds * len(config.pool) * _sentences(config, merged.facts)[2] / _sentences(config, full.facts)[2]


def _sentences(config: StudyConfig, fidelity: Mapping[str, Any]) -> tuple[int, int, int]:
    """That an evaluation trains on: in realignment, in fine-tuning, in both."""
    realigning, tuning = 2 * fidelity["pairs"], fidelity["steps"] * config.task.batch
    return realigning, tuning, realigning + tuning
