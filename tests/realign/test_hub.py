"""Studies on a hub served by the test itself: online, again offline from the cache, and every way it can fail."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import transformers
import warm_python
from loopback_hub import serve
from tiny_encoder import make_model
from transformers import AutoModel

from realign.encoder.encoder import hidden_states, load
from realign.hub.sets import Spec, find_set, load_sets
from realign.world.world import Sizes, World
from selector.errors import InputError
from selector.languages.language import two_letter

CODES = ("deu", "fin", "swh")
STUDY = """
name = "hub"
[pool]
languages = "deu,fin,swh"
k = 1
[model]
base = "tiny/xlm-r"
[data.parallel]
kind = "hub"
id = "tiny/opus"
config = "{pair}"
codes = "iso1"
columns = {source = "translation.{source}", target = "translation.{lang}"}
[task]
kind = "pos"
data = {kind = "hub", id = "tiny/pos", columns = {words = "tokens", tags = "upos"}}
steps = 4
batch = 8
examples = 10
[realign]
steps = 4
batch = 4
[search]
trials = 2
warm_start = false
"""

COMMON = {"vocab_size": 405, "pad_token_id": 1, "max_position_embeddings": 70}
USUAL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
SMALL = {
    "BertConfig": COMMON | USUAL,
    "XLMRobertaConfig": COMMON | USUAL,
    "DistilBertConfig": COMMON | {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    "ModernBertConfig": COMMON | USUAL | {"bos_token_id": 0, "cls_token_id": 0, "eos_token_id": 2, "sep_token_id": 2},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Repositories of a tiny model of the XLM-R type, parallel text and tags, made from a small world."""
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("hub")
    world = World(0, Sizes(parallel=60, source=40, evaluation=12, text=30, source_text=30, low_text=20))
    make_model(root / "models" / "tiny" / "xlm-r", world)
    for code in CODES:
        two = two_letter(code) or ""
        pair = "-".join(sorted(("en", two)))
        rows = [{"en": " ".join(p.source), two: " ".join(p.target)} for p in world.pairs(code, "train")]
        for owner in ("tiny", "broken"):
            table = pa.table({"translation": pa.array([*rows, rows[0]])})
            write(root / "datasets" / owner / "opus" / pair / "train-00000-of-00001.parquet", table)
    cards(root / "datasets" / "tiny" / "opus", ["de-en", "en-fi", "en-sw"])
    cards(root / "datasets" / "broken" / "opus", ["de-en", "en-fi", "en-sw"])
    names = sorted({tag for s in world.sentences("eng", "train") for tag in s.tags})
    for code in ("eng", *CODES):
        for split, ours in (("train", "train"), ("validation", "dev"), ("test", "test")):
            if split != "train" or code == "eng":
                table = tags(world.sentences(code, ours), names)  # type: ignore[arg-type]
                write(root / "datasets" / "tiny" / "pos" / code / f"{split}.parquet", table)
    cards(root / "datasets" / "tiny" / "pos", ["eng", *CODES])
    (root / "datasets" / "tiny" / "program").mkdir(parents=True)
    (root / "datasets" / "tiny" / "program" / "program.py").write_text("raise SystemExit")
    return root


def tags(sentences: Any, names: list[str]) -> pa.Table:
    """Tags as numbers, with their names in the metadata, as the hub's own conversions have them."""
    columns = {
        "tokens": pa.array([list(s.words) for s in sentences]),
        "upos": pa.array([[names.index(tag) for tag in s.tags] for s in sentences], pa.list_(pa.int64())),
    }
    features = {
        "tokens": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"},
        "upos": {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "List"},
    }
    return pa.table(columns).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def cards(folder: Path, configs: list[str]) -> None:
    """A card that says which files a configuration has."""
    lines = ["---", "configs:"]
    for config in configs:
        lines += [f"- config_name: {config}", "  data_files:"]
        for file in sorted((folder / config).iterdir()):
            lines += [f"  - split: {file.stem.split('-')[0]}", f"    path: {config}/{file.name}"]
    (folder / "README.md").write_text("\n".join([*lines, "---", ""]), encoding="utf-8")


@pytest.fixture(scope="module")
def served(root: Path) -> Iterator[str]:
    with serve(root) as (address, _):
        yield address


def realingo(home: Path, address: str, *words: str, offline: bool = False) -> CompletedProcess[str]:
    """The command in a process of its own, whose hub is `address` and whose caches are in `home`."""
    own = {"HF_ENDPOINT": address, "HF_HOME": str(home / "hf"), "REALINGO_CACHE": str(home / "cache")}
    own |= {"HF_HUB_OFFLINE": "1" if offline else "0", "OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_XET": "1"}
    return warm_python.run("-m", "search", *words, env={**os.environ, **own}, loaded="libraries")


