"""`bench fidelity`: do cheap scores rank subsets as full ones do? Rank correlations beside what seed noise allows.

Every seed of a cheap score is compared with the mean of the full scores on all other seeds; so is every seed of the
full score, which is the ceiling: more than one full evaluation tells of another is not to be had at one seed.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realign.score import Fidelity, Merging, Score
from search import terminal
from search.backends import registry as backends
from search.backends.batch import Bench, Wanted
from search.bench.rank_correlation import spearman
from search.config.schema import StudyFile, check
from search.config.study_config import resolve_study
from search.effort.cost import Price
from search.effort.fidelities import Fidelities
from search.interrupts import Interrupts
from search.results.json_reader import Json
from selector.languages.language import Pool
from selector.languages.pools import WORLD_HELD_OUT
from selector.languages.subset import Subset

Array = NDArray[np.float64]

SUBSETS = 40
SIZE = 4  # languages each
STREAM = 1  # of the random subsets: other ones than those the settings below were chosen on
DRAWS = 2_000
LEVEL = 0.9
WORLD: Json = {
    "name": "bench-fidelity",
    "pool": {"languages": "world", "source": "eng", "k": SIZE},
    "targets": {"tune": "pool", "held_out": list(WORLD_HELD_OUT)},
    "task": {"steps": 100, "batch": 32, "lr": 1e-3, "examples": 100},
    "realign": {"loss": "word", "aligner": "gold", "steps": 100, "batch": 16, "lr": 1e-3},
}


@dataclass(frozen=True)
class Variant:
    """A cheap way to score."""

    name: str
    fidelity: Fidelity

    def before(self, pool: Pool, subset: Subset) -> tuple[list[Subset], Fidelity]:
        """The subsets and fidelity to measure once, before any subset costs as little as all later ones do."""
        how = self.fidelity.merging
        if how is None:
            return [], self.fidelity
        if how.method == "scores":
            return [Subset((language,)) for language in pool], replace(self.fidelity, merging=None)
        return [subset], self.fidelity  # the first subset makes all vectors, for the shared fine-tuning


def variants(full: Fidelity, size: int) -> list[Variant]:
    """Short: shares of everything. Merged: from each language alone, a quarter of the sentences scored."""
    few = full.share(1, 1, 0.25)
    share = full.share(1 / size, 1, 1)  # of a language in a subset of this size

    def merged(method: Any, base: Fidelity = few, **how: Any) -> Fidelity:
        return replace(base, merging=Merging(method, **{"scale": 2.0, "seeds": 2, **how}))

    return [
        Variant("scores", replace(share, merging=Merging("scores", scale=1.0))),
        Variant("scores, mean", replace(share, merging=Merging("scores", sharpness=0.0, scale=1.0))),
        Variant("merge", merged("average")),
        Variant("short 1/4", full.share(0.25, 0.25, 0.25)),
        Variant("merge, one seed", merged("average", seeds=1)),
        Variant("merge, scale 1", merged("average", scale=1.0)),
        Variant("merge, touched", merged("touched")),
        Variant("merge, ties", merged("ties", scale=1.0, density=0.2)),
        Variant("merge, dare", merged("dare", density=0.5)),
        Variant("merge, fine-tuned 1/4", merged("average", few.share(1, 0.25, 1), tuned="each")),
        Variant("short 1/2", full.share(0.5, 0.5, 0.5)),
        Variant("short 1/4, patience 2", replace(full.share(0.25, 1, 0.25), patience=2)),
    ]


def fidelity(seeds: int, workers: int) -> Json:
    """Cheap against full fidelity on random subsets of the embedded world. What is measured is kept."""
    config = resolve_study(
        Path.cwd() / "bench-fidelity.toml", check(StudyFile, Path("bench-fidelity.toml"), dict(WORLD))
    )
    subsets, at = draw_subsets(config.pool, config.seed, SUBSETS, SIZE), range(seeds)
    view, full = backends.search_view(config), Fidelities(config).full
    wanted = [(subset, seed) for seed in at for subset in subsets]
    rows = []
    with terminal.progress() as advance, Interrupts() as interrupts:
        bench = Bench("process", workers, advance, interrupts)
        reference = bench.measure("full fidelity", view, wanted)
        truth, spent = values(reference, subsets, at), seconds(reference)
        for variant in variants(full, SIZE):
            first, at_first = variant.before(config.pool, subsets[0])
            bench.measure(f"{variant.name}: once", view, [(s, seed) for s in first for seed in at], at_first)
            scores = bench.measure(variant.name, view, wanted, variant.fidelity)
            later = {key: score for key, score in scores.items() if key[0] not in first}
            rows.append(
                {
                    "name": variant.name,
                    **agreement(values(scores, subsets, at), truth),
                    "cost_ratio": seconds(later) / spent,
                    "setup": Price(config).paid_once(variant.fidelity),
                    "subsets": len(subsets),
                    "seeds": seeds,
                }
            )
    return {"rows": rows, "ceiling": agreement(truth, truth), "seconds": spent}


def draw_subsets(pool: Pool, seed: int, count: int, size: int) -> list[Subset]:
    rng = np.random.default_rng([seed, STREAM, count, size])
    return [Subset.of(pool[i] for i in rng.choice(len(pool), size, replace=False)) for _ in range(count)]


def values(scores: Mapping[Wanted, Score], subsets: Sequence[Subset], seeds: Sequence[int]) -> Array:
    """(seeds, subsets)."""
    return np.array([[scores[subset, seed].value for subset in subsets] for seed in seeds])


def seconds(scores: Mapping[Wanted, Score]) -> float:
    """Seconds of one evaluation: the median, since other programs run too."""
    return statistics.median(score.seconds for score in scores.values())


def agreement(cheap: Array, full: Array) -> Json:
    """Spearman's correlation of each seed of `cheap` with the mean of `full` on the other seeds, averaged over seeds.

    cheap, full: (seeds, subsets). The interval is by bootstrap over the subsets.
    """
    others = (full.sum(axis=0) - full) / (len(full) - 1)
    draws = np.random.default_rng(0).integers(full.shape[1], size=(DRAWS, full.shape[1]))
    resampled = spearman(cheap[:, draws], others[:, draws], 0.0).mean(axis=0)
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {"spearman": float(spearman(cheap, others, 0.0).mean()), "ci90": [float(low), float(high)]}


def render(document: Json) -> Any:
    ceiling = document["ceiling"]
    cells = [
        [
            row["name"],
            f"{row['spearman']:.2f}",
            f"{row['ci90'][0]:.2f} to {row['ci90'][1]:.2f}",
            f"{row['spearman'] / ceiling['spearman']:.0%}",
            f"1/{1 / row['cost_ratio']:.0f}" if row["cost_ratio"] < 0.5 else f"{row['cost_ratio']:.2f}",
            f"{row['setup']:.1f}",
        ]
        for row in document["rows"]
    ]
    low, high = ceiling["ci90"]
    title = (
        f"one full evaluation ({document['seconds']:.1f} s) against others of the same subset: "
        f"{ceiling['spearman']:.2f} ({low:.2f} to {high:.2f})"
    )
    header = ["fidelity", "rank correlation", "90 %", "of the ceiling", "cost of a subset", "once, in full evaluations"]
    return terminal.table(title, header, cells, tuple(header[1:]))
