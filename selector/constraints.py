"""What a user asks of a subset - costs, a budget, quotas, coverage - checked and turned into limits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from selector.errors import InputError, real_number
from selector.languages.language import Language, Pool
from selector.solvers.limits import ROUNDING, Limits

Vector = NDArray[np.float64]
Quota = tuple[str, NDArray[np.bool_], int]  # its name, which languages of the frame it counts [n], how many at most

MOST = 1e12  # of one amount: sums over a pool stay exact to a thousandth

_QUOTA = "give a quota as family=2, genus=1, script=3, resource=4 or script:Latn=2"


class LabelColumns(Protocol):
    """Labels of languages in a table of the user, such as `selector.distances.user_table.Columns`."""

    def label(self, column: str, language: Language) -> str | None: ...


def costs(frame: Pool, given: Mapping[Language, float] | None) -> Vector | None:
    """Costs [n] of all languages of `frame`; None without `given`.

    InputError: a language has no cost, or one below 0 or above `MOST`.
    """
    if given is None:
        return None
    return amounts(frame, given, "cost", "language of the pool")


def amounts(languages: Sequence[Language], given: Mapping[Language, float], what: str, who: str) -> Vector:
    """Amounts [n] of `languages`, looked up in `given`.

    `what` (such as "cost") and `who` (such as "language of the pool") name them in messages. InputError: an amount is
    missing, negative or above `MOST`.
    """
    missing = [language.code for language in languages if language not in given]
    if missing:
        raise InputError(f"no {what} is given for {_join_codes(missing)}", f"give every {who} a {what}, 0 included")
    hint = f"{what}s are 0 or more, at most {MOST:g}"
    for language in languages:
        amount = real_number(f"the {what} of {language.code}", given[language], hint)
        if not 0 <= amount <= MOST:
            raise InputError(f"the {what} of {language.code} is {amount:g}", hint)
    return np.array([given[language] for language in languages], dtype=np.float64)


def quotas(frame: Pool, given: str | Iterable[str], columns: LabelColumns | None) -> list[Quota]:
    """Quotas from a text or texts such as "family=2" or "script:Latn=2": one for each group that could exceed its own.

    `columns` is the user's table, whose columns quotas may name too. InputError: a text is not a quota, or limits no
    language of `frame`.
    """
    found: list[Quota] = []
    for text in (given,) if isinstance(given, str) else given:
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
    """Function that gives the group of a language.

    `kind` is "family", "genus", "script", "resource" or the name of one of `columns`; a language without an entry there
    is in the group "unknown". InputError: there is no such kind.
    """
    if kind in ("family", "genus", "script"):
        return lambda language: str(getattr(language, kind))
    if kind == "resource":
        return resource
    if columns is None:
        raise InputError(f"'{kind}' is not a kind of group", _QUOTA)
    return lambda language: columns.label(kind, language) or "unknown"


def resource(language: Language) -> str:
    """Resource class of `language` as text: "0" (left behind) to "5" (winners), by Joshi et al. 2020, or "unknown"."""
    from selector.languages import resources

    found = resources.resource_class(language)
    return "unknown" if found is None else str(found)


def limits(frame: Pool, prices: Vector | None, budget: float | None, quotas: Sequence[Quota]) -> Limits:
    """Linear limits that stand for `budget` (in the unit of `prices`) and `quotas`.

    InputError: the budget is negative or not finite, or there are no `prices` to spend it on.
    """
    rows = [(name, member.astype(np.float64), float(most)) for name, member, most in quotas]
    if budget is not None:
        if prices is None:
            raise InputError("a budget is given but no costs", "give --costs FILE.csv, one code and cost a line")
        hint = "give a budget of 0 or more, in the unit of the costs"
        if not 0 <= real_number("the budget", budget, hint) < math.inf:
            raise InputError(f"the budget is {budget:g}", hint)
        rows.append(("the budget", prices, float(budget)))
    if not rows:
        return Limits.none(len(frame))
    return Limits(np.stack([row[1] for row in rows]), np.array([row[2] for row in rows]), tuple(row[0] for row in rows))


def filter_by_observed_share(candidates: list[int], observed: Vector, least: float | None) -> list[int]:
    """Those of `candidates` whose share of observed features is at least `least`; all of them where it is None.

    InputError: `least` is outside [0, 1].
    """
    if least is None:
        return candidates
    if not 0 <= least <= 1:
        raise InputError(f"the least observed share is {least:g}", "give a share from 0 to 1, such as 0.25")
    return [i for i in candidates if observed[i] >= least]


def check_radius(radius: float | None) -> float | None:
    """Return `radius` as it is. InputError: it is negative or not finite."""
    if radius is not None and not 0 <= radius < math.inf:
        raise InputError(f"the radius is {radius:g}", "give a distance of 0 or more")
    return radius


def infeasibility_error(k: int, pins: Sequence[int], candidates: Sequence[int], limits: Limits) -> InputError:
    """InputError to raise where no `k` of `candidates` keep the `limits`.

    It says what is to blame: the included languages `pins`, one limit by itself, or all limits together.
    """
    for name, weights, most in zip(limits.names, limits.weights, limits.most, strict=True):
        pinned = float(weights[list(pins)].sum())
        if pinned > most + ROUNDING:
            message = f"the included languages take {pinned:g} of {name}, and at most {most:g} may be taken"
            return InputError(message, "raise that limit or include less")
        least = pinned + float(np.sort(weights[list(candidates)])[: k - len(pins)].sum())
        if least > most + ROUNDING:
            message = f"any {k} languages take at least {least:g} of {name}, and at most {most:g} may be taken"
            return InputError(message, "raise that limit or lower k")
    return InputError(f"no {k} languages keep all quotas and the budget together", "raise one of them or lower k")


def _quota(text: str) -> tuple[str, str | None, int]:
    """`script:Latn=2` → ("script", "Latn", 2)."""
    name, equals, number = text.rpartition("=")
    kind, colon, only = (part.strip() for part in name.partition(":"))
    if not equals or not kind or (colon and not only) or not number.strip().isdecimal():
        raise InputError(f"'{text}' is not a quota", _QUOTA)
    return kind, only or None, int(number)


def _join_codes(codes: Sequence[str]) -> str:
    return ", ".join(codes[:5]) + (f" and {len(codes) - 5} more" if len(codes) > 5 else "")
