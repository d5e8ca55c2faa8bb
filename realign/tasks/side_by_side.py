"""Several candidates trained side by side: their weights stacked, their batches side by side, one kernel for all.

A small encoder leaves a device waiting between kernels; m of them at once do m times the work in each. Every candidate
follows its own plan, seed and loss, and ends where its own run ends, within float tolerance: sums are taken in another
order. Only for encoders that realign/encoder/hidden_states.py knows, without dropout, whose chance is drawn for one
encoder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from realign.encoder.hidden_states import net_of
from realign.encoder.packed import Packed, forward
from realign.encoder.used_rows import narrow
from realign.score import Fidelity
from realign.tasks.transfer_task import TrainingBatch, TransferTask, Tuner
from realign.training.optimizer import Precision, autocast
from realign.training.realigner import vocabularies
from realign.training.settings import Realignment
from realign.training.stacked_steps import (
    NONE,
    CandidateRun,
    RealignSteps,
    StepInputs,
    Steps,
    batch_plan_of,
    cross_entropy,
    lay_out,
    stack_parts,
)
from realign.training.stacked_weights import StackedWeights

COPIES = 4  # of every weight: itself, its gradient, two moments
STATES = 40  # numbers kept for the backward pass for each token, block and unit of width
SHARE = 0.5  # of the memory that is free, to be filled


def can_stack(model: Any, settings: Realignment) -> bool:
    """True if candidates of this `model` and these `settings` can be trained side by side."""
    net = net_of(model.train()) if isinstance(model, nn.Module) else None
    plain = settings.lora is None and settings.freeze in ("none", "lower") and settings.anchor == 0
    return plain and net is not None and not net.dropout and not net.attention_dropout


def room(model: Any, settings: Realignment, tokens: int = 20) -> int:
    """Number of candidates that fit on the device at once, at least one. `tokens`: of a sentence, on average."""
    device = next(model.parameters()).device
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
    else:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    weights = COPIES * sum(parameter.numel() for parameter in model.parameters())
    states = STATES * 2 * settings.batch * tokens * model.config.num_hidden_layers * model.config.hidden_size
    return max(1, int(SHARE * free / (4 * (weights + states))))


def can_stack_run(run: CandidateRun, settings: Realignment, steps: int) -> bool:
    """True if `run` can be one of several: each of its `steps` must have something to compare."""
    plan = batch_plan_of(run, settings, steps) if run.pairs else None
    return plan is not None and all(len(plan.batch(step).rows) for step in range(steps))


def train(
    model: Any, runs: Sequence[CandidateRun], settings: Realignment, task: TransferTask, fidelity: Fidelity
) -> Iterator[tuple[nn.Module, nn.Module | None]]:
    """For each of `runs` the realigned and fine-tuned encoder, valid until the next one is requested, and its head.

    `model` is the start, changed in place. Either all runs have pairs, or none has.
    """
    tuners = [tuner for run in runs if (tuner := task.tuner(model, fidelity.steps, run.seed))]
    texts = [text for run in runs for text in vocabularies(run.pairs)]
    narrow(model, [*texts, *(tuner.vocabulary for tuner in tuners[:1])])
    weights = StackedWeights(model.train(), len(runs))
    steps = fidelity.pairs // settings.batch if runs[0].pairs else 0
    realigning = RealignSteps(weights, runs, settings, steps, capture=True) if steps else None
    tuning = None
    if realigning and tuners and settings.order == "during":
        tuning = TuneSteps(weights, tuners, fidelity.steps, capture=True)
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
        tuning = TuneSteps(weights, tuners, fidelity.steps, capture=True)
    if tuning:
        tuning.take(fidelity.steps)
        tuning.finish()
    weights.widen()
    for number in range(len(runs)):
        weights.write(model, number)
        if tuning:
            tuners[number].head.load_state_dict(tuning.head(number))
        yield model, tuners[number].head if tuners else None


class TuneSteps(Steps):
    """The fine-tuning of all candidates, a step at a time."""

    def __init__(self, weights: StackedWeights, tuners: Sequence[Tuner], steps: int, capture: bool = False) -> None:
        self._tuners, self._steps = tuners, steps
        self._first = {tuner.seed: lane for lane, tuner in reversed(list(enumerate(tuners)))}  # same seed, same batches
        self._precision: Precision = tuners[0].settings.precision
        self._weight, self._bias = (
            nn.Parameter(stack_parts([getattr(tuner.head, name).detach() for tuner in tuners], weights))
            for name in ("weight", "bias")
        )
        super().__init__(
            weights, [self._weight, self._bias], tuners[0].settings.lr, "fine-tuning side by side", capture
        )

    def head(self, number: int) -> dict[str, Tensor]:
        one = [x[number] if self.weights._lead else x for x in (self._weight, self._bias)]
        return {"weight": one[0].detach(), "bias": one[1].detach()}

    def _share(self, step: int) -> float:
        return self._tuners[0].share(step)

    def _inputs(self, step: int) -> StepInputs:
        each = {seed: self._tuners[lane].next_batch() for seed, lane in self._first.items()}
        batches_of_tuners = [each[tuner.seed] for tuner in self._tuners]
        empty = np.full((3, 1), NONE, dtype=np.int32)
        marks = {seed: _gold(batch) for seed, batch in each.items()}
        batches = [(x.ids, x.mask, marks[t.seed]) for x, t in zip(batches_of_tuners, self._tuners, strict=True)]
        return lay_out(batches, [empty] * len(batches_of_tuners))

    def _states(self, tokens: Packed) -> Tensor:
        with autocast(self.weights.device, self._precision):
            return forward(self.weights.net, tokens, self.weights.blocks)

    def _losses(self, states: Tensor, mark: Tensor, vectors: Tensor) -> Tensor:
        with autocast(self.weights.device, self._precision):
            answers = states @ self._weight.mT + self._bias[..., None, :]
        return cross_entropy(answers.float(), mark)


def _gold(batch: TrainingBatch) -> Tensor:
    """Label of each sub-word that an answer is read from, [n, t]."""
    mark = torch.full(batch.ids.shape, NONE)
    mark[batch.wanted] = batch.gold
    return mark
