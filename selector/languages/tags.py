"""Codes and language tags → the individual language of ISO 639-3 that they mean; nothing here reads names.

Taken: ISO 639-1, -2 (both forms), -3 and withdrawn codes; BCP 47; FLORES, with a dialect behind the script; spellings
of Wikipedia and CC-100; Glottocodes; treebanks. A second part that nobody has registered is an error, never ignored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from selector.sources import code_tables, iso639, schemes, subtags, tables


@dataclass(frozen=True)
class ParsedTag:
    """The language that a code stands for, with a remark for the user where another reading is possible."""

    code: str  # ISO 639-3, individual
    why: str = ""  # what follows "'kur_Arab' is read as ckb (Central Kurdish)"
    other: str = ""  # the language that it might have been, in the place of {} in `why`


def parse_tag(text: str) -> ParsedTag | None:
    """Language of the code or tag `text`, in any case, with hyphens or underscores; None if it is not one language."""
    tag = text.casefold().replace("_", "-").removeprefix("other-")  # other-bat-smg: WikiANN's exceptions
    whole = code_tables.WHOLE.get(tag)
    if whole is not None:
        return ParsedTag(whole, code_tables.WHOLE_REMARKS.get(tag, ""))
    if schemes.is_glottocode(tag):
        return _reading(schemes.glottolog(tag))
    return _by_subtags(tag) or _reading(schemes.treebank(tag) if "-" in tag else None)


def individual(code: str) -> str | None:
    """Individual language of the plain code `code`; for a macrolanguage its usual member."""
    base = standard(code)
    return None if base is None else code_tables.PREFERRED.get(base, base)


def standard(code: str) -> str | None:
    """Today's ISO 639-3 code of `code`, an individual language or a macrolanguage; None for anything else."""
    code = code_tables.RETIRED.get(code, code)
    code = two_letter().get(code, code)
    return code if code in own() or code in code_tables.PREFERRED else iso639.standard(code)


@cache
def own() -> frozenset[str]:
    """Codes of the languages in the package's own table."""
    return frozenset(row[0] for row in tables.rows("languages.tsv"))


@cache
def two_letter() -> dict[str, str]:
    """ISO 639-1 code → ISO 639-3 code, for the package's own languages and for macrolanguages."""
    return code_tables.TWO_LETTER | {row[5]: row[0] for row in tables.rows("languages.tsv") if row[5] != "-"}


def _reading(code: str | None) -> ParsedTag | None:
    known = None if code is None else individual(code)
    return None if known is None else ParsedTag(known)


def _by_subtags(tag: str) -> ParsedTag | None:
    """Language, extended language, script, region, variants: each once, in this order, and all of them registered."""
    primary, *rest = tag.split("-")
    base = standard(primary) if re.fullmatch("[a-z]{2,3}", primary) else None
    if rest and subtags.is_extended(base or primary, rest[0]):  # zh-yue, ar-arz: the extension is the language
        base = standard(rest.pop(0))
    if base is None:
        return None
    if not rest:
        return _plain(primary, base)
    script = rest.pop(0) if subtags.is_script(rest[0]) else ""
    region = rest.pop(0) if rest and subtags.is_region(rest[0]) else ""
    usual = code_tables.PREFERRED.get(base, base)
    if not all(subtags.is_variant(base, part) or schemes.glottolog(part) == usual for part in rest):
        return None
    return _shift(base, usual, script, region)


def _plain(primary: str, base: str) -> ParsedTag:
    usual = code_tables.PREFERRED.get(base, base)
    if primary in code_tables.WIKIPEDIA:
        why = f", as in ISO 639-3; for the {primary} of Wikipedia and WikiANN write {{}}"
        return ParsedTag(usual, why, code_tables.WIKIPEDIA[primary])
    return ParsedTag(usual, code_tables.WHOLE_REMARKS.get(primary, ""))


def _shift(base: str, usual: str, script: str, region: str) -> ParsedTag:
    """Reading of a macrolanguage code with a script or region, which may make it another member of the macrolanguage.

    Where it only may do so, the remark says it.
    """
    by_script = code_tables.SHIFTED.get(f"{base}-{script}")
    by_region = code_tables.SHIFTED.get(f"{base}-{region}")
    decided = bool(script) and by_region in _by_scripts(base)  # pa-Guru-PK: the script says which one
    for code, what in ((by_script, "script"), (None if decided else by_region, "region")):
        if code is not None:
            return ParsedTag(code, f" because of its {what}; without it, it is {{}}", usual)
    spoken = code_tables.SPOKEN.get(f"{base}-{region}", "")
    return ParsedTag(usual, "; for the language spoken in that region write {}" if spoken else "", spoken)


def _by_scripts(base: str) -> set[str]:
    return {code for key, code in code_tables.SHIFTED.items() if re.fullmatch(f"{base}-[a-z]{{4}}", key)}
