"""Each study to copy passes `check` on a loopback hub whose sets lie as the real ones do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import five_languages
import hub_layouts
import postgres
import pytest
from loopback_hub import serve
from tiny_encoder import make_model

from realign.data_sets import HubSet, as_tuple
from realign.world.world import Sizes, World
from search.config.study_config import StudyConfig, load

FOLDER = Path(__file__).resolve().parents[2] / "studies" / "examples"
STUDIES = {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}
MODEL = "FacebookAI/xlm-roberta-base"
SMALL = ("task.batch=2", "realign.batch=2", "data.filter=none")  # sets here have three rows, all in Latin letters


def sets(config: StudyConfig) -> dict[str, set[str]]:
    """Known set → the languages that a study may ask it for."""
    text = {each.code for each in config.pool}
    labels = {each.code for each in (config.core.source, *config.pool, *config.tune, *config.held_out)}
    wanted = [
        (config.core.data.parallel, text),
        (config.core.task_data, labels),
        (config.core.task.train, {config.core.source.code}),
    ]
    found: dict[str, set[str]] = {}
    for given, codes in wanted:
        for each in as_tuple(given):
            if isinstance(each, HubSet):
                found.setdefault(str(each.name), set()).update(codes)
    return found


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All sets of all examples with the languages that each is known to have; a tiny encoder under XLM-R's name."""
    import torch

    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("hub")
    wanted: dict[str, set[str]] = {}
    for path in STUDIES.values():
        for name, codes in sets(load(path)).items():
            wanted.setdefault(name, set()).update(codes)
    hub_layouts.build(root, {name: served(name, codes) for name, codes in wanted.items()})
    world = World(0, Sizes(text=30, source_text=30, low_text=20))
    make_model(root / "models" / MODEL, world, layers=12, positions=512)
    return root


def served(name: str, codes: set[str]) -> list[str]:
    """Those of the languages that the table of known sets does not say to be missing."""
    from realign.hub.sets import load_sets
    from selector.errors import InputError

    spec, found = load_sets()[name], []
    for code in sorted(codes):
        try:
            spec.check("eng", code)
        except InputError:
            continue
        if code != "eng" or "parallel" not in spec.tasks:
            found.append(code)
    return found


@pytest.mark.parametrize("path", STUDIES.values(), ids=STUDIES)
def test_each_study_takes_the_settings_that_the_page_names_for_a_first_look(path: Path) -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"--set (\S+=[\w.]+)", page[page.index("A first look") :])
    task = load(path).core.task
    present = {key for key in ("epochs", "steps") if getattr(task, key) is not None}
    given = [each for each in named if not each.startswith("task.") or each[5:].split("=")[0] in present]
    assert len(given) == 2 + len(present)
    load(path, given)


ANSWERS = """
import contextlib, io, json, sys
from search.cli.entry import exit_status
for line in sys.stdin:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as said:
        status = exit_status(json.loads(line))
    print(json.dumps([status, out.getvalue(), said.getvalue()]), flush=True)
"""


class Process:
    """A process that runs one command after another, as a notebook does: what one has read, the next need not."""

    def __init__(self, folder: Path, address: str) -> None:
        own = {"HF_ENDPOINT": address, "HF_HOME": str(folder / "hf"), "REALINGO_CACHE": str(folder / "cache")}
        own |= {"HF_HUB_OFFLINE": "0", "OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_XET": "1", "REALINGO_DATA": str(folder)}
        command, pipe = [sys.executable, "-c", ANSWERS], subprocess.PIPE
        self.process = subprocess.Popen(
            command, env={**os.environ, **own}, cwd=FOLDER.parents[1], stdin=pipe, stdout=pipe, text=True
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, stdout and stderr of a command."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(arguments), file=self.process.stdin, flush=True)
        status, out, said = json.loads(self.process.stdout.readline())
        return status, out, said


@pytest.fixture(scope="module")
def process(hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One for all studies, on the hub, with the files that own-files.toml names."""
    folder = tmp_path_factory.mktemp("process")
    own_files(folder)
    with serve(hub) as (address, _):
        found = Process(folder, address)
        with found.process:
            yield found
            found.process.kill()


def own_files(folder: Path) -> None:
    """What own-files.toml names, under $REALINGO_DATA."""
    world = World(0, five_languages.SIZES)
    for code in ("deu", "fin", "hin", "tur"):
        pairs = world.pairs(code, "train")
        five_languages.write_lines(folder / f"my-data/text/eng-{code}.eng", (" ".join(each.source) for each in pairs))
        five_languages.write_lines(
            folder / f"my-data/text/eng-{code}.{code}", (" ".join(each.target) for each in pairs)
        )
    for code in ("eng", "deu", "fin", "hin", "tur", "jpn"):
        for split in ("train",) if code == "eng" else ("dev", "test"):
            five_languages.treebank(folder / f"my-data/trees/{code}.{split}.conllu", world.sentences(code, split))


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_an_example_passes_check(name: str, process: Process, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    if name == "team-postgresql":
        assert load(STUDIES[name]).storage.startswith("postgresql://")
        if postgres.programs() is not None:
            storage = request.getfixturevalue("server").url
    overrides = [part for each in (*SMALL, f"search.storage={storage}") for part in ("--set", each)]
    status, out, said = process.run("check", str(STUDIES[name]), "--json", *overrides)
    assert status == 0, said
    document = json.loads(out)
    assert document["problems"] == []
    config = load(STUDIES[name])
    assert {row["code"] for row in document["languages"] if row["role"] == "pool"} == {
        each.code for each in config.pool
    }
    assert document["subsets"] > 5
    assert "FacebookAI" in document["model"]["id"]


def test_every_example_is_in_the_table_and_has_a_line_on_top() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name, path in STUDIES.items():
        assert f"({name}.toml)" in page
        head = path.read_text(encoding="utf-8").splitlines()
        assert head[0] == "#:schema ../../docs/study.schema.json"
        assert head[1].startswith("# ")
        assert load(path).name == name
