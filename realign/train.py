"""The realignment loop: as many sentence pairs in total for every subset, drawn evenly from its languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from realign.encoder import blocks, hidden_states
from realign.loss import nt_xent, projection, sentence_vectors, word_vectors
from realign.optimize import CLIP, check_finite
from realign.pairs import EncodedPairs
from realign.recipe import Realignment
from realign.table import Table


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
