"""From the recipe to a word aligner: what links the words of sentence pairs, a chunk at a time.

mutual, itermax               from the similarity of word vectors under the starting encoder (realign/align.py)
gold, dictionary, pharaoh     from links that the pairs carry already: the corpus's own, or realign/linked.py's
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from realign.align import Links, itermax, links_of, mutual
from realign.corpus import Pair
from realign.encoder import Encoder, hidden_states
from realign.loss import word_vectors
from realign.recipe import Realignment
from realign.table import Table
from selector.errors import InputError

ALIGN_BATCH = 64  # sentence pairs
BY_SIMILARITY: dict[str, Callable[[Tensor], Tensor]] = {"mutual": mutual, "itermax": itermax}


class Aligner(Protocol):
    """Pure: equal pairs, equal links."""

    @property
    def signature(self) -> str:
        """Names everything but the pairs that the links depend on."""
        ...

    def __call__(self, language: str, pairs: Sequence[Pair], source: Table, target: Table) -> list[Links]:
        """The links of each of `pairs`, whose encoded sides are `source` and `target`."""
        ...


def aligner(how: Realignment, encoder: Encoder) -> Aligner:
    """The aligner that `how` names. InputError where it names none."""
    if how.aligner is None:
        raise InputError("no aligner is given", 'aligner = "mutual" needs no data')
    if how.aligner in BY_SIMILARITY:
        return Nearest(how.aligner, encoder, how.layer)
    return Carried(how.aligner)


class Carried:
    """Links that the pairs carry."""

    def __init__(self, name: str) -> None:
        self.signature = name

    def __call__(self, language: str, pairs: Sequence[Pair], source: Table, target: Table) -> list[Links]:
        if any(pair.links is None for pair in pairs):
            message = f"the parallel text of {language} has no {self.signature} word alignment"
            raise InputError(message, 'use aligner = "mutual"')
        return [pair.links or () for pair in pairs]


class Nearest:
    """Links by the cosine of word vectors at `layer` of the starting encoder."""

    def __init__(self, name: str, encoder: Encoder, layer: int) -> None:
        self._encoder, self._layer, self._links = encoder, layer, BY_SIMILARITY[name]
        self.signature = f"{name}:{encoder.signature}:{layer}"

    @torch.inference_mode()
    def __call__(self, language: str, pairs: Sequence[Pair], source: Table, target: Table) -> list[Links]:
        on_gpu = torch.cuda.is_available()
        model = self._encoder.copy().to("cuda") if on_gpu else self._encoder.model
        order = np.argsort(np.diff(source.offsets) + np.diff(target.offsets), kind="stable")  # little padding
        found: list[Links] = [()] * len(order)
        for rows, similarity in self._similarities(model, source, target, order):
            for row, links in zip(rows, links_of(self._links(similarity)), strict=True):
                found[row] = links
        return found

    def _similarities(
        self, model: nn.Module, source: Table, target: Table, order: np.ndarray
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Rows and the cosines [b, m, n] of their words, −∞ beyond the end of a sentence."""
        for start in range(0, len(order), ALIGN_BATCH):
            rows = order[start : start + ALIGN_BATCH]
            ours, here = _unit_words(model, source, rows, self._layer)
            theirs, there = _unit_words(model, target, rows, self._layer)
            cosines = torch.bmm(ours, theirs.transpose(1, 2))
            yield rows, cosines.masked_fill(~(here[:, :, None] & there[:, None, :]), float("-inf"))


def _unit_words(model: nn.Module, table: Table, rows: np.ndarray, layer: int) -> tuple[Tensor, Tensor]:
    """[b, m, d] word vectors of length one and [b, m] which of them there are; m: the most words of a sentence."""
    device = next(model.parameters()).device
    ids, mask, word = table.take(rows)
    word = word.to(device)
    many = int(word.max()) + 1
    row, number = torch.meshgrid(torch.arange(len(rows)), torch.arange(many), indexing="ij")
    states = hidden_states(model, ids, mask, layer)
    vectors = word_vectors(states, word, row.flatten().to(device), number.flatten().to(device))
    present = (word[:, :, None] == torch.arange(many, device=device)).any(1)
    return nn.functional.normalize(vectors, dim=1).view(len(rows), many, -1), present
