"""`realingo realign --merge`: the encoder that a search scored, from the vectors that it left in the cache."""

from __future__ import annotations

import json
import shlex
import signal
import time
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import small_study
import torch
from rehearsal import realingo, started, tree

from realign.build import evaluator as assemble
from realign.encoder.encoder import load as load_encoder
from realign.merging.merger import add, head_of
from realign.realign_and_transfer import RealignAndTransfer
from realign.score import Merging
from search.config.study_config import StudyConfig, load
from search.effort.fidelities import Fidelities
from search.study.study import open_study
from search.study.trial import Trial

Answer = Callable[..., Any]
MERGED = """
[fidelity]
method = "average"
tuned = "{tuned}"
precision = "fp32"
scale = 1.5
examples = 1.0
"""
PLAIN = """
languages = ["deu", "fin"]
[model]
base = "encoder"
[data]
parallel = {kind = "moses", folder = "parallel"}
[realign]
steps = 4
batch = 4
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder, parallel text and treebanks."""
    folder = tmp_path_factory.mktemp("small")
    small_study.write(folder)
    return folder


@pytest.fixture
def home(data: Path, tmp_path: Path, own_cache: None) -> Path:
    """The same with files of its own, and plain.toml."""
    for name in ("encoder", "parallel", "treebanks"):
        (tmp_path / name).symlink_to(data / name)
    (tmp_path / "plain.toml").write_text(PLAIN, encoding="utf-8")
    return tmp_path


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str]) -> Answer:
    def run(*arguments: str | Path) -> Any:
        capsys.readouterr()
        assert realingo(*arguments, "--json") == 0
        return json.loads(capsys.readouterr().out)

    return run


def chosen_by_merging(home: Path, answer: Answer, tuned: str, base: str = "encoder") -> StudyConfig:
    """A study that searched with merged vectors, confirmed and exported to chosen/."""
    text = small_study.STUDY.replace('strategy = "random"', 'strategy = "random"\nfidelity = "merge"')
    text = text.replace('base = "encoder"', f'base = "{base}"')
    (home / "study.toml").write_text(text + MERGED.format(tuned=tuned), encoding="utf-8")
    for command in ("search", "confirm"):
        answer(command, home / "study.toml")
    answer("export", home / "study.toml", "-o", home / "chosen", "--set", "confirm.top=1")
    return load(home / "study.toml")


def measuring(config: StudyConfig) -> RealignAndTransfer:
    """The evaluator of a study's search, without its cache."""
    inner: Any = assemble.evaluator(config.core, config.scope, config.tune, "dev")
    while not isinstance(inner, RealignAndTransfer):
        inner = inner.evaluator
    return inner


def of_trial(home: Path, config: StudyConfig) -> tuple[dict[str, Any], Trial]:
    """The exported subset, and the trial of the search that merged its languages."""
    subset = json.loads((home / "chosen" / "subset.json").read_text(encoding="utf-8"))
    trials = open_study(config, create=False).trials()
    return subset, next(each for each in trials if list(each.subset.codes) == subset["languages"])


@pytest.mark.parametrize("base", ["encoder", "world"])
def test_the_folder_holds_the_encoder_that_the_search_scored(
    home: Path, answer: Answer, capsys: pytest.CaptureFixture[str], base: str
) -> None:
    config = chosen_by_merging(home, answer, "each", base)
    subset, trial = of_trial(home, config)
    assert subset["merged"]["value"] == trial.value
    assert subset["merged"]["signature"] == trial.signature
    vectors = sorted((home / "cache" / "vectors").glob("*.safetensors"))
    made = answer("realign", home / "chosen", "-o", home / "model", "--merge")
    assert made["merged"]["trained"] == 0
    assert sorted(made["merged"]["vectors"]) == sorted(f"{code} 1" for code in subset["languages"])
    assert sorted((home / "cache" / "vectors").glob("*.safetensors")) == vectors

    scored = measuring(config)._merger(subset["languages"], replace(Fidelities(config).at("merge"), steps=0), 1)[0]
    written = load_encoder(str(home / "model")).model.state_dict()
    assert written.keys() == scored.state_dict().keys()
    for name, weight in scored.state_dict().items():
        torch.testing.assert_close(written[name], weight, atol=1e-6, rtol=0, msg=name)

    found = answer("evaluate", home / "model", "--study", home / "study.toml", "--split", "dev")
    assert found["mean"] == trial.value
    assert found["per_language"] == trial.per_language

    card = (home / "model" / "README.md").read_text(encoding="utf-8")
    assert "not of this merged one" in card
    assert trial.signature in card
    assert "| merging.scale | 1.5 |" in card
    assert realingo("realign", home / "chosen", "-o", home / "again", "--merge") == 0
    said = capsys.readouterr()
    assert "2 language vectors in the cache, not trained again" in said.err
    assert f"next: realingo evaluate {home / 'again'} --study {home / 'study.toml'}" in said.err
    assert "language vectors: 2 from the cache, 0 trained now" in said.out


