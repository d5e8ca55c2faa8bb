"""Where trials run: here, in worker processes, on a Ray cluster. A backend measures; it never touches the study."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec

from realign.build import evaluator as assemble
from realign.build.contents import contents, expect
from realign.core import Core, Scope
from realign.evaluators.own import CachedInMemory, Measure, own_evaluator
from realign.evaluators.wrappers import Cached
from realign.inputs import Contents
from realign.score import Advance, Evaluator
from search.backends import process as processes
from search.backends.backend import Backend, Job, Outcome, run_job
from search.config.study_config import StudyConfig
from selector.errors import InputError, whole_number
from selector.languages.language import Pool
from selector.languages.subset import Subset

BACKENDS = ("inline", "process", "ray", "tune")
MOST_WORKERS = 1024  # each is a process


Value = Callable[[Mapping[str, float]], float]


def mean_score(per_language: Mapping[str, float]) -> float:
    """The mean over languages, in [0, 1]."""
    return sum(per_language.values()) / len(per_language)


@dataclass(frozen=True)
class View:
    """The languages and data to look at, in this process or another: an evaluator is made from it and nothing else."""

    core: Core
    scope: Scope
    targets: Pool
    split: assemble.DevOrTest
    beside: Subset | None = None  # is scored as the search scores it as well
    contents: Contents = field(default_factory=dict, hash=False)  # what must be read; empty: whatever is there
    own: Measure | None = None  # a user's evaluator, in place of the study's
    value: Value = mean_score  # of the scores by language, the number that Ray Tune shows
    seeds: int = 1  # of a trial at the most, each of which Ray Tune shows

    def evaluator(self, advance: Advance | None = None) -> Cached | CachedInMemory:
        if self.own is not None:
            needed = self.scope.tune if self.split == "dev" else self.scope.targets
            return own_evaluator(self.own, [each.code for each in self.targets], [each.code for each in needed])
        made = assemble.evaluator(self.core, self.scope, self.targets, self.split, advance, self.beside)
        expect(made, self.contents)
        return made


def search_view(config: StudyConfig, own: Measure | None = None) -> View:
    """The evaluation that the search may see: the tuning targets on the development split."""
    seeds = 1 if config.search.fidelity == "ladder" else config.search.seeds
    return View(config.core, config.scope, config.tune, "dev", own=own, value=config.value, seeds=seeds)


def usual_backend(workers: int, time_limit: float | None = None) -> str:
    """The backend where none is named: this process, unless several trials run at a time or one must be ended."""
    return "inline" if workers == 1 and time_limit is None else "process"


@dataclass(frozen=True)
class Place:
    """A backend by name, with a number of workers; InputError for one that is missing or cannot have so many."""

    name: str = "inline"
    workers: int = 1
    address: str = ""  # of a Ray cluster; empty: one is started on this machine

    def __post_init__(self) -> None:
        if self.name not in BACKENDS:
            raise InputError(f"unknown backend '{self.name}'", f"known: {', '.join(BACKENDS)}")
        whole_number("the number of workers", self.workers)
        if self.workers < 1:
            raise InputError(f"--workers {self.workers} is too few", "at least one worker")
        if self.workers > MOST_WORKERS:
            raise InputError(f"--workers {self.workers} is too many", f"at most {MOST_WORKERS:,} workers")
        if self.name == "inline" and self.workers > 1:
            raise InputError(
                "the inline backend measures one at a time", "add --backend process, or leave --workers out"
            )
        on_ray = self.name in ("ray", "tune")
        if self.address and not on_ray:
            raise InputError(f"--address is not for the backend '{self.name}'", "add --backend ray")
        if on_ray and find_spec("ray") is None:
            raise InputError(f"the backend '{self.name}' needs Ray", "pip install 'realingo[ray]'")

    def prepare(self, core: Core) -> None:
        """To be called before the evaluator is made, where workers will be needed: what can start meanwhile, starts."""
        if self.name == "process" and isinstance(core.model.base, str):
            processes.prepare()

    def backend(self, view: View, evaluator: Evaluator, advance: Advance | None = None) -> Backend:
        """`evaluator` is that of `view` in this process; workers elsewhere build their own.

        `advance` hears how far each worker is; the evaluator of this process has its own.
        """
        if self.name == "inline":
            return Inline(evaluator)
        view = replace(view, contents=contents(evaluator))
        if self.name == "process":
            return processes.processes(view.evaluator, self.workers, advance)
        from search.backends import ray_actors

        if self.name == "ray":
            return ray_actors.actors(view.evaluator, self.workers, self.address, advance)
        from search.backends import ray_tune

        return ray_tune.TuneTrials(view.evaluator, view.value, self.workers, self.address, view.seeds, advance)


class Inline:
    """In this process, when the result is asked for."""

    workers = 1

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._jobs: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def collect(self) -> list[Outcome]:
        return [run_job(self._evaluator, self._jobs.popleft())]

    def close(self) -> None:
        self._jobs.clear()
