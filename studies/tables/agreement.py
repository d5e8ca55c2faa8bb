"""How well each level of the table ranks subsets of four: `python studies/tables/agreement.py`.

Spearman of a level at one seed with the full score at the other, as in `bench fidelity`, and of the means over both.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from realign import replay
from search.bench_fidelity import agreement, spearman

SIZE = 4


def main() -> None:
    table = replay.load(Path(__file__).with_name("world-12.npz"))
    rows = [table.row[subset] for subset in table.subsets if len(subset) == SIZE]
    levels = [values[rows].mean(axis=2, dtype=np.float64).T for values in table.values]  # each (seeds, subsets)
    full = levels[list(table.fidelities).index("full")]
    ceiling = agreement(full, full)["spearman"]
    print("| level | across seeds (90 %) | of the ceiling | of means | seconds |\n|---|---|---|---|---|")
    for name, level in zip(table.fidelities, levels, strict=True):
        if np.isnan(level).any():
            print(f"| {name} | not measured to the end |")
            continue
        found, means = agreement(level, full), spearman(level.mean(axis=0), full.mean(axis=0))
        across = "{:.2f} ({:.2f} to {:.2f})".format(found["spearman"], *found["ci90"])
        print(f"| {name} | {across} | {found['spearman'] / ceiling:.0%} | {means:.2f} | {table.seconds[name]:.2f} |")


if __name__ == "__main__":
    main()
