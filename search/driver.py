"""The driver: asks for proposals, gives jobs to the backend, writes what comes back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np

from search import terminal
from search.backends.backend import Backend, Job, MedianPruner, Outcome
from search.confirmation import recommend
from search.effort.fidelities import Fidelities
from search.interrupts import Interrupts
from search.planner import Planner, Proposal
from search.results.convergence import convergence_remark
from search.results.trials import TrialRecord
from search.results.words import percent
from search.status import record_of
from search.strategies.proposer import MeasuredSubset, Past
from search.study.study import Study
from search.study.trial import CHANGED, INTERRUPTED, LOST, Trial, last_attempts
from selector.errors import RunError, quantity
from selector.languages.subset import Subset

FAILURES_AT_START = 3
FEWEST_RIVALS = 5  # complete trials before one is stopped by their median


class Driver:
    """One run of a search. Holds nothing that the study does not hold, but for what is being measured now."""

    def __init__(
        self,
        study: Study,
        plan: Planner,
        place: Backend,
        advance: terminal.Advance,
        interrupts: Interrupts,
        callback: Callable[[TrialRecord], object] = lambda record: None,
    ) -> None:
        """`callback` is given each ended trial, after it was written."""
        self.callback = callback
        self.study = study
        self.config = study.config
        self.plan = plan
        self.place = place
        self.advance = advance
        self.interrupts = interrupts
        self.running: dict[int, Trial] = {}
        self.again: list[Trial] = []
        self.latest: dict[int, Trial] = {}  # attempt at each position
        self.begun: list[tuple[Subset, str]] = []  # subset and level of each position
        self.seen: list[MeasuredSubset] = []  # what has a value, of the positions before `looked`
        self.looked = 0
        self.position = 0  # the next that was never begun
        self.ended = 0  # positions
        self.succeeded = False  # at all
        self.best: Trial | None = None
        self.exhausted = False
        self.unlearned = False  # a trial's fine-tuning has not converged, and this was said
        self.fidelities = Fidelities(study.config).by_level

    def run(self, wanted: int) -> None:
        self.again = [trial for trial in self.study.recover() if trial.position < wanted]
        self.latest = last_attempts(self.study.trials())
        self.begun = [(trial.subset, trial.level) for trial in self.latest.values()]
        self.ended = len(self.latest)
        self.succeeded = any(trial.state == "complete" for trial in self.latest.values())
        self.best = next(iter(self.study.best()), None)
        if self.ended >= wanted and not self.again:
            done = quantity(self.ended, "trial")
            terminal.remark(f"study '{self.study.name}' has {done} already: ask for more with --trials NUMBER")
        self._show(wanted)
        try:
            while self._fill(wanted) or self.running:
                with self.interrupts.welcome():
                    outcomes = self.place.collect()
                for outcome in outcomes:
                    self._record(outcome)
                self._show(wanted)
                self._check_start(FAILURES_AT_START)
            self._check_start(1)
        except BaseException:
            self._let_go()
            raise
        if self.exhausted:
            terminal.remark(f"{self._what_is_exhausted()}: the search ends here")

    def _what_is_exhausted(self) -> str:
        space = self.config.space
        begun, every = len({subset for subset, _ in self.begun if space.allows(subset)}), space.exact_count
        if every is None or begun >= every:
            return "every subset that the study allows has been tried"
        return f"the strategy has nothing more to propose after {begun} of {every} subsets"

    def _fill(self, wanted: int) -> bool:
        """Begin as many trials as there is room for; False if none was begun."""
        begun = False
        while len(self.running) < self.place.workers and self._begin_one(wanted):
            begun = True
        return begun

    def _begin_one(self, wanted: int) -> bool:
        if self.again:
            before = self.again.pop(0)
            earlier = Proposal(before.subset, before.origin, before.level)
            self._begin(earlier, before.position, before.seed, before.number)
            return True
        while self.position in self.latest:
            self.position += 1
        if self.position >= wanted or self.exhausted:
            return False
        older = self.position - self.place.workers  # what it is proposed from; what is newer may be ready or not
        if any(trial.position <= older for trial in self.running.values()):
            return False
        chosen = self.plan(self.position, self._past(older))
        if chosen is None:
            self.exhausted = True
            return False
        self._begin(chosen, self.position, self._next_seed(chosen))
        return True

    def _next_seed(self, chosen: Proposal) -> int:
        """The first seed that no trial of this subset was begun on at this level."""
        before = self.begun.count((chosen.subset, chosen.level))
        return self.config.seed + before * self.config.search.seeds

    def _past(self, last: int) -> Past:
        """The measurements at the positions up to `last`, all of which have ended, and every subset begun."""
        for position in range(self.looked, last + 1):
            self.seen += recommend.observations_of(self.latest[position], self.config.search.seeds)
        self.looked = max(self.looked, last + 1)
        return Past(tuple(self.seen), tuple(self.begun))

    def _begin(self, chosen: Proposal, position: int, seed: int, retry_of: int | None = None) -> None:
        fidelity = self.fidelities[chosen.level]
        trial = self.study.begin(chosen.subset, chosen.origin, position, fidelity.facts, retry_of, chosen.level, seed)
        self.running[trial.number] = trial
        if position in self.latest:
            self.ended -= 1
        else:
            self.begun.append((trial.subset, trial.level))
        self.latest[position] = trial
        seeds = self.config.search.seeds
        limit = self.config.search.time_limit
        pruner = self._pruner(position, chosen.level)
        self.place.submit(Job(trial.number, chosen.subset, fidelity, trial.seed, seeds, limit, pruner))

    def _pruner(self, position: int, level: str) -> MedianPruner | None:
        """The median rule (Golovin et al. 2017), on the trials that a position is proposed from: who is faster, or
        killed in between, changes nothing."""
        if self.config.search.pruner == "none":
            return None
        older = [trial for each, trial in self.latest.items() if each <= position - self.place.workers]
        rivals = [each.course for each in older if each.state == "complete" and each.level == level and each.course]
        whole = max(map(len, rivals), default=0)
        rivals = [course for course in rivals if len(course) == whole]  # versions before looked at seeds alone
        medians = np.median(rivals, axis=0).tolist() if len(rivals) >= FEWEST_RIVALS else []
        return MedianPruner(self.config.value, tuple(medians))

    def _record(self, outcome: Outcome) -> None:
        trial = self.running[outcome.number]
        if outcome.score is not None:
            value, self.succeeded = self.config.value(outcome.score.per_language), True
            ended = self.study.finish(trial, outcome.score, value, outcome.runs, outcome.course, outcome.expected)
            if ended.state == "complete" and self.study.counts(ended):
                self._tell_best(ended)
                self._tell_unlearned(ended)
        elif outcome.lost:
            ended = self.study.fail(trial, LOST)
            terminal.warn(f"trial {trial.number} ({trial.subset.key}): its worker process died: {outcome.error}")
            self.again += [ended] if self.study.deserves_another(ended) else []
        else:
            ended = self.study.fail(trial, f"{CHANGED}{outcome.error}" if outcome.changed else outcome.error)
            terminal.warn(f"trial {trial.number} ({trial.subset.key}) failed: {outcome.error}")
        self.latest[trial.position] = ended
        self.ended += 1
        del self.running[outcome.number]
        self.callback(record_of(ended))
        if outcome.changed:
            raise RunError(outcome.error, outcome.hint)

    def _tell_best(self, ended: Trial) -> None:
        """Say it where a trial makes its subset the best, or changes what the best one's trials come to on average."""
        before, (self.best, *_) = self.best, self.study.best()
        if self.best.subset != ended.subset or (before and before.value == self.best.value):
            return
        of = f", the mean of {self.best.repeats} trials," if self.best.repeats > 1 else ""
        value, key = percent(self.best.value or 0.0), ended.subset.key
        terminal.remark(f"trial {ended.number}, {ended.origin}: best so far {value} %{of} with {key}")

    def _tell_unlearned(self, ended: Trial) -> None:
        """Say once where fine-tuning has not converged: such trials say little of languages, however many there are."""
        if not self.unlearned and (text := convergence_remark(ended.source_score, self.config.core.task.length_key)):
            terminal.remark(text)
            self.unlearned = True

    def _let_go(self) -> None:
        """Record that what is running was stopped, so that the next run makes it again; if not, that run finds out."""
        record = self.study.record
        record.patience = 0.0 if record.patience is None else record.patience
        with suppress(RunError):
            for trial in self.running.values():
                self.study.fail(trial, INTERRUPTED)

    def _check_start(self, most: int) -> None:
        """A set-up that cannot work at all should not burn the whole budget, nor end as if it had worked."""
        if self.succeeded:
            return
        failed = [trial for trial in self.latest.values() if trial.state == "failed"]
        if len(failed) >= most:
            raise RunError(
                f"none of the first {len(failed)} trials succeeded; the last one: {failed[-1].error}"
                if len(failed) > 1
                else f"the only trial failed: {failed[0].error}",
                "correct what it names and run the same command again: these trials are then made again",
            )

    def _show(self, wanted: int) -> None:
        self.advance("search", min(self.ended, wanted), wanted)
