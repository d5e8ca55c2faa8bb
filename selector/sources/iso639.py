"""What ISO 639-3 itself says of codes and names; the only reader of iso639-lang."""

from __future__ import annotations

import re
from functools import cache

from selector.sources import code_tables


@cache
def individual(text: str) -> str | None:
    """The individual language that `text` names by code or exact English name, today's code for a retired one.

    A macrolanguage answers with its usual individual language (`code_tables.PREFERRED`); None where nothing is named.
    """
    import iso639
    from iso639.exceptions import DeprecatedLanguageValue, InvalidLanguageValue

    try:
        entry = iso639.Lang(text)
    except DeprecatedLanguageValue as gone:
        return individual(gone.change_to) if gone.change_to else None
    except InvalidLanguageValue:
        return None
    if entry.scope() == "Macrolanguage":
        return code_tables.PREFERRED.get(entry.pt3)
    return entry.pt3 if entry.scope() == "Individual" else None


@cache
def successors(code: str) -> tuple[str, ...]:
    """Today's codes for the parts of a language whose code was split; () for any other code."""
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
    """The reference name of an ISO 639-3 code."""
    import iso639

    return str(iso639.Lang(code).name)


@cache
def macrolanguage(code: str) -> str | None:
    """The macrolanguage that an individual language belongs to; None where there is none, or no iso639-lang to ask."""
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
