"""The race before a confirmation: who takes part, who is left, at what cost, and on which seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import rehearsal
from hypothesis import given
from hypothesis import strategies as st

from search.backends.batch import Bench
from search.commands import search as run
from search.confirmation import confirm, race
from search.confirmation.recommend import Recommender
from search.interrupts import Interrupts
from search.results import Confirmation
from search.study.study import open_study


class Track:
    """Values without noise; counts what is measured."""

    def __init__(self, values: Sequence[float]) -> None:
        self.values, self.runs = values, list[tuple[int, int]]()

    def __call__(self, left: Sequence[int], rounds: Sequence[int]) -> Mapping[tuple[int, int], float]:
        found = {(each, number): self.values[each] for each in left for number in rounds}
        assert not found.keys() & set(self.runs)
        self.runs += found
        return found


@given(values=st.lists(st.floats(-1, 1), min_size=1, max_size=8), spare=st.integers(0, 60))
def test_the_best_is_left_at_no_more_than_the_price(values: list[float], spare: int) -> None:
    track = Track(values)
    winner = race.last_one(range(len(values)), track, len(values) + spare)
    assert values[winner] == max(values)
    assert winner == values.index(max(values))
    assert len(track.runs) <= len(values) + spare


def test_those_hard_to_tell_apart_get_most_of_the_seeds() -> None:
    track = Track([0.0, 0.9, 0.5, 1.0, 0.2, 0.3])
    race.last_one(range(6), track, 60)
    runs = [sum(each == number for each, _ in track.runs) for number in range(6)]
    assert runs[3] == runs[1] > runs[2] > runs[5] > runs[4] > runs[0]


@pytest.mark.usefixtures("own_cache")
def test_a_race_sees_neither_the_seeds_nor_the_sentences_of_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = rehearsal.study(tmp_path, "confirm.race=true", trials=12)
    run.search(config)
    capsys.readouterr()
    document = confirm.confirm(config, top=2, seeds=3)
    said = capsys.readouterr().err
    bench = Bench("inline", 1, lambda *_: None, Interrupts(handlers=False))
    recommender = Recommender(open_study(config, create=False))
    running = race.RaceRun(recommender, bench).candidates(2)
    assert [trial.subset for trial in running[:2]] == [trial.subset for trial in recommender.top(2)]
    assert f"race: {min(len(running), 3)} candidates" in said
    found = [row for row in document.rows if row.name.startswith("best")]
    assert [row.name for row in found] == ["best"]
    assert "+".join(found[0].languages) in {trial.subset.key for trial in running}
    assert max(document.seeds) < config.seed + race.RACING
    assert document.split == "test"
    assert document.race is not None
    assert document.race.candidates == min(len(running), 3)
    assert document.race.subsets == tuple(trial.subset.codes for trial in running[:3])
    assert Confirmation.from_json(document.to_json()) == document
    assert document.race.candidates <= document.race.evaluations <= 3
    assert document.effort is not None
    scores = list((tmp_path / "cache" / "scores").rglob("*.json"))
    assert document.effort.evaluations == len(scores) - len(recommender.study.trials())
    assert document == replace(confirm.confirm(config, top=2, seeds=3), created=document.created)
