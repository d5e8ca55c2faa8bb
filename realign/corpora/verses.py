"""Data in local files, read when asked for: verse-parallel text and plain text; `corpus.py` has the protocols.

    Verses    <folder>/<code>.txt[.gz]              verse id TAB text, one verse a line; joined on the id
    Plain     <folder>/<code>.txt[.gz]              one sentence a line

`code` is any that a pool accepts. A file may have the macrolanguage's code (ara.txt serves arb); the individual code
has priority. Two other files of one language are an error when it is looked up.
"""

from __future__ import annotations

import copy
import hashlib
import logging
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Generic, Self, TypeVar, overload

from realign.corpora.corpus import Cut, Pair, Split, at_blanks, at_white_space
from realign.corpora.folder import (
    SPLITS,
    fail,
    fail_at_line,
    files_by_language,
    lines,
    one,
    parse_split,
    sign_files,
    with_stamp,
)

RANGE = "<range>"  # in eBible: the verse is translated together with the one before it

log = logging.getLogger("realingo.data")

Row = TypeVar("Row")
Item = TypeVar("Item", covariant=True)


@dataclass(frozen=True, eq=False)
class VerseFile:
    """Verses of one file.

    A text may contain several verses: it is stored with the first, and the others are merged into it.
    """

    path: Path
    ids: Collection[str]  # all of the file, in its order
    texts: Mapping[str, str]  # id → text, of verses that have one
    merged: Mapping[str, str]  # id → the verse whose text holds it as well
    holds: Mapping[str, tuple[str, ...]]  # id → the verses merged into its text

    def joins(self, other: VerseFile, verse: str) -> bool:
        """True if this file and `other` have a text for `verse`, with the same verses in it."""
        return verse in self.texts and verse in other.texts and not self.differs(other, verse)

    def differs(self, other: VerseFile, verse: str) -> bool:
        """True if this file and `other` merge `verse` with different neighbours."""
        here, there = ((each.merged.get(verse), each.holds.get(verse, ())) for each in (self, other))
        return here != there


class Verses:
    """Verse-parallel text with the source language, and its train verses as plain text (`Parallel`, `Monolingual`).

    Splits are those of `verse_ids.tsv` (columns verse_id and split; a verse it does not list is in no split). Without
    that file whole chapters are split by a hash of their id, 90 / 5 / 5. A verse without text counts as absent.
    `languages` (none: all in the folder) names what the `signature` covers.
    """

    def __init__(self, folder: Path, source: str, languages: Iterable[str] = ()) -> None:
        self._files = files_by_language(folder, ".txt")
        self._folder, self._source, self._named = folder, source, tuple(sorted(set(languages)))
        self._cut: Cut = at_white_space

    def at_blanks(self) -> Self:
        """The same text with its words cut only at ASCII blanks, as word aligners do."""
        other = copy.copy(self)
        other._cut = at_blanks
        return other

    def languages(self) -> tuple[str, ...]:
        """Individual codes of the languages with a file."""
        return tuple(self._files)

    @property
    def signature(self) -> str:
        """SHA-256 over the names and bytes of the files in use, the split table included."""
        table = self._folder / "verse_ids.tsv"
        named = (self._source, *self._named) if self._named else self.languages()
        paths = [self._file(code) for code in sorted(set(named))] + ([table] if table.exists() else [])
        return sign_files(f"verses-2:{self._source}", paths)

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        """Verses of the source with their translation into `language`, in canonical order, cut at white space.

        Where only one side has several verses in one text, all of these are left out, and a warning counts them.
        InputError: there is no file, a line is malformed, or the two files share no verse in `split`.
        """
        if language == self._source:
            fail(f"'{language}' is the source language: it has no translation into itself", "leave it out")
        ours, theirs = self._verses(self._source), self._verses(language)
        wanted = list(self._ids(split, ours))
        joined = [verse for verse in wanted if ours.joins(theirs, verse)]
        rows = [(ours.texts[verse], theirs.texts[verse]) for verse in joined]
        warn_of_unjoined(self._file(self._source), self._file(language), split, count_joined(ours, theirs, wanted))
        if not rows:
            message = f"{self._source} and {language} have no {split} verse in common in {self._folder}"
            fail(
                message,
                "leave the language out, or check that the files share verse ids and that verse_ids.tsv lists them",
            )
        return LazyRows(rows, lambda row: Pair(self._cut(row[0]), self._cut(row[1])))

    def texts(self, language: str) -> Sequence[tuple[str, ...]]:
        """Verses of `language` in the train split as words: dev and test verses stay unseen in pretraining."""
        verses = self._verses(language)
        texts = verses.texts
        return LazyRows([texts[verse] for verse in self._ids("train", verses) if verse in texts], _words)

    def _file(self, language: str) -> Path:
        return one(self._files, language, f"parallel text in {self._folder}")

    def _verses(self, language: str) -> VerseFile:
        return read_verses(*with_stamp(self._file(language)))

    def _ids(self, split: Split, fallback: VerseFile) -> Iterable[str]:
        table = self._folder / "verse_ids.tsv"
        if table.exists():
            return _read_splits(*with_stamp(table))[parse_split(split)]
        _tell_chapterless(fallback)
        return (verse for verse in fallback.ids if chapter_split(verse) == parse_split(split))


