"""The time of each phase of one candidate at the paper's size, and of many small candidates at once.

Random weights and random text of the real shapes: speed depends on neither. Sizes follow arXiv 2511.06497: 24,544 steps
of 16 pairs of about 40 sub-words, 12,544 English sentences for 5 epochs in batches of 32, 54 languages of 1,000
sentences. Each phase is timed on a part of its steps (`--share`) after some to warm up, and its whole time follows.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import XLMRobertaConfig, XLMRobertaModel

from realign.encoder import packed
from realign.encoder.ragged import RaggedTable, first_subwords
from realign.encoder.used_rows import narrow
from realign.tasks.side_by_side import TuneSteps
from realign.tasks.transfer_task import FineTuning, TrainingSet, Tuner, states_of
from realign.training.encoded_pairs import EncodedPairs
from realign.training.realigner import Realigner, vocabularies
from realign.training.settings import Realignment
from realign.training.stacked_steps import CandidateRun, RealignSteps
from realign.training.stacked_weights import StackedWeights
from realign.training.word_alignment import WordLinks

TAGS = 17  # parts of speech
PAD = 1
USED = 50_000  # sub-words of the vocabulary that text of 40 languages uses


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    steps: int = 24_544  # of realignment
    batch: int = 16  # pairs
    languages: int = 40  # realigned on
    tokens: int = 40  # of a sentence, on average
    sentences: int = 12_544  # of fine-tuning
    epochs: int = 5
    targets: int = 54
    evaluated: int = 1_000  # sentences of each target
    vocabulary: int = 250_002
    width: int = 768
    layers: int = 12
    heads: int = 12
    timed: int = 300  # steps, of graphs; a quarter of them otherwise


TINY = Size(40, 4, 2, 8, 960, 1, 2, 64, 500, 32, 2, 2, 6)


def run(device: torch.device, tiny: bool, trace: Path | None, until: float, first: int = 0) -> dict[str, Any]:
    """Every way through each phase from number `first` on, as far as time allows; the others are not in the answer."""
    size = TINY if tiny else Size()
    ceiling = {
        "matmul_flops_per_second": matmul_rate(device, 256 if tiny else 8192),
        "bytes_per_second": copy_rate(device, tiny),
    }
    print(ceiling, flush=True)
    study = Study(size, device)
    rows: list[dict[str, Any]] = []
    for way in WAYS[first:]:
        if time.monotonic() > until:
            break
        try:
            found = study.measure(way, ceiling, trace if way.name == "sentences, graphs, dropout" else None)
            rows += found
        except Exception as problem:  # one way that does not run must not cost the others
            rows.append({"way": way.name, "error": f"{type(problem).__name__}: {problem}"[:400]})
            found = rows[-1:]
        for row in found:
            print(json.dumps(row), flush=True)
    return {"size": asdict(size), **ceiling, "rows": rows}


@dataclass(frozen=True)
class Way:
    """How a phase is computed."""

    name: str
    sentences: bool  # by FlashAttention over sentences, whole numbers sent ahead; else as `Realigner` and `Tuner` do
    graphs: bool = False
    compiled: bool = False
    dropout: float = 0.1
    deterministic: bool = False


WAYS = (
    Way("as it is", False),
    Way("sentences, graphs, dropout", True, True),
    Way("sentences, graphs, compiled, dropout", True, True, True),
    Way("sentences, graphs, no dropout", True, True, dropout=0.0),
    Way("sentences, graphs, compiled, no dropout", True, True, True, 0.0),
    Way("sentences, dropout", True),
    Way("as it is, no dropout", False, dropout=0.0),
    Way("as it is, deterministic", False, deterministic=True),
)


class Study:
    """Random text of the real shapes, made once."""

    def __init__(self, size: Size, device: torch.device) -> None:
        chance = np.random.default_rng(0)
        self.size, self.device = size, device
        self.pairs = {f"{number:03}": parallel(size, chance) for number in range(size.languages)}
        self.text, self.asked = table(size.sentences, size, chance), table(size.targets * size.evaluated, size, chance)

    def measure(self, way: Way, ceiling: Mapping[str, float], trace: Path | None) -> list[dict[str, Any]]:
        size, device = self.size, self.device
        whole = size.epochs * size.sentences // 32
        model = encoder(size, way.dropout).to(device)
        weights = sum(p.numel() for name, p in model.encoder.named_parameters() if p.dim() == 2)
        how = Realignment(batch=size.batch, lr=7.5e-6, deterministic=way.deterministic)
        plain = packed._block, packed._feed_forward
        if way.compiled:
            packed._block = torch.compile(packed._block, dynamic=True)
        try:
            step, finish = self._realigning(model, how, way)
            tokens = (
                2 * size.batch * float(np.mean([float(x.source.length.float().mean()) for x in self.pairs.values()]))
            )
            rows = [phase(way.name, "realign", step, size.steps, tokens, weights, ceiling, self.size.timed)]
            if trace:
                traced(step, trace)
            finish()
            model = encoder(size, way.dropout).to(device)
            step, finish = self._tuning(model, whole, way)
            tokens = 32 * float(self.text.length.float().mean())
            rows.append(
                phase(way.name, "fine-tune", step, whole, tokens, weights, ceiling, min(whole - 2, self.size.timed))
            )
            finish()
        finally:
            packed._block, packed._feed_forward = plain
        if way.name == "as it is":
            read = evaluation(model, nn.Linear(size.width, TAGS).to(device), self.asked)
            rows.append(
                phase(way.name, "evaluate", read, 1, float(self.asked.length.sum()), weights, ceiling, 1, trained=False)
            )
        return rows

    def _realigning(self, model: Any, how: Realignment, way: Way) -> tuple[Callable[[], object], Callable[[], None]]:
        if not way.sentences:
            realigner = Realigner(model, self.pairs, how, self.size.steps, 0)
            return realigner.step, realigner.finish
        narrow(model, vocabularies(self.pairs))
        phase = RealignSteps(
            StackedWeights(model.train(), None), [CandidateRun(self.pairs, 0)], how, self.size.steps, way.graphs
        )
        return lambda: phase.take(phase.taken + 1), phase.finish

    def _tuning(self, model: Any, steps: int, way: Way) -> tuple[Callable[[], object], Callable[[], None]]:
        tuner = Tuner(model, lessons(self.text), FineTuning(batch=32, lr=2e-5), steps, 0)
        if not way.sentences:
            tuner.begin()
            return tuner.step, tuner.finish
        narrow(model, [tuner.vocabulary])
        phase = TuneSteps(StackedWeights(model.train(), None), [tuner], steps, way.graphs)
        return lambda: phase.take(phase.taken + 1), phase.finish


def phase(
    way: str,
    name: str,
    step: Callable[[], object],
    whole: int,
    tokens: float,
    weights: int,
    ceiling: Mapping[str, float],
    steps: int,
    trained: bool = True,
) -> dict[str, Any]:
    """`steps` timed after as many to warm up; the floor is matrix products and AdamW's traffic, added.

    tokens: of a step; weights: of the blocks' matrices. The attention's own products are not counted.
    """
    cuda = torch.cuda.is_available()
    steps = steps if "graphs" in way else max(1, steps // 4)
    for _ in range(max(1, steps // 2) if trained else 1):
        step()
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    seconds = timed(step, steps) / steps
    flops = (6 if trained else 2) * weights * tokens
    floor = flops / ceiling["matmul_flops_per_second"] + (
        28.0 * weights / ceiling["bytes_per_second"] if trained else 0.0
    )
    return {
        "way": way,
        "phase": name,
        "seconds": seconds * whole,
        "steps": whole,
        "ms_a_step": 1e3 * seconds,
        "floor_ms": 1e3 * floor,
        "share_of_matmul_rate": flops / seconds / ceiling["matmul_flops_per_second"],
        "memory_gib": torch.cuda.max_memory_allocated() / 2**30 if cuda else None,
    }


def encoder(size: Size, dropout: float) -> Any:
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        return XLMRobertaModel(
            XLMRobertaConfig(
                vocab_size=size.vocabulary,
                hidden_size=size.width,
                num_hidden_layers=size.layers,
                num_attention_heads=size.heads,
                intermediate_size=4 * size.width,
                max_position_embeddings=514,
                type_vocab_size=1,
                layer_norm_eps=1e-5,
                hidden_dropout_prob=dropout,
                attention_probs_dropout_prob=dropout,
            )
        )


def table(sentences: int, size: Size, chance: np.random.Generator) -> RaggedTable:
    """Random text: words of one or two sub-words, sentences of gamma-distributed length."""
    lengths = np.clip(chance.gamma(6.0, (size.tokens - 2) / 6.0, sentences), 2, 94).astype(np.int64) + 2
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = chance.integers(5, min(size.vocabulary, USED), offsets[-1]).astype(np.int32)
    begins = chance.random(offsets[-1]) < 0.7
    begins[offsets[:-1] + 1] = True
    count = np.cumsum(begins)
    word = (count - np.repeat(count[offsets[:-1] + 1], lengths)).astype(np.int16)
    for end, number in ((offsets[:-1], 0), (offsets[1:] - 1, 2)):
        ids[end], word[end] = number, -1
    return RaggedTable(ids, word, offsets, PAD)


def parallel(size: Size, chance: np.random.Generator, pairs: int = 0) -> EncodedPairs:
    count = pairs or min(2_500, -(-size.steps * size.batch // size.languages))
    return EncodedPairs(table(count, size, chance), table(count, size, chance), WordLinks.of([]))


def lessons(text: RaggedTable) -> TrainingSet:
    def gold(_: np.ndarray, word: Tensor) -> Tensor:
        return torch.zeros(int(first_subwords(word).sum()), dtype=torch.long)

    return TrainingSet(text, TAGS, first_subwords, lambda states, word: states[first_subwords(word)], gold)


def evaluation(model: nn.Module, head: nn.Module, text: RaggedTable) -> Callable[[], Sequence[Tensor]]:
    @torch.inference_mode()
    def read() -> Sequence[Tensor]:
        with torch.autocast(next(model.parameters()).device.type, torch.bfloat16):
            found = states_of(model, text, first_subwords)
            return [head(states[first_subwords(word)]).argmax(1) for _, word, states in found]

    return read


def timed(step: Callable[[], object], times: int) -> float:
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    wait()
    began = time.perf_counter()
    for _ in range(times):
        step()
    wait()
    return time.perf_counter() - began


def matmul_rate(device: torch.device, size: int) -> float:
    """FLOP/s of large products in bf16 (fp32 on a CPU), the best of five."""
    a = torch.randn(size, size, device=device, dtype=torch.bfloat16 if device.type == "cuda" else torch.float32)
    timed(lambda: a @ a, 3)
    return 20 * 2 * size**3 / min(timed(lambda: a @ a, 20) for _ in range(5))


def copy_rate(device: torch.device, tiny: bool) -> float:
    """Bytes a second of a large copy on the device, read and written."""
    a = torch.empty(2**20 if tiny else 2**31, device=device, dtype=torch.uint8)
    b = torch.empty_like(a)
    timed(lambda: b.copy_(a), 3)
    return 10 * 2 * len(a) / min(timed(lambda: b.copy_(a), 10) for _ in range(3))


def traced(step: Callable[[], object], file: Path) -> None:
    """A Chrome trace of three steps, and beside it the kernels by their time."""
    from torch.profiler import profile

    with profile() as seen:
        timed(step, 3)
    seen.export_chrome_trace(str(file))
    by = "self_cuda_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
    file.with_suffix(".txt").write_text(seen.key_averages().table(sort_by=by, row_limit=40))
