"""A few of the kills of `studies/reliability/stress.py`: whatever is killed, nothing is lost, repeated or different."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kills
import pytest

CASES = [(victim, storage) for storage in (*kills.STORAGES, "postgres") for victim in ("worker", "driver")]
CASES += [("server", "postgres"), ("interrupt", "sqlite")]


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALINGO_CACHE", str(folder / "cache"))
        return kills.undisturbed(folder, 2 + 4 * kills.EACH)


@pytest.mark.parametrize(("victim", "storage"), CASES)
def test_a_kill_changes_nothing(
    victim: kills.Victim, storage: str, tmp_path: Path, truth: list[Any], request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue("server") if storage == "postgres" else None
    siege = kills.Siege(tmp_path, victim, storage, truth, seed=1, server=server)
    while siege.tally.kills < 1 and siege.wanted + kills.EACH <= len(truth):
        siege.round()
    assert siege.tally.kills == 1
    assert siege.tally.good, siege.tally


@pytest.mark.parametrize("victim", ["driver", "interrupt"])
def test_a_confirmation_that_was_killed_says_the_same_when_it_is_given_again(
    victim: kills.Victim, tmp_path: Path
) -> None:
    siege = kills.Confirmation(tmp_path, victim, "journal", seed=1)
    for _ in range(4):
        if not siege.tally.kills:
            siege.round()
    assert siege.tally.kills == 1
    assert siege.tally.good, siege.tally
