"""The time of each phase of one candidate at the paper's size, and of many small candidates at once.

Random weights and random text of the real shapes: speed depends on neither. Sizes follow arXiv 2511.06497: 24,544 steps
of 16 pairs of about 40 sub-words, 12,544 English sentences for 5 epochs in batches of 32, 54 languages of 1,000
sentences. Each phase is timed on a part of its steps (`--share`) after some to warm up, and its whole time follows.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel, XLMRobertaConfig, XLMRobertaModel

from realign.encoder import packed
from realign.encoder.ragged import Table, first_subwords
from realign.score import Fidelity
from realign.tasks.base import FineTuning, Lessons, Tuner, states_of
from realign.training.encoded_pairs import EncodedPairs
from realign.training.realigner import Realigner
from realign.training.settings import Realignment
from realign.training.word_alignment import Linked
from search.bench import side_by_side

WARM = 10  # steps before the clock starts
TAGS = 17  # parts of speech
PAD = 1


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
    beside: tuple[int, ...] = (1, 4, 16, 64)  # small candidates at once
    beside_steps: int = 100


TINY = Size(40, 4, 2, 8, 960, 1, 2, 64, 500, 32, 2, 2, (1, 3), 12)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="a size that a CPU finishes in seconds")
    parser.add_argument("--share", type=float, default=0.05, help="of each phase's steps to take")
    parser.add_argument("--compile", action="store_true", help="the blocks by torch.compile, shapes dynamic")
    parser.add_argument("--trace", help="write a Chrome trace of some realignment steps to this file")
    given = parser.parse_args()
    if given.compile:
        packed._block = torch.compile(packed._block, dynamic=True)
    size = TINY if given.tiny else Size()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rate = matmul_rate(device, 256 if given.tiny else 8192)
    phases = candidate(size, device, 1.0 if given.tiny else given.share, rate, given.trace)
    document = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "versions": {"torch": torch.__version__},
        "compiled": given.compile,
        "size": asdict(size),
        "matmul_flops_per_second": rate,
        "phases": phases,
        "whole_candidate_seconds": sum(phase["seconds"] for phase in phases),
        "small_candidates": [beside(size, count, device) for count in size.beside],
    }
    print(json.dumps(document, indent=1))


def candidate(size: Size, device: torch.device, share: float, rate: float, trace: str | None) -> list[dict[str, Any]]:
    """Realignment, fine-tuning and evaluation of one XLM-R-base."""
    chance = np.random.default_rng(0)
    model = encoder(size).to(device)
    weights = sum(p.numel() for name, p in model.encoder.named_parameters() if p.dim() == 2)
    how = Realignment(batch=size.batch, lr=7.5e-6, deterministic=False)
    pairs = {f"{number:03}": parallel(size, chance) for number in range(size.languages)}
    realigner = Realigner(model, pairs, how, size.steps, 0)
    steps = taken(size.steps, share)
    phases = [phase("realign", realigner.step, steps, size.steps, 6 * weights * 2 * size.batch * size.tokens, rate)]
    if trace:
        traced(realigner.step, trace)
    realigner.finish()

    text = table(size.sentences, size, chance)
    tuner = Tuner(model, lessons(text), FineTuning(lr=2e-5), size.epochs * size.sentences // 32, 0)
    tuner.begin()
    whole = size.epochs * size.sentences // 32
    tokens = 32 * float(text.length.float().mean())
    phases.append(phase("fine-tune", tuner.step, min(whole, taken(whole, share)), whole, 6 * weights * tokens, rate))
    tuner.finish()

    asked = table(size.targets * size.evaluated, size, chance)
    read = evaluation(model, tuner.head, asked)
    phases.append(phase("evaluate", read, 2, 1, 2 * weights * float(asked.length.sum()), rate, warm=1))
    return phases


def phase(
    name: str, step: Callable[[], object], steps: int, whole: int, flops: float, rate: float, warm: int = WARM
) -> dict[str, Any]:
    """flops: of one step's matrix products, on the tokens alone, without the attention's own."""
    warm = min(warm, steps - 1)
    for _ in range(warm):
        step()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    left = steps - warm
    seconds = timed(step, left) / left
    memory = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else None
    return {
        "phase": name,
        "seconds": seconds * whole,
        "steps": whole,
        "ms_a_step": 1e3 * seconds,
        "share_of_matmul_rate": flops / seconds / rate,
        "memory_gib": memory,
    }


def beside(size: Size, count: int, device: torch.device) -> dict[str, Any]:
    """Seconds a candidate when `count` small ones (the embedded world's encoder) are trained at once."""
    chance = np.random.default_rng(1)
    small = replace(size, vocabulary=min(6_000, size.vocabulary), tokens=9)
    config = BertConfig(
        vocab_size=small.vocabulary,
        hidden_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=384,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=128,
    )
    model = BertModel(config).to(device)
    pairs = {f"{number:03}": parallel(small, chance, 400) for number in range(4)}
    runs = [side_by_side.Run(pairs, seed) for seed in range(count)]
    how, task = Realignment(), Alone(lessons(table(1_000, small, chance)))

    def train(steps: int) -> None:
        list(side_by_side.train(model, runs, how, task, Fidelity(how.batch * steps, steps, 0)))

    train(WARM)
    seconds = timed(lambda: train(size.beside_steps), 1)
    return {"at_once": count, "room_for": side_by_side.room(model, how), "seconds_a_candidate": seconds / count}


class Alone:
    """A task that is only trained on."""

    def __init__(self, lessons: Lessons) -> None:
        self.facts: Mapping[str, Any] = {}
        self._lessons = lessons

    def tuner(self, model: nn.Module, steps: int, seed: int) -> Tuner:
        return Tuner(model, self._lessons, FineTuning(), steps, seed)

    def finetune(self, model: nn.Module, steps: int, seed: int) -> None:
        raise NotImplementedError

    def evaluate(self, *_: Any, **__: Any) -> dict[str, Any]:
        raise NotImplementedError


def encoder(size: Size) -> Any:
    torch.manual_seed(0)
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
        )
    )


