"""Encoders merged from language vectors: one realignment per language, then any subset without another one.

Notations

    θ₀      the starting weights                         v_l = θ_l − θ₀, θ_l realigned on language l alone
    θ_S     θ₀ + scale · combine(v_l, l ∈ S), the encoder of subset S
    φ, h    for a size k: the change of weights by fine-tuning on the source, and its head; never trained further

Task arithmetic (Ilharco et al. 2023) as a proxy for joint training, as in Merge to Mix (arXiv 2505.16066). φ and h are
tuned under θ_S of many random subsets S of k languages, so that they suit all of them alike: tuned on one encoder they
would score how near other encoders are to it. For no language and for all, φ and h are those of plain fine-tuning.

A combination works on stacks of rows, [k, r, d] → [r, d], and files are read block by block: of 65 vectors of a large
encoder only a block of each is in memory at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from realign.encoder.encoder import Encoder
from realign.merging.vectors import Vector, difference, is_stored, vector
from realign.score import Advance, Fidelity, Merging
from realign.store.array_store import key_of
from realign.tasks.finetune import any_of, finetune, report_steps
from realign.tasks.transfer_task import TransferTask, train
from realign.training.encoded_pairs import PairStore
from realign.training.realigner import realign
from realign.training.settings import Realignment

FORMAT = 1  # raise when the same settings give other vectors
SUBSETS = 50  # that φ and h are tuned under
SUBSET_STREAM = 5  # of chance; 0 to 4 are those of realignment and fine-tuning
BLOCK = 2**24  # numbers in memory at a time, over all vectors
PRECISIONS = {"bf16": torch.bfloat16, "fp32": torch.float32}


class LanguageVectors:
    """The vectors v of single languages. They are made when they are first needed and kept on disk, where every study
    and `realingo realign --merge` find them.
    """

    def __init__(
        self,
        encoder: Encoder,
        pairs: PairStore,
        settings: Realignment,
        facts: Mapping[str, Any],
        check: Callable[[], None] = lambda: None,
        advance: Advance | None = None,
    ) -> None:
        """`facts`: those of `realigned_facts` in realign/realign_and_transfer.py. `check` raises if the inputs have
        changed, before a vector is stored.
        """
        self._encoder, self._pairs, self._settings, self._facts = encoder, pairs, settings, dict(facts)
        self._check, self._advance = check, advance
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._open: dict[str, Vector] = {}

    def merge(self, codes: Sequence[str], pairs: int, seed: int, settings: Merging) -> nn.Module:
        """The encoder θ_S of the languages `codes`, not fine-tuned. `pairs`: of each language, seen in realignment."""
        model = self._encoder.copy().to(self._device)
        add(model, self.of(codes, pairs, seed, settings), settings)
        return model

    def of(self, codes: Sequence[str], pairs: int, seed: int, settings: Merging) -> dict[str, Vector]:
        """Vectors of the languages `codes` for `settings.seeds` seeds from `seed` on, by code and seed."""
        each = _with_seeds(codes, seed, settings)
        return {f"{code} {number}": self._vector(code, pairs, settings.precision, number) for code, number in each}

    def keys(self, codes: Sequence[str], pairs: int, seed: int, settings: Merging) -> dict[str, str]:
        """Names of the files of these vectors, by code and seed."""
        each = _with_seeds(codes, seed, settings)
        return {f"{code} {number}": self._key(code, pairs, settings.precision, number) for code, number in each}

    def missing(self, codes: Sequence[str], pairs: int, seed: int, settings: Merging) -> list[tuple[str, int]]:
        """Codes and seeds of those that are not on disk yet."""
        keys = self.keys(codes, pairs, seed, settings)
        each = _with_seeds(codes, seed, settings)
        return [(code, number) for code, number in each if not is_stored(keys[f"{code} {number}"])]

    def _key(self, code: str, pairs: int, precision: str, seed: int) -> str:
        about = {**self._facts, "text": self._pairs.facts(code)}
        return key_of("vector", FORMAT, about, code, pairs, precision, seed)

    def _vector(self, code: str, pairs: int, precision: str, seed: int) -> Vector:
        def make() -> dict[str, Tensor]:
            model, steps = self._encoder.copy().to(self._device), pairs // self._settings.batch
            realign(model, {code: self._pairs.of(code)}, self._settings, steps, seed, self._advance)
            self._check()
            return difference(model, self._encoder.model, PRECISIONS[precision])

        key = self._key(code, pairs, precision, seed)
        if key not in self._open:
            self._open[key] = vector(key, make)
        return self._open[key]


class Merger:
    """Encoders of subsets of `pool`, fine-tuned."""

    def __init__(
        self,
        vectors: LanguageVectors,
        encoder: Encoder,
        task: TransferTask,
        pool: Sequence[str],
        facts: Mapping[str, Any],
        check: Callable[[], None] = lambda: None,
        advance: Advance | None = None,
    ) -> None:
        """`facts`: of realignment, parallel text and task, as in the evaluator's signature. `check` raises if the
        inputs have changed, before a vector is stored.
        """
        self._check = check
        self._vectors, self._encoder, self._task = vectors, encoder, task
        self._pool, self._facts = sorted(pool), dict(facts)
        self._advance = advance
        self._open: dict[str, Vector] = {}
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def __call__(self, codes: Sequence[str], fidelity: Fidelity, seed: int) -> tuple[nn.Module, nn.Module | None]:
        """Fine-tuned encoder of the languages `codes`, and the task's head (None without one)."""
        settings = _merging_of(fidelity)
        model = self._vectors.merge(codes, fidelity.pairs, seed, settings)
        if settings.tuned == "each" or not fidelity.steps:
            return model, finetune(self._task, model, fidelity, seed, advance=self._advance)
        tuned = self.tuning_vector(len(codes), fidelity, seed)
        add(model, {"": tuned}, Merging("average", scale=1.0))
        return model, head_of(tuned, self._device)

    def tuning_vector(self, size: int, fidelity: Fidelity, seed: int) -> Vector:
        """Vector φ with head h for subsets of `size` languages."""
        asked = fidelity.facts | {"examples": 0}  # more or fewer sentences are scored: φ is the same
        key = key_of("vector", FORMAT, self._facts, self._pool, size, asked, seed)
        if key not in self._open:
            self._open[key] = vector(key, lambda: self._tune(size, fidelity, seed))
        return self._open[key]

    def _tune(self, size: int, fidelity: Fidelity, seed: int) -> dict[str, Tensor]:
        """Fine-tune once, under a different subset every few steps."""
        settings, rng = _merging_of(fidelity), np.random.default_rng([seed, SUBSET_STREAM])
        model = self._encoder.copy().to(self._device)
        tuner = self._task.tuner(model, fidelity.steps, seed)
        assert tuner is not None
        every, under = max(1, fidelity.steps // SUBSETS), dict[str, Vector]()

        def change(step: int) -> None:
            nonlocal under
            if step % every == 0:
                add(model, under, replace(settings, scale=-settings.scale))
                some = sorted(rng.choice(self._pool, size, replace=False).tolist())
                under = self._vectors.of(some, fidelity.pairs, seed, settings)
                add(model, under, settings)

        head = train(model, tuner, fidelity.steps, change, any_of(report_steps(self._advance, fidelity.steps)))
        add(model, under, replace(settings, scale=-settings.scale))
        self._check()
        return difference(model, self._encoder.model, torch.float32, head)


def _with_seeds(codes: Sequence[str], seed: int, settings: Merging) -> list[tuple[str, int]]:
    return [(code, number) for code in codes for number in range(seed, seed + settings.seeds)]


def _merging_of(fidelity: Fidelity) -> Merging:
    assert fidelity.merging is not None
    return fidelity.merging


def head_of(tuned: Vector, device: torch.device) -> nn.Module | None:
    """The task's head h in `tuned`, the vector of the fine-tuning, on `device`; None where the task has none."""
    state = tuned.head()
    if not state:
        return None
    head = nn.Linear(state["weight"].shape[1], state["weight"].shape[0])
    head.load_state_dict(state)
    return head.to(device)


@torch.no_grad()
def add(model: nn.Module, vectors: Mapping[str, Vector], settings: Merging) -> None:
    """Add the combined `vectors`, times the scale, to the weights of `model` in place; the order of the vectors has no
    effect.
    """
    named = sorted(vectors.items())
    for name, weight in model.named_parameters():
        if any(name in each for _, each in named):
            for start, change in _combine(name, weight, named, settings):
                weight[start : start + len(change)] += settings.scale * change.to(weight.device, weight.dtype)


def _combine(
    name: str, weight: Tensor, named: Sequence[tuple[str, Vector]], settings: Merging
) -> Iterator[tuple[int, Tensor]]:
    """The combination of one tensor, block by block: its first row and its rows, fp32."""
    having = [(each, _trim(each, code, name, weight, settings)) for code, each in named if name in each]
    rows = max(1, BLOCK // (len(named) * weight[0].numel()))
    for start in range(0, len(weight), rows):
        stop = min(start + rows, len(weight))
        blocks = torch.stack([trim(each.block(name, start, stop)) for each, trim in having])
        yield start, METHODS[settings.method](blocks, len(named))


def _trim(each: Vector, code: str, name: str, weight: Tensor, settings: Merging) -> Callable[[Tensor], Tensor]:
    """Function to apply to the blocks of one vector's tensor, first to last, before they are combined."""
    if settings.method == "ties":
        least = each.threshold(name, settings.density, weight.numel())
        return lambda block: block.where(block.abs() >= least, 0.0)
    if settings.method == "dare":
        chance = np.random.default_rng(list(hashlib.sha256(f"{code} {name}".encode()).digest()))
        return lambda block: block * torch.from_numpy(chance.random(block.shape) < settings.density) / settings.density
    return lambda block: block


def _average(blocks: Tensor, count: int) -> Tensor:
    """The mean over all `count` vectors; those that are not among `blocks` [k, r, d] are zero."""
    return blocks.sum(0) / count


def _mean_of_changed(blocks: Tensor, count: int) -> Tensor:
    """Mean over the vectors that changed a number: a sub-word of one language is not diluted by the others."""
    return blocks.sum(0) / (blocks != 0).sum(0).clamp(min=1)


def _elect_signs(blocks: Tensor, count: int) -> Tensor:
    """TIES, steps 2 and 3: the sign with more mass wins; the mean is over the vectors that have it.

    Yadav et al. 2023.
    """
    agreeing = blocks.where(blocks.sign() == blocks.sum(0).sign(), 0.0)
    return _mean_of_changed(agreeing, count)


METHODS: Mapping[str, Callable[[Tensor, int], Tensor]] = {
    "average": _average,  # task arithmetic, Ilharco et al. 2023 (arXiv 2212.04089)
    "touched": _mean_of_changed,
    "ties": _elect_signs,  # Yadav et al. 2023 (arXiv 2306.01708): small changes trimmed, signs elected
    "dare": _average,  # Yu et al. 2024 (arXiv 2311.03099): changes dropped at random, the rest rescaled
}
