"""Encoders of the kinds there are on the hub: tiny random weights, tokenizers built as theirs are."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoModel

from realign.encoder.encoder import hidden_states, load, save
from realign.encoder.ragged import first_subwords
from selector.errors import InputError

TEXT = [
    "the old house stands on the hill and the river runs below it",
    "в старом доме на горе жил человек с собакой",
    "die alte Frau wohnt in dem Haus an der Brücke und liest",
    "a man of the town walks in la plaza with the dog of a friend",
] * 8
SENTENCES = [
    ("the", "dog", "walks", "below", "the", "old", "bridge"),
    ("в", "доме", "на", "горе"),
    ("Brücke", "an", "der", "plaza", "漢字", "ठीक"),
    ("a",),
]
SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}


def close(core: Tokenizer, first: str, last: str) -> Tokenizer:
    """The tokenizer with its first and last token around each sentence."""
    ids = [(token, core.token_to_id(token)) for token in (first, last)]
    core.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", pair=f"{first} $A {last} $B {last}", special_tokens=ids
    )
    return core


def unigram(special: list[str], unknown: str) -> Tokenizer:
    core = Tokenizer(models.Unigram())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    trainer = trainers.UnigramTrainer(vocab_size=150, special_tokens=special, unk_token=unknown, show_progress=False)
    core.train_from_iterator(TEXT, trainer)
    return core


def xlm_r() -> Tokenizer:
    return close(unigram(["<s>", "<pad>", "</s>", "<unk>", "<mask>"], "<unk>"), "<s>", "</s>")


def deberta() -> Tokenizer:
    core = unigram(["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"], "[UNK]")
    core.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Strip(left=False, right=True)])
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    return close(core, "[CLS]", "[SEP]")


def word_piece() -> Tokenizer:
    core = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer(lowercase=False)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    core.train_from_iterator(
        TEXT, trainers.WordPieceTrainer(vocab_size=150, special_tokens=special, show_progress=False)
    )
    return close(core, "[CLS]", "[SEP]")


def gemma() -> Tokenizer:
    """Spaces are a letter of the text, and no merge reaches over one."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    core = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    letters = [*special, *(f"<0x{byte:02X}>" for byte in range(256))]
    core.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=460, special_tokens=letters, show_progress=False))
    core.normalizer = normalizers.Replace(" ", "▁")
    core.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    core.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return close(core, "<bos>", "<eos>")


