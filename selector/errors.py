"""Errors that a person can act on. Every one is a sentence with a way out.

RealingoError
├── InputError    what was given is wrong: the command line prints `error:` and `hint:` and exits 2
│   └── NoDataError  there is no data of this language or split here: another set may have it
├── RunError      the input was fine but the run failed: `error:` and `hint:`, exit 1
└── StopError     somebody stopped the work and its state is kept; the hint says how to go on: exit 130
"""

import operator
from collections.abc import Iterable


class RealingoError(Exception):
    """Base of all errors that Realingo raises on purpose; `hint` is one sentence that says what to do next."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(RealingoError):
    """The user's input cannot be used."""


class NoDataError(InputError):
    """A data set or folder has no data of this language or split; another one may have some."""


class RunError(RealingoError):
    """The input was accepted, but the work could not be completed."""


class StopError(RealingoError):
    """The work was stopped from outside at a point from which it can continue."""


def quantity(number: int, noun: str) -> str:
    """`1 language` or `2 languages`, for `number` and the singular `noun`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def whole_number(name: str, value: object, hint: str = "give a whole number") -> int:
    """Return `value` as an int. InputError, with `name` and `hint`: it is text, a fraction, or true or false."""
    try:
        if not isinstance(value, bool):
            return operator.index(value)  # type: ignore[arg-type]  # what is no number raises
    except TypeError:
        pass
    raise InputError(f"{name} is {value!r}, which is not a whole number", hint)


def real_number(name: str, value: object, hint: str = "give a number") -> float:
    """Return `value` as a float. InputError, with `name` and `hint`: it is text, or true or false, or no number."""
    if isinstance(value, bool | str) or not hasattr(value, "__float__"):
        raise InputError(f"{name} is {value!r}, which is not a number", hint)
    return float(value)


def listed_texts(name: str, value: object) -> tuple[str, ...]:
    """Return `value`, one text or several, as a tuple. InputError, with `name`: it is neither."""
    found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else (value,)
    for each in found:
        if not isinstance(each, str):
            raise InputError(f"{name}: {each!r} is no text", "give a text, or a list of texts")
    return found


def require_callable(**given: object) -> None:
    """InputError for the first of `given`, by its name, that is neither None nor a function or an object like one."""
    for name, value in given.items():
        if value is not None and (isinstance(value, type) or not callable(value)):
            what = "is a class, not an object" if isinstance(value, type) else "cannot be called"
            raise InputError(f"{name} is {value!r}, which {what}", "give a function, or an object that can be called")
