"""Fine-tuning with looks on the way, which may end it early.

Patience looks at the source's development split, and ends the training after several looks without a gain; the text
that is scored afterwards stays unseen. A `Look` is at the scores themselves, to give up a poor candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from realign.score import Advance, Fidelity
from realign.tasks.transfer_task import TransferTask, train

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
    """Fine-tune `model` for the steps of `fidelity`, or fewer if `patience` looks in a row bring no gain; return the
    head.

    `watch` gets model and head, and the function it returns is asked after each step as well. The learning rate follows
    all steps, so an early end leaves out its lowest part.
    """
    tuner = task.tuner(model, fidelity.steps, seed) if fidelity.patience or watch or advance else None
    if tuner is None:
        return task.finetune(model, fidelity.steps, seed)
    asked = [*report_steps(advance, fidelity.steps), *([watch(model, tuner.head)] if watch else [])]
    if fidelity.patience:
        asked.append(patience(task, model, tuner.head, fidelity))
    return train(model, tuner, fidelity.steps, enough=any_of(asked))


def any_of(asked: Sequence[Enough]) -> Enough | None:
    """Function that is True if one of `asked` is, asked in order; None without any."""
    return (lambda step: any(ask(step) for ask in asked)) if asked else None


def report_steps(advance: Advance | None, steps: int) -> list[Enough]:
    """Function that passes each of `steps` to `advance` and never ends the training; no function without `advance`."""
    if advance is None:
        return []

    def tell(step: int) -> bool:
        advance("fine-tuning", step + 1, steps)
        return False

    return [tell]


def patience(task: TransferTask, model: nn.Module, head: nn.Module, fidelity: Fidelity) -> Enough:
    """Function that is True after `fidelity.patience` looks in a row that were no better than the best before them."""
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
