"""How a study stands: trials by state, the best so far, the cost so far."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

from realign.score import SourceScore, mean_source_score
from search.config.study_config import StudyConfig
from search.confirmation.confirm_file import ConfirmationFile
from search.confirmation.recommend import Recommender
from search.confirmation.verdict import Verdict, verdict
from search.effort.cost import Price
from search.effort.fidelities import Fidelities
from search.results.trials import SearchStatus, TrialRecord
from search.study.storage import redact_url
from search.study.study import Study, open_study
from search.study.trial import Trial
from search.terminal import remark
from selector.errors import InputError

log = logging.getLogger("realingo.study")


def status(config: StudyConfig) -> SearchStatus:
    """The state of the study `config`, with every trial in `history`. InputError if it was never started."""
    study = open_study(config, create=False)
    history = tuple(record_of(trial) for trial in study.trials())
    return replace(status_of(study), history=history)


def status_of(study: Study, explain: bool = False) -> SearchStatus:
    """The state of an open study: the trials, the best so far, and what of it is confirmed.

    With `explain` also which languages and pairs matter.
    """
    config, trials, recommender = study.config, study.trials(), Recommender(study)
    states = [trial.state for trial in trials]
    best = recommender.best
    ended = [trial for trial in trials if trial.state in ("complete", "pruned")]
    _warn_of_forbidden(recommender)
    found = _verdict(recommender)
    return SearchStatus(
        study=config.name,
        storage=redact_url(config.storage),
        trials={state: states.count(state) for state in ("complete", "failed", "pruned", "running")},
        levels=_by_level(Fidelities(config).by_level, ended) if config.search.fidelity == "ladder" else None,
        best=_in_short(best[0]) if best else None,
        recommended=recommender.recommendation() if config.search.strategy == "surrogate" else None,
        front=tuple(map(_in_short, study.front())) if config.search.objectives else None,
        full_equivalents=Price(config).of_trials(ended),
        seconds=sum(trial.seconds for trial in ended),
        source_score=_source_score(study, ended),
        explain=recommender.effects() if explain else None,
        confirmed=found.row,
        verdict=found.sentence,
    )


def _warn_of_forbidden(recommender: Recommender) -> None:
    """Warn of finished trials of subsets that the study file forbids by now."""
    if outside := recommender.forbidden:
        message = (
            "study '%s': %d of its finished trials are of subsets that the study file does not allow: none is the best"
        )
        log.warning(message, recommender.study.name, outside)


def _verdict(recommender: Recommender) -> Verdict:
    """The conclusion from the study. An unreadable confirmation is no reason to hide how the search stands."""
    try:
        confirmation = ConfirmationFile(recommender.study).load()
    except InputError as problem:
        remark(f"{problem.message}: {problem.hint}")
        confirmation = None
    return verdict(recommender, confirmation)


def record_of(trial: Trial) -> TrialRecord:
    """`trial` as the value that users get."""
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
    """The source language's score after fine-tuning, the mean over the trials that count; None where unknown."""
    counted = [trial for trial in ended if trial.state == "complete" and study.counts(trial)]
    return mean_source_score(trial.source_score for trial in counted)


def _by_level(names: Iterable[str], ended: Sequence[Trial]) -> dict[str, int]:
    """Number of measured trials at each fidelity of the ladder, cheap ones first."""
    levels = [trial.level for trial in ended]
    return {name: levels.count(name) for name in names}
