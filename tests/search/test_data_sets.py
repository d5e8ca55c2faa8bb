"""What a study file may say of data sets: several, by name, with another that trains; and what must not meet."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import hub_layouts
import pytest
import warm_python
from loopback_hub import serve
from tiny_encoder import make_model

from realign.build.corpora import hub_spec, title
from realign.build.overlap import check_overlap
from realign.data_sets import BitextFiles, HubSet
from realign.world.world import Sizes, World
from search.commands import check as checking
from search.config import realign_file
from search.config.study_config import StudyConfig, load
from search.export import export
from selector.errors import InputError

BASE = """
name = "sets"
[pool]
languages = {pool}
k = 1
[model]
base = "tiny/xlm-r"
[data]
parallel = {parallel}
[task]
{task}
steps = 2
batch = 2
examples = 3
lr = 0.001
[realign]
steps = 2
batch = 2
[search]
trials = 2
warm_start = false
storage = "sets.journal"
[confirm]
top = 1
seeds = 2
"""


def study(folder: Path, task: str, parallel: str = '[{name = "opus-100"}]', pool: str = '"deu,fin"') -> StudyConfig:
    path = folder / "study.toml"
    path.write_text(BASE.format(task=task, parallel=parallel, pool=pool), encoding="utf-8")
    return load(path)


def test_sets_are_named_or_described_one_or_several(tmp_path: Path) -> None:
    config = study(
        tmp_path,
        'kind = "pos"\ndata = [{name = "udpos", treebanks = {deu = "de_gsd"}}, {id = "a/b", files = "{lang}.conll"}]',
        '[{name = "opus-100"}, {kind = "moses", folder = "nllb"}]',
    )
    udpos, other = config.core.task_data
    assert isinstance(udpos, HubSet)
    assert hub_spec(config.core, udpos, "pos").code("deu") == "de_gsd"
    assert hub_spec(config.core, udpos, "pos").code("fra") == "fr_sequoia"  # what is known stays
    assert hub_spec(config.core, other, "pos").files == "{lang}.conll"
    assert [title(each) for each in config.core.data.parallel] == ["opus-100", "moses in nllb"]
    assert isinstance(config.core.data.parallel[1], BitextFiles)
    assert config.core.data.rules is not None  # text from the wild is filtered
    alone = study(tmp_path, 'kind = "pos"\ndata = {name = "masakhapos"}', '{name = "nllb"}')
    assert title(alone.core.task_data) == "masakhapos"


def test_label_names_and_label_counts_are_told_apart(tmp_path: Path) -> None:
    config = study(tmp_path, 'kind = "ner"\ndata = [{name = "masakhaner", labels = {DATE = "O"}}]')
    assert hub_spec(config.core, config.core.task_data[0], "ner").relabel == {"DATE": "O"}
    config = study(
        tmp_path,
        'kind = "classification"\ndata = {id = "a/b", columns = {text = "t", label = "l"}, labels = ["x", "y"]}',
    )
    assert hub_spec(config.core, config.core.task_data, "classification").labels == ("x", "y")


def test_a_folder_of_this_machine_stands_for_a_repository(tmp_path: Path) -> None:
    (tmp_path / "masakhane-pos").mkdir()
    config = study(tmp_path, 'kind = "pos"\ndata = [{name = "udpos"}, {name = "masakhapos", path = "masakhane-pos"}]')
    read = hub_spec(config.core, config.core.task_data[1], "pos")
    assert read.files == "data/{lang}/{split}.txt"
    assert read.path == str(tmp_path / "masakhane-pos")
    gone = study(tmp_path, 'kind = "pos"\ndata = [{name = "masakhapos", path = "gone"}]')
    with pytest.raises(InputError, match="no data folder 'gone'"):
        hub_spec(gone.core, gone.core.task_data[0], "pos")


def test_an_exported_realignment_reads_the_same_sets(tmp_path: Path) -> None:
    (tmp_path / "clone").mkdir()
    (tmp_path / "nllb").mkdir()
    (tmp_path / "out").mkdir()
    dated = '{name = "masakhaner", path = "clone", labels = {DATE = "O"}}'
    config = study(
        tmp_path,
        f'kind = "ner"\ndata = [{dated}]\ntrain = {{name = "wikiann"}}',
        '[{name = "opus-100", names = {deu = "de"}}, {kind = "moses", folder = "nllb"}]',
    )
    text = export._realignment(config, ("deu",), tmp_path / "out")
    (tmp_path / "out" / "realign.toml").write_text(text, encoding="utf-8")
    again = realign_file.read(tmp_path / "out" / "realign.toml", []).core
    assert again.task.train == config.core.task.train
    assert again.task.data[0].labels == {"DATE": "O"}
    assert again.data.parallel[0] == config.core.data.parallel[0]
    folders = [again.data.parallel[1].folder, again.task.data[0].path]
    assert [(tmp_path / "out" / folder).resolve().name for folder in folders] == ["nllb", "clone"]
    assert hub_spec(again, again.task.data[0], "ner").path == str(tmp_path / "out" / ".." / "clone")


WRONG = {
    "name and id": ('kind = "pos"\ndata = {name = "udpos", id = "a/b"}', "one of the two"),
    "neither": ('kind = "pos"\ndata = {codes = "iso1"}', "name of a known data set"),
    "two words": ('kind = "pos"\ndata = {name = "udpos", names = {deu = "x"}, treebanks = {fra = "y"}}', "another"),
    "key of a list": ('kind = "pos"\ndata = [{name = "udpos", tree = {fra = "y"}}]', "treebanks"),
    "unknown kind": ('kind = "pos"\ndata = {kind = "conlu", folder = "x"}', "conllu"),
    "empty list": ('kind = "pos"\ndata = []', "no data set"),
    "wrong labels": ('kind = "pos"\ndata = [{name = "udpos"}, {kind = "table", folder = "x"}]', "no labels"),
    "train alone": ('kind = "pos"\ntrain = {name = "udpos"}', "train is the training set"),
    "train of retrieval": ('kind = "retrieval"\ndata = {name = "flores"}\ntrain = {name = "xnli"}', "fine-tuned"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_refused(tmp_path: Path, case: str) -> None:
    task, expected = WRONG[case]
    with pytest.raises(InputError) as found:
        study(tmp_path, task)
    assert expected in f"{found.value.message} {found.value.hint}"


FLORES = '{name = "flores", splits = {train = "dev"}}'
OPUS = '{name = "opus-100"}'
TATOEBA = '{name = "tatoeba", splits = {train = "test"}}'
MEET = {
    "topics of FLORES": ("classification", '{name = "sib-200"}', FLORES, "flores"),
    "FLORES by the same split": ("retrieval", FLORES, FLORES, "flores"),
    "FLORES among others": ("retrieval", '[{name = "ntrex"}, {name = "flores"}]', f"[{OPUS}, {FLORES}]", "flores"),
    "Tatoeba twice": ("retrieval", '{name = "xtreme-tatoeba"}', TATOEBA, "tatoeba"),
}  # fmt: skip


@pytest.mark.parametrize("case", MEET)
def test_realigning_on_the_text_of_the_test_is_refused(tmp_path: Path, case: str) -> None:
    kind, data, parallel, text = MEET[case]
    task = f'kind = "{kind}"\ndata = {data}'
    config = retrieval(tmp_path, data, parallel) if kind == "retrieval" else study(tmp_path, task, parallel)
    with pytest.raises(InputError, match=f"same text.*{text}"):
        check_overlap(config.core)


def test_check_finds_that_text_and_test_are_of_the_same_text(tmp_path: Path) -> None:
    config = study(tmp_path, 'kind = "classification"\ndata = {name = "sib-200"}', FLORES)
    problems = checking.StudyCheck(config, lambda what, done, total: None).examine().problems
    assert [problem.message for problem in problems if "same text" in problem.message] == [
        "flores and sib-200 are made of the same text (flores): realignment would see the test"
    ]


def retrieval(folder: Path, data: str, parallel: str) -> StudyConfig:
    path = folder / "study.toml"
    text = BASE.format(task=f'kind = "retrieval"\ndata = {data}', parallel=parallel, pool='"deu,fin"')
    path.write_text(text.replace("steps = 2\nbatch = 2\nexamples", "examples", 1), encoding="utf-8")
    return load(path)


def test_what_may_meet_is_warned_of_and_the_rest_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    check_overlap(retrieval(tmp_path, '{name = "tatoeba"}', '{name = "opus-100"}').core)
    assert "opus-100 may contain text that tatoeba tests" in caplog.text
    caplog.clear()
    check_overlap(study(tmp_path, 'kind = "classification"\ndata = {name = "sib-200"}').core)
    check_overlap(
        study(tmp_path, 'kind = "pos"\ndata = [{name = "udpos"}, {name = "masakhapos"}]', '{name = "nllb"}').core
    )
    check_overlap(study(tmp_path, 'kind = "pos"', '"world"').core)
    assert not caplog.text
    (tmp_path / "verses").mkdir()
    same = '{kind = "verses", folder = "verses"}'  # split by chapters
    check_overlap(retrieval(tmp_path, same, same).core)


AFRICA = ("swh", "bam", "twi", "yor", "hau", "ibo", "kin", "lug")
LATIN = ("deu", "ces", "fin", "fra", "spa", "ita", "pol", "ron", "tur", "nld", "vie", "nob")  # as the texts are
WIDE = ("yor", "hau", "ibo", "kin")
STUDIES = {  # name → pool, task, parallel text
    "mixed-pos": (
        (*LATIN, *AFRICA),
        'kind = "pos"\ndata = [{name = "udpos"}, {name = "masakhapos", path = "clone"}]',
        '[{name = "opus-100"}, {name = "nllb"}, {name = "smol"}]',
    ),
    "americas-nli": (
        ("ayr", "gug", "quy"),
        'kind = "classification"\ndata = {name = "americasnli"}\ntrain = {name = "xnli"}',
        '{name = "nllb"}',
    ),
    "africa-ner": (
        ("bam", "twi"),
        'kind = "ner"\ndata = {name = "masakhaner", labels = {DATE = "O"}}\ntrain = {name = "wikiann"}',
        '{name = "nllb"}',
    ),
}
HERE = {
    "opus-100": (*LATIN, *WIDE),
    "nllb": ("bam", "twi", "lug", "ayr", "gug", "quy"),
    "smol": ("swh", "lug"),
    "udpos": ("eng", *LATIN),
    "xnli": ("eng",),
    "americasnli": ("ayr", "gug", "quy"),
    "wikiann": ("eng",),
    "masakhaner": ("bam", "twi"),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with the sets of the studies, and a tiny encoder of the XLM-R type."""
    import torch

    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("sets")
    hub_layouts.build(root, HERE)
    make_model(root / "models" / "tiny" / "xlm-r", World(0, Sizes(text=30, source_text=30, low_text=20)))
    return root


