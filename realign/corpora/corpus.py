"""Protocols of text: parallel sentence pairs, tagged sentences, labelled sentences, plain sentences.

A corpus is anything with the methods of `Parallel`, `Labelled`, `Examples` or `Monolingual`; its `signature` identifies
the data.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Literal, Protocol, TypeVar, overload

Links = tuple[tuple[int, int], ...]  # (source word, target word), zero-based

Split = Literal["train", "dev", "test"]
Item = TypeVar("Item", covariant=True)


@dataclass(frozen=True)
class Pair:
    """A sentence of the source language and its translation, as words; `links` are gold word alignments if known."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    links: tuple[tuple[int, int], ...] | None = None  # (source word, target word), zero-based


@dataclass(frozen=True)
class Tagged:
    """A sentence with one label per word (UPOS for tagging)."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Classified:
    """A sentence, or two (premise and hypothesis), with one label."""

    first: tuple[str, ...]  # words
    second: tuple[str, ...] | None
    label: str


Cut = Callable[[str], tuple[str, ...]]  # a text as words


def at_white_space(text: str) -> tuple[str, ...]:
    """Words of `text` between white space of any kind."""
    return tuple(text.split())


def at_blanks(text: str) -> tuple[str, ...]:
    """Words of `text` between ASCII blanks, as word aligners count them: a no-break space stays inside a word."""
    return tuple(word for word in text.replace("\t", " ").split(" ") if word)


class Parallel(Protocol):
    """Text aligned with the source language."""

    @property
    def signature(self) -> str: ...

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        """Pairs of the source language with `language` (ISO 639-3) in `split`. InputError: there are none."""
        ...


class Labelled(Protocol):
    """Sentences with a label per word: part-of-speech tags, or entities in IOB2."""

    @property
    def signature(self) -> str: ...

    def sentences(self, language: str, split: Split) -> Sequence[Tagged]: ...


class Examples(Protocol):
    """Sentences, or pairs of them, with one label each."""

    @property
    def signature(self) -> str: ...

    def examples(self, language: str, split: Split) -> Sequence[Classified]: ...


class Monolingual(Protocol):
    """Plain sentences for masked language modelling, as words."""

    @property
    def signature(self) -> str: ...

    def texts(self, language: str) -> Sequence[tuple[str, ...]]: ...


class LazySequence(Sequence[Item], Generic[Item]):
    """A sequence of known length that is read when an item is first needed."""

    def __init__(self, length: int, make: Callable[[], Sequence[Item]]) -> None:
        self._length, self._make = length, make

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Item]:
        return iter(self._make())

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        return self._make()[index]


class Stream(Sequence[Item], Generic[Item]):
    """A sequence that is read again at each pass and never held in memory.

    One pass is cheap. Its length and items by number need a pass up to there, unless `length` and `pick` offer a faster
    way.
    """

    def __init__(
        self,
        read: Callable[[], Iterator[Item]],
        pick: Callable[[Sequence[int]], Iterator[Item]] | None = None,
        length: int | None = None,
        blocks: Sequence[int] = (),
    ) -> None:
        """`pick`: function that gives the items with some ascending numbers. `blocks`: number of items in each part
        that is read as a whole.
        """
        self._open, self._pick, self._length, self.blocks = read, pick, length, tuple(blocks)

    def pick(self, numbers: Sequence[int]) -> Iterator[Item]:
        """Items with these `numbers` (ascending), in one pass."""
        return self._pick(numbers) if self._pick is not None else pick_in_order(self._open(), numbers)

    def __iter__(self) -> Iterator[Item]:
        return self._open()

    def __bool__(self) -> bool:
        return next(self._open(), None) is not None

    def __len__(self) -> int:
        if self._length is None:
            self._length = sum(1 for _ in self._open())
        return self._length

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        if isinstance(index, slice):
            ends = (index.start or 0, index.stop or 0, index.step or 1)
            if min(ends) < 0:  # counted from the end
                return list(self._open())[index]
            return list(islice(self._open(), index.start, index.stop, index.step))
        place = index + len(self) if index < 0 else index
        for item in islice(self._open(), place, None) if place >= 0 else ():
            return item
        raise IndexError(index)


class ByNumber(Sequence[Item]):
    """Base of sequences whose items are quick to get by number; indexing by a number or a slice follows from `_at`."""

    @abstractmethod
    def _at(self, number: int) -> Item:
        """The item of a number from 0."""

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Item]: ...
    def __getitem__(self, at: int | slice) -> Item | Sequence[Item]:
        if isinstance(at, slice):
            return [self._at(number) for number in range(*at.indices(len(self)))]
        return self._at(range(len(self))[at])


def pick(items: Sequence[Item], numbers: Sequence[int]) -> Iterator[Item]:
    """Items with these `numbers` (ascending), read in the fastest way that `items` allows."""
    fast = getattr(items, "pick", None)
    return fast(numbers) if fast is not None else (items[number] for number in numbers)


def blocks_of(items: Sequence[Item]) -> Sequence[int]:
    """Number of items in each part of `items` that is read as a whole, in order; () where there are no such parts."""
    found: Sequence[int] = getattr(items, "blocks", ())
    return found


def pick_in_order(items: Iterator[Item], numbers: Sequence[int]) -> Iterator[Item]:
    """Items with these `numbers` (ascending) of the iterator `items`, which is read only up to the last of them."""
    position = 0
    for number in numbers:
        yield next(islice(items, number - position, None))
        position = number + 1
