"""Upper bounds of p for a confirm.json of schema 1, which holds no scores of single seeds.

    python studies/confirmation/former.py studies/real-small/confirm.json

Its 95 % intervals have the right width where sentences are no translations of each other. If all of that width came of
the seeds, Student's t with one degree of freedom fewer than there are seeds gives p; any share of the sentences makes
p smaller.
"""

import json
import sys
from pathlib import Path

from scipy.special import stdtrit

from search.confirmation.comparison import BASELINES
from search.confirmation.significance import NoiseVariance, NoisyEstimate, format_p, holm


def bound(cell: dict, seeds: int) -> float:
    """Largest p before correction that the interval allows."""
    half = (cell["ci95"][1] - cell["ci95"][0]) / 2
    error = half / float(stdtrit(seeds - 1, 0.975))
    return NoisyEstimate(cell["difference"], (NoiseVariance(error**2, seeds - 1),)).p


def main(path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    seeds = len(document["seeds"])
    cells = {f"{row['name']} {key}": row[key] for row in document["rows"] for key in row if key.startswith("vs_")}
    single = {name: bound(cell, seeds) for name, cell in cells.items()}
    claimed = {name: p for name, p in single.items() if name.split()[0] not in BASELINES}
    corrected = {**holm(claimed), **holm({name: p for name, p in single.items() if name not in claimed})}
    for name, cell in cells.items():
        low, high = (100 * end for end in cell["ci95"])
        gain = f"{100 * cell['difference']:+.1f} ({low:+.1f} to {high:+.1f})"
        print(f"{name}: {gain}, at most {format_p(corrected[name])}; {cell['p']:.2g} by the former method")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
