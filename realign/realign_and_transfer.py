"""The evaluator: realign a copy of the encoder on the subset, fine-tune it on the source, evaluate it zero-shot."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from realign.corpora.corpus import Parallel, Split
from realign.encoder.encoder import Encoder
from realign.inputs import Inputs
from realign.merging.merger import FORMAT, LanguageVectors, Merger
from realign.score import Advance, Fidelity, Look, Score, SourceScore, Tally, show_look, sign
from realign.tasks.finetune import Enough, Watch, any_of, finetune, report_steps
from realign.tasks.in_turns import InTurns
from realign.tasks.transfer_task import TransferTask
from realign.training.encoded_pairs import EncodedPairs, PairStore
from realign.training.realigner import realign
from realign.training.settings import Realignment
from selector.errors import InputError
from selector.languages.subset import Subset

log = logging.getLogger("realingo.task")

PROTOCOL = 5  # raise when the same settings give other scores
LOOKS = (0.5, 0.75)  # of the fine-tuning; earlier ones tell nothing (studies/LOG.md)
SEEN_OF = 4  # a look reads one in this number of sentences

TrainedModel = tuple[nn.Module, nn.Module | None]  # an encoder and the task's head


def realigned_facts(encoder: Encoder, settings: Realignment) -> dict[str, Any]:
    """Everything but the text that a realignment of `encoder` depends on, as JSON values."""
    return {
        "protocol": PROTOCOL,
        "encoder": encoder.signature,
        "realignment": settings.facts,
        "torch": torch.__version__,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
    }


class RealignAndTransfer:
    """Scores of subsets: zero-shot performance on `targets`, in `split`. Answers are pure functions of the seed."""

    def __init__(
        self,
        encoder: Encoder,
        parallel: Parallel,
        task: TransferTask,
        targets: Sequence[str],
        split: Split,
        settings: Realignment,
        pool: Sequence[str] = (),
        inputs: Inputs | None = None,
        advance: Advance | None = None,
    ) -> None:
        """`pool`: the languages that subsets are drawn from; only scores of merged encoders depend on it. `inputs`: the
        files that are read, which are checked again before a score is returned. `advance` is called as an evaluation
        proceeds.
        """
        self.inputs, self._advance = inputs or Inputs({}), advance
        self._encoder, self._targets, self._split = encoder, tuple(targets), split
        self._realignment, self._task = settings, task
        self._pairs = PairStore(encoder, parallel, settings, advance)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        realigned = realigned_facts(encoder, settings)
        self._facts: dict[str, Any] = {
            **realigned,
            "parallel": parallel.signature,
            "task": dict(task.facts),
            "targets": list(self._targets),
            "split": split,
            "tokenizer": encoder.tokenizer_signature,  # with the version of its library
        }
        self._pool = sorted(pool)
        self._has_source = True  # False once the source turns out to have no development sentences
        check, about = self.inputs.check, {name: self._facts[name] for name in (*realigned, "parallel", "task")}
        vectors = LanguageVectors(encoder, self._pairs, settings, realigned, check, advance)
        self._merger = Merger(vectors, encoder, task, self._pool, about, check, advance)
        self._last: dict[tuple[Subset, Fidelity, int], TrainedModel] | None = (
            None  # kept only for an evaluator on other targets
        )

    def on(self, targets: Sequence[str], split: Split) -> RealignAndTransfer:
        """Evaluator of the same encoders on other `targets` and another `split`.

        Neither evaluator trains again what the other trained last.
        """
        if self._last is None:
            self._last = {}
        other = copy.copy(self)
        other._targets, other._split = tuple(targets), split
        other._facts = {**self._facts, "targets": list(targets), "split": split}
        return other

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        merged = {"pool": self._pool, "vectors": FORMAT} if fidelity.merging else {}
        return sign({**self._facts, **merged}, subset, fidelity, seed)

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
        """Score of `subset` at `fidelity` with `seed`.

        A `look` gets scores of fewer sentences in the middle of fine-tuning. ChangedError: a file that was read has
        changed. Stopped: the look ended the evaluation.
        """
        self.inputs.check()
        started, signature = time.perf_counter(), self.signature(subset, fidelity, seed)
        watched = look and _ScoreWatch(self, look, fidelity, signature)
        model, head = self._train_subset(subset, fidelity, seed, watched)
        per_language, tallies = self._scores(model, head, fidelity.examples)
        source_score = self._source_score(model, head, fidelity) if head is not None else None
        self.inputs.check()
        return Score(
            value=sum(per_language.values()) / len(per_language),
            per_language=per_language,
            signature=signature,
            tallies=tallies,
            seconds=time.perf_counter() - started,
            course=tuple(watched.course) if watched else None,
            source_score=source_score,
        )

    def _source_score(self, model: nn.Module, head: nn.Module, fidelity: Fidelity) -> SourceScore | None:
        """Score on the source language, computed after the others: it changes none of them."""
        if not self._has_source or not fidelity.steps:
            return None
        try:
            return self._task.source_score(model, head, fidelity.examples)
        except InputError as problem:  # development sentences of the source are optional
            self._has_source = False
            log.info("whether fine-tuning has converged is not known: %s", problem.message)
            return None

    def _scores(
        self, model: nn.Module, head: nn.Module | None, examples: int
    ) -> tuple[dict[str, float], dict[str, Tally]]:
        tallies = self._task.evaluate(model, head, self._targets, self._split, examples, self._advance)
        return {code: tally.value for code, tally in tallies.items()}, tallies

    def _train_subset(self, subset: Subset, fidelity: Fidelity, seed: int, watch: Watch | None) -> TrainedModel:
        if fidelity.merging:
            return self._merger(subset.codes, fidelity, seed)
        if self._last and (subset, fidelity, seed) in self._last and not watch:
            return self._last[subset, fidelity, seed]
        model = self._encoder.copy().to(self._device)
        head = self._train(model, {code: self._pairs.of(code) for code in subset.codes}, fidelity, seed, watch)
        if self._last is not None:
            self._last.clear()
            self._last[subset, fidelity, seed] = model, head
        return model, head

    def _train(
        self,
        model: nn.Module,
        pairs: Mapping[str, EncodedPairs],
        fidelity: Fidelity,
        seed: int,
        watch: Watch | None = None,
    ) -> nn.Module | None:
        """Realign and fine-tune, one before the other or in turns; returns the task's head."""
        steps = fidelity.pairs // self._realignment.batch
        tuner = self._task.tuner(model, fidelity.steps, seed) if self._realignment.order == "during" else None
        if tuner is None or not (pairs and steps and fidelity.steps):
            realign(model, pairs, self._realignment, steps, seed, self._advance)
            return finetune(self._task, model, fidelity, seed, watch, self._advance)
        asked = [watch(model, tuner.head)] if watch else []
        enough = any_of([*report_steps(self._advance, fidelity.steps), *asked])
        return InTurns(model, pairs, self._realignment, steps, tuner, fidelity.steps, seed).complete(enough)


class _ScoreWatch:
    """`Watch` for one evaluation: shows its scores to a look."""

    def __init__(self, evaluator: RealignAndTransfer, look: Look, fidelity: Fidelity, signature: str) -> None:
        self._evaluator, self._look, self._signature = evaluator, look, signature
        self._steps = {round(share * fidelity.steps) for share in LOOKS}
        self._examples = -(-fidelity.examples // SEEN_OF)
        self._started = time.perf_counter()
        self.course: list[Mapping[str, float]] = []

    def __call__(self, model: nn.Module, head: nn.Module) -> Enough:
        def enough(step: int) -> bool:
            if step + 1 in self._steps:
                seen, _ = self._evaluator._scores(model, head, self._examples)
                model.train()
                self.course.append(seen)
                self._evaluator.inputs.check()
                show_look(self._look, len(self.course), seen, self._signature, time.perf_counter() - self._started)
            return False

        return enough
