"""Labelled text in local files: entities in columns, classified sentences (`Labelled`, `Examples`).

    Conll   <folder>/<code>.<split>.conll[.gz]    a word a line, its tag in the last column, a blank line between
                                                  sentences; IOB1, IOB2 and BIOES are read and given back as IOB2
    Table   <folder>/<code>.<split>.tsv[.gz]      a header, then a row each; columns text and label, or
            <folder>/<code>.<split>.jsonl[.gz]    premise, hypothesis and label; or the same keys, an object a line

`code` is any that a pool takes; a file may carry the macrolanguage's code.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, reduce
from pathlib import Path
from typing import Any, NoReturn, get_args

from realign.corpora.corpus import Classified, Split, Tagged
from realign.corpora.file_names import FilesByLanguage
from realign.corpora.folder import CODES, fail, fail_at_line, files_by_language, lines, one, sign_files, with_stamp
from realign.corpora.line_files import tell_quoted
from realign.corpora.verses import LazyRows

SPLITS: tuple[Split, ...] = get_args(Split)
TAG = re.compile(r"O|[BIESLU]-\S+")
FORMS = (("premise", "hypothesis", "label"), ("text", "label"))

LONGEST = 300  # words of a sentence, from which on a warning is logged
HALF = re.compile("[\ud800-\udfff]")
UNLABELLED = ("-", "-1")  # what SNLI and the hub's sets write where there is no gold label

log = logging.getLogger("realingo.data")

Row = tuple[str, str | None, str]  # first sentence, second one, label


class Folder:
    """Files `<code>.<split><suffix>` of one folder. `languages` (none: all) names what the `signature` covers."""

    def __init__(self, folder: Path, suffixes: Sequence[str], languages: Iterable[str] = ()) -> None:
        self._folder, self._named = folder, frozenset(languages)
        self._files = {
            split: reduce(
                FilesByLanguage.merge,
                [files_by_language(folder, f".{split}{suffix}", required=False) for suffix in suffixes],
            )
            for split in SPLITS
        }
        if not any(self._files.values()):
            names = " or ".join(f"<code>.<split>{suffix}" for suffix in suffixes)
            fail(f"no labelled text in {folder}", f"files are named {names}, also .gz, {CODES}")

    def sign(self, form: str) -> str:
        every = [(code, files) for files in self._files.values() for code in files]
        return sign_files(form, [files[code] for code, files in every if not self._named or code in self._named])

    def file(self, language: str, split: str) -> Path:
        if split not in self._files:
            fail(f"there is no split '{split}'", f"splits are {', '.join(SPLITS)}")
        return one(self._files[split], language, f"{split} data in {self._folder}")


class Conll:
    """Sentences with entities, in IOB2."""

    def __init__(self, folder: Path, languages: Iterable[str] = ()) -> None:
        self._folder = Folder(folder, (".conll",), languages)

    @property
    def signature(self) -> str:
        return self._folder.sign("conll")

    def sentences(self, language: str, split: Split) -> Sequence[Tagged]:
        """Sentences of `language` in `split`. InputError: there is no file, or a line lacks a word or a tag."""
        return _read_conll(*with_stamp(self._folder.file(language, split)))


class LabelTable:
    """Sentences or pairs of sentences with a label, from a table."""

    def __init__(self, folder: Path, languages: Iterable[str] = ()) -> None:
        self._folder = Folder(folder, (".tsv", ".jsonl"), languages)

    @property
    def signature(self) -> str:
        return self._folder.sign("table")

    def examples(self, language: str, split: Split) -> Sequence[Classified]:
        """Rows of `language` in `split`. InputError: there is no file, or a row lacks a column."""
        return LazyRows(_read_table(*with_stamp(self._folder.file(language, split))), as_classified)


def as_classified(row: Row) -> Classified:
    first, second, label = row
    return Classified(tuple(first.split()), None if second is None else tuple(second.split()), label)


def iob2(tags: Sequence[str]) -> tuple[str, ...]:
    """Convert the IOB1, IOB2, BIOES or BILOU `tags` of a sentence to IOB2: every entity begins with B-."""
    even: list[str] = []
    inside = ""  # the type of the entity that may go on here
    for tag in tags:
        mark, _, kind = tag.partition("-")
        goes_on = mark in ("I", "E", "L") and kind == inside
        even.append("O" if mark == "O" else f"I-{kind}" if goes_on else f"B-{kind}")
        inside = kind if mark in ("B", "I") else ""
    return tuple(even)


@cache
def _read_conll(path: Path, _stamp: tuple[int, int]) -> tuple[Tagged, ...]:
    sentences: list[Tagged] = []
    words: list[str] = []
    tags: list[str] = []
    rows = list(lines(path))
    columns = _columns(rows)
    for number, line in (*rows, (0, "")):
        cells = _parts(line)
        whole = len(cells) == columns and bool(cells[0].strip()) and TAG.fullmatch(cells[-1]) is not None
        if not cells or cells[0] == "-DOCSTART-":
            if words:
                sentences.append(Tagged(tuple(words), iob2(tags)))
            words, tags = [], []
        elif not words and not whole and line.startswith("#"):
            continue  # a comment before a sentence
        elif not whole:
            _refuse(path, number, line, cells, columns)
        else:
            words.append(cells[0])
            tags.append(cells[-1])
    tell_long(path, sentences)
    return tuple(sentences)


def _parts(line: str) -> list[str]:
    """Columns of a line; none of a blank one. If there is a TAB, only TABs separate: words may contain blanks."""
    if not line.strip():
        return []
    return line.split("\t") if "\t" in line else line.split()


def _columns(rows: Iterable[tuple[int, str]]) -> int:
    """The columns of the first line that is a word for certain, which one with # may not be; of any word if need be."""
    parts = [cells for _, line in rows if len(cells := _parts(line)) > 1 and cells[0] != "-DOCSTART-"]
    sure = [len(cells) for cells in parts if not cells[0].startswith("#")]
    likely = [len(cells) for cells in parts if TAG.fullmatch(cells[-1])]
    return (sure or likely or [2])[0]


