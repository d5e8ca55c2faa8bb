"""A confirmation is of one study, with its settings and data; another one of the same name does not take it over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import rehearsal

from search.commands import search as run
from search.config.study_config import StudyConfig
from search.confirmation import confirm
from search.confirmation.confirm_file import ConfirmationFile
from search.export import export
from search.report import html_report
from search.study.study import open_study
from selector.errors import InputError

pytestmark = pytest.mark.usefixtures("own_cache")


def again(folder: Path, *overrides: str) -> StudyConfig:
    """The study of the same name in another storage, as an error about changed settings advises."""
    config = rehearsal.study(folder, "search.storage=again.journal", *overrides, trials=4)
    run.run(config)
    return config


@pytest.fixture
def confirmed(tmp_path: Path) -> StudyConfig:
    config = rehearsal.study(tmp_path, trials=4)
    run.run(config)
    confirm.confirm(config, top=1, seeds=2)
    return config


def test_a_confirmation_with_other_settings_is_not_taken_over(
    confirmed: StudyConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = again(tmp_path, "seed=9", "realign.steps=100")
    message = r"confirm\.json was made with other settings of realign, seed"
    with pytest.raises(InputError, match=message):
        export.export(other, tmp_path / "chosen")
    with pytest.raises(InputError, match=message):
        html_report.page(other)
    capsys.readouterr()
    assert run.status(other).confirmed is None
    assert "confirm.json was made with other settings of realign, seed" in capsys.readouterr().err
    assert run.status(confirmed).confirmed is not None


def test_a_confirmation_of_other_data_is_not_taken_over(confirmed: StudyConfig) -> None:
    study = open_study(confirmed, create=False)
    study.record.set_attribute("contents", {"parallel text of deu": "1"})
    confirm.confirm(confirmed, top=1, seeds=2)
    assert ConfirmationFile(study).load() is not None
    study.record.set_attribute("contents", {"parallel text of deu": "2"})
    with pytest.raises(InputError, match=r"confirm\.json was made with another content of parallel text of deu"):
        ConfirmationFile(study).load()


def test_a_confirmation_that_another_replaces_is_named(
    confirmed: StudyConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = again(tmp_path, "seed=9")
    capsys.readouterr()
    confirm.confirm(other, top=1, seeds=2)
    assert "confirm.json was made with other settings of seed: it is replaced" in capsys.readouterr().err
    confirm.confirm(other, top=1, seeds=2)
    assert "replaced" not in capsys.readouterr().err


def test_fewer_subsets_than_asked_for_are_said(confirmed: StudyConfig, capsys: pytest.CaptureFixture[str]) -> None:
    confirm.confirm(confirmed, top=50, seeds=2)
    assert "4 subsets of the search to confirm, not 50: there are no more" in capsys.readouterr().err
    confirm.confirm(confirmed, top=4, seeds=2)
    assert "there are no more" not in capsys.readouterr().err


def test_a_confirmation_of_an_older_version_is_read(confirmed: StudyConfig) -> None:
    study = open_study(confirmed, create=False)
    file = ConfirmationFile(study)
    document = json.loads(file.path.read_text(encoding="utf-8"))
    del document["basis"]
    file.path.write_text(json.dumps(document), encoding="utf-8")
    assert file.require().basis is None
