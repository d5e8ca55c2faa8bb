"""Rows of a data set: a table that `datasets` mapped from disk, or a plain file.

    .parquet                    the table
    .jsonl                      an object a line
    .tsv                        a header, then a row a line
    .txt .conll .iob2 .bio      a word and, last, its tag, separated by white space; a blank line between sentences
    .conllu                     the ten columns of CoNLL-U: FORM and UPOS

All but the first may end in .gz too. Every line is a row, whatever quotation marks it has: text is never joined over
lines.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

from selector.errors import InputError

WORDS, TAGS = "words", "tags"  # the columns of files of words and tags


BATCH = 1000  # rows of a table taken at a time


class Rows(Protocol):
    """Rows with named columns."""

    @property
    def origin(self) -> str:
        """Version of the data: a commit, or a hash of the file."""
        ...

    @property
    def columns(self) -> Sequence[str]: ...

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Mapping[str, Any]]: ...
    def select(self, numbers: Sequence[int]) -> Rows:
        """Rows with these `numbers`, in that order."""
        ...

    def texts(self, *columns: str) -> Iterator[tuple[str, ...]]:
        """Texts of each row in some `columns`, as `text_of` reads them."""
        ...

    def inside(self, column: str) -> Sequence[str]:
        """Fields of a `column` of records; () where it has none."""
        ...

    def label_names(self, column: str) -> Sequence[str]:
        """Names of the numbers in a label `column`; () where labels are words, or have no names."""
        ...


@dataclass(frozen=True)
class TableRows:
    """Rows of a `datasets.Dataset`."""

    table: Any
    origin: str

    @property
    def columns(self) -> Sequence[str]:
        return list(self.table.column_names)

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.table)

    def select(self, numbers: Sequence[int]) -> TableRows:
        return TableRows(self.table.select(numbers), self.origin)

    def texts(self, *columns: str) -> Iterator[tuple[str, ...]]:
        heads = list(dict.fromkeys(column.partition(".")[0] for column in columns))
        for batch in self.table.select_columns(heads).iter(BATCH):  # one by one takes ten times as long
            yield from zip(*(texts_of(batch, column) for column in columns), strict=True)

    def inside(self, column: str) -> Sequence[str]:
        form = self.table.features[column]
        return tuple(getattr(form, "languages", None) or (form if isinstance(form, dict) else ()))

    def label_names(self, column: str) -> Sequence[str]:
        return names_of(self.table.features[column])


@dataclass(frozen=True)
class FileRows:
    """Rows of one file, read completely."""

    items: tuple[Mapping[str, Any], ...]
    columns: tuple[str, ...]
    origin: str

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.items)

    def select(self, numbers: Sequence[int]) -> FileRows:
        return FileRows(tuple(self.items[number] for number in numbers), self.columns, self.origin)

    def texts(self, *columns: str) -> Iterator[tuple[str, ...]]:
        return (tuple(text_of(row, column) for column in columns) for row in self.items)

    def inside(self, column: str) -> Sequence[str]:
        first = self.items[0].get(column) if self.items else None
        return tuple(first) if isinstance(first, dict) else ()

    def label_names(self, column: str) -> Sequence[str]:
        return ()


def read(path: Path, origin: str) -> FileRows:
    """Rows of the file at `path`, by the end of its name.

    InputError: unreadable, not of that form, or of an unknown form.
    """
    name = path.name.removesuffix(".gz")
    form = name.rpartition(".")[2]
    if form == "parquet":
        return _parquet(path, origin)
    readers = {"jsonl": _objects, "tsv": _cells, "conllu": _treebank}
    readers |= dict.fromkeys(("txt", "conll", "iob2", "bio"), _read_tagged)
    if form not in readers:
        known = ", ".join(f".{end}" for end in ("parquet", *readers))
        raise InputError(f"cannot tell what is in {path.name}", f"files end in {known}")
    items = tuple(readers[form](path))
    columns = tuple(dict.fromkeys(key for item in items for key in item))
    return FileRows(items, columns, origin)


def _parquet(path: Path, origin: str) -> FileRows:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as problem:
        raise InputError(f"{path.name} is not a complete parquet file ({problem})", "download it again") from None
    return FileRows(tuple(table.to_pylist()), tuple(table.column_names), origin)


def _objects(path: Path) -> Iterator[Mapping[str, Any]]:
    return (as_object(path, number, line) for number, line in _lines(path) if line.strip())


def as_object(path: Path, number: int, line: str) -> Mapping[str, Any]:
    """JSON object in `line`. InputError, with `path` and the line's `number`: it is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as problem:
        fail_at_line(path, number, f"no JSON ({problem})", "one object a line")
    if not isinstance(row, dict):
        fail_at_line(path, number, "no JSON object", "one object a line")
    return row


