"""Train a small multilingual encoder from text."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

from realign.encoder.encoder import DROPOUT, SPECIAL, Encoder, Words, publish, save
from realign.encoder.ragged import RaggedTable
from realign.score import Advance
from realign.training.optimizer import CLIP, warmup_decay


@dataclass(frozen=True)
class Shape:
    """Size of a small encoder and length of its training by masked language modelling (Devlin et al. 2019)."""

    vocabulary: int = 6000  # sub-words
    layers: int = 2
    width: int = 96
    heads: int = 4
    steps: int = 1000
    batch: int = 64  # sentences a step
    lr: float = 2e-3
    length: int = 48  # tokens a sentence, at most


def pretrain(texts: Mapping[str, Words], shape: Shape, seed: int, output: Path, advance: Advance | None = None) -> Path:
    """Train tokenizer and encoder on the monolingual `texts` (language → sentences as words) and write them to
    `output`.

    The folder is written completely or not at all. Returns its path.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    try:
        tokenizer = _train_tokenizer(texts, shape)
        model = _train_model(texts, tokenizer, shape, seed, advance or (lambda *_: None))
        save(model.base_model, tokenizer, workshop)
        facts = {
            "shape": asdict(shape),
            "seed": seed,
            "text": text_signature(texts),
            "sentences": {code: len(text) for code, text in texts.items()},
        }
        (workshop / "pretraining.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        publish(workshop, output)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return output


def text_signature(texts: Mapping[str, Words]) -> str:
    digest = hashlib.sha256()
    for code in sorted(texts):
        digest.update(f"\n\n{code}\n".encode())
        for words in texts[code]:
            digest.update((" ".join(words) + "\n").encode())
    return "text:" + digest.hexdigest()[:16]


def _train_tokenizer(texts: Mapping[str, Words], shape: Shape) -> Any:
    """Byte-pair encoding with a mark before each word (Sennrich et al. 2016; Kudo and Richardson 2018).

    Not WordPiece: its trainer breaks ties by the order of a hash map, so the same text gives different vocabularies.
    """
    core = Tokenizer(models.BPE(unk_token="[UNK]", fuse_unk=True))
    core.normalizer = normalizers.NFC()
    core.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Punctuation(), pre_tokenizers.Metaspace()])
    trainer = trainers.BpeTrainer(vocab_size=shape.vocabulary, special_tokens=SPECIAL, show_progress=False)
    core.train_from_iterator((" ".join(words) for code in sorted(texts) for words in texts[code]), trainer)
    ends = [(token, SPECIAL.index(token)) for token in ("[CLS]", "[SEP]")]
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=ends
    )
    names = ("pad", "unk", "cls", "sep", "mask")
    tokens = {f"{name}_token": token for name, token in zip(names, SPECIAL, strict=True)}
    return PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=512, **tokens)


def _train_model(texts: Mapping[str, Words], tokenizer: Any, shape: Shape, seed: int, advance: Advance) -> Any:
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.width,
        max_position_embeddings=max(128, shape.length),
        hidden_dropout_prob=DROPOUT,
        attention_probs_dropout_prob=0.0,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertForMaskedLM(config)
    start = Encoder(model.base_model, tokenizer, "")
    tables = []
    for number, code in enumerate(sorted(texts), 1):
        tables.append(start.encode(texts[code], shape.length))
        advance("reading text", number, len(texts))
    table = RaggedTable.stack(tables, tokenizer.pad_token_id)
    optimizer = torch.optim.AdamW(model.parameters(), lr=shape.lr, weight_decay=0.01, fused=True)
    schedule = warmup_decay(optimizer, shape.steps, max(1, shape.steps // 10))
    rng = np.random.default_rng(seed)
    model.train()
    for step, rows in enumerate(table.batches_by_length(shape.batch, shape.steps, rng)):
        _mask_step(model, table, rows, tokenizer, rng).backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        advance("pretraining a small encoder", step + 1, shape.steps)
    return model.eval()


def _mask_step(model: Any, table: RaggedTable, rows: np.ndarray, tokenizer: Any, rng: np.random.Generator) -> Tensor:
    """Loss of one batch: 15 % of the tokens are targets; 80 % of them masked, 10 % random, 10 % kept."""
    ids, mask, word = table.take(rows)
    chosen = torch.from_numpy(rng.random(ids.shape) < 0.15) & (word >= 0)
    dice = torch.from_numpy(rng.random(ids.shape))
    noise = torch.from_numpy(rng.integers(len(SPECIAL), len(tokenizer), size=ids.shape))
    corrupted = torch.where(chosen & (dice < 0.8), tokenizer.mask_token_id, ids)
    corrupted = torch.where(chosen & (dice >= 0.9), noise, corrupted)
    states = model.base_model(input_ids=corrupted, attention_mask=mask).last_hidden_state
    return nn.functional.cross_entropy(model.cls(states[chosen]), ids[chosen])
