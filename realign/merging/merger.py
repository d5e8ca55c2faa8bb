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
from realign.merging.vectors import Vector, difference, vector
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
REALIGNED = ("protocol", "encoder", "parallel", "realignment", "torch", "device")  # facts a realignment depends on
PRECISIONS = {"bf16": torch.bfloat16, "fp32": torch.float32}


class Merger:
    """Encoders of subsets of `pool`. Vectors are made when they are first needed and kept on disk."""

    def __init__(
        self,
        encoder: Encoder,
        pairs: PairStore,
        task: TransferTask,
        settings: Realignment,
        pool: Sequence[str],
        facts: Mapping[str, Any],
        check: Callable[[], None] = lambda: None,
        advance: Advance | None = None,
    ) -> None:
        """`facts`: encoder, parallel text, task and realignment, as in the evaluator's signature. `check` raises if
        they have changed, before a vector is stored under them.
        """
        self._check = check
        self._encoder, self._pairs, self._task, self._settings = encoder, pairs, task, settings
        self._pool, self._facts = sorted(pool), dict(facts)
        self._advance = advance
        self._open: dict[str, Vector] = {}
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def __call__(self, codes: Sequence[str], fidelity: Fidelity, seed: int) -> tuple[nn.Module, nn.Module | None]:
        """Fine-tuned encoder of the languages `codes`, and the task's head (None without one)."""
        model = self._encoder.copy().to(self._device)
        settings = _merging_of(fidelity)
        add(model, self._language_vectors(codes, fidelity, seed), settings)
        if settings.tuned == "each" or not fidelity.steps:
            return model, finetune(self._task, model, fidelity, seed, advance=self._advance)
        tuned = self._tuning_vector(len(codes), fidelity, seed)
        add(model, {"": tuned}, Merging("average", scale=1.0))
        return model, _head(tuned, self._device)

    def _language_vectors(self, codes: Sequence[str], fidelity: Fidelity, seed: int) -> dict[str, Vector]:
        """Vectors of some languages, for every seed that is needed."""
        seeds = range(seed, seed + _merging_of(fidelity).seeds)
        return {f"{code} {each}": self._language_vector(code, fidelity, each) for code in codes for each in seeds}

    def _language_vector(self, code: str, fidelity: Fidelity, seed: int) -> Vector:
        """Vector v of one language."""
        precision = _merging_of(fidelity).precision

        def make() -> dict[str, Tensor]:
            model, steps = self._encoder.copy().to(self._device), fidelity.pairs // self._settings.batch
            realign(model, {code: self._pairs.of(code)}, self._settings, steps, seed, self._advance)
            return difference(model, self._encoder.model, PRECISIONS[precision])

        about = {name: self._facts[name] for name in REALIGNED}
        return self._keep(make, about, code, fidelity.pairs, precision, seed)

    def _tuning_vector(self, size: int, fidelity: Fidelity, seed: int) -> Vector:
        """Vector φ with head h for subsets of `size` languages."""
        about = {name: self._facts[name] for name in (*REALIGNED, "task")}
        asked = fidelity.facts | {"examples": 0}  # more or fewer sentences are scored: φ is the same
        return self._keep(lambda: self._tune(size, fidelity, seed), about, self._pool, size, asked, seed)

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
                under = self._language_vectors(sorted(rng.choice(self._pool, size, replace=False)), fidelity, seed)
                add(model, under, settings)

        head = train(model, tuner, fidelity.steps, change, any_of(report_steps(self._advance, fidelity.steps)))
        add(model, under, replace(settings, scale=-settings.scale))
        return difference(model, self._encoder.model, torch.float32, head)

    def _keep(self, make: Callable[[], dict[str, Tensor]], *facts: Any) -> Vector:
        key = key_of("vector", FORMAT, *facts)
        if key not in self._open:
            self._open[key] = vector(key, lambda: self._check_inputs(make()))
        return self._open[key]

    def _check_inputs(self, made: dict[str, Tensor]) -> dict[str, Tensor]:
        self._check()
        return made


def _merging_of(fidelity: Fidelity) -> Merging:
    assert fidelity.merging is not None
    return fidelity.merging


def _head(tuned: Vector, device: torch.device) -> nn.Module | None:
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
