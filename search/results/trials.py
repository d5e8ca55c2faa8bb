"""The trials of a study and how its search stands, as values: the form of `realingo status --json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realign.score import SourceScore
from search.results.confirmation import ConfirmedRow
from search.results.convergence import source_from_json, source_to_json
from search.results.effects import Explanation
from search.results.json_reader import (
    Json,
    Reader,
    count,
    counts,
    frame,
    list_of,
    mapping,
    number,
    numbers,
    text,
    texts,
)

if TYPE_CHECKING:
    from pandas import DataFrame


SCHEMA = 1  # of `status --json`, which does not name it


@dataclass(frozen=True)
class TrialRecord:
    """One attempt at measuring one subset."""

    number: int
    languages: tuple[str, ...]
    value: float | None  # what the study maximizes, in [0, 1]; None while it runs or where it failed
    per_language: Mapping[str, float] = field(hash=False)
    seed: int
    fidelity: Mapping[str, object] = field(hash=False)
    origin: str  # the strategy that proposed it
    signature: str = ""
    cost: float = 0.0
    state: str = "complete"  # "complete", "failed", "pruned" or "running"
    level: str = ""  # the name of its fidelity
    seconds: float = 0.0
    error: str = ""
    repeats: int = 1  # trials of the subset, on other seeds each, of which `value` is the mean

    def to_json(self) -> Json:
        """As `best` in `status --json`, with what is not usual added."""
        document: Json = {"languages": list(self.languages), "value": self.value, "cost": self.cost}
        document |= {"per_language": dict(self.per_language), "seed": self.seed, "repeats": self.repeats}
        document |= {"fidelity": dict(self.fidelity), "origin": self.origin}
        document |= {"number": self.number, "signature": self.signature}
        usual = {"state": "complete", "level": "", "seconds": 0.0, "error": ""}
        return document | {name: getattr(self, name) for name, value in usual.items() if getattr(self, name) != value}

    @classmethod
    def from_json(cls, given: object, place: str = "trial") -> TrialRecord:
        read = Reader(given, place)
        return cls(
            number=read.value("number", count),
            languages=read.value("languages", texts),
            value=read.optional("value", number),
            per_language=read.value("per_language", numbers),
            seed=read.value("seed", count),
            fidelity=read.value("fidelity", mapping),
            origin=read.text("origin"),
            signature=read.optional("signature", text) or "",
            cost=read.optional("cost", number) or 0.0,
            state=read.optional("state", text) or "complete",
            level=read.optional("level", text) or "",
            seconds=read.optional("seconds", number) or 0.0,
            error=read.optional("error", text) or "",
            repeats=read.optional("repeats", count) or 1,
        )


@dataclass(frozen=True)
class Recommendation:
    """The subset whose true value the surrogate expects to be highest."""

    languages: tuple[str, ...]
    mean: float
    std: float
    runs: int = 1  # that measured it

    def to_json(self) -> Json:
        return {"languages": list(self.languages), "mean": self.mean, "std": self.std, "runs": self.runs}

    @classmethod
    def from_json(cls, given: object, place: str = "recommended") -> Recommendation:
        read = Reader(given, place)
        runs = read.optional("runs", count) or 1
        return cls(read.value("languages", texts), read.number("mean"), read.number("std"), runs)


@dataclass(frozen=True)
class SearchStatus:
    """The state of a study."""

    study: str
    storage: str  # without passwords
    trials: Mapping[str, int] = field(hash=False)  # state → how many
    best: TrialRecord | None
    full_equivalents: float  # the work so far, in evaluations at full fidelity
    seconds: float  # of measuring
    recommended: Recommendation | None = None  # where the surrogate searches
    front: tuple[TrialRecord, ...] | None = None  # the Pareto front, where a study has two objectives
    levels: Mapping[str, int] | None = field(default=None, hash=False)  # of a ladder: fidelity → trials measured
    explain: Explanation | None = None  # which languages matter, where that was asked
    confirmed: ConfirmedRow | None = None  # the confirmed subset to take, once there is one
    verdict: str = ""  # what the study found, in a sentence; "" before the first finished trial
    source_score: SourceScore | None = None  # what fine-tuning reached on the source language; None: not known
    history: tuple[TrialRecord, ...] = ()  # every attempt; not in `status --json`

    def to_json(self) -> Json:
        """As `realingo status --json`, which has a verdict once confirmed; with `history` where there is one.

        With a history the verdict stands there from the first finished trial on.
        """
        document: Json = {"study": self.study, "storage": self.storage, "trials": dict(self.trials)}
        document |= {} if self.levels is None else {"levels": dict(self.levels)}
        document |= {"best": None if self.best is None else self.best.to_json()}
        document |= {} if self.recommended is None else {"recommended": self.recommended.to_json()}
        document |= {} if self.front is None else {"front": [each.to_json() for each in self.front]}
        document |= {} if self.source_score is None else {"source_score": source_to_json(self.source_score)}
        document |= {"evaluations": {"full_equivalents": self.full_equivalents}, "seconds": self.seconds}
        document |= {} if self.explain is None else {"explain": self.explain.to_json()}
        document |= {} if self.confirmed is None else {"confirmed": self.confirmed.to_json()}
        document |= {"verdict": self.verdict} if self.verdict and (self.confirmed is not None or self.history) else {}
        return document | ({"history": [each.to_json() for each in self.history]} if self.history else {})

    @classmethod
    def from_json(cls, given: object, place: str = "status") -> SearchStatus:
        """Status in `given`, a document of `realingo status --json`; `place` is what errors call it.

        InputError names the first key that is missing or has another form; keys that are not known are ignored.
        """
        read = Reader(given, place)
        read.check_schema(SCHEMA)
        return cls(
            study=read.text("study"),
            storage=read.text("storage"),
            trials=read.value("trials", counts),
            best=read.optional("best", TrialRecord.from_json),
            full_equivalents=Reader(read.value("evaluations", mapping), f"{place}.evaluations").number(
                "full_equivalents"
            ),
            seconds=read.number("seconds"),
            recommended=read.optional("recommended", Recommendation.from_json),
            front=read.optional("front", list_of(TrialRecord.from_json)),
            levels=read.optional("levels", counts),
            explain=read.optional("explain", Explanation.from_json),
            confirmed=read.optional("confirmed", ConfirmedRow.from_json),
            verdict=read.optional("verdict", text) or "",
            source_score=read.optional("source_score", source_from_json),
            history=read.optional("history", list_of(TrialRecord.from_json)) or (),
        )

    def to_dataframe(self) -> DataFrame:
        """A line for each trial, by number; a column for the score of each target language."""
        rows = [
            {
                "number": each.number,
                "state": each.state,
                "languages": " ".join(each.languages),
                "k": len(each.languages),
                "value": each.value,
                "cost": each.cost,
                "origin": each.origin,
                "level": each.level,
                "seconds": each.seconds,
                **each.per_language,
            }
            for each in self.history
        ]
        return frame(rows, index="number")