class Plain:
    """Plain text, one sentence a line (`Monolingual`); blank lines are skipped."""

    def __init__(self, folder: Path) -> None:
        self._files = files_by_language(folder, ".txt")
        self._folder = folder

    def languages(self) -> tuple[str, ...]:
        return tuple(self._files)

    @property
    def signature(self) -> str:
        """SHA-256 over the names and bytes of the files."""
        return sign_files("plain", self._files.values())

    def texts(self, language: str) -> Sequence[tuple[str, ...]]:
        path = one(self._files, language, f"text in {self._folder}")
        return LazyRows([line for _, line in lines(path) if line.strip()], _words)


class LazyRows(Sequence[Item], Generic[Row, Item]):
    """A sequence that stores compact rows and makes an item when asked: verses as words take ten times the memory."""

    def __init__(self, rows: Sequence[Row], make: Callable[[Row], Item]) -> None:
        self._rows, self._make = rows, make

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        return LazyRows(self._rows[index], self._make) if isinstance(index, slice) else self._make(self._rows[index])


def chapter_of(verse: str) -> str:
    """Id of the chapter of `verse`, in the forms MAT.1.1, GEN 1:1, GEN_1_1, GEN-1-1 and 40001001."""
    if re.fullmatch("[0-9]{8}", verse):
        return verse[:5]
    for mark in ":.":
        if mark in verse:
            return verse.rpartition(mark)[0] or verse
    match = re.fullmatch(r"(.*[^\W_].*?)[^0-9A-Za-z]+[0-9]+[a-z]?", verse)
    return match[1] if match else verse


def chapter_split(verse: str) -> Split:
    """Split of `verse` where no table gives one: whole chapters go to train, dev and test as 90 / 5 / 5 in 100."""
    chapter = chapter_of(verse)
    bucket = int.from_bytes(hashlib.sha256(chapter.encode()).digest()[:8], "big") % 100
    return "train" if bucket < 90 else "dev" if bucket < 95 else "test"


