"""The study file: what is accepted, what is refused, and what a refusal says."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
import rehearsal

from search.config.schema import StudyFile, check
from search.config.study_config import load, resolve_study
from selector.errors import InputError

WRONG = {
    "unknown key": (["search.stratgy=tpe"], "unknown key 'search.stratgy'", "strategy"),
    "unknown section": (["serch.trials=3"], "unknown key 'serch'", "search"),
    "unknown key in a table": (["model.base={kind='fake', nose=1}"], "nose", ""),
    "unknown strategy": (["search.strategy=annealing"], "annealing", ""),
    "unknown objective": (["search.objective=median"], "median", ""),
    "cvar of nothing": (["search.objective=cvar:0"], "cvar:0", ""),
    "unknown language": (["pool.languages=['fra', 'qqz']"], "qqz", ""),
    "unknown source": (["pool.source=qqz"], "pool.source", ""),
    "empty pool": (["pool.languages=[]"], "empty", ""),
    "k = 0": (["pool.k=0"], "too small", ""),
    "k below 0": (["pool.k=-2"], "too small", ""),
    "k above the pool": (["pool.k=11"], "10 languages", "lower k"),
    "k upside down": (["pool.k=[4, 2]"], "empty", ""),
    "k of three": (["pool.k=[1, 2, 3]"], "pool.k: Input should be a valid integer or a list of at most 2", ""),
    "k of a list with one": (["pool.k=[3]"], "pool.k: Input should be a valid integer or a longer list", ""),
    "source in pool": (["pool.source=deu"], "source language deu", ""),
    "held out and pool": (["targets.held_out=['fra']"], "fra", "unseen"),
    "held out and tuned on": (["targets.tune=['tel', 'fra']"], "tel", "unseen"),
    "source held out": (["targets.held_out=['eng']"], "source language eng", ""),
    "no name": (["name="], "name", ""),
    "name with a slash": (["name='a/b'"], "name", ""),
    "no trials": (["search.trials=0"], "search.trials", ""),
    "word without aligner": (["realign.loss=word"], "aligner", ""),
    "dictionary without folder": (["realign.loss=word", "realign.aligner=dictionary"], "dictionary", ""),
    "alignments without pharaoh": (["realign.alignments=links"], "pharaoh", ""),
    "pooling of the other loss": (["realign.pooling=first"], "word loss", ""),
    "lora and freeze": (["realign.lora={rank=2}", "realign.freeze=lower"], "freeze", ""),
    "lora in turns": (["realign.lora={}", "realign.order=during"], "during", ""),
    "block below 0": (["realign.freeze=[-1]"], "realign.freeze", ""),
    "all warm-up": (["realign.warmup=1"], "realign.warmup", ""),
    "retrieval in turns": (["realign.order=during", "task.kind=retrieval"], "retrieval", "before"),
    "costs that are not there": (["pool.costs=costs.csv"], "pool.costs", ""),
    "budget without a k it can pay": (["pool.budget=2"], "the budget", "lower k"),
    "budget below 0": (["pool.budget=-1"], "pool.budget", ""),
    "include outside the pool": (["pool.include=['tel']"], "tel", "pool"),
    "include and exclude": (["pool.include=['fra']", "pool.exclude=['fra']"], "fra", ""),
    "more included than k": (["pool.include=['fra', 'deu', 'jpn', 'hin']"], "4 languages", "k"),
    "everything excluded": (["pool.exclude=['fra', 'deu', 'jpn', 'hin', 'swh', 'tur', 'vie', 'arb']"], "fewer", "k"),
    "quota of nothing": (["pool.quota=['colour=2']"], "colour", "family=2"),
    "three objectives": (["search.objectives=['mean', 'worst', 'cost']"], "objectives", ""),
    "weights of the worst": (["targets.weights=w.csv", "search.objective=worst"], "weights", ""),
    "override without value": (["search.trials"], "KEY=VALUE", ""),
    "override of a whole section": (["search={trials=3}"], "would drop all else that [search] says", "search.trials="),
    "override below a value": (["seed.x=1"], "seed", ""),
    "no low-resource target": (["search.objective=low-resource", "targets.tune=['fra','deu']"], "low-resource", ""),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_named_with_a_way_out(tmp_path: Path, case: str) -> None:
    overrides, message, hint = WRONG[case]
    with pytest.raises(InputError) as caught:
        rehearsal.study(tmp_path, *overrides)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.hint


def test_error_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"study\.toml"):
        rehearsal.study(tmp_path, "search.stratgy=tpe")


@pytest.mark.parametrize("content", ["name = \nk = 1", "[pool\nk = 1", "\x00"])
def test_malformed_toml_says_where(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="line 1"):
        load(path)


def test_missing_file_and_missing_section(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no study file"):
        load(tmp_path / "absent.toml")
    (tmp_path / "bare.toml").write_text('name = "x"', encoding="utf-8")
    with pytest.raises(InputError, match="'pool' is missing"):
        load(tmp_path / "bare.toml")


def test_defaults_of_the_world(tmp_path: Path) -> None:
    path = tmp_path / "world.toml"
    path.write_text('name = "w"\n[pool]\nlanguages = "world"\nk = 4\n', encoding="utf-8")
    config = load(path)
    assert len(config.pool) >= 24
    assert config.tune == config.pool
    assert config.sizes == (4, 4)
    assert config.core.source.code == "eng"
    assert config.storage == f"sqlite:///{tmp_path}/w.db"


def test_override_is_toml_or_else_text(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, "search.trials=7", "search.strategy=tpe", "pool.k=[2, 3]", "realign.lr=2e-4")
    assert (config.search.trials, config.search.strategy, config.sizes, config.core.realign.lr) == (
        7,
        "tpe",
        (2, 3),
        2e-4,
    )


def test_override_equals_the_same_words_in_the_file(tmp_path: Path) -> None:
    overridden = rehearsal.study(tmp_path, "search.trials=5", "name='other'")
    assert overridden == rehearsal.study(tmp_path, trials=5, name="other")


def test_order_and_spelling_of_languages_do_not_matter(tmp_path: Path) -> None:
    spelled = rehearsal.study(tmp_path / "a", "pool.languages=['vi', 'French', 'deu_Latn', 'zh']")
    assert [language.code for language in spelled.pool] == ["cmn", "deu", "fra", "vie"]


def test_named_pool_gives_way_to_the_source(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, "pool.languages=world", "pool.source=deu", "targets.held_out=[]")
    assert "deu" not in [language.code for language in config.pool]
    assert len(config.pool) >= 23


def test_relative_paths_start_at_the_study_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "codes.txt").write_text("fra\ndeu\nvie\n", encoding="utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    config = rehearsal.study(tmp_path, "pool.languages=codes.txt", "search.storage=sqlite:///x.db", "pool.k=2")
    assert len(config.pool) == 3
    assert config.storage == f"sqlite:///{tmp_path}/x.db"
    assert config.folder == tmp_path / "trial"


def test_config_is_frozen_and_travels_to_worker_processes(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path)
    assert pickle.loads(pickle.dumps(config)) == config
    with pytest.raises(FrozenInstanceError):
        config.search.trials = 3  # type: ignore[misc]


def test_a_study_with_costs_and_weights_is_a_key(tmp_path: Path) -> None:
    (tmp_path / "costs.csv").write_text("".join(f"{code},1\n" for code in rehearsal.POOL))
    keys = ["pool.costs=costs.csv", "targets.weights=costs.csv"]
    config = rehearsal.study(tmp_path, *keys)
    assert {config: 1}[rehearsal.study(tmp_path, *keys)] == 1


def test_a_study_on_a_described_set_of_the_hub_can_be_a_key(tmp_path: Path) -> None:
    hub = {"kind": "hub", "id": "org/name", "columns": {"words": "tokens", "tags": "upos"}}
    task = {"kind": "pos", "data": hub, "epochs": 2.0}
    document = {"name": "s", "pool": {"languages": "deu,fra", "k": 1}, "task": task}
    one, other = (resolve_study(tmp_path / "s.toml", check(StudyFile, tmp_path / "s.toml", document)) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
