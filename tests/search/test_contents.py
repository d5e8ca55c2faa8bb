"""What a study was measured with is kept in it: other content is refused by name, also while a search runs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import rehearsal
import small_study

from realign.build import evaluator as assemble
from realign.build.contents import contents
from realign.inputs import ChangedError, Inputs, find_differences, list_some
from realign.score import Evaluator, Fidelity, Look, Score
from realign.store.array_store import key_of
from search import driver
from search.backends import registry
from search.commands import search as run
from search.config.study_config import StudyConfig, load
from search.effort.fidelities import Fidelities
from search.interrupts import Interrupts
from search.study.study import Study, open_study
from search.study.trial import CHANGED, last_attempts
from selector.errors import InputError, RunError
from selector.languages.subset import Subset

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_study.write(tmp_path_factory.mktemp("template")).parent


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "home"))


def config_of(home: Path, *overrides: str) -> StudyConfig:
    return load(home / "study.toml", list(overrides))


def exchange_tags(file: Path) -> None:
    """Nouns become verbs: the same length, other data."""
    file.write_text(file.read_text(encoding="utf-8").replace("NOUN", "VERB"), encoding="utf-8")


def drop_line(file: Path) -> None:
    for side in (file, file.with_suffix(".eng")):
        side.write_text("".join(side.read_text(encoding="utf-8").splitlines(keepends=True)[1:]), encoding="utf-8")


def set_key(key: str, value: Any) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | {key: value}), encoding="utf-8")

    return change


def flip_weight(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.seek(-5, os.SEEK_END)
        byte = stream.read(1)
        stream.seek(-5, os.SEEK_END)
        stream.write(bytes([byte[0] ^ 64]))


CHANGES: Mapping[str, tuple[str, Callable[[Path], None]]] = {
    "the task data of deu": ("treebanks/deu.dev.conllu", exchange_tags),
    "the task data of swh": ("treebanks/swh.test.conllu", exchange_tags),
    "the task data of eng": ("treebanks/eng.train.conllu", exchange_tags),
    "the parallel text of fin": ("parallel/eng-fin.fin", drop_line),
    "the encoder": ("encoder/model.safetensors", flip_weight),
    "the encoder ": ("encoder/config.json", set_key("hidden_act", "relu")),
    "the encoder  ": ("encoder/tokenizer_config.json", set_key("model_max_length", 9)),
}


def refused(capsys: pytest.CaptureFixture[str], status: int, *arguments: str | Path) -> str:
    capsys.readouterr()
    assert rehearsal.realingo(*arguments) == status
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-2].startswith("error: ")
    assert lines[-1].startswith("hint: ")
    return lines[-2]


@pytest.mark.parametrize("name", CHANGES)
def test_a_study_does_not_go_on_with_other_content(home: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path, change = CHANGES[name]
    assert rehearsal.realingo("search", home / "study.toml", "--trials", "1") == 0
    before, kept = (home / path).read_bytes(), (home / "small.journal").read_bytes()
    change(home / path)
    for command in ("search", "confirm"):
        error = refused(capsys, 2, command, home / "study.toml")
        assert f"another content of {name.strip()}: its scores cannot be compared" in error
    after = (home / "small.journal").read_bytes()
    assert b'"result"' not in after[len(kept) :]  # no trial was added
    if name != "the parallel text of fin":  # two files
        (home / path).write_bytes(before)
        assert rehearsal.realingo("search", home / "study.toml", "--trials", "2") == 0


def test_a_study_of_a_version_that_measured_otherwise_is_not_continued(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rehearsal.realingo("search", home / "study.toml", "--trials", "1") == 0
    study = open_study(config_of(home), create=False)
    known = study.storage.get_study_user_attrs(study.record.id)["contents"]
    for other in ({**known, "the way of measuring": "protocol 4"}, {}):
        study.storage.set_study_user_attr(study.record.id, "contents", other)
        assert "another content of the way of measuring" in refused(capsys, 2, "search", home / "study.toml")
    assert rehearsal.realingo("status", home / "study.toml") == 0


def test_a_held_out_language_can_be_added_later(home: Path) -> None:
    assert rehearsal.realingo("search", home / "study.toml", "--trials", "1", "--set", "targets.held_out=[]") == 0
    assert rehearsal.realingo("search", home / "study.toml", "--trials", "2") == 0
    study = open_study(config_of(home), create=False)
    assert "the task data of swh" in study.storage.get_study_user_attrs(study.record.id)["contents"]


def evaluator_of(config: StudyConfig) -> Evaluator:
    return assemble.evaluator(config.core, config.scope, config.tune, "dev")


READ_LATE = [name for name, (path, _) in CHANGES.items() if not path.endswith(".json")]


@pytest.mark.parametrize("name", READ_LATE)
def test_content_that_changes_while_a_process_runs_gives_no_score(
    home: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(home)
    evaluator, subset = evaluator_of(config), Subset(config.pool[:2])
    path, change = CHANGES[name]
    change(home / path)
    with pytest.raises(ChangedError, match=name) as caught:
        evaluator(subset, Fidelities(config).full, 0)
    if not path.startswith("encoder"):
        assert str(home / path) in caught.value.message
    assert not list((tmp_path / "cache" / "scores").rglob("*.json"))
    after = evaluator_of(config)(subset, Fidelities(config).full, 0)  # of the new content, in a new start
    monkeypatch.setenv("REALINGO_CACHE", str(tmp_path / "another"))
    assert evaluator_of(config)(subset, Fidelities(config).full, 0) == after


@pytest.mark.parametrize("name", [name for name in CHANGES if name not in READ_LATE])
def test_what_was_read_at_once_stays_as_it_was_for_the_process(
    home: Path, name: str, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(home)
    evaluator, subset = evaluator_of(config), Subset(config.pool[:2])
    path, change = CHANGES[name]
    change(home / path)
    score = evaluator(subset, Fidelities(config).full, 0)
    monkeypatch.setenv("REALINGO_CACHE", str(tmp_path / "another"))
    first, new = (evaluator_of(config_of(folder)) for folder in (template, home))
    assert score == first(subset, Fidelities(config).full, 0)
    assert score.signature != new(subset, Fidelities(config).full, 0).signature


def test_a_file_that_changes_in_the_middle_of_a_run_gives_no_score(home: Path) -> None:
    config = config_of(home)
    evaluator, subset = evaluator_of(config), Subset(config.pool[:2])

    def edit(_: Mapping[str, float]) -> bool:
        exchange_tags(home / "treebanks" / "tur.dev.conllu")
        return False

    with pytest.raises(ChangedError, match="task data of tur"):
        evaluator(subset, Fidelities(config).full, 0, edit)
    assert not list((Path(os.environ["REALINGO_CACHE"]) / "scores").rglob("*.json"))


def test_a_file_that_is_only_touched_or_written_again_changes_nothing(home: Path) -> None:
    config = config_of(home)
    evaluator, subset = evaluator_of(config), Subset(config.pool[:2])
    before = evaluator(subset, Fidelities(config).full, 0)
    for file in (home / "treebanks" / "deu.dev.conllu", home / "encoder" / "model.safetensors"):
        content = file.read_bytes()
        file.unlink()
        file.write_bytes(content)
    after = evaluator(subset, Fidelities(config).full, 1)
    assert after == evaluator_of(config_of(home))(subset, Fidelities(config).full, 1)
    assert after.value != before.value


def test_a_file_of_the_same_size_and_time_is_seen(home: Path) -> None:
    config = config_of(home)
    evaluator, subset = evaluator_of(config), Subset(config.pool[:2])
    file = home / "treebanks" / "deu.dev.conllu"
    state = file.stat()
    exchange_tags(file)
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert file.stat().st_size == state.st_size
    with pytest.raises(ChangedError, match=str(file)):
        evaluator(subset, Fidelities(config).full, 0)


def test_text_that_changes_before_it_is_encoded_is_kept_under_no_signature(home: Path) -> None:
    from realign.training.encoded_pairs import PairStore

    config = config_of(home)
    text, encoder = assemble.load_text_and_encoder(config.core, config.pool, None)
    store = PairStore(encoder, text, config.core.realign)
    drop_line(home / "parallel" / "eng-fin.fin")
    with pytest.raises(ChangedError, match="parallel text"):
        store.of("fin")
    kept = Path(os.environ["REALINGO_CACHE"]) / "store"
    for kind in ("pairs", "text"):
        assert not list((kept / kind).rglob("manifest.json"))
    key = key_of("sample", text.signature, "fin")  # of the text as it is now
    assert (kept / "sample" / key / "manifest.json").exists()


class Editing:
    """The study's evaluator; a file changes before the second call."""

    def __init__(self, evaluator: Evaluator, change: Callable[[], None]) -> None:
        self.evaluator, self.change, self.calls = evaluator, change, 0

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        return self.evaluator.signature(subset, fidelity, seed)

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
        self.calls += 1
        if self.calls == 2:
            self.change()
        return self.evaluator(subset, fidelity, seed, look)


