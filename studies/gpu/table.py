"""Many subsets of real languages, trained and evaluated side by side on one GPU: the scores on every language."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from realign.encoder.hidden_states import net_of
from realign.encoder.packed import Packed, forward
from realign.score import Fidelity
from realign.tasks.side_by_side import train
from realign.tasks.transfer_task import FineTuning, Tuner
from realign.training.settings import Realignment
from realign.training.stacked_steps import CandidateRun, lay_out
from studies.gpu.bundle import Bundle, Split, linked

LINKED = 2000  # sentence pairs of a language, where words are linked


@dataclass(frozen=True)
class Recipe:
    """How every subset is treated."""

    how: Realignment
    tuning: FineTuning
    realign_steps: int
    tune_steps: int
    dropout: float = 0.0  # each candidate draws its own

    @property
    def fidelity(self) -> Fidelity:
        return Fidelity(self.realign_steps * self.how.batch, self.tune_steps, 0)


@dataclass(frozen=True)
class Job:
    """One subset on one seed under a recipe of a name."""

    recipe: str
    codes: tuple[str, ...]
    seed: int


class Task:
    """Tagging from a bundle: fine-tuning alone; `Reader` evaluates."""

    facts: Mapping[str, Any] = {}

    def __init__(self, bundle: Bundle, how: FineTuning) -> None:
        self._lessons, self._how = bundle.lessons, how

    def tuner(self, model: nn.Module, steps: int, seed: int) -> Tuner:
        return Tuner(model, self._lessons, self._how, steps, seed)

    def finetune(self, model: nn.Module, steps: int, seed: int) -> nn.Module:
        raise NotImplementedError

    def evaluate(self, *_: Any, **__: Any) -> dict[str, Any]:
        raise NotImplementedError


class Reader:
    """The sentences of a split, laid out on the device once: an evaluation is a few large passes."""

    def __init__(self, split: Split, device: torch.device, tokens: int = 32_768) -> None:
        self._split, self._device = split, device
        self._model: Any = None
        self._graph: torch.cuda.CUDAGraph | None = None
        table = split.table
        order, batches = np.argsort(table.length.numpy(), kind="stable"), []
        border = np.cumsum(table.length.numpy()[order]) // tokens
        for number in range(int(border[-1]) + 1):
            rows = order[border == number]
            if len(rows):
                batches.append(self._batch(rows))
        self._batches = batches

    def _batch(self, rows: np.ndarray) -> tuple[Packed, Tensor, Tensor]:
        ids, mask, _ = self._split.table.take(rows)
        gold = torch.from_numpy(self._split.gold[rows][:, : ids.shape[1]])
        inputs = lay_out([(ids, mask, gold)], [np.zeros((3, 1), np.int32)])
        laid = torch.from_numpy(inputs.tokens[:, 0]).to(self._device)
        asked = (laid[2] > -100).nonzero()[:, 0]
        sentence = torch.from_numpy(np.repeat(self._split.language[rows].astype(np.int64), mask.sum(1).numpy()))
        packed = Packed(
            laid[0],
            laid[1],
            laid[1],
            None,
            0,
            0,
            inputs.longest,
            asked,
            torch.from_numpy(inputs.borders).to(self._device),
        )
        return packed, laid[2][asked], sentence.to(self._device)[asked]

    def scores(self, model: Any, head: nn.Module) -> np.ndarray:
        """[languages] share of words tagged right. On CUDA the passes are recorded once and replayed on new weights."""
        self._take(model, head)
        if self._device.type != "cuda":
            return self._counted().cpu().numpy() / self._split.words
        if self._graph is None:
            self._counted()
            torch.cuda.synchronize()
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._hits = self._counted()
        self._graph.replay()
        return self._hits.cpu().numpy() / self._split.words

    @torch.no_grad()
    def _take(self, model: Any, head: nn.Module) -> None:
        if self._model is None:
            self._model, self._head = copy.deepcopy(model).eval(), copy.deepcopy(head)
            self._model.set_input_embeddings(copy.deepcopy(model.get_input_embeddings().whole()))
        theirs = dict(model.named_parameters())
        for name, mine in self._model.named_parameters():
            mine.copy_(model.get_input_embeddings().whole().weight if "word_embeddings" in name else theirs[name])
        for mine, other in zip(self._head.parameters(), head.parameters(), strict=True):
            mine.copy_(other)

    @torch.no_grad()
    def _counted(self) -> Tensor:
        net = net_of(self._model)
        assert net is not None
        hits = torch.zeros(len(self._split.languages), device=self._device)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
            for packed, gold, language in self._batches:
                right = self._head(forward(net, packed, len(net.blocks))).argmax(1) == gold
                hits = hits + torch.zeros_like(hits).scatter_add_(0, language, right.float())
        return hits


def run(
    bundle: Bundle,
    recipes: Mapping[str, Recipe],
    jobs: Sequence[Job],
    beside: int,
    device: torch.device,
    out: Path,
    until: float,
    began: int = 0,
) -> dict[str, Any]:
    """Take jobs until none is left or the clock shows `until`; what is done is on disk after every group."""
    readers = {name: Reader(split, device) for name, split in bundle.splits.items()}
    if any(recipes[job.recipe].how.loss == "word" for job in jobs):
        bundle = linked(bundle, LINKED, -1, device)
    done, found, times = [], {name: [] for name in readers}, []
    for group in _groups(jobs, beside):
        if times and time.monotonic() + 1.1 * max(t["seconds"] for t in times[-2:]) > until:
            break
        started = time.monotonic()
        model = with_dropout(copy.deepcopy(bundle.model), recipes[group[0].recipe].dropout).to(device)
        recipe = recipes[group[0].recipe]
        runs = [CandidateRun({code: bundle.pairs[code] for code in job.codes}, job.seed) for job in group]
        trained, spent = 0.0, 0.0
        for trained_model, head in train(model, runs, recipe.how, Task(bundle, recipe.tuning), recipe.fidelity):
            if not trained:
                _wait(device)
                trained = time.monotonic() - started
            assert head is not None
            for name, reader in readers.items():
                found[name].append(reader.scores(trained_model, head))
        spent = time.monotonic() - started
        done += group
        memory = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0.0
        times.append(
            {"recipe": group[0].recipe, "jobs": len(group), "training": trained, "seconds": spent, "gib": memory}
        )
        print(json.dumps(times[-1]), flush=True)
        _save(out, bundle, recipes, done, found, times)
    return {"done": len(done), "of": len(jobs), "times": times}


def with_dropout(model: Any, chance: float) -> Any:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = chance
    return model


def _groups(jobs: Sequence[Job], beside: int) -> Iterator[list[Job]]:
    """Jobs of one recipe, all with or all without languages, at most `beside` of them."""
    group: list[Job] = []
    for job in jobs:
        same = group and (job.recipe, not job.codes) == (group[0].recipe, not group[0].codes)
        if group and (not same or len(group) == beside):
            yield group
            group = []
        group.append(job)
    if group:
        yield group


def _save(
    out: Path, bundle: Bundle, recipes: Mapping[str, Recipe], done: Sequence[Job], found: Any, times: Any
) -> None:
    about = {
        "recipes": {name: asdict(recipe) for name, recipe in recipes.items()},
        "jobs": [[job.recipe, list(job.codes), job.seed] for job in done],
        "languages": {name: split.languages for name, split in bundle.splits.items()},
        "words": {name: split.words.tolist() for name, split in bundle.splits.items()},
        "times": times,
        "torch": torch.__version__,
    }
    part = out.with_suffix(".part.npz")
    np.savez_compressed(
        part, about=np.array(json.dumps(about)), **{k: np.array(v, np.float32) for k, v in found.items()}
    )
    part.replace(out)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
