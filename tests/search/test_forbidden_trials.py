"""Trials that the study file does not allow by now: every command says so, and none takes them for trials to come."""

from __future__ import annotations

from pathlib import Path

import pytest
import rehearsal

from search.commands import search as run
from search.config.study_config import StudyConfig
from search.confirmation import confirm
from search.confirmation.confirm_file import ConfirmationFile
from search.report import html_report
from search.study.study import open_study
from selector.errors import InputError

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study of ten trials, confirmed."""
    home = tmp_path_factory.mktemp("forbidden")
    config = rehearsal.study(home, trials=10)
    run.run(config)
    confirm.confirm(config, top=1, seeds=2)
    return home


@pytest.fixture
def changed(folder: Path) -> StudyConfig:
    """The study with another size of subsets: none of its trials has it."""
    return rehearsal.study(folder, "pool.k=4", trials=10)


def test_a_report_or_a_confirmation_of_none_is_refused(changed: StudyConfig) -> None:
    message = "the study file allows the subset of none of the 10 finished trials of study 'trial'"
    with pytest.raises(InputError, match=message):
        html_report.page(changed)
    with pytest.raises(InputError, match=message) as problem:
        confirm.confirm(changed)
    assert "realingo search study.toml --set search.storage=trial.journal --set pool.k=4" in problem.value.hint


def test_the_status_does_not_say_that_none_has_finished(changed: StudyConfig) -> None:
    found = run.status(changed, explain=True)
    assert found.verdict == "The study file allows the subset of none of the 10 finished trials."
    assert found.explain is not None
    assert not found.explain.rows
    story = html_report.gather(changed, open_study(changed, create=False))
    assert story.headline == "The study file allows the subset of none of the 10 finished trials"


def test_a_confirmed_subset_that_is_forbidden_by_now_is_called_so(folder: Path) -> None:
    config = rehearsal.study(folder, trials=10)
    study = open_study(config, create=False)
    confirmation = ConfirmationFile(study).require()
    candidates = [row.languages for row in confirmation.candidates]
    other = next(trial.subset.codes for trial in study.best(10) if trial.subset.codes not in candidates)
    found = run.status(rehearsal.study(folder, f"pool.include={list(other)}", trials=10))
    codes = " ".join(confirmation.best.languages)
    assert f"confirmed on fresh seeds: {codes}, which the study file forbids by now" in (found.verdict or "")


def test_a_report_replaces_a_report_alone(folder: Path) -> None:
    config = rehearsal.study(folder, trials=10)
    before = config.path.read_text(encoding="utf-8")
    with pytest.raises(InputError, match="is there and is no report"):
        html_report.write(config, config.path)
    assert config.path.read_text(encoding="utf-8") == before
    html_report.write(config, folder / "page.html")
    assert html_report.write(config, folder / "page.html") == str(folder / "page.html")
