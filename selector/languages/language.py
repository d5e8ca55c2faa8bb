"""What a language is, and how to read any usual name or code for one.

The languages of the named pools come from a small table of this package; the long tail from ISO 639-3 (iso639-lang) and
URIEL's family tree, read only when asked for.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from selector.errors import InputError, quantity
from selector.languages import pools, tags
from selector.sources import code_tables, iso639, schemes, subtags, tables
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

_GUESSES = 3


@dataclass(frozen=True)
class ParsedLanguage:
    """A language and a remark for the user on how its code was read; the remark is empty where there is no doubt."""

    language: Language
    remark: str = ""


def parse(text: str) -> Language:
    """Individual language that `text` names, by a code or by an English name of four letters or more, in any case.

    Codes may be of ISO 639, BCP-47, FLORES, Wikipedia, Glottolog or Universal Dependencies. A macrolanguage code gives
    its usual individual language (`zho` is `cmn`), unless a script or region makes it another one (`pa-Arab` is `pnb`).
    Where this is not the only possible reading, a warning is logged once. InputError, with the nearest guesses: no
    single language has this name.
    """
    found = parse_with_remark(text)
    if found.remark:
        _say(found.remark)
    return found.language


@cache
def parse_with_remark(text: str) -> ParsedLanguage:
    """Parse `text` as `parse` does, and return its remark instead of logging it. InputError as there."""
    given = text.strip()
    found = tags.parse_tag(given)
    if found is not None:
        return ParsedLanguage(_language(found.code), _remark(given, found))
    code = _from_name(given)
    if code is None:
        raise InputError(*_unknown(given))
    return ParsedLanguage(_language(code))


def parse_pool(given: str | Iterable[str]) -> Pool:
    """Pool, sorted by code. `given`: codes, a file with one code per line (`#` comments), or a named pool.

    InputError: a language is unknown (with the line number of a file), the file is missing, or the pool is empty.
    """
    if not isinstance(given, str):
        found = _once(parse(item) for item in given)
    elif given in pools.NAMED:
        found = _canonical(_language(code) for code in pools.NAMED[given])
    elif given == "uriel":
        found = _uriel()
    elif _is_path(given):
        found = _read_pool_file(Path(given))
    else:
        found = _once(_parse_item(item) for item in given.split(",") if item.strip())
    if not found:
        raise InputError("the pool is empty", f"give codes, a file of codes, or a named pool: {', '.join(pools.NAMES)}")
    return found


def scripts(language: Language) -> tuple[str, ...]:
    """Scripts that `language` is written in (ISO 15924, from Unicode CLDR), its main one first; () where unknown."""
    main = () if language.script == NO_SCRIPT else (language.script,)
    return tuple(dict.fromkeys((*main, *_scripts().get(language.code, ()))))


def all_languages() -> Pool:
    """Every language of the package's own table."""
    return tuple(_table().values())


def two_letter(code: str) -> str | None:
    """ISO 639-1 code of the individual language `code`, or of a macrolanguage that it stands for; None without one."""
    return _by_individual().get(code) or (None if code in _table() else iso639.two_letter(code))


@cache
def _by_individual() -> dict[str, str]:
    own = {three: two for two, three in tags.two_letter().items()}
    usual = code_tables.PREFERRED
    return {usual[three]: two for three, two in own.items() if three in usual} | own


@cache
def _table() -> dict[str, Language]:
    return {row[0]: Language(*row[:5]) for row in _rows()}


@cache
def _rows() -> tuple[tuple[str, ...], ...]:
    return tuple(sorted(map(tuple, tables.rows("languages.tsv"))))


@cache
def _names() -> dict[str, str]:
    return code_tables.NICKNAMES | {row[1].casefold(): row[0] for row in _rows()}


def _from_name(name: str) -> str | None:
    """Code of the language with this name, or None.

    Names of three letters are not accepted: they look like codes, and most are the code of an unrelated language.
    """
    code = None if len(name) < iso639.SHORTEST_NAME else _names().get(name.casefold()) or iso639.code_of_name(name)
    return None if code is None else code_tables.PREFERRED.get(code, code)


def _remark(given: str, found: tags.ParsedTag) -> str:
    if not found.why:
        return ""
    why = found.why.format(_introduce(found.other)) if found.other else found.why
    return f"'{given}' is read as {_introduce(found.code)}{why}"


