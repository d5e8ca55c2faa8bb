"""Every subset of 1 to 4 of 12 languages of the embedded world, measured: a search problem whose answer is known.

python studies/tables/make.py [WORKERS] [SEEDS]     (writes world-12.npz beside it; interrupted, it continues)

Full fidelity is twice quickstart's. The short fidelity is a quarter of everything, "vectors" merges language vectors,
and "scores" merges the scores of single languages. Scores are kept for all 24 languages of the world's pool,
development split. What was measured stays in the score cache, and in the table: run again, it goes on where the table
stops, if this machine and version would give the same scores.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from realign.evaluators import table as replay
from realign.evaluators.table import ScoreTable
from realign.score import Advance, Evaluator, Fidelity, Merging, Score
from search import terminal
from search.backends import registry as backends
from search.backends.batch import Bench, Wanted
from search.config.schema import StudyFile, check
from search.config.study_config import StudyConfig, resolve_study
from search.effort.fidelities import Fidelities
from search.interrupts import Interrupts
from search.study.provenance import facts
from selector.languages.language import Pool
from selector.languages.subset import Subset

HERE = Path(__file__).parent
TABLE = HERE / "world-12.npz"
LARGEST = 4
ROUNDS = 8  # of each level, to know what it costs
STUDY: Mapping[str, Any] = {
    "name": "world-12",
    "pool": {"languages": "deu,swe,fra,rus,hin,tur,fin,swh,sna,ind,jav,jpn", "source": "eng", "k": [1, LARGEST]},
    "targets": {"tune": "world"},
    "task": {"steps": 100, "batch": 32, "lr": 1e-3, "examples": 100},
    "realign": {"loss": "word", "aligner": "gold", "steps": 100, "batch": 16, "lr": 1e-3},
}


def levels(full: Fidelity) -> dict[str, Fidelity]:
    """By name, in the order they are measured in."""
    share = full.share(1 / LARGEST, 1, 1)  # of a language in a subset of four
    return {
        "full": full,
        "scores": replace(share, merging=Merging("scores", scale=1.0)),
        "short": full.share(0.25, 0.25, 0.25),
        "vectors": replace(full.share(1, 1, 0.25), merging=Merging("average", scale=2.0)),
    }


def subsets(config: StudyConfig) -> list[Subset]:
    """Those of four first, then 3, 2 and 1, then none and all."""
    sizes = range(LARGEST, 0, -1)
    chosen = [Subset(languages) for size in sizes for languages in itertools.combinations(config.pool, size)]
    return [*chosen, Subset(), Subset(config.pool)]


def main(workers: int, seeds: int) -> None:
    """Subsets of four at all levels first; the table is written after each step, what is not measured yet is empty."""
    config = resolve_study(HERE / "make.toml", check(StudyFile, HERE / "make.toml", dict(STUDY)))
    view, every, known = backends.search_view(config), subsets(config), levels(Fidelities(config).full)
    signature = view.evaluator().signature(Subset(), known["full"], 0)  # of encoder, data, task, versions
    parts = [[s for s in every if len(s) == LARGEST], [s for s in every if len(s) != LARGEST]]
    scores = measured(every, known, signature)
    with terminal.progress() as advance, Interrupts() as interrupts:
        spent = seconds(view.evaluator().evaluator, known, config.pool, advance)
        bench = Bench("process", workers, advance, interrupts)
        for part in parts:
            for name, fidelity in known.items():
                every_seed = [(subset, seed) for seed in range(seeds) for subset in part]
                wanted: list[Wanted] = [pair for pair in every_seed if (name, *pair) not in scores]
                found = bench.measure(f"{name}, {len(part)} subsets", view, wanted, fidelity)
                scores |= {(name, subset, seed): score for (subset, seed), score in found.items()}
                table(config, every, known, scores, seeds, signature, spent).save(TABLE)


def seconds(evaluator: Evaluator, known: Mapping[str, Fidelity], pool: Pool, advance: Advance) -> dict[str, float]:
    """Median processor time of an evaluation at each level, and "alone", of one language, of which scores are made.

    In turns, on seeds that the table does not have; merging takes what the first seed's languages gave.
    """
    asked = {**known, "alone": replace(known["scores"], merging=None)}
    for fidelity in asked.values():
        evaluator(Subset(pool), fidelity, 0)  # whatever is computed once
    found: dict[str, list[float]] = {name: [] for name in asked}
    for turn in range(ROUNDS):
        advance("what it costs", turn, ROUNDS)
        for name, fidelity in asked.items():
            size = 1 if name == "alone" else LARGEST
            started = time.process_time()
            evaluator(Subset(pool[turn % len(pool) :][:size]), fidelity, 0 if fidelity.merging else 1000 + turn)
            found[name].append(time.process_time() - started)
    advance("what it costs", ROUNDS, ROUNDS)
    return {name: statistics.median(each) for name, each in found.items()}


def measured(
    every: Sequence[Subset], known: Mapping[str, Fidelity], signature: str
) -> dict[tuple[str, Subset, int], Score]:
    """What the table holds already, where it was measured under the same signature."""
    kept = replay.load(TABLE) if TABLE.exists() else None
    if kept is None or kept.about["signature"] != signature:
        return {}
    found = {}
    for (level, place, seed), whole in np.ndenumerate(np.isfinite(kept.values).all(axis=3)):
        if whole:
            name = list(known)[level]
            per_language = dict(zip(kept.targets, map(float, kept.values[level, place, seed]), strict=True))
            found[name, every[place], seed] = Score(0.0, per_language, "")
    return found


def table(
    config: StudyConfig,
    every: Sequence[Subset],
    known: Mapping[str, Fidelity],
    scores: Mapping[tuple[str, Subset, int], Score],
    seeds: int,
    signature: str,
    spent: Mapping[str, float],
) -> ScoreTable:
    targets = [language.code for language in config.tune]
    values = np.full((len(known), len(every), seeds, len(targets)), np.nan, np.float32)
    for level, name in enumerate(known):
        for place, subset in enumerate(every):
            for seed in range(seeds):
                if score := scores.get((name, subset, seed)):
                    values[level, place, seed] = [score.per_language[code] for code in targets]
    return ScoreTable(
        pool=tuple(language.code for language in config.pool),
        targets=tuple(targets),
        subsets=tuple(subset.codes for subset in every),
        fidelities={name: fidelity.facts for name, fidelity in known.items()},
        seconds=spent,
        values=values,
        about={"study": facts(config), "signature": signature, "command": "python studies/tables/make.py"},
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in (sys.argv[1:] + ["2", "2"][len(sys.argv) - 1 :])))
