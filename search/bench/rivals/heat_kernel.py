"""The heat kernel on the hypercube for GPyTorch, Π tanh(β_i)^[x_i ≠ y_i] (Doumont et al. 2025, arXiv 2510.26633).

Imported only where BoTorch is installed. With ℓ_i = −log tanh β_i > 0 it is exp(−Σ ℓ_i [x_i ≠ y_i]); ℓ is
learned.
"""

from __future__ import annotations

from typing import Any

import torch
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import Kernel
from gpytorch.priors import LogNormalPrior

LEAST = 1e-6  # rate ℓ: a language with a smaller one changes nothing


class HeatKernel(Kernel):
    """The heat kernel between points of zeros and ones. ℓ is expected at 4 / n, give or take a factor e."""

    def __init__(self, n: int, each_own: bool) -> None:
        """`each_own`: a rate ℓ for every coordinate instead of one for all."""
        super().__init__()
        usual = torch.full((n if each_own else 1,), 4.0 / n, dtype=torch.float64)
        positive = GreaterThan(LEAST, initial_value=usual)
        self.register_parameter("raw_rate", torch.nn.Parameter(positive.inverse_transform(usual)))
        self.register_constraint("raw_rate", positive)
        self.register_prior("rate_prior", LogNormalPrior(usual.log(), 1.0), lambda kernel: kernel.rate)

    @property
    def rate(self) -> Any:
        return self.raw_rate_constraint.transform(self.raw_rate)

    def forward(self, x1: Any, x2: Any, diag: bool = False, **_: Any) -> Any:
        """[..., N, n] and [..., M, n] → [..., N, M]."""
        if diag:
            return (-((x1 - x2).abs() * self.rate).sum(-1)).exp()
        one, two = x1 * self.rate, x2 * self.rate
        apart = one.sum(-1)[..., None] + two.sum(-1)[..., None, :] - 2.0 * one @ x2.transpose(-1, -2)
        return (-apart.clamp_min(0.0)).exp()
