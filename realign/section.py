"""Settings as plain dataclasses: a description at every field, and what a file with them may hold.

A section is written once, here in `realign`, and stands without any library. `search.config` lets pydantic read files
into sections: it looks for the attributes whose names begin with `__pydantic` or `__get_pydantic`, and for the
descriptions in the metadata of the fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from inspect import get_annotations
from typing import Any, ClassVar, get_args

from selector.errors import InputError

Schema = dict[str, Any]  # of pydantic's core


class SettingError(InputError, ValueError):
    """A setting that cannot be, or two that exclude each other. As a `ValueError` it gets its key from pydantic."""

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
        handler.resolve_ref_schema(schema)["strict"] = False  # a table of a file will do, not an instance alone
        return schema

    def document(self, without_none: bool = False) -> dict[str, Any]:
        """As JSON values, key by key; `without_none` leaves out the keys that are None, at every depth."""
        whole = {key: getattr(self, key) for key in keys(type(self))}
        return {
            key: _as_json(value, without_none) for key, value in whole.items() if not (without_none and value is None)
        }


def keys(section: type) -> list[str]:
    """The keys of a section as people read them: its own before those of the classes it is made from."""
    inherited = {key for base in section.__mro__[1:] for key in get_annotations(base)}
    return sorted((each.name for each in fields(section)), key=lambda key: key in inherited)


def setting(default: Any, description: str) -> Any:
    """A field of a section, with its default and a sentence for people that says what it is, in which unit."""
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
    """Marks a union of sections of which one is meant, by what `choose` says of the table: the name of its class."""

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
