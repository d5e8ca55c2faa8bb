"""A source language that fine-tuning hardly taught: every command says so once, and none where it was taught."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import small_study
from rehearsal import realingo

from realign.corpora.corpus import Split, Tagged
from realign.encoder.encoder import load
from realign.evaluators.score_file import read_score, write_score
from realign.evaluators.single_language import SingleLanguageScores
from realign.evaluators.wrappers import Repeated
from realign.realign_and_transfer import RealignAndTransfer
from realign.score import Fidelity, Merging, SourceScore, mean_source_score
from realign.tasks.classification import Classification
from realign.tasks.tagging import Tagging, right_spans
from realign.tasks.transfer_task import FineTuning
from realign.training.settings import Realignment
from realign.world.world import World
from selector.errors import InputError
from selector.languages.language import parse
from selector.languages.subset import Subset

REMARK = "it has not converged; raise task.steps or task.lr"
SIZE = Fidelity(pairs=8, steps=4, examples=8)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_study.write(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def world() -> World:
    return World(0, small_study.SIZES)


class WithoutDev(World):
    """The source has no development sentences."""

    def sentences(self, language: str, split: Split) -> Sequence[Tagged]:
        if (language, split) == ("eng", "dev"):
            raise InputError("there is no dev data for eng", "add some")
        return super().sentences(language, split)


def evaluator(study: Path, data: World) -> RealignAndTransfer:
    encoder = load(str(study.parent / "encoder"))
    task = Tagging(encoder, data, "eng", FineTuning(batch=8, lr=5e-3))
    return RealignAndTransfer(encoder, data, task, ("deu", "fin"), "dev", Realignment(batch=4))


@pytest.mark.usefixtures("own_cache")
def test_each_command_says_once_that_fine_tuning_was_too_short(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def remarks(*arguments: str) -> int:
        capsys.readouterr()
        assert realingo(*arguments) == 0
        return capsys.readouterr().err.count(REMARK)

    file = str(study)
    assert remarks("check", file, "--time") == 1
    assert remarks("search", file, "--trials", "2") == 1
    assert remarks("status", file, "--json") == 0
    assert realingo("status", file, "--json") == 0
    source = json.loads(capsys.readouterr().out)["source_score"]
    assert (source["language"], source["converged"]) == ("eng", False)
    assert 0.1 < source["constant"] < source["value"] < 0.6
    assert remarks("confirm", file) == 1
    confirmed = json.loads((study.parent / "small" / "confirm.json").read_text(encoding="utf-8"))
    assert confirmed["source_score"]["converged"] is False
    assert realingo("report", file) == 0
    assert (study.parent / "small" / "report.html").read_text(encoding="utf-8").count(REMARK) == 1
    assert remarks("evaluate", str(study.parent / "encoder"), "--study", file, "--split", "dev") == 1


@pytest.mark.usefixtures("own_cache")
def test_a_source_that_was_taught_is_no_matter(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    longer = ("--set", "task.steps=80", "--set", "name=taught", "--set", "search.storage=taught.journal")
    assert realingo("check", str(study), "--time", *longer) == 0
    assert realingo("search", str(study), "--trials", "1", *longer) == 0
    told = capsys.readouterr()
    assert "converged" not in told.err
    assert "English is at" in told.out
    assert realingo("status", str(study), "--json", *longer) == 0
    assert json.loads(capsys.readouterr().out)["source_score"]["converged"] is True


@pytest.mark.parametrize(
    ("value", "constant", "converged"),
    [(0.97, 0.17, True), (0.35, 0.17, False), (0.84, 0.333, True), (0.6, 0.333, False), (0.5, 0.0, True)],
)
def test_half_of_the_errors_of_the_constant_answer_must_go(value: float, constant: float, converged: bool) -> None:
    assert SourceScore("eng", value, constant).converged is converged


def test_the_source_changes_nothing_of_a_score(study: Path, world: World) -> None:
    subset = Subset.of([parse("deu")])
    known = evaluator(study, world)(subset, SIZE, 3)
    unknown = evaluator(study, WithoutDev(0, small_study.SIZES))(subset, SIZE, 3)
    assert known == unknown
    assert known.tallies == unknown.tallies
    assert set(known.per_language) == {"deu", "fin"}
    assert known.source_score is not None
    assert unknown.source_score is None
    assert evaluator(study, world)(subset, replace(SIZE, steps=0), 3).source_score is None  # nothing was taught


def test_the_constant_answer_is_the_most_frequent_label(study: Path, world: World) -> None:
    encoder = load(str(study.parent / "encoder"))
    tagging = Tagging(encoder, world, "eng", FineTuning())
    model, head = encoder.copy(), tagging.tuner(encoder.copy(), 1, 0).head
    found = tagging.source_score(model, head, 5)
    tags = [tag for sentence in world.sentences("eng", "dev")[:5] for tag in sentence.tags]
    assert found is not None
    assert found.constant == max(tags.count(tag) for tag in tags) / len(tags)
    topics = Classification(encoder, world, "eng", FineTuning())
    told = topics.source_score(model, topics.tuner(encoder.copy(), 1, 0).head)
    labels = [example.label for example in world.examples("eng", "dev")]
    assert told is not None
    assert told.constant == max(labels.count(label) for label in labels) / len(labels)
    entities = Tagging(encoder, world.entities, "eng", FineTuning(), right_spans)
    spans = entities.source_score(model, entities.tuner(encoder.copy(), 1, 0).head)
    assert spans is not None
    assert spans.constant < 0.3  # one tag for every word is hardly ever an entity from its first word to its last


def test_it_is_kept_and_averaged(study: Path, world: World, tmp_path: Path) -> None:
    plain = evaluator(study, world)
    subset = Subset.of([parse("deu"), parse("fin")])
    runs = [plain(subset, SIZE, seed) for seed in (0, 1)]
    mean = Repeated(plain, 2)(subset, SIZE, 0).source_score
    assert mean == mean_source_score(run.source_score for run in runs)
    assert mean is not None
    assert mean.value == pytest.approx(sum(run.source_score.value for run in runs if run.source_score) / 2)
    write_score(tmp_path / "score.json", runs[0])
    again = read_score(tmp_path / "score.json", runs[0].signature)
    assert again is not None
    assert again.source_score == runs[0].source_score
    merged = SingleLanguageScores(plain, plain)(subset, replace(SIZE, merging=Merging()), 0)
    singles = [plain(Subset.of([language]), SIZE, 0).source_score for language in subset]
    assert merged.source_score == mean_source_score(singles)
    assert mean_source_score([None]) is None
