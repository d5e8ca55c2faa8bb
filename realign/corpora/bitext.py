"""Parallel text in local files, one pair a line, read anew at each pass and never held in memory (`Parallel`).

    Moses   <folder>/[<corpus>.]<source>-<code>[.<split>].<source>[.gz]   two files whose lines correspond, the codes in
            <folder>/[<corpus>.]<source>-<code>[.<split>].<code>[.gz]     either order: eng-deu.eng and eng-deu.deu,
                                                                          bible.de-en.en and bible.de-en.de
    Tsv     <folder>/<code>[.<split>].tsv[.gz]                            source sentence TAB its translation

Without a split in its name a file is the training text. `code` is any that a pool takes; a macrolanguage's will do
(eng-ara.eng and eng-ara.ara serve arb). Words are cut at white space. An empty line is an empty sentence.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence, Set
from functools import cache, reduce
from pathlib import Path
from typing import Self

from realign.corpora.corpus import Cut, Pair, Split, Stream, at_blanks, at_white_space
from realign.corpora.file_names import FileLanguage, FilesByLanguage, language_of, pair_side_of
from realign.corpora.folder import (
    CODES,
    StampedPath,
    fail,
    fail_at_line,
    files_by_language,
    files_by_name,
    lines,
    one,
    sign_files,
    with_stamp,
)
from realign.corpora.line_files import count_blocks, count_lines, pick_lines, tell_quoted
from selector.errors import InputError

Files = FilesByLanguage[tuple[Path, ...]]  # code → its file, or the two sides of it

HEADERS = {"source", "target", "src", "tgt", "trg", "sentence", "translation", "source_text", "target_text"}
INFIXES: dict[Split, tuple[str, ...]] = {"train": (".train", ""), "dev": (".dev",), "test": (".test",)}


class _AsFiles:
    _cut: Cut = staticmethod(at_white_space)
    _files: dict[Split, Files]

    def languages(self, split: Split = "train") -> tuple[str, ...]:
        """Individual codes of the languages that have `split`, sorted."""
        return tuple(sorted(self._files[split]))

    def at_blanks(self) -> Self:
        """The same text with its words cut only at ASCII blanks, as word aligners do."""
        other = copy.copy(self)
        other._cut = at_blanks
        return other


class Moses(_AsFiles):
    """Pairs of line-aligned files. `languages` (none: all) names what the `signature` covers."""

    def __init__(self, folder: Path, source: str, languages: Iterable[str] = ()) -> None:
        self._folder, self._source, self._named = folder, source, frozenset(languages)
        self._files = _sides(folder, source)
        _some(self._files, folder, f"{source}-<code>.{source} and {source}-<code>.<code>")

    @property
    def signature(self) -> str:
        """SHA-256 over the names and bytes of the files in use."""
        return sign_files(f"moses:{self._source}", _files_in_use(self._files, self._named))

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        """Pairs of the source with `language` in `split`.

        InputError: there are no files, they have different numbers of lines, or are not in UTF-8.
        """
        ours, theirs = _of(self._files, language, split, self._folder)
        count = _same_length(ours, theirs)
        return Stream(
            lambda: _zip_sides(ours, theirs, self._cut),
            lambda numbers: _pick_pairs(ours, theirs, numbers, self._cut),
            count,
        )


class Tsv(_AsFiles):
    """One file a language with both sides. `languages` (none: all) names what the `signature` covers."""

    def __init__(self, folder: Path, source: str, languages: Iterable[str] = ()) -> None:
        self._folder, self._source, self._named = folder, source, frozenset(languages)
        self._files = {split: _tables(folder, infixes) for split, infixes in INFIXES.items()}
        _some(self._files, folder, "<code>.tsv: source sentence TAB translation")

    @property
    def signature(self) -> str:
        """SHA-256 over the names and bytes of the files in use."""
        return sign_files(f"tsv:{self._source}", _files_in_use(self._files, self._named))

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        """Pairs of the source with `language` in `split`.

        InputError: there is no file, a line does not have exactly one TAB, or is not in UTF-8.
        """
        (path,) = _of(self._files, language, split, self._folder)
        _check_header(path, {self._source, language})
        count = _count_rows(with_stamp(path))
        return Stream(
            lambda: _rows(path, self._cut), lambda numbers: _cells(pick_lines(path, numbers), path, self._cut), count
        )


def _of(files: dict[Split, Files], language: str, split: Split, folder: Path) -> tuple[Path, ...]:
    if split not in files:
        fail(f"there is no split '{split}'", f"splits are {', '.join(files)}")
    return one(files[split], language, f"{split} parallel text in {folder}")


def _sides(folder: Path, source: str) -> dict[Split, Files]:
    """Both files of every pair of the source with another language, the source's first."""
    named = files_by_name(folder)
    found: dict[Split, list[tuple[FileLanguage, tuple[Path, ...]]]] = {split: [] for split in INFIXES}
    for name, path in named.items():
        side = pair_side_of(name)
        if side is None or source not in (side.name.code, side.other.code):
            continue
        partner = named.get(side.partner)
        if partner is None:
            fail(f"{path} has no other side", f"put {side.partner} or {side.partner}.gz beside it")
        if side.name.code == source:
            found[side.split or "train"].append((side.other, (path, partner)))
    return {split: FilesByLanguage.of(pairs) for split, pairs in found.items()}


