"""Names of strategies as the benchmark has them: those of a study, and the surrogate with repeats."""

from __future__ import annotations

from search.surrogate.repeats import MOST, Repeats
from selector.errors import InputError


def split_repeats(strategy: str) -> tuple[str, Repeats]:
    """A strategy and its `search.repeats`: "surrogate:auto" and "surrogate:3" are the surrogate with repeats.

    InputError for repeats that a study could not ask for.
    """
    name, _, repeats = strategy.partition(":")
    if name != "surrogate":
        return strategy, "never"
    if repeats in ("", "never"):
        return name, "never"
    if repeats == "auto":
        return name, "auto"
    if not (repeats.isdecimal() and 2 <= int(repeats) <= MOST):
        raise InputError(f"there is no strategy '{strategy}'", f"surrogate:auto, or surrogate:2 to surrogate:{MOST}")
    return name, int(repeats)
