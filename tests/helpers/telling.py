"""An evaluator that takes a second and tells its stages; made where it works, as the real one is."""

from __future__ import annotations

import time
from dataclasses import dataclass

from realign.score import Advance, Evaluator, Fidelity, Look, Score
from search.backends.registry import View
from selector.languages.subset import Subset

STEPS, PAUSE = 12, 0.1  # of a stage; seconds


@dataclass(frozen=True)
class Telling:
    """Makes the evaluator, which is that of the view but for its stages."""

    view: View

    def __call__(self, advance: Advance) -> Evaluator:
        for step in range(STEPS):
            advance("loading the encoder", step, STEPS)
            time.sleep(PAUSE)
        return _Evaluator(self.view.evaluator(), advance)


class _Evaluator:
    def __init__(self, inner: Evaluator, advance: Advance) -> None:
        self.inner, self.advance = inner, advance

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        return self.inner.signature(subset, fidelity, seed)

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
        for what in ("realigning", "evaluating"):
            for step in range(STEPS):
                self.advance(what, step + 1, STEPS)
                time.sleep(PAUSE)
        return self.inner(subset, fidelity, seed, look)
