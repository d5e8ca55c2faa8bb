"""A rehearsal says FAKE wherever it speaks, has a study of its own, and looks at the data first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import rehearsal
import small_study
from rehearsal import realingo

from search.config.study_config import load
from search.confirmation.recommend import Recommender
from search.confirmation.verdict import FAKE_SCORES, verdict
from search.report import html_report
from search.study.study import open_study

pytestmark = pytest.mark.usefixtures("own_cache")
FAKE = ("--set", "model.base={kind='fake'}")


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of an encoder and files."""
    monkeypatch.chdir(tmp_path)
    return small_study.write(tmp_path)


def test_it_does_not_mix_with_the_study_that_it_rehearses(real: Path) -> None:
    assert realingo("search", real, *FAKE) == 0
    assert realingo("search", real, "--trials", "1") == 0
    studies = [load(real, list(given)) for given in ((), FAKE[1:])]
    assert [study.name for study in studies] == ["small", "small-fake"]
    assert [len(open_study(study, create=False).trials()) for study in studies] == [1, 3]
    real.write_text(real.read_text(encoding="utf-8").replace('"encoder"', '{kind = "fake"}'), encoding="utf-8")
    assert load(real).name == "small-fake"  # written into the file it is the same rehearsal


def test_what_is_a_rehearsal_and_nothing_else_keeps_its_name(tmp_path: Path) -> None:
    study = rehearsal.write(tmp_path, name="alone")
    assert load(study).name == load(study, ["model.base={kind='fake', noise=0.1}"]).name == "alone"


@pytest.mark.parametrize("gone", ["parallel/eng-fin.fin", "treebanks/fin.dev.conllu"])
def test_data_that_is_missing_is_found_before_the_first_trial(
    gone: str, real: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (real.parent / gone).unlink()
    assert realingo("search", real, *FAKE) == 2
    assert "fin" in capsys.readouterr().err
    assert not (real.parent / "small.journal").exists()


def test_everything_that_is_said_of_its_scores_says_fake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = rehearsal.write(tmp_path / "study", trials=4)
    said = {}
    commands = dict.fromkeys(("check", "search", "status", "confirm"), ()) | {"export": ("-o", tmp_path / "out")}
    for name, options in commands.items():
        assert realingo(name, study, *options) == 0
        said[name] = capsys.readouterr()
    assert [name for name, each in said.items() if "FAKE" not in each.out] == []
    assert "every score is FAKE" in said["search"].err
    assert "realingo realign" not in said["export"].err  # there is nothing to realign
    assert json.loads((tmp_path / "out/subset.json").read_text(encoding="utf-8"))["verdict"].startswith(FAKE_SCORES)
    card = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert "realingo realign" not in card
    assert card.count("FAKE") >= 3
    config = load(study)
    story = html_report.gather(config, open_study(config, create=False), with_outlook=True)
    assert story.headline.startswith("FAKE: ")
    assert "FAKE" in story.steps[-1].why
    assert "realingo realign" not in html_report.render(story)


def test_an_evaluator_of_ones_own_is_not_fake(tmp_path: Path) -> None:
    import realingo as door

    study = door.load_study(rehearsal.write(tmp_path, trials=2))
    door.search(study, evaluator=lambda subset, fidelity, seed: dict.fromkeys(rehearsal.POOL, 0.5))
    assert not verdict(Recommender(open_study(study, create=False)), None).fake
