"""Large parquet files read by blocks: of a data set of gigabytes only the blocks that a sample needs are fetched and
kept.

    block    consecutive row groups of one file, a mebibyte of it at least: what one request brings
    kept     footers and fetched blocks lie beside the other files of the hub's cache, by repository, commit and file

A set with large files is read in this way wherever they lie: on the hub, whole in the hub's cache after an earlier
download, or in a folder. So the rows of a sample depend on the files alone. Where the hub cannot be reached, blocks
fetched before are read, and others raise an error.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from realign.cache import write_bytes
from realign.hub.rows import BATCH, names_of, texts_of

if TYPE_CHECKING:
    import pyarrow as pa

LARGE = 1 << 25  # bytes of parquet files from which a configuration is read by blocks
BLOCK = 1 << 20  # bytes of a block: fetching less takes a request as long

Open = Callable[[], BinaryIO]
Wrap = Callable[[Exception], Exception]


@dataclass(frozen=True)
class ParquetPart:
    """One parquet file, at one commit."""

    open: Open  # seeks and reads; on the hub each reading is a request
    folder: Path | None = None  # where fetched blocks are kept; None: the file is on this machine

    @cached_property
    def footer(self) -> Any:
        """Schema of the file, and the places of its row groups (`pyarrow.parquet.FileMetaData`)."""
        from pyarrow import parquet

        copy = self.folder and self.folder / "footer"
        if copy and copy.is_file():
            return parquet.read_metadata(copy)
        with closing(self.open()) as file:
            found = parquet.read_metadata(file)
        if copy:
            buffer = io.BytesIO()
            found.write_metadata_file(buffer)
            write_bytes(copy, buffer.getvalue())
        return found

    @cached_property
    def blocks(self) -> list[range]:
        """Ranges of its row groups, each large enough to be a block."""
        sizes = [_bytes(self.footer.row_group(number)) for number in range(self.footer.num_row_groups)]
        blocks, start, size = [], 0, 0
        for number, own in enumerate(sizes, 1):
            size += own
            if size >= BLOCK or number == len(sizes):
                blocks.append(range(start, number))
                start, size = number, 0
        return blocks

    def rows(self, groups: range) -> int:
        return sum(self.footer.row_group(number).num_rows for number in groups)

    def read(self, groups: range, columns: Sequence[str]) -> pa.Table:
        """The `columns` of the row groups `groups`, a block, from the cache or from the file."""
        from pyarrow import parquet

        if self.folder is None:
            return self._fetch(groups, columns)
        key = hashlib.sha256("\n".join(columns).encode()).hexdigest()[:8]
        copy = self.folder / f"{groups.start}-{groups.stop}-{key}.parquet"
        table = _whole(copy, self.rows(groups))
        if table is None:
            table = self._fetch(groups, columns)
            buffer = io.BytesIO()
            parquet.write_table(table, buffer, compression="zstd")
            write_bytes(copy, buffer.getvalue())
        return table

    def _fetch(self, groups: range, columns: Sequence[str]) -> pa.Table:
        from pyarrow import parquet

        with closing(self.open()) as stream, parquet.ParquetFile(stream, metadata=self.footer, pre_buffer=True) as file:
            return file.read_row_groups(list(groups), columns=list(columns), use_threads=False)


def local_part(path: Path) -> ParquetPart:
    """The parquet file at `path` on this machine."""
    return ParquetPart(lambda: path.open("rb"))


def _bytes(group: Any) -> int:
    return sum(group.column(number).total_compressed_size for number in range(group.num_columns))


def _whole(path: Path, rows: int) -> pa.Table | None:
    """A block kept on disk; None where there is none, or a damaged one."""
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (OSError, pyarrow.ArrowException):
        return None
    return table if table.num_rows == rows else None


@dataclass(frozen=True)
class BlockRows:
    """Rows of the files of one split, all or those with some numbers; read as they are passed through."""

    parts: tuple[ParquetPart, ...]
    origin: str
    wrap: Wrap = field(repr=False)  # error in reading → error to raise
    features: Mapping[str, Any] | None = None  # of the columns, where the files themselves do not say
    numbers: np.ndarray | None = None  # [n], ascending; None: all

    @cached_property
    def blocks(self) -> tuple[int, ...]:
        """Number of rows of each block, in the order of the files, whichever rows are chosen."""
        return tuple(part.rows(groups) for part, groups in self._places)

    @cached_property
    def _places(self) -> list[tuple[ParquetPart, range]]:
        try:
            return [(part, groups) for part in self.parts for groups in part.blocks]
        except Exception as problem:  # the libraries below raise errors of many kinds
            raise self.wrap(problem) from problem

    @property
    def columns(self) -> Sequence[str]:
        return list(self._schema.names)

    @cached_property
    def _schema(self) -> Any:
        assert self._places
        return self.parts[0].footer.schema.to_arrow_schema()

    def __len__(self) -> int:
        return sum(self.blocks) if self.numbers is None else len(self.numbers)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for table in self._tables(self.columns):
            yield from table.to_pylist()

    def select(self, numbers: Sequence[int]) -> BlockRows:
        """Rows with these `numbers`, which ascend."""
        wanted = np.asarray(numbers, dtype=np.int64)
        wanted = wanted if self.numbers is None else self.numbers[wanted]
        return BlockRows(self.parts, self.origin, self.wrap, self.features, wanted)

    def texts(self, *columns: str) -> Iterator[tuple[str, ...]]:
        heads = list(dict.fromkeys(column.partition(".")[0] for column in columns))
        for table in self._tables(heads):
            for batch in table.to_batches(max_chunksize=BATCH):
                cells = batch.to_pydict()
                yield from zip(*(texts_of(cells, column) for column in columns), strict=True)

    def inside(self, column: str) -> Sequence[str]:
        form = self._schema.field(column).type
        return tuple(form.field(number).name for number in range(form.num_fields)) if _is_record(form) else ()

    def label_names(self, column: str) -> Sequence[str]:
        import datasets

        known = datasets.Features.from_arrow_schema(self._schema)
        if self.features:
            known |= datasets.Features.from_dict(dict(self.features))
        return names_of(known[column])

    def _tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Some columns of the rows, block by block; blocks without a row that is wanted are not read."""
        start = 0
        for (part, groups), count in zip(self._places, self.blocks, strict=True):
            own = self._inside(start, count)
            start += count
            if own is not None and not len(own):
                continue
            try:
                table = part.read(groups, columns)
            except Exception as problem:  # the libraries below raise errors of many kinds
                raise self.wrap(problem) from problem
            yield table if own is None else table.take(own)

    def _inside(self, start: int, count: int) -> np.ndarray | None:
        """Wanted rows of a block, counted from its first; None: all."""
        if self.numbers is None:
            return None
        low, high = np.searchsorted(self.numbers, (start, start + count))
        return self.numbers[low:high] - start


def _is_record(form: Any) -> bool:
    from pyarrow import types

    return bool(types.is_struct(form))
