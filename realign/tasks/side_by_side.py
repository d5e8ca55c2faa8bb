"""Several candidates trained side by side: their weights stacked, their batches side by side, one kernel for all.

A small encoder leaves a device waiting between kernels; m of them at once do m times the work in each. Every candidate
follows its own plan, seed and loss, and ends where its own run ends, within float tolerance: sums are taken in another
order. Only for encoders that realign/architecture.py knows, without dropout (whose chance is drawn for one encoder).

Notations
    m       candidates
    s       tokens of a candidate's batch, filled up to the same number for all
    d       width of the encoder
    u, v    sentences or words of a batch; the vectors of them that the loss compares
"""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from realign.encoder.hidden_states import net_of
from realign.encoder.packed import Block, Packed, forward, rows_of
from realign.encoder.used_rows import UsedRows, narrow
from realign.score import Fidelity
from realign.tasks.base import Lesson, Task, Tuner
from realign.training.batches import Batch, Plan
from realign.training.encoded_pairs import EncodedPairs
from realign.training.loss import projection
from realign.training.optimizer import CLIP, LossGuard, Precision, autocast, rate
from realign.training.realigner import vocabularies
from realign.training.settings import Realignment

COPIES = 4  # of every weight: itself, its gradient, two moments
STATES = 40  # numbers kept for the backward pass for each token, block and unit of width
SHARE = 0.5  # of the memory that is free, to be filled
NONE = -100  # no label, no partner: torch's mark for what a cross-entropy leaves out
ROUND = 128  # tokens of a candidate's batch are filled up to a multiple of this, so that few shapes occur
STEP = 32  # the same for the longest sentence
PIECES = 8  # the same for the sentences that fill up


@dataclass(frozen=True)
class Run:
    """One candidate: what it is realigned on (language → pairs), and its seed."""

    pairs: Mapping[str, EncodedPairs]
    seed: int


def fits(model: Any, how: Realignment) -> bool:
    """Can candidates of this kind be trained side by side?"""
    net = net_of(model.train()) if isinstance(model, nn.Module) else None
    plain = how.lora is None and how.freeze in ("none", "lower") and how.anchor == 0
    return plain and net is not None and not net.dropout and not net.attention_dropout


def room(model: Any, how: Realignment, tokens: int = 20) -> int:
    """How many candidates find room on the device at once; at least one. `tokens`: of a sentence, on average."""
    device = next(model.parameters()).device
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
    else:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    weights = COPIES * sum(parameter.numel() for parameter in model.parameters())
    states = STATES * 2 * how.batch * tokens * model.config.num_hidden_layers * model.config.hidden_size
    return max(1, int(SHARE * free / (4 * (weights + states))))


def fit(run: Run, how: Realignment, steps: int) -> bool:
    """Can this run be one of several? Each of its steps must have something to compare."""
    plan = _plan(run, how, steps) if run.pairs else None
    return plan is not None and all(len(plan.batch(step).rows) for step in range(steps))


