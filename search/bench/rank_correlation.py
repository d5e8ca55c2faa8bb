"""Spearman's rank correlation of many samples at once."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]


def spearman(one: Array, other: Array, constant: float = math.nan) -> Array:
    """Along the last axis; `constant` where a sample is constant, which ranks nothing."""
    x, y = (rankdata(sample, axis=-1) for sample in (one, other))
    x, y = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in (x, y))
    size = np.sqrt((x**2).sum(axis=-1) * (y**2).sum(axis=-1))
    return np.asarray(np.where(size > 0, (x * y).sum(axis=-1) / np.where(size > 0, size, 1.0), constant))
