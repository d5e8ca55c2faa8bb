"""Languages as a caller gives them: values of ours, codes, or names. For every function that a user calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from selector.errors import InputError
from selector.languages.language import Language, Pool, parse, parse_pool

Value = TypeVar("Value")
Languages = str | Iterable[str | Language]


def as_language(given: str | Language) -> Language:
    """The language itself, or what its code or name says; InputError where that is no language."""
    if isinstance(given, Language):
        return given
    if not isinstance(given, str):
        raise InputError(f"{given!r} is no language", "give languages as codes, names or values of Language")
    return parse(given)


def as_pool(given: Languages) -> Pool:
    """A pool, sorted by code: from languages, codes, names, a named pool, or a file of codes.

    Raises InputError as `parse_pool` does.
    """
    if isinstance(given, str):
        return parse_pool(given)
    return tuple(sorted({as_language(each) for each in given}))


def as_ordered_pool(given: Languages) -> Pool:
    """`as_pool`, but languages of ours stay in their order: what is aligned with them, and signatures, rest on it."""
    if isinstance(given, str):
        return parse_pool(given)
    each = tuple(given)
    return as_pool(each) if str in map(type, each) else each  # type: ignore[return-value]  # no strings among them


def as_languages(given: Languages) -> Pool:
    """The same where there may be none: "" and an empty list are no languages."""
    return as_pool(given) if given else ()


def by_language(given: Mapping[str, Value] | Mapping[Language, Value]) -> dict[Language, Value]:
    """A mapping whose keys are languages, codes or names, by language."""
    return {as_language(key): value for key, value in given.items()}
