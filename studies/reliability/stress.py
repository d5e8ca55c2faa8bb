"""Kill everything, lose nothing: `python studies/reliability/stress.py` writes `kills.json` beside this file.

30 kills at random moments for each of (worker, driver) × (SQLite, journal, PostgreSQL), and of the PostgreSQL server.
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
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("kills.json"))
    given = parser.parse_args()
    storages, victims = given.storages.split(","), given.victims.split(",")
    if "postgres" in storages and postgres.programs() is None:
        parser.error(postgres.MISSING)
    tallies = []
    serving = postgres.serving() if "postgres" in storages else nullcontext()
    with tempfile.TemporaryDirectory() as folder, serving as server:
        os.environ["REALINGO_CACHE"] = f"{folder}/cache"
        truth = kills.undisturbed(Path(folder) / "undisturbed", 2 + kills.EACH * (given.kills + given.kills // 3 + 2))
        for storage in storages:
            for victim in victims:
                if victim == "server" and storage != "postgres":
                    continue
                siege = kills.Siege(Path(folder) / f"{victim}-{storage}", victim, storage, truth, given.seed, server)
                tallies.append(siege.tally)
                while siege.tally.kills < given.kills and siege.wanted + kills.EACH <= len(truth):
                    siege.round()
                    given.output.write_text(json.dumps([each.document for each in tallies], indent=1) + "\n")
                print(json.dumps(siege.tally.document), flush=True)
    return 0 if all(each.good and each.kills >= given.kills for each in tallies) else 1


if __name__ == "__main__":
    sys.exit(main())
