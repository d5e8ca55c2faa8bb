"""Similarities between the languages of the rehearsal's pool, as of random points in a plane."""

from __future__ import annotations

import numpy as np
import rehearsal

from search.surrogate.kernels import PriorKnowledge
from selector.languages.language import parse_pool

POOL = parse_pool(list(rehearsal.POOL))


def alike(seed: int, size: int = len(POOL)) -> np.ndarray:
    """Similarities of points in the plane."""
    spots = np.random.default_rng(seed).normal(size=(size, 2))
    return np.exp(-np.linalg.norm(spots[:, None] - spots[None], axis=2))


def side(seed: int = 0) -> PriorKnowledge:
    """Prior knowledge of one kind, the same for members and targets."""
    codes = tuple(language.code for language in POOL)
    return PriorKnowledge({"plane": alike(seed)}, {"plane": alike(seed)}, {"plane": alike(seed)[0]}, codes)
