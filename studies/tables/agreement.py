"""What the table says: `python studies/tables/agreement.py`.

First how well each level ranks subsets of four: Spearman of a level at one seed with the full score at the other, as in
`bench fidelity`, and of the means over both. Then how many languages are enough: full scores, means over seeds and
targets in percent, and the noise that is left in them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from realign.evaluators import table as replay
from search.bench.fidelity import agreement
from search.bench.rank_correlation import spearman

SIZE = 4


def main() -> None:
    table = replay.load(Path(__file__).with_name("world-12.npz"))
    levels(table)
    print()
    sizes(table)


def levels(table: replay.ScoreTable) -> None:
    rows = [table.row[subset] for subset in table.subsets if len(subset) == SIZE]
    scores = [values[rows].mean(axis=2, dtype=np.float64).T for values in table.values]  # each (seeds, subsets)
    full = scores[list(table.fidelities).index("full")]
    ceiling = agreement(full, full)["spearman"]
    print("| level | across seeds (90 %) | of the ceiling | of means | seconds |\n|---|---|---|---|---|")
    for name, level in zip(table.fidelities, scores, strict=True):
        if np.isnan(level).any():
            print(f"| {name} | not measured to the end |")
            continue
        found, means = agreement(level, full), spearman(level.mean(axis=0), full.mean(axis=0), 0.0)
        across = "{:.2f} ({:.2f} to {:.2f})".format(found["spearman"], *found["ci90"])
        print(f"| {name} | {across} | {found['spearman'] / ceiling:.0%} | {means:.2f} | {table.seconds[name]:.2f} |")


def sizes(table: replay.ScoreTable) -> None:
    full = table.values[list(table.fidelities).index("full")].mean(axis=2, dtype=np.float64) * 100  # (subsets, seeds)
    print("| languages | mean | standard deviation | best | which | noise |\n|---|---|---|---|---|---|")
    for size in sorted({len(subset) for subset in table.subsets}):
        rows = [table.row[subset] for subset in table.subsets if len(subset) == size]
        means = full[rows].mean(axis=1)
        if len(rows) == 1:
            print(f"| {size} | {means[0]:.1f} | | | | |")
            continue
        best = " ".join(table.subsets[rows[int(means.argmax())]])
        noise = full[rows].std(axis=1, ddof=1) / np.sqrt(full.shape[1])
        left = np.sqrt((noise**2).mean())
        print(f"| {size} | {means.mean():.1f} | {means.std():.1f} | {means.max():.1f} | {best} | {left:.1f} |")


if __name__ == "__main__":
    main()
