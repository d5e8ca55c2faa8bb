"""Fine-tuning that ends early: when the source's development split has seen no gain for a while."""

from __future__ import annotations

from torch import nn

from realign.score import Fidelity
from realign.task import Task, train

LOOKS = 10  # at the development split, over all steps


def finetune(task: Task, model: nn.Module, fidelity: Fidelity, seed: int) -> nn.Module | None:
    """Take the steps of `fidelity`, fewer if `patience` looks in a row were no better than the best; the head.

    Only the source is looked at: what is scored afterwards stays unseen. The learning rate follows all steps, so
    ending early leaves out its lowest part.
    """
    tuner = task.tuner(model, fidelity.steps, seed) if fidelity.patience else None
    if tuner is None:
        return task.finetune(model, fidelity.steps, seed)
    source, head = str(task.facts["source"]), tuner.head
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

    return train(model, tuner, fidelity.steps, enough=enough)
