"""How a study stands: trials by state, the best so far, the cost so far."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from realign.score import SourceScore, mean_source_score
from search.config.study_config import StudyConfig
from search.confirmation import confirm_file, recommend, verdict
from search.effort import cost as work
from search.effort import fidelities
from search.results.trials import SearchStatus, TrialRecord
from search.study.storage import shown
from search.study.study import Study, open_study
from search.study.trial import Trial
from search.terminal import remark
from selector.errors import InputError

log = logging.getLogger("realingo.study")


def status(config: StudyConfig) -> SearchStatus:
    """How a study stands, with every trial in `history`; InputError if the study was never started."""
    study = open_study(config, create=False)
    history = tuple(record_of(trial) for trial in study.trials())
    return replace(status_of(config, study), history=history)


def status_of(config: StudyConfig, study: Study, explain: bool = False) -> SearchStatus:
    """How a study stands: what was tried, the best so far, and what of it is confirmed."""
    trials, reading = study.trials(), recommend.Reading(config, study)
    states = [trial.state for trial in trials]
    best = study.best(len(trials))
    ended = [trial for trial in trials if trial.state in ("complete", "pruned")]
    _tell_outside(config, trials)
    found = _verdict(config, best, reading)
    return SearchStatus(
        study=config.name,
        storage=shown(config.storage),
        trials={state: states.count(state) for state in ("complete", "failed", "pruned", "running")},
        levels=_by_level(config, ended) if config.search.fidelity == "ladder" else None,
        best=_in_short(best[0]) if best else None,
        recommended=reading.recommended() if config.search.strategy == "surrogate" else None,
        front=tuple(map(_in_short, study.front())) if config.search.objectives else None,
        full_equivalents=work.price_of(config).of_trials(ended),
        seconds=sum(trial.seconds for trial in ended),
        source_score=_source_score(study, ended),
        explain=reading.effects() if explain else None,
        confirmed=found.row,
        verdict=found.sentence,
    )


def _tell_outside(config: StudyConfig, trials: Sequence[Trial]) -> None:
    """Warn of finished trials of subsets that the study file forbids by now."""
    outside = sum(trial.state == "complete" and not config.space.allows(trial.subset) for trial in trials)
    if outside:
        message = (
            "study '%s': %d of its finished trials are of subsets that the study file does not allow: none is the best"
        )
        log.warning(message, config.name, outside)


def _verdict(config: StudyConfig, best: Sequence[Trial], reading: recommend.Reading) -> verdict.Verdict:
    """What to say of the study; a confirmation that cannot be read is no reason to hide how the search stands."""
    try:
        confirmation = confirm_file.load(config)
    except InputError as problem:
        remark(f"{problem.message}: {problem.hint}")
        confirmation = None
    return verdict.of_trials(config, best, reading.top(), confirmation)


def record_of(trial: Trial) -> TrialRecord:
    """A trial as the value that users get."""
    return TrialRecord(
        number=trial.number,
        languages=trial.subset.codes,
        value=trial.value,
        per_language=dict(trial.per_language),
        seed=trial.seed,
        fidelity=dict(trial.fidelity),
        origin=trial.origin,
        signature=trial.signature,
        cost=trial.cost,
        state=trial.state,
        level=trial.level,
        seconds=trial.seconds,
        error=trial.error,
        repeats=trial.repeats,
    )


def _in_short(trial: Trial) -> TrialRecord:
    """A trial that counts, without what is the same of all that do."""
    return replace(record_of(trial), level="", seconds=0.0)


def _source_score(study: Study, ended: Sequence[Trial]) -> SourceScore | None:
    """What fine-tuning reached on the source, the mean over the trials that count; None where it is not known."""
    counted = [trial for trial in ended if trial.state == "complete" and study.counts(trial)]
    return mean_source_score(trial.source_score for trial in counted)


def _by_level(config: StudyConfig, ended: Sequence[Trial]) -> dict[str, int]:
    """Measured trials at each fidelity of the ladder."""
    levels = [trial.level for trial in ended]
    return {level: levels.count(level) for level in fidelities.levels(config)}
