"""Classification: a label for a sentence or a pair of sentences, from the first token or the mean; accuracy."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from realign.corpora.corpus import Classified, Examples, Split
from realign.encoder.encoder import Answers, Encoder
from realign.encoder.pooling import sentence_vectors
from realign.encoder.ragged import RaggedTable, first_subwords
from realign.score import Advance, SourceScore, Tally
from realign.tasks.transfer_task import (
    EVALUATION_BATCH,
    FineTuning,
    TrainingSet,
    Tuner,
    states_of,
    tallies_by_language,
    train,
)
from realign.tasks.unseen import check_labels
from selector.errors import InputError

Pooling = Literal["first", "mean"]  # the first token ([CLS], <s>): usual for XLM-R; or the mean over sub-words

log = logging.getLogger("realingo.task")


@dataclass(frozen=True)
class EncodedExamples:
    """Encoded examples and their labels, language after language."""

    table: RaggedTable
    gold: tuple[str, ...]
    sizes: Mapping[str, int]


class Classification:
    """One label per example. The labels are those of the source's training examples; others are never right.

    Text beyond the longest length is not read (of a pair the longer sentence is cut first); a log line gives the share
    of words lost at evaluation.
    """

    def __init__(
        self, encoder: Encoder, examples: Examples, source: str, settings: FineTuning, pooling: Pooling = "first"
    ) -> None:
        self._encoder, self._examples, self._settings, self._pooling = encoder, examples, settings, pooling
        self._source = source
        self._known: dict[tuple[tuple[str, ...], Split, int], EncodedExamples] = {}
        training = examples.examples(source, "train")
        self.labels = tuple(sorted({example.label for example in training}))
        check_several(self.labels, source)
        number = {label: number for number, label in enumerate(self.labels)}
        gold = torch.tensor([number[example.label] for example in training])

        def answers(rows: np.ndarray, _: Tensor) -> Tensor:
            return gold[torch.as_tensor(rows)]

        table = self._encode(training)
        if lost := share_truncated(table, training):
            message = "%.1f %% of the training words of %s are not read: cut off or without a sub-word"
            log.warning(message, 100 * lost, source)
        self._training_set = TrainingSet(table, len(self.labels), self._first_tokens, self._read, answers)

    @property
    def facts(self) -> Mapping[str, Any]:
        return {
            "kind": "classification",
            "examples": self._examples.signature,
            "source": self._source,
            "pooling": self._pooling,
            "fine-tuning": asdict(self._settings),
        }

    @property
    def answers(self) -> Answers:
        return Answers(self.labels, self._pooling)

    def tuner(self, model: nn.Module, steps: int, seed: int) -> Tuner:
        return Tuner(model, self._training_set, self._settings, steps, seed)

    def finetune(self, model: nn.Module, steps: int, seed: int) -> nn.Linear:
        return train(model, self.tuner(model, steps, seed), steps)

    @torch.inference_mode()
    def evaluate(
        self,
        model: nn.Module,
        head: nn.Module | None,
        languages: Sequence[str],
        split: Split,
        limit: int = 0,
        advance: Advance | None = None,
    ) -> dict[str, Tally]:
        assert head is not None
        known = self._encode_split(tuple(languages), split, limit)
        guess = torch.empty(len(known.gold), dtype=torch.long)
        for rows, word, states in states_of(model, known.table, self._first_tokens, advance=advance):
            guess[rows] = head(self._read(states, word)).argmax(1).cpu()
        right = [self.labels[number] == label for number, label in zip(guess.tolist(), known.gold, strict=True)]
        return tallies_by_language([(int(hit), 1) for hit in right], known.sizes)

    def source_score(self, model: nn.Module, head: nn.Module | None, limit: int = 0) -> SourceScore | None:
        gold = self._encode_split((self._source,), "dev", limit).gold
        if not gold:
            return None
        value = self.evaluate(model, head, [self._source], "dev", limit)[self._source].value
        return SourceScore(self._source, value, max(gold.count(label) for label in self.labels) / len(gold))

    def _first_tokens(self, word: Tensor) -> Tensor:
        return (torch.arange(word.shape[1]) < 1).expand(word.shape) if self._pooling == "first" else word >= 0

    def _read(self, states: Tensor, word: Tensor) -> Tensor:
        return states[:, 0] if self._pooling == "first" else sentence_vectors(states, word.to(states.device))

    def _encode_split(self, languages: tuple[str, ...], split: Split, limit: int) -> EncodedExamples:
        """The first `limit` examples (0: all) of every language, encoded once."""
        if (languages, split, limit) not in self._known:
            chosen = {code: self._examples.examples(code, split)[: limit or None] for code in languages}
            for code, some in chosen.items():
                check_labels(code, split, (example.label for example in some), self.labels)
            every = [example for some in chosen.values() for example in some]
            table = self._encode(every)
            sizes = {code: len(some) for code, some in chosen.items()}
            self._known[languages, split, limit] = EncodedExamples(
                table, tuple(example.label for example in every), sizes
            )
            if lost := share_truncated(table, every):
                length = self._settings.max_length
                log.warning(
                    "%.1f %% of the %s words are beyond %d sub-words and are not read", 100 * lost, split, length
                )
        return self._known[languages, split, limit]

    def _encode(self, examples: Sequence[Classified]) -> RaggedTable:
        """InputError where some are pairs and some are not."""
        seconds = [example.second for example in examples if example.second is not None]
        if len(seconds) not in (0, len(examples)):
            raise InputError("some examples are pairs of sentences and some are not", "give all of them two, or none")
        firsts = [example.first for example in examples]
        return self._encoder.encode(firsts, self._settings.max_length, seconds or None)


def check_several(labels: Sequence[str], source: str) -> None:
    """InputError if all `labels` are the same. `source`: the language that has them."""
    if len(labels) < 2:
        raise InputError(f"all training examples of {source} have one label", "a task needs at least two")


def share_truncated(table: RaggedTable, examples: Sequence[Classified]) -> float:
    """Share of the words of `examples` without any sub-word in `table`."""
    words = sum(len(example.first) + len(example.second or ()) for example in examples)
    seen = sum(int(first_subwords(table.take(rows)[2]).sum()) for rows in table.chunks(EVALUATION_BATCH))
    return 1 - seen / max(1, words)
