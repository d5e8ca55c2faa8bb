"""Training steps of m encoders at once, replayed from CUDA graphs where asked for; and the realignment's own.

Notations
    m       candidates
    s       tokens of a candidate's batch, filled up to the same number for all
    d       width of the encoder
    u, v    sentences or words of a batch; the vectors of them that the loss compares
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from realign.encoder.packed import Packed, forward
from realign.training.batches import Batch, BatchPlan
from realign.training.encoded_pairs import EncodedPairs
from realign.training.loss import projection
from realign.training.optimizer import LossGuard, autocast, rate
from realign.training.settings import Realignment
from realign.training.stacked_weights import StackedOptimizer, StackedWeights

NONE = -100  # no label, no partner: torch's mark for what a cross-entropy leaves out
ROUND = 128  # tokens of a candidate's batch are filled up to a multiple of this, so that few shapes occur
STEP = 32  # the same for the longest sentence
PIECES = 8  # the same for the sentences that fill up


@dataclass(frozen=True)
class CandidateRun:
    """One candidate: its data to realign on (language → pairs), and its seed."""

    pairs: Mapping[str, EncodedPairs]
    seed: int


@dataclass(frozen=True)
class StepInputs:
    """The batches of one step on the CPU: whole numbers only."""

    tokens: np.ndarray  # [3, m, s] int32: ids, place in the sentence, mark
    borders: np.ndarray  # [n + 1] int32 first token of each sentence of all candidates
    longest: int
    vectors: np.ndarray  # [3, m, v] int32: number of the sentence or word, place of the partner, side; none: NONE


class Steps:
    """Steps of one kind. The data of a step is prepared one step ahead, in a thread of its own."""

    _steps: int  # in all

    def __init__(self, weights: StackedWeights, heads: Sequence[Tensor], lr: float, name: str, capture: bool) -> None:
        self.weights, self.taken = weights, 0  # steps
        self._optimizer, self._guard = StackedOptimizer(weights, heads, lr), LossGuard(name)
        self._graphs: dict[tuple[int, ...], tuple[torch.cuda.CUDAGraph, Any, Tensor]] = {}
        self._capture = capture and weights.device.type == "cuda"
        self._pool: Any = None
        self._eager = 0
        self._ahead = ThreadPoolExecutor(1)
        self._next: Any = None

    def take(self, until: int) -> None:
        """Take all steps before number `until`."""
        while self.taken < until:
            step = self.taken
            inputs = self._next.result() if self._next else self._inputs(step)
            self._next = self._ahead.submit(self._inputs, step + 1) if step + 1 < self._steps else None
            self._optimizer.at(self._share(step))
            self._guard.watch(step, self._work(inputs))
            self.taken += 1

    def finish(self) -> None:
        """Wait for the last step. RunError: a loss was not a number."""
        self._ahead.shutdown()
        self._graphs.clear()
        self._guard.look()

    def _inputs(self, step: int) -> StepInputs:
        raise NotImplementedError

    def _share(self, step: int) -> float:
        raise NotImplementedError

    def _losses(self, states: Tensor, mark: Tensor, vectors: Tensor) -> Tensor:
        """[m]"""
        raise NotImplementedError

    def _states(self, tokens: Packed) -> Tensor:
        raise NotImplementedError

    def _work(self, inputs: StepInputs) -> Tensor:
        device = self.weights.device
        parts = [_send(x, device) for x in (inputs.tokens, inputs.borders, inputs.vectors)]
        if not self._capture or self._eager < 3:
            self._eager += 1
            return self._once(parts, inputs.longest)
        key = (*inputs.tokens.shape, *inputs.borders.shape, *inputs.vectors.shape, inputs.longest)
        if key not in self._graphs:
            self._graphs[key] = self._record_graph(parts, inputs.longest)
        graph, static, loss = self._graphs[key]
        for held, new in zip(static, parts, strict=True):
            held.copy_(new, non_blocking=True)
        graph.replay()
        return loss.clone()

    def _record_graph(self, parts: Sequence[Tensor], longest: int) -> tuple[torch.cuda.CUDAGraph, Any, Tensor]:
        static, graph = [x.clone() for x in parts], torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        with torch.cuda.graph(graph, pool=self._pool):
            loss = self._once(static, longest)
        self._pool = self._pool or graph.pool()
        return graph, static, loss

    def _once(self, parts: Sequence[Tensor], longest: int) -> Tensor:
        tokens, borders, vectors = parts
        if not self.weights._lead:
            tokens, vectors = tokens[:, 0], vectors[:, 0]
        ids, place, mark = tokens.unbind(0)
        packed = Packed(ids, place, place, None, 0, 0, longest, None, borders)
        total = self._losses(self._states(packed), mark, vectors).sum()
        with warnings.catch_warnings():  # gradients are views of one array, on purpose
            warnings.filterwarnings("ignore", message="grad and param do not obey")
            total.backward()
        self._optimizer.step()
        return total.detach()


class RealignSteps(Steps):
    """The realignment of all candidates, a step at a time."""

    def __init__(
        self,
        weights: StackedWeights,
        runs: Sequence[CandidateRun],
        settings: Realignment,
        steps: int,
        capture: bool = False,
    ) -> None:
        self._settings, self._steps = settings, steps
        self._frozen = weights.blocks // 2 if settings.freeze == "lower" else 0
        self._depth = settings.layer if settings.layer >= 0 else weights.blocks + 1 + settings.layer
        self._plans = [batch_plan_of(run, settings, steps) for run in runs]
        width = int(weights.config.hidden_size)
        heads = (
            [projection(width, torch.Generator().manual_seed(run.seed)) for run in runs] if settings.projection else []
        )
        self._head = [
            nn.Parameter(stack_parts([x.weight.detach() for x in layers], weights).to(weights.device))  # type: ignore
            for layers in ([head[0] for head in heads], [head[2] for head in heads])
            if layers
        ]
        super().__init__(weights, self._head, settings.lr, "realignment side by side", capture)

    def _share(self, step: int) -> float:
        return rate(self._settings.schedule, step, self._steps, round(self._settings.warmup * self._steps))

    def _inputs(self, step: int) -> StepInputs:
        batches = [plan.batch(step) for plan in self._plans]
        compared = [_loss_marks(batch, self._settings.pooling) for batch in batches]
        return lay_out(
            [(x.ids, x.mask, mark) for x, (mark, _) in zip(batches, compared, strict=True)],
            [vectors for _, vectors in compared],
        )

    def _states(self, tokens: Packed) -> Tensor:
        with autocast(self.weights.device, self._settings.precision):
            return forward(self.weights.net, tokens, self._depth, self._frozen)

    def _losses(self, states: Tensor, mark: Tensor, vectors: Tensor) -> Tensor:
        number, partner, side = vectors.unbind(0)  # [.., v] each
        units = int(vectors.shape[-1])  # there are no more different ones than vectors
        inside = mark[..., None, :] == torch.arange(units, device=mark.device)[:, None]  # [.., u, s]
        share = inside / inside.sum(-1, keepdim=True).clamp(min=1)
        means = share @ states.float()  # [.., u, d]
        at = number.clamp(min=0).long()[..., None].expand(*number.shape, means.shape[-1])
        z = means.gather(-2, at)
        if self._head:
            z = torch.relu(z @ self._head[0].mT) @ self._head[1].mT
        z = nn.functional.normalize(z, dim=-1)
        s = z @ z.mT / self._settings.temperature
        index = torch.arange(units, device=s.device)
        hidden = (index[:, None] == index) | (partner == NONE)[..., None, :]
        if self._settings.negatives == "cross":
            hidden = hidden | ((side[..., :, None] == side[..., None, :]) & (partner != NONE)[..., :, None])
        return cross_entropy(s.masked_fill(hidden, float("-inf")), partner)


def cross_entropy(answers: Tensor, gold: Tensor) -> Tensor:
    """Mean cross-entropy [..] of `answers` [.., n, c] over the places that have a label in `gold` [.., n]."""
    flat = nn.functional.cross_entropy(
        answers.flatten(0, -2), gold.flatten().long(), ignore_index=NONE, reduction="none"
    )
    return flat.view(gold.shape).sum(-1) / (gold != NONE).sum(-1).clamp(min=1)


def _loss_marks(batch: Batch, pooling: str) -> tuple[Tensor, np.ndarray]:
    """Numbers [n, t] of the sentence or word that each sub-word belongs to in the loss, and the vectors [3, v]."""
    visible = batch.loss_mask
    pairs = len(batch.rows) // 2
    partner = np.roll(np.arange(2 * pairs), -pairs)
    side = np.arange(2 * pairs) // max(1, pairs)
    if batch.words is None:
        if pooling == "reference-prefix":
            visible = visible & (visible.cumsum(1) <= batch.word.max(1, keepdim=True).values + 1)
        mark = torch.arange(len(batch.ids))[:, None].expand(visible.shape)
        return torch.where(visible, mark, NONE), np.stack([np.arange(2 * pairs), partner, side]).astype(np.int32)
    if pooling == "first":
        visible = visible & (batch.word != nn.functional.pad(batch.word[:, :-1], (1, 0), value=-1))
    width = int(batch.word.max()) + 1
    whole = (batch.rows * width + batch.words).numpy()
    units, number = np.unique(whole, return_inverse=True)
    place = torch.arange(len(batch.ids))[:, None] * width + batch.word
    mark = torch.from_numpy(np.searchsorted(units, place.numpy()))
    return torch.where(visible, mark, NONE), np.stack([number, partner, side]).astype(np.int32)


def lay_out(batches: Sequence[tuple[Tensor, Tensor, Tensor]], vectors: Sequence[np.ndarray]) -> StepInputs:
    """Inputs of one step from the ids, mask and mark ([n, t] each) of every candidate in `batches`, without padding.

    Short candidates are filled up with sentences of their own, which no result uses and no other sentence attends to.
    `vectors` are those that the loss compares.
    """
    kept = [np.flatnonzero(mask.numpy()) for _, mask, _ in batches]
    size = _up(max(map(len, kept)), ROUND)
    lengths = [mask.numpy().sum(1) for _, mask, _ in batches]
    longest = _up(int(max(x.max() for x in lengths)), STEP)
    pieces = PIECES * -(-(size - min(map(len, kept))) // (PIECES * longest))
    tokens = np.zeros((3, len(batches), size), dtype=np.int32)
    tokens[2] = NONE
    borders = [np.zeros(1, dtype=np.int64)]
    for lane, (some, (ids, mask, mark), each) in enumerate(zip(kept, batches, lengths, strict=True)):
        count = len(some)
        tokens[0, lane] = np.resize(ids.numpy().ravel()[some], size)
        tokens[1, lane, :count] = some % mask.shape[1]
        tokens[2, lane, :count] = mark.numpy().ravel()[some]
        filled = np.minimum(np.arange(1, pieces + 1) * longest, size - count)
        borders += [lane * size + np.cumsum(each), lane * size + count + filled]
    most = max(x.shape[1] for x in vectors)
    most = 1 if most == 1 else _up(most, 32 if most <= 256 else 256)  # linked words differ in number at every step
    laid = np.full((3, len(batches), most), NONE, dtype=np.int32)
    for lane, x in enumerate(vectors):
        laid[:, lane, : x.shape[1]] = x
    return StepInputs(tokens, np.concatenate(borders).astype(np.int32), longest, laid)


def _up(count: int, multiple: int) -> int:
    """The next multiple of a number."""
    return multiple * -(-count // multiple)


def _send(numbers: np.ndarray, device: torch.device) -> Tensor:
    found = torch.from_numpy(numbers)
    return found.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else found


def stack_parts(parts: Sequence[Tensor], weights: StackedWeights) -> Tensor:
    return torch.stack(list(parts)) if weights._lead else parts[0].clone()


def batch_plan_of(run: CandidateRun, settings: Realignment, steps: int) -> BatchPlan:
    return BatchPlan(
        [run.pairs[name] for name in sorted(run.pairs)], steps, settings.batch, run.seed, settings.loss == "word"
    )
