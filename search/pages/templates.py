"""The one Jinja environment, and how text from data stays text.

HTML is escaped by itself, Markdown by `plain` and `quoted`, which are filters too.
"""

from __future__ import annotations

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from search.results.words import percent, points, short_list, signed, span


@cache
def pages() -> Environment:
    """Templates of `search/templates`; those that end in `.html.j2` escape what they are given."""
    environment = Environment(
        loader=PackageLoader("search"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=percent,
        points=points,
        signed=signed,
        span=span,
        unbroken=unbroken,
        short_list=short_list,
        plain=plain,
        quoted=quoted,
    )
    return environment


def fill_template(template: str, **values: object) -> str:
    """The template of that name, filled in."""
    return pages().get_template(template).render(**values)


def plain(text: object) -> str:
    """For running text and the cells of tables: one line, on which nothing links, opens a tag or ends a cell."""
    return re.sub(r"([\\`*_\[\]<>|&~$])", r"\\\1", _line(text))


def quoted(text: object) -> str:
    """As a code span, where no backslash escapes: a backtick becomes an apostrophe. Not for cells of tables."""
    return f"`{_line(text).replace('`', chr(39))}`"


def unbroken(text: str) -> str:
    """The same text, in which no line ends between a number and its unit."""
    return re.sub(r"(?<=\d) (?=%|points)", "\u00a0", text)


def _line(text: object) -> str:
    return " ".join(str(text).split()) or "–"
