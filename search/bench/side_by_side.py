"""Several candidates trained side by side: their weights stacked, their batches side by side, one kernel for all.

A small encoder leaves a device waiting between kernels; m of them at once do m times the work in each. Every candidate
follows its own plan, seed and loss, and ends where its own run ends, within float tolerance: sums are taken in another
order. Only for encoders that realign/encoder/hidden_states.py knows, without dropout (whose chance is drawn for one
encoder).
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from realign.encoder.hidden_states import net_of
from realign.encoder.packed import Layout, Packed, forward, lay
from realign.encoder.used_rows import narrow
from realign.score import Fidelity
from realign.tasks.base import Task, Tuner
from realign.training.batches import Plan
from realign.training.encoded_pairs import EncodedPairs
from realign.training.loss import nt_xent, projection
from realign.training.optimizer import CLIP, LossGuard, autocast, end_to_end, rate
from realign.training.realigner import compared, vocabularies
from realign.training.settings import Realignment

COPIES = 4  # of every weight: itself, its gradient, two moments
STATES = 40  # numbers kept for the backward pass for each token, block and unit of width
SHARE = 0.5  # of the memory that is free, to be filled


@dataclass(frozen=True)
class Run:
    """One candidate: what it is realigned on (language → pairs), and its seed."""

    pairs: Mapping[str, EncodedPairs]
    seed: int


def fits(model: Any, how: Realignment) -> bool:
    """Can candidates of this kind be trained side by side?"""
    net = net_of(model.train()) if isinstance(model, nn.Module) else None
    plain = how.lora is None and how.freeze == "none" and how.anchor == 0 and how.order == "before"
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

    `model` is the start, changed in place.
    """
    tuners = [tuner for run in runs if (tuner := task.tuner(model, fidelity.steps, run.seed))]
    texts = [text for run in runs for text in vocabularies(run.pairs)]
    narrow(model, [*texts, *(tuner.vocabulary for tuner in tuners[:1])])
    stack = _stacked(model.train(), len(runs))
    _realign(stack, runs, how, fidelity.pairs // how.batch)
    if tuners:
        _tune(stack, tuners, fidelity.steps)
    for number in range(len(runs)):
        with torch.no_grad():
            for parameter, several in zip(model.parameters(), stack.parameters(), strict=True):
                parameter.copy_(several[number])
        yield model, tuners[number].head if tuners else None


def _realign(stack: Any, runs: Sequence[Run], how: Realignment, steps: int) -> None:
    device = next(stack.parameters()).device
    width = int(stack.config.hidden_size)
    plans = [_plan(run, how, steps) for run in runs]
    heads: list[nn.Module] = [
        (projection(width, torch.Generator().manual_seed(run.seed)) if how.projection else nn.Identity()).to(device)
        for run in runs
    ]
    descent, guard = _Descents(stack, heads, how.lr), LossGuard("realignment side by side")
    for step in range(steps):
        batches = [plan.batch(step) for plan in plans]
        several = _states(stack, [(x.ids, x.mask, x.compared) for x in batches], how.layer, how.precision)
        losses = [
            nt_xent(head(compared(states.float(), batch, how.pooling)), how.temperature, how.negatives)
            for states, batch, head in zip(several, batches, heads, strict=True)
        ]
        guard.watch(step, _backward(losses))
        descent.step(rate(how.schedule, step, steps, round(how.warmup * steps)))
    guard.look()


def _tune(stack: Any, tuners: Sequence[Tuner], steps: int) -> None:
    descent = _Descents(stack, [tuner.head for tuner in tuners], tuners[0].how.lr)
    guard = LossGuard("fine-tuning side by side")
    for step in range(steps):
        lessons = [tuner.lesson() for tuner in tuners]
        several = _states(stack, [(x.ids, x.mask, x.wanted) for x in lessons], -1, tuners[0].how.precision)
        losses = [tuner.loss(states, of) for tuner, states, of in zip(tuners, several, lessons, strict=True)]
        guard.watch(step, _backward(losses))
        descent.step(tuners[0].share(step))
    guard.look()


def _backward(losses: Sequence[Tensor]) -> Tensor:
    """Each candidate's loss reaches its own weights only, so the gradient of the sum is that of each."""
    total = torch.stack(list(losses)).sum()
    total.backward()
    return total


def _plan(run: Run, how: Realignment, steps: int) -> Plan:
    return Plan([run.pairs[name] for name in sorted(run.pairs)], steps, how.batch, run.seed, how.loss == "word")


def _stacked(model: nn.Module, count: int) -> Any:
    """`model` with every weight `count` times, one after the other in a new first dimension."""
    stack = copy.deepcopy(model)
    for module in stack.modules():
        for name, weight in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(weight.detach().expand(count, *weight.shape).clone()))
    return stack


