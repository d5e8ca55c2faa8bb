"""What the tables of results/ say, as printed in README.md.    python -m studies.gpu.summary"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy import stats

RESULTS = Path(__file__).parent / "results"

Scores = dict[tuple[str, tuple[str, ...]], list[dict[str, np.ndarray]]]


def main() -> None:
    for name in ("recipes", "tunings", "twelve"):
        about, scores = read(RESULTS / f"{name}.npz")
        spent = sum(row["seconds"] for row in about["times"])
        jobs = len(about["jobs"])
        print(f"\n{name}: {jobs} evaluations in {spent:.0f} s, {3600 * jobs / spent:.0f} an hour")
        if name != "twelve":
            for (recipe, codes), runs in scores.items():
                print(f"  {recipe:22} {label(codes):20} {spread(runs)}")
            continue
        groups = {
            "none": [run for (_, codes), runs in scores.items() if not codes for run in runs],
            "all twelve": [run for (_, codes), runs in scores.items() if len(codes) == 12 for run in runs],
            "subsets of three": [run for (_, codes), runs in scores.items() if len(codes) == 3 for run in runs],
        }
        for group, runs in groups.items():
            print(f"  {group:20} {len(runs):4} runs: {spread(runs)}")
        compare(groups["subsets of three"], groups["none"])


def read(file: Path) -> tuple[dict, Scores]:
    """The scores [languages] in percent of every run, by recipe and subset."""
    with np.load(file, allow_pickle=False) as arrays:
        about = json.loads(str(arrays["about"]))
        dev, test = 100 * arrays["tune"], 100 * arrays["test"]
    found: Scores = defaultdict(list)
    for (recipe, codes, _), ours, theirs in zip(about["jobs"], dev, test, strict=True):
        found[recipe, tuple(codes)].append(
            {"English": ours[:1], "pool, dev": ours[1:], "pool, test": theirs[:24], "held out, test": theirs[24:]}
        )
    return about, found


def spread(runs: list[dict[str, np.ndarray]]) -> str:
    parts = []
    for name in ("English", "pool, dev", "pool, test", "held out, test"):
        means = np.array([run[name].mean() for run in runs])
        parts.append(f"{name} {means.mean():.2f} ± {means.std(ddof=1):.2f}")
    return "; ".join(parts)


def compare(some: list[dict[str, np.ndarray]], others: list[dict[str, np.ndarray]]) -> None:
    for name in ("pool, dev", "pool, test", "held out, test"):
        a, b = (np.array([run[name].mean() for run in runs]) for runs in (some, others))
        test = stats.ttest_ind(a, b, equal_var=False)
        low, high = test.confidence_interval()
        interval = f"({low:+.2f} to {high:+.2f}, p={test.pvalue:.3f})"
        print(f"  subsets of three − none, {name}: {a.mean() - b.mean():+.2f} {interval}")


def label(codes: tuple[str, ...]) -> str:
    return " ".join(codes) if 0 < len(codes) < 12 else "none" if not codes else f"all {len(codes)}"


if __name__ == "__main__":
    main()