def drive(config: StudyConfig, evaluator: Evaluator) -> Study:
    study = open_study(config, create=True)
    with Interrupts() as interrupts, study.driven():
        study.agree(contents(evaluator))
        place = registry.Inline(evaluator)
        driver.Driver(study, run.planner(config), place, lambda *_: None, interrupts).run(3)
    return study


def test_a_search_stops_at_the_first_change_and_goes_on_when_it_is_undone(home: Path, template: Path) -> None:
    config, file = config_of(home), home / "treebanks" / "fin.dev.conllu"
    before = file.read_bytes()
    with pytest.raises(RunError, match=str(file)):
        drive(config, Editing(evaluator_of(config), lambda: exchange_tags(file)))
    trials = open_study(config, create=False).trials()
    assert [trial.state for trial in trials] == ["complete", "failed"]
    assert trials[1].error.startswith(CHANGED)
    assert str(file) in trials[1].error
    file.write_bytes(before)
    run.search(config)
    ended = last_attempts(open_study(config, create=False).trials()).values()
    other = config_of(Path(shutil.copytree(template, home.with_name("undisturbed"))))
    run.search(other)
    truth = last_attempts(open_study(other, create=False).trials()).values()
    assert [(trial.subset, trial.value) for trial in ended] == [(trial.subset, trial.value) for trial in truth]


