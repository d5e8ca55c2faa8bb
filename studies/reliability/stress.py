"""Kill everything, lose nothing: `python studies/reliability/stress.py` writes `kills.json` beside this file.

Searches and confirmations are hit at random moments, on each storage: with the fake evaluator as often as `--kills`,
with the world's encoder as often as `--real-kills`. What is counted is in `tests/helpers/kills.py`; exit status 1 if a
count that must be 0 is not. `--resume` goes on after the kinds that `kills.json` has whole.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import kills
    import postgres

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "helpers")]
os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])  # for the processes that are started here
VICTIMS = ("worker", "driver", "interrupt", "server")


class Kind(NamedTuple):
    """What is hit, while which command runs with which evaluator, on which storage."""

    command: str
    evaluator: str
    victim: str
    storage: str


def kinds(commands: list[str], victims: list[str], storages: list[str]) -> Iterator[Kind]:
    """All kinds: a server is there to kill with PostgreSQL alone, and a confirmation only begins and ends with it."""
    for kind in itertools.starmap(Kind, itertools.product(commands, ("fake", "world"), victims, storages)):
        if kind.victim != "server" or (kind.storage == "postgres" and kind.command == "search"):
            yield kind


def most(wanted: int) -> int:
    """Rounds in which to try for that many hits: now and then a command ends before it is hit."""
    return wanted + wanted // 3 + 2


class Stress:
    """Runs one kind after the other in a folder; tells how it goes."""

    def __init__(self, folder: Path, server: postgres.Server | None, hits: dict[str, int], seed: int) -> None:
        import kills

        self.folder, self.server, self.hits, self.seed = folder, server, hits, seed
        self.truth = cache(  # what an undisturbed search finds with an evaluator
            lambda evaluator: kills.undisturbed(
                folder / f"undisturbed-{evaluator}", 2 + kills.EACH * most(hits[evaluator]), evaluator == "world"
            )
        )

    def run(self, kind: Kind) -> kills.Tally:
        siege, wanted = self._siege(kind), self.hits[kind.evaluator]
        for _ in range(most(wanted)):
            if siege.tally.kills < wanted:
                siege.round()
        return siege.tally

    def _siege(self, kind: Kind) -> kills.Siege | kills.Confirmation:
        import kills

        folder, real = self.folder / "-".join(kind), kind.evaluator == "world"
        if kind.command == "confirm":
            return kills.Confirmation(folder, kind.victim, kind.storage, self.seed, self.server, real)
        truth = self.truth(kind.evaluator)
        return kills.Siege(folder, kind.victim, kind.storage, truth, self.seed, self.server, real)


def recorded(file: Path, hits: dict[str, int]) -> dict[Kind, dict[str, Any]]:
    """The kinds that a file has whole: hit as often as is asked for."""
    rows = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    return {Kind(*(row[name] for name in Kind._fields)): row for row in rows if row["kills"] >= hits[row["evaluator"]]}


def main() -> int:
    import postgres

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10, help="hits of each kind, with the fake evaluator")
    parser.add_argument("--real-kills", type=int, default=5, help="hits of each kind, with the world's encoder")
    parser.add_argument("--commands", default="search,confirm")
    parser.add_argument("--storages", default="sqlite,journal,postgres")
    parser.add_argument("--victims", default=",".join(VICTIMS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="keep the kinds that the output has whole")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("kills.json"))
    given = parser.parse_args()
    storages, hits = given.storages.split(","), {"fake": given.kills, "world": given.real_kills}
    if "postgres" in storages and postgres.programs() is None:
        parser.error(postgres.MISSING)
    rows = recorded(given.output, hits) if given.resume else {}
    serving = postgres.serving() if "postgres" in storages else nullcontext()
    with tempfile.TemporaryDirectory() as folder, serving as server:
        os.environ["REALINGO_CACHE"] = f"{folder}/cache"
        stress = Stress(Path(folder), server, hits, given.seed)
        for kind in kinds(given.commands.split(","), given.victims.split(","), storages):
            if kind not in rows and hits[kind.evaluator]:
                tally = stress.run(kind)
                rows[kind] = tally.document
                given.output.write_text(json.dumps(list(rows.values()), indent=1) + "\n")
                print(json.dumps(tally.document), flush=True)
    counts = ("lost", "repeated", "corrupted", "different")
    return 0 if all(row["kills"] and not any(row[count] for count in counts) for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