def test_with_shared_fine_tuning_the_folder_and_the_shared_change_give_the_score(home: Path, answer: Answer) -> None:
    config = chosen_by_merging(home, answer, "once")
    subset, trial = of_trial(home, config)
    answer("realign", home / "chosen", "-o", home / "model", "--merge")
    evaluator, fidelity = measuring(config), Fidelities(config).at("merge")
    tuned = evaluator._merger.tuning_vector(len(subset["languages"]), fidelity, 1)
    model = load_encoder(str(home / "model")).model
    add(model, {"": tuned}, Merging("average", scale=1.0))
    per_language, _ = evaluator._scores(model, head_of(tuned, torch.device("cpu")), fidelity.examples)
    assert per_language == trial.per_language
    card = (home / "model" / "README.md").read_text(encoding="utf-8")
    assert "with fine-tuning that other subsets shared" in card


def test_the_merged_weights_are_the_start_and_the_scaled_mean_of_the_changes(home: Path, answer: Answer) -> None:
    exact = ("--set", "merging.precision=fp32", "--set", "merging.scale=0.5")
    made = answer("realign", home / "plain.toml", "-o", home / "model", "--merge", *exact)
    assert made["merged"]["trained"] == 2
    assert (made["pairs"], {row["used"] for row in made["data"].values()}) == (32, {16})
    alone = {}
    for code in ("deu", "fin"):
        answer("realign", home / "plain.toml", "-o", home / code, "--set", f"languages={code}")
        alone[code] = dict(load_encoder(str(home / code)).model.named_parameters())
    merged = dict(load_encoder(str(home / "model")).model.named_parameters())
    moved = 0.0
    for name, before in load_encoder(str(home / "encoder")).model.named_parameters():
        wanted = before + 0.5 * sum(each[name] - before for each in alone.values()) / 2
        torch.testing.assert_close(merged[name], wanted, atol=1e-6, rtol=0, msg=name)
        moved = max(moved, (wanted - before).abs().max().item())
    assert moved > 1e-3


