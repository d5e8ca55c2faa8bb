"""One attempt at evaluating one subset, as the study keeps it, and which attempt at each position is the latest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from statistics import fmean
from typing import Literal

from realign.score import SourceScore
from search.results.json_reader import Json
from search.study.owner import Owner
from selector.languages.subset import Subset

State = Literal["complete", "failed", "pruned", "running"]
INTERRUPTED = "interrupted"  # stopped on request: may be tried again any number of times
CHANGED = "changed: "  # before what of its data was not what it was: tried again once that is put back
LOST = "lost"  # its process died: tried again, but it may have been the cause
MOST_RETRIES = 2


@dataclass(frozen=True)
class TrialStart:
    """The user attributes that a trial begins with, as the storage keeps them."""

    subset: tuple[str, ...]  # codes
    origin: str
    position: int
    seed: int
    cost: float = 0.0
    level: str = ""
    fidelity: Mapping[str, object] = field(default_factory=dict)
    owner: Owner | None = None
    retry_of: int | None = None

    def to_json(self) -> Json:
        return {
            "subset": " ".join(self.subset),
            "k": len(self.subset),
            "origin": self.origin,
            "position": self.position,
            "seed": self.seed,
            "cost": self.cost,
            "level": self.level,
            "fidelity": dict(self.fidelity),
            "owner": {} if self.owner is None else self.owner.to_json(),
            "retry_of": self.retry_of,
        }

    @classmethod
    def from_json(cls, given: Json, level: str) -> TrialStart:
        """`level` is that of trials of the first versions, which do not name theirs."""
        return cls(
            subset=tuple(given["subset"].split()),
            origin=given["origin"],
            position=given["position"],
            seed=given["seed"],
            cost=given.get("cost", 0.0),
            level=given.get("level", level),
            fidelity=given.get("fidelity", {}),
            owner=Owner.from_json(given.get("owner")),
            retry_of=given.get("retry_of"),
        )


@dataclass(frozen=True)
class TrialResult:
    """The result of a trial, as one user attribute, `result`."""

    per_language: Mapping[str, float] = field(default_factory=dict)
    signature: str = ""
    seconds: float = 0.0
    runs: int | None = None
    expected: float | None = None
    source_score: SourceScore | None = None  # what fine-tuning reached on the source language
    check: str | None = None  # see `Trial.check`; None in studies of the first versions

    def to_json(self) -> Json:
        document: Json = {"per_language": dict(self.per_language), "signature": self.signature}
        document |= {"seconds": self.seconds, "runs": self.runs}
        document |= {} if self.expected is None else {"expected": self.expected}
        document |= {} if self.source_score is None else {"source_score": asdict(self.source_score)}
        return document | {"check": self.check}

    @classmethod
    def from_json(cls, attributes: Json) -> TrialResult:
        """Result in a trial's user `attributes`; in the first versions its parts stand beside each other."""
        given = {**attributes, **attributes.get("result", {})}
        found = {each.name: given[each.name] for each in fields(cls) if each.name in given}
        if found.get("source_score") is not None:
            found["source_score"] = SourceScore(**found["source_score"])
        return cls(**found)


@dataclass(frozen=True)
class Trial:
    """One attempt at evaluating one subset."""

    number: int
    position: int
    state: State
    subset: Subset
    origin: str  # the strategy that proposed it, or "warm:max-sum"
    seed: int
    value: float | None = None  # what the study maximizes, in [0, 1]
    per_language: Mapping[str, float] = field(default_factory=dict)
    signature: str = ""
    level: str = ""  # "full", "short" or "merge"
    cost: float = 0.0  # of the subset: the sum of its languages' costs, or their number
    fidelity: Mapping[str, object] = field(default_factory=dict)
    seconds: float = 0.0
    runs: int | None = None  # stopped early: seeds measured until then, of which the scores are the mean; 0: of a look
    course: tuple[float, ...] = ()  # its value at looks into the first run and after 1, 2, … seeds, where it could stop
    expected: float | None = None  # stopped at a look: the value that its first run would have come to
    error: str = ""
    retry_of: int | None = None  # number of the attempt before
    owner: Owner | None = None
    started: datetime | None = None
    source_score: SourceScore | None = None  # mean over its seeds; None: not known
    repeats: int = 1  # trials of the subset, on other seeds each, of which `value` is the mean: see `pool_repeats`

    def runs_begun(self, seeds: int) -> int:
        """Runs begun of `seeds`: fewer if it was stopped early; at a look it was in its first."""
        return seeds if self.runs is None else max(1, self.runs)

    def ended(self, state: State, value: float | None, course: tuple[float, ...], result: TrialResult) -> Trial:
        """The trial in `state`, with its `value` (of the objective), the values on its `course`, and its `result`."""
        return replace(
            self,
            state=state,
            value=value,
            course=course,
            per_language=result.per_language,
            signature=result.signature,
            seconds=result.seconds,
            runs=result.runs,
            expected=result.expected,
            source_score=result.source_score,
        )

    @property
    def check(self) -> str:
        """16 hex digits of SHA-256 over what was measured and what it was measured of: written with the result, so
        that a result that was put beside another trial, or changed, is seen."""
        asked = [self.position, self.subset.key, self.seed, self.level, dict(self.fidelity), self.cost]
        found = [self.value, dict(self.per_language), self.signature, self.runs, list(self.course), self.expected]
        return hashlib.sha256(json.dumps([asked, found], sort_keys=True).encode()).hexdigest()[:16]


def pool_repeats(trials: Iterable[Trial]) -> list[Trial]:
    """One trial for each subset in `trials`, in the order of their first trials, with the means of all its scores.

    Trials of one subset are on different seeds, each the mean of as many runs: give whole ones of one level.
    """
    groups: dict[Subset, list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        groups.setdefault(trial.subset, []).append(trial)
    return [_mean(group) for group in groups.values()]


def _mean(group: Sequence[Trial]) -> Trial:
    if len(group) == 1:
        return group[0]
    values = [trial.value for trial in group if trial.value is not None]
    codes = [code for code in group[0].per_language if all(code in trial.per_language for trial in group)]
    per_language = {code: fmean(trial.per_language[code] for trial in group) for code in codes}
    value = fmean(values) if values else None
    return replace(group[0], value=value, per_language=per_language, repeats=len(group))


def last_attempts(trials: Iterable[Trial]) -> dict[int, Trial]:
    """Position → the latest attempt at it among `trials`, in the order of the positions."""
    latest = {trial.position: trial for trial in sorted(trials, key=lambda trial: trial.number)}
    return dict(sorted(latest.items()))
