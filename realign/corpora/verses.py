"""Data in local files, read when asked for: verse-parallel text, treebanks, plain text; the forms `base.py` names.

    Verses    <folder>/<code>.txt[.gz]              verse id TAB text, one verse a line; joined on the id
    Conllu    <folder>/<code>.<split>.conllu[.gz]   the ten columns of CoNLL-U (universaldependencies.org/format.html);
              <folder>[/UD_<language>-<treebank>]/<code>_<treebank>-ud-<split>.conllu[.gz], as they are released
    Plain     <folder>/<code>.txt[.gz]              one sentence a line

`code` is any that a pool takes; a file may carry the macrolanguage's (ara.txt serves arb), the individual code wins.
Two other files of one language are an error when it is asked for.
"""

from __future__ import annotations

import copy
import hashlib
import logging
import os
import re
import sys
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Generic, Self, TypeVar, get_args, overload

from realign.corpora.base import Cut, Pair, Split, Tagged, at_blanks, at_white_space
from realign.corpora.conllu_lines import UPOS as UPOS
from realign.corpora.conllu_lines import read_conllu
from realign.corpora.folder import CODES, VARIABLE, bad, by_language, fail, lines, one, sign, stamped, treebanks
from selector.errors import InputError

SPLITS: tuple[Split, ...] = get_args(Split)
RANGE = "<range>"  # of eBible: the verse is translated together with the one before it

log = logging.getLogger("realingo.data")

Row = TypeVar("Row")
Item = TypeVar("Item", covariant=True)


def find_folder(text: str, base: Path) -> Path:
    """The data folder a study file names: relative to `base` (the file's folder) first, then under $REALINGO_DATA.

    `{data}/…` looks under $REALINGO_DATA only; an absolute path (or `~/…`) is taken as it is. InputError names every
    place tried.
    """
    inside = text.removeprefix("{data}").lstrip("/")
    places = [] if text.startswith("{data}") else [base / os.path.expanduser(text)]
    root = os.environ.get(VARIABLE)
    shared = not os.path.isabs(os.path.expanduser(text))
    if root and shared:
        places.append(Path(root).expanduser() / inside)
    for place in places:
        if text and os.path.isdir(place):
            return place
    tried = [str(place) for place in places] + ([f"${VARIABLE}/{inside} (not set)"] if shared and not root else [])
    message = f"there is no data folder '{text}'; looked for {' and '.join(tried)}"
    raise InputError(message, f"set {VARIABLE} to the folder that holds '{inside}'" if shared else "correct the path")


class Verses:
    """Verse-parallel text with the source language, and its train verses as plain text (`Parallel`, `Monolingual`).

    Splits are those of `verse_ids.tsv` (columns verse_id and split; a verse it does not list is in no split). Without
    that file whole chapters are split by a hash of their id, 90 / 5 / 5. A verse without text counts as absent.
    `languages` (none: all in the folder) names what the `signature` covers.
    """

    def __init__(self, folder: Path, source: str, languages: Iterable[str] = ()) -> None:
        self._files = by_language(folder, ".txt")
        self._folder, self._source, self._named = folder, source, tuple(sorted(set(languages)))
        self._cut: Cut = at_white_space

    def at_blanks(self) -> Self:
        """The same text with its words cut only at ASCII blanks, as word aligners do."""
        other = copy.copy(self)
        other._cut = at_blanks
        return other

    def languages(self) -> tuple[str, ...]:
        """The individual codes of the languages with a file."""
        return tuple(self._files)

    @property
    def signature(self) -> str:
        """SHA-256 over the names and bytes of the files in use, the split table included."""
        table = self._folder / "verse_ids.tsv"
        named = (self._source, *self._named) if self._named else self.languages()
        paths = [self._file(code) for code in sorted(set(named))] + ([table] if table.exists() else [])
        return sign(f"verses:{self._source}", paths)

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        """Verses of the source with their translation, in canonical order; words are cut at white space.

        InputError: no file, a malformed line, or no verse in common.
        """
        if language == self._source:
            fail(f"'{language}' is the source language: it has no translation into itself", "leave it out")
        ours, theirs = self._verses(self._source), self._verses(language)
        rows = [(ours[verse], theirs[verse]) for verse in self._ids(split, ours) if verse in ours and verse in theirs]
        _tell_lost(self._file(self._source), self._file(language), split, _lost(ours, theirs, self._ids(split, ours)))
        if not rows:
            message = f"{self._source} and {language} share no {split} verse in {self._folder}"
            fail(
                message,
                "leave the language out, or check that the files share verse ids and that verse_ids.tsv lists them",
            )
        return Lazy(rows, lambda row: Pair(self._cut(row[0]), self._cut(row[1])))

    def texts(self, language: str) -> Sequence[tuple[str, ...]]:
        """The train verses of `language` as words: dev and test verses stay unseen in pretraining."""
        verses = self._verses(language)
        return Lazy([verses[verse] for verse in self._ids("train", verses) if verse in verses], _words)

    def _file(self, language: str) -> Path:
        return one(self._files, language, f"parallel text in {self._folder}")

    def _verses(self, language: str) -> dict[str, str]:
        return _read_verses(*stamped(self._file(language)))

    def _ids(self, split: Split, fallback: Iterable[str]) -> Iterable[str]:
        table = self._folder / "verse_ids.tsv"
        if table.exists():
            return _read_splits(*stamped(table))[_checked(split)]
        return (verse for verse in fallback if chapter_split(verse) == _checked(split))


