"""Do the subsets that one encoder likes suit another? The same subsets, realigned with the small encoder of real-small.

python studies/real-e5/across.py [WORKERS]     # measures, writes small.npz beside it; interrupted, it continues
python studies/real-e5/across.py --read        # prints what small.npz and the evaluations of e5 say together

REALINGO_DATA and the encoder of `studies/real-small.toml` must be there to measure (studies/real-small/README.md).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from evidence import DRAWS, NINE, UNSTEADY, Run, read
from numpy.typing import NDArray
from scipy.stats import rankdata

from realign.evaluators import table as replay
from realign.evaluators.table import ScoreTable
from search import terminal
from search.backends import registry as backends
from search.backends.batch import Bench
from search.config.study_config import load
from search.interrupts import Interrupts
from search.study.provenance import facts
from selector.languages.language import parse
from selector.languages.subset import Subset

HERE = Path(__file__).parent
STUDY = HERE.parent / "real-small.toml"
TABLE = HERE / "small.npz"
SEEDS = 2
SUBSETS = 30  # of the 84, by chance
Scores = NDArray[np.float64]


def subsets_of_three() -> list[tuple[str, ...]]:
    """Some subsets of three languages that e5 was measured on under the recipe of `NINE`, sorted codes each."""
    every = sorted({tuple(sorted(run.codes)) for run in read("nine") if run.recipe == NINE and len(run.codes) == 3})
    drawn = np.random.default_rng(0).permutation(len(every))[:SUBSETS]
    return [every[place] for place in sorted(drawn)]


def measure(workers: int) -> None:
    """Score every subset on `SEEDS` seeds with the small encoder, and write the table."""
    config = load(STUDY, ["pool.k=3"])
    chosen = [Subset(tuple(map(parse, codes))) for codes in subsets_of_three()]
    view = backends.search_view(config)
    with terminal.progress() as advance, Interrupts() as interrupts:
        bench = Bench("process", workers, advance, interrupts)
        found = bench.measure("subsets", view, [(subset, seed) for seed in range(SEEDS) for subset in chosen])
    targets = [language.code for language in config.tune]
    values = [[[found[s, seed].per_language[code] for code in targets] for seed in range(SEEDS)] for s in chosen]
    ScoreTable(
        pool=tuple(language.code for language in config.pool),
        targets=tuple(targets),
        subsets=tuple(subset.codes for subset in chosen),
        fidelities={"full": {}},
        seconds={},
        values=np.array([values], np.float32),
        about={"study": facts(config), "command": "python studies/real-e5/across.py"},
    ).save(TABLE)


def compare() -> None:
    """Print how well two seeds agree on each encoder, and the two encoders with each other, by group of targets."""
    small = replay.load(TABLE)
    runs = [run for run in read("nine") if len(run.codes) == 3]
    for name, targets in {
        "all 24": list(small.targets),
        "19 steady": [code for code in small.targets if code not in UNSTEADY],
    }.items():
        columns = [small.targets.index(code) for code in targets]
        ours = 100 * small.values[0][:, :, columns].mean(axis=2).astype(float)  # [subset, seed]
        theirs = np.array([e5_mean(runs, codes, targets) for codes in small.subsets])
        print(f"{name} targets, {len(ours)} subsets of three")
        print(f"  small encoder: two seeds correlate {correlation(ours[:, 0], ours[:, 1])}")
        print(f"  small encoder: noise of a seed {np.sqrt((np.diff(ours) ** 2).mean() / 2):.2f} points")
        print(f"  spread of the subsets' means, seeds included: {ours.mean(axis=1).std(ddof=1):.2f} points")
        print(f"  with e5, means over seeds: {correlation(ours.mean(axis=1), theirs)}")


def e5_mean(runs: list[Run], codes: tuple[str, ...], targets: list[str]) -> float:
    """Mean development score in percent of one subset on e5, over its seeds and some targets."""
    some = [run for run in runs if tuple(sorted(run.codes)) == codes]
    return float(np.mean([run.dev[code] for run in some for code in targets]))


def correlation(first: Scores, second: Scores) -> str:
    """Spearman's correlation with its 95 % interval, by drawing subsets with replacement."""
    rows = np.random.default_rng(0).integers(len(first), size=(DRAWS, len(first)))
    low, high = np.quantile([_spearman(first[row], second[row]) for row in rows], [0.025, 0.975])
    return f"{_spearman(first, second):+.2f} ({low:+.2f} to {high:+.2f})"


def _spearman(first: Scores, second: Scores) -> float:
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])


if __name__ == "__main__":
    if sys.argv[1:] != ["--read"]:
        measure(int((sys.argv[1:] or ["2"])[0]))
    compare()
