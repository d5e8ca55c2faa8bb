"""Settings as plain dataclasses: each field has a description and the values that a file may give it.

A section is written once, here in `realign`, and needs no library. `search.config` lets pydantic read files into
sections: it uses the attributes whose names begin with `__pydantic` or `__get_pydantic`, and the descriptions in the
metadata of the fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from inspect import get_annotations
from typing import Any, ClassVar, get_args

from selector.errors import InputError

Schema = dict[str, Any]  # of pydantic's core


class SettingError(InputError, ValueError):
    """A setting with an impossible value, or two settings that exclude each other.

    Pydantic adds the key to a `ValueError`.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint or "correct it, or leave it out")
        self.complete = f"{message} ({hint})" if hint else message


class Section:
    """Base of all sections: values of exactly the type that is written (true is no number, and neither is "3", nan or
    inf), and no other keys."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True, "allow_inf_nan": False}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Schema:
        schema: Schema = handler(source)
        handler.resolve_ref_schema(schema)["strict"] = False  # accept a table of a file, not only an instance
        return schema

    def document(self, without_none: bool = False) -> dict[str, Any]:
        """Settings as JSON values, by key; `without_none` leaves out the keys that are None, at every depth."""
        whole = {key: getattr(self, key) for key in keys(type(self))}
        return {
            key: _as_json(value, without_none) for key, value in whole.items() if not (without_none and value is None)
        }


def keys(section: type) -> list[str]:
    """Keys of `section` in reading order: its own before those of the classes that it inherits from."""
    inherited = {key for base in section.__mro__[1:] for key in get_annotations(base)}
    return sorted((each.name for each in fields(section)), key=lambda key: key in inherited)


def setting(default: Any, description: str) -> Any:
    """Field of a section with a `default` and a `description`: a sentence for users that also gives the unit."""
    return field(default=default, metadata={"description": description})


@dataclass(frozen=True)
class Range:
    """The range of a number, or the form of a text: `Annotated[int, Limits(ge=1)]`."""

    ge: float | None = None  # at least
    gt: float | None = None  # more than
    le: float | None = None  # at most
    lt: float | None = None  # less than
    pattern: str | None = None
    max_length: int | None = None  # characters

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Schema:
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**handler(source), **{key: value for key, value in given.items() if value is not None}}


@dataclass(frozen=True)
class ByKind:
    """Marks a union of sections. `choose` gives the name of the class for a table."""

    choose: Callable[[Any], str | None]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Schema:
        choices = {kind.__name__: handler.generate_schema(kind) for kind in get_args(source)}
        return {"type": "tagged-union", "choices": choices, "discriminator": self.choose}


def _as_json(value: Any, without_none: bool) -> Any:
    if isinstance(value, Section):
        return value.document(without_none)
    if isinstance(value, Mapping):
        return {key: _as_json(item, without_none) for key, item in value.items()}
    return [_as_json(item, without_none) for item in value] if isinstance(value, tuple | list) else value
