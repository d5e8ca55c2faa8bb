"""Text that repeats where it should differ: test sentences in the training data, one file under two languages, a
"translation" that is the source again.

Nothing fails because of it, but scores then mean something else, so a warning says it. Sentences are compared as
written, by a hash. Some occur twice in any corpus ("Yes."), so only a share beyond chance is reported.
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
from realign.data_sets import HubSet, as_tuple
from selector.languages.language import Pool

if TYPE_CHECKING:
    from realign.corpora.corpus import Parallel

Hashes = NDArray[np.uint64]  # [n], of n sentences

SHARE = 0.1  # share of a split's sentences from which on a warning is logged
GLANCE = 1000  # pairs checked per language

log = logging.getLogger("realingo.data")


class TaskText:
    """Sentences of each language and split that were checked so far."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], Hashes] = {}  # in ascending order
        self._first: dict[tuple[str, str], Hashes] = {}  # of the first sentences alone

    def add(self, code: str, split: str, rows: Sequence[Any]) -> None:
        """Warn if sentences in `rows` (language `code`, one `split`) are also in the training data, the other split, or
        another language.

        Of two languages only the first sentences are compared.
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
    """First pairs of each language that was checked so far."""

    def __init__(self) -> None:
        self._seen: dict[str, Hashes] = {}

    def add(self, code: str, pairs: Iterable[Any]) -> None:
        """Warn if `pairs` of the language `code` have the source sentence as translation, or the text of another
        language.
        """
        some = [pair for pair in islice(pairs, GLANCE) if pair.target]
        copies = sum(pair.source == pair.target for pair in some)
        if some and copies >= SHARE * len(some):
            log.warning("%d of the first %d pairs of %s are the same on both sides", copies, len(some), code)
        new = hashes(pair.target for pair in some)
        for other, known in self._seen.items() if copies < len(some) else ():
            shared = count_known(new, known)
            if shared >= SHARE * len(new):
                log.warning(
                    "%d of the first %d sentences of %s are also sentences of %s", shared, len(new), code, other
                )
        self._seen[code] = np.sort(new)


def _tell(code: str, split: str, new: Hashes, known: Hashes, where: str) -> None:
    shared = count_known(new, known)
    if shared >= SHARE * len(new):
        log.warning("%d of %d %s sentences of %s are also in %s", shared, len(new), split, code, where)


def count_known(new: Hashes, known: Hashes) -> int:
    """Number of hashes in `new` that are in `known`, which is sorted."""
    places = np.searchsorted(known, new)
    return int((known[np.minimum(places, len(known) - 1)] == new).sum()) if len(known) else 0


def text_to_check(core: Core, pool: Pool, text: Parallel | None) -> Parallel | None:
    """Parallel text to check: files from their first line on, else `text`, the one in use.

    None where it is generated.
    """
    if text is None or core.data.parallel == "world":
        return None
    files = not any(isinstance(each, HubSet) for each in as_tuple(core.data.parallel))
    return corpora.parallel_corpus(core, core.data.parallel, pool) if files else text


def hashes(sentences: Iterable[Sequence[str]]) -> Hashes:
    """Hashes [n] of the words of `sentences`."""
    digests = [
        blake2b("\0".join(words).encode("utf-8", "surrogatepass"), digest_size=8).digest() for words in sentences
    ]
    return np.frombuffer(b"".join(digests), dtype=np.uint64)


def _sentence(row: Any) -> tuple[str, ...]:
    """Words of a row of task data: the tagged words, both sentences of a pair, or a translation."""
    if hasattr(row, "words"):
        return tuple(row.words)
    if hasattr(row, "target"):
        return tuple(row.target)
    return (*row.first, "\n", *(row.second or ()))
