"""The search: propose, measure, record, until as many trials as asked for have ended; and what stands in a study.

Position n is proposed from exactly the results of the positions up to n − workers, never from what happened to be
ready: so the same study file, seed and number of workers give the same trials, interrupted or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from search import assemble, console, owner, recommend, work
from search import backend as backends
from search.config import StudyConfig
from search.interrupts import Interrupts
from search.jobs import Backend, Job, Outcome, Race
from search.plan import Planner, Proposal, planner, warm_start
from search.proposal import Past, Seen
from search.storage import check_storage, shown
from search.study import Study, open_study
from search.trial import INTERRUPTED, LOST, Trial, last_attempts
from selector.errors import InputError, RunError
from selector.languages.subset import Subset

FAILURES_AT_START = 3
FEWEST_RIVALS = 5  # complete trials before one is stopped by their median


def search(
    config: StudyConfig, trials: int | None = None, workers: int = 1, backend: str = "inline", address: str = ""
) -> dict[str, Any]:
    """Run or continue a study until `trials` trials (default: the study file's) have ended, and tell how it stands.

    `trials` counts over all runs; `address` is that of a Ray cluster. InputError before anything is written if the
    input is wrong; RunError if another process drives the study or nothing succeeds at the start; KeyboardInterrupt,
    with everything recorded, on SIGINT and SIGTERM.
    """
    wanted = trials if trials is not None else config.search.trials
    if wanted < 1:
        raise InputError(f"--trials {wanted} is too few", "at least one trial")
    place = backends.Place(backend, workers, address)
    if backend == "inline" and config.search.time_limit:
        raise InputError("the inline backend cannot end a trial that hangs", "add --backend process for the time limit")
    plan = planner(replace(config, search=config.search.model_copy(update={"trials": wanted})))
    check_storage(config.storage)
    _warn(config, wanted)
    with console.progress() as advance, Interrupts() as interrupts, owner.only_driver(config.storage, config.name):
        view = backends.search_view(config)
        place.prepare(config)
        with interrupts.welcome():
            evaluator = view.evaluator(advance)
        where = place.backend(view, evaluator)
        try:
            study = open_study(config, create=True)
            with study.driven():
                Driver(study, plan, where, advance, interrupts).run(wanted)
        finally:
            where.close()
    return _document(config, study)


def status(config: StudyConfig, explain: bool = False) -> dict[str, Any]:
    """How a study stands, and with `explain` which languages matter; InputError if it was never started."""
    return _document(config, open_study(config, create=False), explain)


def _warn(config: StudyConfig, wanted: int) -> None:
    """Say beforehand what disappoints afterwards."""
    if (needed := most_needed(config)) > wanted:
        console.remark(
            f"{config.search.strategy} comes to its first subset of the size asked for in trial {needed} at the "
            f"latest, and this search has {wanted}: give it --trials {needed}, or take another strategy"
        )
    if (paid := work.paid_at_first(config)) > wanted / 4:
        console.remark(
            f"merging trains on every language that it meets once, the work of up to {paid:.0f} full evaluations for "
            f"all {len(config.pool)}: with {wanted} trials, fidelity = 'full' may find as much for less"
        )


def most_needed(config: StudyConfig) -> int:
    """Trials until greedy or backward measures its first subset of a size the study asks for; 0 for the others.

    After the warm start, with one worker; lazy evaluation may spare some, of greedy from the third language on. With
    more workers a size can be left while its last subsets run, and then be taken up again.
    """
    pinned, free = len(config.space.pinned), len(config.space.free)
    passed = {
        "greedy": range(free, free - (config.sizes[0] - pinned - 1), -1),  # moves from each size on the way
        "backward": range(free, config.sizes[1] - pinned + 1, -1),
    }.get(config.search.strategy)
    if passed is None:
        return 0
    whole = config.search.strategy == "backward" and free + pinned > config.sizes[1]  # is measured first
    return len(warm_start(config)) + sum(passed) + 1 + whole


class Driver:
    """One run of a search. Holds nothing that the study does not hold, but for what is being measured now."""

    def __init__(
        self,
        study: Study,
        plan: Planner,
        place: Backend,
        advance: console.Advance,
        interrupts: Interrupts,
    ) -> None:
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
        self.seen: list[Seen] = []  # what has a value, of the positions before `looked`
        self.looked = 0
        self.position = 0  # the next that was never begun
        self.ended = 0  # positions
        self.succeeded = False  # at all
        self.best: Trial | None = None
        self.exhausted = False
        self.fidelities = assemble.levels(study.config)

    def run(self, wanted: int) -> None:
        self.again = [trial for trial in self.study.recover() if trial.position < wanted]
        self.latest = last_attempts(self.study.trials())
        self.begun = [(trial.subset, trial.level) for trial in self.latest.values()]
        self.ended = len(self.latest)
        self.succeeded = any(trial.state == "complete" for trial in self.latest.values())
        self.best = next(iter(self.study.best()), None)
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
            console.remark("every subset of the asked size has been tried: the search ends here")

    def _fill(self, wanted: int) -> bool:
        """Begin as many trials as there is room for; False if none was begun."""
        begun = False
        while len(self.running) < self.place.workers and self._begin_one(wanted):
            begun = True
        return begun

    def _begin_one(self, wanted: int) -> bool:
        if self.again:
            before = self.again.pop(0)
            self._begin(Proposal(before.subset, before.origin, before.level), before.position, before.number)
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
        self._begin(chosen, self.position, None)
        return True

    def _past(self, last: int) -> Past:
        """What stands at the positions up to `last`, all of which have ended, and every subset begun."""
        for position in range(self.looked, last + 1):
            self.seen += recommend.seen_of(self.config, self.latest[position])
        self.looked = max(self.looked, last + 1)
        return Past(tuple(self.seen), tuple(self.begun))

    def _begin(self, chosen: Proposal, position: int, retry_of: int | None) -> None:
        fidelity = self.fidelities[chosen.level]
        trial = self.study.begin(chosen.subset, chosen.origin, position, fidelity.facts, retry_of, chosen.level)
        self.running[trial.number] = trial
        if position in self.latest:
            self.ended -= 1
        else:
            self.begun.append((trial.subset, trial.level))
        self.latest[position] = trial
        seed, seeds = self.config.seed, self.config.search.seeds
        limit = self.config.search.time_limit
        race = self._race(position, chosen.level)
        self.place.submit(Job(trial.number, chosen.subset, fidelity, seed, seeds, limit, race))

    def _race(self, position: int, level: str) -> Race | None:
        """The median rule (Golovin et al. 2017), on the trials that a position is proposed from: who is faster, or
        killed in between, changes nothing."""
        if self.config.search.pruner == "none":
            return None
        older = [trial for each, trial in self.latest.items() if each <= position - self.place.workers]
        rivals = [each.course for each in older if each.state == "complete" and each.level == level and each.course]
        whole = max(map(len, rivals), default=0)
        rivals = [course for course in rivals if len(course) == whole]  # versions before looked at seeds alone
        medians = np.median(rivals, axis=0).tolist() if len(rivals) >= FEWEST_RIVALS else []
        return Race(self.config.value, tuple(medians))

    def _record(self, outcome: Outcome) -> None:
        trial = self.running[outcome.number]
        if outcome.score is not None:
            value, self.succeeded = self.config.value(outcome.score.per_language), True
            ended = self.study.finish(trial, outcome.score, value, outcome.runs, outcome.course, outcome.expected)
            better = self.best is None or value > (self.best.value or 0.0)
            if ended.state == "complete" and self.study.counts(ended) and better:
                self.best = ended
                console.remark(f"trial {trial.number}, {trial.origin}: best so far {value:.4f} with {trial.subset.key}")
        elif outcome.lost:
            ended = self.study.fail(trial, LOST)
            console.remark(f"trial {trial.number} ({trial.subset.key}): its worker process died: {outcome.error}")
            self.again += [ended] if self.study.deserves_another(ended) else []
        else:
            ended = self.study.fail(trial, outcome.error)
            console.remark(f"trial {trial.number} ({trial.subset.key}) failed: {outcome.error}")
        self.latest[trial.position] = ended
        self.ended += 1
        del self.running[outcome.number]

    def _let_go(self) -> None:
        """Record that what is running was stopped, so that the next run makes it again; if not, that run finds out."""
        self.study.patience = 0.0 if self.study.patience is None else self.study.patience
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


def _document(config: StudyConfig, study: Study, explain: bool = False) -> dict[str, Any]:
    trials, reading = study.trials(), recommend.Reading(config, study)
    states = [trial.state for trial in trials]
    best = study.best()
    ended = [trial for trial in trials if trial.state in ("complete", "pruned")]
    return {
        "study": config.name,
        "storage": shown(config.storage),
        "trials": {state: states.count(state) for state in ("complete", "failed", "pruned", "running")},
        **({"levels": _by_level(config, ended)} if config.search.fidelity == "ladder" else {}),
        "best": _best(best[0]) if best else None,
        **({"recommended": reading.recommended()} if config.search.strategy == "surrogate" else {}),
        **({"front": [_best(trial) for trial in study.front()]} if config.search.objectives else {}),
        "evaluations": {"full_equivalents": work.full_equivalents(config, ended)},
        "seconds": sum(trial.seconds for trial in ended),
        **({"explain": recommend.document(*reading.effects())} if explain else {}),
    }


def _by_level(config: StudyConfig, ended: Sequence[Trial]) -> dict[str, int]:
    """Measured trials at each fidelity of the ladder."""
    levels = [trial.level for trial in ended]
    return {level: levels.count(level) for level in assemble.levels(config)}


def _best(trial: Trial) -> dict[str, Any]:
    return {
        "languages": list(trial.subset.codes),
        "value": trial.value,
        "cost": trial.cost,
        "per_language": dict(trial.per_language),
        "seed": trial.seed,
        "fidelity": dict(trial.fidelity),
        "origin": trial.origin,
        "number": trial.number,
        "signature": trial.signature,
    }


def render_status(document: Mapping[str, Any]) -> Any:
    """The document as a table for people."""
    rows = [["study", document["study"]], ["storage", document["storage"]]]
    rows += [["trials", ", ".join(f"{count} {state}" for state, count in document["trials"].items() if count)]]
    if levels := document.get("levels"):
        rows += [["of these", ", ".join(f"{count} {level}" for level, count in levels.items())]]
    best = document["best"]
    if best:
        rows += [["best subset", " ".join(best["languages"])], ["its value", f"{best['value']:.4f} ({best['origin']})"]]
    if taken := document.get("recommended"):
        rows += [["recommended", " ".join(taken["languages"])]]
        rows += [["expected of it", f"{taken['mean']:.4f} ± {taken['std']:.4f}"]]
    for each in document.get("front", ()):
        rows += [[f"for {each['cost']:g}", f"{each['value']:.4f} with {' '.join(each['languages'])}"]]
    rows += [["full evaluations", f"{document['evaluations']['full_equivalents']:g}"]]
    rows += [["measuring time", f"{document['seconds']:.0f} s"]]
    table = console.table("", ["", ""], rows)
    if "explain" not in document:
        return table
    effects = recommend.rows(document["explain"])
    title = "in place of an average language, and both together beyond that; points, 90 % intervals"
    if not effects:
        return console.stack(table, "too few trials to say which languages matter")
    return console.stack(table, console.table(title, ["languages", "effect", "interval"], effects, right=("effect",)))