Inputs = tuple[Tensor, Tensor, Tensor]  # ids, mask and the tokens asked for, [n, t] each


def _states(stack: Any, batches: Sequence[Inputs], layer: int, precision: Any) -> list[Tensor]:
    """Token states [n, t, d] of each candidate's batch, right where they are asked for."""
    net, device = net_of(stack), next(stack.parameters()).device
    assert net is not None
    tokens, places = _side_by_side(batches)
    with autocast(device, precision):
        states = forward(net, tokens.to(device), layer if layer >= 0 else len(net.blocks) + 1 + layer)
    return [
        lay(some[: len(place)], place.to(device), ids.numel()).view(*ids.shape, -1)
        for some, place, (ids, _, _) in zip(states, places, batches, strict=True)
    ]


def _side_by_side(batches: Sequence[Inputs]) -> tuple[Packed, list[Tensor]]:
    """As `pack`, [m, s] tokens of m batches; short ones are filled up with tokens in empty slots, which nobody asks for
    and no sentence sees. → the tokens, and where of [n · t] the states of each batch belong."""
    laid = [Layout.of(mask) for _, mask, _ in batches]
    rows, width = max(x.rows for x in laid), max(x.width for x in laid)
    size = max(len(x.kept) for x in laid)
    asked = [x.asked(wanted) for x, (_, _, wanted) in zip(laid, batches, strict=True)]
    most = max(map(len, asked))
    slots = [_filled(x.slot(width), size, rows * width) for x in laid]
    wanted = np.stack([_filled(some, most, size) for some in asked])
    ids = [np.resize(ids.numpy().ravel()[x.kept], size) for x, (ids, _, _) in zip(laid, batches, strict=True)]
    place = [np.concatenate([x.place, np.zeros(size - len(x.place), dtype=np.int64)]) for x in laid]
    borders = [x.borders(rows, width) for x in laid]
    zero = torch.zeros(rows, 1, width, width)
    apart = torch.cat([zero if x is None else x for x in borders])
    first = np.arange(len(laid))[:, None] * rows * width
    tokens = Packed(
        torch.from_numpy(np.stack(ids)),
        torch.from_numpy(np.stack(place)),
        torch.from_numpy(np.stack(slots) + first),
        apart,
        len(laid) * rows,
        width,
        max(x.longest for x in laid),
        torch.from_numpy(wanted),
    )
    return tokens, [torch.from_numpy(x.kept[some]) for x, some in zip(laid, asked, strict=True)]


def _filled(numbers: np.ndarray, size: int, limit: int) -> np.ndarray:
    """Different numbers below `limit`, filled up to `size` with others."""
    free = np.ones(limit, dtype=bool)
    free[numbers] = False
    return np.concatenate([numbers, np.flatnonzero(free)[: size - len(numbers)]])


class _Descents:
    """What `Descent` does, for each candidate on its own: the norm that is clipped is that of its gradient alone."""

    def __init__(self, stack: nn.Module, heads: Sequence[nn.Module], lr: float) -> None:
        whole = end_to_end(list(stack.parameters()))
        self._lr = lr
        self._heads = [list(head.parameters()) for head in heads]
        self._gradients = [x.grad.flatten(1) for x in stack.parameters() if x.grad is not None]  # [m, size] each
        self._trained = [*whole, *(parameter for head in self._heads for parameter in head)]
        self.optimizer = torch.optim.AdamW(self._trained, lr=lr, weight_decay=0.0, fused=True)

    def step(self, share: float) -> None:
        norms = [torch.linalg.vector_norm(gradient, dim=1) for gradient in self._gradients]
        tops = [[x.grad for x in head if x.grad is not None] for head in self._heads]
        if tops[0]:
            norms.append(torch.stack([torch.nn.utils.get_total_norm(top) for top in tops]))
        keep = (CLIP / (torch.linalg.vector_norm(torch.stack(norms), dim=0) + 1e-6)).clamp(max=1.0)
        for gradient in self._gradients:
            gradient.mul_(keep[:, None])
        for top, factor in zip(tops, keep, strict=True):
            for gradient in top:
                gradient.mul_(factor)
        self.optimizer.param_groups[0]["lr"] = self._lr * share
        self.optimizer.step()
        for parameter in self._trained:
            if parameter.grad is not None:
                parameter.grad.zero_()
