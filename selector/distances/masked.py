"""Comparing all pairs of n languages feature by feature, in blocks of rows so that n = 8,000 fits in memory.

Notations
    x    values [n, d], 0 where not observed
    m    observed [n, d]
    o    overlap [n, n]: how many features were observed for both
A pair on fewer than `least` shared features is not compared: NaN, never 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.floating]
Counts = NDArray[np.uint16]

LARGE = 2048  # languages from which on matrices are float32: half the memory, seven digits
_BLOCK = 512  # rows at a time


def precision(n: int) -> type[np.floating]:
    """Number type of an [`n`, `n`] matrix: single precision above `LARGE` languages."""
    return np.float32 if n > LARGE else np.float64


def cosine(x: NDArray[np.float64]) -> Matrix:
    """1 - cosine between all rows of `x`, [n, n]; NaN for a row of zeros. Every value counts, observed or not."""
    length = np.linalg.norm(x, axis=1, keepdims=True)
    unit = np.divide(x, length, out=np.full_like(x, np.nan), where=length > 0).astype(precision(len(x)))
    answer = unit @ unit.T
    return np.subtract(1.0, answer, out=answer)


def hamming(x: NDArray[np.float64]) -> Matrix:
    """Share of the features in which rows of `x` (zeros and ones) differ, [n, n]."""
    x = x.astype(precision(len(x)))
    ones = x.sum(axis=1)
    answer = x @ x.T
    answer *= -2.0
    answer += ones[:, None]
    answer += ones
    answer /= x.shape[1]
    return answer


def masked_cosine(x: NDArray[np.float64], m: NDArray[np.bool_], o: Counts, least: int) -> Matrix:
    """1 - cosine over the features observed for both rows, [n, n]; NaN where fewer than `least` are shared."""
    kind = precision(len(x))
    x, mask = np.where(m, x, 0.0).astype(kind), m.astype(kind)
    squares = x * x
    answer = np.empty((len(x), len(x)), kind)
    for rows in _blocks(len(x)):
        length = np.sqrt((squares[rows] @ mask.T) * (mask[rows] @ squares.T))  # (b, n)
        compared = (o[rows] >= least) & (length > 0)
        answer[rows] = 1.0 - np.divide(x[rows] @ x.T, length, out=np.full_like(length, np.nan), where=compared)
    return _symmetric(answer)


def masked_mismatch(states: NDArray[np.intp], m: NDArray[np.bool_], o: Counts, least: int) -> Matrix:
    """Share of differing `states` among the features observed for both rows (Gower 1971, nominal), [n, n].

    NaN where fewer than `least` are shared.
    """
    kind = precision(len(states))
    coded = [(states == state) & m for state in range(int(states.max(initial=0)) + 1)]
    x = np.concatenate(coded, axis=1).astype(kind)  # (n, d · states), a one for each observed state
    answer = np.empty((len(x), len(x)), kind)
    for rows in _blocks(len(x)):
        shared = o[rows].astype(kind)
        share = np.divide(x[rows] @ x.T, shared, out=np.full_like(shared, np.nan), where=shared >= max(1, least))
        answer[rows] = 1.0 - share
    return answer


def overlap(m: NDArray[np.bool_], sources: Sequence[str]) -> Counts:
    """Number of features observed for both languages [n, n], from the mask `m`; for one language on the diagonal.

    0 for two languages with the same row in `sources` (the code of the row read, [n]): it does not tell how they
    differ.
    """
    mask = m.astype(np.float32)
    _, source = np.unique(np.array(sources, dtype=object).astype(str), return_inverse=True)
    answer = np.empty((len(m), len(m)), np.uint16)
    for rows in _blocks(len(m)):
        answer[rows] = np.where(source[rows, None] == source, 0.0, mask[rows] @ mask.T)
    np.fill_diagonal(answer, m.sum(axis=1))
    return answer


def fill_unknown(matrix: Matrix, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill `matrix` in place and return the pairs that nothing is known about, [n, n].

    Afterwards the diagonal is zero and values are within 0 and 1. A pair that is NaN, or has a language that is not
    `known` [n], gets the mean of the compared pairs.
    """
    matrix[~known] = np.nan
    matrix[:, ~known] = np.nan
    np.fill_diagonal(matrix, np.nan)  # no pair
    np.clip(matrix, 0.0, 1.0, out=matrix)
    unknown = np.isnan(matrix)
    neutral = 0.5 if unknown.all() else float(np.mean(matrix, where=~unknown, dtype=np.float64))
    matrix[unknown] = neutral
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(unknown, False)
    return unknown


def _symmetric(matrix: Matrix) -> Matrix:
    """Copy the upper triangle to the lower, in place: rounding may differ between blocks."""
    for rows in _blocks(len(matrix)):
        matrix[rows.stop :, rows] = matrix[rows, rows.stop :].T
        square = matrix[rows, rows]
        below = np.tril_indices(len(square), -1)
        square[below] = square.T[below]
    return matrix


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, min(n, start + _BLOCK)) for start in range(0, n, _BLOCK))
