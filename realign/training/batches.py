"""Batches of a realignment: the sentence pairs of each step, with their encoded text prepared ahead of the steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from realign.encoder.ragged import RaggedTable
from realign.training.encoded_pairs import EncodedPairs
from realign.training.word_alignment import WordLinks

WINDOW = 65536  # sentence pairs laid out at a time: bounds the memory, whatever the size of the corpus


@dataclass(frozen=True)
class Batch:
    """b sentence pairs: rows 0 to b − 1 are the sources, b to 2b − 1 their translations in the same order.

    Vector i of the loss is that of sentence `rows[i]`, or of its word `words[i]`; sources first.
    """

    ids: Tensor  # [2b, t]
    mask: Tensor  # [2b, t]
    word: Tensor  # [2b, t]
    rows: Tensor  # [2N]
    words: Tensor | None  # [2N]; None for the sentence loss

    @property
    def loss_mask(self) -> Tensor:
        """Sub-words that the loss uses [2b, t]: all, or those of linked words."""
        visible = self.word >= 0
        if self.words is None:
            return visible
        linked = torch.zeros(len(self.word), int(self.word.max()) + 1, dtype=torch.bool)
        linked[self.rows, self.words] = True
        return linked.gather(1, self.word.clamp(min=0)) & visible

    def pieces(self, size: int) -> Iterator[tuple[Tensor, Batch]]:
        """Parts of the batch with at most `size` sentences, each with the numbers [m] of the vectors in it."""
        for start in range(0, len(self.ids), size):
            inside = torch.nonzero((self.rows >= start) & (self.rows < start + size))[:, 0]
            if not len(inside):
                continue
            some = slice(start, start + size)
            width = int(self.mask[some].sum(1).max())
            ids, mask, word = (block[some, :width] for block in (self.ids, self.mask, self.word))
            words = None if self.words is None else self.words[inside]
            yield inside, Batch(ids, mask, word, self.rows[inside] - start, words)


class BatchPlan:
    """All batches of one realignment: a pure function of the pairs, the sizes and the seed."""

    def __init__(self, pairs: Sequence[EncodedPairs], steps: int, batch: int, seed: int, by_word: bool) -> None:
        """`pairs`: one per language. `by_word`: the loss compares linked words, not sentences."""
        self._pairs, self._by_word = pairs, by_word
        self._choice = draw_examples(
            [len(each.source) for each in pairs], steps, batch, np.random.default_rng([seed, 1])
        )
        self._steps = max(1, WINDOW // batch)  # of a window
        self._at: _Window | None = None

    @property
    def counts(self) -> list[int]:
        """Number of pairs of each language in all steps together."""
        return np.bincount(self._choice[:, :, 0].ravel(), minlength=len(self._pairs)).tolist()

    def batch(self, step: int) -> Batch:
        number = step // self._steps
        if self._at is None or self._at.number != number:
            self._at = self._lay_out(number)
        size = self._choice.shape[1]
        chosen = self._at.place[(step % self._steps) * size :][:size]
        ids, mask, word = self._at.table.take(np.concatenate([chosen, chosen + len(self._at.place)]))
        if self._at.links is None:
            return Batch(ids, mask, word, torch.arange(2 * size), None)
        links = self._at.links.select(chosen)
        row = np.repeat(np.arange(size), np.diff(links.offsets))
        rows = torch.from_numpy(np.concatenate([row, row + size]))
        return Batch(ids, mask, word, rows, torch.from_numpy(links.words.T.reshape(-1).astype(np.int64)))

    def _lay_out(self, number: int) -> _Window:
        """Sentences of a window of steps in memory, language by language."""
        language, pair = self._choice[number * self._steps :][: self._steps].reshape(-1, 2).T
        order = np.argsort(language, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        wanted = [(each, pair[order][language[order] == code]) for code, each in enumerate(self._pairs)]
        sides = [each.source.select(rows) for each, rows in wanted] + [
            each.target.select(rows) for each, rows in wanted
        ]
        links = WordLinks.stack([each.links.select(rows) for each, rows in wanted]) if self._by_word else None
        return _Window(number, RaggedTable.stack(sides, sides[0].pad), links, place)


@dataclass(frozen=True)
class _Window:
    number: int
    table: RaggedTable  # all sources, then all translations
    links: WordLinks | None
    place: np.ndarray  # the row of each chosen pair among the sources, in the order of the steps


def draw_examples(sizes: Sequence[int], steps: int, batch: int, rng: np.random.Generator) -> np.ndarray:
    """Language and pair of every example, [`steps`, `batch`, 2]; `sizes` has the number of pairs of each language.

    Languages take turns in random order (`rng`), and each goes through its own pairs.
    """
    count = steps * batch
    rounds = -(-count // len(sizes))
    language = np.concatenate([rng.permutation(len(sizes)) for _ in range(rounds)])[:count]
    pair = np.empty(count, dtype=np.int64)
    for number, size in enumerate(sizes):
        places = np.flatnonzero(language == number)
        laps = -(-len(places) // size)
        walk = np.concatenate([rng.permutation(size) for _ in range(laps)]) if laps else np.empty(0, dtype=np.int64)
        pair[places] = walk[: len(places)]
    return np.stack([language, pair], axis=1).reshape(steps, batch, 2)
