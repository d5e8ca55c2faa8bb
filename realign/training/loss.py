"""Realignment losses: translations are pulled together, everything else in the batch is pushed apart.

Notations
    N   translation pairs in the batch (sentences, or aligned words)
    d   width of the encoder;  p = 128, width of the projection
    u   [2N, d] vectors, sources first, then their translations in the same order
    z   [2N, p] = g(u), g = Linear(d, d) → ReLU → Linear(d, p), both without bias; or z = u without a projection
    s   [2N, 2N] = cos(z_i, z_j) / temperature, the diagonal set to −∞
    loss = − mean_i log softmax(s_i)[partner of i]          (NT-Xent, Chen et al. 2020, eq. 1; as in arXiv 2511.06497)

Sentences of the same side stay in the denominator: they are negatives too (negatives = "all"). With "cross" they are
set to −∞ as well, which leaves the symmetric InfoNCE of source against translation (Radford et al. 2021, figure 3).

Pooling of a sentence: "mean" over its true sub-words, or "reference-prefix", the mean over its first m sub-words with
m = its number of words, as the public code of arXiv 2511.06497 has it. Of a word: "mean", or its "first" sub-word.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

PROJECTION = 128


def projection(width: int, generator: torch.Generator) -> nn.Sequential:
    """Head g for encoders of `width`, initialized from `generator` alone (uniform in ±1/√d, torch's default)."""
    with torch.random.fork_rng(devices=[]):  # layers draw a first, unused initialization from the global state
        head = nn.Sequential(nn.Linear(width, width, bias=False), nn.ReLU(), nn.Linear(width, PROJECTION, bias=False))
    bound = width**-0.5
    with torch.no_grad():
        for weight in head.parameters():
            weight.uniform_(-bound, bound, generator=generator)
    return head


def nt_xent(z: Tensor, temperature: float, negatives: str = "all") -> Tensor:
    """Contrastive loss of 2N projected vectors `z`, sources first; `negatives` is "all" or "cross". A scalar."""
    pairs = z.shape[0] // 2
    z = nn.functional.normalize(z, dim=1)
    s = z @ z.T / temperature
    index = torch.arange(2 * pairs, device=z.device)
    side = index // pairs if negatives == "cross" else index
    s = s.masked_fill(side[:, None] == side, float("-inf"))
    return nn.functional.cross_entropy(s, index.roll(pairs))
