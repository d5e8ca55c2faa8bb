"""A signature of an encoder holds everything that changes a state or a sub-word: each key of its files is tried."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor
from transformers import AutoModel, PreTrainedTokenizerFast

from realign.encoder.encoder import Encoder, hidden_states, load
from realign.encoder.signatures import canonical
from realign.training.pretraining import Shape, pretrain
from realign.world.world import Sizes, World
from selector.errors import InputError

COMMON = {"vocab_size": 300, "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2, "pad_token_id": 0}
USUAL = COMMON | {"intermediate_size": 32, "max_position_embeddings": 70}
SMALL = {
    "BertConfig": USUAL | {"hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.2},
    "XLMRobertaConfig": USUAL | {"hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.2},
    "DistilBertConfig": COMMON | {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    "ModernBertConfig": USUAL | {"bos_token_id": 2, "cls_token_id": 2, "eos_token_id": 3, "sep_token_id": 3},
}
SPECIAL: dict[str, list[Any]] = {  # values that a plain change of the default would not try
    "num_attention_heads": [4],
    "n_heads": [4],
    "hidden_act": ["relu"],
    "hidden_activation": ["relu"],
    "activation": ["relu"],
    "position_embedding_type": ["relative_key"],
    "attn_implementation": ["eager", "kernels-community/flash-attn2", "nobody/nothing@main:run"],
    "_attn_implementation": ["eager", "nobody/nothing"],
    "experts_implementation": ["nobody/nothing"],
    "is_decoder": [True],
    "chunk_size_feed_forward": [1],
}
WORDS = [("sifi", "meka", "a"), ("so", "many", "strange", "words", "of", "different", "lengths", "here")]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of a tokenizer of 300 sub-words."""
    torch.set_num_threads(1)
    world = World(0, Sizes(text=40, source_text=60, low_text=20))
    shape = Shape(vocabulary=300, layers=1, width=16, heads=2, steps=1, batch=8, length=16)
    return pretrain({"eng": world.texts("eng")}, shape, 0, tmp_path_factory.mktemp("tokenizer") / "encoder")


def saved(folder: Path, kind: str, tokenizer: Path) -> Path:
    torch.manual_seed(0)
    AutoModel.from_config(getattr(transformers, kind)(**SMALL[kind])).save_pretrained(folder)
    for file in tokenizer.glob("tokenizer*"):
        shutil.copy(file, folder)
    return folder


def variations(key: str, value: Any) -> Iterator[Any]:
    """Other values that a key of a configuration could have."""
    yield from SPECIAL.get(key, [])
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value + 1
    elif isinstance(value, float):
        yield value * 2 or 0.3
    elif value is None:
        yield from (1, True, 0.3)
    elif isinstance(value, str):
        yield "another"


def states(encoder: Encoder) -> list[Tensor]:
    """Of the words in evaluation and in training, where dropout is."""
    found = []
    ids, mask, _ = encoder.encode(WORDS, 16).take(np.arange(2))
    for training in (False, True):
        model = encoder.copy().train(training)
        torch.manual_seed(1)
        for layer in (-1, 1):
            found.append(hidden_states(model, ids, mask, layer)[mask.bool()].detach())
    return found


def opened(folder: Path) -> Encoder | None:
    """None where a change is refused in words."""
    try:
        return load(str(folder))
    except InputError:
        return None


def equal(before: list[Tensor], after: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("kind", SMALL)
def test_no_key_of_a_configuration_changes_states_under_the_same_signature(
    kind: str, tokenizer: Path, tmp_path: Path
) -> None:
    folder = saved(tmp_path / "model", kind, tokenizer)
    file = folder / "config.json"
    whole = json.loads(file.read_text(encoding="utf-8"))
    every = getattr(transformers, kind)(**SMALL[kind]).to_dict() | whole | dict.fromkeys(SPECIAL)
    first = load(str(folder))
    truth, other, same = states(first), set(), set()
    for key in sorted(every.keys() - {"model_type"}):
        for value in variations(key, every[key]):
            file.write_text(json.dumps(whole | {key: value}), encoding="utf-8")
            changed = opened(folder)
            if changed is None:
                continue
            if changed.signature != first.signature:
                other.add(key)
                continue
            same.add(key)
            assert equal(truth, states(changed)), f"{key} = {value!r} changes states, not the signature"
    assert {"transformers_version", "attn_implementation", "_attn_implementation"} <= same
    heads = "n_heads" if kind == "DistilBertConfig" else "num_attention_heads"
    assert {heads, "chunk_size_feed_forward"} <= other


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_attention_heads", 4),
        ("hidden_act", "relu"),
        ("layer_norm_eps", 0.1),
        ("is_decoder", True),
    ],
)
def test_what_changes_states_changes_the_signature(key: str, value: Any, tokenizer: Path, tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", "BertConfig", tokenizer)
    before = load(str(folder))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {key: value}), encoding="utf-8")
    after = load(str(folder))
    assert not equal(states(before), states(after))
    assert before.signature != after.signature
    assert before.tokenizer_signature == after.tokenizer_signature


