"""Languages as data collections name them: Glottolog's codes, the treebanks of Universal Dependencies."""

from __future__ import annotations

import re
from functools import cache

from selector.sources import tables

_TREEBANK = re.compile(r"ud-(.+?)(?:-([a-z0-9]+))?")


def is_glottocode(text: str) -> bool:
    """True if `text` has the form of a Glottocode, as `stan1295` has; the code may not exist."""
    return re.fullmatch(r"[a-z0-9]{4}[0-9]{4}", text) is not None


def glottolog(glottocode: str) -> str | None:
    """ISO 639-3 code of `glottocode`; None for a family, and for a language without a code in ISO 639-3."""
    return _glottocodes().get(glottocode)


def glottocode(code: str) -> str | None:
    """Glottocode of the language `code` (ISO 639-3) itself, not of one of its dialects; None where there is none."""
    return _own_glottocodes().get(code)


def treebank(tag: str) -> str | None:
    """ISO 639-3 code of the treebank `tag`: `de-gsd` or `ud-german-gsd`, in small letters with hyphens.

    A private code (`qtd`) where the treebank mixes two languages. None where Universal Dependencies has no such
    treebank; in the long form the name of the language is enough, if it is always the same one.
    """
    by_code, by_name = _treebanks()
    match = _TREEBANK.fullmatch(tag.replace("_", "-"))
    if match is None:
        return by_code.get(tag)
    found = by_name.get(match[1], {})
    return found.get(match[2] or "") or (next(iter(found.values())) if len({*found.values()}) == 1 else None)


def treebanks() -> tuple[str, ...]:
    """Codes of all treebanks in the short form, such as `de-gsd`."""
    return tuple(_treebanks()[0])


@cache
def _glottocodes() -> dict[str, str]:
    return dict(tables.rows("glottocodes.tsv"))  # type: ignore[arg-type]


@cache
def _own_glottocodes() -> dict[str, str]:
    return {code: found for found, code in reversed(tables.rows("glottocodes.tsv"))}  # the first entry of a code stays


@cache
def _treebanks() -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Short form → code, and name of the language → treebank → code."""
    short: dict[str, str] = {}
    names: dict[str, dict[str, str]] = {}
    for name, ours, code, listed in tables.rows("treebanks.tsv"):
        of = names.setdefault(name.casefold().replace(" ", "-"), {})
        of |= dict.fromkeys(listed.split(), code)
        short |= {f"{ours}-{one}": code for one in listed.split()}
    return short, names
