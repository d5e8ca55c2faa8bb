"""`realingo select` says which options a strategy does not look at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rehearsal import realingo

from search.commands.select_request import USES
from selector.strategy import STRATEGIES

POOL = ("arb", "cmn", "deu", "fin", "fra", "hin", "jpn", "swh", "tur", "vie")
NAMES = [name for name in STRATEGIES if not name.startswith("exact-")]


@pytest.fixture
def values(tmp_path: Path) -> dict[str, list[str]]:
    """Each option with a value far from the default."""
    weights, transfer = tmp_path / "weights.csv", tmp_path / "transfer.csv"
    weights.write_text("".join(f"{code},{100 if code == 'vie' else 0.01}\n" for code in POOL), encoding="utf-8")
    rows = (f"{code},{','.join(str(10 * (code == 'hin')) for _ in POOL)}\n" for code in (*POOL, "eng"))
    transfer.write_text(f",{','.join(POOL)}\n{''.join(rows)}", encoding="utf-8")
    return {
        "--targets": ["--targets", "kor,tel"],
        "--weights": ["--weights", str(weights)],
        "--transfer": ["--transfer", str(transfer)],
        "--radius": ["--radius", "0.5"],
    }


@pytest.mark.parametrize("strategy", NAMES)
def test_what_is_called_unused_changes_no_choice(
    strategy: str, values: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["select", "--pool", ",".join(POOL), "-k", "3", "--strategy", strategy, "--json"]
    assert realingo(*command) == 0
    bare = json.loads(capsys.readouterr().out)["languages"]
    for option, words in values.items():
        assert realingo(*command, *words) == 0
        printed = capsys.readouterr()
        told = f"{strategy} does not look at {option}: its choice is the same without" in printed.err
        assert told == (STRATEGIES[strategy].objective not in USES[option])
        if told:
            assert json.loads(printed.out)["languages"] == bare


def test_what_is_used_changes_some_choice(values: dict[str, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """The table does not claim more than there is: each option changes what one of its objectives chooses."""
    for option, words in values.items():
        changed = []
        for strategy in USES[option]:
            command = ["select", "--pool", ",".join(POOL), "-k", "3", "--strategy", strategy, "--json"]
            chosen = []
            for more in ([], words):
                assert realingo(*command, *more) == 0
                chosen.append(json.loads(capsys.readouterr().out)["languages"])
            changed.append(chosen[0] != chosen[1])
        assert any(changed), option
