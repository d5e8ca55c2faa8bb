"""The path of a new user with a folder of five languages, from `init` to `export`, with no error met."""

from __future__ import annotations

import json
from pathlib import Path

import five_languages
import pytest
from rehearsal import realingo

from search.config.study_config import load
from search.starting.folder_survey import survey

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("user")
    five_languages.write(place / "my-data")
    five_languages.make_encoder(place / "encoder")
    return place


def test_the_folder_is_understood(home: Path) -> None:
    found = survey(home / "my-data", "eng")
    assert [text.folder.name for text in found.texts] == ["de-en", "en-fi", "en-hi", "en-ja", "en-tr"]
    assert found.translated == ("deu", "fin", "hin", "jpn", "tur")
    assert [each.folder.name for each in found.sets] == ["UD_German-GSD", "ud-treebanks-v2.17"]
    assert found.labelled["deu"] == ("dev", "test")
    assert any("of several treebanks" in remark and "UD_German-GSD" in remark for remark in found.remarks(None))
    assert found.pool == found.translated
    proposed = found.with_held_out()
    assert (proposed.held_out, len(proposed.pool)) == (("tur",), 4) or len(proposed.held_out) == 1
    assert not set(proposed.held_out) & set(proposed.pool)


def test_init_check_search_confirm_report_export(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    assert realingo("init", "--from-folder", "my-data", "--model", "encoder") == 0
    written = Path("study.toml").read_text(encoding="utf-8")
    assert written.startswith("#:schema study.schema.json\n")
    assert "held_out" in Path("study.schema.json").read_text(encoding="utf-8")  # an editor finds it there
    assert '"my-data/text/europarl/de-en"' in written  # folders below are named from where the file lies
    assert load(Path("study.toml")).sizes == (2, 2)
    small = ["task.steps=4", "task.batch=8", "task.examples=8", "task.lr=5e-3", "realign.steps=4", "realign.batch=4"]
    small += ["realign.lr=5e-3", "data.filter=none", "confirm.top=1", "confirm.seeds=2"]
    given = ["study.toml", *(part for each in small for part in ("--set", each))]
    capsys.readouterr()
    assert realingo("check", *given, "--json") == 0
    checked = json.loads(capsys.readouterr().out)
    assert checked["problems"] == []
    roles = [row["role"] for row in checked["languages"]]
    assert (roles.count("pool"), roles.count("held_out")) == (4, 1)
    assert realingo("search", *given, "--trials", "2") == 0
    assert realingo("confirm", *given) == 0
    assert realingo("report", *given) == 0
    assert realingo("export", *given, "-o", "chosen") == 0
    printed = capsys.readouterr().err
    assert "error:" not in printed
    assert len(json.loads((home / "chosen" / "subset.json").read_text(encoding="utf-8"))["languages"]) == 2
