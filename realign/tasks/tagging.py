"""Tagging: a label for every word, from its first sub-word; parts of speech by accuracy, entities by span F1."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from realign.corpora.corpus import Labelled, Split, Tagged
from realign.encoder.encoder import Answers, Encoder
from realign.encoder.ragged import first_subwords
from realign.encoder.windows import Windows, windows
from realign.score import Advance, SourceScore, Tally
from realign.tasks.transfer_task import (
    EVALUATION_BATCH,
    FineTuning,
    TrainingSet,
    Tuner,
    states_of,
    tallies_by_language,
    tally_of,
    train,
)
from realign.tasks.unseen import check_labels
from selector.errors import InputError

log = logging.getLogger("realingo.task")

OUTSIDE = "O"  # of every entity

Tags = Sequence[str]
CountUnits = Callable[[Tags, Tags], tuple[int, int]]  # gold and guessed tags of a sentence → what its tally holds


@dataclass(frozen=True)
class EncodedSentences:
    """Encoded sentences and the gold tags of their words."""

    windows: Windows
    gold: tuple[Tags, ...]
    sizes: Mapping[str, int]  # sentences of each language, one after the other


class Tagging:
    """A label per word from a labelled corpus. The tag set is the one of the source's training sentences."""

    def __init__(
        self, encoder: Encoder, labelled: Labelled, source: str, settings: FineTuning, count: CountUnits | None = None
    ) -> None:
        """`count` gives what a sentence adds to its tally: `right_words` (the default) or `right_spans`."""
        self._encoder, self._labelled, self._settings = encoder, labelled, settings
        self._count = count or right_words
        self._source = source
        self._known: dict[tuple[tuple[str, ...], Split, int], EncodedSentences] = {}
        training = labelled.sentences(source, "train")
        self.tags = tuple(sorted({tag for sentence in training for tag in sentence.tags}))
        if self._count is right_spans:
            check_entities(self.tags, source)
        self._training_set = self._encode_training(training)

    @property
    def facts(self) -> Mapping[str, Any]:
        return {
            "kind": "tagging",
            "counts": self._count.__name__,
            "labelled": self._labelled.signature,
            "source": self._source,
            "fine-tuning": asdict(self._settings),
        }

    @property
    def answers(self) -> Answers:
        return Answers(self.tags, "word")

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
        sentences = self._sentences(tuple(languages), split, limit)
        guess = self._guess(model, head, sentences, advance)
        counts = [
            self._count(gold, [self.tags[number] if number >= 0 else OUTSIDE for number in row[: len(gold)]])
            for gold, row in zip(sentences.gold, guess.tolist(), strict=True)
        ]
        return tallies_by_language(counts, sentences.sizes)

    def source_score(self, model: nn.Module, head: nn.Module | None, limit: int = 0) -> SourceScore | None:
        gold = self._sentences((self._source,), "dev", limit).gold
        if not gold:
            return None
        value = self.evaluate(model, head, [self._source], "dev", limit)[self._source].value
        constant = max(tally_of([self._count(tags, [tag] * len(tags)) for tags in gold]).value for tag in self.tags)
        return SourceScore(self._source, value, constant)

    def _sentences(self, languages: tuple[str, ...], split: Split, limit: int) -> EncodedSentences:
        """The first `limit` sentences (0: all) of every language, encoded once."""
        if (languages, split, limit) not in self._known:
            chosen = {code: self._labelled.sentences(code, split)[: limit or None] for code in languages}
            for code, some in chosen.items():
                check_labels(code, split, (tag for sentence in some for tag in sentence.tags), self.tags)
            every = [sentence for some in chosen.values() for sentence in some]
            cut = windows(self._encoder, [sentence.words for sentence in every], self._settings.max_length)
            sizes = {code: len(some) for code, some in chosen.items()}
            self._known[languages, split, limit] = EncodedSentences(
                cut, tuple(sentence.tags for sentence in every), sizes
            )
        return self._known[languages, split, limit]

    def _guess(self, model: nn.Module, head: nn.Module, sentences: EncodedSentences, advance: Advance | None) -> Tensor:
        """Tag numbers [sentences, words]; −1 for a word without any sub-word."""
        cut = sentences.windows
        guess = torch.full((len(sentences.gold), max(map(len, sentences.gold), default=0)), -1)
        for rows, word, states in states_of(model, cut.table, first_subwords, advance=advance):
            is_first = first_subwords(word)
            best = head(states[is_first]).argmax(1).cpu()
            row = rows[:, None].expand(word.shape)[is_first]
            guess[cut.owner[row], cut.start[row] + word[is_first]] = best
        return guess

    def _encode_training(self, training: Sequence[Tagged]) -> TrainingSet:
        """Training data. Sentences are cut at the longest length; the words beyond it are not learned."""
        table = self._encoder.encode([sentence.words for sentence in training], self._settings.max_length)
        read = sum(int(first_subwords(table.take(rows)[2]).sum()) for rows in table.chunks(EVALUATION_BATCH))
        if lost := sum(len(sentence.words) for sentence in training) - read:
            log.warning("%d training words of %s are not read: cut off or without a sub-word", lost, self._source)
        number = {tag: number for number, tag in enumerate(self.tags)}
        tags = torch.full((len(training), max(len(sentence.words) for sentence in training)), -1)
        for row, sentence in enumerate(training):
            tags[row, : len(sentence.tags)] = torch.tensor([number[tag] for tag in sentence.tags])

        def gold(rows: np.ndarray, word: Tensor) -> Tensor:
            is_first = first_subwords(word)
            row = torch.as_tensor(rows)[:, None].expand(word.shape)[is_first]
            return tags[row, word[is_first]]

        return TrainingSet(
            table, len(self.tags), first_subwords, lambda states, word: states[first_subwords(word)], gold
        )


def right_words(gold: Tags, guess: Tags) -> tuple[int, int]:
    """Accuracy: number of words where `guess` agrees with `gold`, and number of words."""
    return sum(a == b for a, b in zip(gold, guess, strict=True)), len(gold)


def right_spans(gold: Tags, guess: Tags) -> tuple[int, int]:
    """F1 of entities (span and type) as a ratio of sums: twice the common spans, and all spans of `gold` and `guess`.

    Spans as CoNLL's script reads them (seqeval, not strict): an I- without its B- begins an entity.
    """
    from seqeval.metrics.sequence_labeling import get_entities  # three seconds: only where entities are scored

    expected, guessed = set(get_entities(list(gold))), set(get_entities(list(guess)))
    return 2 * len(expected & guessed), len(expected) + len(guessed)


def check_entities(tags: Sequence[str], source: str) -> None:
    """InputError if `tags` are not entity tags in IOB2. `source`: the language that has them."""
    strange = [tag for tag in tags if tag != OUTSIDE and tag[:2] not in ("B-", "I-")]
    if strange or tags == (OUTSIDE,):
        what = f"has the tag '{strange[0]}', which is not an IOB2 tag" if strange else "has no entity"
        raise InputError(f"the labelled text of {source} {what}", "entities are tagged B-TYPE, I-TYPE and O")
