"""The values of a study: what the documents say, read once and written again."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from search.results import Confirmation, Interval, SearchStatus
from selector.errors import InputError

OLD = json.loads((Path(__file__).parent / "golden/confirm-schema-1.json").read_text(encoding="utf-8"))
NEW = {"noise": {"seeds": {"standard_error": 0.01, "degrees": 4}, "sentences": None}, "p_before_holm": 0.01}


def confirmed() -> dict[str, Any]:
    """The document of a real study, with what later forms have more."""
    document = copy.deepcopy(OLD) | {"schema": 2, "task": "pos", "metric": "accuracy"}
    document["race"] = {"candidates": 3, "evaluations": 9}
    document["effort"] = {"evaluations": 40, "seconds": 12.5, "device": "CPU"}
    for row in document["rows"]:
        row["per_language_ci95"] = {code: [score, score] for code, score in row["per_language"].items()}
        row["per_language_gain"] = {code: {"difference": 0.1, "ci95": [-0.1, 0.3]} for code in row["per_language"]}
        row["cost"] = None if "draws" in row else float(len(row["languages"]))
        for versus in (row[name] for name in ("vs_all", "vs_none", "vs_random") if name in row):
            versus |= NEW
    return document


CONFIRMED = confirmed()
TRIAL = {"languages": ["deu", "tur"], "value": 0.5, "cost": 2.0, "per_language": {"deu": 0.5}, "seed": 0}
TRIAL |= {"fidelity": {"pairs": 10}, "origin": "swap", "number": 3, "signature": "ab", "repeats": 2}
STATUS: dict[str, Any] = {
    "study": "one",
    "storage": "sqlite:///one.db",
    "trials": {"complete": 1, "failed": 0, "pruned": 0, "running": 0},
    "levels": {"merge": 1, "full": 0},
    "best": TRIAL,
    "recommended": {"languages": ["deu"], "mean": 0.4, "std": 0.1, "runs": 4},
    "front": [TRIAL],
    "evaluations": {"full_equivalents": 1.5},
    "seconds": 2.0,
}


def test_a_confirmation_is_read_and_written_without_loss() -> None:
    confirmation = Confirmation.from_json(CONFIRMED)
    assert confirmation.to_json() == CONFIRMED
    assert Confirmation.from_json(json.loads(json.dumps(confirmation.to_json()))) == confirmation
    best = confirmation.best
    assert best.languages == ("cop", "pan", "swe", "tgl")
    assert best.vs_none is not None
    assert best.vs_none.p == CONFIRMED["rows"][0]["vs_none"]["p"]
    assert best.ci95 == Interval(*CONFIRMED["rows"][0]["ci95"])
    with pytest.raises(KeyError):
        confirmation["nobody"]


def test_a_status_is_read_and_written_without_loss() -> None:
    assert SearchStatus.from_json(STATUS).to_json() == STATUS
    bare = {key: value for key, value in STATUS.items() if key not in ("levels", "recommended", "front")}
    assert SearchStatus.from_json({**bare, "best": None, "schema": 1}).to_json() == {**bare, "best": None}
    unconfirmed = SearchStatus.from_json({**STATUS, "verdict": "Nothing is confirmed yet.", "history": [TRIAL]})
    assert SearchStatus.from_json(unconfirmed.to_json()) == unconfirmed
    assert unconfirmed.verdict


def test_a_table_has_a_line_for_each_row() -> None:
    table = Confirmation.from_json(CONFIRMED).to_dataframe()
    assert list(table.index) == [row["name"] for row in CONFIRMED["rows"]]
    assert list(table["mean"]) == [row["mean"] for row in CONFIRMED["rows"]]
    assert table.loc["best", "vs_all_p"] == CONFIRMED["rows"][0]["vs_all"]["p"]


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("rows", 0, "mean"), "high", "rows\\[0\\].mean is no number"),
        (("rows", 1, "ci95"), [0.1], "rows\\[1\\].ci95 is no list of two numbers"),
        (("rows", 0, "vs_all", "difference"), None, "vs_all.difference is no number"),
        (("rows",), {"best": 1}, "rows is no list"),
        (("rows", 0, "languages"), "deu", "languages is no list"),
        (("luck",), 3, "luck is no JSON object"),
        (("seeds",), [True], "seeds\\[0\\] is no whole number"),
        (("rows", 0, "per_language"), {"deu": float("nan")}, "per_language.deu is no number"),
        (("rows", 0, "per_language_ci95"), {"deu": [0.1]}, "per_language_ci95.deu is no list of two numbers"),
        (("rows", 0, "per_language_gain"), {"deu": {"ci95": [0, 1]}}, "per_language_gain.deu.difference is missing"),
        (("effort",), {"evaluations": 1.5, "seconds": 1}, "effort.evaluations is no whole number"),
        (("race",), [3], "race is no JSON object"),
        (("schema",), 3, "is of schema 3"),
        (("schema",), 1, "is of schema 1"),
    ],
)
def test_what_is_wrong_is_named(path: tuple[Any, ...], value: Any, problem: str) -> None:
    document = copy.deepcopy(CONFIRMED)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(InputError, match=problem):
        Confirmation.from_json(document)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(InputError, match=r"status\.evaluations is missing"):
        SearchStatus.from_json({key: value for key, value in STATUS.items() if key != "evaluations"})
    with pytest.raises(InputError, match="is no JSON object"):
        Confirmation.from_json([])
