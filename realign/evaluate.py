"""The evaluator: realign a copy of the encoder on the subset, fine-tune it on the source, evaluate it zero-shot."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

from realign.corpus import Parallel, Split
from realign.encoder import Encoder
from realign.pairs import PairStore
from realign.recipe import Realignment
from realign.score import Fidelity, Score, sign
from realign.task import Task
from realign.train import realign
from selector.subset import Subset

PROTOCOL = 2  # raise when the same settings give other scores


class RealignAndTransfer:
    """Scores subsets by zero-shot performance on `targets`, in `split`. Answers are pure functions of the seed."""

    def __init__(
        self,
        encoder: Encoder,
        parallel: Parallel,
        task: Task,
        targets: Sequence[str],
        split: Split,
        how: Realignment,
    ) -> None:
        self._encoder, self._targets, self._split = encoder, tuple(targets), split
        self._realignment, self._task = how, task
        self._pairs = PairStore(encoder, parallel, how)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._facts: dict[str, Any] = {
            "protocol": PROTOCOL,
            "encoder": encoder.signature,
            "parallel": parallel.signature,
            "task": dict(task.facts),
            "targets": list(self._targets),
            "split": split,
            "realignment": asdict(how),
            "torch": torch.__version__,
            "device": self._device.type,
        }

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        return sign(self._facts, subset, fidelity, seed)

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int) -> Score:
        started = time.perf_counter()
        model = self._encoder.copy().to(self._device)
        pairs = {code: self._pairs.of(code) for code in subset.codes}
        realign(model, pairs, self._realignment, fidelity.pairs // self._realignment.batch, seed)
        head = self._task.finetune(model, fidelity.steps, seed)
        tallies = self._task.evaluate(model, head, self._targets, self._split, fidelity.examples)
        per_language = {code: tally.value for code, tally in tallies.items()}
        return Score(
            value=sum(per_language.values()) / len(per_language),
            per_language=per_language,
            signature=self.signature(subset, fidelity, seed),
            tallies=tallies,
            seconds=time.perf_counter() - started,
        )