COMMANDS = """
import contextlib, io, json, sys
from search.cli.entry import exit_status
answers = {}
for command in ("check", "search", "confirm"):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = exit_status([command, "study.toml", "--json"])
    assert status == 0, (command, status, out.getvalue())
    answers[command] = json.loads(out.getvalue())
print(json.dumps(answers))
"""


def run(folder: Path, address: str, offline: bool = False) -> tuple[dict[str, Any], str]:
    """What `check`, `search` and `confirm` answer, one after the other, and what they wrote to stderr."""
    own = {"HF_ENDPOINT": address, "HF_HOME": str(folder / "hf"), "REALINGO_CACHE": str(folder / f"cache{offline}")}
    own |= {"HF_HUB_OFFLINE": "1" if offline else "0", "OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_XET": "1"}
    ended = warm_python.run("-c", COMMANDS, env={**os.environ, **own}, cwd=folder, loaded="libraries")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1]), ended.stderr


SERVED = {  # name → language → its parallel text and its task data
    "mixed-pos": {
        "eng": (None, "udpos"),
        "deu": ("opus-100", "udpos"),
        "yor": ("opus-100", "masakhapos"),
        "bam": ("nllb", "masakhapos"),
        "swh": ("smol", "masakhapos"),
    },
    "americas-nli": {"eng": (None, "xnli"), "ayr": ("nllb", "americasnli")},
    "africa-ner": {"eng": (None, "wikiann"), "twi": ("nllb", "masakhaner")},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_a_study_of_several_sets_runs_from_end_to_end_and_again_offline(root: Path, tmp_path: Path, name: str) -> None:
    pool, task, parallel = STUDIES[name]
    tags = ("NOUN", "VERB", "PUNCT")
    codes = [{"swh": "swa"}.get(code, code) for code in AFRICA]
    hub_layouts.clone(tmp_path / "clone", "data/{lang}/{split}.txt", tags, codes)
    text = BASE.format(task=task, parallel=parallel, pool=json.dumps(pool))
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    with serve(root) as (address, _):
        first, said = run(tmp_path, address)
    (tmp_path / "sets.journal").unlink()
    second, _ = run(tmp_path, "http://127.0.0.1:9", offline=True)
    assert second["check"] == first["check"]
    assert second["search"]["best"] == first["search"]["best"]
    assert second["confirm"]["rows"] == first["confirm"]["rows"]
    assert set(first["search"]["best"]["per_language"]) == set(pool)
    assert first["search"]["trials"]["complete"] == 2
    assert {"best", "all", "none", "random-k"} <= {row["name"] for row in first["confirm"]["rows"]}
    served = {
        row["code"]: (row["parallel"] and row["parallel"]["source"], row["task"]["source"])
        for row in first["check"]["languages"]
    }
    assert first["check"]["ok"]
    assert set(served) == {"eng", *pool}
    assert {code: served[code] for code in SERVED[name]} == SERVED[name]
    if name == "mixed-pos":
        assert "parallel text of bam: from nllb" in said
        assert "parallel text of swh: from smol" in said
        assert "labelled text of twi: from masakhapos" in said
