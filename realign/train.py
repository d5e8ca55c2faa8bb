"""The realignment loop: as many sentence pairs in total for every subset, drawn evenly from its languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from realign.align import informative, mutual
from realign.corpus import Pair, Parallel
from realign.encoder import Encoder, blocks, hidden_states
from realign.loss import nt_xent, projection, sentence_vectors, word_vectors
from realign.optimize import CLIP, check_finite
from realign.table import Table
from selector.errors import InputError

ALIGN_BATCH = 64  # sentence pairs


@dataclass(frozen=True)
class Realignment:
    """How to realign. Defaults suit a small encoder; the paper's for XLM-R-base: lr 7.5e-6, 24,544 steps of 16."""

    loss: Literal["sentence", "word"] = "sentence"
    aligner: Literal["mutual", "gold"] | None = None  # for the word loss
    batch: int = 16  # sentence pairs a step
    lr: float = 1e-3  # constant (Adam)
    temperature: float = 0.1
    layer: int = -1  # -1: the last block's output
    freeze: Literal["none", "lower", "upper"] = "none"  # AlignFreeze (arXiv 2502.12959): half of the blocks
    max_length: int = 96  # sub-words a sentence


@dataclass(frozen=True)
class EncodedPairs:
    """Sentence pairs of one language: row i of `target` translates row i of `source`."""

    source: Table
    target: Table
    links: Sequence[Tensor]  # per pair [m, 2]: (source word, target word); empty for the sentence loss


class PairStore:
    """Parallel text encoded once per language, with word links where the loss needs them."""

    def __init__(self, encoder: Encoder, parallel: Parallel, how: Realignment) -> None:
        self._encoder, self._parallel, self._how = encoder, parallel, how
        self._known: dict[str, EncodedPairs] = {}

    def of(self, language: str) -> EncodedPairs:
        if language not in self._known:
            self._known[language] = self._encode(language)
        return self._known[language]

    def _encode(self, language: str) -> EncodedPairs:
        pairs = self._parallel.pairs(language, "train")
        if not pairs:
            raise InputError(f"there are no parallel sentences for {language}", "take it out of the pool, or add data")
        source = self._encoder.encode([pair.source for pair in pairs], self._how.max_length)
        target = self._encoder.encode([pair.target for pair in pairs], self._how.max_length)
        links = self._links(pairs, source, target) if self._how.loss == "word" else []
        return EncodedPairs(source, target, links)

    def _links(self, pairs: Sequence[Pair], source: Table, target: Table) -> list[Tensor]:
        if self._how.aligner == "gold":
            if any(pair.links is None for pair in pairs):
                raise InputError("this parallel text has no gold word alignment", 'use aligner = "mutual"')
            found = [pair.links or () for pair in pairs]
        else:
            found = _align(self._encoder, source, target, self._how.layer)
        links = []
        for row, (pair, some) in enumerate(zip(pairs, found, strict=True)):
            kept = informative(some, pair.source, pair.target)
            seen = _seen(source, row), _seen(target, row)
            visible = [(i, j) for i, j in kept if i in seen[0] and j in seen[1]]
            links.append(torch.tensor(visible, dtype=torch.long).reshape(-1, 2))
        return links


def _seen(table: Table, row: int) -> set[int]:
    """The words of a sentence that still have a sub-word after truncation."""
    return set(table.word[row].tolist())


@torch.inference_mode()
def _align(encoder: Encoder, source: Table, target: Table, layer: int) -> list[tuple[tuple[int, int], ...]]:
    """Mutual nearest words of each pair under the starting encoder."""
    links: list[tuple[tuple[int, int], ...]] = []
    for start in range(0, len(source), ALIGN_BATCH):
        rows = np.arange(start, min(start + ALIGN_BATCH, len(source)))
        sides = zip(_unit_words(encoder, source, rows, layer), _unit_words(encoder, target, rows, layer), strict=True)
        links += [mutual(ours @ theirs.T) for ours, theirs in sides]
    return links


