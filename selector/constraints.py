"""What a user asks of a subset - costs, a budget, quotas, coverage - checked and turned into limits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from selector.errors import InputError
from selector.languages.language import Language, Pool
from selector.solvers.limits import ROUNDING, Limits

Vector = NDArray[np.float64]
Quota = tuple[str, NDArray[np.bool_], int]  # its name, which languages of the frame it counts [n], how many at most

MOST = 1e12  # of one amount: sums over a pool stay exact to a thousandth

_QUOTA = "give a quota as family=2, genus=1, script=3, resource=4 or script:Latn=2"


class LabelColumns(Protocol):
    """A user's table of languages; `selector.distances.user_table`."""

    def label(self, column: str, language: Language) -> str | None: ...


def costs(frame: Pool, given: Mapping[Language, float] | None) -> Vector | None:
    """The cost of every language of the frame [n]. Raises InputError for a missing or impossible one."""
    if given is None:
        return None
    return amounts(frame, given, "cost", "language of the pool")


def amounts(languages: Sequence[Language], given: Mapping[Language, float], what: str, who: str) -> Vector:
    """Amounts of each language [n], from a table. Raises InputError for a missing, negative or infinite one."""
    missing = [language.code for language in languages if language not in given]
    if missing:
        raise InputError(f"no {what} is given for {_join_codes(missing)}", f"give every {who} a {what}, 0 included")
    for language in languages:
        if not 0 <= given[language] <= MOST:
            raise InputError(
                f"the {what} of {language.code} is {given[language]:g}", f"{what}s are 0 or more, at most {MOST:g}"
            )
    return np.array([given[language] for language in languages], dtype=np.float64)


def quotas(frame: Pool, given: Iterable[str], columns: LabelColumns | None) -> list[Quota]:
    """One quota for every group that could exceed its own. Raises InputError for what is no quota."""
    found: list[Quota] = []
    for text in given:
        kind, only, most = _quota(text)
        label = grouping(kind, columns)
        labels = [label(language) for language in frame]
        if only is not None and only not in labels:
            raise InputError(f"the quota '{text}' limits nothing: no {kind} of the pool is {only}", _QUOTA)
        for group, size in sorted(Counter(labels).items()):
            if size > most and only in (None, group):
                found.append((f"{kind} {group}", np.array([own == group for own in labels]), most))
    return found


def grouping(kind: str, columns: LabelColumns | None = None) -> Callable[[Language], str]:
    """The group of a language by `family`, `genus`, `script`, `resource` class, or a column of the user's table."""
    if kind in ("family", "genus", "script"):
        return lambda language: str(getattr(language, kind))
    if kind == "resource":
        return resource
    if columns is None:
        raise InputError(f"'{kind}' is no kind of group", _QUOTA)
    return lambda language: columns.label(kind, language) or "unknown"


def resource(language: Language) -> str:
    """Its class of resources, 0 (left behind) to 5 (winners), by Joshi et al. 2020; "unknown" is a class of its own."""
    from selector.languages import resources

    found = resources.resource_class(language)
    return "unknown" if found is None else str(found)


def limits(frame: Pool, prices: Vector | None, budget: float | None, quotas: Sequence[Quota]) -> Limits:
    """Budget and quotas as linear limits. Raises InputError for a budget that is none, or one without costs."""
    rows = [(name, member.astype(np.float64), float(most)) for name, member, most in quotas]
    if budget is not None:
        if prices is None:
            raise InputError("a budget is given but no costs", "give --costs FILE.csv, one code and cost a line")
        if not 0 <= budget < math.inf:
            raise InputError(f"the budget is {budget:g}", "give a budget of 0 or more, in the unit of the costs")
        rows.append(("the budget", prices, float(budget)))
    if not rows:
        return Limits.none(len(frame))
    return Limits(np.stack([row[1] for row in rows]), np.array([row[2] for row in rows]), tuple(row[0] for row in rows))


def filter_by_observed_share(candidates: list[int], observed: Vector, least: float | None) -> list[int]:
    """Candidates with at least that share of observed features."""
    if least is None:
        return candidates
    if not 0 <= least <= 1:
        raise InputError(f"the least observed share is {least:g}", "give a share from 0 to 1, such as 0.25")
    return [i for i in candidates if observed[i] >= least]


def check_radius(radius: float | None) -> float | None:
    if radius is not None and not 0 <= radius < math.inf:
        raise InputError(f"the radius is {radius:g}", "give a distance of 0 or more")
    return radius


def infeasibility_error(k: int, pins: Sequence[int], candidates: Sequence[int], limits: Limits) -> InputError:
    """Why no k candidates keep the limits: the pins, one limit by itself, or all of them together."""
    for name, weights, most in zip(limits.names, limits.weights, limits.most, strict=True):
        pinned = float(weights[list(pins)].sum())
        if pinned > most + ROUNDING:
            return InputError(f"the included languages take {pinned:g} of {name}: {most:g}", "raise it or include less")
        least = pinned + float(np.sort(weights[list(candidates)])[: k - len(pins)].sum())
        if least > most + ROUNDING:
            return InputError(f"any {k} languages take at least {least:g} of {name}: {most:g}", "raise it or lower k")
    return InputError(f"no {k} languages keep all quotas and the budget together", "raise one of them or lower k")


def _quota(text: str) -> tuple[str, str | None, int]:
    """`script:Latn=2` → ("script", "Latn", 2)."""
    name, equals, number = text.rpartition("=")
    kind, colon, only = (part.strip() for part in name.partition(":"))
    if not equals or not kind or (colon and not only) or not number.strip().isdecimal():
        raise InputError(f"'{text}' is no quota", _QUOTA)
    return kind, only or None, int(number)


def _join_codes(codes: Sequence[str]) -> str:
    return ", ".join(codes[:5]) + (f" and {len(codes) - 5} more" if len(codes) > 5 else "")
