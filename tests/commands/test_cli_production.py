"""`realingo realign` and `realingo evaluate` as a person types them: killed, resumed, refused, scored."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import shutil
import signal
import time
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rehearsal
import tomli_w
from filelock import FileLock
from rehearsal import realingo, tree
from safetensors import SafetensorError, safe_open
from small_study import world_encoder

from realign.encoder.encoder import load
from search.config import realign_file

STUDY = """
name = "small"
seed = 1
[pool]
languages = ["deu", "fin", "hin", "swh", "tur"]
k = 2
[targets]
held_out = ["ekk", "tam"]
[model]
base = "encoder"
[task]
steps = 6
examples = 12
[realign]
loss = "word"
aligner = "gold"
steps = 6
batch = 8
[search]
strategy = "random"
trials = 2
warm_start = false
[confirm]
top = 1
seeds = 1
"""
PLAIN = """
languages = ["German", "fi"]
[model]
base = "encoder"
[realign]
steps = {steps}
batch = 4
schedule = "linear"
"""
LONG = 120  # steps, enough to be killed in
WORK = ".model.realign"

# Each command is a process of its own, forked from one that has imported torch and transformers already.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["warm"])


@pytest.fixture(scope="module", autouse=True)
def _server() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "PYTHONPATH", str(Path(rehearsal.__file__).parent), prepend=os.pathsep
        )  # where the server finds `warm`
        forkserver.ensure_running()


def _command(arguments: tuple[str, ...], cache: str, said: Path, room: int) -> None:
    os.environ["REALINGO_CACHE"] = cache
    if room:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))  # every file, as a full disk would
    with said.open("w", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
        status = realingo(*arguments)
    os._exit(status)


def started(folder: Path, *arguments: str | Path, room: int = 0) -> Any:
    """The command in a process; what it says goes to <folder>/said. `room`: bytes a file may have, 0: any."""
    cache = os.environ["REALINGO_CACHE"]
    process = SERVER.Process(target=_command, args=(tuple(map(str, arguments)), cache, folder / "said", room))
    process.start()
    return process


def ended(process: Any) -> int:
    process.join(60)
    assert process.exitcode is not None
    return int(process.exitcode)


def position(checkpoint: Path) -> int:
    """Steps that a checkpoint has behind it; 0 while there is none."""
    try:
        with safe_open(checkpoint, framework="np") as stored:
            return int(json.loads(stored.metadata()["realingo"])["position"])
    except (OSError, SafetensorError):
        return 0


def reached(process: Any, checkpoint: Path, step: int) -> None:
    while position(checkpoint) < step:
        assert process.is_alive(), "it ended before it could be stopped"
        time.sleep(0.002)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world_encoder(tmp_path_factory.mktemp("model") / "encoder", ("deu", "fin", "tur", "swh"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def home(encoder: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the encoder, study.toml, plain.toml (short) and long.toml."""
    monkeypatch.setenv("REALINGO_CACHE", str(cache))
    (tmp_path / "encoder").symlink_to(encoder)
    for name, text in {"study": STUDY, "plain": PLAIN.format(steps=6), "long": PLAIN.format(steps=LONG)}.items():
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def undisturbed(encoder: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The signature of the weights that long.toml leads to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "encoder").symlink_to(encoder)
    (folder / "long.toml").write_text(PLAIN.format(steps=LONG), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALINGO_CACHE", str(cache))
        assert ended(started(folder, "realign", folder / "long.toml", "-o", folder / "model")) == 0
    return load(str(folder / "model")).signature


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    def run(*arguments: str | Path) -> Any:
        assert realingo(*arguments, "--json") == 0
        return json.loads(capsys.readouterr().out)

    return run


def refused(capsys: pytest.CaptureFixture[str], home: Path, *arguments: str | Path) -> str:
    """The two lines that wrong input costs; nothing may have been written."""
    before = tree(home)
    capsys.readouterr()
    assert realingo("realign", *arguments) == 2
    captured = capsys.readouterr()
    error, hint = captured.err.splitlines()
    assert (captured.out, error[:7], hint[:6]) == ("", "error: ", "hint: ")
    assert tree(home) == before
    return captured.err


# From a study to a model


@pytest.fixture
def chosen(home: Path, answer: Any) -> Path:
    for command in ("search", "confirm"):
        answer(command, home / "study.toml")
    answer("export", home / "study.toml", "-o", home / "chosen")
    return home / "chosen"


def test_the_model_gets_the_scores_that_the_study_gave_its_subset(chosen: Path, home: Path, answer: Any) -> None:
    best = answer("status", home / "study.toml")["best"]
    subset = json.loads((chosen / "subset.json").read_text(encoding="utf-8"))
    made = answer("realign", chosen, "-o", home / "model", "--set", f"languages={json.dumps(subset['languages'])}")
    assert made["languages"] == subset["languages"]
    if subset["row"] == "best":
        found = answer("evaluate", home / "model", "--study", home / "study.toml", "--split", "dev")
        assert (found["mean"], found["per_language"]) == (best["value"], best["per_language"])
        assert (found["seeds"], found["held_out"]) == ([1], None)
    # and on the test split with the fresh seed of the confirmation, held-out languages with it
    again = ("--set", "seed=1001")
    fresh = answer("realign", chosen, "-o", home / "fresh", *again)
    assert fresh["changed"] == ["seed"]
    assert fresh["signature"] != made["signature"]
    found = answer("evaluate", home / "fresh", "--study", home / "study.toml", *again)
    assert found["mean"] == subset["score"]["mean"]
    assert found["per_language"] == subset["score"]["per_language"]
    assert found["held_out"]["mean"] == subset["score"]["held_out"]["mean"]
    card = (home / "fresh" / "README.md").read_text(encoding="utf-8")
    assert "Settings were changed since: seed" in card
    assert subset["signature"] in card
    assert subset["reason"] in card


def test_two_models_are_compared_pairwise(home: Path, answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answer("realign", home / "plain.toml", "-o", home / "model")
    study, model = home / "study.toml", home / "model"
    both = answer("evaluate", model, "--study", study, "--seeds", "2", "--against", home / "encoder")
    other = answer("evaluate", home / "encoder", "--study", study, "--seeds", "2")
    against = both["against"]
    assert against["mean"] == other["mean"]
    assert against["difference"] == pytest.approx(both["mean"] - other["mean"])
    assert against["ci95"][0] <= against["difference"] <= against["ci95"][1]
    assert both["std"] > 0
    same = answer("evaluate", model, "--study", study, "--against", model)["against"]
    assert (same["difference"], same["ci95"], same["p"], same["regressions"]) == (0, [0, 0], 1, [])
    assert realingo("evaluate", model, "--study", study) == 0
    told = capsys.readouterr().out
    assert "test split, 1 seed" in told
    assert "between seeds" not in told  # of one seed nothing is known of it
    assert answer("evaluate", model, "--study", study)["std"] is None
    assert "ekk Standard Estonian" in told
    for wrong in (("--split", "train"), ("--seeds", "0"), ("--workers", "0")):
        assert realingo("evaluate", model, "--study", study, *wrong) == 2
    assert realingo("evaluate", home / "nothing", "--study", study) == 2


def test_a_list_of_languages_is_enough(home: Path, answer: Any) -> None:
    from transformers import AutoModel, AutoTokenizer

    made = answer("realign", home / "plain.toml", "-o", home / "some" / "where" / "model")
    model = home / "some" / "where" / "model"
    assert set(made["files"]) == {
        "README.md",
        "config.json",
        "model.safetensors",
        "realingo.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert made["languages"] == ["deu", "fin"]
    assert sum(row["used"] for row in made["data"].values()) == made["pairs"] == 24
    tokenizer, encoder = AutoTokenizer.from_pretrained(model), AutoModel.from_pretrained(model)
    assert not tokenizer.backend_tokenizer.truncation
    assert encoder(**tokenizer("a b", return_tensors="pt")).last_hidden_state.shape[2] == 32
    assert load(str(model)).signature == made["signature"] != load(str(home / "encoder")).signature
    card = (model / "README.md").read_text(encoding="utf-8")
    assert "| fin | Finnish | Uralic | Latn | 1,200 | 1,200 | none | 12 |" in card
    assert "No study stands behind this choice" in card
    assert {path.name for path in model.parent.iterdir()} == {"model"}


def test_the_card_says_what_the_filter_dropped(home: Path, answer: Any) -> None:
    lines = [f"word{i} of line {i}\tWort{i} der Zeile {i}" for i in range(20)]
    (home / "text").mkdir()
    (home / "text" / "deu.tsv").write_text("\n".join([*lines, lines[0], "only this\t"]) + "\n", encoding="utf-8")
    changed = ("--set", "languages=deu", "--set", "data.parallel={kind='tsv', folder='text'}")
    made = answer("realign", home / "plain.toml", "-o", home / "model", *changed)
    assert made["data"]["deu"] == {
        "available": 22,
        "pairs": 20,
        "dropped": {"duplicate": 1, "empty": 1},
        "used": 24,
    }
    card = (home / "model" / "README.md").read_text(encoding="utf-8")
    assert "| deu | German | Indo-European | Latn | 22 | 20 | 1 duplicate, 1 empty | 24 |" in card
    assert "local files in `text`" in card


# Stopped and resumed


def test_killed_at_three_moments_it_ends_in_the_same_weights(home: Path, undisturbed: str) -> None:
    command = ("realign", home / "long.toml", "-o", home / "model", "--every", "0", "--resume")
    checkpoint = home / WORK / "checkpoint.safetensors"
    rng = np.random.default_rng()
    for low, high in ((5, 30), (40, 80), (90, LONG - 20)):
        process = started(home, *command)
        reached(process, checkpoint, int(rng.integers(low, high)))
        process.kill()
        assert ended(process) == -signal.SIGKILL
        assert not (home / "model").exists()
    assert ended(started(home, *command)) == 0
    assert load(str(home / "model")).signature == undisturbed
    assert not (home / WORK).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_a_checkpoint_and_says_how_to_go_on(
    home: Path, undisturbed: str, number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("realign", home / "long.toml", "-o", home / "model")
    checkpoint = home / WORK / "checkpoint.safetensors"
    process = started(home, *command, "--every", "0")
    reached(process, checkpoint, 10)
    os.kill(process.pid, number)
    assert ended(process) == 130
    said = (home / "said").read_text(encoding="utf-8")
    assert f"stopped after step {position(checkpoint)} of {LONG}" in said
    assert "--resume" in said
    assert "Traceback" not in said

    assert "add --resume" in refused(capsys, home, *command[1:])
    for change, name in (("realign.lr=1e-4", "realign"), ("seed=5", "seed"), ("languages=deu,tur", "data")):
        told = refused(capsys, home, *command[1:], "--resume", "--set", change)
        assert "has another" in told
        assert name in told.splitlines()[0]
    assert ended(started(home, *command, "--resume")) == 0
    assert load(str(home / "model")).signature == undisturbed


def test_a_full_disk_keeps_the_last_checkpoint(home: Path) -> None:
    command = ("realign", home / "long.toml", "-o", home / "model", "--resume")
    checkpoint = home / WORK / "checkpoint.safetensors"
    process = started(home, *command, "--every", "0")
    reached(process, checkpoint, 20)
    process.kill()
    ended(process)
    kept = checkpoint.read_bytes()
    assert ended(started(home, *command, room=len(kept) // 2)) == 1
    said = (home / "said").read_text(encoding="utf-8")
    assert "error: cannot write the checkpoint" in said
    assert "free some disk space" in said
    assert checkpoint.read_bytes() == kept
    assert not (home / "model").exists()


def test_without_a_checkpoint_resume_starts_anew_and_a_damaged_one_is_named(
    home: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    first = answer("realign", home / "plain.toml", "-o", home / "one")
    assert answer("realign", home / "plain.toml", "-o", home / "two", "--resume")["signature"] == first["signature"]
    process = started(home, "realign", home / "long.toml", "-o", home / "model", "--every", "0")
    checkpoint = home / WORK / "checkpoint.safetensors"
    reached(process, checkpoint, 3)
    process.kill()
    ended(process)
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    told = refused(capsys, home, home / "long.toml", "-o", home / "model", "--resume")
    assert "cannot be read" in told


def test_a_second_process_is_turned_away(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / WORK).mkdir()
    with FileLock(home / WORK / "lock"):
        assert realingo("realign", home / "plain.toml", "-o", home / "model") == 1
    assert "another process is realigning" in capsys.readouterr().err
    assert (home / WORK).is_dir()
    assert realingo("realign", home / "plain.toml", "-o", home / "model") == 0


# Refused


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of a rehearsed study, as `realingo realign` would accept it but for the encoder, which is none."""
    folder = tmp_path_factory.mktemp("sound")
    study = rehearsal.write(folder, trials=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALINGO_CACHE", str(folder / "cache"))
        for command in ("search", "confirm"):
            assert realingo(command, study) == 0
        assert realingo("export", study, "-o", folder / "out") == 0
    settings = folder / "out" / "realign.toml"
    document = tomllib.loads(settings.read_text(encoding="utf-8")) | {"model": {"base": "world"}}
    settings.write_text(tomli_w.dumps(document), encoding="utf-8")
    assert realign_file.read(folder / "out", []).chosen is not None
    return folder / "out"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("languages=deu,eng", "source language eng"),
        ("languages=deu,klingonish", "klingonish"),
        ("realign.stepz=4", "did you mean 'steps'"),
        ("model.base={kind='fake'}", "rehearsal"),
        ("model.base=nowhere/at/all", "nowhere/at/all"),
        ("data.parallel={kind='tsv', folder='nowhere'}", "nowhere"),
        ("realign.layer=7", "no layer 7"),
        ("name=../up", "name"),
    ],
)
def test_wrong_settings_are_refused(home: Path, capsys: pytest.CaptureFixture[str], change: str, says: str) -> None:
    assert says in refused(capsys, home, home / "plain.toml", "-o", home / "model", "--set", change)


def test_wrong_places_are_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = home / "plain.toml"
    (home / "used").mkdir()
    (home / "used" / "mine.txt").write_text("keep", encoding="utf-8")
    assert "is not empty" in refused(capsys, home, plain, "-o", home / "used")
    assert "is a file" in refused(capsys, home, plain, "-o", plain)
    assert "no realign.toml" in refused(capsys, home, home / "used", "-o", home / "model")
    missing = refused(capsys, home, home / "none.toml", "-o", home / "model")
    assert f"no export folder or TOML file {home}/none.toml" in missing
    for minutes in ("-1", "nan", "inf"):
        assert "--every" in refused(capsys, home, plain, "-o", home / "model", "--every", minutes)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("schema", 2, "schema 2"),
        ("languages", ["deu"], "other languages"),
        ("languages", ["/etc/passwd", "fin"], "/etc/passwd"),
        ("source", "deu", "another source"),
        ("study", "../../etc/passwd", "no number or plain text"),
        ("study", "/etc/passwd", "no number or plain text"),
        ("signature", "![](https://tracker)", "no number or plain text"),
        ("score", {}, "score"),
        ("score", None, "score"),
        (None, None, "no JSON object"),
    ],
)
def test_an_export_that_was_tampered_with_is_refused(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str | None, value: Any, says: str
) -> None:
    shutil.copytree(sound, tmp_path / "chosen")
    file = tmp_path / "chosen" / "subset.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**document, key: value} if key else []), encoding="utf-8")
    assert says in refused(capsys, tmp_path, tmp_path / "chosen", "-o", tmp_path / "model")
