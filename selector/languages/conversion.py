"""Languages as a caller gives them: values of ours, codes, or names. For every function that a user calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from selector.errors import InputError
from selector.languages.language import Language, Pool, parse, parse_pool

Value = TypeVar("Value")
Languages = str | Iterable[str | Language]


def as_language(given: str | Language) -> Language:
    """Return `given` if it is a Language, else the language that this code or name stands for.

    InputError: it stands for none.
    """
    if isinstance(given, Language):
        return given
    if not isinstance(given, str):
        raise InputError(f"{given!r} is not a language", "give languages as codes, names or values of Language")
    return parse(given)


def as_pool(given: Languages) -> Pool:
    """Pool sorted by code. `given`: languages, codes, names, a named pool, or a file of codes.

    InputError as in `parse_pool`.
    """
    if isinstance(given, str):
        return parse_pool(given)
    return tuple(sorted({as_language(each) for each in _each(given)}))


def as_ordered_pool(given: Languages) -> Pool:
    """Pool of `given` as in `as_pool`, but Language values stay in their order.

    Data aligned with them, and signatures, depend on that order.
    """
    if isinstance(given, str):
        return parse_pool(given)
    each = tuple(_each(given))
    return as_pool(each) if str in map(type, each) else each  # type: ignore[return-value]  # no strings among them


def as_list(given: Languages) -> list[Language]:
    """Languages of `given` in its order, as often as they are in it; a text as in `as_pool`."""
    return list(as_pool(given)) if isinstance(given, str) else [as_language(each) for each in _each(given)]


def as_languages(given: Languages) -> Pool:
    """Pool of `given` as in `as_pool`, except that "" and an empty list give an empty pool."""
    return as_pool(given) if given else ()


def keyed_by_language(given: Mapping[str, Value] | Mapping[Language, Value]) -> dict[Language, Value]:
    """Copy of the mapping `given` with languages as keys instead of codes or names.

    InputError: it is no mapping, a key is no language, or two keys are the same one.
    """
    if not hasattr(given, "items"):
        raise InputError(f"{given!r} is no mapping", "give a number for each language, such as {'deu': 2.5}")
    found: dict[Language, Value] = {}
    for key, value in given.items():
        language = as_language(key)
        if language in found:
            raise InputError(f"{language.code} is given twice, the second time as {key!r}", "give each language once")
        found[language] = value
    return found


def _each(given: Iterable[str | Language]) -> Iterable[str | Language]:
    if not isinstance(given, Iterable):
        raise InputError(f"{given!r} is no list of languages", "give codes, names or values of Language")
    return given
