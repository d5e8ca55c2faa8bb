"""The main job as a person types it, every part real but small: search, status, confirm, report, export."""

import json
from pathlib import Path

import pytest
from small_study import world_encoder

from search.cli.entry import exit_status

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
{loss}
steps = 4
batch = 8
[search]
strategy = "swap"
trials = 4
warm_start = false
[confirm]
top = 1
seeds = 2
"""


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world_encoder(tmp_path_factory.mktemp("model") / "encoder", ("deu", "fin", "tur", "swh"))


@pytest.fixture
def study(encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REALINGO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "encoder").symlink_to(encoder)
    path = tmp_path / "small.toml"
    path.write_text(STUDY.format(loss='loss = "word"\naligner = "mutual"'), encoding="utf-8")
    return path


def test_the_main_job(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def answer(*arguments: str) -> dict:
        assert exit_status([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    found = answer("search", str(study))
    assert found["trials"] == {"complete": 4, "failed": 0, "pruned": 0, "running": 0}
    assert len(found["best"]["languages"]) == 2
    assert set(found["best"]["per_language"]) == {"deu", "fin", "hin", "swh", "tur"}, "the search saw other languages"
    scores = set((study.parent / "cache" / "scores").rglob("*.json"))
    assert answer("search", str(study)) == found, "running it again changed something"
    assert set((study.parent / "cache" / "scores").rglob("*.json")) == scores

    rows = {row["name"]: row for row in answer("confirm", str(study))["rows"]}
    assert {"best", "all", "none", "random-k"} <= set(rows)
    assert rows["best"]["languages"] == found["best"]["languages"]
    assert rows["none"]["languages"] == []
    for row in rows.values():
        assert row["ci95"][0] <= row["mean"] <= row["ci95"][1]
        assert row["seeds"] == 2
        assert 0 <= row["held_out"]["mean"] <= 1
    assert rows["best"]["vs_none"]["difference"] == pytest.approx(rows["best"]["mean"] - rows["none"]["mean"])

    assert exit_status(["report", str(study)]) == 0
    page = Path(capsys.readouterr().out.strip()).read_text(encoding="utf-8")
    assert "http-equiv" in page
    assert all(f'id="{name}"' in page for name in ("progress", "confirmed", "gains", "world"))
    assert "<script" not in page

    target = study.parent / "chosen"
    answer("export", str(study), "-o", str(target))
    subset = json.loads((target / "subset.json").read_text(encoding="utf-8"))
    assert subset["schema"] == 1
    assert subset["languages"] == found["best"]["languages"]
    assert {"realign.toml", "README.md", "report.html"} <= {file.name for file in target.iterdir()}
    assert exit_status(["export", str(study), "-o", str(target)]) == 2, "a folder that is not empty was written over"


def test_processes_measure_what_one_process_measures(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = []
    for name, flags in (("one", []), ("two", ["--workers", "2"])):
        cache = [f"search.storage={name}.journal", f"name={name}", "search.strategy=random"]
        sets = [part for each in cache for part in ("--set", each)]
        assert exit_status(["search", str(study), "--trials", "2", "--json", *flags, *sets]) == 0
        values.append(json.loads(capsys.readouterr().out)["best"])
        for file in (study.parent / "cache" / "scores").rglob("*.json"):
            file.unlink()
    assert values[0]["per_language"] == values[1]["per_language"]
