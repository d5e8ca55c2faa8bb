"""A training on disk: stopped at any moment, even by kill -9, it goes on later to the same weights, bit for bit.

One safetensors file holds all that changes (weights, heads, moments) and, as JSON in its header, the position,
whose run it is, and a hash of all of it: a bit that flipped on the disk is found. It replaces its predecessor in one
rename, after it has reached the disk.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from realign.cache import draft_of
from realign.score import Advance
from selector.errors import InputError, RunError

FORMAT = 3
START_ANEW = "delete it to start anew"


class Training(Protocol):
    """What takes its steps one by one, and is the same from any of them on: all else follows from how it was made."""

    steps: int

    @property
    def position(self) -> int:
        """Steps taken."""
        ...

    @property
    def micro(self) -> int:
        """Most sentences in one pass: less after the device had no room for more."""
        ...

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """What has weights that change, by name."""
        ...

    @property
    def optimizers(self) -> Mapping[str, Optimizer]: ...

    def step(self) -> None: ...

    def resume(self, position: int, micro: int) -> None:
        """Go on as after `position` steps, with the weights and moments that were put in."""
        ...

    def look(self) -> None:
        """RunError where a loss since the last look was not a number: nothing after it is worth keeping."""
        ...

    def finish(self) -> None:
        """After the last step."""
        ...


def save(file: Path, training: Training, run: str) -> None:
    """Write the state of a training. `run` names everything it follows from (a signature). RunError: no room."""
    about: dict[str, Any] = {"format": FORMAT, "run": run, "position": training.position, "micro": training.micro}
    tensors = _tensors(training)
    about["sha256"] = _digest(about, tensors)
    try:
        with draft_of(file) as draft:
            save_file(tensors, draft, metadata={"realingo": json.dumps(about)})
    except (OSError, SafetensorError) as problem:
        raise RunError(f"cannot write the checkpoint {file}: {problem}", "free some disk space") from problem


def load(file: Path, training: Training, run: str) -> None:
    """Put a state into a training that was made with the same arguments. InputError: damaged, or another run's."""
    try:
        with safe_open(file, framework="pt") as stored:
            about = json.loads((stored.metadata() or {})["realingo"])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        form, owner, digest = about["format"], about["run"], about.get("sha256")
    except (OSError, SafetensorError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as problem:
        raise InputError(f"the checkpoint {file} cannot be read: {problem}", START_ANEW) from problem
    if form == FORMAT and digest != _digest(about, tensors):
        raise InputError(f"the checkpoint {file} is damaged: it is not what was written", START_ANEW)
    if (form, owner) != (FORMAT, run):
        raise InputError(f"the checkpoint {file} belongs to another run: model, data or settings differ", START_ANEW)
    _restore(training, tensors)
    training.resume(about["position"], about["micro"])


def complete(training: Training, file: Path, run: str, every: float = 300.0, advance: Advance | None = None) -> None:
    """Take all steps that are left, going on from `file` if it is there; a checkpoint each `every` seconds, and last.

    The file stays, so that the caller can delete it once the result is safe.
    """
    if file.exists():
        load(file, training, run)
    saved = time.monotonic()
    while training.position < training.steps:
        training.step()
        if time.monotonic() - saved >= every:
            training.look()
            save(file, training, run)
            saved = time.monotonic()
        if advance:
            advance("realigning", training.position, training.steps)
    training.look()
    save(file, training, run)
    training.finish()


def _tensors(training: Training) -> dict[str, Tensor]:
    """Everything that changes, as <module>.<name> and <optimizer>.<number>.<name>."""
    tensors: dict[str, Tensor] = {}
    for part, module in training.modules.items():
        tensors |= {f"{part}.{name}": weight for name, weight in module.state_dict().items()}
    for part, optimizer in training.optimizers.items():
        for number, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"{part}.{number}.{name}": moment for name, moment in moments.items()}
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def _digest(about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Of every byte of the tensors, their names, types and shapes, and what is said of them."""
    rest = {key: value for key, value in about.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _restore(training: Training, tensors: Mapping[str, Tensor]) -> None:
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = tensor
    with torch.no_grad():
        for part, module in training.modules.items():
            module.load_state_dict(parts.get(part, {}))
    for part, optimizer in training.optimizers.items():
        moments: dict[int, dict[str, Any]] = {}
        for name, tensor in parts.get(part, {}).items():
            number, _, key = name.partition(".")
            moments.setdefault(int(number), {})[key] = tensor
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
