"""Reading JSON documents into values: each key with the form it must have, and an error that names the place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from selector.errors import InputError, RunError

if TYPE_CHECKING:
    from pandas import DataFrame

Json = dict[str, Any]
Value = TypeVar("Value")


class Reader:
    """Keys of a JSON object, each with the form it must have; an error names the place."""

    def __init__(self, given: object, place: str) -> None:
        self.document, self.place = mapping(given, place), place

    def check_schema(self, known: int, reasons: Mapping[int, str] | None = None) -> None:
        """InputError for a document of another form than `known`; one without a number is of the first.

        `reasons` says of an earlier form why it is not read.
        """
        number = self.document.get("schema", 1)
        if number != known:
            older = isinstance(number, int) and number < known
            hint = "write it again with this version" if older else "install the newer version of Realingo"
            reason = (reasons or {}).get(number) if isinstance(number, int) else None
            why = f": {reason}" if reason else ""
            raise InputError(f"{self.place} is of schema {number}, this version reads {known}{why}", hint)

    def value(self, key: str, read: Callable[[object, str], Value]) -> Value:
        """Value under `key`, read by `read`. InputError: the key is missing, or `read` refuses the value."""
        if key not in self.document:
            raise wrong(f"{self.place}.{key}", "is missing")
        return read(self.document[key], f"{self.place}.{key}")

    def optional(self, key: str, read: Callable[[object, str], Value]) -> Value | None:
        """Value under `key`, read by `read`; None where the key is missing or null."""
        return None if self.document.get(key) is None else self.value(key, read)

    def number(self, key: str) -> float:
        """Number under `key`. InputError: it is missing, or no finite number."""
        return self.value(key, number)

    def text(self, key: str) -> str:
        """Text under `key`. InputError: it is missing, or no text."""
        return self.value(key, text)


def wrong(place: str, problem: str) -> InputError:
    """InputError that says the `problem` of the value at `place`."""
    return InputError(f"{place} {problem}", "write it again with the command that made it")


def mapping(given: object, place: str) -> Mapping[str, Any]:
    """`given`, if it is a JSON object. InputError, with `place`: it is something else."""
    if not isinstance(given, Mapping):
        raise wrong(place, "is no JSON object")
    return given


def number(given: object, place: str) -> float:
    """`given` as a float. InputError, with `place`: it is no number, or not finite."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise wrong(place, "is no number")
    return float(given)


def count(given: object, place: str) -> int:
    """`given`, if it is a whole number. InputError, with `place`: it is something else."""
    if isinstance(given, bool) or not isinstance(given, int):
        raise wrong(place, "is no whole number")
    return given


def text(given: object, place: str) -> str:
    """`given`, if it is text. InputError, with `place`: it is something else."""
    if not isinstance(given, str):
        raise wrong(place, "is no text")
    return given


def list_of(read: Callable[[object, str], Value]) -> Callable[[object, str], tuple[Value, ...]]:
    """Reader of a list, as a tuple, each item by `read`, which gets the item and its place, such as `rows[3]`."""

    def items(given: object, place: str) -> tuple[Value, ...]:
        if isinstance(given, str) or not isinstance(given, Iterable) or isinstance(given, Mapping):
            raise wrong(place, "is no list")
        return tuple(read(each, f"{place}[{number}]") for number, each in enumerate(given))

    return items


texts = list_of(text)


def by_key(read: Callable[[object, str], Value]) -> Callable[[object, str], dict[str, Value]]:
    """Reader of an object, as a dict, each value by `read`, which gets the value and its place, such as `costs.deu`."""

    def values(given: object, place: str) -> dict[str, Value]:
        return {key: read(value, f"{place}.{key}") for key, value in mapping(given, place).items()}

    return values


numbers = by_key(number)
counts = by_key(count)


def frame(rows: Sequence[Json], index: str) -> DataFrame:
    """Data frame of `rows`, one dict a row, with the column `index` as its index; empty where there are no rows.

    RunError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise RunError("a data frame needs pandas", "pip install pandas, or use to_json()") from None
    return pandas.DataFrame(list(rows)).set_index(index) if rows else pandas.DataFrame()
