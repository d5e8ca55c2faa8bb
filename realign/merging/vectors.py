"""Vectors on disk: the changes that a training made to an encoder (and the head it made), read a block of rows at a
time.

    <cache>/vectors/<key>.safetensors

Tensors that did not change are left out. Of a matrix of which only some rows changed (embeddings: those of the
sub-words that occurred) only these rows are stored, as `<name>` with their numbers as `<name>#rows`. `key` is a hash of
everything that the training depends on. The file is written completely or not at all. When a process first opens it,
every byte is verified; a damaged file is made again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from realign.cache import cache_root, draft_of
from selector.errors import RunError

ROWS = "#rows"
HEAD = "#head."  # before the names of the head's tensors
DENSE = 0.5  # share of changed rows from which a matrix is kept whole

log = logging.getLogger("realingo.vectors")


class Vector:
    """An open file. Tensors are mapped from disk: those that are not used take no memory."""

    def __init__(self, path: Path) -> None:
        self._file: Any = safe_open(path, framework="pt")
        self._names = frozenset(self._file.keys())
        self._rows: dict[str, Tensor] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def block(self, name: str, start: int, stop: int) -> Tensor:
        """Rows `start` to `stop` of the tensor `name` as fp32; the rows of a vector are its elements."""
        stored = self._file.get_slice(name)
        if name + ROWS not in self._names:
            return stored[start:stop].float()
        if name not in self._rows:
            self._rows[name] = self._file.get_tensor(name + ROWS)
        rows = self._rows[name]
        first, last = (int(place) for place in torch.searchsorted(rows, torch.tensor([start, stop])))
        block = torch.zeros(stop - start, *stored.get_shape()[1:])
        if last > first:  # an empty slice is refused
            block[rows[first:last] - start] = stored[first:last].float()
        return block

    def threshold(self, name: str, density: float, size: int) -> float:
        """Magnitude that a share `density` of the `size` elements of the tensor `name` reach.

        Needs one tensor in memory.
        """
        magnitudes = self._file.get_tensor(name).flatten().float().abs()
        beyond = round(density * size)
        if beyond >= len(magnitudes):
            return 0.0
        return float(magnitudes.kthvalue(len(magnitudes) - max(1, beyond) + 1).values)

    def head(self) -> dict[str, Tensor]:
        """The head's tensors; empty where the training made none."""
        return {name.removeprefix(HEAD): self._file.get_tensor(name) for name in self._names if name.startswith(HEAD)}


def difference(
    model: nn.Module, start: nn.Module, dtype: torch.dtype, head: nn.Module | None = None
) -> dict[str, Tensor]:
    """Weights of `model` that differ from `start`, as differences in `dtype`; and the `head` as it is."""
    kept: dict[str, Tensor] = {}
    origin = dict(start.named_parameters())
    for name, weight in model.named_parameters():
        change = (weight.detach() - origin[name].detach().to(weight.device)).cpu()
        changed = (change.reshape(len(change), -1) != 0).any(1) if change.dim() > 1 else change != 0
        if not changed.any():
            continue
        if change.dim() > 1 and changed.float().mean() < DENSE:
            kept[name + ROWS] = changed.nonzero()[:, 0]
            change = change[changed]
        kept[name] = change.to(dtype).contiguous()
    if head is not None:
        kept |= {HEAD + name: weight.detach().cpu().contiguous() for name, weight in head.state_dict().items()}
    return kept


def vector(key: str, make: Callable[[], Mapping[str, Tensor]]) -> Vector:
    """Vector of `key`, computed by `make` if it is missing or damaged. Other processes that need it wait for the first.

    RunError: the cache cannot be written.
    """
    path = _path(key)
    if not _sound(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{path}.lock"):
                if not _sound(path):
                    _write(path, make())
        except (OSError, SafetensorError) as problem:
            message = f"cannot write the language vector {path}: {problem}"
            raise RunError(message, "free some disk space, or set REALINGO_CACHE to a folder with room") from problem
    return Vector(path)


def is_stored(key: str) -> bool:
    """True if the vector of `key` is on disk, with every byte as it was written."""
    return _sound(_path(key))


def _path(key: str) -> Path:
    return cache_root() / "vectors" / f"{key}.safetensors"


def _write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    with draft_of(path) as draft:
        save_file(dict(tensors), draft, metadata={"sha256": _digest(tensors)})


def _sound(path: Path) -> bool:
    """True if the file exists and every byte is as it was written."""
    try:
        status = path.stat()
    except OSError:
        return False
    return _verify(path, status.st_mtime_ns, status.st_size)


@cache
def _verify(path: Path, _changed: int, _size: int) -> bool:
    try:
        with safe_open(path, framework="pt") as file:
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (mapped, not read)
            sound = (file.metadata() or {}).get("sha256") == _digest(stored)
    except (OSError, SafetensorError, ValueError):
        sound = False
    if not sound:
        log.warning("%s is damaged: made again", path)
    return sound


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
