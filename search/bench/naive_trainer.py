"""The plain way to score a candidate, to compare with: what one writes first, on the Trainer of transformers.

One candidate at a time, text encoded anew in each run, padded batches, two forward passes a pair, fp32, one call a
layer and a weight, all target languages scored after each epoch. The same encoder, data, loss, optimizer and number of
steps as ours; only `bench core` uses it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForTokenClassification, AutoTokenizer, Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import IntervalStrategy

from realign.corpora.corpus import Pair, Parallel, Tagged
from realign.encoder.pooling import word_vectors
from realign.score import Fidelity
from realign.tasks.transfer_task import FineTuning
from realign.training.loss import nt_xent, projection
from realign.training.settings import Realignment
from realign.training.word_alignment import informative
from realign.world.world import World

IGNORED = -100  # no label here


@dataclass(frozen=True)
class Setting:
    """The parts that stay the same from candidate to candidate."""

    encoder: str  # a folder
    text: World
    targets: Sequence[str]
    how: Realignment  # by the word loss, with links that the text brings
    tuning: FineTuning
    fidelity: Fidelity


def score(given: Setting, languages: Sequence[str], seed: int) -> float:
    """Mean accuracy of tagging over the targets, after realignment on `languages`."""
    tokenizer = AutoTokenizer.from_pretrained(given.encoder)
    tuning, steps, text = given.tuning, given.fidelity.steps, given.text
    with tempfile.TemporaryDirectory() as scratch:
        encoder = AutoModel.from_pretrained(given.encoder)
        _realign(encoder, tokenizer, _pairs(text, languages, given.fidelity.pairs, seed), given.how, seed, scratch)
        taught = text.sentences("eng", "train")
        tags = sorted({tag for sentence in taught for tag in sentence.tags})
        model = AutoModelForTokenClassification.from_pretrained(given.encoder, num_labels=len(tags))
        model.base_model.load_state_dict(encoder.state_dict(), strict=False)  # a tagger has no pooler
        asked = {code: text.sentences(code, "dev")[: given.fidelity.examples] for code in given.targets}
        trainer = _Tagger(
            model=model,
            args=_arguments(scratch, tuning.batch, tuning.lr, steps, seed, "linear", tuning.warmup),
            train_dataset=_examples(tokenizer, taught, tags, tuning.max_length),
            eval_dataset={code: _examples(tokenizer, some, tags, tuning.max_length) for code, some in asked.items()},
            data_collator=lambda some: _padded(some, tokenizer.pad_token_id),
            compute_metrics=_accuracy,
        )
        trainer.args.eval_strategy = IntervalStrategy.EPOCH  # the last one, if cut short, is scored too
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    told = {key: value for entry in trainer.state.log_history for key, value in entry.items()}
    return float(np.mean([told[f"eval_{code}_accuracy"] for code in given.targets]))


def _arguments(scratch: str, batch: int, lr: float, steps: int, seed: int, schedule: str, warmup: float) -> Any:
    return TrainingArguments(
        output_dir=scratch,
        per_device_train_batch_size=batch,
        per_device_eval_batch_size=128,
        learning_rate=lr,
        lr_scheduler_type=schedule,
        warmup_steps=round(warmup * steps),
        max_steps=steps,
        weight_decay=0.0,
        max_grad_norm=1.0,
        seed=seed,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )


def _pairs(parallel: Parallel, languages: Sequence[str], count: int, seed: int) -> list[Pair]:
    """`count` pairs in all, as many of each language."""
    rng, chosen = np.random.default_rng(seed), []
    for code in languages:
        pairs = parallel.pairs(code, "train")
        chosen += [pairs[row] for row in rng.choice(len(pairs), count // len(languages))]
    return chosen


def _realign(encoder: nn.Module, tokenizer: Any, pairs: Sequence[Pair], how: Realignment, seed: int, to: str) -> None:
    def encoded(words: tuple[str, ...]) -> dict[str, list[int]]:
        one = tokenizer(list(words), is_split_into_words=True, truncation=True, max_length=how.max_length)
        return {"ids": one["input_ids"], "word": [-1 if word is None else word for word in one.word_ids()]}

    rows = []
    for pair in pairs:
        links = informative(pair.links or (), pair.source, pair.target)
        rows.append({"source": encoded(pair.source), "target": encoded(pair.target), "links": links})

    def collate(some: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        sides = {side: _padded([row[side] for row in some], tokenizer.pad_token_id) for side in ("source", "target")}
        links = [(row, *link) for row, each in enumerate(some) for link in each["links"]]
        return {**sides, "links": torch.tensor(links).reshape(-1, 3)}

    arguments = _arguments(to, how.batch, how.lr, len(rows) // how.batch, seed, "constant", 0.0)
    width = int(encoder.config.hidden_size)  # type: ignore[union-attr, arg-type]
    model = _Realigned(encoder, projection(width, torch.Generator().manual_seed(seed)))
    trainer = _Contrastive(model=model, args=arguments, train_dataset=rows, data_collator=collate)
    trainer.remove_callback(PrinterCallback)
    trainer.train()


class _Realigned(nn.Module):
    """Encoder and projection: the loss of a batch of pairs with linked words."""

    def __init__(self, encoder: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, source: Mapping[str, Tensor], target: Mapping[str, Tensor], links: Tensor) -> Tensor:
        row = links[:, 0]
        both = [
            word_vectors(
                self.encoder(input_ids=side["input_ids"], attention_mask=side["attention_mask"]).last_hidden_state,
                side["word"],
                row,
                links[:, 1 + number],
            )
            for number, side in enumerate((source, target))
        ]
        return nt_xent(self.head(torch.cat(both)), 0.1)


class _Contrastive(Trainer):
    def compute_loss(self, model: nn.Module, inputs: Mapping[str, Any], *_: Any, **__: Any) -> Tensor:
        return model(**inputs)


class _Tagger(Trainer):
    """Drops the word numbers, which the model does not take."""

    def _prepare_inputs(self, inputs: Any) -> Any:
        return super()._prepare_inputs({key: value for key, value in inputs.items() if key != "word"})


def _examples(tokenizer: Any, sentences: Sequence[Tagged], tags: Sequence[str], length: int) -> list[dict[str, Any]]:
    """Encoded sentences with the label of each word at its first sub-word."""
    number = {tag: at for at, tag in enumerate(tags)}
    rows = []
    for sentence in sentences:
        one = tokenizer(list(sentence.words), is_split_into_words=True, truncation=True, max_length=length)
        words = one.word_ids()
        first = [word is not None and (at == 0 or words[at - 1] != word) for at, word in enumerate(words)]
        labels = [
            number.get(sentence.tags[word], IGNORED) if shown else IGNORED
            for word, shown in zip(words, first, strict=True)
        ]
        rows.append({"ids": one["input_ids"], "labels": labels})
    return rows


def _padded(rows: Sequence[Mapping[str, Any]], pad: int) -> dict[str, Tensor]:
    """Rows of unequal length as tensors [n, t]."""
    names = {"ids": ("input_ids", pad), "word": ("word", -1), "labels": ("labels", IGNORED)}
    batch = {
        names[key][0]: nn.utils.rnn.pad_sequence(
            [torch.tensor(row[key]) for row in rows], batch_first=True, padding_value=names[key][1]
        )
        for key in rows[0]
    }
    lengths = torch.tensor([len(row["ids"]) for row in rows])
    batch["attention_mask"] = (torch.arange(batch["input_ids"].shape[1]) < lengths[:, None]).long()
    return batch


def _accuracy(outcome: Any) -> dict[str, float]:
    shown = outcome.label_ids != IGNORED
    return {"accuracy": float((outcome.predictions.argmax(-1) == outcome.label_ids)[shown].mean())}
