"""A realignment on disk: stopped at any moment, even by kill -9, it goes on later to the same weights, bit for bit.

One safetensors file holds all that changes (weights, head, optimizer moments) and, as JSON in its header, the position,
whose run it is, and a hash of all of it: a bit that flipped on the disk is found. It replaces its predecessor in one
rename, after it has reached the disk.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from realign.cache import draft_of
from realign.score import Advance
from realign.training.realigner import Realigner
from selector.errors import InputError, RunError

FORMAT = 3
START_ANEW = "delete it to start anew"


def save(file: Path, realigner: Realigner, run: str) -> None:
    """Write the state of `realigner`. `run` names everything it follows from (a signature). RunError: no room."""
    about: dict[str, Any] = {"format": FORMAT, "run": run, "position": realigner.position, "micro": realigner.micro}
    tensors = _tensors(realigner)
    about["sha256"] = _digest(about, tensors)
    try:
        with draft_of(file) as draft:
            save_file(tensors, draft, metadata={"realingo": json.dumps(about)})
    except (OSError, SafetensorError) as problem:
        raise RunError(f"cannot write the checkpoint {file}: {problem}", "free some disk space") from problem


def load(file: Path, realigner: Realigner, run: str) -> None:
    """Put a state into a `realigner` that was made with the same arguments. InputError: damaged, or another run's."""
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
    _restore(realigner, tensors)
    realigner.position, realigner.micro = about["position"], about["micro"]


def complete(realigner: Realigner, file: Path, run: str, every: float = 300.0, advance: Advance | None = None) -> None:
    """Take all steps that are left, going on from `file` if it is there; a checkpoint each `every` seconds, and last.

    The file stays, so that the caller can delete it once the result is safe.
    """
    if file.exists():
        load(file, realigner, run)
    saved = time.monotonic()
    while realigner.position < realigner.steps:
        realigner.step()
        if time.monotonic() - saved >= every:
            realigner.look()
            save(file, realigner, run)
            saved = time.monotonic()
        if advance:
            advance("realigning", realigner.position, realigner.steps)
    realigner.look()
    save(file, realigner, run)
    realigner.finish()


def _tensors(realigner: Realigner) -> dict[str, Tensor]:
    tensors = {f"model.{name}": weight for name, weight in realigner.model.state_dict().items()}
    tensors |= {f"head.{name}": weight for name, weight in realigner.head.state_dict().items()}
    for number, moments in realigner.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": moment for name, moment in moments.items()}
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def _digest(about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Of every byte of the tensors, their names, types and shapes, and what is said of them."""
    rest = {key: value for key, value in about.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _restore(realigner: Realigner, tensors: dict[str, Tensor]) -> None:
    device = next(realigner.model.parameters()).device
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "head": {}}
    moments: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        if part == "optimizer":
            number, _, key = rest.partition(".")
            moments.setdefault(int(number), {})[key] = tensor.to(device)
        else:
            parts[part][rest] = tensor
    with torch.no_grad():
        realigner.model.load_state_dict(parts["model"])
        realigner.head.load_state_dict(parts["head"])
    groups = realigner.optimizer.state_dict()["param_groups"]
    realigner.optimizer.load_state_dict({"state": moments, "param_groups": groups})
