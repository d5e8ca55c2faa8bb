"""What each way of realigning is worth in the embedded world: losses, aligners, frozen layers, LoRA, order.

python studies/realign-variants/study.py [WORKERS]     (prints the tables, writes scores.json beside it)

One subset of four diverse languages, five seeds, development splits; only the settings of [realign] differ. What was
measured is kept in the score cache: run again, it continues.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from realign.corpora.word_links import ByDictionary
from realign.encoder.encoder import Encoder
from realign.training.settings import Realignment
from realign.training.word_alignment import aligner, alignment_error_rate
from realign.world.world import World
from realign.world.world_encoder import world_encoder
from search import terminal
from search.backends import registry as backends
from search.backends.batch import Bench
from search.bench import benchmarks as bench
from search.config.schema import StudyFile, check
from search.config.study_config import resolve_study
from search.interrupts import Interrupts
from selector.languages.language import parse, parse_pool
from selector.languages.subset import Subset

HERE = Path(__file__).parent
SEEDS = 5
DIVERSE = Subset.of(parse(code) for code in ("fin", "hin", "swh", "tur"))
WORD = {"loss": "word", "aligner": "gold"}
VARIANTS: dict[str, dict[str, Any]] = {
    "sentence": {"loss": "sentence"},
    "sentence, penultimate layer": {"loss": "sentence", "layer": -2},
    "sentence, reference's prefix mean": {"loss": "sentence", "pooling": "reference-prefix"},
    "word, gold": WORD,
    "word, gold, first sub-word": {**WORD, "pooling": "first"},
    "word, gold, other side's negatives only": {**WORD, "negatives": "cross"},
    "word, gold, no projection": {**WORD, "projection": False},
    "word, gold, anchor 0.01": {**WORD, "anchor": 0.01},
    "word, mutual": {"loss": "word", "aligner": "mutual"},
    "word, itermax": {"loss": "word", "aligner": "itermax"},
    "word, dictionary": {"loss": "word", "aligner": "dictionary", "dictionary": "dictionary"},
    "word, gold, lower half frozen": {**WORD, "freeze": "lower"},
    "word, gold, upper half frozen": {**WORD, "freeze": "upper"},
    "word, gold, LoRA rank 8": {**WORD, "lora": {"rank": 8}},
    "word, gold, LoRA rank 8, lr 1e-2": {**WORD, "lora": {"rank": 8}, "lr": 1e-2},
    "word, gold, during": {**WORD, "order": "during"},
}


def main(workers: int) -> None:
    world = World()
    write_dictionaries(world)
    rows = {"none": measured("none", Subset(), {}, workers)}
    rows |= {name: measured(name, DIVERSE, settings, workers) for name, settings in VARIANTS.items()}
    (HERE / "scores.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(scores_table(rows), error_table(world), sep="\n")


def write_dictionaries(world: World) -> None:
    """A bilingual dictionary in MUSE form for each language: word pairs linked in the development sentences."""
    for language in (each.code for each in parse_pool("world") if each.code != "eng"):
        linked = ((pair, link) for pair in world.pairs(language, "dev") for link in pair.links or ())
        entries = sorted({f"{pair.source[i]} {pair.target[j]}" for pair, (i, j) in linked})
        file = HERE / "dictionary" / f"eng-{language}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join(entries) + "\n", encoding="utf-8")


def measured(name: str, subset: Subset, settings: Mapping[str, Any], workers: int) -> dict[str, list[float]]:
    """Accuracy by seed, averaged over members, the rest of the pool, and the held-out languages."""
    document = {**bench.WORLD, "name": "variants", "realign": {"steps": 100, "batch": 16, "lr": 1e-3, **settings}}
    path = HERE / "study.toml"
    config = resolve_study(path, check(StudyFile, path, document))
    view = backends.View(config.core, config.scope, tuple(sorted((*config.pool, *config.held_out))), "dev")
    with terminal.progress() as advance, Interrupts() as interrupts:
        runner = Bench("process" if workers > 1 else "inline", workers, advance, interrupts)
        scores = runner.measure(name, view, [(subset, seed) for seed in range(SEEDS)])
    inside = set(DIVERSE.codes)
    groups = {
        "members": sorted(inside),
        "other pool languages": [each.code for each in config.pool if each.code not in inside],
        "held out": [each.code for each in config.held_out],
    }
    runs = [scores[subset, seed].per_language for seed in range(SEEDS)]
    return {group: [statistics.mean(run[code] for code in codes) for run in runs] for group, codes in groups.items()}


def scores_table(rows: Mapping[str, Mapping[str, list[float]]]) -> str:
    lines = [f"| realignment | {' | '.join(rows['none'])} |", "|---|" + "---|" * len(rows["none"])]
    for name, groups in rows.items():
        cells = [f"{100 * statistics.mean(runs):.1f} ± {100 * statistics.stdev(runs):.1f}" for runs in groups.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def error_table(world: World) -> str:
    """Alignment error rate of each aligner on the training pairs, against the world's gold links."""
    encoder = world_encoder()
    lines = ["| aligner | " + " | ".join(DIVERSE.codes) + " |", "|---|" + "---|" * len(DIVERSE.codes)]
    for name in ("mutual", "itermax"):
        for layer in (0, 1, -1):
            how = Realignment(loss="word", aligner=name, layer=layer)  # type: ignore[arg-type]
            rates = [error_rate(world, encoder, how, language) for language in DIVERSE.codes]
            lines.append(f"| {name}, layer {layer} | " + " | ".join(f"{rate:.3f}" for rate in rates) + " |")
    linked = ByDictionary(world, HERE / "dictionary")
    rates = [
        alignment_error_rate(
            [pair.links or () for pair in linked.pairs(language, "train")],
            [pair.links or () for pair in world.pairs(language, "train")],
        )
        for language in DIVERSE.codes
    ]
    lines.append("| dictionary | " + " | ".join(f"{rate:.3f}" for rate in rates) + " |")
    return "\n".join(lines) + "\n"


def error_rate(world: World, encoder: Encoder, how: Realignment, language: str) -> float:
    pairs = world.pairs(language, "train")
    source, target = (encoder.encode([getattr(pair, side) for pair in pairs], 64) for side in ("source", "target"))
    return alignment_error_rate(
        aligner(how, encoder)(language, pairs, source, target), [pair.links or () for pair in pairs]
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
