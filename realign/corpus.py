"""What text is to the core: parallel sentence pairs, tagged sentences, plain sentences; from the world or from files.

A corpus is anything with the methods of `Parallel`, `Labelled` or `Monolingual`; its `signature` names the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Split = Literal["train", "dev", "test"]


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


class Parallel(Protocol):
    """Text aligned with the source language."""

    @property
    def signature(self) -> str: ...

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        """Pairs of the source language with `language` (ISO 639-3); InputError where there are none."""
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
