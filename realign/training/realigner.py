"""Realignment loop: the same total number of sentence pairs for every subset, drawn evenly from its languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from realign.encoder.encoder import States, hidden_states
from realign.encoder.pooling import sentence_vectors, word_vectors
from realign.encoder.used_rows import narrow
from realign.score import Advance
from realign.training.adapters import adapt, merge, trainable_parameters, without_gradients
from realign.training.batches import Batch, BatchPlan
from realign.training.encoded_pairs import EncodedPairs
from realign.training.loss import nt_xent, projection
from realign.training.optimizer import (
    Anchor,
    Descent,
    LossGuard,
    autocast,
    deterministic,
    fork_random_state,
    out_of_memory,
    rate,
)
from realign.training.settings import Realignment
from selector.errors import InputError, RunError

DROPOUT_STREAM = 3  # of the seed; 0 is the head's, 1 the plan's, 2 the fine-tuning's


def realign(
    model: nn.Module,
    pairs: Mapping[str, EncodedPairs],
    settings: Realignment,
    steps: int,
    seed: int,
    advance: Advance | None = None,
) -> None:
    """Realign `model` in place on the union of `pairs` (language → its pairs), in `steps` batches.

    Equal arguments give equal weights, bit for bit, on one machine with one number of threads.
    """
    if not pairs or steps == 0:
        return
    realigner = Realigner(model, pairs, settings, steps, seed)
    for _ in range(steps):
        realigner.step()
        if advance:
            advance("realigning", realigner.position, steps)
    realigner.finish()


def loss_vectors(states: Tensor, batch: Batch, pooling: str) -> Tensor:
    """Vectors [2N, d] of the sentences or words that the loss compares, from token `states` [2b, t, d] of `batch`."""
    word = batch.word.to(states.device)
    if batch.words is None:
        return sentence_vectors(states, word, pooling)
    return word_vectors(states, word, batch.rows.to(states.device), batch.words.to(states.device), pooling)


def vocabularies(pairs: Mapping[str, EncodedPairs]) -> list[np.ndarray]:
    """Sub-words of each side of each language in `pairs`."""
    return [side.vocabulary for each in pairs.values() for side in (each.source, each.target)]


def check_fit(model: nn.Module, settings: Realignment) -> None:
    """InputError if `settings` name a layer or a block that `model` does not have."""
    depth = int(model.config.num_hidden_layers)  # type: ignore[union-attr, arg-type]
    if not -depth - 1 <= settings.layer <= depth:
        raise InputError(f"there is no layer {settings.layer}", f"this encoder has layers 0 to {depth}, or -1, -2 …")
    trainable_parameters(model, settings.freeze)


class Realigner:
    """Realignment of `model`, in place, one step at a time, so that it can alternate, be saved and continue later.

    The model, `head`, the optimizer, `position` and `micro` change; everything else follows from the arguments.
    """

    def __init__(
        self, model: nn.Module, pairs: Mapping[str, EncodedPairs], settings: Realignment, steps: int, seed: int
    ) -> None:
        """`pairs` (language → its pairs) must not be empty."""
        self._names = names = sorted(pairs)
        self.model, self.settings, self.steps, self.seed = model, settings, steps, seed
        self.position = 0  # steps taken
        self.micro = 2 * settings.batch  # most sentences in one pass: less after the device had no room for more
        self._peak = round(settings.warmup * steps)
        self._device = next(model.parameters()).device
        self._plan = BatchPlan([pairs[name] for name in names], steps, settings.batch, seed, settings.loss == "word")
        self._guard = LossGuard(f"realignment on {', '.join(names)}")
        self._adapted: Any = adapt(model, settings.lora, seed) if settings.lora else None
        self._check_reach()
        self._widen = narrow(model, vocabularies(pairs)) if settings.lora is None else lambda: None
        free, self._held = self._split_weights()
        width = int(model.config.hidden_size)  # type: ignore[union-attr, arg-type]
        g = projection(width, torch.Generator().manual_seed(seed)) if settings.projection else nn.Identity()
        self.head: nn.Module = g.to(self._device)
        self._states: States | None = None
        self._descent = Descent(free, list(self.head.parameters()), settings.lr)
        self.optimizer = self._descent.optimizer
        self._anchor = Anchor(free, settings.anchor)

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """Modules whose weights change, by name."""
        return {"model": self.model, "head": self.head}

    @property
    def optimizers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"optimizer": self.optimizer}

    def resume(self, position: int, micro: int) -> None:
        """Continue as after `position` steps, with passes of at most `micro` sentences; the caller restores weights and
        moments.
        """
        self.position, self.micro = position, micro

    @property
    def pairs_seen(self) -> int:
        return self.position * self.settings.batch

    @property
    def pairs_by_language(self) -> dict[str, int]:
        """Number of pairs of each language in all steps; a small corpus is passed through more than once."""
        return dict(zip(self._names, self._plan.counts, strict=True))

    @property
    def loss(self) -> float:
        """Mean loss over some of the last steps; not a number before the first look."""
        return self._guard.recent

    def step(self) -> None:
        """Take the next step. RunError: the loss diverged, or the device has no room for one sentence."""
        batch = self._plan.batch(self.position)
        if not self.model.training:  # takes a walk through all modules
            self.model.train()
        with without_gradients(self._held), deterministic(self._device, self.settings.deterministic):
            if len(batch.rows):  # no word of these sentences may be linked
                self._guard.watch(self.position, self._gradients(batch))
                self._anchor.pull()
                self._descent.step(rate(self.settings.schedule, self.position, self.steps, self._peak))
        self.position += 1

    def beside(self, steps: int) -> Callable[[int], None]:
        """Function to call before each of `steps` steps of another training.

        It spreads the remaining steps over them.
        """

        def follow(step: int) -> None:
            while self.position < (step + 1) * self.steps // steps:
                self.step()

        return follow

    def look(self) -> None:
        """Check the losses since the last look.

        RunError: one was not a number, so nothing after it is worth keeping.
        """
        self._guard.look()

    def finish(self) -> None:
        """Check the last losses and restore a plain encoder, after the last step."""
        self.look()
        self._descent.finish()
        self._widen()
        if self._adapted is not None:
            merge(self._adapted)
            self._adapted = None

    def _gradients(self, batch: Batch) -> Tensor:
        """Loss of a batch, with its gradient in the parameters; in smaller pieces if the device has no room."""
        while True:
            try:
                return self._at_once(batch) if self.micro >= len(batch.ids) else self._in_pieces(batch)
            except RuntimeError as problem:
                if not out_of_memory(problem):
                    raise
                full = problem
            if self.micro == 1:
                message = f"no room on {self._device.type} for one sentence at step {self.position + 1}: {full}"
                raise RunError(message, "use a smaller encoder, or a device with more memory")
            self._descent.forget()
            self.micro = min(self.micro, len(batch.ids)) // 2
            if self._device.type == "cuda":
                torch.cuda.empty_cache()

    def _at_once(self, batch: Batch) -> Tensor:
        loss = self._loss(self._vectors(batch, 0))
        loss.backward()
        return loss

    def _in_pieces(self, batch: Batch) -> Tensor:
        """The same gradient with `micro` sentences in memory at a time (gradient caching, Gao et al. 2021).

        A first pass without gradients yields all vectors, the loss its gradient for each; a second pass takes these to
        the weights, piece by piece. With dropout each piece draws the same mask in both passes.
        """
        pieces = list(batch.pieces(self.micro))
        with torch.no_grad():
            found = [self._vectors(piece, number) for number, (_, piece) in enumerate(pieces)]
        order = torch.cat([inside for inside, _ in pieces]).argsort()
        vectors = torch.cat(found)[order.to(self._device)].requires_grad_()
        loss = self._loss(vectors)
        loss.backward()
        assert vectors.grad is not None
        for number, (inside, piece) in enumerate(pieces):
            (self._vectors(piece, number) * vectors.grad[inside.to(self._device)]).sum().backward()
        return loss

    def _vectors(self, batch: Batch, number: int) -> Tensor:
        """Vectors [2N, d] of the sentences or words that the loss compares.

        Dropout depends on the `number` of the piece.
        """
        chance = fork_random_state(self._device, self.seed, DROPOUT_STREAM, self.position, number)
        with chance, autocast(self._device, self.settings.precision):
            self._states = self._states or States(self.model)
            states = self._states(batch.ids, batch.mask, self.settings.layer, batch.loss_mask)
        return loss_vectors(states.float(), batch, self.settings.pooling)

    def _loss(self, vectors: Tensor) -> Tensor:
        return nt_xent(self.head(vectors), self.settings.temperature, self.settings.negatives)

    def _split_weights(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Weights of the model to train, and those to hold. InputError: freeze names blocks that do not exist."""
        wanting = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        free = trainable_parameters(self.model, self.settings.freeze) if self.settings.lora is None else wanting
        kept = {id(parameter) for parameter in free}
        return free, [parameter for parameter in wanting if id(parameter) not in kept]

    def _check_reach(self) -> None:
        """InputError if the layer does not exist, or no trained weight can change its states."""
        check_fit(self.model, self.settings)
        ids = torch.zeros(1, 3, dtype=torch.long)
        with without_gradients(self._split_weights()[1]), fork_random_state(self._device, self.seed):
            reached = hidden_states(self.model, ids, torch.ones_like(ids), self.settings.layer).requires_grad
        if not reached:
            message = f"freeze leaves nothing to train below layer {self.settings.layer}"
            raise InputError(message, "freeze fewer blocks, or compare a higher layer")
