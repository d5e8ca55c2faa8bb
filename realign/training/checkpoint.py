"""Checkpoint of a training: stopped at any moment, even by kill -9, it continues to the same weights, bit for bit.

One safetensors file holds everything that changes (weights, heads, moments) and, as JSON in its header, the position,
the identity of the run, and a hash of all of it, which detects a bit that flipped on the disk. It replaces its
predecessor in one rename, after it has reached the disk.
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
    """A training in single steps, whose later steps depend only on its arguments and its state."""

    steps: int

    @property
    def position(self) -> int:
        """Number of steps taken."""
        ...

    @property
    def micro(self) -> int:
        """Most sentences in one pass; it becomes less when the device has no room for more."""
        ...

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """Modules whose weights change, by name."""
        ...

    @property
    def optimizers(self) -> Mapping[str, Optimizer]: ...

    def step(self) -> None: ...

    def resume(self, position: int, micro: int) -> None:
        """Continue as after `position` steps, with passes of at most `micro` sentences; weights and moments are
        restored already.
        """
        ...

    def look(self) -> None:
        """Check the losses since the last look.

        RunError: one was not a number, so nothing after it is worth keeping.
        """
        ...

    def finish(self) -> None:
        """Clean up after the last step."""
        ...


def save(file: Path, training: Training, run: str) -> None:
    """Write the state of `training` to `file`. `run` names everything that it depends on (a signature).

    RunError: there is no room on the disk.
    """
    about: dict[str, Any] = {"format": FORMAT, "run": run, "position": training.position, "micro": training.micro}
    tensors = _tensors(training)
    about["sha256"] = _digest(about, tensors)
    try:
        with draft_of(file) as draft:
            save_file(tensors, draft, metadata={"realingo": json.dumps(about)})
    except (OSError, SafetensorError) as problem:
        raise RunError(f"cannot write the checkpoint {file}: {problem}", "free some disk space") from problem


def load(file: Path, training: Training, run: str) -> None:
    """Restore the state in `file` into a `training` made with the same arguments.

    InputError: the file is damaged, or belongs to another run than `run`.
    """
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


def finish_training(
    training: Training, file: Path, run: str, every: float = 300.0, advance: Advance | None = None
) -> None:
    """Take all steps that are left, from the state in `file` if it exists; save every `every` seconds and at the end.

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
    """Tensors that change, as <module>.<name> and <optimizer>.<number>.<name>."""
    tensors: dict[str, Tensor] = {}
    for part, module in training.modules.items():
        tensors |= {f"{part}.{name}": weight for name, weight in module.state_dict().items()}
    for part, optimizer in training.optimizers.items():
        for number, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"{part}.{number}.{name}": moment for name, moment in moments.items()}
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def _digest(about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Hash of every byte of the tensors, their names, types and shapes, and the facts about them."""
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
