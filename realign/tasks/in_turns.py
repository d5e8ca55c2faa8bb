"""Realignment and fine-tuning of one encoder in turns (order "during"): a training that can stop and continue."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn
from torch.optim import Optimizer

from realign.encoder.used_rows import narrow
from realign.tasks.finetune import Enough
from realign.tasks.transfer_task import TransferTask, Tuner
from realign.training.encoded_pairs import EncodedPairs
from realign.training.optimizer import LossGuard
from realign.training.realigner import Realigner, vocabularies
from realign.training.settings import Realignment


def training_of(
    model: nn.Module,
    pairs: Mapping[str, EncodedPairs],
    settings: Realignment,
    realignment_steps: int,
    seed: int,
    task: TransferTask | None,
    steps: int,
) -> Realigner | InTurns:
    """Realignment of `model` step by step; with a `task` in turns with its fine-tuning of `steps` steps."""
    tuner = task.tuner(model, steps, seed) if task is not None else None
    if tuner is None:
        return Realigner(model, pairs, settings, realignment_steps, seed)
    return InTurns(model, pairs, settings, realignment_steps, tuner, steps, seed)


class InTurns:
    """All realignment steps spread evenly over those of fine-tuning, each with an optimizer of its own.

    One realignment batch for each batch of the task where there are as many of one as of the other: the strategy
    "during" of Gaschi et al. (2023, arXiv 2306.02790), with two optimizers instead of a sum of losses.
    """

    def __init__(
        self,
        model: nn.Module,
        pairs: Mapping[str, EncodedPairs],
        settings: Realignment,
        realignment_steps: int,
        tuner: Tuner,
        steps: int,
        seed: int,
    ) -> None:
        """Train `model` in place. `pairs` must not be empty; `tuner` fine-tunes the same model in `steps` steps."""
        self.model, self.head, self.steps = model, tuner.head, steps
        self.position = 0  # steps of fine-tuning taken; those of realignment follow from it
        self._widen = narrow(model, [tuner.vocabulary, *vocabularies(pairs)])
        self.realigner = Realigner(model, pairs, settings, realignment_steps, seed)
        self._tuner, self._follow = tuner, self.realigner.beside(steps)
        tuner.prepare()
        self._guard = LossGuard("fine-tuning")
        model.train()

    @property
    def micro(self) -> int:
        """Most sentences in one pass of realignment."""
        return self.realigner.micro

    @property
    def loss(self) -> float:
        """Mean of the realignment losses at the last look."""
        return self.realigner.loss

    @property
    def pairs_seen(self) -> int:
        return self.realigner.pairs_seen

    @property
    def pairs_by_language(self) -> dict[str, int]:
        """Pairs of each language that all steps see."""
        return self.realigner.pairs_by_language

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {**self.realigner.modules, "task": self.head}

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        return {**self.realigner.optimizers, "tuning": self._tuner.optimizer}

    def step(self) -> None:
        """Take the next step of fine-tuning, and before it the realignment's share. RunError: a loss diverged."""
        self._follow(self.position)
        self._guard.watch(self.position, self._tuner.step())
        self.position += 1

    def resume(self, position: int, micro: int) -> None:
        """Continue as after `position` steps, with passes of at most `micro` sentences; the caller restores weights and
        moments.
        """
        self.position = position
        self.realigner.resume(position * self.realigner.steps // self.steps, micro)
        self._tuner.skip(position)

    def look(self) -> None:
        """Check the losses since the last look. RunError: one was not a number."""
        self._guard.look()
        self.realigner.look()

    def finish(self) -> None:
        """Check the last losses and restore a plain encoder, after the last step."""
        self._guard.look()
        self._tuner.finish()
        self.realigner.finish()
        self._widen()

    def complete(self, enough: Enough | None = None) -> nn.Module:
        """Take all steps, or stop after a step for which `enough` is True; return the trained head."""
        while self.position < self.steps:
            self.step()
            if enough and enough(self.position - 1):
                break
        self.finish()
        return self.head