def _cells(path: Path) -> Iterator[Mapping[str, Any]]:
    lines = [(number, line.split("\t")) for number, line in _lines(path) if line]
    if not lines:
        fail_at_line(path, 1, "the file is empty", "a header and a row a line, columns separated by TABs")
    (_, header), *rows = _unquote(lines)
    for number, cells in rows:
        check_cells(path, number, cells, len(header))
        yield dict(zip(header, cells, strict=True))


def as_cells(path: Path, number: int, line: str, columns: int | None) -> list[str]:
    """Cells of `line` as they are written, checked to be `columns` many; None: of any number.

    InputError, with `path` and line `number`.
    """
    cells = line.split("\t")
    if columns is not None:
        check_cells(path, number, cells, columns)
    return cells


def check_cells(path: Path, number: int, cells: Sequence[str], columns: int) -> None:
    """InputError, with `path` and line `number`, if there are not `columns` many `cells`."""
    if len(cells) != columns:
        fail_at_line(path, number, f"{len(cells)} columns instead of {columns}", "columns are separated by TABs")


def _unquote(lines: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Cells as they were before a table program put quotation marks around those that contain one.

    Only if every cell with a mark is quoted in this way. Otherwise marks are text, and one without its partner, as in
    files written without quoting, must not swallow the rows up to the next.
    """
    marked = [cell for _, cells in lines for cell in cells if '"' in cell]
    if not marked or not all(is_quoted(cell) for cell in marked):
        return lines
    return [(number, unquote(cells)) for number, cells in lines]


def is_quoted(cell: str) -> bool:
    """True if `cell` has quotation marks as in CSV: around it, and doubled inside."""
    whole = len(cell) >= 2 and cell[0] == cell[-1] == '"'
    return whole and '"' not in cell[1:-1].replace('""', "")


def unquote(cells: Sequence[str]) -> list[str]:
    """`cells` without the quotation marks of CSV."""
    return [cell[1:-1].replace('""', '"') if '"' in cell else cell for cell in cells]


def _read_tagged(path: Path) -> Iterator[Mapping[str, Any]]:
    words: list[str] = []
    tags: list[str] = []
    for number, line in (*_lines(path), (0, "")):
        cells = line.split()
        if not cells or cells[0] == "-DOCSTART-":
            if words:
                yield {WORDS: words, TAGS: tags}
            words, tags = [], []
        elif len(cells) < 2:
            if words or cells[0] != "#":
                fail_at_line(path, number, f"'{line}' has no tag", "a word and, last, its tag")
        elif words or cells[0] != "#" or len(cells) == 2:  # "# text = …" before a sentence is a comment
            words.append(cells[0])
            tags.append(cells[-1])


def _treebank(path: Path) -> Iterator[Mapping[str, Any]]:
    words: list[str] = []
    tags: list[str] = []
    for number, line in (*_lines(path), (0, "")):
        if not line and words:
            yield {WORDS: words, TAGS: tags}
            words, tags = [], []
        elif line and not line.startswith("#"):
            cells = line.split("\t")
            if len(cells) != 10:
                fail_at_line(path, number, f"{len(cells)} columns instead of 10", "CoNLL-U has ten columns")
            if cells[0].isdigit():  # no multiword token, no empty node
                words.append(cells[1])
                tags.append(cells[3])


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines without their end; only a line feed ends a line."""
    return ((number, decode_line(path, number, raw)) for number, raw in raw_lines(path))


def raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines of the file at `path` with their numbers from 1, as they are in the file, or in what it holds packed."""
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                yield number, raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
        fail_at_line(path, number + 1, f"damaged gzip file ({problem})", "get the file again")
    except OSError as problem:
        raise InputError(f"cannot read {path}: {problem.strerror or problem}", "check that you may read it") from None


def decode_line(path: Path, number: int, raw: bytes) -> str:
    """Text of the line `raw` without its end; of line 1 without a byte order mark. InputError: it is not UTF-8."""
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as problem:
        fail_at_line(path, number, f"not UTF-8 ({problem.reason})", "save the file as UTF-8")


def fail_at_line(path: Path, number: int, problem: str, hint: str) -> NoReturn:
    """Raise an InputError with `problem` and `hint` that names the line `number` of the file at `path`."""
    raise InputError(f"{path}, line {number}: {problem}", hint)


def names_of(form: Any) -> Sequence[str]:
    """Names that `form`, a feature of `datasets`, gives to its numbers; () where it gives none."""
    form = getattr(form, "feature", form)
    return tuple(getattr(form, "names", None) or ())


def texts_of(batch: Mapping[str, Any], column: str) -> Iterator[str]:
    """`text_of` for a `batch` of rows, one `column`."""
    head, _, inside = column.partition(".")
    if inside:
        return (str((cell or {}).get(inside) or "") for cell in batch[head])
    return (str(cell or "") for cell in batch[head])


def text_of(row: Mapping[str, Any], column: str) -> str:
    """Text in a `column` of `row`; "a.b" is inside a column of records. A missing value is an empty text."""
    head, _, inside = column.partition(".")
    return str((row[head] or {}).get(inside) or "") if inside else str(row[head] or "")
