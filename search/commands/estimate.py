"""What a study will take, from one short trial: the pace of each stage is measured and the rest is arithmetic."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from numpy.random import default_rng

from realign.build import evaluator as assemble
from realign.core import FakeModel
from realign.score import Advance, Fidelity, SourceScore
from search.config.schema import ConfirmSection
from search.config.study_config import StudyConfig
from search.confirmation.confirm import LEAST_DRAWS
from search.effort.cost import Price
from search.effort.fidelities import Fidelities
from search.results.check_report import StudyCost
from search.strategies import ladder
from selector.languages.subset import Subset

STEPS = 6  # of each training; the first warms up and is not counted
TARGETS = 4  # languages that are evaluated
AWAITED = 120.0  # seconds that the whole fine-tuning may take, to see what it reaches
TRAINING = ("realigning", "fine-tuning")


@dataclass
class StageClock:
    """When each stage was first and last heard of. Hands what it hears on."""

    to: Advance
    first: dict[str, tuple[float, int]] = field(default_factory=dict)
    last: dict[str, tuple[float, int]] = field(default_factory=dict)

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.perf_counter()
        self.first.setdefault(what, (now, done))
        self.last[what] = now, done
        self.to(what, done, total)

    def pace(self, what: str) -> float:
        """Seconds of one unit; 0 for a stage that there was not, or that came to a single step."""
        if what not in self.first:
            return 0.0
        (begun, low), (ended, high) = self.first[what], self.last[what]
        return (ended - begun) / (high - low) if high > low else 0.0


@dataclass(frozen=True)
class Pace:
    """The parts of one trial, in seconds."""

    step: float  # of realignment
    lesson: float  # a step of fine-tuning
    sentence: float  # evaluated
    rest: float  # of a trial, whatever its size

    def trial(self, batch: int, fidelity: Fidelity, languages: int) -> float:
        """Seconds of an evaluation on so many target languages; `batch` pairs are a step of realignment."""
        steps = fidelity.pairs / batch
        training = self.step * steps + self.lesson * fidelity.steps
        return self.rest + training + self.sentence * fidelity.examples * languages


@dataclass(frozen=True)
class Estimator:
    """Estimates the cost of a study by one short trial. `advance` hears how far it is."""

    config: StudyConfig
    advance: Advance

    @cached_property
    def fidelities(self) -> Fidelities:
        return Fidelities(self.config)

    def estimate(self) -> tuple[StudyCost, SourceScore | None]:
        """The study's cost, and the source's score after fine-tuning: None where that takes longer than `AWAITED`.

        Disk is for prepared text of the whole pool; what the hub's own libraries keep is theirs.
        """
        config = self.config
        source_score: SourceScore | None = None
        if isinstance(config.core.model.base, FakeModel):
            seconds = config.core.model.base.seconds
            pace, disk = Pace(0.0, 0.0, 0.0, seconds), 0.0
        else:
            pace, disk, source_score = self._measure()
        full, batch = self.fidelities.full, config.core.realign.batch
        search = self._search_seconds(pace)
        confirming = pace.trial(batch, full, len(config.scope.everyone)) * _evaluations(config.confirm)
        cost = StudyCost(
            seconds_per_trial=pace.trial(batch, self.fidelities.at(config.level), len(config.tune))
            * config.search.seeds,
            search_hours=search / 3600,
            confirm_hours=confirming / 3600,
            memory_gb=_memory(),
            disk_gb=disk,
        )
        return cost, source_score

    def _measure(self) -> tuple[Pace, float, SourceScore | None]:
        """One short trial of a subset of the largest size; gigabytes of the pool's prepared text, from this subset's.

        Then the whole fine-tuning on the encoder as it is, where that is quick: what it reaches on the source.
        """
        from realign.training.encoded_pairs import PairStore

        config, clock, full = self.config, StageClock(self.advance), self.fidelities.full
        subset = config.space.completed(Subset(), config.sizes[1], default_rng(config.seed))
        assert subset is not None  # the study file was checked for it
        text, encoder = assemble.load_text_and_encoder(config.core, config.pool, self.advance)
        store = PairStore(encoder, text, config.core.realign, self.advance)
        size = sum(_bytes(store.of(code)) for code in subset.codes) / len(subset) * len(config.pool)
        short = replace(full, pairs=min(full.pairs, STEPS * config.core.realign.batch), steps=min(full.steps, STEPS))
        evaluator = assemble.evaluator(config.core, config.scope, config.tune[:TARGETS], "dev", clock).evaluator
        evaluator(subset, short, config.seed)  # once for what is made once: encoded text, first calls
        clock.first.clear()
        clock.last.clear()
        begun = time.perf_counter()
        evaluator(subset, short, config.seed)
        spent = time.perf_counter() - begun
        step, lesson = (clock.pace(what) for what in TRAINING)
        sentence = clock.pace("evaluating")
        _, sentences = clock.last.get("evaluating", (0.0, 0))
        known = step * short.pairs / config.core.realign.batch + lesson * short.steps + sentence * sentences
        quick = full.steps and lesson * full.steps <= AWAITED
        source_score = evaluator(Subset(), full, config.seed).source_score if quick else None
        return Pace(step, lesson, sentence, max(0.0, spent - known)), size / 1e9, source_score

    def _trials(self) -> int:
        """Trials that the search can come to: a subset is measured once, unless repeats or a ladder were asked for."""
        search = self.config.search
        once = search.repeats == "never" and search.fidelity != "ladder"
        space = self.config.space
        return min(search.trials, space.exact_count or space.count()) if once else search.trials

    def _search_seconds(self, pace: Pace) -> float:
        config = self.config
        trials, seeds, batch = self._trials(), config.search.seeds, config.core.realign.batch
        shares: Mapping[str, float] = {config.search.fidelity: 1.0}
        if config.search.fidelity == "ladder":
            shares = {**ladder.SHARES, "full": 1.0 - sum(ladder.SHARES.values())}
        seconds = 0.0
        for level, share in shares.items():
            fidelity = self.fidelities.at(level)
            if fidelity.merging is None:
                seconds += share * trials * seeds * pace.trial(batch, fidelity, len(config.tune))
            else:  # what merging trains is trained once for all trials
                whole = pace.trial(batch, self.fidelities.full, len(config.tune))
                looking = 0.0 if fidelity.merging.method == "scores" else pace.sentence * fidelity.examples
                seconds += Price(config).paid_once(fidelity) * seeds * whole
                seconds += share * trials * seeds * looking * len(config.tune)
        return seconds


def _evaluations(confirm: ConfirmSection) -> int:
    """Evaluations of a confirmation: the best, all, none and the best chosen without measuring, and random draws."""
    rows, seeds = confirm.top + 3, confirm.seeds
    return rows * seeds + max(LEAST_DRAWS, seeds)


def _bytes(pairs: Any) -> int:
    arrays = [array for side in (pairs.source, pairs.target) for array in (side.ids, side.word, side.offsets)]
    return sum(int(array.nbytes) for array in (*arrays, pairs.links.words, pairs.links.offsets))


def _memory() -> float:
    """The most this process has had, of the GPU's memory where it works there. Gigabytes"""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated()) / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
