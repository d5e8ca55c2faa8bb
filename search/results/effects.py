"""Which languages matter, as values: the form of `explain` in `realingo status --explain --json`."""

from __future__ import annotations

from dataclasses import dataclass

from search.results.estimates import Interval
from search.results.json_reader import Json, Reader, list_of, texts


@dataclass(frozen=True)
class Effect:
    """The change of the score when a language replaces an average one, with a 90 % interval of the posterior."""

    code: str
    effect: float  # in scores, [-1, 1]
    low: float
    high: float
    share_top: float  # share of the best quarter of trials that hold the language
    share_all: float = 0.0  # share of all trials that hold it; not in the JSON document

    @property
    def clear(self) -> bool:
        """The interval leaves zero out."""
        return self.low > 0 or self.high < 0

    def to_json(self) -> Json:
        document: Json = {"language": self.code, "effect": self.effect, "ci90": [self.low, self.high]}
        return document | {"share_best": self.share_top}

    @classmethod
    def from_json(cls, given: object, place: str = "effect") -> Effect:
        read = Reader(given, place)
        ends = read.value("ci90", Interval.from_json)
        return cls(read.text("language"), read.number("effect"), ends.low, ends.high, read.number("share_best"))


@dataclass(frozen=True)
class PairEffect:
    """By how much two languages together are worth more than the sum of both, with a 90 % interval."""

    codes: tuple[str, str]
    effect: float  # in scores
    low: float
    high: float

    def to_json(self) -> Json:
        return {"languages": list(self.codes), "effect": self.effect, "ci90": [self.low, self.high]}

    @classmethod
    def from_json(cls, given: object, place: str = "pair") -> PairEffect:
        read = Reader(given, place)
        first, second = read.value("languages", texts)
        ends = read.value("ci90", Interval.from_json)
        return cls((first, second), read.number("effect"), ends.low, ends.high)


@dataclass(frozen=True)
class Explanation:
    """The languages and pairs that matter, strongest first; empty after too few trials."""

    languages: tuple[Effect, ...] = ()
    pairs: tuple[PairEffect, ...] = ()

    def to_json(self) -> Json:
        return {
            "languages": [each.to_json() for each in self.languages],
            "pairs": [each.to_json() for each in self.pairs],
        }

    @classmethod
    def from_json(cls, given: object, place: str = "explain") -> Explanation:
        read = Reader(given, place)
        single, both = list_of(Effect.from_json), list_of(PairEffect.from_json)
        return cls(read.value("languages", single), read.value("pairs", both))

    @property
    def rows(self) -> tuple[tuple[str, Effect | PairEffect], ...]:
        """Every effect with whose it is: `deu`, or `deu + tur`."""
        pairs = ((" + ".join(each.codes), each) for each in self.pairs)
        return (*((each.code, each) for each in self.languages), *pairs)
