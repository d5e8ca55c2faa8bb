"""Several data sets as one: each language is taken from the first that has it, and the log says from which.

No single set covers many languages, and some have no training text in the source language: then another set, of the
same labels, trains. A language never changes its set between splits.
"""

from __future__ import annotations

import copy
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Generic, Protocol, Self, TypeVar, cast

from realign.corpora.corpus import Classified, Pair, Split, Tagged
from selector.errors import InputError, NoDataError

log = logging.getLogger(__name__)


class Signed(Protocol):
    """Any corpus."""

    @property
    def signature(self) -> str: ...


Corpus = TypeVar("Corpus", bound=Signed)
Item = TypeVar("Item")


@dataclass(frozen=True)
class Member(Generic[Corpus]):
    """One of the sets: its name in messages, and a function that makes its corpus for some languages."""

    name: str
    make: Callable[[Sequence[str]], Corpus]


class Mixed(Generic[Corpus]):
    """Base of `MixedParallel`, `MixedLabelled` and `MixedExamples`."""

    _text = "labelled text"  # for people

    def __init__(
        self,
        members: Sequence[Member[Corpus]],
        languages: Iterable[str],
        splits: Sequence[Split],
        training: Member[Corpus] | None = None,
        source: str | None = None,
    ) -> None:
        """`splits`: those that a set must have of a language to be used for it.

        `training`: the set for `source` alone.
        """
        self._members, self._splits = tuple(members), tuple(splits)
        self._training, self._source = training, source
        self._languages = tuple(sorted({*languages, *([source] if source else [])}))
        self._whole: dict[int, Corpus] = {}
        self._chosen: dict[str, int] = {}
        self._labels: frozenset[str] | None = None

    @property
    def signature(self) -> str:
        """The sets in use, each for its languages."""
        parts = []
        for name, languages in self.languages().items():
            member = next(member for member in self._all() if member.name == name)
            parts.append(f"{','.join(languages)}={member.make(languages).signature}")
        return f"mixed:{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:16]}"

    def languages(self) -> Mapping[str, tuple[str, ...]]:
        """Name of a set → languages taken from it. InputError: no set has one of the languages."""
        taken: dict[str, list[str]] = {}
        for language in self._languages:
            taken.setdefault(self.name_of(language), []).append(language)
        return {name: tuple(languages) for name, languages in sorted(taken.items())}

    def name_of(self, language: str) -> str:
        """Name of the set that `language` is taken from. InputError: no set has it."""
        return self._all()[self._place(language)].name

    def _all(self) -> tuple[Member[Corpus], ...]:
        return (*self._members, self._training) if self._training else self._members

    def _of(self, language: str) -> Corpus:
        return self._corpus(self._place(language))

    def _corpus(self, place: int) -> Corpus:
        if place not in self._whole:
            self._whole[place] = self._all()[place].make(self._languages)
        return self._whole[place]

    def _place(self, language: str) -> int:
        if language not in self._chosen:
            self._chosen[language] = self._search(language)
            if self._chosen[language]:  # nothing to report for the first set
                _tell(self._text, language, self.name_of(language))
        return self._chosen[language]

    def _search(self, language: str) -> int:
        """First set with all required splits of the language, else the first with one of them."""
        if language == self._source:
            return self._for_source(language)
        partly: list[int] = []
        for place in range(len(self._members)):
            there = [self._has(place, language, split) for split in self._splits]
            if all(there):
                return place
            if any(there):
                partly.append(place)
        if partly:
            return partly[0]
        names = ", ".join(member.name for member in self._members)
        raise InputError(f"none of the data sets has {language}: {names}", f"add a set, or leave {language} out")

    def _for_source(self, language: str) -> int:
        if self._training is not None:
            return len(self._members)
        for place in range(len(self._members)):
            if self._has(place, language, "train"):
                return place
        names = ", ".join(member.name for member in self._members)
        message = f"none of the data sets has training text in {language}: {names}"
        raise InputError(message, 'name the set that trains: train = {name = "…"}')

    def _has(self, place: int, language: str, split: Split) -> bool:
        corpus = self._corpus(place)
        has = getattr(corpus, "has", None)
        if has is not None:
            return bool(has(language, split))
        try:
            return bool(self._read(corpus, language, split))
        except NoDataError:
            return False

    def _read(self, corpus: Any, language: str, split: Split) -> Sequence[Any]:
        raise NotImplementedError

    def _agreeing(
        self, items: Sequence[Item], language: str, labels: Callable[[Item], Iterable[str]]
    ) -> Sequence[Item]:
        """Items, whose labels must all occur in training. InputError names those that do not."""
        if self._source is None or language == self._source:
            return items
        if self._labels is None:
            trained = self._read(self._of(self._source), self._source, "train")
            self._labels = frozenset(_kind(label) for item in trained for label in labels(item))
        strange = sorted({_kind(label) for item in items for label in labels(item)} - self._labels)
        if strange:
            name = self.name_of(language)
            message = f"{name} has labels for {language} that the training set lacks: {', '.join(strange)}"
            raise InputError(message, f'map them to known labels: labels = {{{strange[0]} = "…"}} beside {name}')
        return items


class MixedParallel(Mixed[Any]):
    """Parallel text of several sets (`Parallel`)."""

    _text = "parallel text"

    def at_blanks(self) -> Self:
        """The same text with its words cut only at ASCII blanks, as word aligners do."""
        other = copy.copy(self)
        other._members = tuple(replace(each, make=partial(_make_at_blanks, each.make)) for each in self._members)
        other._whole = {}
        return other

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        return self._read(self._of(language), language, split)

    def _read(self, corpus: Any, language: str, split: Split) -> Sequence[Pair]:
        return cast(Sequence[Pair], corpus.pairs(language, split))


class MixedLabelled(Mixed[Any]):
    """Labelled words of several sets (`Labelled`)."""

    def sentences(self, language: str, split: Split) -> Sequence[Tagged]:
        return self._agreeing(self._read(self._of(language), language, split), language, lambda item: item.tags)

    def _read(self, corpus: Any, language: str, split: Split) -> Sequence[Tagged]:
        return cast(Sequence[Tagged], corpus.sentences(language, split))


class MixedExamples(Mixed[Any]):
    """Labelled sentences of several sets (`Examples`)."""

    def examples(self, language: str, split: Split) -> Sequence[Classified]:
        return self._agreeing(self._read(self._of(language), language, split), language, lambda item: (item.label,))

    def _read(self, corpus: Any, language: str, split: Split) -> Sequence[Classified]:
        return cast(Sequence[Classified], corpus.examples(language, split))


@cache
def _tell(text: str, language: str, name: str) -> None:
    """Once a process: several parts of a study ask for the same text."""
    log.warning("%s of %s: from %s", text, language, name)


def _kind(label: str) -> str:
    """The type of an entity tag in IOB2, else the label."""
    return label[2:] if label.startswith(("B-", "I-")) else label


def _make_at_blanks(make: Callable[[Sequence[str]], Any], languages: Sequence[str]) -> Any:
    return make(languages).at_blanks()
