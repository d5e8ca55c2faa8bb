"""The door refuses what it cannot use in one sentence with a way out, and takes what a notebook has at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rehearsal

import realingo

pytestmark = pytest.mark.usefixtures("own_cache")

POOL = ["deu", "fin", "jpn", "swh", "tur"]
Wrong = Callable[[Path], object]


def anything(*given: object) -> Any:
    """A value of a wrong kind, which a type checker would refuse."""
    return given[0]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda file: realingo.choose(anything(None), POOL, 2), "the strategy is None, which is no text"),
        (lambda file: realingo.choose(anything(Path("facility")), POOL, 2), "which is no text"),
        (lambda file: realingo.choose("facility", POOL, 2, weights=anything([1, 2])), "is no mapping"),
        (lambda file: realingo.choose("facility", POOL, 2, costs=anything(file), budget=1), "is no mapping"),
        (lambda file: realingo.choose("facility", POOL, 2, quotas=anything(None)), "quotas: None is no text"),
        (lambda file: realingo.choose("facility", POOL, 2, quotas=anything([2])), "quotas: 2 is no text"),
        (lambda file: realingo.distances(anything(None)), "None is no list of languages"),
        (lambda file: realingo.distances(anything(file)), "is no list of languages"),
        (lambda file: realingo.report(file, anything(5)), "5 is no path"),
        (lambda file: realingo.export(file, anything(None)), "None is no path"),
        (lambda file: realingo.search(file, callbacks=anything(5)), "callbacks is 5, which is no list"),
        (lambda file: realingo.search(file, callbacks=anything(print)), "which is no list"),
        (lambda file: realingo.search(file, callbacks=anything([5])), "callbacks is 5, which cannot be called"),
        (lambda file: realingo.search(file, log_to=anything(5)), "log_to: 5 is no text"),
        (lambda file: realingo.search(file, log_to=anything("nothing")), "there is no tracker 'nothing'"),
        (lambda file: realingo.register_strategy(anything(5), print), "a strategy cannot be called '5'"),
        (lambda file: realingo.surrogate(anything(None)), "space is None, which is no Space"),
    ],
)
def test_a_value_of_a_wrong_kind_is_said(call: Wrong, says: str, tmp_path: Path) -> None:
    file = rehearsal.write(tmp_path, trials=1)
    with pytest.raises(realingo.InputError) as problem:
        call(file)
    assert says in problem.value.message
    assert problem.value.hint
    assert rehearsal.tree(tmp_path) == {"study.toml"}


def test_what_a_notebook_has_at_hand_is_taken(tmp_path: Path) -> None:
    costs = {code: float(at) for at, code in enumerate(POOL, start=1)}
    expected = realingo.choose("facility", POOL, 2, costs=costs, budget=5.0)
    series = pd.Series(costs)
    assert realingo.choose("facility", series.index, np.int64(2), costs=series, budget=np.float64(5)) == expected
    assert realingo.choose("facility", (code for code in POOL), 2, costs=costs, budget=5) == expected
    table = realingo.distances(code for code in reversed(POOL))
    assert table.languages == tuple(reversed(POOL))
    assert np.array_equal(realingo.distances(pd.Series(POOL)).matrix, table.matrix[::-1, ::-1])


def test_a_table_of_distances_is_a_metric(tmp_path: Path) -> None:
    """What pandas writes of the table can be read again."""
    table = realingo.distances([*POOL, "eng"], "genetic")
    table.to_dataframe().to_csv(tmp_path / "mine.csv")
    assert (tmp_path / "mine.csv").read_text(encoding="utf-8").startswith("code,")
    again = realingo.distances([*POOL, "eng"], str(tmp_path / "mine.csv"))
    assert np.allclose(again.matrix, table.matrix)


def test_overrides_take_languages(tmp_path: Path) -> None:
    """As everywhere: a `Language`, a code or an English name."""
    file = rehearsal.write(tmp_path)
    pool = realingo.parse_pool(POOL)
    study = realingo.load_study(file, {"pool.languages": pool, "pool.include": [pool[0]]})
    assert (study.pool, study.include) == (pool, (pool[0],))


def test_callbacks_may_be_a_generator(tmp_path: Path) -> None:
    seen: list[int] = []
    study = realingo.load_study(rehearsal.write(tmp_path, trials=2), {"search.storage": "trial.journal"})
    realingo.search(study, callbacks=(call for call in [lambda trial: seen.append(trial.number)]))  # type: ignore[arg-type]
    assert seen == [0, 1]
