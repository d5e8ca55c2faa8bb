"""`realingo pretrain`: text in, an encoder that transformers loads out; wrong input is refused with nothing written."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import rehearsal

from search.cli import main
from search.commands.pretrain import load_pretrain, read_texts

TINY = "[tokenizer]\nvocabulary = 80\n[model]\nlayers = 1\nwidth = 16\nheads = 2\n"
SHORT = "[train]\nsteps = 2\nbatch = 4\nmax_length = 16\n"


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A folder with a configuration and a little text in two languages; German is named as Arabic's macro code is."""
    folder = tmp_path / "text"
    folder.mkdir()
    (folder / "eng.txt").write_text("the cat sees the dog\nthe dog sees the bird\n" * 10)
    (folder / "ara.txt").write_text("القط يرى الكلب\n" * 10)
    (tmp_path / "small.toml").write_text(f'[data]\nkind = "text"\nfolder = "text"\n{TINY}{SHORT}')
    return tmp_path


def realingo(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def refused(capsys: pytest.CaptureFixture[str], config: Path, output: Path) -> str:
    """Run a command that must fail as wrong input; its two lines, after checking that nothing was written."""
    before = {path: path.stat().st_mtime_ns for path in config.parent.rglob("*")}
    assert realingo("pretrain", config, "-o", output) == 2
    captured = capsys.readouterr()
    error, hint = captured.err.splitlines()
    assert captured.out == ""
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")
    assert {path: path.stat().st_mtime_ns for path in config.parent.rglob("*")} == before
    return captured.err


def test_the_encoder_loads_and_the_same_seed_gives_the_same_weights(
    text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from realign.encoder.encoder import load

    (text / "b").mkdir()  # an empty folder is as good as a new one
    signatures = []
    for name in ("a", "b"):
        assert realingo("pretrain", text / "small.toml", "-o", text / name) == 0
        assert capsys.readouterr().out == f"{text / name}\n"
        signatures.append(load(str(text / name)).signature)
    assert signatures[0] == signatures[1]
    config = (text / "small.toml").read_text().replace("[train]\n", "[train]\nseed = 1\n")
    (text / "small.toml").write_text(config)
    assert realingo("pretrain", text / "small.toml", "-o", text / "c") == 0
    assert load(str(text / "c")).signature != signatures[0]
    assert {path.name for path in text.iterdir()} == {"a", "b", "c", "text", "small.toml"}


def test_the_command_stands_alone(text: Path) -> None:
    command = [sys.executable, "-m", "search", "pretrain", "small.toml", "-o", "out/model"]
    done = subprocess.run(command, cwd=text, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{text / 'out' / 'model'}\n"
    assert "30 sentences in 2 languages" in done.stderr
    assert (text / "out" / "model" / "model.safetensors").is_file()


def test_verses_give_their_train_split_and_languages_are_named_in_any_usual_code(tmp_path: Path) -> None:
    folder = tmp_path / "parallel"
    folder.mkdir()
    (folder / "verse_ids.tsv").write_text("verse_id\tsplit\nA.1.1\ttrain\nA.1.2\tdev\nA.1.3\ttest\n")
    for code in ("eng", "ara", "deu"):
        (folder / f"{code}.txt").write_text(f"A.1.1\t{code} one\nA.1.2\t{code} two\nA.1.3\t{code} three\n")
    config = tmp_path / "c.toml"
    config.write_text('[data]\nkind = "verses"\nfolder = "parallel"\nlanguages = ["German", "ar"]\n')
    texts = read_texts(load_pretrain(config).data, tmp_path)
    assert {code: list(text) for code, text in texts.items()} == {"arb": [("ara", "one")], "deu": [("deu", "one")]}
    config.write_text('[data]\nkind = "verses"\nfolder = "parallel"\n')
    assert set(read_texts(load_pretrain(config).data, tmp_path)) == {"arb", "deu", "eng"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("folder =", "langages = []\nfolder ="), "did you mean 'languages'"),
        (('"text"\nf', '"pdf"\nf'), "data.kind"),
        (('folder = "text"', ""), "data.folder"),
        (('folder = "text"', 'folder = "nowhere"'), "looked for"),
        (('folder = "text"', 'folder = "text"\nlanguages = ["qqq"]'), "qqq"),
        (('folder = "text"', 'folder = "text"\nlanguages = ["xho"]'), "xho"),
        (("width = 16", "width = 15"), "model.width = 15"),
        (("steps = 2", "steps = 0"), "train.steps"),
        (("steps = 2", "steps = two"), "not valid TOML"),
        (("max_length = 16", "max_length = 4"), "train.max_length"),
    ],
)
def test_a_wrong_configuration_is_refused(
    text: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], says: str
) -> None:
    config = text / "small.toml"
    assert change[0] in config.read_text()
    config.write_text(config.read_text().replace(*change))
    assert says in refused(capsys, config, text / "out")


def test_bad_text_is_refused_with_its_line(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (text / "text" / "eng.txt").write_bytes(b"fine\n\xff\xfe\n")
    assert "eng.txt, line 2: not UTF-8" in refused(capsys, text / "small.toml", text / "out")
    (text / "text" / "eng.txt").write_text("\n\n")
    (text / "text" / "ara.txt").write_text("")
    assert "there is no text" in refused(capsys, text / "small.toml", text / "out")


def test_a_missing_configuration_is_refused(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no TOML file" in refused(capsys, text / "none.toml", text / "out")


def test_an_occupied_output_is_refused(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is not empty" in refused(capsys, text / "small.toml", text / "text")
    assert "is a file" in refused(capsys, text / "small.toml", text / "small.toml")
    assert "cannot write" in refused(capsys, text / "small.toml", text / "small.toml" / "inside")


def test_the_studies_of_real_languages_agree_with_each_other() -> None:
    from search.config.study_config import load

    studies = Path(__file__).parents[2] / "studies"
    study, encoder = load(studies / "real-small.toml"), load_pretrain(studies / "real-small-encoder.toml")
    spoken = {language.code for language in (study.core.source, *study.pool, *study.held_out)}
    assert set(encoder.data.languages) == spoken


def test_an_interrupted_training_does_not_promise_to_continue(text: Path) -> None:
    """Nothing of it is kept, unlike of a search."""
    path = text / "small.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("steps = 2", "steps = 1000000"), encoding="utf-8")
    process = rehearsal.started("pretrain", path, "-o", text / "encoder", cache=text / "cache")
    assert process.stderr is not None
    for line in process.stderr:
        if "pretraining" in line:
            break
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.splitlines()[-2:] == ["error: interrupted", "hint: the same command begins anew"]
    assert [each.name for each in text.iterdir() if "encoder" in each.name] == []
