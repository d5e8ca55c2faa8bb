"""Mean hidden states of languages, and how similar languages are by them and by their text.

    python studies/search/language_states.py FOLDER-OF-ENCODER FOLDER-OF-VERSES e5-states.npz

Forward passes only, states of the middle layer (as NN-Rank takes them, arXiv 2510.03202), five to twenty seconds a
language on one busy core. Mean states: mean over tokens, centred over languages, cosine. CKA: linear, of the sentence
vectors of the same verses. Retrieval: share of sentences whose nearest neighbour in the other language is their
translation, the mean of both directions. The text alone: shared sub-words, fertility (sub-words a word), different
words a word.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realign.encoder.encoder import Encoder, load
from selector.languages.language import parse

Array = NDArray[np.float64]

SENTENCES = 48  # of each language, the same verses
LONGEST = 48  # sub-words
VERSES = 500  # of each language, for what its sub-words are


def sentence_states(encoder: Encoder, sentences: Sequence[tuple[str, ...]]) -> tuple[Array, Array]:
    """Sentence vectors [n, d] and mean state of a token [d] at the middle layer."""
    import torch

    from realign.encoder.encoder import transformer_blocks
    from realign.encoder.hidden_states import hidden_states
    from realign.encoder.pooling import sentence_vectors

    table, layer = encoder.encode(sentences, LONGEST), len(transformer_blocks(encoder.model)) // 2
    vectors, total, count = np.zeros((len(sentences), encoder.width)), np.zeros(encoder.width), 0
    with torch.inference_mode():
        for rows in table.chunks(24):
            ids, mask, word = table.take(rows)
            states = hidden_states(encoder.model, ids, mask, layer)
            vectors[rows] = sentence_vectors(states, word).numpy()
            total += states[word >= 0].sum(dim=0).numpy()
            count += int((word >= 0).sum())
    return vectors, total / count


def save_states(folder: Path, verses: Path, out: Path) -> None:
    """States of every language in a folder of verses, on the same verses; goes on where it ended."""
    texts = {file.name[:3]: _verses(file) for file in sorted(verses.glob("*.txt.gz"))}
    whole = [text for text in texts.values() if len(text) > 0.9 * max(map(len, texts.values()))]
    common = sorted(set.intersection(*map(set, whole)))
    chosen = [common[i] for i in np.random.default_rng(0).permutation(len(common))[:SENTENCES]]
    done = dict(np.load(out)) if out.exists() else {}
    encoder = load(str(folder))
    for code, text in texts.items():
        if f"{code} pieces" not in done:
            done |= {f"{code} {name}": found for name, found in sub_words(encoder, [*text.values()][:VERSES]).items()}
        if f"{code} mean" in done:
            continue
        has = np.array([verse in text for verse in chosen])
        vectors, mean = sentence_states(encoder, [tuple(text[v].split()) for v in chosen if v in text])
        done |= {f"{code} sentences": vectors, f"{code} mean": mean, f"{code} has": has}
        np.savez(out, **done)
        print(code, int(has.sum()), flush=True)
    np.savez(out, **done)


def sub_words(encoder: Encoder, sentences: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """Sub-words that occur, how often each does, and the number of words and of different words."""
    words = [tuple(sentence.split()) for sentence in sentences]
    table = encoder.encode(words, 512)
    pieces, counts = np.unique(table.ids[table.word >= 0], return_counts=True)
    flat = [word for some in words for word in some]
    return {"pieces": pieces, "counts": counts, "words": np.array([len(flat), len(set(flat))])}


def of_text(arrays: Mapping[str, Array], codes: Sequence[str]) -> dict[str, Array]:
    """Similarity by the text alone: shared sub-words, fertility (sub-words a word), different words a word."""
    size = 1 + max(int(arrays[f"{code} pieces"].max()) for code in codes)
    shares = np.zeros((len(codes), size))
    for row, code in zip(shares, codes, strict=True):
        row[arrays[f"{code} pieces"].astype(int)] = arrays[f"{code} counts"] / arrays[f"{code} counts"].sum()
    overlap = np.array([np.minimum(row, shares).sum(axis=1) for row in shares])
    words = np.stack([arrays[f"{code} words"] for code in codes])  # (n, 2)
    fertility = np.log([arrays[f"{code} counts"].sum() for code in codes] / words[:, 0])
    variety = np.log(words[:, 1] / words[:, 0])
    return {
        "shared sub-words": overlap,
        "fertility": -np.abs(fertility[:, None] - fertility),
        "type-token ratio": -np.abs(variety[:, None] - variety),
    }


def _verses(file: Path) -> dict[str, str]:
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        return dict(line.rstrip("\n").split("\t", 1) for line in stream)


def similarities(
    mean: Mapping[str, Array], vectors: Mapping[str, Array], has: Mapping[str, NDArray[np.bool_]]
) -> dict[str, Array]:
    """Name → similarity of the languages [n, n], in the order of `mean`."""
    codes = list(mean)
    states = np.stack([mean[code] for code in codes])
    centred = states - states.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    cka, found = np.eye(len(codes)), np.eye(len(codes))
    for i, one in enumerate(codes):
        for j, other in enumerate(codes[:i]):
            both = has[one] & has[other]
            x, y = vectors[one][both[has[one]]], vectors[other][both[has[other]]]
            cka[i, j] = cka[j, i] = _cka(x, y)
            found[i, j] = found[j, i] = _retrieval(x, y)
    return {"mean states": unit @ unit.T, "CKA": cka, "retrieval": found}


def _cka(x: Array, y: Array) -> float:
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return float(np.square(x.T @ y).sum() / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


def _retrieval(x: Array, y: Array) -> float:
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    close = (x / np.linalg.norm(x, axis=1, keepdims=True)) @ (y / np.linalg.norm(y, axis=1, keepdims=True)).T
    right = np.arange(len(x))
    return float(((close.argmax(axis=1) == right).mean() + (close.argmax(axis=0) == right).mean()) / 2)


def from_file(file: Path) -> tuple[list[str], dict[str, Array]]:
    """Codes and similarities of saved states."""
    with np.load(file) as arrays:
        codes = sorted(name[:3] for name in arrays if name.endswith(" mean"))
        text = of_text(arrays, codes) if f"{codes[0]} pieces" in arrays else {}
        parts = [{code: arrays[f"{code} {part}"] for code in codes} for part in ("mean", "sentences", "has")]
    return [parse(code).code for code in codes], {**similarities(*parts), **text}


if __name__ == "__main__":
    save_states(*map(Path, sys.argv[1:]))
