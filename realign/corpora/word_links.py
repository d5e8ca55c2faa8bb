"""Parallel text with word links from files: a bilingual dictionary, or the output of another word aligner.

    ByDictionary   <folder>/<source>-<code>.txt[.gz]   "word translation" a line (MUSE, Lample et al. 2018)
    ByPharaoh      <folder>/<code>.align[.gz]          "0-0 1-2 …" a line: the links of the train pair of that number

Each is a `Parallel` around another one. Pairs carry their links with them, so no later step that drops or reorders
pairs can mix them up. Codes are any that a pool accepts (MUSE has `en-de.txt`); a file may have the macrolanguage's.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from realign.corpora.corpus import ByNumber, Links, Pair, Parallel, Split, blocks_of, pick
from realign.corpora.file_names import FilesByLanguage, pair_of
from realign.corpora.folder import (
    CODES,
    fail,
    fail_at_line,
    files_by_language,
    files_by_name,
    lines,
    one,
    sign_files,
    with_stamp,
)

ALIGNED = ".align"

log = logging.getLogger("realingo.data")


class ByDictionary:
    """Links between words that a dictionary translates into each other, in any case and Unicode normal form."""

    def __init__(self, parallel: Parallel, folder: Path, source: str = "eng") -> None:
        self.around, self._files = parallel, _dictionaries(folder, source)
        self._folder = folder

    @property
    def signature(self) -> str:
        return f"{self.around.signature}+{sign_files('dictionary-nfc', self._files.values())}"

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        path = one(self._files, language, f"dictionary in {self._folder}")
        known = _read_dictionary(*with_stamp(path))
        return LinkedPairs(self.around.pairs(language, split), lambda _, pair: dictionary_links(pair, known))


class ByPharaoh:
    """Links from files with one line per train pair, in the order of the parallel text, before any filter."""

    def __init__(self, parallel: Parallel, folder: Path) -> None:
        at_blanks = getattr(parallel, "at_blanks", None)  # only text stored as lines can be cut in another way
        self.around: Parallel = at_blanks() if at_blanks else parallel
        self._folder = folder
        self._files = files_by_language(folder, ALIGNED)

    @property
    def signature(self) -> str:
        return f"{self.around.signature}+{sign_files('pharaoh-blanks', self._files.values())}"

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        """Pairs of `language` in `split`, those for training with their links.

        InputError, with file and line: there are not as many lines as pairs, or a link is beyond the end of a sentence.
        """
        pairs = self.around.pairs(language, split)
        if split != "train":
            return pairs
        path = one(self._files, language, f"alignment file in {self._folder}")
        rows = _read_rows(*with_stamp(path))
        if len(rows) != len(pairs):
            message = f"{path} has {len(rows)} lines for the {len(pairs)} train pairs of {language}"
            fail(message, "align exactly the train pairs, in their order, one line for each")
        return LinkedPairs(pairs, lambda number, pair: _links(path, number + 1, rows[number], pair))


class LinkedPairs(ByNumber[Pair]):
    """Pairs whose links are looked up when they are read."""

    def __init__(self, pairs: Sequence[Pair], links: Callable[[int, Pair], Links]) -> None:
        self._pairs, self._links = pairs, links

    @property
    def blocks(self) -> Sequence[int]:
        return blocks_of(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[Pair]:  # not by number: that is slow for a corpus that is read from a file
        for number, pair in enumerate(self._pairs):
            yield replace(pair, links=self._links(number, pair))

    def pick(self, numbers: Sequence[int]) -> Iterator[Pair]:
        """Pairs with these `numbers` (ascending)."""
        for number, pair in zip(numbers, pick(self._pairs, numbers), strict=True):
            yield replace(pair, links=self._links(int(number), pair))

    def _at(self, number: int) -> Pair:
        pair = self._pairs[number]
        return replace(pair, links=self._links(number, pair))


def dictionary_links(pair: Pair, known: dict[str, frozenset[str]]) -> Links:
    """All links of a source word of `pair` with a target word that is among its translations in `known`."""
    target = [_caseless(word) for word in pair.target]
    nothing: frozenset[str] = frozenset()
    return tuple(
        (i, j)
        for i, word in enumerate(pair.source)
        for j, other in enumerate(target)
        if other in known.get(_caseless(word), nothing)
    )


def _dictionaries(folder: Path, source: str) -> FilesByLanguage[Path]:
    """Target code → its dictionary from the source language; files of other pairs and directions are ignored."""
    if not folder.is_dir():
        fail(f"there is no dictionary folder {folder}", f"give a folder with files named {source}-<code>.txt")
    stems = [(name.removesuffix(".txt"), path) for name, path in files_by_name(folder).items() if name.endswith(".txt")]
    pairs = [(pair, path) for stem, path in stems if (pair := pair_of(stem))]
    found = FilesByLanguage.of((target, path) for (first, target), path in pairs if first.code == source)
    if not found:
        fail(f"no dictionary in {folder}", f"files are named {source}-<code>.txt or {source}-<code>.txt.gz, {CODES}")
    return found


def _caseless(word: str) -> str:
    """Form of a word that is the same in any case and with any encoding of accents."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", word).casefold())


@cache
def _read_dictionary(path: Path, _stamp: tuple[int, int]) -> dict[str, frozenset[str]]:
    known: dict[str, set[str]] = {}
    entries = phrases = 0
    for number, line in lines(path):
        if not line.strip():
            continue
        words = line.split("\t") if "\t" in line else line.strip(" ").split(" ")
        words = [word.strip() for word in words if word or "\t" in line]
        if len(words) != 2 or not all(words):
            fail_at_line(path, number, f"{len(words)} words instead of a word and its translation")
        entries += 1
        if any(len(word.split()) > 1 for word in words):
            phrases += 1
            continue
        known.setdefault(_caseless(words[0]), set()).add(_caseless(words[1]))
    if not known:
        kind = f"only phrases ({phrases})" if phrases else "no word"
        fail(f"{path} has {kind} in it", "one word and its translation a line")
    if phrases:
        log.warning("%s: %d of %d entries are phrases: only single words are linked", path, phrases, entries)
    return {word: frozenset(others) for word, others in known.items()}


@cache
def _read_rows(path: Path, _stamp: tuple[int, int]) -> tuple[str, ...]:
    return tuple(line for _, line in lines(path))


def _links(path: Path, number: int, row: str, pair: Pair) -> Links:
    """Zero-based "source-target" links of one line. Possible links ("0p0") and weights ("0-0:0.9") are refused."""
    links = []
    for text in row.split():
        match = re.fullmatch(r"([0-9]{1,9})-([0-9]{1,9})", text)
        if not match:
            fail_at_line(path, number, f"'{text[:40]}' is not a link", _hint(text))
        i, j = int(match[1]), int(match[2])
        if i >= len(pair.source) or j >= len(pair.target):
            size = f"{len(pair.source)} and {len(pair.target)} words"
            fail_at_line(path, number, f"link {text} lies beyond the sentences of {size}", "words are counted from 0")
        links.append((i, j))
    return tuple(dict.fromkeys(links))


def _hint(text: str) -> str:
    """Hint for a link in another notation."""
    if re.fullmatch(r"[0-9]+p[0-9]+", text):
        return "possible links are not taken: remove them, or write them as 0-0"
    if re.fullmatch(r"[0-9]+-[0-9]+[:/][0-9.eE+-]+", text):
        return "weights are not taken: keep the links you believe in, without their weights"
    return 'links are written "0-0 1-2", numbers from 0'