def table(sentences: int, size: Size, chance: np.random.Generator) -> Table:
    """Random text: words of one or two sub-words, sentences of gamma-distributed length."""
    lengths = np.clip(chance.gamma(6.0, (size.tokens - 2) / 6.0, sentences), 2, 94).astype(int)
    ids = [[0, *chance.integers(5, size.vocabulary, length), 2] for length in lengths]
    words = [[-1, *np.cumsum(chance.random(length) < 0.7), -1] for length in lengths]
    return Table.pack(ids, words, PAD)


def parallel(size: Size, chance: np.random.Generator, pairs: int = 0) -> EncodedPairs:
    count = pairs or min(2_500, -(-size.steps * size.batch // size.languages))
    return EncodedPairs(table(count, size, chance), table(count, size, chance), Linked.of([]))


def lessons(text: Table) -> Lessons:
    def gold(_: np.ndarray, word: Tensor) -> Tensor:
        return torch.zeros(int(first_subwords(word).sum()), dtype=torch.long)

    return Lessons(text, TAGS, first_subwords, lambda states, word: states[first_subwords(word)], gold)


def evaluation(model: nn.Module, head: nn.Module, text: Table) -> Callable[[], Sequence[Tensor]]:
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


def taken(steps: int, share: float) -> int:
    return max(2 * WARM, round(steps * share))


def matmul_rate(device: torch.device, size: int) -> float:
    """FLOP/s of large products in bf16 (fp32 on a CPU), the best of five."""
    a = torch.randn(size, size, device=device, dtype=torch.bfloat16 if device.type == "cuda" else torch.float32)
    timed(lambda: a @ a, 3)
    return 20 * 2 * size**3 / min(timed(lambda: a @ a, 20) for _ in range(5))


def traced(step: Callable[[], object], file: str) -> None:
    from torch.profiler import profile

    with profile() as seen:
        timed(step, 5)
    seen.export_chrome_trace(file)
    print(seen.key_averages().table(sort_by="self_cuda_time_total", row_limit=25), file=sys.stderr)


if __name__ == "__main__":
    main()
