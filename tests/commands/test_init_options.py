"""`realingo init`: every option is taken at its word, or refused; what it names is the same from every folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rehearsal import realingo

from realign.core import FakeModel
from search.config.study_config import StudyConfig, load

pytestmark = pytest.mark.usefixtures("own_cache")


def made(*options: str, file: str = "study.toml") -> StudyConfig:
    assert realingo("init", "-o", file, "--yes", *options) == 0
    return load(Path(file))


def codes(config: StudyConfig) -> list[str]:
    return [language.code for language in config.pool]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a folder `studies` in it."""
    (tmp_path / "studies").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_model_fake_is_a_rehearsal(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = made("--model", "fake")
    assert config.core.model.base == FakeModel(kind="fake")
    assert (config.name, len(config.pool), config.core.data.parallel) == ("study", 24, "world")
    assert "a rehearsal: every score will be FAKE" in capsys.readouterr().out
    assert realingo("check", "study.toml") == 0


def test_fake_without_a_table_is_no_encoder(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It would be looked for on the hub."""
    made()
    capsys.readouterr()
    assert realingo("check", "study.toml", "--set", "model.base=fake") == 2
    assert "there is no encoder 'fake' (a rehearsal is {kind = \"fake\"}" in capsys.readouterr().err


def test_a_rehearsal_of_any_pool_runs(here: Path) -> None:
    made("--model", "fake", "--pool", "paper-65", "-k", "3")
    assert realingo("search", "study.toml", "--trials", "1") == 0


def test_a_rehearsal_of_sets_of_the_hub(here: Path) -> None:
    config = made("--model", "fake", "--parallel", "opus-100", "--task", "udpos", "--pool", "deu,fra,jpn", "-k", "2")
    assert (config.name, config.core.model.base) == ("study-fake", FakeModel(kind="fake"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["-k", "0"], "pool.k = 0 is too small"),
        (["-k", "0", "--model", "m", "--parallel", "opus-100"], "pool.k = 0 is too small"),
        (["--model", " "], "--model is empty"),
        (["--pool", ""], "--pool is empty"),
        (["--source", ""], "--source is empty"),
        (["--task", ""], "--task is empty"),
        (["--parallel", ""], "--parallel is empty"),
        (["--model", "world", "--pool", "deu,ibo,yor,tur"], "the world does not speak ibo, yor"),
        (["--model", "world", "--parallel", "opus-100"], "reads the embedded world alone"),
        (["--source", "deu"], "the world labels training sentences in eng alone"),
    ],
)
def test_what_cannot_be_writes_nothing(
    options: list[str], says: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert realingo("init", *options) == 2
    assert says in capsys.readouterr().err
    assert [path.name for path in here.iterdir()] == ["studies"]


def test_a_pool_in_a_file_is_the_same_from_every_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "pool.txt").write_text("deu\ntur\nswh\n", encoding="utf-8")
    (here / "studies" / "pool.txt").write_text("fra\nspa\n", encoding="utf-8")
    assert codes(made("--pool", "pool.txt", "-k", "2", file="studies/a.toml")) == ["deu", "swh", "tur"]
    monkeypatch.chdir(here / "studies")
    assert codes(load(Path("a.toml"))) == ["deu", "swh", "tur"]
    assert codes(made("--pool", "pool.txt", "-k", "1", file="b.toml")) == ["fra", "spa"]
    assert 'languages = "pool.txt"' in Path("b.toml").read_text(encoding="utf-8")


def test_an_encoder_in_a_folder_is_found_from_the_study(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "encoder").mkdir()
    (here / "encoder" / "config.json").write_text(json.dumps({"hidden_size": 96}), encoding="utf-8")
    config = made("--model", "encoder", "--parallel", "opus-100", file="studies/a.toml")
    assert config.core.model.base == str(here / "encoder")
    assert "is 96 wide" in capsys.readouterr().out
    assert made("--model", "encoder", "--parallel", "opus-100").core.model.base == "encoder"


def test_the_next_command_can_be_typed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(file="my study.toml")
    assert "next: realingo check 'my study.toml'" in capsys.readouterr().out
    assert "#     realingo check 'my study.toml' " in Path("my study.toml").read_text(encoding="utf-8")
