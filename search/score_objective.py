"""Per-language scores → the one number a study maximizes. Pure; higher is better; values in [0, 1]."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from selector.errors import InputError
from selector.languages.language import Pool
from selector.languages.pools import WORLD_LOW_RESOURCE

KNOWN = "mean, low-resource, worst, cvar:0.25"

WELL_RESOURCED = frozenset(
    """eng spa deu jpn fra arb cmn por rus ita nld pol kor tur vie swe fin hun ces hin hrv srp pes eus cat ind ukr bul
    ron dan ell heb tha ben slk tam lit kat kaz lvs ekk slv zsm tgl afr urd uzn ceb nob glg bel bos lat gle""".split()  # noqa: SIM905
)
"""Languages with much labelled or unlabelled text: about classes 3 to 5 of Joshi et al. 2020 (arXiv 2004.09095)."""


def checked(name: str) -> str:
    """The objective's `name` as it is; ValueError if there is no such objective."""
    if name in ("mean", "low-resource", "worst") or _share(name) is not None:
        return name
    raise ValueError(f"unknown objective '{name}'; known: {KNOWN}")


def languages(name: str, tune: Pool, world: bool) -> tuple[str, ...]:
    """Codes of those among the tuning targets `tune` that the objective `name` looks at.

    The embedded world (`world`) marks its own low-resource languages; elsewhere they are those outside
    `WELL_RESOURCED`. InputError: it would look at none.
    """
    codes = tuple(language.code for language in tune)
    if name != "low-resource":
        return codes
    low = tuple(code for code in codes if (code in WORLD_LOW_RESOURCE if world else code not in WELL_RESOURCED))
    if not low:
        raise InputError(
            "objective 'low-resource' has no language to look at: none of the tuning targets is low-resource",
            'add one to targets.tune, or take objective = "worst"',
        )
    return low


def value(
    name: str, per_language: Mapping[str, float], codes: tuple[str, ...], weights: Mapping[str, float] | None = None
) -> float:
    """The objective over `codes`: their mean, the worst, or the mean of the worst share (CVaR); all in [0, 1].

    `weights` of the mean; 1 for what they leave out.
    """
    share = _share(name)
    if name in ("mean", "low-resource"):
        each = {code: (weights or {}).get(code, 1.0) for code in codes}
        return sum(weight * per_language[code] for code, weight in each.items()) / sum(each.values())
    scores = sorted(per_language[code] for code in codes)
    if share is not None:
        scores = scores[: max(1, math.ceil(share * len(scores)))]
    return sum(scores) / len(scores) if share is not None else scores[0]


class Priced(Protocol):
    """Something measured, and what it costs."""

    @property
    def value(self) -> float | None: ...
    @property
    def cost(self) -> float: ...


Measured = TypeVar("Measured", bound=Priced)


def pareto_front(measured: Iterable[Measured]) -> list[Measured]:
    """Those of `measured` that nothing else dominates: none scores as much for less, or more for as much.

    Sorted by cost, cheap ones first.
    """
    kept: list[Measured] = []
    for each in sorted(measured, key=lambda one: (one.cost, -(one.value or 0.0))):
        if not kept or (each.value or 0.0) > (kept[-1].value or 0.0):
            kept.append(each)
    return kept


def _share(name: str) -> float | None:
    match = re.fullmatch(r"cvar:(0?\.\d+|1(?:\.0*)?)", name)
    share = float(match[1]) if match else 0.0
    return share if share > 0 else None
