"""Tables that fit the width of the terminal without breaking a word (imports rich)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, JustifyMethod, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

LONGEST_WORD = 40  # columns of the terminal; what is longer, such as a path, may be broken


def table(
    title: str,
    columns: list[str],
    rows: Sequence[Sequence[str | Text]],
    right: tuple[str, ...] = (),
    spare: tuple[str, ...] = (),
    matrix: bool = False,
) -> RenderableType:
    """A table that breaks no word: what does not fit loses its `spare` columns, the last one first; a `matrix` is drawn
    in parts beside its first column; any other is written row by row.

    `right` names the columns to align right (numbers), whose cells stay on one line. Text is shown as it is; a cell of
    rich's `Text` may have a style.
    """
    cells = tuple(tuple(cell.strip() if isinstance(cell, str) else cell for cell in row) for row in rows)
    return Fitted(title, tuple(columns), cells, right, spare, matrix)


@dataclass(frozen=True)
class Prose:
    """Sentences, one or more lines of them, broken between words where the terminal ends."""

    text: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wrap = textwrap.TextWrapper(options.max_width, break_long_words=False, break_on_hyphens=False).wrap
        lines = [wrap(line) or [""] for line in self.text.splitlines()]
        yield Text("\n".join(part for line in lines for part in line), no_wrap=True)


@dataclass(frozen=True)
class Fitted:
    """A table that is laid out when its width is known."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Text, ...], ...]
    right: tuple[str, ...]
    spare: tuple[str, ...]
    matrix: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, every = options.max_width, range(len(self.columns))
        if self._least(every) <= width:
            yield self._draw(self.title, every, width)
        elif self.matrix:
            yield from self._parts(width)
        else:
            yield self._narrowed(width)

    def _least(self, numbers: Iterable[int]) -> int:
        """Columns of the terminal that these columns need, borders included."""
        return sum(self._widths[number] + 3 for number in numbers) + 1

    @cached_property
    def _widths(self) -> list[int]:
        """The width that each column needs: its longest cell where it is aligned right, else its longest word."""
        found = []
        for number, column in enumerate(self.columns):
            cells = self._cells(number)
            words = cells if column in self.right else [word for cell in cells for word in cell.split()]
            found.append(min(LONGEST_WORD, max(map(cell_len, words), default=0)))
        return found

    def _draw(self, title: str, numbers: Iterable[int], width: int) -> Table:
        shown = list(numbers)
        headed = any(self.columns[number] for number in shown)
        drawn = Table(title=title, title_justify="left", title_style="bold", header_style="bold", show_header=headed)
        for number, room in zip(shown, self._rooms(shown, width), strict=True):
            justify: JustifyMethod = "right" if self.columns[number] in self.right else "left"
            drawn.add_column(self.columns[number], justify=justify, overflow="fold", width=room)
        for row in self.rows:
            drawn.add_row(*(row[number] for number in shown))
        return drawn

    def _rooms(self, shown: Sequence[int], width: int) -> list[int]:
        """The width of each column: what it needs, and more for the one that lacks most, while there is room."""
        rooms = [self._widths[number] for number in shown]
        whole = [max(cell_len(cell) for cell in self._cells(number)) for number in shown]
        for _ in range(width - self._least(shown)):
            lacking = [full - room for full, room in zip(whole, rooms, strict=True)]
            if max(lacking) <= 0:
                break
            rooms[lacking.index(max(lacking))] += 1
        return rooms

    def _cells(self, number: int) -> list[str]:
        return [str(cell) for cell in (self.columns[number], *(row[number] for row in self.rows))]

    def _parts(self, width: int) -> Iterator[Table]:
        """All columns, the first one again in each part."""
        part = [0]
        for number in range(1, len(self.columns)):
            if len(part) > 1 and self._least([*part, number]) > width:
                yield self._draw(self.title if part[1] == 1 else "", part, width)
                part = [0]
            part.append(number)
        yield self._draw(self.title if part[1] == 1 else "", part, width)

    def _narrowed(self, width: int) -> RenderableType:
        """Without as many of the spare columns as needed; row by row where that is not enough."""
        shown, gone = list(range(len(self.columns))), list[str]()
        for name in reversed(self.spare):
            if self._least(shown) > width:
                shown.remove(self.columns.index(name))
                gone.insert(0, name)
        if self._least(shown) > width:
            return self._stacked(width)
        note = f"not shown at this width: {', '.join(gone)}; a wider terminal and --json have them"
        return Group(self._draw(self.title, shown, width), Prose(note))

    def _stacked(self, width: int) -> Text:
        """Each row as lines of a name and a value; empty values are left out."""
        label = max(map(cell_len, self.columns[1:]))
        lines = [Text(self.title, style="bold")] if self.title else []
        for number, row in enumerate(self.rows):
            lines += [Text("")] if number else []
            lines.append(Text(str(row[0]), style="bold"))
            for name, cell in zip(self.columns[1:], row[1:], strict=True):
                wrapped = textwrap.wrap(str(cell), max(20, width - label - 4), break_long_words=False)
                for place, line in enumerate(wrapped):
                    lines.append(Text(f"  {'' if place else name:{label}}  {line}"))
        return Text("\n").join(lines)


def listing(title: str, columns: list[str], rows: list[list[str]], right: tuple[str, ...] = ()) -> Text:
    """Aligned plain columns, cells as they are: thousands of rows in a second, where a table takes half a minute."""
    lines = [columns, *rows]
    widths = [max(len(line[number]) for line in lines) for number in range(len(columns))]
    aligned = [
        "  ".join(cell.rjust(width) if name in right else cell.ljust(width) for cell, width, name in fitted).rstrip()
        for fitted in (zip(line, widths, columns, strict=True) for line in lines)
    ]
    return Text("\n".join([title, *aligned]), no_wrap=True)
