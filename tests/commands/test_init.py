"""`realingo init`: what it writes loads, fits what lies in a folder, and replaces nothing unasked."""

import json
from pathlib import Path

import pytest
from rehearsal import realingo

from search.config.study_config import load
from search.starting.folder_survey import survey
from selector.errors import InputError

TREE = "1\tA\t_\tNOUN\t_\t_\t_\t_\t_\t_\n\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Moses text in deu, fra and tur as OPUS names it; treebanks of eng, deu, fra (UD's names) and swh without text."""
    folder = tmp_path / "data"
    text, banks = folder / "bitext", folder / "ud"
    text.mkdir(parents=True)
    banks.mkdir()
    for code in ("de", "fr", "tr"):
        for side in ("en", code):
            (text / f"bible.{'-'.join(sorted(('en', code)))}.{side}").write_text("a b\nc d\n", encoding="utf-8")
    for name in ("eng.train", "eng.dev", "deu.dev", "deu.test", "swh.test"):
        (banks / f"{name}.conllu").write_text(TREE, encoding="utf-8")
    released = banks / "UD_French-GSD"
    released.mkdir()
    for split in ("dev", "test"):
        (released / f"fr_gsd-ud-{split}.conllu").write_text(TREE, encoding="utf-8")
    return folder


def test_without_flags_it_is_the_world(tmp_path: Path) -> None:
    file = tmp_path / "first.toml"
    assert realingo("init", "-o", str(file), "--yes") == 0
    config = load(file)
    assert (config.name, config.core.model.base, len(config.pool), config.sizes) == ("first", "world", 24, (4, 4))
    assert len(config.held_out) == 8


def test_a_folder_is_looked_at(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "own.toml"
    assert realingo("init", "-o", str(file), "--from-folder", str(data), "--json") == 0
    said = json.loads(capsys.readouterr().out)
    config = load(file)
    assert [language.code for language in config.pool] == ["deu", "fra"]
    assert config.tune == config.pool
    assert [language.code for language in config.held_out] == ["swh"]
    assert config.core.model.base == "xlm-roberta-base"
    assert said["next"] == f"realingo check {file}"
    assert any("tur" in remark and "treebank" in remark for remark in said["remarks"])


def test_check_finds_nothing_missing_in_the_folder(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.toml"
    nowhere = str(tmp_path / "no-encoder")
    assert realingo("init", "-o", str(file), "--from-folder", str(data), "--model", nowhere) == 0
    capsys.readouterr()
    assert realingo("check", str(file), "--json") == 2
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert [each["error"] for each in problems if "no-encoder" not in each["error"]] == []


def test_a_language_without_a_dev_treebank_is_not_tuned_on(data: Path, tmp_path: Path) -> None:
    (data / "ud" / "deu.dev.conllu").unlink()
    file = tmp_path / "own.toml"
    assert realingo("init", "-o", str(file), "--from-folder", str(data)) == 0
    config = load(file)
    assert [language.code for language in config.pool] == ["deu", "fra"]
    assert [language.code for language in config.tune] == ["fra"]


@pytest.mark.parametrize("pool", ["deu,tur,swh", "paper-65"])
def test_of_a_pool_what_the_folder_lacks_is_left_out_and_said(
    pool: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.toml"
    assert realingo("init", "-o", str(file), "--from-folder", str(data), "--pool", pool, "-k", "1", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    config = load(file)
    assert {language.code for language in config.pool} == {"deu"} | ({"fra"} if pool == "paper-65" else set())
    assert [language.code for language in config.held_out] == ["swh"]
    assert any("left out" in remark and "swh" in remark for remark in said["remarks"])


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--pool", "jpn"], "no language of --pool"),
        (["--model", "world"], "embedded world alone"),
        (["-k", "9"], "own.toml"),
    ],
)
def test_what_does_not_fit_the_folder_is_said_of_the_file(
    flags: list[str], says: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.toml"
    assert realingo("init", "-o", str(file), "--from-folder", str(data), *flags) == 2
    printed = capsys.readouterr().err
    assert says in printed
    assert ".init-" not in printed
    assert not file.exists()


@pytest.mark.parametrize(
    ("names", "kind"),
    [(("eng.txt", "deu.txt"), "verses"), (("deu.tsv",), "tsv"), (("eng-deu.eng", "eng-deu.deu"), "moses")],
)
def test_every_kind_of_parallel_text_is_seen(data: Path, names: tuple[str, ...], kind: str) -> None:
    for file in (data / "bitext").iterdir():
        file.unlink()
    for name in names:
        (data / "bitext" / name).write_text("MAT.1.1\tx\n" if kind != "moses" else "x\n", encoding="utf-8")
    found = survey(data, "eng")
    assert found.parallel is not None
    assert found.parallel[0] == kind
    assert found.translated == ("deu",)


def test_named_sets_of_the_hub(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    flags = [
        "--model",
        "xlm-roberta-base",
        "--parallel",
        "opus-100",
        "--task",
        "wikiann",
        "--pool",
        "deu,fra,tur",
        "-k",
        "2",
    ]
    assert realingo("init", "-o", str(file), *flags) == 0
    config = load(file)
    assert (config.core.task.kind, config.sizes) == ("ner", (2, 2))


def test_nothing_is_replaced_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "study.toml"
    file.write_text("mine", encoding="utf-8")
    assert realingo("init", "-o", str(file)) == 2
    assert "--yes" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == "mine"
    assert realingo("init", "-o", str(file), "--yes") == 0
    assert load(file).name == "study"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--task", "nothing"], "no task set 'nothing'"),
        (["--model", "m", "--parallel", "nothing"], "nothing"),
        (["--from-folder", "nowhere"], "no folder nowhere"),
        (["--from-folder", ".", "--task", "udpos"], "from the folder alone"),
        (["-k", "40"], "pool"),
    ],
)
def test_what_does_not_fit_writes_nothing(
    flags: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert realingo("init", *flags) == 2
    printed = capsys.readouterr()
    assert says in printed.err
    assert printed.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_training_treebank_is_refused(data: Path) -> None:
    (data / "ud" / "eng.train.conllu").unlink()
    with pytest.raises(InputError, match="no training treebank of eng"):
        survey(data, "eng")


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert realingo("--version") == 0
    assert capsys.readouterr().out == f"realingo {version('realingo')}\n"
