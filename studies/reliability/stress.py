"""Kill everything, lose nothing: `python studies/reliability/stress.py` writes `kills.json` beside this file.

30 kills at random moments for each of (worker, driver) × (SQLite, journal, PostgreSQL), and of the PostgreSQL server,
with the fake evaluator; 10 for each of (worker, driver) with the world's encoder; and of confirmations, with both.
What is counted is in `tests/helpers/kills.py`; exit status 1 if a count that must be 0 is not.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "helpers")]
os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])  # for the processes that are started here


def main() -> int:
    import kills
    import postgres

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30, help="of each kind")
    parser.add_argument("--storages", default="sqlite,journal,postgres")
    parser.add_argument("--victims", default="worker,driver,server")
    parser.add_argument("--real-kills", type=int, default=10, help="of each kind, with the world's encoder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("kills.json"))
    given = parser.parse_args()
    storages, victims = given.storages.split(","), given.victims.split(",")
    if "postgres" in storages and postgres.programs() is None:
        parser.error(postgres.MISSING)
    tallies: list[kills.Tally] = []

    def rounds(siege: kills.Siege | kills.Confirmation, wanted: int, most: int) -> None:
        tallies.append(siege.tally)
        for _ in range(most):
            if siege.tally.kills < wanted:
                siege.round()
                given.output.write_text(json.dumps([each.document for each in tallies], indent=1) + "\n")
        print(json.dumps(siege.tally.document), flush=True)

    def most(wanted: int) -> int:
        return wanted + wanted // 3 + 2

    serving = postgres.serving() if "postgres" in storages else nullcontext()
    with tempfile.TemporaryDirectory() as folder, serving as server:
        os.environ["REALINGO_CACHE"] = f"{folder}/cache"
        truth = kills.undisturbed(Path(folder) / "undisturbed", 2 + kills.EACH * most(given.kills))
        for storage in storages:
            for victim in victims:
                if victim == "server" and storage != "postgres":
                    continue
                siege = kills.Siege(Path(folder) / f"{victim}-{storage}", victim, storage, truth, given.seed, server)
                rounds(siege, given.kills, most(given.kills))
        real, processes = given.real_kills, [victim for victim in victims if victim != "server"]
        if real and processes:
            truth = kills.undisturbed(Path(folder) / "real", 2 + kills.EACH * most(real), real=True)
        for number, victim in enumerate(processes if real else ()):
            storage = ("sqlite", "journal")[number % 2]
            rounds(
                kills.Siege(Path(folder) / f"real-{victim}", victim, storage, truth, given.seed, None, real=True),
                real,
                most(real),
            )
            for world in (False, True):
                where = Path(folder) / f"confirm-{victim}-{world}"
                rounds(kills.Confirmation(where, victim, given.seed, world), real, most(real))
    return 0 if all(each.good and each.kills for each in tallies) else 1


if __name__ == "__main__":
    sys.exit(main())
