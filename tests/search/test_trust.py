"""What is known of cheap levels is said with its interval, what is not known is said too, and alignment is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.commands.check import StudyCheck
from search.config.schema import StudyFile, check
from search.config.study_config import StudyConfig, resolve_study
from search.effort import trust
from search.strategies import ladder
from selector.errors import InputError

STUDY = {"name": "trust", "pool": {"languages": "deu,fin,swh,tur", "k": 2}}


def study(fidelity: str, kind: str = "pos", **more: str) -> StudyConfig:
    document = {**STUDY, "task": {"kind": kind}, "search": {"fidelity": fidelity}, "fidelity": more}
    path = Path.cwd() / "trust.toml"
    return resolve_study(path, check(StudyFile, path, document))


def test_a_study_at_full_fidelity_has_nothing_to_trust() -> None:
    assert trust.CheapLevels(study("full")).sentence() is None
    assert trust.CheapLevels(study("full")).to_json() == []


@pytest.mark.parametrize("method", ["scores", "average", "ties"])
def test_what_was_measured_is_said_with_its_interval(method: str) -> None:
    config = study("merge", method=method)
    known = trust.MEASURED["pos"][method]
    assert trust.CheapLevels(config).to_json()[0]["ci90"] == [known.low, known.high]
    assert f"merge {known.value:.2f} ({known.low:.2f} to {known.high:.2f})" in str(trust.CheapLevels(config).sentence())


def test_every_method_of_merging_has_an_entry_within_its_interval() -> None:
    levels = {"short", "scores", "average", "touched", "ties", "dare"}
    assert levels <= set(trust.MEASURED["pos"])
    for each in trust.MEASURED["pos"].values():
        assert each.low < each.value < each.high


@pytest.mark.parametrize("kind", ["ner", "classification", "retrieval"])
def test_what_was_not_measured_is_said(kind: str) -> None:
    config = study("ladder", kind)
    rows = trust.CheapLevels(config).to_json()
    assert [row["level"] for row in rows] == [level for level in ladder.ORDER if level != "full"]
    assert all(row["spearman"] is None for row in rows)
    assert f"for {kind} was not measured" in str(trust.CheapLevels(config).sentence())


def test_check_tells_of_the_cheap_levels(own_cache: None) -> None:
    config = study("merge")
    document = StudyCheck(config, lambda *a: None, counting=False).examine().to_json()
    assert document["cheap_levels"] == trust.CheapLevels(config).to_json()
    assert "cheap_levels" not in StudyCheck(study("full"), lambda *a: None, counting=False).examine().to_json()


@pytest.mark.parametrize("name", ["retrieval", "alignment", "cka"])
def test_alignment_is_refused_as_a_fidelity(name: str) -> None:
    with pytest.raises(InputError, match=f"'{name}' is no fidelity"):
        study(name)


def test_other_names_are_refused_as_before() -> None:
    with pytest.raises(InputError, match="'full', 'short', 'merge' or 'ladder'"):
        study("quick")
