"""Any strategy as a sampler of Optuna, for those who drive Optuna (or Ray Tune's OptunaSearch) themselves.

`study.optimize` then asks for one boolean per language with `trial.suggest_categorical(code, (False, True))`, and what
it gets is always a subset that the space allows and that was not tried before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.proposal import Past, Proposer, Seen, generator
from search.sampler import BOOLEAN
from search.space import Space
from selector.errors import RunError
from selector.languages.subset import Subset

ATTRIBUTE = "subset"  # of a trial: codes, known as soon as it was asked for


class SubsetSampler(BaseSampler):
    """Proposes all booleans of a trial at once. The same seed and past give the same trials."""

    def __init__(self, space: Space, propose: Proposer, seed: int = 0) -> None:
        self.space = space
        self.propose = propose
        self.seed = seed
        self._others = RandomSampler(seed)  # of parameters that are no languages

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {language.code: BOOLEAN for language in self.space.pool}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: Mapping[str, BaseDistribution]
    ) -> dict[str, Any]:
        """RunError where every subset was tried."""
        before = [each for each in study.get_trials(deepcopy=False) if each.number < trial.number]
        chosen = self.propose(self.space, self._past(study, before), generator(self.seed, trial.number))
        if chosen is None:
            raise RunError("every subset of the space was tried", "ask for fewer trials")
        study._storage.set_trial_user_attr(trial._trial_id, ATTRIBUTE, " ".join(chosen.codes))
        return {code: code in chosen.codes for code in search_space}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._others.sample_independent(study, trial, param_name, param_distribution)

    def _past(self, study: Study, trials: list[FrozenTrial]) -> Past:
        """All are maximized. Trials without languages, of another sampler, are left out."""
        sign = -1.0 if study.directions[0] == StudyDirection.MINIMIZE else 1.0
        known = [(trial, subset) for trial in trials if (subset := self._subset(trial)) is not None]
        seen = [
            Seen(subset, sign * trial.values[0])
            for trial, subset in known
            if trial.state == TrialState.COMPLETE and trial.values
        ]
        return Past(tuple(seen), tuple((subset, "full") for _, subset in known))

    def _subset(self, trial: FrozenTrial) -> Subset | None:
        codes = trial.user_attrs[ATTRIBUTE].split() if ATTRIBUTE in trial.user_attrs else None
        if codes is None and not trial.params:
            return None
        return Subset.of(
            language
            for language in self.space.pool
            if (language.code in codes if codes is not None else trial.params.get(language.code))
        )
