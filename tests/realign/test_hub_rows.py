"""Rows of the hub's tables and files: picked by number, and their texts a column at a time."""

from __future__ import annotations

import datasets
import pytest

from realign.hub.rows import FileRows, Rows, TableRows, text_of

ITEMS = [
    {"t": {"en": f"e{n}", "de": None if n == 3 else f"d{n}"}, "text": None if n == 5 else f"x{n}"} for n in range(2500)
]


@pytest.fixture(params=["table", "file"])
def rows(request: pytest.FixtureRequest) -> Rows:
    if request.param == "file":
        return FileRows(tuple(ITEMS), ("t", "text"), "here")
    return TableRows(datasets.Dataset.from_list(ITEMS), "here")


def test_texts_are_those_of_the_rows(rows: Rows) -> None:
    columns = ("t.de", "text", "t.en")
    assert list(rows.texts(*columns)) == [tuple(text_of(row, column) for column in columns) for row in ITEMS]


def test_picked_rows_are_the_rows_with_those_numbers(rows: Rows) -> None:
    numbers = [0, 3, 5, 999, 1000, 2499]
    some = rows.select(numbers)
    assert len(some) == len(numbers)
    assert some.origin == rows.origin
    assert list(some.texts("text")) == [(text_of(ITEMS[number], "text"),) for number in numbers]
