"""Samples of large parallel text: as many pairs of each language as a run can see, chosen by a hash of their numbers.

    order     the pairs of a language ascend by a hash of their number; the key of the hash is the language's code
    sample    the first n of them that the filter keeps, given back in the order of the text

So the sample of a language is the same for every subset, and a larger sample contains it. It is read once and kept in
the store; the other pairs only cost a quick pass over their lines. A language with at most n pairs is left as it is.

Of large parquet files any choice of single rows would need every part of the file. There the parts are chosen by a hash
of their number first, and then rows within them: one part from each eighth of the file (`TOGETHER`), with their rows
mixed, so that even a small sample comes from all over the text, then one part after the other. Parts hold neighbouring
rows, so in text that is sorted by origin such a sample is less even than one of single rows; `data.pairs = "all"` reads
everything. The order depends on the file alone: read whole from a folder, or in parts from the hub, the same file gives
the same sample.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from realign.corpora.corpus import ByNumber, Links, Pair, Parallel, Split, blocks_of, pick
from realign.corpora.filters import FilteredPairs
from realign.inputs import RESTORE, ChangedError
from realign.store.array_store import Arrays, ArrayStream, StoredArrays, find, key_of, load_or_compute

BLOCK = 1 << 20  # numbers hashed at a time
SPARE = 1.15  # candidates for each pair wanted, at first: the filter drops some
PIECE = 4096  # pairs written at a time
TOGETHER = 8  # parts of a large file that a sample comes from at least, each of another eighth of it

log = logging.getLogger("realingo.pairs")


class SampledParallel:
    """Parallel text of which each language has at most `limit` training pairs (a `Parallel` around a `Parallel`)."""

    def __init__(self, parallel: Parallel, limit: int) -> None:
        self.around, self._limit = parallel, limit

    @property
    def signature(self) -> str:
        return f"{self.around.signature} sample:{self._limit}"

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        """Sample of `language` in the train split, made now if it is not stored.

        Other splits are as in the corpus inside.
        """
        key = key_of("sample", self.signature, language)
        known = find("sample", key) if split == "train" else None
        if known is not None and not known.facts["whole"]:
            return StoredPairs(known)  # the text need not even be opened
        every = self.around.pairs(language, split)
        raw = every.every if isinstance(every, FilteredPairs) else every
        if split != "train" or len(raw) <= self._limit:
            return every
        stored = load_or_compute("sample", key, lambda: self._draw(language, every, raw))
        return every if stored.facts["whole"] else StoredPairs(stored)

    def _draw(self, language: str, every: Sequence[Pair], raw: Sequence[Pair]) -> ArrayStream:
        signature = self.signature
        drawn = draw_pairs(language, raw, every if isinstance(every, FilteredPairs) else None, self._limit)
        if self.signature != signature:
            raise ChangedError("the parallel text changed while it was read", RESTORE)
        if drawn is None:  # the filter leaves fewer than are wanted: all of them
            return ArrayStream([], {"whole": True})
        facts = {"whole": False, "available": len(raw), "read": drawn.read, "dropped": dict(drawn.dropped)}
        blocks = blocks_of(raw)
        parts = f", from {_count_blocks(blocks, drawn.numbers)} of its {len(blocks)} parts" if blocks else ""
        reasons = "".join(f", {count} {reason}" for reason, count in drawn.dropped.items())
        message = "%s: a sample of %d of %d pairs is used%s; dropped while choosing: %d of %d%s"
        log.warning(message, language, self._limit, len(raw), parts, drawn.dropped.total(), drawn.read, reasons)
        return ArrayStream(_pieces(drawn), facts)


@dataclass(frozen=True)
class PairSample:
    """n chosen pairs in the order of the text, and the number of pairs dropped while choosing."""

    numbers: np.ndarray  # [n] int64, ascending
    packed: list[bytes]  # [n]
    links: list[Links] | None  # [n]; None where the pairs carry none
    read: int  # pairs looked at
    dropped: Counter[str]


def draw_pairs(language: str, pairs: Sequence[Pair], rules: FilteredPairs | None, limit: int) -> PairSample | None:
    """First `limit` of `pairs`, in the order of the hash for `language`, that `rules` keep; None where they keep fewer.

    Of equal pairs the first in that order is kept. Only the candidates are held in memory.
    """
    total, blocks = len(pairs), blocks_of(pairs)
    count = min(total, math.ceil(SPARE * limit) + 64) if rules is not None else limit
    while True:
        order = first_in_blocks(language, blocks, count) if blocks else first(language, total, count)
        found = _choose(pairs, rules, order, limit)
        if len(found.numbers) == limit:
            return found
        if count == total:
            return None
        count = min(total, math.ceil(SPARE * count * limit / max(1, len(found.numbers))) + 64)


def first(language: str, total: int, count: int) -> np.ndarray:
    """First `count` of the numbers below `total` in the order of `language`, in that order, [count] int64."""
    count = min(count, total)
    key = _key(language)
    bound = np.uint64(min(2**64 - 1, int(2**64 * min(1.0, (count + 8 * math.sqrt(count) + 64) / total))))
    numbers, hashes = [], []
    for start in range(0, total, BLOCK):
        block = np.arange(start, min(total, start + BLOCK), dtype=np.uint64)
        mixed = _mix(block ^ key)
        low = mixed <= bound
        numbers.append(block[low])
        hashes.append(mixed[low])
    order = np.argsort(np.concatenate(hashes), kind="stable")[:count]
    if len(order) < count:  # eight standard deviations away: it never happens, but it must not go unnoticed
        raise AssertionError("the hash of pair numbers is not even")
    return np.concatenate(numbers)[order].astype(np.int64)


def first_in_blocks(language: str, blocks: Sequence[int], count: int) -> np.ndarray:
    """As `first`, for items in `blocks` that are read as a whole: from as few blocks as give `count` items, [count]
    int64.

    `blocks` has the number of items of each block, in the order of the text.
    """
    ends, key, left = np.cumsum(blocks), _key(language), count
    chosen = [np.empty(0, dtype=np.int64)]
    for some in _order_of_blocks(language, len(blocks)):
        if left <= 0:
            break
        numbers = np.concatenate([np.arange(ends[block] - blocks[block], ends[block]) for block in some])
        ranked = numbers[np.argsort(_mix(numbers.astype(np.uint64) ^ key), kind="stable")]
        chosen.append(ranked[:left])
        left -= len(ranked)
    return np.concatenate(chosen)


def _order_of_blocks(language: str, count: int) -> list[np.ndarray]:
    """Blocks in the order in which they are read; those of one array count as one."""
    order = np.argsort(_mix(np.arange(count, dtype=np.uint64) ^ _key(f"blocks of {language}")), kind="stable")
    eighth = order * TOGETHER // count
    first = np.zeros(count, dtype=bool)
    first[np.unique(eighth, return_index=True)[1]] = True
    return [order[first], *order[~first, None]]


def _count_blocks(blocks: Sequence[int], numbers: np.ndarray) -> int:
    """Number of blocks with at least one of the numbers."""
    return len(np.unique(np.searchsorted(np.cumsum(blocks), numbers, side="right")))


def _key(text: str) -> np.uint64:
    return np.uint64(np.frombuffer(hashlib.blake2b(text.encode(), digest_size=8).digest(), dtype="<u8")[0])


def _mix(x: np.ndarray) -> np.ndarray:
    """splitmix64 (Steele, Lea and Flood 2014): a permutation of the 64-bit numbers. [n] uint64 → [n] uint64"""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _choose(pairs: Sequence[Pair], rules: FilteredPairs | None, order: np.ndarray, limit: int) -> PairSample:
    """At most `limit` of the candidates `order` (in the order of the hash)."""
    reading = np.argsort(order, kind="stable")  # candidates in the order of the text
    packed: list[bytes] = [b""] * len(order)
    links: list[Links | None] = [None] * len(order)
    reasons: dict[int, str] = {}
    for rank, pair in zip(reading.tolist(), pick(pairs, order[reading].tolist()), strict=True):
        reason = rules.reason(pair) if rules is not None else None
        if reason:
            reasons[rank] = reason
        else:
            packed[rank], links[rank] = pack_words(pair), pair.links
    once = rules is not None and not rules.duplicates
    ranks, dropped = _walk(packed, reasons, once, limit)
    ranks.sort(key=order.__getitem__)
    given = [own for rank in ranks if (own := links[rank]) is not None]
    linked = given if given and len(given) == len(ranks) else None
    return PairSample(order[ranks], [packed[rank] for rank in ranks], linked, len(ranks) + dropped.total(), dropped)


def _walk(packed: Sequence[bytes], reasons: dict[int, str], once: bool, limit: int) -> tuple[list[int], Counter[str]]:
    """Ranks that are kept, until there are `limit`, and the reasons why others are not.

    `once`: of equal pairs only one.
    """
    ranks: list[int] = []
    dropped: Counter[str] = Counter()
    seen: set[bytes] = set()
    for rank, text in enumerate(packed):
        if len(ranks) == limit:
            break
        reason = reasons.get(rank) or ("duplicate" if once and text in seen else None)
        if reason:
            dropped[reason] += 1
            continue
        seen.add(text)
        ranks.append(rank)
    return ranks, dropped


def pack_words(pair: Pair) -> bytes:
    """Words of both sides of `pair`, which have no white space in them, as one string of bytes."""
    return "\n".join((" ".join(pair.source), " ".join(pair.target))).encode("utf-8", "surrogatepass")


def unpack(text: bytes, links: Links | None) -> Pair:
    source, _, target = text.decode("utf-8", "surrogatepass").partition("\n")
    return Pair(_words(source), _words(target), links)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(" ")) if text else ()


def _pieces(drawn: PairSample) -> Iterator[Arrays]:
    yield {"numbers": drawn.numbers, "offsets": np.zeros(1, dtype=np.int64)}
    if drawn.links is not None:
        yield {"link_offsets": np.zeros(1, dtype=np.int64)}
    base = links_base = 0
    for start in range(0, len(drawn.packed), PIECE):
        some = drawn.packed[start : start + PIECE]
        ends = np.cumsum([len(text) for text in some]) + base
        yield {"text": np.frombuffer(b"".join(some), dtype=np.uint8), "offsets": ends.astype(np.int64)}
        base = int(ends[-1])
        if drawn.links is not None:
            links = drawn.links[start : start + PIECE]
            stops = np.cumsum([len(each) for each in links]) + links_base
            flat = np.array([link for each in links for link in each], dtype=np.int16).ravel()
            yield {"links": flat, "link_offsets": stops.astype(np.int64)}
            links_base = int(stops[-1])


class StoredPairs(ByNumber[Pair]):
    """Pairs of a sample, mapped from the store."""

    def __init__(self, stored: StoredArrays) -> None:
        self._arrays = stored.arrays
        self.facts: dict[str, Any] = dict(stored.facts)

    @property
    def dropped(self) -> dict[str, int]:
        """Number of pairs dropped while the sample was chosen, by reason."""
        return dict(self.facts["dropped"])

    @property
    def available(self) -> int:
        """Number of pairs that the sample was chosen from."""
        return int(self.facts["available"])

    @cached_property
    def numbers(self) -> np.ndarray:
        """Numbers [n] of the pairs in the text, ascending from 0."""
        return self._arrays["numbers"]

    def __len__(self) -> int:
        return len(self._arrays["offsets"]) - 1

    def __iter__(self) -> Iterator[Pair]:
        for start in range(0, len(self), PIECE):  # one by one takes twice as long
            ends = self._arrays["offsets"][start : start + PIECE + 1].tolist()
            text, first = self._arrays["text"][ends[0] : ends[-1]].tobytes(), ends[0]
            for number, (begin, end) in enumerate(pairwise(ends), start):
                yield unpack(text[begin - first : end - first], self._links(number))

    def _at(self, number: int) -> Pair:
        start, stop = self._arrays["offsets"][number : number + 2]
        return unpack(self._arrays["text"][start:stop].tobytes(), self._links(number))

    def _links(self, number: int) -> Links | None:
        if "link_offsets" not in self._arrays:
            return None
        start, stop = self._arrays["link_offsets"][number : number + 2]
        flat = self._arrays["links"][2 * start : 2 * stop].reshape(-1, 2)
        return tuple((int(i), int(j)) for i, j in flat)
