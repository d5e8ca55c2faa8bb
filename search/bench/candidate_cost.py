"""`bench core`: what one candidate costs, the plain way and ours. Same encoder, data, seeds and steps, in one run.

    plain   naive_trainer.py: one candidate at a time on the Trainer of transformers
    solo    the evaluator of the search
    many    several candidates trained side by side (side_by_side.py)
    merge   language vectors averaged, once they are there (realign/merging/merger.py)
    short   a quarter of everything

On a CPU seconds are processor time, so that other programs disturb less; on a GPU they are wall-clock time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from realign.encoder.encoder import Encoder
from realign.encoder.hidden_states import net_of
from realign.realign_and_transfer import RealignAndTransfer
from realign.score import Fidelity, Merging
from realign.tasks import side_by_side
from realign.tasks.tagging import Tagging
from realign.tasks.transfer_task import FineTuning
from realign.training.encoded_pairs import PairStore
from realign.training.settings import Realignment
from realign.training.stacked_steps import CandidateRun
from realign.world.world import World
from realign.world.world_encoder import world_encoder
from search import terminal
from search.results.json_reader import Json
from selector.errors import InputError
from selector.languages.language import parse
from selector.languages.subset import Subset

POOL = ("deu", "fin", "hin", "rus", "swh", "tur")  # subsets are of these: few, so that few vectors are made first
SIZE = 4  # languages of a subset
BESIDE = 4  # candidates trained side by side
HOW = Realignment(loss="word", aligner="gold")
TUNING = FineTuning(batch=32)
FULL = Fidelity(pairs=800, steps=50, examples=50)  # the quickstart's
SHORT = FULL.share(0.25, 0.25, 0.25)
MERGED = replace(FULL.share(1, 1, 0.25), merging=Merging("average", scale=2.0))
MATRIX = 1024  # of the product that the machine's rate is measured with


@dataclass(frozen=True)
class Setup:
    """The encoder and data that all ways share."""

    world: World
    encoder: Encoder
    task: Tagging
    targets: tuple[str, ...]
    evaluator: RealignAndTransfer
    pairs: PairStore
    device: torch.device

    @classmethod
    def built(cls) -> Setup:
        world = World()
        encoder = world_encoder()
        task = Tagging(encoder, world, "eng", TUNING)
        targets = tuple(code for code in sorted(world.languages) if code != "eng")
        evaluator = RealignAndTransfer(encoder, world, task, targets, "dev", HOW, POOL)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return cls(world, encoder, task, targets, evaluator, PairStore(encoder, world, HOW), device)


def core(seeds: int, workers: int) -> Json:
    """One round for each seed, each way in each round; `workers` changes nothing: one candidate at a time."""
    plain = _plain()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with terminal.progress() as advance:
            stage = Setup.built()
            ways = _ways(stage, plain)
            for way in ways.values():  # caches filled, vectors made
                way(seeds)
            spent: dict[str, list[float]] = {name: [] for name in ways}
            for seed in range(seeds):
                for name, way in ways.items():
                    spent[name].append(_seconds(stage.device, way, seed))
                    advance("bench core", seed * len(ways) + len(spent[name]), seeds * len(ways))
            share = _count_flops(stage) / statistics.median(spent["solo"]) / _matmul_rate(stage.device)
    finally:
        torch.set_num_threads(threads)
    spent["many"] = [each / BESIDE for each in spent["many"]]
    rows = [_row(name, times, spent["plain"]) for name, times in spent.items()]
    return {"rows": rows, "matmul_share": share, "threads": 1, "device": _device_name(stage.device), "rounds": seeds}


def _ways(stage: Setup, plain: Callable[[Setup, Subset, int], object]) -> dict[str, Callable[[int], object]]:
    def scored(fidelity: Fidelity) -> Callable[[int], object]:
        return lambda seed: stage.evaluator(_subset(seed), fidelity, seed)

    return {
        "plain": lambda seed: plain(stage, _subset(seed), seed),
        "solo": scored(FULL),
        "many": lambda seed: _many(stage, seed),
        "merge": lambda seed: stage.evaluator(_subset(seed), MERGED, 0),  # always the vectors of one seed
        "short": scored(SHORT),
    }


def _plain() -> Callable[[Setup, Subset, int], object]:
    try:
        import accelerate  # noqa: F401
    except ImportError as problem:
        message = "the plain way needs the package accelerate"
        raise InputError(message, "install it: pip install accelerate") from problem
    from search.bench import naive_trainer as plain

    def score(stage: Setup, subset: Subset, seed: int) -> float:
        setting = plain.Setting(stage.encoder.origin, stage.world, stage.targets, HOW, TUNING, FULL)
        return plain.score(setting, subset.codes, seed)

    return score


def _many(stage: Setup, seed: int) -> list[object]:
    runs = [
        CandidateRun({code: stage.pairs.of(code) for code in _subset(number).codes}, number)
        for number in range(seed, seed + BESIDE)
    ]
    model = stage.encoder.copy().to(stage.device)
    trained = side_by_side.train(model, runs, HOW, stage.task, FULL)
    return [stage.task.evaluate(*each, stage.targets, "dev", FULL.examples) for each in trained]


def _subset(seed: int) -> Subset:
    chosen = np.random.default_rng([seed, SIZE]).choice(POOL, SIZE, replace=False)
    return Subset.of(parse(str(code)) for code in chosen)


def _seconds(device: torch.device, way: Callable[[int], object], seed: int) -> float:
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    began = clock()
    way(seed)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - began


def _row(name: str, times: list[float], plain: list[float]) -> Json:
    """The ratio is that of the medians; its spread is over the rounds, each against the plain way in the same round."""
    ratios = [slow / fast for slow, fast in zip(plain, times, strict=True)]
    median = statistics.median(times)
    return {
        "name": name,
        "seconds_per_candidate": median,
        "ratio_to_plain": statistics.median(plain) / median,
        "spread": [min(ratios), max(ratios)],
        "candidates_per_hour": 3600 / median,
    }


def _count_flops(stage: Setup) -> float:
    """Count the matrix products of one evaluation, on its tokens alone; a backward pass is two forward passes.

    Attention's own products are left out (small), and what the last block saves is not taken off.
    """
    net = net_of(stage.encoder.model)
    assert net is not None
    weights = sum(x[0].numel() for b in net.blocks for x in (b.query, b.key, b.value, b.output, b.up, b.down))
    pairs = [stage.pairs.of(code) for code in _subset(0).codes]
    lengths = [float(side.length.float().mean()) for each in pairs for side in (each.source, each.target)]
    sentence = statistics.mean(lengths)
    taught = stage.encoder.encode([x.words for x in stage.world.sentences("eng", "train")], TUNING.max_length)
    asked = [x.words for code in stage.targets for x in stage.world.sentences(code, "dev")[: FULL.examples]]
    read = float(stage.encoder.encode(asked, TUNING.max_length).length.sum())
    learnt = 2 * FULL.pairs * sentence + TUNING.batch * FULL.steps * float(taught.length.float().mean())
    return 2 * weights * (3 * learnt + read)


def _matmul_rate(device: torch.device) -> float:
    """FLOP/s of one large product in the precision that training uses here; the best of some."""
    kind = torch.bfloat16 if device.type == "cuda" else torch.float32
    size = MATRIX if device.type == "cpu" else 8 * MATRIX
    a = torch.randn(size, size, device=device, dtype=kind)
    seconds = min(_seconds(device, lambda _: [a @ a for _ in range(5)], 0) for _ in range(6))
    return 5 * 2 * size**3 / seconds


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name() if device.type == "cuda" else "cpu"


def render(document: Json) -> Any:
    rows = [
        [
            row["name"],
            f"{row['seconds_per_candidate']:.2f}",
            f"{row['candidates_per_hour']:.0f}",
            f"{row['ratio_to_plain']:.1f}",
            f"{row['spread'][0]:.1f} to {row['spread'][1]:.1f}",
        ]
        for row in document["rows"]
    ]
    title = (
        f"One candidate on {document['device']}, {document['threads']} thread; matrix products of solo run at "
        f"{100 * document['matmul_share']:.0f} % of the machine's rate for large ones, all of its time counted"
    )
    columns = ["way", "seconds", "an hour", "times plain", f"over {document['rounds']} rounds"]
    return terminal.table(title, columns, rows, tuple(columns[1:]))
