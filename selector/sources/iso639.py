"""Codes and names of ISO 639-3; the only reader of iso639-lang."""

from __future__ import annotations

import re
from functools import cache

_CODE = re.compile("[a-z]{2,3}")
SHORTEST_NAME = 4  # shorter ones look like codes, and many are the code of an unrelated language


@cache
def standard(code: str) -> str | None:
    """Today's code of the individual language or macrolanguage `code`, given with two or three letters.

    None for a code of a group of languages, of a language that was split, or of nothing.
    """
    import iso639
    from iso639.exceptions import DeprecatedLanguageValue, InvalidLanguageValue

    if not _CODE.fullmatch(code):
        return None
    try:
        entry = iso639.Lang(code)
    except DeprecatedLanguageValue as gone:
        return standard(gone.change_to) if gone.change_to else None
    except InvalidLanguageValue:
        return None
    return str(entry.pt3) if entry.scope() in ("Individual", "Macrolanguage") else None


@cache
def code_of_name(name: str) -> str | None:
    """Today's code of the language with the English name `name` (four letters or more), in any case."""
    import iso639
    from iso639.exceptions import DeprecatedLanguageValue, InvalidLanguageValue

    if len(name) < SHORTEST_NAME:
        return None
    for spelling in (name, name.title()):
        try:
            return standard(iso639.Lang(spelling).pt3)
        except DeprecatedLanguageValue as gone:
            return standard(gone.change_to) if gone.change_to else None
        except InvalidLanguageValue:
            continue
    code = names().get(name.casefold())
    return standard(code) if code else None


@cache
def successors(code: str) -> tuple[str, ...]:
    """Today's codes of the parts into which the language `code` was split; () for any other code."""
    import iso639
    from iso639.exceptions import DeprecatedLanguageValue, InvalidLanguageValue

    try:
        iso639.Lang(code)
    except DeprecatedLanguageValue as gone:
        return tuple(re.findall(r"\[([a-z]{3})\]", gone.ret_remedy or ""))
    except InvalidLanguageValue:
        pass
    return ()


@cache
def name(code: str) -> str:
    """Reference name of the ISO 639-3 code `code`."""
    import iso639

    return str(iso639.Lang(code).name)


@cache
def two_letter(code: str) -> str | None:
    """ISO 639-1 code of the individual language `code` (ISO 639-3); None where there is none."""
    import iso639
    from iso639.exceptions import DeprecatedLanguageValue, InvalidLanguageValue

    try:
        return iso639.Lang(pt3=code).pt1 or None
    except (DeprecatedLanguageValue, InvalidLanguageValue):
        return None


@cache
def macrolanguage(code: str) -> str | None:
    """Macrolanguage of the individual language `code`; None where there is none, or iso639-lang is not installed."""
    try:
        import iso639
        from iso639.exceptions import DeprecatedLanguageValue, InvalidLanguageValue
    except ImportError:  # the package's own languages declare their stand-ins, so nothing is lost for them
        return None
    try:
        macro = iso639.Lang(code).macro()
    except (DeprecatedLanguageValue, InvalidLanguageValue):
        return None
    return str(macro.pt3) if macro is not None else None


@cache
def names() -> dict[str, str]:
    """Case-folded name → ISO 639-3 code, for every entry; also without what stands in brackets behind it."""
    import iso639

    named = [(entry.name.casefold(), entry.pt3) for entry in iso639.iter_langs() if entry.pt3]
    short = {name.split(" (")[0]: code for name, code in named}  # "modern greek" for "Modern Greek (1453-)"
    return short | dict(named)