def llama_3() -> Tokenizer:
    core = Tokenizer(models.BPE(ignore_merges=True))
    words = Regex(r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(words, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|mask|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        TEXT,
        trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    core.decoder = decoders.ByteLevel()
    return close(core, "<|begin_of_text|>", "<|end_of_text|>")


BERT = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
XLM = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}
XLM |= {"bos_token": "<s>", "eos_token": "</s>"}
GEMMA = {"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>", "mask_token": "<mask>"}
LLAMA = {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>", "pad_token": "<|end_of_text|>"}
DISTIL = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48}
RELATIVE = {"relative_attention": True, "position_buckets": 8, "pos_att_type": ["p2c", "c2p"], "share_att_key": True}
RELATIVE |= {"norm_rel_ebd": "layer_norm", "position_biased_input": False}

Kind = tuple[str, dict[str, Any], Callable[[], Tokenizer], str, dict[str, str], int]
KINDS: dict[str, Kind] = {  # configuration, its values, tokenizer, its class and special tokens, longest sentence
    "XLM-R": ("XLMRoberta", SIZE | {"max_position_embeddings": 42}, xlm_r, "XLMRobertaTokenizer", XLM, 40),
    "mBERT": ("Bert", SIZE | {"max_position_embeddings": 40}, word_piece, "BertTokenizer", BERT, 40),
    "DistilBERT": ("DistilBert", DISTIL | {"max_position_embeddings": 40}, word_piece, "DistilBertTokenizer", BERT, 40),
    "multilingual-e5": ("Bert", SIZE | {"max_position_embeddings": 40}, xlm_r, "XLMRobertaTokenizer", XLM, 40),
    "mmBERT": ("ModernBert", SIZE | {"local_attention": 8}, gemma, "GemmaTokenizerFast", GEMMA, 8192),
    "EuroBERT": ("EuroBert", SIZE | {"num_key_value_heads": 2}, llama_3, "PreTrainedTokenizerFast", LLAMA, 8192),
    "mDeBERTa": ("DebertaV2", SIZE | RELATIVE, deberta, "DebertaV2Tokenizer", BERT, 512),
}  # fmt: skip


def made(kind: str, folder: Path, dtype: torch.dtype = torch.float32) -> Tokenizer:
    """A folder as it is on the hub; the tokenizer that lies in it."""
    name, values, build, tokenizer_class, tokens, _ = KINDS[kind]
    core = build()
    ids = {f"{role}_id": core.token_to_id(token) for role, token in tokens.items() if role != "unk_token"}
    ids |= {"cls_token_id": 0, "sep_token_id": 0} if name == "ModernBert" else {}
    ids |= {"mask_token_id": 2} if name == "EuroBert" else {}
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**values, **ids, vocab_size=core.get_vocab_size())
    AutoModel.from_config(config).to(dtype).save_pretrained(folder)
    core.save(str(folder / "tokenizer.json"))
    about = {"tokenizer_class": tokenizer_class, **tokens}
    (folder / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")
    return core


@pytest.mark.parametrize("kind", KINDS)
def test_words_are_read_as_in_running_text(kind: str, tmp_path: Path) -> None:
    core = made(kind, tmp_path / "model")
    encoder = load(str(tmp_path / "model"))
    table = encoder.encode(SENTENCES, 60)
    for number, words in enumerate(SENTENCES):
        ids, word = table.row(number)
        running = core.encode(" ".join(words))
        assert ids.tolist() == running.ids
        ends = np.cumsum([len(w) + 1 for w in words])  # where each word and the space after it end
        special = np.array(running.special_tokens_mask, dtype=bool)
        expected = [int(np.searchsorted(ends, end, side="right")) for _, end in running.offsets]
        assert word[~special].tolist() == [w for w, outside in zip(expected, special, strict=True) if not outside]
        assert (word[special] == -1).all()
    assert len(encoder.encode([("the",) * 9000], 10**6).ids) == encoder.limit(10**6) == KINDS[kind][-1]


@pytest.mark.parametrize("kind", KINDS)
def test_packed_equals_padded_and_padding_is_not_told_by_its_id(kind: str, tmp_path: Path) -> None:
    made(kind, tmp_path / "model")
    encoder = load(str(tmp_path / "model"))
    table = encoder.encode(SENTENCES, 40)
    ids, mask, word = table.take(np.arange(len(SENTENCES)))
    assert mask.sum(1).tolist() == table.length.tolist()
    assert first_subwords(word).sum(1).tolist() == [len(words) for words in SENTENCES]
    with torch.no_grad():
        found = hidden_states(encoder.model, ids, mask)
        padded = encoder.model(input_ids=ids, attention_mask=mask).last_hidden_state
        assert (found - padded)[mask > 0].abs().max() < 1e-5
        for number, length in enumerate(mask.sum(1).tolist()):
            alone = encoder.model(input_ids=ids[number : number + 1, :length]).last_hidden_state
            assert (found[number, :length] - alone[0]).abs().max() < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_comes_back_as_it_was_saved(kind: str, tmp_path: Path) -> None:
    made(kind, tmp_path / "model")
    encoder = load(str(tmp_path / "model"))
    table = encoder.encode(SENTENCES, 12)
    save(encoder.model, encoder.tokenizer, tmp_path / "again")
    again = load(str(tmp_path / "again"))
    assert again.tokenizer_signature == encoder.tokenizer_signature
    assert again.encode(SENTENCES, 12).ids.tolist() == table.ids.tolist()
    for name, weight in encoder.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], weight), name


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", ["XLM-R", "mmBERT", "EuroBERT"])
def test_a_checkpoint_in_half_precision_is_trained_in_single(kind: str, dtype: torch.dtype, tmp_path: Path) -> None:
    made(kind, tmp_path / "model", dtype)
    on_disk = load_file(tmp_path / "model" / "model.safetensors")
    assert {weight.dtype for weight in on_disk.values()} == {dtype}
    model = load(str(tmp_path / "model")).model
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    states = model.state_dict()
    for name, weight in on_disk.items():
        assert torch.equal(states[name], weight.float()), name


