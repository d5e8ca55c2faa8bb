"""Text that stands where other text is due: a test that was trained on, one file under two languages, a translation
that is none. Nothing fails of it, and scores mean something else; so it is said.

Sentences are compared as they are written, by a hash. Some stand twice in any corpus ("Yes."), so that only a share
that chance does not bring is told.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from realign.build import corpora
from realign.core import Core
from realign.data_sets import HubSet, several
from selector.languages.language import Pool

if TYPE_CHECKING:
    from realign.corpora.base import Parallel

Hashes = NDArray[np.uint64]  # [n], of n sentences

SHARE = 0.1  # of the sentences of a split, from which on it is told
GLANCE = 1000  # pairs of a language that are looked at

log = logging.getLogger("realingo.data")


class TaskText:
    """The sentences of each language and split that were looked at so far."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], Hashes] = {}  # in ascending order
        self._first: dict[tuple[str, str], Hashes] = {}  # of the first sentences alone

    def add(self, code: str, split: str, rows: Sequence[Any]) -> None:
        """Warn where sentences of the split were seen in the training data, the other split, or another language.

        Of two languages the first sentences are compared.
        """
        new = hashes(_sentence(row) for row in rows)
        for (other, part), known in self._seen.items():
            where = f"the {part} data of {other}"
            if other == code or part == "train":
                _tell(code, split, new, known, where)
            elif part == split:
                _tell(code, split, new[:GLANCE], self._first[other, part], where)
        self._seen[code, split], self._first[code, split] = np.sort(new), np.sort(new[:GLANCE])


class ParallelText:
    """The first pairs of each language that was looked at so far."""

    def __init__(self) -> None:
        self._seen: dict[str, Hashes] = {}

    def add(self, code: str, pairs: Iterable[Any]) -> None:
        """Warn of translations that are the source sentence again, or the text of another language."""
        some = [pair for pair in islice(pairs, GLANCE) if pair.target]
        copies = sum(pair.source == pair.target for pair in some)
        if some and copies >= SHARE * len(some):
            log.warning("%d of the first %d pairs of %s are the same on both sides", copies, len(some), code)
        new = hashes(pair.target for pair in some)
        for other, known in self._seen.items() if copies < len(some) else ():
            shared = count_known(new, known)
            if shared >= SHARE * len(new):
                log.warning("%d of the first %d sentences of %s are those of %s as well", shared, len(new), code, other)
        self._seen[code] = np.sort(new)


def _tell(code: str, split: str, new: Hashes, known: Hashes, where: str) -> None:
    shared = count_known(new, known)
    if shared >= SHARE * len(new):
        log.warning("%d of %d %s sentences of %s stand in %s as well", shared, len(new), split, code, where)


def count_known(new: Hashes, known: Hashes) -> int:
    """How many of the new are among the known, which ascend."""
    places = np.searchsorted(known, new)
    return int((known[np.minimum(places, len(known) - 1)] == new).sum()) if len(known) else 0


def readable(core: Core, pool: Pool, text: Parallel | None) -> Parallel | None:
    """The parallel text to look at: files from their first line on, else what is in use; None where it is generated."""
    if text is None or core.data.parallel == "world":
        return None
    files = not any(isinstance(each, HubSet) for each in several(core.data.parallel))
    return corpora.parallel_corpus(core, core.data.parallel, pool) if files else text


def hashes(sentences: Iterable[Sequence[str]]) -> Hashes:
    """A hash of each sentence's words. [n]"""
    digests = [
        blake2b("\0".join(words).encode("utf-8", "surrogatepass"), digest_size=8).digest() for words in sentences
    ]
    return np.frombuffer(b"".join(digests), dtype=np.uint64)


def _sentence(row: Any) -> tuple[str, ...]:
    """What of a row of task data is read: the words that are tagged, both sentences of two, a translation."""
    if hasattr(row, "words"):
        return tuple(row.words)
    if hasattr(row, "target"):
        return tuple(row.target)
    return (*row.first, "\n", *(row.second or ()))
