"""Realignment losses: translations are pulled together, everything else in the batch is pushed apart.

Notations
    N   translation pairs in the batch (sentences, or aligned words)
    d   width of the encoder;  p = 128, width of the projection
    u   [2N, d] vectors, sources first, then their translations in the same order
    z   [2N, p] = g(u), g = Linear(d, d) → ReLU → Linear(d, p), both without bias
    s   [2N, 2N] = cos(z_i, z_j) / temperature, the diagonal set to −∞
    loss = − mean_i log softmax(s_i)[partner of i]          (NT-Xent, Chen et al. 2020, eq. 1; as in arXiv 2511.06497)

Sentences of the same language stay in the denominator: they are negatives too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

PROJECTION = 128


def projection(width: int, generator: torch.Generator) -> nn.Sequential:
    """The head g, initialized from `generator` alone (uniform in ±1/√d, torch's default for linear layers)."""
    head = nn.Sequential(nn.Linear(width, width, bias=False), nn.ReLU(), nn.Linear(width, PROJECTION, bias=False))
    bound = width**-0.5
    with torch.no_grad():
        for weight in head.parameters():
            weight.uniform_(-bound, bound, generator=generator)
    return head


def nt_xent(z: Tensor, temperature: float) -> Tensor:
    """Contrastive loss of 2N projected vectors, sources first. Scalar."""
    pairs = z.shape[0] // 2
    z = nn.functional.normalize(z, dim=1)
    s = z @ z.T / temperature
    s = s.masked_fill(torch.eye(2 * pairs, dtype=torch.bool, device=z.device), float("-inf"))
    partner = torch.arange(2 * pairs, device=z.device).roll(pairs)
    return nn.functional.cross_entropy(s, partner)


def sentence_vectors(states: Tensor, word: Tensor) -> Tensor:
    """Mean over true sub-words. states [n, t, d], word [n, t] (−1 for special tokens and padding) → [n, d]."""
    mask = (word >= 0).to(states.dtype)
    return torch.einsum("ntd,nt->nd", states, mask) / mask.sum(1, keepdim=True).clamp(min=1)


def word_vectors(states: Tensor, word: Tensor, rows: Tensor, words: Tensor) -> Tensor:
    """Mean over the sub-words of chosen words. rows, words [m]: sentence and word numbers → [m, d]."""
    n, _, d = states.shape
    width = int(word.max()) + 1
    slot = torch.arange(n, device=word.device)[:, None] * width + word
    real = word >= 0
    sums = states.new_zeros(n * width, d).index_add(0, slot[real], states[real])
    counts = states.new_zeros(n * width).index_add(0, slot[real], states.new_ones(int(real.sum())))
    at = rows * width + words
    return sums[at] / counts[at].clamp(min=1)[:, None]
