"""Inputs of an evaluator and their state: encoder, parallel text, task data, each with its signature.

Text is read when it is needed, and weights are mapped from their file. If somebody edits them while a search runs,
scores of the new content would be stored under the signature of the old one. So before a score is returned, all inputs
are checked again: the state of a file costs one system call, and its content is hashed only if the state changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from realign.corpora.folder import digests
from selector.errors import InputError, RunError

MOST_NAMED = 3
RESTORE = "put it back and run the same command again, or begin a study of another name"

Contents = Mapping[str, str]  # what is read, in words → its signature


class ChangedError(RunError):
    """An input changed while it was in use: no score may follow from it."""


class Inputs:
    """All inputs of one evaluator.

    `contents` has their signatures at the start, or those that another process found.
    """

    def __init__(self, parts: Mapping[str, Callable[[], str]]) -> None:
        """`parts`: name of each input → function that gives its present signature."""
        self._parts = dict(parts)
        self._contents = self._now()
        self._files = digests()

    @property
    def contents(self) -> Contents:
        return self._contents

    def include(self, name: str, signature: Callable[[], str]) -> None:
        """Add an input with this `name`, and a function that gives its present `signature`."""
        self._parts[name] = signature
        self._contents[name] = signature()

    def expect(self, contents: Contents) -> None:
        """Accept only the `contents` that another process found."""
        self._contents = {name: contents.get(name, here) for name, here in self._contents.items()}

    def check(self) -> None:
        """Raise ChangedError, with the name of the file if it is known, if an input changed."""
        try:
            now = self._now()
        except InputError as problem:  # a file that is gone
            raise ChangedError(f"data changed while it was in use: {problem.message}", RESTORE) from None
        if names := find_differences(self._contents, now):
            files = [str(path) for path, digest in digests().items() if self._files.get(path) != digest]
            where = f" ({list_some(files)})" if files else ""
            raise ChangedError(f"data changed while it was in use: {list_some(names)}{where}", RESTORE)

    def _now(self) -> dict[str, str]:
        return {name: signature() for name, signature in self._parts.items()}


def find_differences(before: Contents, now: Contents) -> list[str]:
    """Names of the entries that are in both `before` and `now` and differ."""
    return [name for name, signature in now.items() if before.get(name, signature) != signature]


def list_some(names: list[str]) -> str:
    """The first few `names`, and the number of the others."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
