"""What is asked of a strategy: the frame, how many, under which distances, what must and must not be chosen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from selector.distance import Distances, distances
from selector.errors import InputError
from selector.language import Language, Pool


class Options(TypedDict, total=False):
    """What `strategy.choose` takes by name."""

    metric: str
    source: Language | None
    include: Iterable[Language]
    exclude: Iterable[Language]
    seed: int


@dataclass(frozen=True)
class Problem:
    """Choose k of the n languages of the frame; indices into the frame everywhere."""

    frame: Pool  # [n], sorted by code; the source is not in it
    k: int
    distances: Distances  # of the frame
    to_source: NDArray[np.float64] | None  # [n]
    source: Language | None
    pinned: tuple[int, ...]  # must be chosen
    free: tuple[int, ...]  # may be chosen besides; languages of unknown place only where the others do not suffice

    @property
    def forced(self) -> bool:
        """Only one answer is possible."""
        return self.k in (len(self.pinned), len(self.pinned) + len(self.free))


def pose(
    pool: Iterable[Language],
    k: int,
    metric: str = "syntactic",
    source: Language | None = None,
    include: Iterable[Language] = (),
    exclude: Iterable[Language] = (),
) -> Problem:
    """A checked problem. The source is never a candidate, even where the pool names it.

    Raises InputError for an empty pool, an impossible k, and pins or exclusions that contradict pool, source or k.
    """
    frame = tuple(sorted({language for language in pool if language != source}))
    pinned, excluded = set(include), set(exclude)
    _check(frame, k, source, pinned, excluded)
    everyone = (*frame, source) if source is not None else frame
    measured = distances(everyone, metric)
    n = len(frame)
    inside = Distances(measured.matrix[:n, :n], measured.observed[:n], measured.known[:n])
    return Problem(
        frame=frame,
        k=k,
        distances=inside,
        to_source=measured.matrix[:n, n] if source is not None else None,
        source=source,
        pinned=tuple(i for i, language in enumerate(frame) if language in pinned),
        free=_free(frame, k - len(pinned), pinned | excluded, inside.known),
    )


def _free(frame: Pool, wanted: int, taken: set[Language], known: NDArray[np.bool_]) -> tuple[int, ...]:
    """Candidates besides the pinned; those whose place is unknown only where `wanted` needs them."""
    candidates = [i for i, language in enumerate(frame) if language not in taken]
    certain = [i for i in candidates if known[i]]
    return tuple(certain if len(certain) >= wanted else candidates)


def _check(frame: Pool, k: int, source: Language | None, pinned: set[Language], excluded: set[Language]) -> None:
    if not frame:
        raise InputError("the pool is empty", "name at least one language besides the source")
    if k < 1:
        raise InputError(f"k is {k}, but at least one language must be chosen", f"give -k from 1 to {len(frame)}")
    if source in pinned:
        raise InputError(f"{_codes({source})} is the source and cannot be chosen", "leave the source out of --include")
    for name, given in (("include", pinned), ("exclude", excluded)):
        if not given <= set(frame) | {source}:
            outside = _codes(given - set(frame) - {source})
            raise InputError(f"{name} names {outside}, not in the pool", f"add it to the pool or drop it from --{name}")
    if pinned & excluded:
        raise InputError(f"{_codes(pinned & excluded)} is both included and excluded", "drop it from one of the two")
    if len(pinned) > k:
        raise InputError(
            f"{len(pinned)} languages are included but k is {k}", f"raise k to {len(pinned)} or include fewer"
        )
    if k > len(set(frame) - excluded):
        left = len(set(frame) - excluded)
        raise InputError(f"k is {k}, but only {left} languages can be chosen", f"lower k to {left} or widen the pool")


def _codes(languages: Iterable[Language | None]) -> str:
    return ", ".join(sorted(language.code for language in languages if language is not None))
