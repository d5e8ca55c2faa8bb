"""Protocol of a task for the evaluator, and the one fine-tuning loop.

    tagging.py         a label per word: part-of-speech tags (accuracy), entities (span F1)
    classification.py  a label per sentence or pair of sentences (accuracy)
    retrieval.py       the translation among all sentences, without fine-tuning (accuracy both ways)

A task is trained on the source language and evaluated on languages without any labels in training (zero-shot).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from realign.corpora.corpus import Split
from realign.encoder.encoder import Answers, States
from realign.encoder.ragged import RaggedTable
from realign.encoder.used_rows import narrow
from realign.score import Advance, SourceScore, Tally
from realign.training.optimizer import Descent, LossGuard, autocast, fork_random_state, rate
from realign.training.settings import FineTuning as FineTuning

EVALUATION_BATCH = 128  # sentences
DROPOUT_STREAM = 4  # of chance; 2 is the order of the sentences


class TransferTask(Protocol):
    """A task without state except the text it has encoded: equal arguments give equal answers."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """Facts about the task that can change a score, as JSON values: part of every signature."""
        ...

    @property
    def answers(self) -> Answers | None:
        """Labels of a trained head, and the states it reads; None where the task has no head."""
        ...

    def tuner(self, model: nn.Module, steps: int, seed: int) -> Tuner | None:
        """Fine-tuning of `model` on the source in `steps` steps, one by one; None where the task has none."""
        ...

    def finetune(self, model: nn.Module, steps: int, seed: int) -> nn.Module | None:
        """Train `model` in place, for all `steps` of `tuner`, and return the new head; None where the task has none."""
        ...

    def evaluate(
        self,
        model: nn.Module,
        head: nn.Module | None,
        languages: Sequence[str],
        split: Split,
        limit: int = 0,
        advance: Advance | None = None,
    ) -> dict[str, Tally]:
        """Tally of each of `languages` over the first `limit` sentences (0: all) of `split`.

        All languages go through the model in one stream, shortest sentences first, so there is hardly any padding.
        """
        ...

    def source_score(self, model: nn.Module, head: nn.Module | None, limit: int = 0) -> SourceScore | None:
        """Score on the first `limit` development sentences (0: all) of the source.

        None where the task is not fine-tuned. InputError: the source has no usable development data.
        """
        ...


@dataclass(frozen=True)
class TrainingSet:
    """Training data of a head: m answers are read from a batch of n sentences with t sub-words.

    `word` stays on the CPU: the selection is then known without waiting for the device.
    """

    table: RaggedTable
    outputs: int  # number of labels
    wanted: Callable[[Tensor], Tensor]  # word [n, t] → [n, t] true at the tokens that answers are read off
    read: Callable[[Tensor, Tensor], Tensor]  # states [n, t, d], word [n, t] → [m, d]
    gold: Callable[[np.ndarray, Tensor], Tensor]  # rows [n], word [n, t] → [m] label numbers, on the CPU


@dataclass(frozen=True)
class TrainingBatch:
    """One batch of sentences, [n, t] each but `gold`; all on the CPU."""

    ids: Tensor
    mask: Tensor
    word: Tensor
    wanted: Tensor
    gold: Tensor  # [m]


class Tuner:
    """Fine-tuning one step at a time, so that another training can alternate with it. `head` starts at zero."""

    def __init__(
        self, model: nn.Module, training_set: TrainingSet, settings: FineTuning, steps: int, seed: int
    ) -> None:
        """`steps` in all: the learning rate falls to zero at the last."""
        device = next(model.parameters()).device
        self.head = _linear(int(model.config.hidden_size), training_set.outputs).to(device)  # type: ignore
        self._model, self._training_set, self.settings, self._device = model, training_set, settings, device
        self.seed, self._step = seed, 0
        self._steps, self._peak = steps, max(1, round(settings.warmup * steps))
        self._descent: Descent | None = None
        self._states: States | None = None
        self._widen: Callable[[], None] = lambda: None
        self._batches = training_set.table.batches_by_length(settings.batch, steps, np.random.default_rng([seed, 2]))

    def prepare(self) -> None:
        """Set up the optimizer now; otherwise the first step does it."""
        self._descent = Descent(list(self._model.parameters()), list(self.head.parameters()), self.settings.lr)
        self._states = States(self._model)

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """Optimizer, available once it is set up."""
        assert self._descent is not None
        return self._descent.optimizer

    def skip(self, steps: int) -> None:
        """Continue as after `steps` steps, counted from the first."""
        for _ in range(steps):
            next(self._batches)
        self._step = steps

    def begin(self) -> None:
        """Speed up the steps from here to `finish`; only for a model that nothing else trains in between."""
        self._widen = narrow(self._model, [self.vocabulary])

    @property
    def vocabulary(self) -> np.ndarray:
        """Sub-words of the training text."""
        return self._training_set.table.vocabulary

    def finish(self) -> None:
        """Restore a plain encoder after the last step."""
        if self._descent:
            self._descent.finish()
        self._widen()

    def next_batch(self) -> TrainingBatch:
        """Next training batch; `step` takes it by itself."""
        rows = next(self._batches)
        ids, mask, word = self._training_set.table.take(rows)
        return TrainingBatch(ids, mask, word, self._training_set.wanted(word), self._training_set.gold(rows, word))

    def loss(self, states: Tensor, batch: TrainingBatch) -> Tensor:
        """Cross-entropy of the answers read from `states` [n, t, d] for `batch`; a scalar."""
        answers = self.head(self._training_set.read(states, batch.word))
        return nn.functional.cross_entropy(answers.float(), batch.gold.to(self._device))

    def share(self, step: int) -> float:
        """Learning rate of `step` as a share of the highest."""
        return rate("linear", step, self._steps, self._peak)

    def step(self) -> Tensor:
        """Take one step, and return the loss before it, a scalar."""
        if self._descent is None:
            self.prepare()
        assert self._descent is not None
        assert self._states is not None
        batch = self.next_batch()
        # a model with dropout must give the same score each time
        with (
            fork_random_state(self._device, self.seed, DROPOUT_STREAM, self._step),
            autocast(self._device, self.settings.precision),
        ):
            states = self._states(batch.ids, batch.mask, wanted=batch.wanted)
            loss = self.loss(states, batch)
        loss.backward()
        self._descent.step(self.share(self._step))
        self._step += 1
        return loss.detach()


def train(
    model: nn.Module,
    tuner: Tuner,
    steps: int,
    before: Callable[[int], None] | None = None,
    enough: Callable[[int], bool] | None = None,
) -> nn.Linear:
    """Take all `steps` of `tuner`, and return the trained head. RunError: the loss diverged.

    `before` is called with the number of each step ahead of it, and may change the model as well; `enough` is called
    after each step, and True ends the training.
    """
    model.train()
    guard = LossGuard("fine-tuning")
    if before is None:
        tuner.begin()
    for step in range(steps):
        if before:
            before(step)
        guard.watch(step, tuner.step())
        if enough and enough(step):
            break
    guard.look()
    tuner.finish()
    return tuner.head


def states_of(
    model: nn.Module,
    table: RaggedTable,
    wanted: Callable[[Tensor], Tensor],
    layer: int = -1,
    advance: Advance | None = None,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Every sentence of `table` once, in batches of similar length: rows [n], word [n, t] and token states [n, t, d].

    States are right where `wanted` is true (word [n, t] → [n, t]). To be used inside `torch.inference_mode()`.
    """
    states, done = States(model.eval()), 0
    for rows in table.chunks(EVALUATION_BATCH):
        if advance is not None:
            advance("evaluating", done, len(table))
        done += len(rows)
        ids, mask, word = table.take(rows)
        yield torch.as_tensor(rows), word, states(ids, mask, layer, wanted(word))
    if advance is not None:
        advance("evaluating", done, len(table))


def tallies_by_language(counts: Sequence[tuple[int, int]], sizes: Mapping[str, int]) -> dict[str, Tally]:
    """Tally of each language, from the (correct, total) `counts` of all sentences, language after language.

    `sizes` has the number of sentences of each language, in the same order.
    """
    tallies, start = {}, 0
    for code, size in sizes.items():
        tallies[code] = tally_of(counts[start : start + size])
        start += size
    return tallies


def tally_of(counts: Sequence[tuple[int, int]]) -> Tally:
    """Tally of the (correct, total) `counts` of sentences."""
    return Tally(tuple(hit for hit, _ in counts), tuple(whole for _, whole in counts))


def _linear(inputs: int, outputs: int) -> nn.Linear:
    """A head that starts at zero: a random one would be most of the noise between seeds."""
    head = nn.Linear(inputs, outputs)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head