def refused(folder: Path) -> tuple[str, str]:
    with pytest.raises(InputError) as found:
        load(str(folder))
    assert found.value.hint is not None
    assert "\n" not in found.value.message + found.value.hint
    return found.value.message, found.value.hint


def change(folder: Path, **values: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | values), encoding="utf-8")


def test_weights_as_pickle_are_refused_with_the_way_to_convert_them(tmp_path: Path) -> None:
    made("XLM-R", tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    message, hint = refused(tmp_path)
    assert "no model.safetensors" in message
    assert "spaces/safetensors/convert" in hint


CODE = {  # configuration that names code, what the message and the hint must have
    "gte-multilingual": (
        "new",
        "Alibaba-NLP/new-impl--modeling.NewModel",
        "alibaba-nlp-community/gte-multilingual-base",
    ),
    "another": ("its-own", "modeling.OwnModel", "XLM-R"),
}


@pytest.mark.parametrize("name", CODE)
def test_code_of_a_model_is_not_run_and_the_hint_says_which_other_to_take(name: str, tmp_path: Path) -> None:
    kind, code, other = CODE[name]
    made("XLM-R", tmp_path)
    (tmp_path / "modeling.py").write_text("raise SystemExit", encoding="utf-8")
    change(tmp_path, model_type=kind, auto_map={"AutoModel": code, "AutoConfig": code.replace("Model", "Config")})
    message, hint = refused(tmp_path)
    assert code in message
    assert other in hint


def test_an_unknown_type_asks_for_a_newer_version(tmp_path: Path) -> None:
    made("XLM-R", tmp_path)
    change(tmp_path, model_type="xlm-roberta-9")
    message, hint = refused(tmp_path)
    assert "'xlm-roberta-9'" in message
    assert "pip install -U transformers" in hint


def test_weights_for_code_that_looks_like_a_known_type_are_refused(tmp_path: Path) -> None:
    made("XLM-R", tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    others = {name.replace("attention.self", "mixer"): weight for name, weight in weights.items()}
    save_file(others, tmp_path / "model.safetensors", {"format": "pt"})
    change(tmp_path, auto_map={"AutoModel": "jinaai/xlm-roberta-flash-implementation--modeling_lora.XLMRobertaLoRA"})
    message, hint = refused(tmp_path)
    assert "do not have" in message
    assert "jinaai/jina-embeddings-v3-hf" in hint


def test_a_type_that_is_known_is_loaded_without_its_code(tmp_path: Path) -> None:
    made("EuroBERT", tmp_path)
    (tmp_path / "modeling_eurobert.py").write_text("raise SystemExit", encoding="utf-8")
    change(tmp_path, auto_map={"AutoModel": "modeling_eurobert.EuroBertModel"})
    assert type(load(str(tmp_path)).model) is transformers.EuroBertModel


def altered(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    """The weights of the folder, changed."""
    weights = change(load_file(folder / "model.safetensors"))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["query.weight", "word_embeddings.weight"])
def test_weights_that_are_no_numbers_are_refused(name: str, value: float, tmp_path: Path) -> None:
    """One is enough: of a sub-word that only the test has it would make a guess of every sentence that holds it."""
    made("XLM-R", tmp_path)

    def spoil(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        first = next(each for each in sorted(weights) if each.endswith(name))
        weights[first][-1, -1] = value
        return weights

    altered(tmp_path, spoil)
    message, hint = refused(tmp_path)
    assert name in message
    assert "not all numbers" in message
    assert hint == "fetch or save them again"


def test_a_tokenizer_with_more_sub_words_than_the_weights_is_refused(tmp_path: Path) -> None:
    size = made("XLM-R", tmp_path).get_vocab_size()
    altered(tmp_path, lambda all_: {name: w[:-2] if "word_emb" in name else w for name, w in all_.items()})
    change(tmp_path, vocab_size=size - 2)
    message, _ = refused(tmp_path)
    assert f"numbered up to {size - 1}, its weights have {size - 2} rows" in message


def test_blocks_that_are_not_used_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made("XLM-R", tmp_path)
    with caplog.at_level(logging.WARNING, "realingo.encoder"):
        load(str(tmp_path))
        assert not caplog.text
        change(tmp_path, num_hidden_layers=1)
        load(str(tmp_path))
    assert "weights of blocks that config.json does not have are not used: encoder.layer.1." in caplog.text
