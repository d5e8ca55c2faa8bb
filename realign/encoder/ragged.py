"""Encoded sentences as ragged rows: flat arrays and offsets, in memory or mapped from disk; no padding is stored.

Rows are taken by number; a batch is padded to its longest row when it is taken.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from selector.errors import InputError

MOST_WORDS = np.iinfo(np.int16).max  # of a sentence


@dataclass(frozen=True)
class RaggedTable:
    """n sentences; sentence i is `ids[offsets[i]:offsets[i + 1]]`."""

    ids: np.ndarray  # [s] int32: sub-word ids of all sentences, special tokens included
    word: np.ndarray  # [s] int16: the word each sub-word belongs to; -1 for special tokens
    offsets: np.ndarray  # [n + 1] int64
    pad: int  # the id used for padding

    @classmethod
    def pack(cls, ids: Sequence[Sequence[int]], words: Sequence[Sequence[int]], pad: int) -> RaggedTable:
        offsets = np.zeros(len(ids) + 1, dtype=np.int64)
        np.cumsum(np.fromiter(map(len, ids), dtype=np.int64, count=len(ids)), out=offsets[1:])
        flat = np.fromiter(itertools.chain.from_iterable(ids), dtype=np.int32, count=offsets[-1])
        word = np.fromiter(itertools.chain.from_iterable(words), dtype=np.int32, count=offsets[-1])
        if word.max(initial=-1) > MOST_WORDS:
            raise InputError(f"a sentence has more than {MOST_WORDS} words", "cut the text into sentences")
        return cls(flat, word.astype(np.int16), offsets, pad)

    @classmethod
    def stack(cls, tables: Sequence[RaggedTable], pad: int) -> RaggedTable:
        """All rows of `tables`, in order, as one table in memory."""
        ids, word = (np.concatenate([getattr(table, name) for table in tables]) for name in ("ids", "word"))
        return cls(ids, word, stacked_offsets([table.offsets for table in tables]), pad)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def length(self) -> Tensor:
        """Number of sub-words of each sentence [n] with special tokens, int64."""
        return torch.from_numpy(np.diff(self.offsets))

    @cached_property
    def vocabulary(self) -> np.ndarray:
        """Ids that occur in batches, ascending."""
        seen = np.zeros(self.ids.max(initial=self.pad) + 1, dtype=bool)
        seen[self.ids] = seen[self.pad] = True
        return np.flatnonzero(seen)

    def row(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids and word numbers of sentence `number`, unpadded."""
        span = slice(self.offsets[number], self.offsets[number + 1])
        return self.ids[span], self.word[span]

    def select(self, rows: np.ndarray) -> RaggedTable:
        """The chosen `rows`, in that order, as a table in memory: the part of a mapped table that one run needs."""
        places, offsets = spans(self.offsets, np.asarray(rows))
        return RaggedTable(self.ids[places], self.word[places], offsets, self.pad)

    def take(self, rows: np.ndarray | Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Ids, attention mask and word numbers of `rows`, each [len(rows), longest of them], int64."""
        rows = np.asarray(rows)
        start = self.offsets[rows]
        length = self.offsets[rows + 1] - start
        column = np.arange(length.max(initial=0))
        beyond = column >= length[:, None]
        places = start[:, None] + column
        # behind a short row lies the next row, behind the last row nothing: cut there, then pad
        ids = self.ids.take(places, mode="clip").astype(np.int64)
        word = self.word.take(places, mode="clip").astype(np.int64)
        ids[beyond] = self.pad
        word[beyond] = -1
        return torch.from_numpy(ids), torch.from_numpy((~beyond).astype(np.int64)), torch.from_numpy(word)

    def batches_by_length(self, size: int, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """`count` batches of `size` rows of similar length (little padding), in random order, with as many passes as
        needed.
        """
        order = np.lexsort((rng.random(len(self)), self.length.numpy()))
        starts = np.arange(0, max(1, len(order) - size + 1), size)
        made = 0
        while made < count:
            for start in rng.permutation(starts)[: count - made]:
                yield order[start : start + size]
                made += 1

    def chunks(self, size: int) -> Iterator[np.ndarray]:
        """Every row once, `size` at a time, shortest first: for evaluation."""
        order = np.argsort(self.length.numpy(), kind="stable")
        for start in range(0, len(order), size):
            yield order[start : start + size]


def spans(offsets: np.ndarray, rows: np.ndarray, length: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Places [s] of the elements of the ragged `rows` in the flat array, and the `offsets` [len(rows) + 1] of the
    result.

    With `length` [len(rows)] only that number of first elements of each row.
    """
    start = offsets[rows]
    length = offsets[rows + 1] - start if length is None else length
    ends = np.concatenate([[0], np.cumsum(length)])
    return np.arange(ends[-1]) + np.repeat(start - ends[:-1], length), ends


def stacked_offsets(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Offsets of ragged arrays laid end to end, from those of its `parts`."""
    first = np.cumsum([0, *(part[-1] for part in parts)])
    return np.concatenate([[0], *(part[1:] + base for part, base in zip(parts, first[:-1], strict=True))]).astype(
        np.int64
    )


def first_subwords(word: Tensor) -> Tensor:
    """True [n, t] at the first sub-word of every word; `word` [n, t] are word numbers (words are contiguous)."""
    before = torch.nn.functional.pad(word[:, :-1], (1, 0), value=-1)
    return (word >= 0) & (word != before)
