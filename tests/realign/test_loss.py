"""The realignment losses against a direct NumPy float64 computation, and the properties they must have."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from realign.encoder.pooling import sentence_vectors, word_vectors
from realign.training.loss import PROJECTION, nt_xent, projection


def numpy_nt_xent(z: np.ndarray, temperature: float, cross: bool = False) -> float:
    """The formula of `loss` written out with loops, in float64. z [2N, p]; `cross`: no same-side negatives."""
    n = len(z) // 2
    total = 0.0
    for i in range(2 * n):
        cosines = [float(z[i] @ z[j] / np.linalg.norm(z[i]) / np.linalg.norm(z[j])) for j in range(2 * n)]
        terms = [np.exp(c / temperature) for j, c in enumerate(cosines) if (j // n != i // n if cross else j != i)]
        total -= np.log(np.exp(cosines[(i + n) % (2 * n)] / temperature) / sum(terms))
    return total / (2 * n)


def numpy_head(head: torch.nn.Sequential, u: np.ndarray) -> np.ndarray:
    first, second = (weight.detach().numpy().astype(np.float64) for weight in head.parameters())
    return np.maximum(u @ first.T, 0) @ second.T


@pytest.mark.parametrize(("n", "d", "temperature"), [(1, 8, 0.1), (4, 16, 0.1), (16, 24, 0.5)])
def test_sentence_loss_equals_numpy(n: int, d: int, temperature: float) -> None:
    generator = torch.Generator().manual_seed(n)
    states = torch.randn(2 * n, 9, d, generator=generator)
    length = torch.randint(1, 8, (2 * n,), generator=generator)
    word = torch.full((2 * n, 9), -1)
    for row, size in enumerate(length.tolist()):
        word[row, 1 : 1 + size] = torch.arange(size) // 2  # [CLS] before, [SEP] and padding after
    head = projection(d, generator)
    got = nt_xent(head(sentence_vectors(states, word)), temperature).item()

    means = np.stack([states[i, 1 : 1 + size].double().numpy().mean(0) for i, size in enumerate(length.tolist())])
    assert got == pytest.approx(numpy_nt_xent(numpy_head(head, means), temperature), abs=1e-5)


def test_word_loss_equals_numpy() -> None:
    generator = torch.Generator().manual_seed(3)
    states = torch.randn(4, 7, 12, generator=generator)  # two pairs: rows 0, 1 are sources, 2, 3 their translations
    word = torch.tensor(
        [[-1, 0, 0, 1, 2, -1, -1], [-1, 0, 1, 1, 1, -1, -1], [-1, 0, 1, 1, 2, 2, -1], [-1, 0, 1, 2, 3, 3, -1]]
    )
    rows, words = torch.tensor([0, 0, 1, 2, 2, 3]), torch.tensor([0, 2, 1, 2, 0, 3])  # links 0-2, 2-0 and 1-3
    head = projection(12, generator)
    got = nt_xent(head(word_vectors(states, word, rows, words)), 0.1).item()

    def vector(row: int, number: int) -> np.ndarray:
        return states[row][word[row] == number].double().numpy().mean(0)

    sources = [vector(0, 0), vector(0, 2), vector(1, 1)]
    targets = [vector(2, 2), vector(2, 0), vector(3, 3)]
    assert got == pytest.approx(numpy_nt_xent(numpy_head(head, np.stack(sources + targets)), 0.1), abs=1e-5)


def test_loss_of_perfect_translations_is_lower_than_of_shuffled_ones() -> None:
    z = torch.randn(8, PROJECTION, generator=torch.Generator().manual_seed(0))
    assert nt_xent(torch.cat([z, z]), 0.1) < nt_xent(torch.cat([z, z.roll(1, 0)]), 0.1)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 12), st.integers(0, 1000))
def test_loss_ignores_the_order_of_pairs_and_the_length_of_vectors(n: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(2 * n, 6, generator=generator, dtype=torch.float64)
    order = torch.randperm(n, generator=generator)
    shuffled = torch.cat([z[:n][order], z[n:][order]])
    assert nt_xent(shuffled * 3.5, 0.1).item() == pytest.approx(nt_xent(z, 0.1).item(), abs=1e-9)


def test_word_vectors_average_sub_words() -> None:
    states = torch.arange(12.0).reshape(1, 4, 3)
    word = torch.tensor([[-1, 0, 0, 1]])
    got = word_vectors(states, word, torch.tensor([0, 0]), torch.tensor([0, 1]))
    assert torch.equal(got, torch.stack([states[0, 1:3].mean(0), states[0, 3]]))


def test_projection_depends_on_its_generator_alone() -> None:
    torch.manual_seed(1)
    first = projection(8, torch.Generator().manual_seed(5))
    torch.manual_seed(2)
    again = projection(8, torch.Generator().manual_seed(5))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize("n", [2, 5])
def test_cross_negatives_are_the_symmetric_infonce(n: int) -> None:
    z = torch.randn(2 * n, 6, generator=torch.Generator().manual_seed(n))
    got = nt_xent(z, 0.2, "cross").item()
    assert got == pytest.approx(numpy_nt_xent(z.double().numpy(), 0.2, cross=True), abs=1e-5)
    unit = torch.nn.functional.normalize(z, dim=1)
    logits, own = unit[:n] @ unit[n:].T / 0.2, torch.arange(n)
    cross_entropy = torch.nn.functional.cross_entropy
    assert got == pytest.approx(((cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2).item(), abs=1e-5)
    assert got < nt_xent(z, 0.2).item()


def test_pooling_of_sentences_and_words() -> None:
    states = torch.arange(24.0).reshape(1, 8, 3)
    word = torch.tensor([[-1, 0, 0, 0, 1, 2, 2, -1]])  # three words, six sub-words
    assert torch.equal(sentence_vectors(states, word), states[:, 1:7].mean(1))
    assert torch.equal(sentence_vectors(states, word, "reference-prefix"), states[:, 1:4].mean(1))
    rows, words = torch.tensor([0, 0, 0]), torch.tensor([2, 0, 1])
    assert torch.equal(word_vectors(states, word, rows, words, "first"), states[0, [5, 1, 4]])
    assert torch.equal(word_vectors(states, word, rows, words)[0], states[0, 5:7].mean(0))


def test_a_word_without_sub_words_is_zero_and_numbers_may_exceed_the_length() -> None:
    states = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    word = torch.tensor([[-1, 7, -1], [-1, 0, -1]])
    got = word_vectors(states, word, torch.tensor([0, 0, 1]), torch.tensor([7, 3, 0]))
    assert torch.equal(got, torch.stack([states[0, 1], torch.zeros(4), states[1, 1]]))
