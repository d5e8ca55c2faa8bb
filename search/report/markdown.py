"""Text from data in Markdown: told as it is, never read as markup."""

from __future__ import annotations

import re


def plain(text: object) -> str:
    """For running text and the cells of tables: one line, on which nothing links, opens a tag or ends a cell."""
    return re.sub(r"([\\`*_\[\]<>|&~$])", r"\\\1", _line(text))


def quoted(text: object) -> str:
    """As a code span, where no backslash escapes: a backtick becomes an apostrophe. Not for cells of tables."""
    return f"`{_line(text).replace('`', chr(39))}`"


def _line(text: object) -> str:
    return " ".join(str(text).split()) or "–"