class Conllu:
    """Treebanks with UPOS tags (`Labelled`). `languages` (none: all) names what the `signature` covers."""

    def __init__(self, folder: Path, languages: Iterable[str] = ()) -> None:
        self._files = {split: treebanks(folder, split) for split in SPLITS}
        self._folder, self._named = folder, frozenset(languages)
        if not any(self._files.values()):
            fail(f"no treebank in {folder}", f"files are named <code>.<split>.conllu or .conllu.gz, {CODES}")

    def languages(self, split: Split) -> tuple[str, ...]:
        """The individual codes of the languages that have this split."""
        return tuple(self._files[_checked(split)])

    @property
    def signature(self) -> str:
        """SHA-256 over the names and bytes of the files in use."""
        every = [(code, files) for files in self._files.values() for code in files]
        return sign("conllu", [files[code] for code, files in every if not self._named or code in self._named])

    def sentences(self, language: str, split: Split) -> Sequence[Tagged]:
        """Sentences as words with UPOS; multiword-token lines and empty nodes are skipped.

        InputError: no file for the language or the split, or a malformed line.
        """
        path = one(self._files[_checked(split)], language, f"{split} treebank in {self._folder}")
        return read_conllu(*stamped(path))


class Plain:
    """Plain text, one sentence a line (`Monolingual`); blank lines are skipped."""

    def __init__(self, folder: Path) -> None:
        self._files = by_language(folder, ".txt")
        self._folder = folder

    def languages(self) -> tuple[str, ...]:
        return tuple(self._files)

    @property
    def signature(self) -> str:
        """SHA-256 over the names and bytes of the files."""
        return sign("plain", self._files.values())

    def texts(self, language: str) -> Sequence[tuple[str, ...]]:
        path = one(self._files, language, f"text in {self._folder}")
        return Lazy([line for _, line in lines(path) if line.strip()], _words)


class Lazy(Sequence[Item], Generic[Row, Item]):
    """A sequence that keeps compact rows and makes an item when asked: verses as words take ten times the memory."""

    def __init__(self, rows: Sequence[Row], make: Callable[[Row], Item]) -> None:
        self._rows, self._make = rows, make

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        return Lazy(self._rows[index], self._make) if isinstance(index, slice) else self._make(self._rows[index])


def chapter_of(verse: str) -> str:
    """The id without its verse number, in the forms MAT.1.1, GEN 1:1, GEN_1_1, GEN-1-1 and 40001001."""
    if re.fullmatch("[0-9]{8}", verse):
        return verse[:5]
    for mark in ":.":
        if mark in verse:
            return verse.rpartition(mark)[0] or verse
    match = re.fullmatch(r"(.*[^\W_].*?)[^0-9A-Za-z]+[0-9]+[a-z]?", verse)
    return match[1] if match else verse


def chapter_split(verse: str) -> Split:
    """The split of a verse where no table says it: by its chapter, 90 / 5 / 5 in 100."""
    chapter = chapter_of(verse)
    bucket = int.from_bytes(hashlib.sha256(chapter.encode()).digest()[:8], "big") % 100
    return "train" if bucket < 90 else "dev" if bucket < 95 else "test"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _checked(split: str) -> Split:
    return split if split in SPLITS else fail(f"there is no split '{split}'", f"splits are {', '.join(SPLITS)}")


@cache
def _read_verses(path: Path, _stamp: tuple[int, int]) -> dict[str, str]:
    verses: dict[str, str] = {}
    for number, line in lines(path):
        if not line:
            continue
        verse, tab, text = line.partition("\t")
        if not tab or not verse.strip():
            bad(path, number, "expected a verse id, a TAB and the text")
        if verse in verses:
            bad(path, number, f"verse id '{verse}' for the second time")
        verses[sys.intern(verse)] = text.strip()
    if merged := sum(text == RANGE for text in verses.values()):
        log.warning(
            "%s: %d verses hold only %s, as their text stands with the verse before: left out", path, merged, RANGE
        )
    return {verse: text for verse, text in verses.items() if text and text != RANGE}


def _lost(ours: Container[str], theirs: Mapping[str, str], split: Iterable[str]) -> tuple[int, int, int]:
    """Of the source's verses and the split's: how many join; are not in the translation; only in the translation."""
    wanted = list(split)
    joined = sum(verse in ours and verse in theirs for verse in wanted)
    missing = sum(verse in ours and verse not in theirs for verse in wanted)
    return joined, missing, sum(verse not in ours for verse in theirs)


@cache
def _tell_lost(ours: Path, theirs: Path, split: Split, counts: tuple[int, int, int]) -> None:
    """Say once how many verses do not join, and why."""
    joined, missing, strange = counts
    if missing or strange:
        message = "%s: %d %s verses joined with %s; lost: %d without text there; ids of no verse of %s: %d"
        log.warning(message, theirs.name, joined, split, ours.name, missing, ours.name, strange)


@cache
def _read_splits(path: Path, _stamp: tuple[int, int]) -> dict[Split, list[str]]:
    rows = lines(path)
    header = next(rows, (1, ""))[1].split("\t")
    if not {"verse_id", "split"} <= set(header):
        bad(path, 1, "expected a header with the columns verse_id and split", "columns are separated by TABs")
    at, where = header.index("verse_id"), header.index("split")
    splits: dict[Split, dict[str, None]] = {split: {} for split in SPLITS}
    for number, line in rows:
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) != len(header) or cells[where] not in SPLITS or not cells[at].strip():
            bad(path, number, f"expected {len(header)} columns, with a verse id and a split of {', '.join(SPLITS)}")
        if any(cells[at] in known for known in splits.values()):
            bad(path, number, f"verse id '{cells[at]}' for the second time")
        splits[_checked(cells[where])][sys.intern(cells[at])] = None
    return {split: list(verses) for split, verses in splits.items()}
