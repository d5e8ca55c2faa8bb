"""An export refuses what the study forbids by now, and says everywhere what no longer holds."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import rehearsal

from search.commands import search as run
from search.config.study_config import StudyConfig
from search.config.subset_file import read_subset
from search.confirmation.confirm import confirm
from search.export import export
from search.results.exported_subset import Export
from search.study.study import open_study
from selector.errors import InputError
from selector.languages.language import parse_pool

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def study(tmp_path: Path) -> StudyConfig:
    """Confirmed after 4 trials."""
    config = rehearsal.study(tmp_path / "study")
    run.search(config, 4)
    confirm(config)
    return config


def changed(config: StudyConfig, *overrides: str, **values: Any) -> StudyConfig:
    """The same study with another file."""
    return rehearsal.study(config.core.home, *overrides, **values)


def row(config: StudyConfig, name: str) -> dict[str, Any]:
    rows = json.loads((config.folder / "confirm.json").read_text(encoding="utf-8"))["rows"]
    found: dict[str, Any] = next(each for each in rows if each["name"] == name)
    return found


def told(folder: Path, document: Export, line: str) -> bool:
    """Whether it stands in all places: the answer, subset.json, the card, the terminal, and what realign repeats."""
    written = json.loads((folder / "subset.json").read_text(encoding="utf-8"))
    card = (folder / "README.md").read_text(encoding="utf-8")
    stale = document.subset.stale
    return written["stale"] == list(stale) and all(
        line in place for place in (" ".join(stale), card, export.render(document))
    )


def test_nothing_is_stale_right_after_the_confirmation(study: StudyConfig, tmp_path: Path) -> None:
    document = export.export(study, tmp_path / "out")
    assert document.subset.stale == ()
    assert "No longer up to date" not in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "no longer" not in export.render(document)


def test_a_subset_that_is_forbidden_by_now_is_not_exported(study: StudyConfig, tmp_path: Path) -> None:
    best, second = row(study, "best"), row(study, "best-2")
    (code, *_) = sorted(set(best["languages"]) - set(second["languages"]))
    config = changed(study, f'pool.exclude=["{code}"]')
    document = export.export(config, tmp_path / "out")
    assert code not in document.subset.languages
    assert told(tmp_path / "out", document, f"best ({' '.join(best['languages'])}) was confirmed, but the study file")
    with pytest.raises(InputError, match="forbids 'best'"):
        export.export(config, tmp_path / "asked", "best")
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("override", ["pool.k=2", 'pool.include=["hin", "swh", "tur"]'])
def test_where_every_candidate_is_forbidden_nothing_is_written(
    study: StudyConfig, tmp_path: Path, override: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = rehearsal.tree(tmp_path)
    given = ("--set", "search.storage=trial.journal", "--set", override)
    assert rehearsal.realingo("export", study.path, "-o", tmp_path / "out", *given) == 2
    error, hint = capsys.readouterr().err.strip().splitlines()
    assert "forbids every subset that was confirmed" in error
    assert "confirm" in hint
    assert rehearsal.tree(tmp_path) == before


def test_a_trial_that_is_ahead_since_is_named(study: StudyConfig, tmp_path: Path) -> None:
    run.search(study, 12)
    (top,) = open_study(study, create=False).best()
    assert list(top.subset.codes) != row(study, "best")["languages"]
    document = export.export(study, tmp_path / "out")
    assert document.subset.languages != top.subset.codes
    assert told(tmp_path / "out", document, f"trial {top.number} ({' '.join(top.subset.codes)}) is ahead")
    languages = parse_pool(list(document.subset.languages))
    chosen = read_subset(tmp_path / "out" / "subset.json", languages, study.core.source)
    assert chosen.stale == document.subset.stale
    confirm(study)
    assert export.export(study, tmp_path / "again").subset.stale == ()


def test_held_out_languages_that_were_changed_are_said(study: StudyConfig, tmp_path: Path) -> None:
    document = export.export(changed(study, 'targets.held_out=["tel"]'), tmp_path / "out")
    assert told(tmp_path / "out", document, "held-out languages were changed")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A file that grows beyond it is refused by the system, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 2_000, 20_000])
def test_where_there_is_no_room_nothing_is_left(study: StudyConfig, tmp_path: Path, size: int) -> None:
    before = rehearsal.tree(tmp_path)
    with files_of_at_most(size), pytest.raises(InputError, match=f"cannot write to {tmp_path / 'out'}") as caught:
        export.export(study, tmp_path / "out")
    assert "make room" in caught.value.hint
    assert rehearsal.tree(tmp_path) == before
    assert len(export.export(study, tmp_path / "out").files) == 4