@pytest.mark.slow
def test_a_study_on_the_hub_runs_and_runs_again_offline(root: Path, tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text(STUDY, encoding="utf-8")
    with serve(root) as (address, asked):
        first = realingo(tmp_path, address, "search", str(study), "--backend", "inline", "--json")
        assert first.returncode == 0, first.stderr
        assert any("model.safetensors" in line for line in asked)
    assert "deu: a sample of 16 of 61 pairs is used" in first.stderr
    again = study.with_name("again.toml")
    again.write_text(STUDY.replace('"hub"\n[pool]', '"again"\n[pool]'), encoding="utf-8")
    for file in (tmp_path / "cache" / "scores").rglob("*.json"):
        file.unlink()  # nothing is answered from memory
    second = realingo(tmp_path, address, "search", str(again), "--backend", "inline", "--json", offline=True)
    assert second.returncode == 0, second.stderr
    best = [json.loads(run.stdout)["best"] for run in (first, second)]
    assert best[0]["value"] == best[1]["value"]
    assert best[0]["per_language"] == best[1]["per_language"]


WRONG = {
    "language": ('"deu,fin,swh"', '"deu,fin,tam"', "tam"),
    "split": ('tags = "upos"}', 'tags = "upos"}, splits = {train = "train", dev = "dev"}', "no split 'dev'"),
    "column": ('tags = "upos"', 'tags = "xpos"', "no column 'xpos'"),
    "inner column": ("translation.{lang}", "translation.x{lang}", "no column 'translation.xde'"),
    "gated": ("tiny/opus", "gated/opus", "gated"),
    "absent": ("tiny/opus", "tiny/nothing", "there is no tiny/nothing"),
    "program": ("tiny/pos", "tiny/program", "never run"),
    "broken": ("tiny/opus", "broken/opus", "broken/opus"),
    "model": ("tiny/xlm-r", "tiny/no-model", "cannot load the encoder"),
    "gated model": ("tiny/xlm-r", "gated/xlm-r", "gated"),
}

ATTEMPTS = """
import json, sys
from pathlib import Path
from subprocess import CompletedProcess
from realign.build import evaluator as assemble
from search.config import study_config as config
from selector.errors import InputError
said = {}
for file in sorted(Path(sys.argv[1]).glob("*.toml")):
    study = config.load(file)
    try:
        built = assemble.evaluator(study.core, study.scope, study.tune, "dev")
        built.signature  # noqa: B018
        said[file.stem] = None
    except InputError as problem:
        said[file.stem] = [problem.message, problem.hint]
print(json.dumps(said))
"""


@pytest.mark.slow
def test_whatever_is_wrong_with_the_hub_is_said_in_a_line(served: str, tmp_path: Path) -> None:
    folder = tmp_path / "studies"
    folder.mkdir()
    for name, (right, wrong, _) in WRONG.items():
        assert right in STUDY, name
        (folder / f"{name}.toml").write_text(STUDY.replace(right, wrong), encoding="utf-8")
    own = {"HF_ENDPOINT": served, "HF_HOME": str(tmp_path / "hf"), "REALINGO_CACHE": str(tmp_path / "cache")}
    own |= {"HF_HUB_OFFLINE": "0", "OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_XET": "1"}
    run = warm_python.run("-c", ATTEMPTS, folder, env={**os.environ, **own}, loaded="libraries")
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout.splitlines()[-1])
    for name, (_, _, expected) in WRONG.items():
        assert said[name] is not None, f"{name}: nothing was wrong"
        message, hint = said[name]
        assert expected in message, (name, message)
        assert "\n" not in message
        assert hint


def test_the_known_sets_are_whole() -> None:
    roles = {
        "parallel": ({"source", "target"}, {"text"}),
        "pos": ({"words", "tags"},),
        "ner": ({"words", "tags"},),
        "classification": ({"premise", "hypothesis", "label"}, {"text", "label"}),
    }
    for name, spec in load_sets().items():
        assert all(set(spec.columns) in roles[task] for task in spec.tasks), name
        assert set(spec.splits) <= {"train", "dev", "test"}, name
    with pytest.raises(InputError, match="nothing for ner"):
        find_set("opus-100", "ner")
    with pytest.raises(InputError, match="no known data set"):
        find_set("opus-101", "parallel")


def test_codes_take_the_form_of_the_data_set() -> None:
    opus = load_sets()["opus-100"]
    assert opus.fill(opus.config, "eng", "deu") == "de-en"
    assert opus.fill(opus.config, "eng", "fra") == "en-fr"
    assert opus.fill("translation.{lang}", "eng", "pes") == "translation.fa"
    assert Spec("x/y", ("pos",), {}, codes="flores").code("deu") == "deu_Latn"
    assert load_sets()["udpos"].code("deu") == "de_hdt"


@pytest.mark.parametrize("kind", ["BertConfig", "XLMRobertaConfig", "DistilBertConfig", "ModernBertConfig"])
def test_encoders_of_every_usual_type_load_and_encode(root: Path, tmp_path: Path, kind: str) -> None:
    made = AutoModel.from_config(getattr(transformers, kind)(**SMALL[kind]))
    made.save_pretrained(tmp_path / "model")
    for file in (root / "models" / "tiny" / "xlm-r").glob("tokenizer*"):
        (tmp_path / "model" / file.name).write_bytes(file.read_bytes())
    encoder = load(str(tmp_path / "model"))
    assert encoder.signature == load(str(tmp_path / "model")).signature
    ids, mask, _ = encoder.encode([("sifi", "meka"), ("so",)], 16).take(np.arange(2))
    assert hidden_states(encoder.model, ids, mask).shape[-1] == encoder.width == 16
