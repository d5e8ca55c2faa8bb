"""What a language is, and how to read any usual name or code for one.

The languages of the named pools come from a small table of this package; the long tail from ISO 639-3 (iso639-lang) and
URIEL's family tree, read only when asked for.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from selector.errors import InputError
from selector.languages import pools
from selector.sources import code_tables, iso639, tables
from selector.text_file import small


@dataclass(frozen=True, order=True)
class Language:
    """One individual language of ISO 639-3 with its place in the world's languages."""

    code: str  # ISO 639-3, individual
    name: str
    family: str
    genus: str
    script: str  # ISO 15924, the main one; Zyyy where unknown


Pool = tuple[Language, ...]  # the sampling frame, sorted by code, unique

NO_SCRIPT = "Zyyy"  # the script where none is known
UNKNOWN = "Unclassified"  # family and genus where nothing is known: one group, so that ignorance never looks diverse

# A code, then optionally the subtags of BCP-47 or FLORES: extended language, script, region, variants.
_TAG = re.compile(r"([a-z]{2,3})(?:[-_]([a-z]{3}))?(?:[-_][a-z]{4})?(?:[-_](?:[a-z]{2}|\d{3}))?(?:[-_][a-z0-9]{5,8})*")
_GUESSES = 3


@cache
def parse(text: str) -> Language:
    """The individual language that `text` names: ISO 639-3 or -1, BCP-47, FLORES or an English name, in any case.

    Macrolanguage codes answer with their usual individual language (`zho` is `cmn`).
    Raises InputError with the nearest guesses where nothing is named.
    """
    wanted = text.strip().casefold()
    code = _from_tag(wanted) or _from_name(text.strip())
    if code is None:
        near = ", ".join(_guesses(wanted))
        hint = f"did you mean {near}?" if near else "give an ISO 639-3 code such as deu, or an English name"
        raise InputError(f"unknown language '{text.strip()}'", hint)
    return _language(code)


def parse_pool(given: str | Iterable[str]) -> Pool:
    """A sampling frame from codes, from a file with one code per line (`#` comments), or from a named pool.

    Raises InputError for an unknown language (with the line number of a file), a missing file or an empty pool.
    """
    if not isinstance(given, str):
        found = _canonical(parse(item) for item in given)
    elif given in pools.NAMED:
        found = _canonical(_language(code) for code in pools.NAMED[given])
    elif given == "uriel":
        found = _uriel()
    elif _is_path(given):
        found = _read(Path(given))
    else:
        found = _canonical(_parse_listed(item) for item in given.split(",") if item.strip())
    if not found:
        raise InputError("the pool is empty", f"give codes, a file of codes, or a named pool: {', '.join(pools.NAMES)}")
    return found


def scripts(language: Language) -> tuple[str, ...]:
    """Every script the language is written in (ISO 15924, Unicode CLDR), its main one first; () where unknown."""
    main = () if language.script == NO_SCRIPT else (language.script,)
    return tuple(dict.fromkeys((*main, *_scripts().get(language.code, ()))))


def known() -> Pool:
    """Every language of the package's own table."""
    return tuple(_table().values())


def two_letter(code: str) -> str | None:
    """ISO 639-1 of an individual language: its own code, else the one of a macrolanguage it stands for."""
    return _by_individual().get(code)


@cache
def _by_individual() -> dict[str, str]:
    own = {three: two for two, three in _two_letter().items()}
    return {code_tables.PREFERRED[three]: two for three, two in own.items() if three in code_tables.PREFERRED} | own


@cache
def _table() -> dict[str, Language]:
    return {row[0]: Language(*row[:5]) for row in _rows()}


@cache
def _rows() -> tuple[tuple[str, ...], ...]:
    return tuple(sorted(map(tuple, tables.rows("languages.tsv"))))


@cache
def _two_letter() -> dict[str, str]:
    return code_tables.TWO_LETTER | {row[5]: row[0] for row in _rows() if row[5] != "-"}


@cache
def _names() -> dict[str, str]:
    return code_tables.NICKNAMES | {row[1].casefold(): row[0] for row in _rows()}


