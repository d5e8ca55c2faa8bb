"""How a study stands: trials by state, the best so far, the cost so far."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from search.config.study_config import StudyConfig
from search.confirmation import recommend
from search.effort import cost as work
from search.effort import fidelities
from search.results.trials import SearchStatus, TrialRecord
from search.study.storage import shown
from search.study.study import Study, open_study
from search.study.trial import Trial

log = logging.getLogger("realingo.study")


def status(config: StudyConfig) -> SearchStatus:
    """The same with every trial in `history`; InputError if the study was never started."""
    study = open_study(config, create=False)
    history = tuple(record_of(trial) for trial in study.trials())
    return replace(SearchStatus.from_json(state_of(config, study)), history=history)


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
    )


def state_of(config: StudyConfig, study: Study, explain: bool = False) -> dict[str, Any]:
    """How a study stands, as `status --json` says it."""
    trials, reading = study.trials(), recommend.Reading(config, study)
    states = [trial.state for trial in trials]
    best = study.best()
    ended = [trial for trial in trials if trial.state in ("complete", "pruned")]
    if outside := sum(trial.state == "complete" and not config.space.allows(trial.subset) for trial in trials):
        message = (
            "study '%s': %d of its finished trials are of subsets that the study file does not allow: none is the best"
        )
        log.warning(message, config.name, outside)
    return {
        "study": config.name,
        "storage": shown(config.storage),
        "trials": {state: states.count(state) for state in ("complete", "failed", "pruned", "running")},
        **({"levels": _by_level(config, ended)} if config.search.fidelity == "ladder" else {}),
        "best": _best(best[0]) if best else None,
        **({"recommended": reading.recommended()} if config.search.strategy == "surrogate" else {}),
        **({"front": [_best(trial) for trial in study.front()]} if config.search.objectives else {}),
        "evaluations": {"full_equivalents": work.price_of(config).of_trials(ended)},
        "seconds": sum(trial.seconds for trial in ended),
        **({"explain": recommend.document(*reading.effects())} if explain else {}),
    }


def _by_level(config: StudyConfig, ended: Sequence[Trial]) -> dict[str, int]:
    """Measured trials at each fidelity of the ladder."""
    levels = [trial.level for trial in ended]
    return {level: levels.count(level) for level in fidelities.levels(config)}


def _best(trial: Trial) -> dict[str, Any]:
    return {
        "languages": list(trial.subset.codes),
        "value": trial.value,
        "cost": trial.cost,
        "per_language": dict(trial.per_language),
        "seed": trial.seed,
        "repeats": trial.repeats,
        "fidelity": dict(trial.fidelity),
        "origin": trial.origin,
        "number": trial.number,
        "signature": trial.signature,
    }