def _refuse(path: Path, number: int, line: str, cells: Sequence[str], columns: int) -> NoReturn:
    hint = "a word and, last, a tag: O, B-PER, I-PER, …"
    if len(cells) > 1 and TAG.fullmatch(cells[-1]) and len(cells) != columns:
        hint = "every line has the same columns; words that hold blanks need TABs between the columns"
        fail_at_line(path, number, f"{len(cells)} columns, and {columns} in the lines before", hint)
    fail_at_line(path, number, f"'{line}' does not end in an entity tag", hint)


def tell_long(path: Path, sentences: Sequence[Tagged]) -> None:
    """Warn if `sentences` of the file at `path` are so long that blank lines between them may be missing."""
    longest = max((len(sentence.words) for sentence in sentences), default=0)
    if longest > LONGEST:
        message = "%s: a sentence of %d words (%d sentences in the file): put a blank line between sentences"
        log.warning(message, path, longest, len(sentences))


@cache
def _read_table(path: Path, _stamp: tuple[int, int]) -> tuple[Row, ...]:
    rows = _objects(path) if path.name.removesuffix(".gz").endswith(".jsonl") else _cells(path)
    every = [_row(path, number, row) for number, row in rows]
    _check_rows(path, every)
    labelled = tuple(row for row in every if row[2] not in UNLABELLED)
    if every and not labelled:
        fail(f"no row of {path} has a label", "'-' and -1 mean no label; write labels as names, or from 0")
    if len(labelled) < len(every):
        message = "%s: %d of %d rows left out: '-' and -1 mean no label"
        log.warning(message, path, len(every) - len(labelled), len(every))
    return labelled


def _check_rows(path: Path, rows: Sequence[Row]) -> None:
    """InputError where some are pairs and others not; a warning where texts are quoted as in CSV."""
    pairs = sum(second is not None for _, second, _ in rows)
    if 0 < pairs < len(rows):
        fail(f"{path}: {pairs} of {len(rows)} rows have a premise and a hypothesis, the others a text", "keep one form")
    if path.name.removesuffix(".gz").endswith(".tsv"):
        tell_quoted(path, (text for first, second, _ in rows for text in (first, second or "")))


def _row(path: Path, number: int, row: Mapping[str, Any]) -> Row:
    form = next((form for form in FORMS if set(form) <= row.keys()), None)
    if form is None:
        wanted = " or ".join(", ".join(form) for form in FORMS)
        fail_at_line(path, number, f"there are the columns {', '.join(row) or 'none'}", f"columns are {wanted}")
    label, *texts = (row[name] for name in reversed(form))
    if isinstance(label, bool) or not isinstance(label, str | int) or label == "":
        fail_at_line(path, number, f"'{label}' is not a label", "a label is a word or a whole number")
    if str(label) != str(label).strip():
        fail_at_line(
            path, number, f"the label '{label}' has blanks at its ends", "remove them: they would be another label"
        )
    if not all(isinstance(text, str) and text.strip() for text in texts):
        fail_at_line(path, number, f"the {' or the '.join(form[:-1])} is empty or no text")
    if any("\0" in text or HALF.search(text) for text in texts):
        fail_at_line(path, number, "a text holds a character NUL or one half of a surrogate pair")
    return texts[-1], texts[0] if len(texts) == 2 else None, str(label)


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in lines(path):
        try:
            row = json.loads(line, object_pairs_hook=_once) if line.strip() else None
        except (ValueError, RecursionError) as problem:
            fail_at_line(path, number, f"no JSON ({problem})", "one object a line")
        if row is None:
            continue
        if not isinstance(row, dict):
            fail_at_line(path, number, "no JSON object", 'one object a line: {"text": "…", "label": "…"}')
        yield number, row


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Object of JSON. ValueError: a key occurs twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a key stands twice: {', '.join(key for key, _ in pairs)}")
    return found


def _cells(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    rows = lines(path)
    header = next(rows, (1, ""))[1].split("\t")
    if not any(set(form) <= set(header) for form in FORMS):
        fail_at_line(
            path, 1, f"there are the columns {', '.join(header)}", "a header: text, label or premise, hypothesis, label"
        )
    if len(set(header)) < len(header):
        fail_at_line(path, 1, f"a column stands twice: {', '.join(header)}", "name every column once")
    for number, line in rows:
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) != len(header):
            fail_at_line(
                path, number, f"{len(cells)} columns instead of {len(header)}", "columns are separated by TABs"
            )
        yield number, dict(zip(header, cells, strict=True))
