"""Encoded sentences as one padded block: rows are taken by number and trimmed to the longest of the batch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Table:
    """n sentences of at most t sub-words."""

    ids: Tensor  # [n, t] sub-word ids, padded
    word: Tensor  # [n, t] the word each sub-word belongs to; -1 for special tokens and padding
    length: Tensor  # [n] sub-words with special tokens

    @classmethod
    def pack(cls, ids: Sequence[Sequence[int]], words: Sequence[Sequence[int]], pad: int) -> Table:
        length = np.array([len(row) for row in ids], dtype=np.int64)
        shape = len(ids), int(length.max(initial=0))
        filled = np.arange(shape[1]) < length[:, None]
        packed, word = np.full(shape, pad, dtype=np.int32), np.full(shape, -1, dtype=np.int32)
        packed[filled] = np.fromiter(itertools.chain.from_iterable(ids), dtype=np.int32, count=length.sum())
        word[filled] = np.fromiter(itertools.chain.from_iterable(words), dtype=np.int32, count=length.sum())
        return cls(torch.from_numpy(packed), torch.from_numpy(word), torch.from_numpy(length))

    @classmethod
    def stack(cls, tables: Sequence[Table], pad: int) -> Table:
        """All rows of all tables, in order, as one table."""
        widest = max(table.ids.shape[1] for table in tables)

        def widen(block: Tensor, fill: int) -> Tensor:
            return torch.nn.functional.pad(block, (0, widest - block.shape[1]), value=fill)

        return cls(
            torch.cat([widen(table.ids, pad) for table in tables]),
            torch.cat([widen(table.word, -1) for table in tables]),
            torch.cat([table.length for table in tables]),
        )

    def __len__(self) -> int:
        return self.ids.shape[0]

    def take(self, rows: np.ndarray | Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """ids, attention mask and word numbers of `rows`, each [len(rows), longest of them], int64."""
        rows = torch.as_tensor(rows)
        length = self.length[rows]
        longest = int(length.max())
        mask = (torch.arange(longest) < length[:, None]).long()
        return self.ids[rows, :longest].long(), mask, self.word[rows, :longest].long()

    def batches_by_length(self, size: int, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """`count` batches of `size` rows of similar length (little padding), in random order, over and over."""
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


def first_subwords(word: Tensor) -> Tensor:
    """[n, t] word numbers → [n, t] true at the first sub-word of every word (words are contiguous)."""
    before = torch.nn.functional.pad(word[:, :-1], (1, 0), value=-1)
    return (word >= 0) & (word != before)
