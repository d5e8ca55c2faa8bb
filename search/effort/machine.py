"""The means of this machine for a study: cores, memory and GPUs, and how many workers fit."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTEXT = 0.6e9  # bytes of a GPU that a process takes besides its tensors: driver, kernels


@dataclass(frozen=True)
class Machine:
    """Memory in bytes: what is free of the main memory, all of each GPU."""

    cores: int
    memory: float
    gpus: tuple[float, ...] = ()

    def workers(self, need: float) -> int:
        """Number of workers that fit if each needs `need` bytes, of a GPU's memory where there is one; 0: not one.

        On CPUs a worker takes one core. On GPUs cores only prepare: there it is memory alone that counts.
        """
        if not self.gpus:
            return min(self.cores, int(self.memory // max(need, 1.0)))
        return sum(int(whole // (need + CONTEXT)) for whole in self.gpus)


def this_machine(cuda: Any = None, meminfo: Path = Path("/proc/meminfo")) -> Machine:
    """Look at this machine. `cuda`: torch.cuda, or what answers like it; None: it is loaded."""
    if cuda is None:
        import torch

        cuda = torch.cuda
    count = cuda.device_count() if cuda.is_available() else 0
    gpus = tuple(float(cuda.get_device_properties(number).total_memory) for number in range(count))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(cores, _free(meminfo), gpus)


def _free(meminfo: Path) -> float:
    """Bytes of main memory that programs can still have; all there are where the system does not say."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text(encoding="utf-8").splitlines())
        return 1024.0 * int(lines["MemAvailable"].split()[0])
    except (OSError, ValueError, KeyError):
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def fraction(share: float, whole: float) -> float:
    """The share of a GPU's `whole` memory, in bytes, that the tensors of one process may take.

    Workers that had their whole share for tensors would together need more than there is: each takes `CONTEXT` too.
    """
    return max(share / 2, share - CONTEXT / whole)
