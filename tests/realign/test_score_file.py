"""What the cache says is believed only where it holds; where it cannot be written nothing is lost."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import rehearsal
from numpy.random import default_rng

from realign.evaluators.fake import FakeEvaluator
from realign.evaluators.score_file import problem_of, read_score, write_score
from realign.evaluators.wrappers import Cached
from realign.score import Fidelity, Look, Score, Tally
from selector.languages.language import parse_pool
from selector.languages.subset import Subset

POOL = parse_pool(list(rehearsal.POOL))
FULL = Fidelity(160, 10, 10)
SUBSET = Subset(POOL[:2])
GOOD = Score(0.5, {"deu": 0.25, "fin": 0.75}, "s", {"deu": Tally((1,), (4,)), "fin": Tally((3, 0), (3, 1))}, 2.0)


class Counted:
    """The fake evaluator, with a count of what it was asked."""

    def __init__(self) -> None:
        self.inner, self.calls = FakeEvaluator(POOL, POOL), 0

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        return self.inner.signature(subset, fidelity, seed)

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
        self.calls += 1
        return self.inner(subset, fidelity, seed, look)


def signed(document: dict[str, Any]) -> str:
    """The document with a checksum that is right, whatever it says."""
    rest = {key: value for key, value in document.items() if key != "sha256"}
    return json.dumps({**rest, "sha256": hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()})


def test_a_score_comes_back_as_it_was(tmp_path: Path) -> None:
    for number, score in enumerate((GOOD, FakeEvaluator(POOL, POOL)(SUBSET, FULL, 0, lambda _: False))):
        write_score(tmp_path / f"{number}.json", score)
        back = read_score(tmp_path / f"{number}.json", score.signature)
        assert back is not None
        assert (back, back.tallies, back.seconds) == (score, score.tallies, score.seconds)
        assert back.course == (None if score.course is None else tuple(map(dict, score.course)))


@pytest.mark.parametrize(
    "change",
    [
        {"value": 93.0},
        {"value": 0.6},
        {"value": float("nan")},
        {"value": float("inf")},
        {"value": -0.1},
        {"per_language": {"deu": 93.0, "fin": 0.75}},
        {"per_language": {"deu": 0.25, "fin": 0.76}},
        {"per_language": {"deu": 0.75, "fin": 0.25}},  # exchanged: the tallies say otherwise
        {"per_language": {"deu": 0.25, "fin": 0.75, "swh": 0.5}},
        {"per_language": {"deu": None, "fin": 0.75}},
        {"per_language": [0.25, 0.75]},
        {"tallies": {"deu": [[1], [4]]}},
        {"tallies": {"deu": [[5], [4]], "fin": [[3, 0], [3, 1]]}},
        {"tallies": {"deu": [[1], [4]], "fin": [[3], [3, 1]]}},
        {"tallies": {"deu": [[-1, 2], [2, 2]], "fin": [[3, 0], [3, 1]]}},
        {"course": [{"deu": 0.2}]},
        {"course": [{"deu": 2.0, "fin": 0.5}]},
        {"seconds": -1.0},
        {"signature": "another"},
    ],
)
def test_what_a_score_cannot_be_is_not_believed_even_with_the_right_checksum(
    tmp_path: Path, change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "a.json"
    write_score(file, GOOD)
    whole = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(signed(whole), encoding="utf-8")
    assert read_score(file, "s") == GOOD
    file.write_text(signed(whole | change), encoding="utf-8")
    assert read_score(file, "s") is None
    assert read_score(file, "s") is None
    assert caplog.text.count("is not valid") == 1  # said once


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    file, rng = tmp_path / "a.json", default_rng(0)
    write_score(file, GOOD)
    whole, found = file.read_bytes(), 0
    for _ in range(400):
        place, bit = int(rng.integers(len(whole))), int(rng.integers(8))
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        back = read_score(file, "s")
        assert back is None or (back, back.tallies, back.seconds) == (GOOD, GOOD.tallies, GOOD.seconds)
        found += back is None
    assert found > 380


@pytest.mark.parametrize("damage", ["[" * 100_000, '{"sha256": ' * 50_000, '{"sha256": 1e999}', "\0" * 50])
def test_a_damaged_file_is_measured_again_and_mended(tmp_path: Path, damage: str) -> None:
    counted = Counted()
    cached = Cached(counted, tmp_path)
    first = cached(SUBSET, FULL, 0)
    (file,) = tmp_path.rglob("*.json")
    file.write_text(damage, encoding="utf-8")
    assert cached(SUBSET, FULL, 0) == first
    assert cached(SUBSET, FULL, 0) == first
    assert counted.calls == 2


def test_a_score_of_an_older_version_is_measured_again_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_score(tmp_path / "a.json", GOOD)
    document = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    del document["sha256"]
    (tmp_path / "a.json").write_text(json.dumps(document), encoding="utf-8")
    assert read_score(tmp_path / "a.json", "s") is None
    assert not caplog.text


def test_an_impossible_score_is_not_kept(tmp_path: Path) -> None:
    wrong = Score(float("nan"), {"deu": float("nan")}, "s")
    assert problem_of(wrong)
    write_score(tmp_path / "a.json", wrong)
    assert not list(tmp_path.iterdir())


def test_a_cache_that_cannot_be_written_costs_one_line_and_no_score(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")  # a folder cannot be made below a file, whoever one is
    counted = Counted()
    cached = Cached(counted, tmp_path / "file" / "scores")
    scores = [cached(SUBSET, FULL, seed) for seed in (0, 1, 2)]
    assert scores == [FakeEvaluator(POOL, POOL)(SUBSET, FULL, seed) for seed in (0, 1, 2)]
    assert caplog.text.count("cannot be written") == 1
    again = Cached(counted, tmp_path / "file" / "scores")  # by another evaluator of the same process
    assert [again(SUBSET, FULL, seed) for seed in (0, 1, 2)] == scores
    assert counted.calls == 3


def test_a_search_and_its_confirmation_go_on_without_a_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REALINGO_CACHE", str(tmp_path / "file" / "cache"))
    study = rehearsal.write(tmp_path / "study", trials=3)
    for command in ("search", "confirm", "status"):
        assert rehearsal.realingo(command, study, "--set", "search.storage=trial.journal", "--json") == 0
    blind = json.loads(capsys.readouterr().out.splitlines()[-1])
    monkeypatch.setenv("REALINGO_CACHE", str(tmp_path / "cache"))
    study = rehearsal.write(tmp_path / "again", trials=3)
    assert rehearsal.realingo("search", study, "--set", "search.storage=trial.journal", "--json") == 0
    assert json.loads(capsys.readouterr().out)["best"] == blind["best"]