def _alone(path: Path) -> tuple[Path, ...]:
    return (path,)


def _tables(folder: Path, infixes: Iterable[str]) -> Files:
    found = [files_by_language(folder, f"{infix}.tsv", required=False).map_items(_alone) for infix in infixes]
    return reduce(FilesByLanguage.merge, found)


def _some(files: dict[Split, Files], folder: Path, names: str) -> None:
    if not any(files.values()):
        fail(f"no parallel text in {folder}", f"files are named {names}, {CODES}")


def _files_in_use(files: dict[Split, Files], named: frozenset[str]) -> list[Path]:
    every = [(code, some) for some in files.values() for code in some]
    return [path for code, some in every if not named or code in named for path in some[code]]


def _same_length(ours: Path, theirs: Path) -> int:
    """Number of lines that both sides have. All are read: a fault must not appear in the middle of a study."""
    counts = {path: count_lines(with_stamp(path)) for path in (ours, theirs)}
    if counts[ours] != counts[theirs]:
        short, long = sorted(counts, key=lambda path: counts[path])
        message = f"{short} has {counts[short]} lines, and {long.name} has more"
        raise InputError(message, "the two sides must have the same number of lines")
    return counts[ours]


@cache
def _count_rows(stamp: StampedPath) -> int:
    count = count_blocks(stamp[0], columns=2)
    if count is not None:
        return count
    tell_quoted(stamp[0], (cell for _, line in _strip_blank_end(stamp[0]) for cell in line.split("\t")))
    return sum(1 for _ in _rows(stamp[0]))


def _check_header(path: Path, codes: Set[str]) -> None:
    """InputError if the first line has column names: it would be trained on as a pair."""
    number, line = next(lines(path), (1, ""))
    cells = [cell.strip() for cell in line.split("\t")]
    named = {name.code for cell in cells if (name := language_of(cell))}
    if len(cells) == 2 and (named == codes or {cell.casefold() for cell in cells} <= HEADERS):
        fail_at_line(path, number, f"it seems to be a header: {', '.join(cells)}", "remove it: every line is a pair")


def _zip_sides(ours: Path, theirs: Path, cut: Cut) -> Iterator[Pair]:
    return (Pair(cut(left), cut(right)) for (_, left), (_, right) in zip(lines(ours), lines(theirs), strict=True))


def _pick_pairs(ours: Path, theirs: Path, numbers: Sequence[int], cut: Cut) -> Iterator[Pair]:
    sides = pick_lines(ours, numbers), pick_lines(theirs, numbers)
    return (Pair(cut(left), cut(right)) for (_, left), (_, right) in zip(*sides, strict=True))


def _rows(path: Path, cut: Cut = at_white_space) -> Iterator[Pair]:
    return _cells(_strip_blank_end(path), path, cut)


def _strip_blank_end(path: Path) -> Iterator[tuple[int, str]]:
    """The lines without blank ones at the end; there may be none in between."""
    blank = 0  # the first of the blank lines just before
    for number, line in lines(path):
        if not line.strip(" "):  # a TAB alone is an empty pair
            blank = blank or number
            continue
        if blank:
            fail_at_line(path, blank, "a blank line in the middle", "remove it, or put a TAB there for an empty pair")
        yield number, line


def _cells(rows: Iterable[tuple[int, str]], path: Path, cut: Cut) -> Iterator[Pair]:
    for number, line in rows:
        cells = line.split("\t")
        if len(cells) != 2:
            fail_at_line(path, number, f"{len(cells)} columns instead of 2", "a sentence, a TAB and its translation")
        yield Pair(cut(cells[0]), cut(cells[1]))
