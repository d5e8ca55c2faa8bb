"""What a task is to the evaluator, and the one fine-tuning loop of the tasks that have one.

    tagging.py    a label per word: part-of-speech tags (accuracy), entities (span F1)
    classify.py   a label per sentence or pair of sentences (accuracy)
    retrieve.py   the translation among all sentences, without fine-tuning (accuracy both ways)

A task is trained on the source language and evaluated on languages it has seen no label of (zero-shot).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from realign.corpus import Split
from realign.encoder import hidden_states
from realign.optimize import CLIP, LossGuard, Precision, autocast, seeded, warmup_decay
from realign.score import Tally
from realign.table import Table

EVALUATION_BATCH = 128  # sentences
DROPOUT_STREAM = 4  # of chance; 2 is the order of the sentences


class Task(Protocol):
    """Stateless but for what it has encoded: equal arguments give equal answers."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """Everything of the task that can change a score, as JSON values: part of every signature."""
        ...

    def tuner(self, model: nn.Module, steps: int, seed: int) -> Tuner | None:
        """Fine-tuning of `model` on the source, to be taken step by step; None where the task has none."""
        ...

    def finetune(self, model: nn.Module, steps: int, seed: int) -> nn.Module | None:
        """Take all steps of `tuner`, which train `model` in place; returns the new head."""
        ...

    def evaluate(
        self, model: nn.Module, head: nn.Module | None, languages: Sequence[str], split: Split, limit: int = 0
    ) -> dict[str, Tally]:
        """The outcome of each of the first `limit` sentences (0: all) of every language.

        All languages go through the model in one stream, shortest sentences first: hardly any padding.
        """
        ...


@dataclass(frozen=True)
class FineTuning:
    """How to fine-tune: AdamW, 10 % linear warm-up then linear decay.

    The paper's: batch 32; 5 epochs for POS and NER, 2 for classification (arXiv 2511.06497).
    """

    batch: int = 32  # sentences a step
    lr: float = 1e-3  # at the peak
    warmup: float = 0.1  # share of the steps
    max_length: int = 128  # sub-words a sentence
    precision: Precision = "auto"  # auto: bf16 on CUDA


@dataclass(frozen=True)
class Lessons:
    """What a head is trained on: m answers are read off a batch of n sentences of t sub-words.

    `word` stays on the CPU: what it selects is then known without waiting for the device.
    """

    table: Table
    outputs: int  # number of labels
    read: Callable[[Tensor, Tensor], Tensor]  # states [n, t, d], word [n, t] → [m, d]
    gold: Callable[[np.ndarray, Tensor], Tensor]  # rows [n], word [n, t] → [m] label numbers, on the CPU


class Tuner:
    """Fine-tuning one step at a time, so that another training can take turns with it. `head` starts at zero."""

    def __init__(self, model: nn.Module, lessons: Lessons, how: FineTuning, steps: int, seed: int) -> None:
        """`steps` in all: the learning rate falls to zero at the last."""
        device = next(model.parameters()).device
        self.head = _linear(int(model.config.hidden_size), lessons.outputs).to(device)  # type: ignore
        self._model, self._lessons, self._how, self._device = model, lessons, how, device
        self._seed, self._step = seed, 0
        self._trained = [*model.parameters(), *self.head.parameters()]
        self._optimizer = torch.optim.AdamW(self._trained, lr=how.lr, weight_decay=0.0, fused=True)
        self._schedule = warmup_decay(self._optimizer, steps, max(1, round(how.warmup * steps)))
        self._batches = lessons.table.batches_by_length(how.batch, steps, np.random.default_rng([seed, 2]))

    def step(self) -> Tensor:
        """Take one step; returns the loss before it, a scalar."""
        rows = next(self._batches)
        ids, mask, word = self._lessons.table.take(rows)
        gold = self._lessons.gold(rows, word).to(self._device)
        # a model with dropout must give the same score each time
        with seeded(self._device, self._seed, DROPOUT_STREAM, self._step), autocast(self._device, self._how.precision):
            states = hidden_states(self._model, ids.to(self._device), mask.to(self._device))
            answers = self.head(self._lessons.read(states, word))
        loss = nn.functional.cross_entropy(answers.float(), gold)
        loss.backward()
        nn.utils.clip_grad_norm_(self._trained, CLIP)
        self._optimizer.step()
        self._schedule.step()
        self._optimizer.zero_grad()
        self._step += 1
        return loss.detach()


def train(model: nn.Module, tuner: Tuner, steps: int) -> nn.Linear:
    """Take all steps; returns the trained head. RunError where the loss diverged."""
    model.train()
    guard = LossGuard("fine-tuning")
    for step in range(steps):
        guard.watch(step, tuner.step())
    guard.look()
    return tuner.head


def states_of(model: nn.Module, table: Table, layer: int = -1) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Every sentence once, in batches of similar length: rows [n], word [n, t] and token states [n, t, d].

    To be walked through in `torch.inference_mode()`.
    """
    device = next(model.parameters()).device
    model.eval()
    for rows in table.chunks(EVALUATION_BATCH):
        ids, mask, word = table.take(rows)
        yield torch.as_tensor(rows), word, hidden_states(model, ids.to(device), mask.to(device), layer)


def by_language(counts: Sequence[tuple[int, int]], sizes: Mapping[str, int]) -> dict[str, Tally]:
    """(correct, total) of every sentence, language after language → the tally of each; `sizes` in the same order."""
    tallies, start = {}, 0
    for code, size in sizes.items():
        part = counts[start : start + size]
        tallies[code] = Tally(tuple(hit for hit, _ in part), tuple(whole for _, whole in part))
        start += size
    return tallies


def _linear(inputs: int, outputs: int) -> nn.Linear:
    """A head that starts at zero: a random one would be most of the noise between seeds."""
    head = nn.Linear(inputs, outputs)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head
