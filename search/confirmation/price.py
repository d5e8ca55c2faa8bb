"""The cost of a confirmation, for `confirm.json` and the report."""

from __future__ import annotations

from collections.abc import Sequence

from realign.core import Core
from realign.score import Score
from search.backends.batch import Bench
from search.confirmation.race import RaceResult
from search.results.confirmation import ConfirmationCost


def effort_of(core: Core, bench: Bench, scores: Sequence[Score], raced: RaceResult | None) -> ConfirmationCost:
    """The number, seconds and device of the evaluations behind `scores` and, if there was a race, behind `raced`.

    `bench` ran them on `core`. The device is "" where another machine may have run them, or no encoder was trained.
    """
    every = [*scores, *(raced.scores.values() if raced is not None else ())]
    return ConfirmationCost(len(every), sum(score.seconds for score in every), _device(core, bench))


def _device(core: Core, bench: Bench) -> str:
    """The device of the evaluations, where this machine is the one that ran them and trained an encoder; else ""."""
    if bench.address or bench.own is not None or core.is_rehearsal:
        return ""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
