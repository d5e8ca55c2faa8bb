"""Fine-tuning that is looked at on its way, and may end there.

Patience looks at the source's development split, and ends the training where that has seen no gain for a while: what is
scored afterwards stays unseen. A `Look` is at the scores themselves, to give a poor candidate up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from realign.score import Advance, Fidelity
from realign.tasks.base import TransferTask, train

LOOKS = 10  # of patience, over all steps

Enough = Callable[[int], bool]  # asked after each step, from 0; True ends the training
Watch = Callable[[nn.Module, nn.Module], Enough]  # of a model and its head


def finetune(
    task: TransferTask,
    model: nn.Module,
    fidelity: Fidelity,
    seed: int,
    watch: Watch | None = None,
    advance: Advance | None = None,
) -> nn.Module | None:
    """Take the steps of `fidelity`, fewer if `patience` looks in a row were no better than the best; the head.

    `watch` is given model and head, and what it answers is asked after each step as well. The learning rate follows all
    steps, so ending early leaves out its lowest part.
    """
    tuner = task.tuner(model, fidelity.steps, seed) if fidelity.patience or watch or advance else None
    if tuner is None:
        return task.finetune(model, fidelity.steps, seed)
    asked = [*report_steps(advance, fidelity.steps), *([watch(model, tuner.head)] if watch else [])]
    if fidelity.patience:
        asked.append(patience(task, model, tuner.head, fidelity))
    return train(model, tuner, fidelity.steps, enough=any_of(asked))


def any_of(asked: Sequence[Enough]) -> Enough | None:
    """Enough is where one of these says so, asked one after the other."""
    return (lambda step: any(ask(step) for ask in asked)) if asked else None


def report_steps(advance: Advance | None, steps: int) -> list[Enough]:
    """A listener that passes each step on and never ends the training; none without `advance`."""
    if advance is None:
        return []

    def tell(step: int) -> bool:
        advance("fine-tuning", step + 1, steps)
        return False

    return [tell]


def patience(task: TransferTask, model: nn.Module, head: nn.Module, fidelity: Fidelity) -> Enough:
    """Enough is where `fidelity.patience` looks in a row were no better than the best before them."""
    source = str(task.facts["source"])
    best, waited = -1.0, 0
    every = max(1, fidelity.steps // LOOKS)

    def enough(step: int) -> bool:
        nonlocal best, waited
        if (step + 1) % every:
            return False
        value = task.evaluate(model, head, [source], "dev", fidelity.examples)[source].value
        model.train()
        best, waited = max(best, value), 0 if value > best else waited + 1
        return waited >= fidelity.patience

    return enough
