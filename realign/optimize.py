"""What every training loop here shares: the clip, the warm-up and decay, and the look at the loss."""

from __future__ import annotations

import torch
from torch import Tensor

from selector.errors import RunError

CLIP = 1.0  # largest norm of a gradient step


def warmup_decay(optimizer: torch.optim.Optimizer, steps: int, peak: int) -> torch.optim.lr_scheduler.LambdaLR:
    """The learning rate rises linearly until step `peak` and falls linearly to zero at `steps`."""
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / peak, (steps - step) / max(1, steps - peak))
    )


def check_finite(loss: Tensor, phase: str) -> None:
    if not torch.isfinite(loss):
        raise RunError(f"{phase} diverged: its loss is {loss.item()}", "lower the learning rate of this phase")
