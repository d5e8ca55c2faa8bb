"""Words encoded once each: the same sub-words as the tokenizer gives whole sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from realign.encoder.encoder import Encoder
from realign.encoder.word_by_word import WordByWord
from realign.world.world import World
from realign.world.world_encoder import world_encoder

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
TEXT = [pair.target for code in ("deu", "jpn", "arb") for pair in World().pairs(code, "train")[:150]]
HARD = [(), ("a",), ("É",), ("x" * 300,), ("<mask>", "b"), ("naïve", "naïve"), ("日本", "　"), ("-", "--", "'s")]


def encoder(kind: str) -> Encoder:
    core: Any = {"wordpiece": models.WordPiece, "bpe": models.BPE, "bytes": models.BPE, "spaced": models.BPE}.get(kind)
    if kind == "unigram":
        tokenizer, trainer = Tokenizer(models.Unigram()), trainers.UnigramTrainer
    else:
        tokenizer = Tokenizer(core(unk_token="<unk>"))
        trainer = trainers.WordPieceTrainer if kind == "wordpiece" else trainers.BpeTrainer
    tokenizer.pre_tokenizer = {
        "wordpiece": pre_tokenizers.BertPreTokenizer(),
        "bytes": pre_tokenizers.ByteLevel(add_prefix_space=True),
        "spaced": pre_tokenizers.ByteLevel(add_prefix_space=False),  # words after the first need the space before them
    }.get(kind, pre_tokenizers.Metaspace(prepend_scheme="first"))
    tokenizer.normalizer = normalizers.NFKC()
    made = trainer(vocab_size=300, special_tokens=SPECIAL, show_progress=False, unk_token="<unk>")
    tokenizer.train_from_iterator((" ".join(words) for words in TEXT), made)
    single = "<s> $A </s> </s>" if kind == "bpe" else "<s> $A </s>"
    tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=[("<s>", 0), ("</s>", 2)])
    names = {f"{name}_token": token for name, token in zip(("bos", "pad", "eos", "unk", "mask"), SPECIAL, strict=True)}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names)
    return Encoder(torch.nn.Module(), fast, kind)


def same(mine: Any, other: Any) -> bool:
    return all(
        np.array_equal(a, b) and a.dtype == b.dtype
        for a, b in ((mine.ids, other.ids), (mine.word, other.word), (mine.offsets, other.offsets))
    )


@pytest.mark.parametrize("length", [5, 12, 200])
@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram", "bytes", "spaced", "world"])
def test_words_on_their_own_are_the_words_of_sentences(kind: str, length: int) -> None:
    whole = world_encoder() if kind == "world" else encoder(kind)
    fast = WordByWord(whole, length)
    for some in (TEXT[:100], HARD, TEXT[100:], [], TEXT[50:200]):
        assert same(fast.encode(some), whole.encode(some, length)) if some else len(fast.encode(some)) == 0
    assert fast._fits


def test_a_tokenizer_that_looks_at_neighbours_encodes_whole_sentences() -> None:
    whole = encoder("bpe")
    whole.tokenizer.truncation_side = "left"
    fast = WordByWord(whole, 8)
    assert same(fast.encode(TEXT[:100]), whole.encode(TEXT[:100], 8))


def test_what_is_remembered_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realign.encoder.word_by_word.MOST_WORDS", 20)
    whole = encoder("unigram")
    fast = WordByWord(whole, 30)
    for start in range(0, 400, 10):
        some = TEXT[start : start + 10]
        assert same(fast.encode(some), whole.encode(some, 30))
    assert len(fast._number) < 200
