"""Means and differences of scores with their intervals, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.results.json_reader import Json, Reader, count, mapping, number, wrong

ROUNDING = 1e-9  # a mean of equal scores may differ from them by so much


@dataclass(frozen=True)
class Interval:
    """The 95 % interval of a value."""

    low: float
    high: float

    def to_json(self) -> list[float]:
        return [self.low, self.high]

    @classmethod
    def from_json(cls, given: object, place: str = "ci95") -> Interval:
        """Interval in `given`, which errors call `place`. InputError unless it is a list of two numbers."""
        if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != 2:
            raise wrong(place, "is no list of two numbers")
        return cls(number(given[0], place), number(given[1], place))


@dataclass(frozen=True)
class Estimate:
    """A mean score in [0, 1] with its interval."""

    mean: float
    ci95: Interval

    def to_json(self) -> Json:
        return {"mean": self.mean, "ci95": self.ci95.to_json()}

    @classmethod
    def from_json(cls, given: object, place: str = "estimate") -> Estimate:
        read = Reader(given, place)
        return cls(read.number("mean"), read.value("ci95", Interval.from_json))


@dataclass(frozen=True)
class Noise:
    """The noise that one source of chance adds to a difference."""

    standard_error: float
    degrees: int  # of freedom of that estimate

    def to_json(self) -> Json:
        return {"standard_error": self.standard_error, "degrees": self.degrees}

    @classmethod
    def from_json(cls, given: object, place: str = "noise") -> Noise:
        read = Reader(given, place)
        return cls(read.number("standard_error"), read.value("degrees", count))


PARTS = ("members", "non_members", "held_out")  # of the targets, apart


@dataclass(frozen=True)
class Difference:
    """By how much one row is above another: over all targets, and apart for parts of them."""

    difference: float
    ci95: Interval
    p: float | None = None  # two-sided, corrected for the number of comparisons; None for a part of the targets
    p_before_holm: float | None = None  # the same as if it were the only comparison
    noise_of_seeds: Noise | None = None  # None where there is one seed, and for a part of the targets
    noise_of_sentences: Noise | None = None
    members: Difference | None = None  # targets that are in the subset
    non_members: Difference | None = None
    held_out: Difference | None = None  # languages that the search never saw

    @property
    def is_nothing(self) -> bool:
        """True if both sides have the same score on every sentence, as where both are the same languages."""
        return max(abs(self.difference), abs(self.ci95.low), abs(self.ci95.high)) < ROUNDING

    def to_json(self) -> Json:
        parts = {name: getattr(self, name) for name in PARTS}
        apart = {name: part.to_json() for name, part in parts.items() if part is not None}
        document: Json = {"difference": self.difference, "ci95": self.ci95.to_json()}
        if self.p is None:
            return document | apart
        noise = {"seeds": self.noise_of_seeds, "sentences": self.noise_of_sentences}
        document["noise"] = {name: None if part is None else part.to_json() for name, part in noise.items()}
        return document | apart | {"p": self.p, "p_before_holm": self.p_before_holm}

    @classmethod
    def from_json(cls, given: object, place: str = "difference") -> Difference:
        read = Reader(given, place)
        parts = {name: read.optional(name, cls.from_json) for name in PARTS}
        noise = Reader(read.optional("noise", mapping) or {}, f"{place}.noise")
        return cls(
            read.number("difference"),
            read.value("ci95", Interval.from_json),
            p=read.optional("p", number),
            p_before_holm=read.optional("p_before_holm", number),
            noise_of_seeds=noise.optional("seeds", Noise.from_json),
            noise_of_sentences=noise.optional("sentences", Noise.from_json),
            **parts,
        )