def test_a_vector_is_trained_once_whatever_else_is_merged(
    home: Path, answer: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    first = answer("realign", home / "plain.toml", "-o", home / "one", "--merge")
    more = ("--set", 'languages=["deu", "fin", "tur"]')
    assert realingo("realign", home / "plain.toml", "-o", home / "two", "--merge", *more) == 0
    said = capsys.readouterr().err
    assert "2 language vectors in the cache, not trained again; 1 language vector to train: tur" in said
    again = answer("realign", home / "plain.toml", "-o", home / "three", "--merge")
    assert again["merged"]["trained"] == 0
    assert (again["signature"], again["run"]) == (first["signature"], first["run"])
    for change in ("seed=5", "merging.precision=fp32", "merging.pairs=12", "realign.lr=1e-4", "merging.seeds=2"):
        other = answer("realign", home / "plain.toml", "-o", home / change, "--merge", "--set", change)
        assert other["merged"]["trained"] == 2, change
        assert other["run"] != first["run"]
    scaled = answer("realign", home / "plain.toml", "-o", home / "scaled", "--merge", "--set", "merging.scale=1.0")
    assert scaled["merged"]["trained"] == 0
    assert scaled["signature"] != first["signature"]


def test_an_interrupt_keeps_the_finished_vectors(home: Path, answer: Answer) -> None:
    text = PLAIN.replace("steps = 4", "steps = 120").replace('["deu", "fin"]', '["deu", "fin", "tur"]')
    (home / "long.toml").write_text(text, encoding="utf-8")
    process = started(
        "realign", home / "long.toml", "-o", home / "model", "--merge", cache=home / "cache", loaded="encoders"
    )
    while not list((home / "cache" / "vectors").glob("*.safetensors")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    kept = len(list((home / "cache" / "vectors").glob("*.safetensors")))
    assert f"error: stopped; {kept} of the 3 language vectors to train are finished, in the cache" in said
    assert "run the same command again" in said
    assert "Traceback" not in said
    assert {path for path in tree(home) if path.startswith((".model", "model"))} == set()
    made = answer("realign", home / "long.toml", "-o", home / "model", "--merge")
    assert made["merged"]["trained"] == 3 - kept


def test_without_a_study_the_next_command_begins_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert realingo("realign", home / "plain.toml", "-o", home / "model") == 0
    begin = capsys.readouterr().err.splitlines()[-1].removeprefix("next: ")
    assert begin == f"realingo init -o {home / 'model-study.toml'} --model {home / 'model'}"
    assert realingo(*shlex.split(begin)[1:]) == 0
    assert load(home / "model-study.toml").core.model.base == str(home / "model")
    (home / "again-study.toml").write_text(small_study.STUDY, encoding="utf-8")
    assert realingo("realign", home / "plain.toml", "-o", home / "again") == 0
    then = capsys.readouterr().err.splitlines()[-1].removeprefix("next: ")
    assert then == f"realingo evaluate {home / 'again'} --study {home / 'again-study.toml'}"
    assert realingo(*shlex.split(then)[1:]) == 0


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        (("--resume",), "--merge has none"),
        (("--set", "merging.pairs=3"), "merging.pairs = 3 is less than one batch of 4"),
        (("--set", "merging.method=scores"), "merging.method"),
        (("--set", "merging.scale=0"), "merging.scale"),
        (("--set", "merging.tuned=each"), "tuned"),
        (("--set", "languages=hin"), "hin"),
        (("--set", "realign.order=during"), "takes turns with fine-tuning"),
    ],
)
def test_wrong_use_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], extra: tuple[str, ...], says: str
) -> None:
    before = tree(home)
    capsys.readouterr()
    assert realingo("realign", home / "plain.toml", "-o", home / "model", "--merge", *extra) == 2
    captured = capsys.readouterr()
    error, hint = captured.err.splitlines()[-2:]
    assert (captured.out, error[:7], hint[:6]) == ("", "error: ", "hint: ")
    assert says in error
    assert {path for path in tree(home) if not path.startswith("cache")} == {
        path for path in before if not path.startswith("cache")
    }


def test_a_stopped_realignment_beside_the_folder_is_not_forgotten(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / ".model.realign").mkdir()
    (home / ".model.realign" / "checkpoint.safetensors").write_bytes(b"")
    assert realingo("realign", home / "plain.toml", "-o", home / "model", "--merge") == 2
    assert "a realignment that was stopped lies in" in capsys.readouterr().err


def test_an_export_says_how_to_merge_only_where_the_search_merged_vectors(home: Path, answer: Answer) -> None:
    chosen_by_merging(home, answer, "each")
    merging = tomllib.loads((home / "chosen" / "realign.toml").read_text(encoding="utf-8"))["merging"]
    assert merging == {
        "method": "average",
        "pairs": 16,
        "seeds": 1,
        "scale": 1.5,
        "density": 1.0,
        "precision": "fp32",
    }
    assert "With `--merge`" in (home / "chosen" / "README.md").read_text(encoding="utf-8")
    (home / "full.toml").write_text(small_study.STUDY.replace('name = "small"', 'name = "full"'), encoding="utf-8")
    for command in ("search", "confirm"):
        answer(command, home / "full.toml", "--set", "search.storage=full.journal")
    answer("export", home / "full.toml", "-o", home / "plainly", "--set", "search.storage=full.journal")
    assert "merging" not in tomllib.loads((home / "plainly" / "realign.toml").read_text(encoding="utf-8"))
    assert "merged" not in json.loads((home / "plainly" / "subset.json").read_text(encoding="utf-8"))
    assert "--merge" not in (home / "plainly" / "README.md").read_text(encoding="utf-8")
