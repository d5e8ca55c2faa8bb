"""Parts that all training loops here share: schedule, clipping, precision, randomness, and checks of the loss."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from realign.training.settings import Precision as Precision
from selector.errors import RunError

CLIP = 1.0  # largest norm of a gradient step

Schedule = Literal["constant", "linear"]


def rate(schedule: Schedule, step: int, steps: int, peak: int) -> float:
    """Learning rate of `step` (from 0) as a share of the highest.

    It rises linearly until step `peak` (0: no warm-up), then stays, or falls linearly to zero at `steps`, by
    `schedule`.
    """
    risen = (step + 1) / peak if peak else 1.0
    left = (steps - step) / max(1, steps - peak) if schedule == "linear" else 1.0
    return min(1.0, risen, left)


def warmup_decay(optimizer: torch.optim.Optimizer, steps: int, peak: int) -> torch.optim.lr_scheduler.LambdaLR:
    """Schedule of `optimizer` that rises linearly until step `peak` and falls linearly to zero at `steps`."""
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate("linear", step, steps, peak))


class LossGuard:
    """Check of the losses of a phase every few steps, which reports the first bad one.

    Each check waits for the device.
    """

    EVERY = 50  # steps

    def __init__(self, phase: str) -> None:
        self._phase = phase
        self.recent = float("nan")  # mean of the losses looked at last
        self._held: list[tuple[int, Tensor]] = []

    def watch(self, step: int, loss: Tensor) -> None:
        """Note the `loss` of `step`. RunError, at most EVERY steps later: a loss is not a number or infinite."""
        self._held.append((step, loss.detach()))
        if len(self._held) >= self.EVERY:
            self.look()

    def look(self) -> None:
        losses = torch.stack([loss for _, loss in self._held]).tolist() if self._held else []
        for (step, _), value in zip(self._held, losses, strict=True):
            if not torch.isfinite(torch.tensor(value)):
                message = f"{self._phase} diverged: its loss is {value} at step {step + 1}"
                raise RunError(message, "lower the learning rate of this phase, or raise its temperature or warm-up")
        if losses:
            self.recent = sum(losses) / len(losses)
        self._held.clear()


@contextmanager
def fork_random_state(device: torch.device, *seed: int) -> Iterator[None]:
    """Context in which torch's random numbers (dropout) depend on `seed` alone; the state outside is restored at the
    end.
    """
    mixed = 0
    for part in seed:  # Knuth's multiplicative hash, so that neighbouring steps share nothing
        mixed = ((mixed ^ part) * 2654435761 + 1) % 2**63
    generator = torch.cuda.default_generators[device.index or 0] if device.type == "cuda" else torch.default_generator
    before = generator.get_state()
    generator.manual_seed(mixed)
    try:
        yield
    finally:
        generator.set_state(before)


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Context for the forward pass: bf16 if `precision` asks for it ("auto": on CUDA).

    Weights and optimizer stay in fp32.
    """
    half = precision == "bf16" or (precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=half)


@contextmanager
def deterministic(device: torch.device, wanted: bool = True) -> Iterator[None]:
    """Context with only algorithms that give the same bits each time, if `wanted`.

    On a CPU all of ours do; on CUDA it costs some speed.
    """
    if device.type != "cuda" or not wanted:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


class Descent:
    """AdamW without weight decay on clipped gradients (Loshchilov and Hutter 2019).

    The parameters are laid end to end in memory, and so are their gradients: one kernel each for the norm, the
    clipping, the update and the zeros, whatever the number of layers.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], head: Sequence[nn.Parameter], lr: float) -> None:
        """`parameters` of the model; another descent may follow other losses on the same ones, in turns."""
        self._parameters, self._lr = [*parameters, *head], lr
        self._trained = [*end_to_end(parameters), *end_to_end(head)]
        self.optimizer = torch.optim.AdamW(self._trained, lr=lr, weight_decay=0.0, fused=True)

    def step(self, share: float) -> None:
        """Follow the present gradients, at `share` of the learning rate, and clear them."""
        nn.utils.clip_grad_norm_(self._trained, CLIP)
        self.optimizer.param_groups[0]["lr"] = self._lr * share
        self.optimizer.step()
        self.forget()

    def forget(self) -> None:
        for parameter in self._trained:
            if parameter.grad is not None:
                parameter.grad.zero_()

    def finish(self) -> None:
        """Separate the parameters again, without gradients."""
        for parameter in self._parameters:
            parameter.data, parameter.grad = parameter.data.clone(), None


@torch.no_grad()
def end_to_end(parameters: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    """Join the values of `parameters` into one parameter with zero gradient; the given ones become parts of it.

    Parameters that are parts of one already stay so: the result is that one if they are all of it, else they
    themselves.
    """
    if not parameters:
        return []
    if any(parameter.untyped_storage().nbytes() != parameter.nbytes for parameter in parameters):
        return _common_storage(parameters)
    whole = nn.Parameter(torch.cat([parameter.reshape(-1) for parameter in parameters]))
    whole.grad = torch.zeros_like(whole)
    start = 0
    for parameter in parameters:
        part = slice(start, start + parameter.numel())
        parameter.data, parameter.grad = whole.data[part].view_as(parameter), whole.grad[part].view_as(parameter)
        start = part.stop
    return [whole]


def _common_storage(parameters: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    first, size = parameters[0], sum(parameter.numel() for parameter in parameters)
    one = {parameter.untyped_storage().data_ptr() for parameter in parameters}
    if len(one) > 1 or first.untyped_storage().nbytes() != size * first.element_size() or first.grad is None:
        return list(parameters)
    whole = nn.Parameter(first.detach().as_strided((size,), (1,), 0))
    whole.grad = first.grad.as_strided((size,), (1,), 0)
    return [whole]


def out_of_memory(problem: RuntimeError) -> bool:
    """True if `problem` says that the device or the machine had no memory left for a tensor."""
    return isinstance(problem, torch.OutOfMemoryError) or "not enough memory" in str(problem)


class Anchor:
    """Penalty that holds weights near their start: weight/2 · ‖θ − θ₀‖² added to the loss (L2-SP, Li et al. 2018, eq.
    2).
    """

    def __init__(self, parameters: Sequence[nn.Parameter], weight: float) -> None:
        self._parameters, self._weight = list(parameters), weight
        self._start = [parameter.detach().clone() for parameter in parameters] if weight else []

    @torch.no_grad()
    def pull(self) -> None:
        """Add the gradient of the penalty to those of the loss."""
        for parameter, start in zip(self._parameters, self._start, strict=False):
            pulled = (parameter - start) * self._weight
            parameter.grad = pulled if parameter.grad is None else parameter.grad.add_(pulled)