def test_a_kernel_that_a_configuration_names_is_not_fetched(tokenizer: Path, tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", "BertConfig", tokenizer)
    before = load(str(folder))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for key in ("attn_implementation", "_attn_implementation"):
        (folder / "config.json").write_text(json.dumps(config | {key: "nobody/kernel"}), encoding="utf-8")
        after = load(str(folder))
        assert after.model.config._attn_implementation == before.model.config._attn_implementation == "sdpa"
        assert after.signature == before.signature


def ids(encoder: Encoder) -> Any:
    single, pairs = encoder.encode(WORDS, 6), encoder.encode(WORDS, 12, WORDS[::-1])
    long = encoder.encode([("sifi",) * 200], 1000)
    return [(table.ids.tolist(), table.offsets.tolist(), table.word.tolist()) for table in (single, pairs, long)]


TOKENIZER: dict[str, list[Any]] = {
    "model_max_length": [4, 100, 10**30],
    "padding_side": ["left"],
    "truncation_side": ["left"],
    "pad_token": ["[MASK]", "a"],
    "cls_token": ["[SEP]", "a"],
    "sep_token": ["[CLS]"],
    "unk_token": ["a"],
    "mask_token": ["a"],
    "bos_token": ["[CLS]"],
    "eos_token": ["[SEP]"],
    "add_prefix_space": [True, False],
    "add_bos_token": [True, False],
    "add_eos_token": [True, False],
    "do_lower_case": [True, False],
    "split_special_tokens": [True],
    "strip_accents": [True],
    "clean_up_tokenization_spaces": [True, False],
    "extra_special_tokens": [["sifi"]],
    "additional_special_tokens": [["sifi"]],
    "added_tokens_decoder": [{"4": {"content": "[MASK]", "special": True, "lstrip": True}}],
    "model_input_names": [["input_ids"]],
    "tokenizer_class": ["PreTrainedTokenizerFast", "BertTokenizer", "XLMRobertaTokenizer", "RobertaTokenizer"],
    "backend": ["tokenizers"],
    "max_length": [5],
    "stride": [2],
    "pad_to_multiple_of": [8],
    "name_or_path": ["elsewhere"],
}


def test_no_key_of_a_tokenizer_changes_ids_under_the_same_signature(tokenizer: Path, tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", "BertConfig", tokenizer)
    file = folder / "tokenizer_config.json"
    whole = json.loads(file.read_text(encoding="utf-8"))
    first = load(str(folder))
    truth, other = ids(first), set()
    assert whole.keys() <= TOKENIZER.keys()
    for key, values in TOKENIZER.items():
        for value in values:
            file.write_text(json.dumps(whole | {key: value}), encoding="utf-8")
            changed = opened(folder)
            if changed is None:
                continue
            signatures = {
                changed.signature == first.signature,
                changed.tokenizer_signature == first.tokenizer_signature,
            }
            assert len(signatures) == 1
            if signatures == {False}:
                other.add(key)
            else:
                assert ids(changed) == truth, f"{key} = {value!r} changes ids, not the signature"
    assert {"model_max_length", "truncation_side", "pad_token"} <= other
    assert "name_or_path" not in other


def test_how_a_tokenizer_was_called_last_is_no_part_of_its_signature(tokenizer: Path, tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", "BertConfig", tokenizer)
    before = load(str(folder))
    core = PreTrainedTokenizerFast.from_pretrained(str(folder))
    core("so", truncation=True, max_length=5, padding="max_length")
    core.save_pretrained(folder)
    assert json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["truncation"] is not None
    after = load(str(folder))
    assert (after.signature, after.tokenizer_signature) == (before.signature, before.tokenizer_signature)
    assert ids(after) == ids(before)


def test_the_place_of_an_encoder_is_no_part_of_its_signature(tokenizer: Path, tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", "ModernBertConfig", tokenizer)
    shutil.copytree(folder, tmp_path / "moved")
    assert load(str(folder)).signature == load(str(tmp_path / "moved")).signature


def test_equal_values_are_equal_bytes() -> None:
    assert canonical({"b": (1, 2), "a": None}) == canonical({"a": None, "b": [1, 2]})
    assert canonical({"a": 1}) != canonical({"a": 1.0})
