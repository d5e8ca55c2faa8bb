"""Parallel text in local files, one pair a line, read anew at each pass and never held in memory (`Parallel`).

    Moses   <folder>/<source>-<code>[.<split>].<source>[.gz]   two files whose lines correspond:
            <folder>/<source>-<code>[.<split>].<code>[.gz]     eng-deu.eng and eng-deu.deu, eng-deu.dev.eng and …
    Tsv     <folder>/<code>[.<split>].tsv[.gz]                 source sentence TAB its translation

Without a split in its name a file is the training text. `code` is ISO 639-3; a macrolanguage's code will do
(eng-ara.eng and eng-ara.ara serve arb). Words are cut at white space. An empty line is an empty sentence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import zip_longest
from pathlib import Path

from realign.corpora.base import Pair, Split, Stream
from realign.corpora.folder import Stamped, bad, by_language, fail, lines, one, sign, stamped
from selector.errors import InputError

Files = dict[str, tuple[Path, ...]]  # code → its file, or the two sides of it

INFIXES: dict[Split, tuple[str, ...]] = {"train": (".train", ""), "dev": (".dev",), "test": (".test",)}


class Moses:
    """Pairs of line-aligned files. `languages` (none: all) names what the `signature` covers."""

    def __init__(self, folder: Path, source: str, languages: Iterable[str] = ()) -> None:
        self._folder, self._source, self._named = folder, source, frozenset(languages)
        self._files: dict[Split, Files] = {split: self._found(infixes) for split, infixes in INFIXES.items()}
        _some(self._files, folder, f"{source}-<code>.{source} and {source}-<code>.<code>")

    @property
    def signature(self) -> str:
        """SHA-256 over the names and bytes of the files in use."""
        return sign(f"moses:{self._source}", _used(self._files, self._named))

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        """InputError: no files for the language and split, or files of unequal length or not in UTF-8."""
        ours, theirs = _of(self._files, language, split, self._folder)
        _sound_sides(stamped(ours), stamped(theirs))
        return Stream(lambda: _zipped(ours, theirs))

    def _found(self, infixes: Iterable[str]) -> Files:
        files: Files = {}
        for infix in infixes:
            suffix = f"{infix}.{self._source}"
            for code, path in by_language(self._folder, suffix, False, f"{self._source}-").items():
                written = path.name.removeprefix(f"{self._source}-")[
                    :3
                ]  # the code in the name: perhaps a macrolanguage
                other = path.name.removesuffix(".gz").removesuffix(self._source) + written
                files.setdefault(code, (path, _either(self._folder / other, path)))
        return files


class Tsv:
    """One file a language with both sides. `languages` (none: all) names what the `signature` covers."""

    def __init__(self, folder: Path, source: str, languages: Iterable[str] = ()) -> None:
        self._folder, self._source, self._named = folder, source, frozenset(languages)
        self._files: dict[Split, Files] = {}
        for split, infixes in INFIXES.items():
            found = [by_language(folder, f"{infix}.tsv", required=False) for infix in infixes]
            self._files[split] = {code: (path,) for files in reversed(found) for code, path in files.items()}
        _some(self._files, folder, "<code>.tsv: source sentence TAB translation")

    @property
    def signature(self) -> str:
        """SHA-256 over the names and bytes of the files in use."""
        return sign(f"tsv:{self._source}", _used(self._files, self._named))

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        """InputError: no file for the language and split, a line without exactly one TAB, or not in UTF-8."""
        (path,) = _of(self._files, language, split, self._folder)
        _sound_rows(stamped(path))
        return Stream(lambda: _rows(path))


def _of(files: dict[Split, Files], language: str, split: Split, folder: Path) -> tuple[Path, ...]:
    if split not in files:
        fail(f"there is no split '{split}'", f"splits are {', '.join(files)}")
    paths = files[split]
    one({code: some[0] for code, some in paths.items()}, language, f"{split} parallel text in {folder}")
    return paths[language]


def _some(files: dict[Split, Files], folder: Path, names: str) -> None:
    if not any(files.values()):
        fail(f"no parallel text in {folder}", f"files are named {names}, codes in ISO 639-3")


def _used(files: dict[Split, Files], named: frozenset[str]) -> list[Path]:
    every = [(code, paths) for some in files.values() for code, paths in some.items()]
    return [path for code, paths in every if not named or code in named for path in paths]


def _either(path: Path, other_side: Path) -> Path:
    """`path`, or `path.gz` where only that is there."""
    found = next((some for some in (path, path.with_name(f"{path.name}.gz")) if some.is_file()), None)
    return found or fail(f"{other_side} has no other side", f"put {path.name} or {path.name}.gz beside it")


@cache
def _sound_sides(ours: Stamped, theirs: Stamped) -> None:
    """Read through files once: what is wrong in them must not be found in the middle of a study."""
    deque(_zipped(ours[0], theirs[0]), maxlen=0)


@cache
def _sound_rows(stamp: Stamped) -> None:
    deque(_rows(stamp[0]), maxlen=0)


def _zipped(ours: Path, theirs: Path) -> Iterator[Pair]:
    for number, (left, right) in enumerate(zip_longest(lines(ours), lines(theirs)), 1):
        if left is None or right is None:
            short, long = (ours, theirs) if left is None else (theirs, ours)
            message = f"{short} ends after line {number - 1}, but {long.name} goes on"
            raise InputError(message, "the two sides must have the same number of lines")
        yield Pair(tuple(left[1].split()), tuple(right[1].split()))


def _rows(path: Path) -> Iterator[Pair]:
    for number, line in lines(path):
        cells = line.split("\t")
        if len(cells) != 2:
            bad(path, number, f"{len(cells)} columns instead of 2", "a sentence, a TAB and its translation")
        yield Pair(tuple(cells[0].split()), tuple(cells[1].split()))
