"""Large parquet files by blocks: what is fetched, that it is the same as reading the whole, and again offline."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import warm_python
from hub_files import card, table
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback_hub import serve_and_count

from realign.hub.blocks import BLOCK, LARGE, BlockRows, ParquetPart, local_part
from realign.hub.rows import FileRows
from realign.store.sampled_pairs import TOGETHER, first_in_blocks
from selector.errors import InputError

ROWS, GROUP = 48_000, 500
READ = """
import json, sys
from realign.corpora.hub import Hub
from realign.hub.sets import spec_of
from realign.store.sampled_pairs import SampledParallel
from selector.errors import InputError
limit, own = json.loads(sys.argv[1])
hub = Hub(spec_of(own), "eng", ["deu", "fin"])
answers = {"signature": hub.signature}
for language in ("deu", "fin"):
    try:
        pairs = SampledParallel(hub, limit).pairs(language, "train")
        answers[language] = [pairs.available, [list(pair.source) for pair in pairs]]
    except InputError as problem:
        answers[language] = problem.message
print(json.dumps(answers))
"""


def rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of text that does not compress: numbered on the source side."""
    noise = np.random.default_rng(seed).integers(0, 256, (count, 400), dtype=np.uint8)
    return [{"en": f"s{number}", "de": noise[number].tobytes().hex()} for number in range(count)]


def parts(path: Path) -> tuple[ParquetPart, ...]:
    return (local_part(path),)


def fail(problem: Exception) -> InputError:
    return InputError(f"cannot read: {problem}", "try again")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "train.parquet"
    columns = {"translation": rows(ROWS), "score": list(range(ROWS))}
    pq.write_table(pa.table(columns), path, row_group_size=GROUP)
    return path


def test_rows_by_blocks_are_the_rows_of_the_file(file: Path) -> None:
    found = BlockRows(parts(file), "here", fail)
    assert len(found) == sum(found.blocks) == ROWS
    assert len(found.blocks) > TOGETHER
    assert list(found.columns) == ["translation", "score"]
    assert found.inside("translation") == ("en", "de")
    assert (found.inside("score"), found.label_names("score")) == ((), ())
    whole = FileRows(tuple(pq.read_table(file).to_pylist()), ("translation", "score"), "here")
    sides = ("translation.en", "translation.de")
    assert list(found.texts(*sides)) == list(whole.texts(*sides))
    numbers = [0, 7, GROUP - 1, GROUP, 12_345, ROWS - 1]
    assert list(found.select(numbers)) == list(whole.select(numbers))
    assert list(found.select(numbers).select([1, 4])) == list(whole.select([7, 12_345]))
    sizes = [part.read(groups, ["translation"]).nbytes for part in found.parts for groups in part.blocks]
    assert all(size < 6 * BLOCK for size in sizes)


def test_labels_keep_their_names(tmp_path: Path) -> None:
    names = ["NOUN", "VERB"]
    pq.write_table(table({"tokens": [["a", "b"]], "upos": [[0, 1]]}, {"upos": names}), tmp_path / "named.parquet")
    pq.write_table(pa.table({"tokens": [["a", "b"]], "upos": [[0, 1]]}), tmp_path / "bare.parquet")
    assert BlockRows(parts(tmp_path / "named.parquet"), "x", fail).label_names("upos") == tuple(names)
    by_card = {"upos": {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "List"}}
    assert BlockRows(parts(tmp_path / "bare.parquet"), "x", fail, by_card).label_names("upos") == tuple(names)
    assert BlockRows(parts(tmp_path / "bare.parquet"), "x", fail).label_names("upos") == ()


def test_what_was_fetched_is_kept_and_a_damaged_block_is_fetched_again(file: Path, tmp_path: Path) -> None:
    opened: list[str] = []

    def opening() -> Any:
        opened.append("file")
        return file.open("rb")

    def texts() -> list[tuple[str, ...]]:
        found = BlockRows((ParquetPart(opening, tmp_path / "kept"),), "here", fail)
        return list(found.select(range(10)).texts("translation.en"))

    first = texts()
    assert len(opened) == 2  # the footer, and one block
    assert texts() == first
    assert len(opened) == 2
    (block,) = (tmp_path / "kept").glob("*.parquet")
    block.write_bytes(block.read_bytes()[:1000])
    assert texts() == first
    assert len(opened) == 3


def test_a_broken_file_is_an_error_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match="cannot read"):
        len(BlockRows(parts(tmp_path / "x.parquet"), "x", fail))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=40), st.data())