@cache
def _say(remark: str) -> None:
    import logging

    logging.getLogger("realingo.languages").warning(remark)


def _unknown(given: str) -> tuple[str, str]:
    """Message and hint for a text that names no single language."""
    tag = given.casefold().replace("_", "-")
    near, why = ", ".join(_guesses(tag)), ""
    if schemes.is_glottocode(tag):
        why = ": as a Glottocode it is a family, a dialect, or a language that ISO 639-3 does not have"
    elif subtags.group(tag) is not None:
        why = f": the code names a group, {subtags.group(tag)}"
    elif subtags.is_private(tag.split("-")[0]):
        why = ": a code for private use"
    hint = f"did you mean {near}?" if near else "give an ISO 639-3 code such as deu, or an English name"
    return f"unknown language '{given}'{why}", hint


def _guesses(tag: str) -> list[str]:
    """Languages that may have been meant: parts of a split language, members of a group, or similar codes and names."""
    found = _parts(tag) or _members(tag) or [code for code in map(tags.individual, tag.split("-")) if code]
    namesake = tags.individual(iso639.names().get(tag, ""))
    found += [namesake] if namesake else []
    alike = found or ([] if subtags.group(tag) or schemes.is_glottocode(tag) else _alike(tag))
    return [_introduce(code) for code in dict.fromkeys(alike)][:_GUESSES]


def _parts(code: str) -> list[str]:
    return [part for part in iso639.successors(code) if tags.individual(part) == part]


def _members(code: str) -> list[str]:
    """Languages of the package's table in a group whose name is that of their family or genus."""
    name = (subtags.group(code) or "").removesuffix(" languages")
    listed = code_tables.MEMBERS.get(code, "").split()
    return listed or [each.code for each in all_languages() if name and name in (each.genus, each.family)]


def _alike(tag: str) -> list[str]:
    """Codes that stand for the nearest codes and names, the package's own languages first."""
    import difflib

    own = {row[0]: row[0] for row in _rows()} | _names()
    everything = own | {name: code for name, code in iso639.names().items() if name not in own}
    found: dict[str, None] = {}
    for candidates, cutoff in ((own, 0.6), (everything, 0.6), (own, 0.3)):
        for match in difflib.get_close_matches(tag, candidates, n=_GUESSES, cutoff=cutoff):
            code = tags.individual(candidates[match])
            if code is not None and len(found) < _GUESSES:
                found[code] = None
    return list(found)


def _introduce(code: str) -> str:
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

    return landmarks({language.code: language.genus for language in all_languages()})


@cache
def _scripts() -> dict[str, tuple[str, ...]]:
    """Code → scripts of CLDR, the main one first."""
    return {code: tuple(listed.split()) for listed, users in tables.rows("scripts.tsv") for code in users.split()}


def _uriel() -> Pool:
    from selector.sources import features

    return _canonical(_language(code) for code in features.codes() if tags.individual(code) == code)


def _canonical(languages: Iterable[Language]) -> Pool:
    unique = {language.code: language for language in languages}
    return tuple(unique[code] for code in sorted(unique))


def _once(languages: Iterable[Language]) -> Pool:
    """The languages sorted by code. A warning names those that were given more than once, maybe by other codes."""
    given = list(languages)
    counts = Counter(language.code for language in given)
    if twice := sorted(code for code, count in counts.items() if count > 1):
        _say(
            f"{len(given)} entries are {quantity(len(counts), 'language')}: {', '.join(twice[:5])} named more than once"
        )
    return _canonical(given)


def _is_path(text: str) -> bool:
    if "/" in text or "\\" in text or re.search(r"\.[a-z]{1,4}$", text, re.IGNORECASE):
        return True
    return "," not in text and tags.parse_tag(text.strip()) is None and os.path.isfile(text)


def _parse_item(item: str) -> Language:
    try:
        return parse(item)
    except InputError as problem:
        import difflib

        near = difflib.get_close_matches(item.strip(), pools.NAMES, n=1)
        if not near:
            raise
        raise InputError(problem.message, f"{problem.hint} (the nearest named pool is {near[0]})") from None


def _read_pool_file(path: Path) -> Pool:
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
    return _once(found)
