"""Parallel text for the training loop: encoded once, with word links where the loss needs them, mapped from the store.

The text of a side is stored under a hash of itself, so the source side that many languages share is encoded once. The
data of a language's pairs is stored under the corpus's signature: the text is not even read a second time.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from realign.corpora.corpus import Pair, Parallel
from realign.corpora.filters import FilteredPairs, count_dropped
from realign.encoder.encoder import Encoder
from realign.encoder.ragged import RaggedTable
from realign.encoder.word_by_word import WordByWord
from realign.inputs import RESTORE, ChangedError
from realign.score import Advance
from realign.store.array_store import Arrays, ArrayStream, StoredArrays, key_of, load_or_compute
from realign.store.sampled_pairs import StoredPairs
from realign.training.settings import Realignment
from realign.training.word_alignment import WordLinks, aligner, informative
from selector.errors import InputError

CHUNK = 4096  # sentences encoded at a time: what is in memory of a corpus

log = logging.getLogger("realingo.pairs")

Item = TypeVar("Item")
Texts = Callable[[], Iterator[tuple[str, ...]]]  # a side of a corpus, read anew at each call


@dataclass(frozen=True)
class EncodedPairs:
    """Sentence pairs of one language: row i of `target` translates row i of `source`."""

    source: RaggedTable
    target: RaggedTable
    links: WordLinks  # (source word, target word); no rows for the sentence loss


class PairStore:
    """Parallel text encoded once per language, with word links where the loss needs them."""

    def __init__(
        self, encoder: Encoder, parallel: Parallel, settings: Realignment, advance: Advance | None = None
    ) -> None:
        """`advance` is called as text is read, tokenized and aligned."""
        self._advance: Advance = advance or (lambda what, done, total: None)
        self._encoder, self._parallel, self._settings = encoder, parallel, settings
        self._signature = parallel.signature
        self._align = aligner(settings, encoder) if settings.loss == "word" else None
        self._text = encoding_facts(encoder, settings.max_length)
        self._words = WordByWord(encoder, settings.max_length)
        self._known: dict[str, EncodedPairs] = {}
        self._about: dict[str, Mapping[str, Any]] = {}
        self._facts: dict[str, dict[str, Any]] = {}

    def of(self, language: str) -> EncodedPairs:
        """Training pairs of `language`. InputError: there are none, or the filter left none."""
        if language not in self._known:
            self._known[language] = self._load(language)
        return self._known[language]

    def about(self, language: str) -> Mapping[str, Any]:
        """Counts and hashes of the training pairs of `language`.

        `available`: all pairs; `pairs`: those in use; `dropped`: the others by reason (of a sample, those dropped while
        choosing); `source` and `target`: hashes.
        """
        self.of(language)
        return self._about[language]

    def facts(self, language: str) -> dict[str, Any]:
        """Everything that training sees of `language`, as JSON values: hashes of both sides and of the links.

        Other languages of the corpus have no part in it.
        """
        if language not in self._facts:
            about, links = self.about(language), self.of(language).links
            linked = hashlib.sha256(links.words.tobytes() + links.offsets.tobytes()).hexdigest()
            sides = {"source": about["source"], "target": about["target"], "encoding": self._text}
            self._facts[language] = {**sides, "links": linked if self._align else None}
        return self._facts[language]

    def _load(self, language: str) -> EncodedPairs:
        pairs = self._parallel.pairs(language, "train")
        links = self._align.signature if self._align else None
        key = key_of("pairs", self._signature, language, self._text, links)
        stored = load_or_compute("pairs", key, lambda: self._describe(language, pairs))
        self._about[language] = stored.facts
        source, target = self._sides(pairs, stored.facts["source"], stored.facts["target"], stored.facts["pairs"])
        self._tell_full(language, source, target)
        linked = _stored_links(stored)
        if self._align is not None and not len(linked.words):
            message = f"the aligner links no words in the {len(source)} sentence pairs of {language}"
            raise InputError(message, "check that its files are of these languages, or take the language out")
        return EncodedPairs(source, target, linked)

    def _tell_full(self, language: str, *sides: RaggedTable) -> None:
        limit = self._encoder.limit(self._settings.max_length)
        full = sum(int((side.length >= limit).sum()) for side in sides)
        if full:
            message = "%s: %d of %d sentences fill all %d sub-words; the text beyond is not used in training"
            log.warning(message, language, full, sum(map(len, sides)), limit)

    def _describe(self, language: str, pairs: Sequence[Pair]) -> ArrayStream:
        """Hashes of both sides, counts of dropped pairs, and the links: everything that is stored of the pairs."""
        ours, theirs, count = hashlib.sha256(), hashlib.sha256(), 0
        any_text, expected = False, len(pairs.every if isinstance(pairs, FilteredPairs) else pairs)
        for pair in pairs:
            count += 1
            if count % CHUNK == 0:
                self._advance(f"reading {language}", count, max(count, expected))
            any_text = any_text or bool(pair.source and pair.target)
            ours.update(_bytes(pair.source))
            theirs.update(_bytes(pair.target))
        lost = dict(count_dropped(pairs))
        reasons = ", ".join(f"{number} {reason}" for reason, number in lost.items())
        available = pairs.available if isinstance(pairs, StoredPairs) else count + sum(lost.values())
        if lost and not isinstance(pairs, StoredPairs):  # for a sample this was logged when it was chosen
            log.warning("%s: kept %d of %d pairs; dropped %s", language, count, available, reasons)
        self._check()
        if not count:
            raise InputError(
                f"there are no parallel sentences for {language}"
                + (f": the filter dropped all {sum(lost.values())} ({reasons})" if lost else ""),
                "take it out of the pool, or " + ('loosen data.filter, or set it to "none"' if lost else "add data"),
            )
        if not any_text:
            message = f"every sentence pair of {language} has an empty side"
            raise InputError(message, "check the files, or take the language out of the pool")
        facts: dict[str, Any] = {"source": ours.hexdigest(), "target": theirs.hexdigest()}
        facts |= {"available": available, "pairs": count, "dropped": lost}
        if self._align is None:
            return ArrayStream([], facts)
        return ArrayStream(
            self._link(language, pairs, *self._sides(pairs, facts["source"], facts["target"], count)), facts
        )

    def _sides(self, pairs: Sequence[Pair], source: str, target: str, count: int) -> tuple[RaggedTable, RaggedTable]:
        ours = self._table(source, lambda: (pair.source for pair in pairs), count)
        return ours, self._table(target, lambda: (pair.target for pair in pairs), count)

    def _table(self, digest: str, texts: Texts, count: int) -> RaggedTable:
        pad = self._encoder.tokenizer.pad_token_id
        stored = load_or_compute(
            "text", key_of("text", digest, self._text), lambda: ArrayStream(self._pieces(texts(), count), {})
        )
        return RaggedTable(stored.arrays["ids"], stored.arrays["word"], stored.arrays["offsets"], pad)

    def _pieces(self, texts: Iterable[tuple[str, ...]], count: int) -> Iterator[Arrays]:
        yield {"offsets": np.zeros(1, dtype=np.int64)}
        base = done = 0
        for chunk in _chunks(texts):
            table = self._words.encode(chunk)
            yield {"ids": table.ids, "word": table.word, "offsets": table.offsets[1:] + base}
            base, done = base + len(table.ids), done + len(chunk)
            self._advance("tokenizing parallel text", done, count)
        self._check()

    def _link(self, language: str, pairs: Iterable[Pair], source: RaggedTable, target: RaggedTable) -> Iterator[Arrays]:
        """Links of informative words that remain after truncation."""
        assert self._align is not None
        yield {"offsets": np.zeros(1, dtype=np.int64)}
        start = base = 0
        for chunk in _chunks(pairs):
            rows = np.arange(start, start + len(chunk))
            sides = source.select(rows), target.select(rows)
            found = self._align(language, chunk, *sides)
            some = [informative(links, pair.source, pair.target) for links, pair in zip(found, chunk, strict=True)]
            linked = _visible(WordLinks.of(some), *sides)
            yield {"words": linked.words.ravel(), "offsets": linked.offsets[1:] + base}
            start, base = start + len(chunk), base + len(linked.words)
            self._advance(f"aligning {language}", start, len(source))
        self._check()

    def _check(self) -> None:
        """ChangedError if the text changed since its signature was made: it must not be stored under that signature."""
        if self._parallel.signature != self._signature:
            raise ChangedError("the parallel text changed while it was read", RESTORE)


def encoding_facts(encoder: Encoder, max_length: int) -> list[Any]:
    """Facts that decide the sub-words of a text: `encoder` and `max_length`."""
    return [encoder.tokenizer_signature, encoder.limit(max_length)]


def _bytes(words: Sequence[str]) -> bytes:
    return ("\0".join(words) + "\n").encode("utf-8", "surrogatepass")


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    stream = iter(items)
    while chunk := list(islice(stream, CHUNK)):
        yield chunk


def _stored_links(stored: StoredArrays) -> WordLinks:
    if not stored.arrays:
        return WordLinks.of([])
    return WordLinks(stored.arrays["words"].reshape(-1, 2), stored.arrays["offsets"])


def _visible(linked: WordLinks, source: RaggedTable, target: RaggedTable) -> WordLinks:
    """Links without those of words whose sub-words were truncated."""
    pair = np.repeat(np.arange(len(linked)), np.diff(linked.offsets))
    seen = _contains(source, pair, linked.words[:, 0]) & _contains(target, pair, linked.words[:, 1])
    counts = np.bincount(pair[seen], minlength=len(linked))
    return WordLinks(linked.words[seen], np.concatenate([[0], np.cumsum(counts)]))


def _contains(table: RaggedTable, row: np.ndarray, word: np.ndarray) -> np.ndarray:
    """True where sentence row[i] has a sub-word of word[i]. [m], [m] → [m]."""
    owner = np.repeat(np.arange(len(table)), np.diff(table.offsets))
    scale = int(max(table.word.max(initial=0), word.max(initial=0))) + 2
    return np.isin(row * scale + word, owner * scale + table.word)
