"""How well each level of the table ranks subsets of four: `python studies/tables/agreement.py`.

Spearman of a level at one seed with the full score at the other, both ways averaged, and of the means over both seeds;
90 % intervals by bootstrap over the subsets.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from realign import replay

SIZE = 4
DRAWS = 1000


def agreement(level: NDArray[np.float64], full: NDArray[np.float64]) -> tuple[float, float]:
    """Of scores [subsets, 2]: across seeds, and of means."""
    across = np.mean([spearmanr(level[:, seed], full[:, 1 - seed]).statistic for seed in (0, 1)])
    return float(across), float(spearmanr(level.mean(axis=1), full.mean(axis=1)).statistic)


def main() -> None:
    table = replay.load(Path(__file__).with_name("world-12.npz"))
    rows = [table.row[subset] for subset in table.subsets if len(subset) == SIZE]
    scores = {name: table.values[place][rows].mean(axis=2) for place, name in enumerate(table.fidelities)}
    rng = np.random.default_rng(0)
    draws = rng.integers(len(rows), size=(DRAWS, len(rows)))
    print("| level | across seeds (90 %) | of means (90 %) | of the ceiling | seconds |\n|---|---|---|---|---|")
    ceiling, _ = agreement(scores["full"], scores["full"])
    for name, level in scores.items():
        if np.isnan(level).any():
            print(f"| {name} | not measured to the end |")
            continue
        drawn = np.array([agreement(level[draw], scores["full"][draw]) for draw in draws])
        ends = np.quantile(drawn, [0.05, 0.95], axis=0)
        found = agreement(level, scores["full"])
        across, means = (f"{x:.2f} ({lo:.2f} to {hi:.2f})" for x, lo, hi in zip(found, *ends, strict=True))
        print(f"| {name} | {across} | {means} | {found[0] / ceiling:.0%} | {table.seconds[name]:.2f} |")


if __name__ == "__main__":
    main()