@cache
def _tell_chapterless(verses: VerseFile) -> None:
    """Warn once that neighbouring verses may be in different splits, because the ids have no chapters."""
    alone = [verse for verse in verses.ids if chapter_of(verse) == verse]
    if alone:
        message = (
            "%s: %d of %d verse ids have no chapter ('%s'): each is split alone, so that a verse of dev or test may "
        )
        message += "stand next to one of train; verse_ids.tsv can say the splits"
        log.warning(message, verses.path, len(alone), len(verses.ids), alone[0])


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@cache
def _read_splits(path: Path, _stamp: tuple[int, int]) -> dict[Split, list[str]]:
    rows = lines(path)
    header = next(rows, (1, ""))[1].split("\t")
    if not {"verse_id", "split"} <= set(header):
        fail_at_line(path, 1, "expected a header with the columns verse_id and split", "columns are separated by TABs")
    at, where = header.index("verse_id"), header.index("split")
    splits: dict[Split, dict[str, None]] = {split: {} for split in SPLITS}
    for number, line in rows:
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) != len(header) or cells[where] not in SPLITS or not cells[at].strip():
            fail_at_line(path, number, f"expected {len(header)} columns with a verse id and one of {', '.join(SPLITS)}")
        if any(cells[at] in known for known in splits.values()):
            fail_at_line(path, number, f"verse id '{cells[at]}' for the second time")
        splits[parse_split(cells[where])][sys.intern(cells[at])] = None
    return {split: list(verses) for split, verses in splits.items()}


@cache
def read_verses(path: Path, _stamp: tuple[int, int]) -> VerseFile:
    """Verses of the file at `path`. InputError, with file and line: no id and TAB, or the same id twice."""
    verses: dict[str, str] = {}
    merged: dict[str, str] = {}
    head = ""
    for number, line in lines(path):
        if not line:
            continue
        verse, tab, text = line.partition("\t")
        if not tab or not verse.strip():
            fail_at_line(path, number, "expected a verse id, a TAB and the text")
        if verse in verses:
            fail_at_line(path, number, f"verse id '{verse}' for the second time")
        verse = sys.intern(verse)
        verses[verse] = text.strip()
        if verses[verse] != RANGE:
            head = verse
        else:
            merged[verse] = head
    texts = {verse: text for verse, text in verses.items() if text and text != RANGE}
    return VerseFile(path, verses.keys(), texts, merged, _holds(merged))


def _holds(merged: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    holds: dict[str, tuple[str, ...]] = {}
    for verse, head in merged.items():
        holds[head] = (*holds.get(head, ()), verse)
    return holds


@dataclass(frozen=True)
class JoinCounts:
    """Number of verses of a split that join with the source's, and of those that do not, by reason."""

    joined: int
    absent: int  # in the source alone: the translation's file does not have the id
    empty: int  # a side has the id without a text
    merged: int  # in one text with other verses on one side than on the other
    strange: int  # the translation's ids that the source's file does not have, of all splits


def count_joined(ours: VerseFile, theirs: VerseFile, split: Iterable[str]) -> JoinCounts:
    """Counts over the verses in `split` that the source's file `ours` has, joined with those of `theirs`."""
    joined = absent = empty = merged = 0
    for verse in split:
        if verse not in ours.ids:
            continue
        if verse not in theirs.ids:
            absent += verse in ours.texts
        elif ours.differs(theirs, verse):
            merged += 1
        elif verse in ours.texts and verse in theirs.texts:
            joined += 1
        else:
            empty += verse in ours.texts or verse in theirs.texts
    return JoinCounts(joined, absent, empty, merged, sum(verse not in ours.ids for verse in theirs.texts))


@cache
def warn_of_unjoined(ours: Path, theirs: Path, split: str, counts: JoinCounts) -> None:
    """Warn once how many verses of `theirs` do not join with those of `ours` in `split`, and why: `counts`."""
    reasons = {
        "absent there": counts.absent,
        "empty on one side": counts.empty,
        f"one text for several verses on one side ({RANGE})": counts.merged,
        f"ids that {ours.name} does not have": counts.strange,
    }
    if any(reasons.values()):
        why = "; ".join(f"{reason}: {number}" for reason, number in reasons.items() if number)
        log.warning("%s: %d %s verses joined with %s; lost: %s", theirs, counts.joined, split, ours.name, why)
