"""Which candidate a finished export holds, and what it says of it."""

import json
import tomllib
from pathlib import Path
from typing import Any

import rehearsal

from search.export import export, export_card
from search.export.export import render
from search.results.confirmation import ConfirmedRow
from search.results.exported_subset import Export


def cell(mean: float) -> dict[str, Any]:
    return {"mean": mean, "ci95": [mean - 0.01, mean + 0.01]}


def row(name: str, mean: float, *languages: str) -> dict[str, Any]:
    gain = {"difference": 0.02, "ci95": [0.01, 0.03], "p": 0.01}
    return {
        "name": name,
        "languages": list(languages),
        **cell(mean),
        "std": 0.01,
        "seeds": 3,
        "held_out": cell(0.3),
        "members": None,
        "non_members": None,
        "per_language": dict.fromkeys(rehearsal.POOL, mean),
        "signature": f"of-{name}",
        "regressions": [],
        **{f"vs_{name}": gain for name in ("all", "none", "random")},
    }


def exported(folder: Path, *candidates: dict[str, Any]) -> Export:
    """An export of a study that was confirmed with these rows."""
    config = rehearsal.study(folder / "study")
    assert rehearsal.realingo("search", config.path, "--set", "search.storage=trial.journal", "--trials", "2") == 0
    baselines = [row("all", 0.9, *rehearsal.POOL), row("none", 0.1), row("random-k", 0.8)]
    document = {
        "schema": 2,
        "study": "trial",
        "rows": [*candidates, *baselines],
        "seeds": [1, 2, 3],
        "method": "by hand",
        "metric": "accuracy",
        "versions": {"torch": "2"},
        "luck": {"difference": 0.01, "search": 0, "fresh": 0},
    }
    document |= {"held_out": [], "targets": list(rehearsal.POOL), "created": "today", "task": "pos", "split": "test"}
    document |= {"objective": "mean", "fidelity": {"pairs": 1}}
    config.folder.mkdir(exist_ok=True)
    (config.folder / "confirm.json").write_text(json.dumps(document), encoding="utf-8")
    return export.export(config, folder / "out")


def test_the_highest_confirmed_candidate_is_exported_whoever_chose_it(tmp_path: Path) -> None:
    found, second = row("best", 0.5, "deu", "fin", "tur"), row("best-2", 0.52, "arb", "fin", "tur")
    unmeasured = row("max-min", 0.55, "cmn", "deu", "vie")
    export = exported(tmp_path / "unmeasured", found, second, unmeasured)
    got = export.subset
    assert (got.score.name, got.languages) == ("max-min", ("cmn", "deu", "vie"))
    assert got.score.signature == "of-max-min"
    assert "chosen without measuring" in got.reason
    assert "best 50.0, best-2 52.0" in got.reason
    assert set(got.baselines) == {"all", "none", "random-k"}
    card = (tmp_path / "unmeasured" / "out" / "README.md").read_text(encoding="utf-8")
    assert got.reason in card
    assert "why: max-min" in render(export)
    lower = exported(tmp_path / "lower", found, second, row("max-min", 0.51, "cmn", "deu", "vie")).subset
    assert (lower.score.name, set(lower.baselines)) == ("best-2", {"all", "none", "random-k", "max-min"})


def test_a_subset_found_under_two_names_is_one_candidate(tmp_path: Path) -> None:
    found, same = row("best", 0.5, "deu", "fin", "tur"), row("max-min", 0.5, "deu", "fin", "tur")
    assert exported(tmp_path, found, same).subset.reason == "it is the only candidate that was confirmed"


def test_the_p_of_an_earlier_export_is_not_repeated() -> None:
    """Exports since then hold p before Holm's correction too."""
    known = {**row("best", 0.5, "deu"), "vs_none": {"difference": 0.012, "ci95": [-0.001, 0.025], "p": 0.006}}
    assert export_card.gains(ConfirmedRow.from_json(known))[0] == ("no realignment", "+1.2 points (−0.1 to +2.5)")
    now = {**known, "vs_none": known["vs_none"] | {"p": 0.3, "p_before_holm": 0.1}}
    assert export_card.gains(ConfirmedRow.from_json(now))[0][1] == "+1.2 points (−0.1 to +2.5, p=0.3)"


def test_folders_are_found_from_the_export_too(tmp_path: Path) -> None:
    """A name without a slash and a path through a link, both beside the study file."""
    (tmp_path / "study" / "encoder").mkdir(parents=True)
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "far" / "away")
    config = rehearsal.study(tmp_path / "study", "model.base=encoder", "realign.max_length=64")
    text = export._realignment(config, ["deu"], tmp_path / "linked" / "out")
    base = tomllib.loads(text)["model"]["base"]
    (tmp_path / "linked" / "out").mkdir()
    assert (tmp_path / "linked" / "out" / base).resolve() == tmp_path / "study" / "encoder"
