"""The result of `realingo check`: the problems of a study, and numbers of what it works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TypeVar

from realign.score import SourceScore
from search.results.convergence import source_to_json
from search.results.json_reader import Json
from selector.errors import RealingoError

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class ParallelCount:
    """Parallel text of a language of the pool."""

    source: str | None  # name of the data set
    available: int  # pairs
    used: int


@dataclass(frozen=True)
class TaskCount:
    """Sentences of a task in a language, by split; None where a split is not looked at."""

    source: str | None  # name of the data set; None where there are several and the language is read from none
    train: int | None = None
    dev: int | None = None
    test: int | None = None


@dataclass(frozen=True)
class LanguageData:
    """A language of a study with what there is of it."""

    code: str
    role: str  # source, pool, tune or held_out
    parallel: ParallelCount | None
    task: TaskCount


@dataclass(frozen=True)
class EncoderShape:
    """An encoder and its size; None where that is not known."""

    id: str
    revision: str | None = None
    layers: int | None = None
    width: int | None = None
    positions: int | None = None  # of the longest sentence, in sub-words


@dataclass(frozen=True)
class StudyCost:
    """The cost of a study with one worker on this machine."""

    seconds_per_trial: float
    search_hours: float
    confirm_hours: float
    memory_gb: float  # of a worker
    disk_gb: float  # for prepared text


@dataclass
class CheckReport:
    """Everything that a check found; it grows while the check goes on."""

    problems: list[RealingoError] = field(default_factory=list)
    model: EncoderShape | None = None
    subsets: int = 0
    is_bound: bool = False  # of `subsets`: there are at most so many
    languages: list[LanguageData] = field(default_factory=list)
    levels: list[Json] = field(default_factory=list)  # how well the cheap levels of the study rank subsets
    estimate: StudyCost | None = None
    source_score: SourceScore | None = None

    def attempt(self, work: Callable[..., Answer], *given: object) -> Answer | None:
        """The answer of `work`; None where it fails, which is then one of the problems."""
        try:
            return work(*given)
        except RealingoError as problem:
            if not any(problem.message == other.message for other in self.problems):
                self.problems.append(problem)
            return None

    def to_json(self) -> Json:
        document = {
            "ok": not self.problems,
            "problems": [{"error": problem.message, "hint": problem.hint} for problem in self.problems],
            "model": None if self.model is None else asdict(self.model),
            "subsets": self.subsets,
            **({"subsets_at_most": True} if self.is_bound else {}),
            "languages": [asdict(language) for language in self.languages],
            **({"cheap_levels": self.levels} if self.levels else {}),
            "estimate": None if self.estimate is None else asdict(self.estimate),
        }
        return document | ({} if self.source_score is None else {"source_score": source_to_json(self.source_score)})
