"""Many evaluations that are known beforehand: what the cache holds is read, a backend measures the rest.

Every evaluation is a pure function of subset, fidelity and seed, so where and in which order they run changes nothing.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from realign.build.contents import contents
from realign.build.evaluator import full_fidelity
from realign.evaluators.own import Measure
from realign.inputs import Contents
from realign.score import Fidelity, Score
from search import terminal
from search.backends import registry as backends
from search.backends.backend import Backend, Job
from search.interrupts import Interrupts
from search.study.trial import MOST_RETRIES
from selector.errors import RunError
from selector.languages.subset import Subset

Wanted = tuple[Subset, int]  # a subset and a seed
AGAIN = "run the same command again: what was measured is kept"


@dataclass(frozen=True)
class Bench:
    """A place where evaluations run, with those who hear of them."""

    backend: str
    workers: int
    advance: terminal.Advance
    interrupts: Interrupts
    address: str = ""  # of a Ray cluster
    check: Callable[[Contents], None] = lambda _: None  # raises where the evaluator reads what it should not
    own: Measure | None = None  # a user's evaluator, in place of the study's

    def measure(
        self, what: str, view: backends.View, wanted: Sequence[Wanted], fidelity: Fidelity | None = None
    ) -> dict[Wanted, Score]:
        """The score of everything wanted; `what` names it in the progress. No worker starts for what is cached.

        `fidelity` is the full one of the study where none is given.

        RunError names the first evaluation that failed, or whose worker died too often; KeyboardInterrupt on SIGINT and
        SIGTERM. Either way what was measured before is in the cache.
        """
        view = replace(view, own=self.own)
        backends.Place(self.backend, self.workers, self.address).prepare(view.core)
        with self.interrupts.welcome():
            evaluator = view.evaluator(self.advance)
        self.check(contents(evaluator))
        fidelity = fidelity or full_fidelity(view.core, view.scope.targets)
        each = enumerate(dict.fromkeys(wanted))
        jobs = [Job(number, subset, fidelity, seed) for number, (subset, seed) in each]
        known = {job: evaluator.cached_score(job.subset, job.fidelity, job.seed) for job in jobs}
        scores = {job: score for job, score in known.items() if score is not None}
        left = [job for job in jobs if job not in scores]
        self.advance(what, len(scores), len(jobs))
        if left:
            where = backends.Place(self.backend, min(self.workers, len(left)), self.address)
            place = where.backend(view, evaluator, self.advance)
            try:
                for job, score in results(place, left, self.interrupts):
                    scores[job] = score
                    self.advance(what, len(scores), len(jobs))
            finally:
                place.close()
        return {(job.subset, job.seed): scores[job] for job in jobs}


def results(place: Backend, jobs: Sequence[Job], interrupts: Interrupts) -> Iterator[tuple[Job, Score]]:
    """Each job with its score, as they come. RunError for the first that fails, or that loses its worker too often.

    A node that vanishes takes several workers with it, and two jobs may need the memory that one would have had. So
    each lost job is tried again, alone: the one that then dies again is the cause. As in a search, twice more at most.
    """
    waiting, running, lost = deque(jobs), dict[int, Job](), Counter[int]()
    while waiting or running:
        while waiting and _room(place, running, waiting[0], lost):
            job = waiting.popleft()
            running[job.number] = job
            place.submit(job)
        with interrupts.welcome():
            outcomes = place.collect()
        for outcome in outcomes:
            job = running.pop(outcome.number)
            if outcome.score is not None:
                yield job, outcome.score
            elif outcome.lost and lost[job.number] < MOST_RETRIES:
                terminal.remark(f"{_called(job)}: its worker process died; it is tried again")
                lost[job.number] += 1
                waiting.appendleft(job)
            elif outcome.lost:
                message = f"{_called(job)}: its worker process died {MOST_RETRIES + 1} times"
                raise RunError(message, "look for lack of memory; " + AGAIN)
            else:
                raise RunError(f"{_called(job)} failed: {outcome.error}", outcome.hint or AGAIN)


def _room(place: Backend, running: dict[int, Job], job: Job, lost: Counter[int]) -> bool:
    alone = job.number in lost or not lost.keys().isdisjoint(running)
    return len(running) < (1 if alone else place.workers)


def _called(job: Job) -> str:
    return f"{job.subset.key or 'no realignment'}, seed {job.seed}"
