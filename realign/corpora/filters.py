"""Filters for parallel text from the wild: which pairs to leave out, and how many went for which reason.

    empty       a side without a letter or digit
    length      a side longer than `longest` characters: two paragraphs, or markup
    ratio       one side more than `ratio` times as long as the other: not a translation of it
    script      fewer than the share `script` of the letters of a side are of the language's scripts: another language
    duplicate   the same pair again

A pair counts for the first of them that holds. The checks are those of corpus cleaning since Moses
(Koehn et al. 2007, clean-corpus-n); lengths are in characters, as not every script has spaces. Only training pairs are
filtered: what is measured stays what it is.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import blake2b, sha256
from typing import Annotated

from realign.corpora.corpus import Pair, Parallel, Split, Stream
from realign.section import Range, Section, setting

SLACK = 20  # characters added to both sides before the ratio: short sentences vary more
SHOWN = 200  # characters whose script is looked at

# ISO 15924 → the first word of the Unicode names of its letters. What is not listed is not checked.
SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "Latn": ("LATIN",), "Cyrl": ("CYRILLIC",), "Grek": ("GREEK",), "Armn": ("ARMENIAN",), "Geor": ("GEORGIAN",),
    "Arab": ("ARABIC",), "Hebr": ("HEBREW",), "Syrc": ("SYRIAC",), "Thaa": ("THAANA",), "Ethi": ("ETHIOPIC",),
    "Deva": ("DEVANAGARI",), "Beng": ("BENGALI",), "Guru": ("GURMUKHI",), "Gujr": ("GUJARATI",), "Orya": ("ORIYA",),
    "Taml": ("TAMIL",), "Telu": ("TELUGU",), "Knda": ("KANNADA",), "Mlym": ("MALAYALAM",), "Sinh": ("SINHALA",),
    "Thai": ("THAI",), "Laoo": ("LAO",), "Khmr": ("KHMER",), "Mymr": ("MYANMAR",), "Tibt": ("TIBETAN",),
    "Hani": ("CJK",), "Hans": ("CJK",), "Hant": ("CJK",), "Jpan": ("CJK", "HIRAGANA", "KATAKANA"),
    "Kore": ("HANGUL", "CJK"), "Hang": ("HANGUL", "CJK"), "Tfng": ("TIFINAGH",), "Nkoo": ("NKO",),
    "Copt": ("COPTIC",), "Cher": ("CHEROKEE",), "Mong": ("MONGOLIAN",), "Olck": ("OL",),
}  # fmt: skip


@dataclass(frozen=True)
class Rules(Section):
    """Conditions that a training pair must meet."""

    longest: Annotated[int, Range(ge=1, le=10_000_000)] = setting(1000, "Longest side of a pair, in characters.")
    ratio: Annotated[float, Range(gt=1)] = setting(
        4.0, "How many times as long as the shorter side the longer one may be, in characters."
    )
    script: Annotated[float, Range(ge=0, le=1)] = setting(
        0.5, "Share of letters that must be of the language's own scripts; 0 lets any script pass."
    )
    duplicates: bool = setting(False, "Whether a pair that was read before is kept again.")

    def reason(self, pair: Pair, scripts: tuple[Sequence[str], Sequence[str]]) -> str | None:
        """Reason to drop `pair`, whatever other pairs there are; None to keep it.

        `scripts` are of source and target.
        """
        sides = " ".join(pair.source), " ".join(pair.target)
        short, long = sorted(map(len, sides))
        if not all(any(c.isalnum() for c in side) for side in sides):
            return "empty"
        if long > self.longest:
            return "length"
        if long + SLACK > self.ratio * (short + SLACK):
            return "ratio"
        if any(share(side, some) < self.script for side, some in zip(sides, scripts, strict=True)):
            return "script"
        return None


class FilteredParallel:
    """Parallel text without the training pairs that the rules drop (a `Parallel` around a `Parallel`)."""

    def __init__(self, parallel: Parallel, rules: Rules, source: str, scripts: Mapping[str, Sequence[str]]) -> None:
        """`scripts`: language → scripts it is written in (ISO 15924).

        A language that is missing may have any script.
        """
        self.around, self._rules, self._source, self._scripts = parallel, rules, source, scripts
        facts = json.dumps([asdict(rules), sorted(scripts.items())])
        self._name = f"filtered:{sha256(facts.encode()).hexdigest()[:16]}"

    @property
    def signature(self) -> str:
        return f"{self.around.signature} {self._name}"

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        every = self.around.pairs(language, split)
        if split != "train":
            return every
        scripts = self._scripts.get(self._source, ()), self._scripts.get(language, ())
        return FilteredPairs(every, self._rules, scripts)


class FilteredPairs(Stream[Pair]):
    """The pairs of `every` that the rules keep. After one full pass `dropped` has the number of others by reason."""

    def __init__(self, every: Sequence[Pair], rules: Rules, scripts: tuple[Sequence[str], Sequence[str]]) -> None:
        super().__init__(self._read)
        self.every, self._rules, self._scripts = every, rules, scripts
        self.dropped: Counter[str] = Counter()

    @property
    def duplicates(self) -> bool:
        """True if the same pair may be kept again."""
        return self._rules.duplicates

    def reason(self, pair: Pair) -> str | None:
        """Reason to drop `pair`, whatever other pairs there are; None to keep it."""
        return self._rules.reason(pair, self._scripts)

    def _read(self) -> Iterator[Pair]:
        seen: set[bytes] = set()
        dropped: Counter[str] = Counter()
        for pair in self.every:
            reason = self.reason(pair)
            if reason is None and not self.duplicates:
                known = len(seen)
                seen.add(_digest(pair))
                reason = "duplicate" if len(seen) == known else None
            if reason is None:
                yield pair
            else:
                dropped[reason] += 1
        self.dropped = dropped


def count_dropped(pairs: Sequence[Pair]) -> Mapping[str, int]:
    """Number of `pairs` that a filter dropped, by reason; complete once the pairs were read to the end."""
    found: Mapping[str, int] = getattr(pairs, "dropped", {})
    return found


def share(text: str, scripts: Sequence[str]) -> float:
    """Share in [0, 1] of the letters in `text` that belong to `scripts` (ISO 15924); 1 without letters, or for an
    unknown script.
    """
    if not scripts or not all(script in SCRIPTS for script in scripts):
        return 1.0
    names = frozenset(name for script in scripts for name in SCRIPTS[script])
    text, fitting = text[:SHOWN], _fitting(names)
    others = set(text) - fitting
    strange = {character for character in others if character.isalpha() and _script(character) not in names}
    fitting |= others - strange
    if not strange:
        return 1.0
    letters, outside = sum(map(str.isalpha, text)), sum(map(text.count, strange))
    return (letters - outside) / letters


@cache
def _fitting(names: frozenset[str]) -> set[str]:
    """Known characters that are no letters, or letters of these scripts; grows as text is read."""
    return set()


@cache
def _script(letter: str) -> str:
    return unicodedata.name(letter, "").split(" ")[0].split("-")[0]


def _digest(pair: Pair) -> bytes:
    text = "\0".join((*pair.source, "\n", *pair.target))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()