def _unit_words(encoder: Encoder, table: Table, rows: np.ndarray, layer: int) -> list[Tensor]:
    """Per sentence [words, d]: word vectors of length one."""
    ids, mask, word = table.take(rows)
    counts = word.max(1).values + 1
    sentence = torch.repeat_interleave(torch.arange(len(rows)), counts)
    number = torch.cat([torch.arange(int(count)) for count in counts])
    vectors = word_vectors(hidden_states(encoder.model, ids, mask, layer), word, sentence, number)
    return list(nn.functional.normalize(vectors, dim=1).split(counts.tolist()))


def realign(model: nn.Module, pairs: Mapping[str, EncodedPairs], how: Realignment, steps: int, seed: int) -> None:
    """Realign `model` in place on the union of `pairs` (language → its pairs), `steps` batches in all.

    Equal arguments give equal weights, bit for bit, on one machine with one number of threads.
    """
    names = sorted(pairs)
    if not names or steps == 0:
        return
    device = next(model.parameters()).device
    table, row_of = _one_table([pairs[name] for name in names])
    head = projection(model.config.hidden_size, torch.Generator().manual_seed(seed)).to(device)  # type: ignore
    trained = [*_freeze(model, how.freeze), *head.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=how.lr, weight_decay=0.0, fused=True)
    rng = np.random.default_rng([seed, 1])
    model.train()
    loss = torch.zeros(())
    for choice in _plan([len(pairs[name].source) for name in names], steps, how.batch, rng):
        rows = row_of(choice)
        ids, mask, word = (block.to(device) for block in table.take(rows))
        states = hidden_states(model, ids, mask, how.layer)
        if how.loss == "sentence":
            vectors = sentence_vectors(states, word)
        else:
            links = [pairs[names[language]].links[pair] for language, pair in choice]
            vectors = linked_vectors(states, word, links)
        if not len(vectors):
            continue
        loss = nt_xent(head(vectors), how.temperature)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, CLIP)
        optimizer.step()
        optimizer.zero_grad()
    _unfreeze(model)
    check_finite(loss, "realignment")


def linked_vectors(states: Tensor, word: Tensor, links: Sequence[Tensor]) -> Tensor:
    """[2N, d] vectors of linked words, sources first. states [2b, t, d]: b sources, then their b translations."""
    batch = len(links)
    rows = torch.repeat_interleave(torch.arange(batch), torch.tensor([len(some) for some in links]))
    both = torch.cat(list(links))
    if not len(both):
        return states.new_zeros(0, states.shape[-1])
    sides = torch.cat([rows, rows + batch]).to(states.device)
    return word_vectors(states, word, sides, torch.cat([both[:, 0], both[:, 1]]).to(states.device))


def _one_table(pairs: Sequence[EncodedPairs]):  # type: ignore[no-untyped-def]
    """All sentences in one table, and a function from chosen pairs [b, 2] to its rows [2b], sources first."""
    table = Table.stack([each.source for each in pairs] + [each.target for each in pairs], pad=0)
    sizes = np.array([len(each.source) for each in pairs])
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])

    def rows(choice: np.ndarray) -> np.ndarray:
        sources = first[choice[:, 0]] + choice[:, 1]
        return np.concatenate([sources, sources + sizes.sum()])

    return table, rows


def _plan(sizes: Sequence[int], steps: int, batch: int, rng: np.random.Generator) -> np.ndarray:
    """[steps, batch, 2] (language, pair): languages take turns in random order, each walks through its own pairs."""
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


def _freeze(model: nn.Module, mode: str) -> list[nn.Parameter]:
    """Freeze half of the blocks (the embeddings count as lower); returns what is still trained."""
    if mode != "none":
        stack = blocks(model)
        half = len(stack) // 2
        upper = {id(p) for block in stack[half:] for p in block.parameters()}
        for parameter in model.parameters():
            parameter.requires_grad_((id(parameter) in upper) == (mode == "lower"))
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def _unfreeze(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.requires_grad_(True)
