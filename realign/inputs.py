"""What an evaluator reads, and whether it is still what it was: encoder, parallel text, task data, each by signature.

Text is read when it is needed, and weights are mapped from their file. Who edits either while a search runs would have
scores of the new content kept under the signature of the old one. So before a score is given out, everything is looked
at again: a file's state costs a call of the system, its content is hashed only where that state changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from realign.corpora.folder import digests
from selector.errors import InputError, RunError

MOST_NAMED = 3
RESTORE = "put it back and run the same command again, or begin a study of another name"

Contents = Mapping[str, str]  # what is read, in words → its signature


class ChangedError(RunError):
    """Something that is read is not what it was: no score may follow from it."""


class Inputs:
    """Everything that one evaluator reads. `contents` is what it was, or what another process found it to be."""

    def __init__(self, parts: Mapping[str, Callable[[], str]]) -> None:
        """`parts`: what is read, in words → its signature as it is now."""
        self._parts = dict(parts)
        self._contents = self._now()
        self._files = digests()

    @property
    def contents(self) -> Contents:
        return self._contents

    def include(self, name: str, signature: Callable[[], str]) -> None:
        """Something more that is read."""
        self._parts[name] = signature
        self._contents[name] = signature()

    def expect(self, contents: Contents) -> None:
        """Go on only with what another process found."""
        self._contents = {name: contents.get(name, here) for name, here in self._contents.items()}

    def check(self) -> None:
        """ChangedError, with the name of the file where it is known, if anything is not what it was."""
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
    """Entries that are in both and differ."""
    return [name for name, signature in now.items() if before.get(name, signature) != signature]


def list_some(names: list[str]) -> str:
    """The first few, and how many more."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
