"""Tagging: fine-tune on the source language, predict on every other without having seen a label of it (zero-shot)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from realign.corpus import Labelled, Split, Tagged
from realign.encoder import IGNORE, Encoder, hidden_states
from realign.optimize import CLIP, check_finite, warmup_decay
from realign.score import Tally
from realign.table import Table, first_subwords

EVALUATION_BATCH = 128  # sentences


@dataclass(frozen=True)
class FineTuning:
    """How to fine-tune: AdamW, 10 % linear warm-up then linear decay. The paper's for POS: batch 32, 5 epochs."""

    batch: int = 32  # sentences a step
    lr: float = 1e-3  # at the peak
    warmup: float = 0.1  # share of the steps
    max_length: int = 128  # sub-words a sentence


@dataclass(frozen=True)
class Labels:
    """Encoded tagged sentences: `tag[i, w]` is the label of word w of sentence i, −100 beyond its end."""

    table: Table
    tag: Tensor  # [n, words]
    words: Tensor  # [n] words of each sentence, also those that truncation cut off


class Tagging:
    """Part-of-speech tagging from a labelled corpus. The tag set is the one of the source's training sentences."""

    def __init__(self, encoder: Encoder, labelled: Labelled, source: str, how: FineTuning) -> None:
        self._encoder, self._labelled, self._how = encoder, labelled, how
        self._known: dict[tuple[str, Split, int], Labels] = {}
        self._source = source
        train = labelled.sentences(source, "train")
        self.tags = tuple(sorted({tag for sentence in train for tag in sentence.tags}))
        self._number = {tag: number for number, tag in enumerate(self.tags)}

    def labels(self, language: str, split: Split, limit: int = 0) -> Labels:
        """The first `limit` sentences (0: all) of a language, encoded once."""
        if (language, split, limit) not in self._known:
            sentences = self._labelled.sentences(language, split)
            self._known[language, split, limit] = self._encode(sentences[:limit] if limit else sentences)
        return self._known[language, split, limit]

    def _encode(self, sentences: Sequence[Tagged]) -> Labels:
        table = self._encoder.encode([sentence.words for sentence in sentences], self._how.max_length)
        words = torch.tensor([len(sentence.words) for sentence in sentences])
        tag = torch.full((len(sentences), int(words.max())), IGNORE)
        for row, sentence in enumerate(sentences):  # a tag unknown to the source can never be right: −1
            tag[row, : len(sentence.tags)] = torch.tensor([self._number.get(t, -1) for t in sentence.tags])
        return Labels(table, tag, words)

    def finetune(self, model: nn.Module, steps: int, seed: int) -> nn.Linear:
        """Train `model` in place and a new linear head on the source's training sentences; returns the head."""
        labels, how = self.labels(self._source, "train"), self._how
        device = next(model.parameters()).device
        head = _linear(self._encoder.width, len(self.tags)).to(device)
        trained = [*model.parameters(), *head.parameters()]
        optimizer = torch.optim.AdamW(trained, lr=how.lr, weight_decay=0.0, fused=True)
        schedule = warmup_decay(optimizer, steps, max(1, round(how.warmup * steps)))
        tags = labels.tag.to(device)
        model.train()
        loss = torch.zeros(())
        for rows in labels.table.batches_by_length(how.batch, steps, np.random.default_rng([seed, 2])):
            ids, mask, word = (block.to(device) for block in labels.table.take(rows))
            shown = first_subwords(word)
            row = torch.arange(len(rows), device=device)[:, None].expand_as(word)
            gold = tags[torch.as_tensor(rows, device=device)][row[shown], word[shown]]
            loss = nn.functional.cross_entropy(head(hidden_states(model, ids, mask)[shown]), gold, ignore_index=IGNORE)
            loss.backward()
            nn.utils.clip_grad_norm_(trained, CLIP)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        check_finite(loss, "fine-tuning")
        return head

    @torch.inference_mode()
    def evaluate(self, model: nn.Module, head: nn.Linear, language: str, split: Split, limit: int = 0) -> Tally:
        """Correct words of each sentence. A word that truncation cut off counts as wrong, never as absent."""
        labels = self.labels(language, split, limit)
        device = next(model.parameters()).device
        correct = torch.zeros(len(labels.table), dtype=torch.long)
        model.eval()
        for rows in labels.table.chunks(EVALUATION_BATCH):
            ids, mask, word = (block.to(device) for block in labels.table.take(rows))
            shown = first_subwords(word)
            guess = head(hidden_states(model, ids, mask)[shown]).argmax(1).cpu()
            row = torch.arange(len(rows))[:, None].expand(word.shape)[shown.cpu()]
            right = guess == labels.tag[torch.as_tensor(rows)][row, word.cpu()[shown.cpu()]]
            correct[torch.as_tensor(rows)] = torch.bincount(row[right], minlength=len(rows))
        return Tally(tuple(correct.tolist()), tuple(labels.words.tolist()))


def _linear(inputs: int, outputs: int) -> nn.Linear:
    """A head that starts at zero: a random one would be most of the noise between seeds."""
    head = nn.Linear(inputs, outputs)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head
