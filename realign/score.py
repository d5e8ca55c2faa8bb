"""What one evaluation is asked (`Fidelity`) and answers (`Score`), and who answers (`Evaluator`).

Standard library and `selector` only: everything in this room, and all of `search`, stands on this file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from selector.subset import Subset

Advance = Callable[[str, int, int], None]  # (what, done, total): the one progress signature all rooms call


@dataclass(frozen=True)
class Fidelity:
    """How much work one evaluation may do. Scores of different fidelities are not comparable."""

    pairs: int  # sentence pairs seen in realignment, in total over the subset (arXiv 2511.06497 holds this constant)
    steps: int  # optimizer steps of fine-tuning on the source language
    examples: int  # sentences evaluated per target language, at most


@dataclass(frozen=True)
class Tally:
    """Per-sentence outcome for one language: enough for bootstrap and paired tests without a second run.

    Every metric here is a ratio of sums over sentences. Accuracy: correct units of all units (words, sentences). F1 of
    spans: twice the spans found of the spans said plus the spans there are; then `total` depends on what was said.
    """

    correct: tuple[int, ...]  # of each sentence, in the order of the data
    total: tuple[int, ...]

    @property
    def value(self) -> float:
        """Micro-averaged accuracy or F1 in [0, 1]."""
        return sum(self.correct) / max(1, sum(self.total))


@dataclass(frozen=True)
class Score:
    """What an evaluator answers. A score never travels without its signature."""

    value: float  # macro-average over the target languages, in [0, 1]
    per_language: Mapping[str, float]  # ISO 639-3 → accuracy or F1 in [0, 1]
    signature: str
    tallies: Mapping[str, Tally] = field(default_factory=dict, repr=False, compare=False)
    seconds: float = field(default=0.0, compare=False)


class Evaluator(Protocol):
    """Expensive and noisy: what does realigning on this subset do to zero-shot transfer?"""

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int) -> Score: ...

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        """The signature that `self(subset, fidelity, seed)` will carry, without doing the work."""
        ...


def sign(facts: Mapping[str, Any], subset: Subset, fidelity: Fidelity, seed: int) -> str:
    """Signature of one evaluation: a hash of everything that can change its outcome.

    `facts` holds the model, data, task, losses, optimizer settings, targets, split and versions (JSON values).
    Equal signature = comparable and interchangeable; it keys every cache.
    """
    whole = {**facts, "subset": subset.key, "fidelity": asdict(fidelity), "seed": seed}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:24]
