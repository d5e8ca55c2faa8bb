"""A confirmation as a value: the form of `confirm.json` and of `realingo confirm --json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realign.score import SourceScore
from search.results.convergence import source_from_json, source_to_json
from search.results.estimates import Difference, Estimate, Interval
from search.results.json_reader import (
    Json,
    Reader,
    by_key,
    count,
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


SCHEMA = 2  # of confirm.json; in the first, p-values did not keep their level


VERSUS = ("vs_all", "vs_none", "vs_random")
BASELINES = ("none", "all", "random-k")


@dataclass(frozen=True)
class ConfirmedRow:
    """One subset, or random subsets, on fresh seeds and test data."""

    name: str  # "best", "all", "none", "random-k", "max-sum", …
    languages: tuple[str, ...]  # empty for "none" and for random subsets
    mean: float  # over the tuning targets and seeds, in [0, 1]
    ci95: Interval
    std: float  # between seeds
    seeds: int
    per_language: Mapping[str, float] = field(hash=False)
    signature: str
    cost: float | None = None
    draws: tuple[tuple[str, ...], ...] | None = None  # the random subsets
    held_out: Estimate | None = None
    members: Estimate | None = None
    non_members: Estimate | None = None
    vs_all: Difference | None = None  # None where the row is that baseline itself
    vs_none: Difference | None = None
    vs_random: Difference | None = None
    regressions: tuple[str, ...] = ()  # languages that are significantly worse than without realignment
    per_language_ci95: Mapping[str, Interval] | None = field(default=None, hash=False)  # None: not known
    per_language_gain: Mapping[str, Difference] | None = field(default=None, hash=False)  # over no realignment

    @property
    def is_candidate(self) -> bool:
        """True if it may be chosen: found by the search, or chosen without measuring; no baseline, no random draws."""
        return self.name not in BASELINES and not self.name.startswith("random-")

    @property
    def was_found(self) -> bool:
        """True if the search found it: "best", "best-2", …"""
        return self.name == "best" or self.name.startswith("best-")

    def to_json(self) -> Json:
        document: Json = {"name": self.name, "languages": list(self.languages)}
        if self.draws is not None:
            document["draws"] = [list(draw) for draw in self.draws]
        document |= {"mean": self.mean, "ci95": self.ci95.to_json(), "std": self.std, "seeds": self.seeds}
        document |= {"cost": self.cost, "per_language": dict(self.per_language), "signature": self.signature}
        for name in ("held_out", "members", "non_members") if self.draws is None else ("held_out",):
            part: Estimate | None = getattr(self, name)
            document[name] = None if part is None else part.to_json()
        for name in VERSUS:
            versus: Difference | None = getattr(self, name)
            document |= {} if versus is None else {name: versus.to_json()}
        for name in ("per_language_ci95", "per_language_gain"):
            parts: Mapping[str, Interval | Difference] | None = getattr(self, name)
            document |= {} if parts is None else {name: {code: part.to_json() for code, part in parts.items()}}
        return document | {"regressions": list(self.regressions)}

    @classmethod
    def from_json(cls, given: object, place: str = "row") -> ConfirmedRow:
        read = Reader(given, place)
        return cls(
            name=read.text("name"),
            languages=read.value("languages", texts),
            mean=read.number("mean"),
            ci95=read.value("ci95", Interval.from_json),
            std=read.number("std"),
            seeds=read.value("seeds", count),
            per_language=read.value("per_language", numbers),
            signature=read.text("signature"),
            cost=read.optional("cost", number),
            draws=read.optional("draws", list_of(texts)),
            held_out=read.optional("held_out", Estimate.from_json),
            members=read.optional("members", Estimate.from_json),
            non_members=read.optional("non_members", Estimate.from_json),
            vs_all=read.optional("vs_all", Difference.from_json),
            vs_none=read.optional("vs_none", Difference.from_json),
            vs_random=read.optional("vs_random", Difference.from_json),
            regressions=read.value("regressions", texts),
            per_language_ci95=read.optional("per_language_ci95", by_key(Interval.from_json)),
            per_language_gain=read.optional("per_language_gain", by_key(Difference.from_json)),
        )


@dataclass(frozen=True)
class Race:
    """The race from which "best" came: candidates measured on seeds of their own until one was left."""

    candidates: int
    evaluations: int  # one for each candidate and seed
    subsets: tuple[tuple[str, ...], ...] = ()  # codes of each candidate; empty in documents of older versions

    def to_json(self) -> Json:
        document: Json = {"candidates": self.candidates, "evaluations": self.evaluations}
        return document | ({"subsets": [list(codes) for codes in self.subsets]} if self.subsets else {})

    @classmethod
    def from_json(cls, given: object, place: str = "race") -> Race:
        read = Reader(given, place)
        subsets = read.optional("subsets", list_of(texts)) or ()
        return cls(read.value("candidates", count), read.value("evaluations", count), subsets)


@dataclass(frozen=True)
class ConfirmationCost:
    """The cost of a confirmation. An evaluation that the cache held counts with the time it took when it was made."""

    evaluations: int  # different ones, a race included
    seconds: float = field(compare=False)  # of measuring, summed over the workers
    device: str = field(default="", compare=False)  # where it was measured, as far as the process that wrote it knows

    def to_json(self) -> Json:
        return {"evaluations": self.evaluations, "seconds": self.seconds, "device": self.device}

    @classmethod
    def from_json(cls, given: object, place: str = "effort") -> ConfirmationCost:
        read = Reader(given, place)
        device = read.optional("device", text) or ""
        return cls(read.value("evaluations", count), read.number("seconds"), device)


@dataclass(frozen=True)
class Luck:
    """Winner's luck: what the search said of its best subset, and what fresh seeds say of it, by the same objective.

    `difference` is the search's value less that on fresh seeds: positive where the search was lucky.
    """

    search: float
    fresh: float
    difference: float
    compares: str = ""  # in words

    def to_json(self) -> Json:
        return {name: getattr(self, name) for name in ("search", "fresh", "difference", "compares")}

    @classmethod
    def from_json(cls, given: object, place: str = "luck") -> Luck:
        read = Reader(given, place)
        search, fresh, difference = (read.number(name) for name in ("search", "fresh", "difference"))
        return cls(search, fresh, difference, read.optional("compares", text) or "")


@dataclass(frozen=True)
class Confirmation:
    """The best subsets and the baselines, measured again on fresh seeds, test data and held-out languages."""

    study: str
    created: str  # time in ISO 8601
    objective: str  # what the search maximized
    targets: tuple[str, ...]
    held_out: tuple[str, ...]
    split: str
    seeds: tuple[int, ...]
    fidelity: Mapping[str, object] = field(hash=False)
    versions: Mapping[str, str] = field(hash=False)
    method: str  # of the statistics, in words
    luck: Luck
    rows: tuple[ConfirmedRow, ...]
    task: str | None = None  # None in documents of the first versions
    metric: str | None = None
    source_score: SourceScore | None = None  # what fine-tuning reached on the source language; None: not known
    race: Race | None = None  # None: there was none, or it is not known
    effort: ConfirmationCost | None = None  # None: not known
    basis: Mapping[str, object] | None = field(default=None, hash=False)  # all that changes a score; None: not known

    @property
    def best(self) -> ConfirmedRow:
        """The subset that the search would take."""
        return self["best"]

    @property
    def candidates(self) -> tuple[ConfirmedRow, ...]:
        """The rows that may be chosen, each subset once: the first name stands for all."""
        return tuple(row for row in self.distinct if row.is_candidate)

    @property
    def distinct(self) -> tuple[ConfirmedRow, ...]:
        """The rows without candidates that are the subset of an earlier one: found, and chosen without measuring."""
        first = {row.languages: row for row in reversed(self.rows) if row.is_candidate}
        return tuple(row for row in self.rows if not row.is_candidate or first[row.languages] is row)

    def other_names(self, row: ConfirmedRow) -> tuple[str, ...]:
        """Names of further candidates that are the same subset as `row`; () for a baseline."""
        if not row.is_candidate:
            return ()
        same = (each for each in self.rows if each.is_candidate and each.languages == row.languages)
        return tuple(each.name for each in same if each.name != row.name)

    def __getitem__(self, name: str) -> ConfirmedRow:
        """The row of that name; KeyError where there is none."""
        return {row.name: row for row in self.rows}[name]

    def to_json(self) -> Json:
        document: Json = {"schema": SCHEMA, "study": self.study, "created": self.created, "objective": self.objective}
        document |= {"targets": list(self.targets), "held_out": list(self.held_out), "split": self.split}
        document |= {name: getattr(self, name) for name in ("task", "metric") if getattr(self, name) is not None}
        document |= {"seeds": list(self.seeds), "fidelity": dict(self.fidelity), "versions": dict(self.versions)}
        document |= {} if self.source_score is None else {"source_score": source_to_json(self.source_score)}
        for name in ("race", "effort"):
            part: Race | ConfirmationCost | None = getattr(self, name)
            document |= {} if part is None else {name: part.to_json()}
        document |= {} if self.basis is None else {"basis": dict(self.basis)}
        return document | {
            "method": self.method,
            "luck": self.luck.to_json(),
            "rows": [row.to_json() for row in self.rows],
        }

    @classmethod
    def from_json(cls, given: object, place: str = "confirm.json") -> Confirmation:
        """Confirmation in `given`, the document of `confirm.json`; `place` is what errors call it.

        InputError names the first key that is missing or has another form, or the schema, if it is another; keys that
        are not known are ignored.
        """
        read = Reader(given, place)
        read.check_schema(SCHEMA, {1: "its p-values were made by a method that called too much significant"})
        return cls(
            study=read.text("study"),
            created=read.text("created"),
            objective=read.text("objective"),
            targets=read.value("targets", texts),
            held_out=read.value("held_out", texts),
            split=read.text("split"),
            method=read.text("method"),
            seeds=read.value("seeds", list_of(count)),
            fidelity=read.value("fidelity", mapping),
            versions={name: text(value, place) for name, value in read.value("versions", mapping).items()},
            luck=read.value("luck", Luck.from_json),
            rows=read.value("rows", list_of(ConfirmedRow.from_json)),
            task=read.optional("task", text),
            metric=read.optional("metric", text),
            source_score=read.optional("source_score", source_from_json),
            race=read.optional("race", Race.from_json),
            effort=read.optional("effort", ConfirmationCost.from_json),
            basis=read.optional("basis", mapping),
        )

    def to_dataframe(self) -> DataFrame:
        """A line for each row: means, ends of the intervals, differences to the baselines with their p."""
        return frame([_flat(row) for row in self.rows], index="name")


def _flat(row: ConfirmedRow) -> Json:
    """One line of a table."""
    line: Json = {"name": row.name, "languages": " ".join(row.languages), "mean": row.mean, "std": row.std}
    line |= {"low": row.ci95.low, "high": row.ci95.high, "seeds": row.seeds, "cost": row.cost}
    line["held_out"] = None if row.held_out is None else row.held_out.mean
    for name in VERSUS:
        versus: Difference | None = getattr(row, name)
        line[name] = None if versus is None else versus.difference
        line[f"{name}_p"] = None if versus is None else versus.p
    return line | {"regressions": " ".join(row.regressions)}