def test_a_longer_choice_begins_with_a_shorter_one(blocks: list[int], data: st.DataObject) -> None:
    total = sum(blocks)
    count = data.draw(st.integers(0, total))
    order = first_in_blocks("deu", blocks, total)
    assert sorted(order) == list(range(total))
    some = first_in_blocks("deu", blocks, count)
    assert list(some) == list(order[:count])
    owner = np.repeat(np.arange(len(blocks)), blocks)
    touched = len(set(owner[some].tolist()))
    assert touched <= TOGETHER or sum(sorted(blocks)[: touched - 1]) <= count  # no block more than is needed


def test_a_small_choice_comes_from_several_blocks_and_other_languages_take_others() -> None:
    blocks, owner = [1000] * 100, np.repeat(np.arange(100), 1000)
    german, swahili = (first_in_blocks(code, blocks, 400) for code in ("deu", "swh"))
    counts = np.bincount(owner[german], minlength=100)
    assert (counts > 0).sum() == TOGETHER
    assert counts[counts > 0].min() > 20
    assert set(owner[german] * TOGETHER // 100) == set(range(TOGETHER))  # one of each eighth of the file
    assert set(owner[german]) != set(owner[swahili])
    assert len(set(owner[first_in_blocks("deu", blocks, 20_000)])) == 20


def ask(home: Path, address: str, limit: int, own: dict[str, Any], offline: bool = False) -> dict[str, Any]:
    cache = home / f"cache-{limit}-{offline}"
    env = {"HF_ENDPOINT": address, "HF_HOME": str(home / "hf"), "REALINGO_CACHE": str(cache)}
    env |= {"HF_HUB_OFFLINE": "1" if offline else "0", "OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_XET": "1"}
    run = warm_python.run("-c", READ, json.dumps([limit, own]), env={**os.environ, **env}, loaded="libraries")
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


SET = {"id": "tiny/large", "tasks": ["parallel"], "columns": {"source": "translation.en", "target": "translation.de"}}
FORMS: dict[str, dict[str, Any]] = {
    "configurations": {"config": "{pair}"},
    "folders": {"config": "{pair}", "revision": "refs/convert/parquet", "folders": True},
    "files": {"files": "{pair}/train-00000-of-00001.parquet"},
}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_only_what_a_sample_needs_is_fetched_and_read_again_offline(file: Path, tmp_path: Path, form: str) -> None:
    folder = "large@refs+convert+parquet" if form == "folders" else "large"
    repository = tmp_path / "hub" / "datasets" / "tiny" / folder
    name = "0000.parquet" if form == "folders" else "train-00000-of-00001.parquet"
    (tmp_path / "hub" / "datasets" / "tiny" / "large").mkdir(parents=True)
    for pair in ("deu-eng", "eng-fin"):
        place = repository / pair / ("train" if form == "folders" else "") / name
        place.parent.mkdir(parents=True)
        os.link(file, place)
    if form == "configurations":
        card(repository, {pair: [("train", f"{pair}/{name}")] for pair in ("deu-eng", "eng-fin")})
    size = file.stat().st_size
    assert size > LARGE  # or it would be read whole
    own = SET | FORMS[form]
    with serve_and_count(tmp_path / "hub") as (address, _, sent):
        small = ask(tmp_path, address, 300, own)
        after_small = sum(sent.values())
        large = ask(tmp_path, address, 16_000, own)
        after_large = sum(sent.values())
    assert small["signature"] == large["signature"]
    for language in ("deu", "fin"):
        available, texts = small[language]
        assert (available, len(texts)) == (ROWS, 300)
        assert {text for (text,) in texts} < {text for (text,) in large[language][1]}
    assert small["deu"] != small["fin"]
    assert after_small < 2 * 0.35 * size  # of two languages
    assert after_small < after_large < 2 * 0.5 * size
    offline = ask(tmp_path, "http://127.0.0.1:9", 16_000, own, offline=True)
    assert offline == large
    beyond = ask(tmp_path, "http://127.0.0.1:9", 30_000, own, offline=True)
    assert "not in the cache" in beyond["deu"]


@pytest.mark.slow
def test_a_folder_gives_the_sample_that_the_hub_gives(file: Path, tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "datasets" / "tiny" / "large"
    for pair in ("deu-eng", "eng-fin"):
        (repository / pair).mkdir(parents=True)
        os.link(file, repository / pair / "train-00000-of-00001.parquet")
    own = SET | FORMS["files"]
    with serve_and_count(tmp_path / "hub") as (address, _, sent):
        parted = ask(tmp_path, address, 500, own)
        before = sum(sent.values())
        assert before < file.stat().st_size
    shutil.rmtree(tmp_path / "hf")
    local = ask(tmp_path, "http://127.0.0.1:9", 500, own | {"path": str(repository)}, offline=True)
    assert [local[language] for language in ("deu", "fin")] == [parted[language] for language in ("deu", "fin")]