def _from_tag(tag: str) -> str | None:
    if tag in ("zh-min-nan", "zh-min"):  # grandfathered in BCP-47
        return "nan"
    match = _TAG.fullmatch(tag)
    if match is None:
        return None
    primary, extended = match.groups()
    if extended is not None:  # zh-yue, ar-arz: the extension is the language
        return _from_code(extended)
    return _from_code(primary)


def _from_code(code: str) -> str | None:
    code = code_tables.RETIRED.get(code, code)
    code = _two_letter().get(code, code)
    code = code_tables.PREFERRED.get(code, code)
    return code if code in _table() else iso639.individual(code)


def _from_name(name: str) -> str | None:
    if len(name) < 3:
        return None
    return (
        _names().get(name.casefold()) or iso639.individual(name) or iso639.individual(name.title()) or _any_case(name)
    )


def _any_case(name: str) -> str | None:
    code = iso639.names().get(name.casefold())
    return _from_code(code) if code else None


def _guesses(wanted: str) -> list[str]:
    """Where a code was split, its parts; else the nearest codes and names, the package's own languages first."""
    parts = [code for code in iso639.successors(wanted) if _from_code(code) == code]
    if parts:
        return [_introduced(code) for code in parts]
    own = {row[0]: row[0] for row in _rows()} | _names()
    everything = own | {name: code for name, code in iso639.names().items() if name not in own}
    found: dict[str, str] = {}
    for candidates, cutoff in ((own, 0.6), (everything, 0.6), (own, 0.3)):
        for match in difflib.get_close_matches(wanted, candidates, n=_GUESSES, cutoff=cutoff):
            code = _from_code(candidates[match])
            if code is not None and len(found) < _GUESSES:
                found[code] = _introduced(code)
    return list(found.values())


def _introduced(code: str) -> str:
    return f"{code} ({_language(code).name})"


@cache
def _language(code: str) -> Language:
    if code in _table():
        return _table()[code]
    from selector.languages.genus import genus
    from selector.sources import features

    name, script = iso639.name(code), (_scripts().get(code) or (NO_SCRIPT,))[0]
    if code in code_tables.ISOLATES:
        return Language(code, name, name, name, script)
    path = features.branch(code)
    if not path:
        return Language(code, name, UNKNOWN, UNKNOWN, script)
    return Language(code, name, path[0], genus(path, _landmarks()), script)


@cache
def _landmarks() -> dict[str, str]:
    from selector.languages.genus import landmarks

    return landmarks({language.code: language.genus for language in known()})


@cache
def _scripts() -> dict[str, tuple[str, ...]]:
    """Code → scripts of CLDR, the main one first."""
    return {code: tuple(listed.split()) for listed, users in tables.rows("scripts.tsv") for code in users.split()}


def _uriel() -> Pool:
    from selector.sources import features

    return _canonical(_language(code) for code in features.codes() if _from_code(code) == code)


def _canonical(languages: Iterable[Language]) -> Pool:
    unique = {language.code: language for language in languages}
    return tuple(unique[code] for code in sorted(unique))


def _is_path(text: str) -> bool:
    if "/" in text or "\\" in text or re.search(r"\.[a-z]{1,4}$", text, re.IGNORECASE):
        return True
    return "," not in text and _from_tag(text.strip().casefold()) is None and os.path.isfile(text)


def _parse_listed(item: str) -> Language:
    try:
        return parse(item)
    except InputError as problem:
        near = difflib.get_close_matches(item.strip(), pools.NAMES, n=1)
        if not near:
            raise
        raise InputError(problem.message, f"{problem.hint} (the nearest named pool is {near[0]})") from None


def _read(path: Path) -> Pool:
    try:
        lines = small(path).splitlines()
    except (OSError, ValueError) as problem:  # ValueError: bytes that are not UTF-8, or an impossible name
        reason = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8 text"
        raise InputError(
            f"cannot read the pool file '{path}': {reason}", "give a text file, one code per line"
        ) from None
    found = []
    for number, line in enumerate(lines, 1):
        item = line.split("#", 1)[0].strip()
        if item:
            try:
                found.append(parse(item))
            except InputError as problem:
                raise InputError(f"{path}, line {number}: {problem.message}", problem.hint) from None
    return _canonical(found)
