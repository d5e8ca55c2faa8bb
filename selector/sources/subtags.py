"""Subtags that a language tag (BCP 47) may have by the IANA registry: languages, scripts, regions, variants."""

from __future__ import annotations

import re
from functools import cache

from selector.sources import tables

_ANY = "-"  # a variant of any language


def is_extended(primary: str, subtag: str) -> bool:
    """True if `subtag` is a language that may follow `primary` (ISO 639-3), as `yue` may follow `zho`."""
    return subtag in _subtags_for("extended", primary)


def is_script(subtag: str) -> bool:
    """True if `subtag` is a script of ISO 15924, in small letters."""
    return subtag in _subtags_for("script", _ANY)


def is_region(subtag: str) -> bool:
    """True if `subtag` is a country (ISO 3166-1, small letters) or a region (three digits of UN M49).

    Of the codes for private use, `xk` (Kosovo in Unicode) and `xx` (no country, in mBART) are accepted.
    """
    return subtag in ("xk", "xx") or subtag in _subtags_for("region", _ANY)


def is_variant(primary: str, subtag: str) -> bool:
    """True if `subtag` is a dialect or an orthography that the registry has for `primary` (ISO 639-3)."""
    return subtag in _subtags_for("variant", primary) or subtag in _subtags_for("variant", _ANY)


def group(code: str) -> str | None:
    """English name of the group of languages `code`, such as Baltic languages for `bat`; None for any other code."""
    return _groups().get(code)


def is_private(code: str) -> bool:
    """True if `code` is for private use (`qaa` to `qtz`): no standard gives it a meaning."""
    return re.fullmatch("q[a-t][a-z]", code) is not None


def _subtags_for(kind: str, of: str) -> frozenset[str]:
    return _subtags().get((kind, of), frozenset())


@cache
def _subtags() -> dict[tuple[str, str], frozenset[str]]:
    return {(kind, of): frozenset(listed.split()) for kind, of, listed in tables.rows("subtags.tsv") if kind != "group"}


@cache
def _groups() -> dict[str, str]:
    return {code: name for kind, code, name in tables.rows("subtags.tsv") if kind == "group"}
