"""Retrieval: which of n sentences translates this one? Nearest by cosine of mean token states, no label needed.

Asked both ways, as in XTREME's Tatoeba (Hu et al. 2020; Artetxe and Schwenk 2019); nothing is fine-tuned. The score
depends on how many sentences there are to choose from: the number of examples is part of the signature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from realign.corpora.corpus import Parallel, Split
from realign.encoder.encoder import Encoder
from realign.encoder.windows import Windows, windows
from realign.score import Advance, Tally
from realign.tasks.transfer_task import states_of, tallies_by_language
from selector.errors import InputError

BLOCK = 1024  # queries compared at a time
Text = tuple[str, ...]


@dataclass(frozen=True)
class EncodedBitext:
    """Every different sentence encoded once: texts that languages share (the source's) are read only once."""

    windows: Windows
    sides: Mapping[str, tuple[Tensor, Tensor]]  # language → numbers of its source and target sentences, [n] each


class Retrieval:
    """Parallel sentence retrieval between the source and each language."""

    def __init__(self, encoder: Encoder, parallel: Parallel, layer: int = -1, max_length: int = 128) -> None:
        """`layer` as in `hidden_states`: middle layers retrieve better than the last one. Longer sentences are read
        in windows of `max_length` sub-words, and the mean is over all of them."""
        depth = encoder.depth
        if not -depth - 1 <= layer <= depth:
            raise InputError(f"there is no layer {layer}: the encoder has {depth}", f"take one from 0 to {depth}")
        self._encoder, self._parallel, self._layer, self._length = encoder, parallel, layer, max_length
        self._known: dict[tuple[tuple[str, ...], Split, int], EncodedBitext] = {}

    @property
    def facts(self) -> Mapping[str, Any]:
        return {
            "kind": "retrieval",
            "parallel": self._parallel.signature,
            "layer": self._layer,
            "max_length": self._length,
        }

    @property
    def answers(self) -> None:
        return None

    def tuner(self, model: nn.Module, steps: int, seed: int) -> None:
        return None

    def finetune(self, model: nn.Module, steps: int, seed: int) -> None:
        return None

    def source_score(self, model: nn.Module, head: nn.Module | None, limit: int = 0) -> None:
        return None

    @torch.inference_mode()
    def evaluate(
        self,
        model: nn.Module,
        head: nn.Module | None,
        languages: Sequence[str],
        split: Split,
        limit: int = 0,
        advance: Advance | None = None,
    ) -> dict[str, Tally]:
        """Tally of each of `languages`: for each sentence, find its translation, and find the sentence it translates.

        The first `limit` pairs (0: all) of `split`. Equal texts are one.
        """
        bitext = self._bitext(tuple(languages), split, limit)
        unit = nn.functional.normalize(self._means(model, bitext.windows, advance), dim=1)
        counts: list[tuple[int, int]] = []
        for source, target in bitext.sides.values():
            forth = target[_nearest(unit[source], unit[target])] == target
            back = source[_nearest(unit[target], unit[source])] == source
            counts += [(right, 2) for right in (forth.int() + back.int()).tolist()]
        return tallies_by_language(counts, {code: len(source) for code, (source, _) in bitext.sides.items()})

    def _bitext(self, languages: tuple[str, ...], split: Split, limit: int) -> EncodedBitext:
        """The first `limit` pairs (0: all) of every language, encoded once."""
        if (languages, split, limit) not in self._known:
            number: dict[Text, int] = {}
            sides = {}
            for code in languages:
                pairs = self._parallel.pairs(code, split)[: limit or None]
                both = ([pair.source for pair in pairs], [pair.target for pair in pairs])
                mine, theirs = (torch.tensor([number.setdefault(x, len(number)) for x in side]) for side in both)
                sides[code] = mine, theirs
            self._known[languages, split, limit] = EncodedBitext(
                windows(self._encoder, list(number), self._length), sides
            )
        return self._known[languages, split, limit]

    def _means(self, model: nn.Module, cut: Windows, advance: Advance | None) -> Tensor:
        """Mean states [sentences, d] on the CPU over all sub-words of a sentence, whatever windows they are in."""
        sums = torch.zeros(int(cut.owner.max()) + 1, self._encoder.width)
        count = torch.zeros(len(sums))
        for rows, word, states in states_of(model, cut.table, lambda word: word >= 0, self._layer, advance):
            real = (word >= 0).float()
            part = torch.einsum("ntd,nt->nd", states, real.to(states.device)).float().cpu()
            sums.index_add_(0, cut.owner[rows], part)
            count.index_add_(0, cut.owner[rows], real.sum(1))
        return sums / count.clamp(min=1)[:, None]


def _nearest(queries: Tensor, keys: Tensor) -> Tensor:
    """For each query the number of the most similar key; of equals the first. [n, d], [m, d] → [n]."""
    return torch.cat([(block @ keys.T).argmax(1) for block in queries.split(BLOCK)])
