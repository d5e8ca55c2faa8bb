"""Input embeddings of one training run: only the rows that its text uses.

Rows of words that never occur get no gradient, and AdamW without weight decay leaves them unchanged. So training only
the others gives the same encoder with much less memory traffic in each step (in XLM-R 192 of 278 million weights are
such rows).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from realign.encoder.pooling import rows_of


class UsedRows(nn.Module):
    """Replacement of an embedding while a model is trained on a text: `weight` are the rows of the words in it."""

    def __init__(self, whole: nn.Embedding, used: np.ndarray) -> None:
        """used: numbers of the rows, ascending."""
        super().__init__()
        table = whole.weight.detach()
        self._used = torch.from_numpy(used).to(table.device)
        self._row = torch.full((len(table),), -1, device=table.device)  # −1: an index error if it is used
        self._row[self._used] = torch.arange(len(used), device=table.device)
        self._whole = [whole]  # in a list, so that it is not part of this module's state dictionary
        self.weight = nn.Parameter(table[self._used])

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors [.., d] of `ids` [..]. Any words where no gradient is needed, else only those of the text."""
        if torch.is_grad_enabled():
            return rows_of(self.weight, self._row[ids])
        return nn.functional.embedding(ids, self.whole().weight)

    def row_of(self, ids: Tensor) -> Tensor:
        """Rows of `weight` that stand for the sub-words `ids`."""
        return self._row[ids]

    @torch.no_grad()
    def whole(self) -> nn.Embedding:
        """Embedding of all words, brought up to date."""
        self._whole[0].weight.index_copy_(0, self._used, self.weight)
        return self._whole[0]


def narrow(model: Any, vocabularies: Sequence[np.ndarray]) -> Callable[[], None]:
    """Replace the input embeddings of `model` by `UsedRows`; the function returned puts the embeddings back.

    `vocabularies` are the ids of each text. A model that is narrow already, or whose embeddings are not found, is left
    unchanged.
    """
    whole = model.get_input_embeddings() if hasattr(model, "get_input_embeddings") else None
    if type(whole) is not nn.Embedding or whole.max_norm is not None:
        return lambda: None
    used = np.unique(np.concatenate(vocabularies)).astype(np.int64)
    rows = UsedRows(whole, used)
    model.set_input_embeddings(rows)
    return lambda: model.set_input_embeddings(rows.whole())
