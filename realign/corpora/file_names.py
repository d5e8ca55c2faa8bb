"""Languages in file names: every code that a pool accepts, in the names of files as they are released.

    deu  de  ger  deu_Latn  zho_Hans  fil  stan1295      one language: <name><suffix>
    de_gsd-ud-dev                                        a treebank of Universal Dependencies, in its folder UD_… or not
    eng-deu  bible.de-en  europarl.de-en  eng-deu.dev    two languages: <name>.<code of the side>

Not recognized: names of languages, and lower-case regions after a hyphen (`en-de` is a pair of languages).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from realign.corpora.corpus import Split
from selector.errors import InputError
from selector.languages import tags
from selector.sources import schemes, subtags
from selector.sources.code_tables import PREFERRED, WHOLE

Item = TypeVar("Item")  # a path, or the paths of two sides
Other = TypeVar("Other")

_PAIR = re.compile(
    r"(?:(?P<corpus>.+)\.)?(?P<one>\w+)-(?P<other>\w+?)(?:[.-](?P<split>[a-z]+))?\.(?P<side>\w+)", re.ASCII
)
_ONE_LANGUAGE = {*WHOLE, "nds-nl", "pt-br", "zh-tw"}  # a hyphen and two codes, and yet no pair
_SPLITS: dict[str, Split] = {"train": "train", "dev": "dev", "valid": "dev", "validation": "dev", "test": "test"}


@dataclass(frozen=True)
class FileLanguage:
    """Language that a file name stands for."""

    code: str  # ISO 639-3, individual
    wide: bool  # a macrolanguage, read as its usual member: it gives way to a file with the individual code


@dataclass(frozen=True)
class PairSide:
    """One file of a pair: its language, the other one, and the name of the other file."""

    name: FileLanguage
    other: FileLanguage
    split: Split | None  # None where the name says nothing
    partner: str  # the name of the other file, without .gz


class FilesByLanguage(Mapping[str, Item], Generic[Item]):
    """Files by language code. Two files for one language are an InputError only when that language is looked up."""

    def __init__(self, found: Mapping[str, Sequence[Item]]) -> None:
        self._found: dict[str, tuple[Item, ...]] = {code: tuple(items) for code, items in sorted(found.items())}

    @classmethod
    def of(cls, named: Iterable[tuple[FileLanguage, Item]]) -> FilesByLanguage[Item]:
        """All files of `named` by code; a macrolanguage's file only where no file has the individual code."""
        exact: dict[str, list[Item]] = {}
        wide: dict[str, list[Item]] = {}
        for name, item in named:
            (wide if name.wide else exact).setdefault(name.code, []).append(item)
        return cls(wide | exact)

    def __getitem__(self, code: str) -> Item:
        items = self._found[code]
        if len(items) > 1:
            names = " and ".join(_format_item(item) for item in items)
            raise InputError(f"more than one file fits {code}: {names}", "keep one of them in the folder")
        return items[0]

    def __contains__(self, code: object) -> bool:  # Mapping's own method would look the value up
        return code in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def map_items(self, change: Callable[[Item], Other]) -> FilesByLanguage[Other]:
        """Copy in which `change` is applied to every item."""
        return FilesByLanguage({code: [change(item) for item in items] for code, items in self._found.items()})

    def merge(self, other: FilesByLanguage[Item]) -> FilesByLanguage[Item]:
        """All files of this and `other`; a language that both have is an error when it is looked up."""
        codes = {*self._found, *other._found}
        return FilesByLanguage({code: (*self._found.get(code, ()), *other._found.get(code, ())) for code in codes})


def language_of(stem: str) -> FileLanguage | None:
    """Language of a file name without its suffix, `stem`; None where it is no code of a language."""
    first = re.split("[-_]", stem.casefold())[0]
    if schemes.is_glottocode(stem) or (re.fullmatch("[a-z]{2,3}", first) and not _is_pair(stem)):
        found = tags.parse_tag(stem)
        base = tags.standard(first) or ""
        return None if found is None else FileLanguage(found.code, base != found.code == PREFERRED.get(base))
    return None


def treebank_of(stem: str) -> FileLanguage | None:
    """Language of a `stem` such as `<code>_<treebank>`; the treebank may be newer than our list of them."""
    known = tags.parse_tag(stem)
    code = known.code if known is not None else None if stem.startswith("no_") else tags.individual(stem.split("_")[0])
    return None if code is None else FileLanguage(code, wide=False)


def pair_side_of(name: str) -> PairSide | None:
    """Pair and side of the file `name` (without .gz); None where it is not one side of two languages."""
    match = _PAIR.fullmatch(name)
    if match is None:
        return None
    one, other, side = (language_of(match[part]) for part in ("one", "other", "side"))
    word = match["split"]
    if one is None or other is None or side is None or one.code == other.code:
        return None
    if side.code not in (one.code, other.code) or (word is not None and word not in _SPLITS):
        return None
    key, first = name.removesuffix(f".{match['side']}"), side.code == one.code
    partner = f"{key}.{match['other'] if first else match['one']}"
    split = _SPLITS.get(word or match["corpus"] or "")
    return PairSide(one, other, split, partner) if first else PairSide(other, one, split, partner)


def pair_of(stem: str) -> tuple[FileLanguage, FileLanguage] | None:
    """Both languages of a `stem` such as `en-de`, in its order; None where it is not two codes."""
    parts = [language_of(part) for part in stem.split("-")]
    return (parts[0], parts[1]) if len(parts) == 2 and parts[0] and parts[1] else None


def _is_pair(stem: str) -> bool:
    """True for two languages, not one with a region: `en-de` is a pair; `en-DE`, `zh-yue` and `zh-cn` are not."""
    first, _, second = stem.partition("-")
    if stem in _ONE_LANGUAGE or not re.fullmatch("[a-z]{2,3}", second) or tags.standard(second) is None:
        return False
    return not subtags.is_extended(tags.standard(first) or "", second)


def _format_item(item: object) -> str:
    path = item[0] if isinstance(item, tuple) else item
    return f"{path.parent.name}/{path.name}" if isinstance(path, Path) else str(path)