def test_a_worker_that_starts_after_a_change_measures_nothing(home: Path) -> None:
    config = config_of(home)
    first = registry.search_view(config)
    found = contents(first.evaluator())
    exchange_tags(home / "treebanks" / "tur.dev.conllu")
    late = registry.View(config.core, config.scope, first.targets, first.split, contents=found).evaluator()
    with pytest.raises(ChangedError, match="task data of tur"):
        late(Subset(config.pool[:2]), Fidelities(config).full, 0)


def test_only_what_both_know_is_compared() -> None:
    assert find_differences({"a": "1", "b": "2"}, {"b": "3", "c": "4"}) == ["b"]
    assert list_some(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert list_some(["a"]) == "a"


def test_a_file_that_vanishes_is_named() -> None:
    there = [True]

    def signature() -> str:
        if not there:
            raise InputError("cannot read eng.txt", "look")
        return "s"

    inputs = Inputs({"text": signature})
    inputs.check()
    there.clear()
    with pytest.raises(ChangedError, match=r"cannot read eng.txt"):
        inputs.check()


@pytest.mark.parametrize("place", ["relative", "absolute", "./here"])
@pytest.mark.parametrize("key", ["data.parallel", "task.data"])
def test_a_local_folder_is_no_data_set_of_the_hub(
    home: Path, key: str, place: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be read with a signature of its first language alone."""
    monkeypatch.chdir(home)
    for name in ("relative", "here"):
        (home / name).mkdir()
    name = str(home / "relative") if place == "absolute" else place
    columns = '{source = "s", target = "t"}' if key == "data.parallel" else '{words = "w", tags = "t"}'
    before = rehearsal.tree(home)
    given = f'{key}={{kind = "hub", id = "{name}", columns = {columns}}}'
    error = refused(capsys, 2, "search", home / "study.toml", "--set", given)
    assert f"the data set id '{name}' is a local folder" in error
    assert rehearsal.tree(home) == before