def train(
    model: Any, runs: Sequence[Run], how: Realignment, task: Task, fidelity: Fidelity
) -> Iterator[tuple[nn.Module, nn.Module | None]]:
    """For each run the realigned and fine-tuned encoder, good for evaluation until the next is asked for; its head.

    `model` is the start, changed in place. All runs have pairs, or none has.
    """
    tuners = [tuner for run in runs if (tuner := task.tuner(model, fidelity.steps, run.seed))]
    texts = [text for run in runs for text in vocabularies(run.pairs)]
    narrow(model, [*texts, *(tuner.vocabulary for tuner in tuners[:1])])
    weights = Weights(model.train(), len(runs))
    steps = fidelity.pairs // how.batch if runs[0].pairs else 0
    realigning = Realigning(weights, runs, how, steps, capture=True) if steps else None
    tuning = None
    if realigning and tuners and how.order == "during":
        tuning = Tuning(weights, tuners, fidelity.steps, capture=True)
        for step in range(fidelity.steps):
            realigning.take((step + 1) * steps // fidelity.steps)
            tuning.take(step + 1)
    elif realigning:
        realigning.take(steps)
    if realigning:
        realigning.finish()
        del realigning
    if tuners and not tuning:
        weights.narrow(tuners[0].vocabulary)
        tuning = Tuning(weights, tuners, fidelity.steps, capture=True)
    if tuning:
        tuning.take(fidelity.steps)
        tuning.finish()
    weights.widen()
    for number in range(len(runs)):
        weights.write(model, number)
        if tuning:
            tuners[number].head.load_state_dict(tuning.head(number))
        yield model, tuners[number].head if tuners else None


class Weights:
    """The weights of m encoders: for each kind of parameter one array [m, size], and its gradient beside it.

    `net` reads views of them. One kernel each for the norm, the clip, the update and the zeros, whatever the number of
    layers. Queries, keys and values of a block lie end to end, so that they are one layer.
    """

    def __init__(self, model: Any, count: int | None) -> None:
        """count: None for one encoder without the first dimension."""
        self.config, self.device = model.config, next(model.parameters()).device
        self._lead = () if count is None else (count,)
        self._narrowed: tuple[Tensor, Tensor, Tensor] | None = None
        self._stack = copy.deepcopy(model)
        net = net_of(self._stack)
        assert net is not None
        self.blocks = len(net.blocks)
        words = self._stack.get_input_embeddings().weight
        joined = [(x.query, x.key, x.value) for x in net.blocks]
        matrices, biases = (
            [[cast(nn.Parameter, layer[part]) for layer in layers] for layers in joined] for part in (0, 1)
        )
        first = {id(x) for some in (*matrices, *biases) for x in some} | {id(words)}
        rest = [x for x in self._stack.parameters() if id(x) not in first]
        order = [x for some in (*matrices, *biases) for x in some] + rest
        self.flat = [self._lay([words]), self._lay(order)]
        taken = (self._views(order, matrices), self._views(order, biases))
        net = net_of(self._stack)
        assert net is not None
        self.net = replace(net, blocks=[self._whole(*x) for x in zip(net.blocks, *taken, strict=True)])

    def _lay(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        """Put the values of `parameters`, repeated for every encoder, into one array; they become views of it."""
        flat = torch.cat([x.detach().reshape(-1) for x in parameters]).expand(*self._lead, -1).contiguous()
        flat.grad = torch.zeros_like(flat)
        start = 0
        for parameter in parameters:
            shape, end = parameter.shape, start + parameter.numel()
            parameter.data = flat[..., start:end].unflatten(-1, shape)
            parameter.grad = flat.grad[..., start:end].unflatten(-1, shape)
            start = end
        return flat

    def _views(self, order: Sequence[nn.Parameter], groups: Sequence[Sequence[nn.Parameter]]) -> list[nn.Parameter]:
        """Each group, which lies end to end, as one parameter joined along its rows."""
        flat, where, start = self.flat[1], {}, 0
        for parameter in order:
            size = parameter.numel() // max(1, int(np.prod(self._lead)))
            where[id(parameter)] = (start, size)
            start += size
        found = []
        for group in groups:
            begin, size = where[id(group[0])][0], sum(where[id(x)][1] for x in group)
            shape = (-1, *group[0].shape[len(self._lead) + 1 :])
            whole = nn.Parameter(flat[..., begin : begin + size].unflatten(-1, shape))
            assert flat.grad is not None
            whole.grad = flat.grad[..., begin : begin + size].unflatten(-1, shape)
            found.append(whole)
        return found

    @torch.no_grad()
    def narrow(self, vocabulary: np.ndarray) -> None:
        """Train only the embeddings of these sub-words, until `widen`: the others would get no gradient."""
        words = self._stack.get_input_embeddings()
        if not isinstance(words, UsedRows) or self._narrowed:
            return
        ids = torch.from_numpy(np.asarray(vocabulary, dtype=np.int64)).to(self.device)
        rows = words.row_of(ids)
        whole = self.flat[0].unflatten(-1, words.weight.shape[-2:])
        some = whole[..., rows, :].contiguous()
        small = some.flatten(-2)
        small.grad = torch.zeros_like(small)
        table = nn.Parameter(small.view_as(some))
        table.grad = small.grad.view_as(some)
        place = torch.full((int(ids.max()) + 1,), -1, device=self.device)
        place[ids] = torch.arange(len(ids), device=self.device)
        self._narrowed = (self.flat[0], whole, rows)
        self._wide, self.net = self.net, replace(self.net, words=lambda asked: rows_of(table, place[asked]))
        self.flat = [small, *self.flat[1:]]

    @torch.no_grad()
    def widen(self) -> None:
        """Bring all embeddings up to date."""
        if self._narrowed:
            flat, whole, rows = self._narrowed
            whole[..., rows, :] = self.flat[0].unflatten(-1, (len(rows), -1))
            self.flat, self.net, self._narrowed = [flat, *self.flat[1:]], self._wide, None

    @staticmethod
    def _whole(block: Block, matrix: nn.Parameter, bias: nn.Parameter) -> Block:
        return replace(block, joined=(matrix, bias))

    @torch.no_grad()
    def write(self, model: nn.Module, number: int) -> None:
        """Give `model` the weights of one of the encoders."""
        for parameter, several in zip(model.parameters(), self._stack.parameters(), strict=True):
            parameter.copy_(several[number] if self._lead else several)


class Descents:
    """What `Descent` does, for each candidate on its own: the norm that is clipped is that of its gradient alone."""

    def __init__(self, weights: Weights, heads: Sequence[Tensor], lr: float) -> None:
        self._lr, self._flat = lr, [nn.Parameter(x) for x in weights.flat]
        self._one = not weights._lead
        for mine, theirs in zip(self._flat, weights.flat, strict=True):
            mine.grad = theirs.grad
        self._heads = list(heads)
        cuda = weights.device.type == "cuda"
        self._rate = torch.tensor(lr, device=weights.device) if cuda else lr
        self._trained = [*self._flat, *self._heads]
        self.optimizer = torch.optim.AdamW(self._trained, lr=self._rate, weight_decay=0.0, fused=True, capturable=cuda)
        for head in self._heads:
            head.grad = torch.zeros_like(head)

    def at(self, share: float) -> None:
        """Follow the next gradients at `share` of the learning rate."""
        if isinstance(self._rate, Tensor):
            self._rate.fill_(self._lr * share)
        else:
            self.optimizer.param_groups[0]["lr"] = self._lr * share

    def step(self) -> None:
        gradients = [x.grad for x in self._trained if x.grad is not None]
        lane = [x.view(1, -1) if self._one else x.flatten(1) for x in gradients]  # [m, size] each
        norms = torch.stack([torch.linalg.vector_norm(x, dim=1) for x in lane])
        keep = (CLIP / (torch.linalg.vector_norm(norms, dim=0) + 1e-6)).clamp(max=1.0)
        if self._one:  # the fused step divides by it on its way
            self.optimizer.grad_scale = (1 / keep).reshape(())  # type: ignore[attr-defined]
        else:
            for x in lane:
                x.mul_(keep[:, None])
        self.optimizer.step()
        for x in gradients:
            x.zero_()


@dataclass(frozen=True)
class Inputs:
    """The batches of one step on the CPU: whole numbers only."""

    tokens: np.ndarray  # [3, m, s] int32: ids, place in the sentence, mark
    borders: np.ndarray  # [n + 1] int32 first token of each sentence of all candidates
    longest: int
    vectors: np.ndarray  # [3, m, v] int32: number of the sentence or word, place of the partner, side; none: NONE


class _Phase:
    """Steps of one kind. What changes from step to step is laid out a step ahead, in a thread of its own."""

    def __init__(self, weights: Weights, heads: Sequence[Tensor], lr: float, name: str, capture: bool) -> None:
        self.weights, self.taken = weights, 0  # steps
        self._descents, self._guard = Descents(weights, heads, lr), LossGuard(name)
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
            self._descents.at(self._share(step))
            self._guard.watch(step, self._work(inputs))
            self.taken += 1

    def finish(self) -> None:
        self._guard.look()
        self._ahead.shutdown()
        self._graphs.clear()

    _steps = 0

    def _inputs(self, step: int) -> Inputs:
        raise NotImplementedError

    def _share(self, step: int) -> float:
        raise NotImplementedError

    def _losses(self, states: Tensor, mark: Tensor, vectors: Tensor) -> Tensor:
        """[m]"""
        raise NotImplementedError

    def _states(self, tokens: Packed) -> Tensor:
        raise NotImplementedError

    def _work(self, inputs: Inputs) -> Tensor:
        device = self.weights.device
        parts = [_sent(x, device) for x in (inputs.tokens, inputs.borders, inputs.vectors)]
        if not self._capture or self._eager < 3:
            self._eager += 1
            return self._once(parts, inputs.longest)
        key = (*inputs.tokens.shape, *inputs.borders.shape, *inputs.vectors.shape, inputs.longest)
        if key not in self._graphs:
            self._graphs[key] = self._captured(parts, inputs.longest)
        graph, static, loss = self._graphs[key]
        for held, new in zip(static, parts, strict=True):
            held.copy_(new, non_blocking=True)
        graph.replay()
        return loss.clone()

    def _captured(self, parts: Sequence[Tensor], longest: int) -> tuple[torch.cuda.CUDAGraph, Any, Tensor]:
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
        self._descents.step()
        return total.detach()


class Realigning(_Phase):
    """The realignment of all candidates, a step at a time."""

    def __init__(
        self, weights: Weights, runs: Sequence[Run], how: Realignment, steps: int, capture: bool = False
    ) -> None:
        self._how, self._steps = how, steps
        self._frozen = weights.blocks // 2 if how.freeze == "lower" else 0
        self._depth = how.layer if how.layer >= 0 else weights.blocks + 1 + how.layer
        self._plans = [_plan(run, how, steps) for run in runs]
        width = int(weights.config.hidden_size)
        heads = [projection(width, torch.Generator().manual_seed(run.seed)) for run in runs] if how.projection else []
        self._head = [
            nn.Parameter(_stacked([x.weight.detach() for x in layers], weights).to(weights.device))  # type: ignore
            for layers in ([head[0] for head in heads], [head[2] for head in heads])
            if layers
        ]
        super().__init__(weights, self._head, how.lr, "realignment side by side", capture)

    def _share(self, step: int) -> float:
        return rate(self._how.schedule, step, self._steps, round(self._how.warmup * self._steps))

    def _inputs(self, step: int) -> Inputs:
        batches = [plan.batch(step) for plan in self._plans]
        compared = [_compared(batch, self._how.pooling) for batch in batches]
        return side_by_side(
            [(x.ids, x.mask, mark) for x, (mark, _) in zip(batches, compared, strict=True)],
            [vectors for _, vectors in compared],
        )

    def _states(self, tokens: Packed) -> Tensor:
        with autocast(self.weights.device, self._how.precision):
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
        s = z @ z.mT / self._how.temperature
        index = torch.arange(units, device=s.device)
        hidden = (index[:, None] == index) | (partner == NONE)[..., None, :]
        if self._how.negatives == "cross":
            hidden = hidden | ((side[..., :, None] == side[..., None, :]) & (partner != NONE)[..., :, None])
        return _cross_entropy(s.masked_fill(hidden, float("-inf")), partner)


class Tuning(_Phase):
    """The fine-tuning of all candidates, a step at a time."""

    def __init__(self, weights: Weights, tuners: Sequence[Tuner], steps: int, capture: bool = False) -> None:
        self._tuners, self._steps = tuners, steps
        self._first = {tuner.seed: lane for lane, tuner in reversed(list(enumerate(tuners)))}  # same seed, same lessons
        self._precision: Precision = tuners[0].how.precision
        self._weight, self._bias = (
            nn.Parameter(_stacked([getattr(tuner.head, name).detach() for tuner in tuners], weights))
            for name in ("weight", "bias")
        )
        super().__init__(weights, [self._weight, self._bias], tuners[0].how.lr, "fine-tuning side by side", capture)

    def head(self, number: int) -> dict[str, Tensor]:
        one = [x[number] if self.weights._lead else x for x in (self._weight, self._bias)]
        return {"weight": one[0].detach(), "bias": one[1].detach()}

    def _share(self, step: int) -> float:
        return self._tuners[0].share(step)

    def _inputs(self, step: int) -> Inputs:
        each = {seed: self._tuners[lane].lesson() for seed, lane in self._first.items()}
        lessons = [each[tuner.seed] for tuner in self._tuners]
        empty = np.full((3, 1), NONE, dtype=np.int32)
        marks = {seed: _gold(lesson) for seed, lesson in each.items()}
        batches = [(x.ids, x.mask, marks[t.seed]) for x, t in zip(lessons, self._tuners, strict=True)]
        return side_by_side(batches, [empty] * len(lessons))

    def _states(self, tokens: Packed) -> Tensor:
        with autocast(self.weights.device, self._precision):
            return forward(self.weights.net, tokens, self.weights.blocks)

    def _losses(self, states: Tensor, mark: Tensor, vectors: Tensor) -> Tensor:
        with autocast(self.weights.device, self._precision):
            answers = states @ self._weight.mT + self._bias[..., None, :]
        return _cross_entropy(answers.float(), mark)


def _cross_entropy(answers: Tensor, gold: Tensor) -> Tensor:
    """Mean over the places that have a label. answers [.., n, c], gold [.., n] → [..]."""
    flat = nn.functional.cross_entropy(
        answers.flatten(0, -2), gold.flatten().long(), ignore_index=NONE, reduction="none"
    )
    return flat.view(gold.shape).sum(-1) / (gold != NONE).sum(-1).clamp(min=1)


def _gold(lesson: Lesson) -> Tensor:
    """[n, t] the label of each sub-word that an answer is read off."""
    mark = torch.full(lesson.ids.shape, NONE)
    mark[lesson.wanted] = lesson.gold
    return mark


def _compared(batch: Batch, pooling: str) -> tuple[Tensor, np.ndarray]:
    """mark [n, t]: the sentence or word of each sub-word that the loss looks at, numbered; the vectors [3, v]."""
    shown = batch.compared
    pairs = len(batch.rows) // 2
    partner = np.roll(np.arange(2 * pairs), -pairs)
    side = np.arange(2 * pairs) // max(1, pairs)
    if batch.words is None:
        if pooling == "reference-prefix":
            shown = shown & (shown.cumsum(1) <= batch.word.max(1, keepdim=True).values + 1)
        mark = torch.arange(len(batch.ids))[:, None].expand(shown.shape)
        return torch.where(shown, mark, NONE), np.stack([np.arange(2 * pairs), partner, side]).astype(np.int32)
    if pooling == "first":
        shown = shown & (batch.word != nn.functional.pad(batch.word[:, :-1], (1, 0), value=-1))
    width = int(batch.word.max()) + 1
    whole = (batch.rows * width + batch.words).numpy()
    units, number = np.unique(whole, return_inverse=True)
    place = torch.arange(len(batch.ids))[:, None] * width + batch.word
    mark = torch.from_numpy(np.searchsorted(units, place.numpy()))
    return torch.where(shown, mark, NONE), np.stack([number, partner, side]).astype(np.int32)


def side_by_side(batches: Sequence[tuple[Tensor, Tensor, Tensor]], vectors: Sequence[np.ndarray]) -> Inputs:
    """ids, mask and mark, [n, t] each, of every candidate, without padding; short ones are filled up.

    What fills a candidate up are sentences of their own, which nobody asks for and no other sees.
    """
    kept = [np.flatnonzero(mask.numpy()) for _, mask, _ in batches]
    size = ROUND * max(-(-len(x) // ROUND) for x in kept)
    lengths = [mask.numpy().sum(1) for _, mask, _ in batches]
    longest = STEP * -(-int(max(x.max() for x in lengths)) // STEP)
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
    most = 32 * -(-max(x.shape[1] for x in vectors) // 32) if vectors[0].shape[1] > 1 else 1
    laid = np.full((3, len(batches), most), NONE, dtype=np.int32)
    for lane, x in enumerate(vectors):
        laid[:, lane, : x.shape[1]] = x
    return Inputs(tokens, np.concatenate(borders).astype(np.int32), longest, laid)


def _sent(numbers: np.ndarray, device: torch.device) -> Tensor:
    found = torch.from_numpy(numbers)
    return found.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else found


def _stacked(parts: Sequence[Tensor], weights: Weights) -> Tensor:
    return torch.stack(list(parts)) if weights._lead else parts[0].clone()


def _plan(run: Run, how: Realignment, steps: int) -> Plan:
    return Plan([run.pairs[name] for name in sorted(run.pairs)], steps, how.batch, run.seed, how.loss == "word")
