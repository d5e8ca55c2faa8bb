"""`realingo realign` with order = "during": what the study scored, saved with its head, and taken up after a kill."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import warm_python
from rehearsal import realingo
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from small_study import world_encoder
from torch import nn

from realign.encoder.encoder import HEAD, load
from realign.tasks.classification import Classification
from realign.tasks.tagging import Tagging
from realign.tasks.transfer_task import FineTuning
from realign.world.world import World
from search.commands import realign as production

ORDER = """
languages = ["deu", "fin"]
seed = 1
[model]
base = "encoder"
[task]
kind = "{kind}"
steps = 9
batch = 8
lr = 5e-3
[realign]
order = "during"
layer = 1
steps = 5
batch = 4
lr = 1e-3
"""
STUDY = """
name = "study"
[pool]
languages = ["deu", "fin"]
k = 2
[targets]
held_out = ["swh"]
[search]
strategy = "random"
trials = 1
warm_start = false
[confirm]
top = 1
seeds = 1
"""


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world_encoder(tmp_path_factory.mktemp("model") / "encoder", ("deu", "fin", "swh"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def home(encoder: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REALINGO_CACHE", str(cache))
    (tmp_path / "encoder").symlink_to(encoder)
    text = ORDER.format(kind="pos")
    (tmp_path / "order.toml").write_text(text, encoding="utf-8")
    (tmp_path / "study.toml").write_text(STUDY + text[text.index("[model]") :] + "\n", encoding="utf-8")
    torch.set_num_threads(1)
    return tmp_path


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    def run(*arguments: str | Path) -> Any:
        assert realingo(*arguments, "--json") == 0
        return json.loads(capsys.readouterr().out)

    return run


def test_encoder_and_head_get_the_score_that_the_study_gave(
    home: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import AutoModel, AutoModelForTokenClassification

    best = answer("search", home / "study.toml")["best"]
    made = answer("realign", home / "order.toml", "-o", home / "model", "--set", f"seed={best['seed']}")
    assert made["head"]["loads"] == "AutoModelForTokenClassification"
    assert (made["head"]["kind"], made["head"]["steps"], made["pairs"]) == ("pos", 9, 20)
    whole = AutoModelForTokenClassification.from_pretrained(home / "model")
    task = Tagging(load(str(home / "model")), World(), "eng", FineTuning())
    assert list(whole.config.id2label.values()) == made["head"]["labels"] == list(task.tags)
    alone = AutoModel.from_pretrained(home / "model")
    for model in (alone, whole.base_model):
        found = task.evaluate(model, whole.classifier, ["deu", "fin"], "dev", 100)
        assert {code: tally.value for code, tally in found.items()} == best["per_language"]
    card = (home / "model" / "README.md").read_text(encoding="utf-8")
    assert "AutoModelForTokenClassification.from_pretrained" in card
    assert "in turns: pos, 9 steps of 8" in card
    assert "it has no task head" not in card
    capsys.readouterr()
    assert realingo("evaluate", str(home / "model"), "--study", str(home / "study.toml"), "--split", "dev") == 0
    assert "it is not used, the encoder is fine-tuned again" in capsys.readouterr().err


def test_an_export_of_a_study_in_turns_is_realigned(home: Path, answer: Any) -> None:
    for command in ("search", "confirm"):
        answer(command, home / "study.toml")
    answer("export", home / "study.toml", "-o", home / "chosen")
    assert answer("realign", home / "chosen", "-o", home / "model")["head"]["kind"] == "pos"


def test_the_head_of_a_classifier_is_a_file_beside_the_encoder(home: Path, answer: Any) -> None:
    (home / "order.toml").write_text(ORDER.format(kind="classification"), encoding="utf-8")
    made = answer("realign", home / "order.toml", "-o", home / "model")
    assert made["head"]["loads"] == HEAD in made["files"]
    encoder = load(str(home / "model"))
    task = Classification(encoder, World(), "eng", FineTuning())
    assert list(task.labels) == made["head"]["labels"]
    head = nn.Linear(encoder.width, len(task.labels))
    head.load_state_dict(load_file(home / "model" / HEAD))
    assert 0 < task.evaluate(encoder.model, head, ["deu"], "dev", 40)["deu"].value < 1
    card = (home / "model" / "README.md").read_text(encoding="utf-8")
    assert 'load_file("MODEL_DIR/head.safetensors")' in card
    assert "state = states[0]" in card


def test_killed_and_resumed_it_ends_in_the_same_weights(home: Path, answer: Any) -> None:
    more = ("--set", "task.steps=60", "--set", "realign.steps=40", "--every", "0")
    whole = answer("realign", home / "order.toml", "-o", home / "whole", *more)
    checkpoint = home / ".model.realign" / production.CHECKPOINT
    command = ("-m", "search", "realign", home / "order.toml", "-o", home / "model", *more)
    process = warm_python.start(*command, env=os.environ, loaded="encoders")
    while _position(checkpoint) < 5:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert 5 <= _position(checkpoint) < 60
    again = answer("realign", home / "order.toml", "-o", home / "model", *more, "--resume")
    assert again["signature"] == whole["signature"]
    name = "model.safetensors"
    assert (home / "model" / name).read_bytes() == (home / "whole" / name).read_bytes()


def _position(checkpoint: Path) -> int:
    try:
        with safe_open(checkpoint, framework="np") as stored:
            return int(json.loads(stored.metadata()["realingo"])["position"])
    except (OSError, SafetensorError):
        return 0


def test_retrieval_has_nothing_to_take_turns_with(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "order.toml").write_text(ORDER.format(kind="retrieval").replace("steps = 9\n", ""), encoding="utf-8")
    assert realingo("realign", home / "order.toml", "-o", home / "model") == 2
    assert "retrieval has none" in capsys.readouterr().err
    assert not (home / "model").exists()
