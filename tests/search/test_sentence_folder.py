"""The files for sentence-transformers: in its format, and of the pooling that retrieval is scored with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from rehearsal import realingo
from safetensors.torch import load_file
from small_study import world_encoder
from torch import nn

from realign.encoder.encoder import load
from realign.tasks.retrieval import Retrieval
from realign.world.world import World
from search.export import sentence_folder

ORDER = """
languages = ["deu", "fin"]
[model]
base = "encoder"
[task]
{task}
[realign]
steps = 3
batch = 4
"""
OTHERS = {"pooling_mode_cls_token", "pooling_mode_max_tokens", "pooling_mode_weightedmean_tokens"}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world_encoder(tmp_path_factory.mktemp("model") / "encoder", ("deu", "fin"))


@pytest.fixture
def home(encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REALINGO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "encoder").symlink_to(encoder)
    return tmp_path


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def realigned(home: Path, task: str, *more: str) -> Path:
    (home / "order.toml").write_text(ORDER.format(task=task), encoding="utf-8")
    assert realingo("realign", home / "order.toml", "-o", home / "model", *more) == 0
    return home / "model"


def test_the_modules_are_those_of_its_format_and_pool_as_retrieval_does(home: Path) -> None:
    folder = realigned(home, 'kind = "retrieval"')
    modules = read(folder / "modules.json")
    assert [each["type"].rpartition(".")[2] for each in modules] == list(sentence_folder.MODULES)
    assert [each["idx"] for each in modules] == [0, 1, 2, 3]
    paths = [folder / each["path"] for each in modules]
    assert paths[0] == folder
    encoder = load(str(folder))
    assert read(folder / "sentence_bert_config.json") == {"max_seq_length": 128, "do_lower_case": False}
    assert read(folder / "config_sentence_transformers.json")["similarity_fn_name"] == "cosine"
    pooling = read(paths[2] / "config.json")
    assert pooling["word_embedding_dimension"] == encoder.width
    assert pooling["pooling_mode_mean_tokens"]
    assert not any(pooling[mode] for mode in OTHERS)
    weighting, tokenizer = read(paths[1] / "config.json"), encoder.tokenizer
    weights = load_file(paths[1] / "model.safetensors")["emb_layer.weight"]
    assert weights.shape == (len(weighting["vocab"]), 1) == (1 + max(tokenizer.get_vocab().values()), 1)
    marks = {tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id}
    assert {number for number, (weight,) in enumerate(weights.tolist()) if weight != 1} == marks
    assert weighting["word_weights"] == {tokenizer.convert_ids_to_tokens(number): 0.0 for number in marks}

    world = World()
    pairs = world.pairs("deu", "test")[:40]
    vectors = embed(encoder, weights, [" ".join(pair.target) for pair in pairs])
    task = Retrieval(encoder, world)
    bitext = task._bitext(("deu",), "test", 40)
    ours = nn.functional.normalize(task._means(encoder.model, bitext.windows, None), dim=1)
    assert torch.allclose(ours[bitext.sides["deu"][1]], vectors, atol=1e-5)


@torch.no_grad()
def embed(encoder: Any, weights: torch.Tensor, texts: list[str]) -> torch.Tensor:
    """What the modules compute, one after the other: states, times weights, over their sum, at length 1."""
    given = encoder.tokenizer(texts, padding=True, return_tensors="pt")
    states = encoder.model(**given).last_hidden_state
    weight = weights[given["input_ids"]] * given["attention_mask"][..., None]
    return nn.functional.normalize((states * weight).sum(1) / weight.sum(1), dim=1)


def test_another_task_gets_the_files_where_they_are_asked_for(home: Path) -> None:
    assert not (realigned(home, 'kind = "pos"') / "modules.json").exists()
    card = (home / "model" / "README.md").read_text(encoding="utf-8")
    assert "SentenceTransformer" not in card
    (home / "model").rename(home / "first")
    folder = realigned(home, 'kind = "pos"', "--sentence-transformers")
    assert (folder / "modules.json").is_file()
    assert 'SentenceTransformer("MODEL_DIR")' in (folder / "README.md").read_text(encoding="utf-8")
    assert read(folder / "realingo.json")["sentence_transformers"] is True


def test_a_middle_layer_is_no_last_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = realigned(home, 'kind = "retrieval"\nlayer = 1')
    assert not (folder / "modules.json").exists()
    assert "the model gets no files for it" in capsys.readouterr().err
    arguments = ["realign", home / "order.toml", "-o", home / "other", "--sentence-transformers"]
    assert realingo(*arguments) == 2
    error, hint = capsys.readouterr().err.splitlines()[-2:]
    assert "task.layer = 1" in error
    assert "leave out --sentence-transformers" in hint
    assert not (home / "other").exists()
