"""From a study's settings to the evaluator it is measured with: where `search` builds what `realign` has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from realign.fake import FakeEvaluator
from realign.score import Evaluator, Fidelity
from realign.wrap import Cached
from search.config import FakeModel, StudyConfig
from selector.errors import InputError
from selector.language import Pool

Advance = Callable[[str, int, int], None]  # (what, done, total)


def evaluator(
    config: StudyConfig, targets: Pool, split: Literal["dev", "test"], advance: Advance | None = None
) -> Evaluator:
    """What scores a subset of the study's pool on `targets`, answering from the cache what was scored before.

    `advance` hears of preparations that take long. InputError where data or model cannot be used.
    """
    base = config.model.base
    if isinstance(base, FakeModel):
        return Cached(FakeEvaluator(config.pool, targets, base.terms, split))
    raise InputError(f"model.base = {base!r} is not there yet", 'take model.base = {kind = "fake"}')


def fidelity(config: StudyConfig) -> Fidelity:
    """The full fidelity of the study."""
    return Fidelity(config.realign.steps * config.realign.batch, config.task.steps, config.task.examples)
