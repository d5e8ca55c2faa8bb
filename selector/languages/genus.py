"""Genera for the long tail of languages, taken from URIEL's family paths so that they agree with the package's table.

The table's genera are WALS's: branches of a few thousand years. A language outside of it gets
1. the genus of the deepest node on its path below which the table has at least two languages, all of one genus (and
   where URIEL has a node of that genus's name, no node above it: Central-Eastern Malayo-Polynesian is not Oceanic);
2. else the highest node below the root with at most 100 rows in URIEL, a size that separates branches from families;
3. else its deepest node: the root itself for a small family without branches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from selector.sources import features, uriel

_LARGEST = 100  # rows of URIEL below a node that passes for a genus
_ENOUGH = 2  # languages of the table that make a node a landmark


def landmarks(genera: Mapping[str, str]) -> dict[str, str]:
    """Genus of each landmark node of the family tree (point 1 above), from `genera`: code of a language → genus.

    A root counts only under its own name.
    """
    below: dict[str, Counter[str]] = {}
    too_wide: set[str] = set()
    for code, genus in genera.items():
        path = features.branch(code)
        too_wide.update(path[: path.index(genus)] if genus in path else path[:1])
        for node in path:
            below.setdefault(node, Counter())[genus] += 1
    return {
        node: next(iter(count))
        for node, count in below.items()
        if len(count) == 1 and count.total() >= _ENOUGH and node not in too_wide
    }


def genus(path: tuple[str, ...], known: Mapping[str, str]) -> str:
    """Genus of a language, from its `path` in the family tree (not empty) and the landmarks `known`."""
    mark = next((known[node] for node in reversed(path) if node in known), None)
    sizes = uriel.node_sizes()
    small = next((node for node in path[1:] if sizes.get(node, 0) <= _LARGEST), None)
    return mark or small or path[-1]
