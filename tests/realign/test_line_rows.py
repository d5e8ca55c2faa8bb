"""Large line files are read by lines: the rows, the errors and the samples are those of a file that is held."""

from __future__ import annotations

import gzip
import json
import random
import tracemalloc
from pathlib import Path

import pytest

from realign.corpora.hub import Hub
from realign.hub.line_rows import LineFile, LineRows, open_rows
from realign.hub.rows import FileRows, Rows, read
from realign.hub.sets import spec_of
from realign.store.sampled_pairs import draw_pairs
from selector.errors import InputError

OBJECTS = [
    {"source": "a cat", "target": "eine Katze", "more": {"deu": "x", "fin": None}},
    {"target": "zwei\u2028Hunde", "source": "two dogs"},
    {"source": "", "target": None, "late": [1, 2]},
    {"source": 'he said "no"', "target": "\u00e4\r"},
]
TABLES = {
    "marks": 'source\ttarget\n"Hm\tb\n\nc "d" e\tf\n\ng\t"h"\n',
    "quoted": '\n"source"\ttarget\n"He said ""no""."\tb\nc\t""\n',
    "plain": "source\ttarget\r\n\u00a0\tb\r\nc\t \r\n",
    "header": "source\ttarget\n",
}


def objects(end: str) -> str:
    lines = [json.dumps(row, ensure_ascii=False) for row in OBJECTS]
    return end.join(["", lines[0], "", " \u00a0", *lines[1:], "", ""])


def put(path: Path, text: str) -> Path:
    data = text.encode("utf-8-sig")
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def by_lines(path: Path) -> LineRows:
    rows = open_rows(path, "here", large=1)
    assert isinstance(rows, LineRows)
    return rows


def check_equal(found: Rows, held: FileRows) -> None:
    assert list(found) == list(held)
    assert (len(found), tuple(found.columns), found.origin) == (len(held), held.columns, held.origin)


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_objects_are_the_same_rows_as_of_a_file_that_is_held(tmp_path: Path, end: str, packed: str) -> None:
    path = put(tmp_path / f"deu.jsonl{packed}", objects(end))
    held, found = read(path, "here"), by_lines(path)
    check_equal(found, held)
    assert [row.get("source") for row in found] == [row["source"] for row in OBJECTS]
    assert found.inside("more") == held.inside("more") == ("deu", "fin")
    for numbers in ([], [0], [3], [1, 3], [0, 1, 2, 3]):
        check_equal(found.select(numbers), held.select(numbers))
        assert list(found.select(numbers).texts("source", "target")) == list(
            held.select(numbers).texts("source", "target")
        )
    assert list(found.select([1, 2, 3]).select([0, 2])) == [OBJECTS[1], OBJECTS[3]]


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("name", TABLES)
def test_tables_are_the_same_rows_as_of_a_file_that_is_held(tmp_path: Path, name: str, packed: str) -> None:
    path = put(tmp_path / f"deu.tsv{packed}", TABLES[name])
    held, found = read(path, "here"), by_lines(path)
    check_equal(found, held)
    for number in range(len(held)):
        check_equal(found.select([number]), held.select([number]))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", '{"a": 1}\n\n{"a": \n', "line 3: no JSON "),
        ("a.jsonl", '{"a": 1}\n[1]\n', "line 2: no JSON object"),
        ("a.tsv", "a\tb\n\n1\t2\t3\n", "line 3: 3 columns instead of 2"),
        ("a.tsv", "\n\n", "line 1: the file is empty"),
    ],
)
def test_what_is_wrong_is_named_as_in_a_file_that_is_held(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = put(tmp_path / name, text)
    problems = []
    for look in (lambda: read(path, "x"), lambda: len(by_lines(path))):
        with pytest.raises(InputError, match=message) as problem:
            look()
        problems.append((problem.value.message, problem.value.hint))
    assert problems[0] == problems[1]


def test_bytes_that_are_no_text_and_a_damaged_gzip_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"a\tb\n\xff\tc\n")
    with pytest.raises(InputError, match="line 2: not UTF-8"):
        len(by_lines(tmp_path / "a.tsv"))
    path = put(tmp_path / "a.jsonl.gz", "".join(f'{{"a": {random.Random(0).random()}}}\n' for _ in range(999)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="damaged gzip file"):
        len(by_lines(path))


def test_a_file_that_shrinks_under_a_reading_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "a.tsv", "a\tb\n1\t2\n3\t4\n")
    rows = by_lines(path)
    assert len(rows) == 2
    put(path, "a\tb\n1\t2\n")
    with pytest.raises(InputError, match="changed while it was read: line 3 is gone"):
        list(rows.select([1]))


def test_small_files_and_other_forms_are_held(tmp_path: Path) -> None:
    assert isinstance(open_rows(put(tmp_path / "a.jsonl", objects("\n")), "x"), FileRows)
    assert isinstance(open_rows(put(tmp_path / "a.txt", "the\tDET\n"), "x", large=1), FileRows)


@pytest.mark.parametrize("form", ["jsonl", "tsv"])
def test_the_sample_of_a_large_file_is_that_of_the_held_one_and_takes_no_memory_for_it(
    tmp_path: Path, form: str
) -> None:
    """A file just above the bound: its sample through the reader of a study, and the same through the file as held."""
    rng, count = random.Random(3), 34_000
    path = tmp_path / f"deu.{form}"
    with path.open("w", encoding="utf-8") as file:
        file.write("source\ttarget\n" if form == "tsv" else "")
        for number in range(count):
            sides = [f"{side} {number} " + f"{rng.random()} " * 25 for side in ("source", "target")]
            row = json.dumps(dict(zip(("source", "target"), sides, strict=True)))
            file.write("\t".join(sides) + "\n" if form == "tsv" else row + "\n")
    columns = {"source": "source", "target": "target"}
    row = {"id": "made/set", "tasks": ("parallel",), "columns": columns, "files": f"{{lang}}.{form}"}
    hub = Hub(spec_of(row).at(str(tmp_path)), "eng", ["deu"])
    tracemalloc.start()
    drawn = draw_pairs("deu", hub.pairs("deu", "train"), None, 200)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < path.stat().st_size / 4
    assert drawn is not None
    held = read(path, "x")
    assert drawn.numbers[-1] > count / 2
    for number, packed in zip(drawn.numbers.tolist(), drawn.packed, strict=True):
        source, target = (held.items[number][side].split() for side in ("source", "target"))
        assert packed.decode() == " ".join(source) + "\n" + " ".join(target)


def test_a_file_is_read_through_once_and_then_as_far_as_is_wanted(tmp_path: Path) -> None:
    file = LineFile(put(tmp_path / "a.jsonl", objects("\n")))
    assert file.scan is file.scan
    assert file.scan.skipped == [0, 2, 3, 7]
    assert list(LineRows(file, "x").select([0])) == [OBJECTS[0]]
