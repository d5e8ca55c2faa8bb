"""Encoding text word by word: each different word is cut into sub-words once, which is most of the time for long text.

A tokenizer that is given words cuts each of them without looking at its neighbours, so the sub-words of a sentence are
those of its words. Where that is not so (it is tried on the first sentences), the encoder encodes as it always does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np

from realign.encoder.encoder import Encoder, Words
from realign.encoder.ragged import MOST_WORDS as MOST_INSIDE
from realign.encoder.ragged import RaggedTable, spans
from realign.encoder.tokenizer import with_spaces

MOST_WORDS = 500_000  # held at a time
TRIED = 64  # sentences encoded both ways

log = logging.getLogger("realingo.encoder")


class WordByWord:
    """`Encoder.encode` for single sentences, with the same result; it remembers words."""

    def __init__(self, encoder: Encoder, max_length: int) -> None:
        self._encoder, self._length = encoder, max_length
        self._limit = encoder.limit(max_length)
        self._written: Callable[[Sequence[str]], Sequence[str]] = with_spaces if encoder.needs_spaces else tuple
        self._ends: tuple[list[int], list[int]] | None = None  # the special tokens before and after a sentence
        self._fits: bool | None = None  # whether words may be encoded on their own; None: not tried yet
        self._number: dict[str, int] = {}
        self._ids = np.empty(0, dtype=np.int32)  # [s] the sub-words of all words known
        self._offsets = np.zeros(1, dtype=np.int64)  # [words + 1]

    def encode(self, sentences: Words) -> RaggedTable:
        """Sub-word ids of `sentences` given as words; longer ones are cut."""
        if self._fits is None and len(sentences):
            self._fits = self._try(sentences[:TRIED])
        if not self._fits:
            return self._encoder.encode(sentences, self._length)
        return self._join_words(sentences)

    def _try(self, sentences: Words) -> bool:
        whole = self._encoder.encode(sentences, self._length)
        if max(map(len, sentences)) > MOST_INSIDE:
            return False
        probe = self._encoder.encode([("a",)], self._length)
        inside = np.flatnonzero(probe.word >= 0)
        if not len(inside) or self._encoder.tokenizer.truncation_side != "right":
            return False
        self._ends = probe.ids[: inside[0]].tolist(), probe.ids[inside[-1] + 1 :].tolist()
        mine = self._join_words(sentences)
        same = all(np.array_equal(getattr(mine, name), getattr(whole, name)) for name in ("ids", "word", "offsets"))
        if not same:
            log.info("this tokenizer looks at the neighbours of a word: sentences are encoded whole")
        return same

    def _join_words(self, given: Words) -> RaggedTable:
        assert self._ends is not None
        sentences = [self._written(words) for words in given]
        self._learn(sentences)
        sizes = np.fromiter(map(len, sentences), dtype=np.int64, count=len(sentences))
        words = np.fromiter(map(self._number.__getitem__, chain.from_iterable(sentences)), np.int64, sizes.sum())
        places, ends = spans(self._offsets, words)  # of the sub-words of each word
        whole = np.concatenate([[0], np.cumsum(sizes)])
        place = np.repeat(np.arange(len(words)) - np.repeat(whole[:-1], sizes), np.diff(ends))  # of the word inside
        return self._frame(self._ids[places], place, ends[whole])

    def _frame(self, ids: np.ndarray, words: np.ndarray, offsets: np.ndarray) -> RaggedTable:
        """Each sentence cut to its room, between the special tokens. ids, words [s], offsets [n + 1]"""
        assert self._ends is not None
        before, after = self._ends
        extra = len(before) + len(after)
        length = np.minimum(np.diff(offsets), self._limit - extra)
        kept, _ = spans(offsets, np.arange(len(length)), length)
        starts = np.concatenate([[0], np.cumsum(length + extra)])
        inside, _ = spans(starts + len(before), np.arange(len(length)), length)
        framed = np.empty(starts[-1], dtype=np.int32)
        numbers = np.full(starts[-1], -1, dtype=np.int16)
        framed[inside], numbers[inside] = ids[kept], words[kept]
        for place, token in enumerate(before):
            framed[starts[:-1] + place] = token
        for place, token in enumerate(reversed(after), 1):
            framed[starts[1:] - place] = token
        return RaggedTable(framed, numbers, starts, self._encoder.tokenizer.pad_token_id)

    def _learn(self, sentences: Sequence[Sequence[str]]) -> None:
        """Encode the words that were not seen before."""
        if len(self._number) > MOST_WORDS:
            self._number, self._ids, self._offsets = {}, self._ids[:0], self._offsets[:1]
        new = list({word for sentence in sentences for word in sentence} - self._number.keys())
        if not new:
            return
        core = self._encoder.tokenizer.backend_tokenizer
        core.no_truncation()  # `Encoder.encode` sets it for each call
        core.no_padding()
        found = [each.ids for each in core.encode_batch([[word] for word in new], True, False)]
        self._number.update(zip(new, range(len(self._number), len(self._number) + len(new)), strict=True))
        ends = np.cumsum([len(ids) for ids in found]) + self._offsets[-1]
        self._ids = np.concatenate([self._ids, np.fromiter(chain.from_iterable(found), dtype=np.int32)])
        self._offsets = np.concatenate([self._offsets, ends])
