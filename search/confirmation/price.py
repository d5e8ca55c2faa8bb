"""What a confirmation cost, for `confirm.json` and the report."""

from __future__ import annotations

from collections.abc import Sequence

from realign.core import FakeModel
from realign.score import Score
from search.backends.batch import Bench
from search.config.study_config import StudyConfig
from search.confirmation.race import RaceResult
from search.results.confirmation import Effort


def effort_of(config: StudyConfig, bench: Bench, scores: Sequence[Score], raced: RaceResult | None) -> Effort:
    """The work behind these scores, each of another evaluation, and behind the race before them."""
    every = [*scores, *(raced.scores.values() if raced is not None else ())]
    return Effort(len(every), sum(score.seconds for score in every), _device(config, bench))


def _device(config: StudyConfig, bench: Bench) -> str:
    """What the evaluations ran on, where this machine is the one that ran them and trained an encoder; else ""."""
    if bench.address or bench.own is not None or isinstance(config.core.model.base, FakeModel):
        return ""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
