"""Weights of m encoders of one shape in few arrays, and the optimizer that follows the gradient of each encoder."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from realign.encoder.hidden_states import net_of
from realign.encoder.packed import Block
from realign.encoder.pooling import rows_of
from realign.encoder.used_rows import UsedRows
from realign.training.optimizer import CLIP


class StackedWeights:
    """Weights of m encoders: for each kind of parameter one array [m, size], with its gradient.

    `net` reads views of them. One kernel each for the norm, the clipping, the update and the zeros, whatever the number
    of layers. Queries, keys and values of a block lie end to end, so that they are one layer.
    """

    def __init__(self, model: Any, count: int | None) -> None:
        """`count` of encoders; None for one encoder without the first dimension."""
        self.config, self.device = model.config, next(model.parameters()).device
        self._lead = () if count is None else (count,)
        self._narrowed: tuple[Tensor, Tensor, Tensor] | None = None
        self._stack = copy.deepcopy(model)
        net = net_of(self._stack)
        assert net is not None
        self.blocks = len(net.blocks)
        words = self._stack.get_input_embeddings().weight
        joined = [(x.query, x.key, x.value) for x in net.blocks]
        matrices, biases = (
            [[cast(nn.Parameter, layer[part]) for layer in layers] for layers in joined] for part in (0, 1)
        )
        first = {id(x) for some in (*matrices, *biases) for x in some} | {id(words)}
        rest = [x for x in self._stack.parameters() if id(x) not in first]
        order = [x for some in (*matrices, *biases) for x in some] + rest
        self.flat = [self._lay([words]), self._lay(order)]
        taken = (self._views(order, matrices), self._views(order, biases))
        net = net_of(self._stack)
        assert net is not None
        self.net = replace(net, blocks=[self._whole(*x) for x in zip(net.blocks, *taken, strict=True)])

    def _lay(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        """Copy the values of `parameters`, repeated for every encoder, into one array; they become views of it."""
        flat = torch.cat([x.detach().reshape(-1) for x in parameters]).expand(*self._lead, -1).contiguous()
        flat.grad = torch.zeros_like(flat)
        start = 0
        for parameter in parameters:
            shape, end = parameter.shape, start + parameter.numel()
            parameter.data = flat[..., start:end].unflatten(-1, shape)
            parameter.grad = flat.grad[..., start:end].unflatten(-1, shape)
            start = end
        return flat

    def _views(self, order: Sequence[nn.Parameter], groups: Sequence[Sequence[nn.Parameter]]) -> list[nn.Parameter]:
        """Each group, which lies end to end, as one parameter joined along its rows."""
        flat, where, start = self.flat[1], {}, 0
        for parameter in order:
            size = parameter.numel() // max(1, int(np.prod(self._lead)))
            where[id(parameter)] = (start, size)
            start += size
        found = []
        for group in groups:
            begin, size = where[id(group[0])][0], sum(where[id(x)][1] for x in group)
            shape = (-1, *group[0].shape[len(self._lead) + 1 :])
            whole = nn.Parameter(flat[..., begin : begin + size].unflatten(-1, shape))
            assert flat.grad is not None
            whole.grad = flat.grad[..., begin : begin + size].unflatten(-1, shape)
            found.append(whole)
        return found

    @torch.no_grad()
    def narrow(self, vocabulary: np.ndarray) -> None:
        """Train only the embeddings of the sub-words in `vocabulary`, until `widen`.

        The others would get no gradient.
        """
        words = self._stack.get_input_embeddings()
        if not isinstance(words, UsedRows) or self._narrowed:
            return
        ids = torch.from_numpy(np.asarray(vocabulary, dtype=np.int64)).to(self.device)
        rows = words.row_of(ids)
        whole = self.flat[0].unflatten(-1, words.weight.shape[-2:])
        some = whole[..., rows, :].contiguous()
        small = some.flatten(-2)
        small.grad = torch.zeros_like(small)
        table = nn.Parameter(small.view_as(some))
        table.grad = small.grad.view_as(some)
        place = torch.full((int(ids.max()) + 1,), -1, device=self.device)
        place[ids] = torch.arange(len(ids), device=self.device)
        self._narrowed = (self.flat[0], whole, rows)
        self._wide, self.net = self.net, replace(self.net, words=lambda asked: rows_of(table, place[asked]))
        self.flat = [small, *self.flat[1:]]

    @torch.no_grad()
    def widen(self) -> None:
        """Bring all embeddings up to date."""
        if self._narrowed:
            flat, whole, rows = self._narrowed
            whole[..., rows, :] = self.flat[0].unflatten(-1, (len(rows), -1))
            self.flat, self.net, self._narrowed = [flat, *self.flat[1:]], self._wide, None

    @staticmethod
    def _whole(block: Block, matrix: nn.Parameter, bias: nn.Parameter) -> Block:
        return replace(block, joined=(matrix, bias))

    @torch.no_grad()
    def write(self, model: nn.Module, number: int) -> None:
        """Copy the weights of encoder `number` to `model`."""
        for parameter, several in zip(model.parameters(), self._stack.parameters(), strict=True):
            parameter.copy_(several[number] if self._lead else several)


class StackedOptimizer:
    """`Descent` for each candidate on its own: clipping uses the norm of its gradient alone."""

    def __init__(self, weights: StackedWeights, heads: Sequence[Tensor], lr: float) -> None:
        self._lr, self._flat = lr, [nn.Parameter(x) for x in weights.flat]
        self._one = not weights._lead
        for mine, theirs in zip(self._flat, weights.flat, strict=True):
            mine.grad = theirs.grad
        self._heads = list(heads)
        cuda = weights.device.type == "cuda"
        self._rate = torch.tensor(lr, device=weights.device) if cuda else lr
        self._trained = [*self._flat, *self._heads]
        self.optimizer = torch.optim.AdamW(self._trained, lr=self._rate, weight_decay=0.0, fused=True, capturable=cuda)
        for head in self._heads:
            head.grad = torch.zeros_like(head)

    def at(self, share: float) -> None:
        """Use `share` of the learning rate for the next gradients."""
        if isinstance(self._rate, Tensor):
            self._rate.fill_(self._lr * share)
        else:
            self.optimizer.param_groups[0]["lr"] = self._lr * share

    def step(self) -> None:
        gradients = [x.grad for x in self._trained if x.grad is not None]
        lane = [x.view(1, -1) if self._one else x.flatten(1) for x in gradients]  # [m, size] each
        norms = torch.stack([torch.linalg.vector_norm(x, dim=1) for x in lane])
        keep = (CLIP / (torch.linalg.vector_norm(norms, dim=0) + 1e-6)).clamp(max=1.0)
        if self._one:  # the fused step divides by it on its way
            self.optimizer.grad_scale = (1 / keep).reshape(())  # type: ignore[attr-defined]
        else:
            for x in lane:
                x.mul_(keep[:, None])
        self.optimizer.step()
        for x in gradients:
            x.zero_()
