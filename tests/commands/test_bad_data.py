"""Bad data, models and exports through the command line: refused before a study or a model is written, no code run."""

from __future__ import annotations

import gzip
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import refusal
import torch
from rehearsal import realingo, tree

from realign.training.pretraining import Shape, pretrain
from realign.world.world import Sizes, World

STUDY = """
name = "small"
[pool]
languages = ["deu", "fin"]
k = 1
[model]
base = "encoder"
[task]
steps = 2
examples = 4
[search]
strategy = "random"
trials = 1
warm_start = false
"""
PLAIN = """
languages = ["deu"]
[model]
base = "encoder"
[realign]
steps = 2
batch = 2
[data]
parallel = {kind = "%s", folder = "d"}
filter = "none"
"""
VERSES = "A.1.1\tone two\nA.1.2\tthree\n"
WORD = "1\ta\t_\tNOUN\t_\t_\t_\t_\t_\t_\n\n"
ROWS = "text\tlabel\na\tx\nb\ty\n"
REALIGN = "realign plain.toml -o m"
LINKED = REALIGN + " --set realign.loss=word --set realign.aligner="
MUSE, PHARAOH = LINKED + "dictionary --set realign.dictionary=x", LINKED + "pharaoh --set realign.alignments=x"
TAGS, SPANS, TEXTS = (
    f"search study.toml --set task.kind={task} --set \"task.data={{kind='{kind}', folder='d'}}\""
    for task, kind in (("pos", "conllu"), ("ner", "conll"), ("classification", "table"))
)
SEARCH = "search study.toml --set \"data.parallel={kind='%s', folder='d'}\""
LINKED_SEARCH = SEARCH % "verses" + " --set realign.loss=word --set realign.aligner=pharaoh --set realign.alignments=x"
SOUND = {f"d/{code}.txt": VERSES for code in ("eng", "deu", "fin")}
PRETRAIN = "pretrain p.toml -o m"


def parallel(kind: str, files: dict[str, str | bytes]) -> refusal.Files:
    return {"plain.toml": PLAIN % kind, **{f"d/{name}": content for name, content in files.items()}}


def verses(theirs: str | bytes, name: str = "deu.txt", **more: str) -> refusal.Files:
    return {**parallel("verses", {"eng.txt": VERSES, name: theirs}), **more}


def links(name: str, content: str) -> refusal.Files:
    return {**verses(VERSES), f"x/{name}": content}


def labelled(ending: str, good: str, bad: dict[str, str | bytes]) -> refusal.Files:
    """Sound files of eng, deu and fin, but for the `bad` ones."""
    sound = {f"d/{name}.{ending}": good for name in ("eng.train", "deu.dev", "fin.dev")}
    return {**sound, **{f"d/{name}.{ending}": content for name, content in bad.items()}}


def text(kind: str, name: str, content: str | bytes) -> refusal.Files:
    return {"p.toml": f'[data]\nkind = "{kind}"\nfolder = "d"\n', f"d/{name}": content}


DATA: dict[str, refusal.Case] = {
    "half a gzip file": (REALIGN, "damaged gzip", verses(gzip.compress(VERSES.encode())[:-6], "deu.txt.gz")),
    "no gzip file": (REALIGN, "damaged gzip", verses(VERSES, "deu.txt.gz")),
    "verses not in UTF-8": (REALIGN, "line 1: not UTF-8", verses(b"A.1.1\t\xff\n")),
    "verses without ids": (REALIGN, "line 1: expected a verse id", verses("just text\n")),
    "verses twice": (REALIGN, "line 2", verses("A.1.1\tx\nA.1.1\ty\n")),
    "verses of another book": (REALIGN, "have no train verse in common", verses("B.1.1\tx\n")),
    "no verses of the source": (REALIGN, "'eng'", parallel("verses", {"deu.txt": VERSES})),
    "a table of no splits": (REALIGN, "verse_ids.tsv, line 1", verses(VERSES, **{"d/verse_ids.tsv": "nope\n"})),
    "no folder": (REALIGN, "no data folder", {"plain.toml": PLAIN % "verses"}),
    "uneven sides": (REALIGN, "has more", parallel("moses", {"eng-deu.eng": "a\nb\n", "eng-deu.deu": "a\n"})),
    "one side": (REALIGN, "no other side", parallel("moses", {"eng-deu.eng": "a\n"})),
    "a side not in UTF-8": (REALIGN, "UTF-8", parallel("moses", {"eng-deu.eng": "a\n", "eng-deu.deu": b"\xff\n"})),
    "no TAB": (REALIGN, "line 2: 1 columns", parallel("tsv", {"deu.tsv": "a\tb\nab\n"})),
    "a TAB more": (REALIGN, "line 1: 3 columns", parallel("tsv", {"deu.tsv": "a\tb\tc\n"})),
    "no pair": (REALIGN, "no parallel sentences", parallel("tsv", {"deu.tsv": ""})),
    "only empty sides": (REALIGN, "empty side", parallel("tsv", {"deu.tsv": "\t\na\t\n"})),
    "uneven sides in a search": (
        SEARCH % "moses",
        "has more",
        {"d/eng-deu.eng": "a\nb\n", "d/eng-deu.deu": "a\n", "d/eng-fin.eng": "a\n", "d/eng-fin.fin": "a\n"},
    ),
    "no TAB in a search": (SEARCH % "tsv", "line 2", {"d/deu.tsv": "a\tb\nc\n", "d/fin.tsv": "a\tb\n"}),
    "three columns of CoNLL-U": (TAGS, "3 columns", labelled("conllu", WORD, {"deu.dev": "1\ta\tNOUN\n"})),
    "no UPOS tag": (TAGS, "not a UPOS", labelled("conllu", WORD, {"deu.dev": WORD.replace("NOUN", "noun")})),
    "words not counted from 1": (TAGS, "word id", labelled("conllu", WORD, {"deu.dev": WORD.replace("1", "2")})),
    "a treebank of nothing": (TAGS, "no dev data for deu", labelled("conllu", WORD, {"deu.dev": ""})),
    "nothing to learn from": (TAGS, "no train data for eng", labelled("conllu", WORD, {"eng.train": "# \n"})),
    "nobody's treebank": (TAGS, "no dev treebank", {"d/eng.train.conllu": WORD}),
    "a word without a tag": (SPANS, "entity tag", labelled("conll", "a B-X\n", {"deu.dev": "a\n"})),
    "no entity": (SPANS, "no entity", labelled("conll", "a O\n", {})),
    "no columns": (TEXTS, "line 1: there are the columns a, b", labelled("tsv", ROWS, {"deu.dev": "a\tb\n"})),
    "one label": (TEXTS, "one label", labelled("tsv", ROWS, {"eng.train": "text\tlabel\na\tx\n"})),
    "no JSON object": (TEXTS, "no JSON object", labelled("jsonl", "[]\n", {})),
    "brackets without end": (TEXTS, "no JSON", labelled("jsonl", "[" * 100_000, {})),
    "a dictionary of three words": (MUSE, "line 1: 3 words", links("eng-deu.txt", "a b c\n")),
    "an empty dictionary": (MUSE, "no word in it", links("eng-deu.txt", "\n")),
    "a dictionary of other words": (MUSE, "links no words", links("eng-deu.txt", "foo bar\n")),
    "no dictionary": (MUSE, "no dictionary", links("other.txt", "a b\n")),
    "a link beyond the sentence": (PHARAOH, "line 1: link 0-9", links("deu.align", "0-9\n0-0\n")),
    "a link below 0": (PHARAOH, "is not a link", links("deu.align", "0--1\n0-0\n")),
    "a link without end": (PHARAOH, "is not a link", links("deu.align", "0-" + "9" * 5000 + "\n0-0\n")),
    "a link in other digits": (PHARAOH, "is not a link", links("deu.align", "٠-٠\n0-0\n")),
    "a line of links missing": (PHARAOH, "has 1 lines", links("deu.align", "0-0\n")),
    "a link beyond the sentence in a search": (
        LINKED_SEARCH,
        "line 1: link 0-9",
        {**SOUND, "x/deu.align": "0-0\n0-0\n", "x/fin.align": "0-9\n0-0\n"},
    ),
    "a filter that leaves nothing": (
        SEARCH % "verses" + " --set data.filter={longest=1}",
        "no train pair of deu passes",
        SOUND,
    ),
    "a layer too high": ("search study.toml --set realign.layer=7", "no layer 7"),
    "a block too high": ("search study.toml --set realign.freeze=[9]", "no block 9"),
    "text not in UTF-8": (PRETRAIN, "UTF-8", text("text", "deu.txt", b"\xff\n")),
    "text of nothing": (PRETRAIN, "no text", text("text", "deu.txt", "")),
}


class Evil:
    """Unpickled, it leaves a file behind."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("RUN", "w")


def without(*names: str) -> Callable[[Path], None]:
    return lambda folder: [(folder / name).unlink() for name in names] and None


def holding(name: str, content: str | bytes) -> Callable[[Path], None]:
    return lambda folder: refusal.lay(folder, {name: content})


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Evil()))


def torch_file(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


def configured(**changed: Any) -> Callable[[Path], None]:
    """Another config.json, and code that it may point to."""

    def change(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))
        (folder / "code.py").write_text("open('RUN', 'w')\nfrom transformers import BertConfig as C, BertModel as M\n")

    return change


OWN_CODE = {"AutoConfig": "code.C", "AutoModel": "code.M"}
MODELS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a pickle": (pickled, "no model.safetensors"),
    "a torch file": (torch_file, "no model.safetensors"),
    "no weights": (without("model.safetensors"), "no file named model.safetensors"),
    "code of its own": (configured(auto_map=OWN_CODE, model_type="evil"), "needs its own code"),
    "no configuration": (without("config.json"), "config.json"),
    "a configuration that is no JSON": (holding("config.json", "{"), "config.json"),
    "a configuration of brackets": (holding("config.json", "[" * 100_000), "cannot load"),
    "a width below 0": (configured(hidden_size=-1), "cannot load"),
    "a width in words": (configured(hidden_size="big"), "hidden_size"),
    "another width": (configured(hidden_size=64), "cannot load"),
    "a layer more": (configured(num_hidden_layers=3), "do not have encoder.layer.2"),
    "another architecture": (configured(model_type="gpt2"), "do not have"),
    "no tokenizer": (without("tokenizer.json", "tokenizer_config.json"), "no vocabulary"),
    "a tokenizer that is no JSON": (holding("tokenizer.json", "{"), "cannot load"),
    "garbage for weights": (holding("model.safetensors", b"garbage"), "header"),
    "a header beyond the file": (holding("model.safetensors", (2**62).to_bytes(8, "little") + b"{}"), "header"),
    "a header that is no JSON": (holding("model.safetensors", (4).to_bytes(8, "little") + b"{{{{"), "header"),
}
COMMANDS = ("realign own.toml -o m", "search study.toml --set model.base=own", "evaluate own --study study.toml")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World(0, Sizes(text=80, source_text=120, low_text=40))
    shape = Shape(vocabulary=600, layers=2, width=32, heads=2, steps=2, batch=32, length=32)
    texts = {code: world.texts(code) for code in ("eng", "deu", "fin")}
    return pretrain(texts, shape, 0, tmp_path_factory.mktemp("model") / "encoder")


@pytest.fixture
def home(encoder: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    (tmp_path / "encoder").symlink_to(encoder)
    (tmp_path / "study.toml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALINGO_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.chdir(tmp_path)
        yield tmp_path


@pytest.mark.parametrize("case", DATA)
def test_bad_data_is_refused(case: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refusal.check(DATA[case], home, capsys)


@pytest.mark.parametrize(
    ("case", "command"), [(case, COMMANDS[0]) for case in MODELS] + [("a pickle", other) for other in COMMANDS[1:]]
)
def test_a_bad_model_is_refused_and_runs_nothing(
    case: str, command: str, home: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, says = MODELS[case]
    shutil.copytree(encoder, home / "own")
    change(home / "own")
    (home / "own.toml").write_text('languages = ["deu"]\n[model]\nbase = "own"\n[realign]\nsteps = 2\nbatch = 2\n')
    refusal.check((command, says), home, capsys)


def test_code_beside_a_known_model_is_not_run(home: Path, encoder: Path) -> None:
    shutil.copytree(encoder, home / "own")
    configured(auto_map=OWN_CODE)(home / "own")
    refusal.lay(home, {**verses(VERSES), "plain.toml": (PLAIN % "verses").replace('"encoder"', '"own"')})
    assert realingo("realign", "plain.toml", "-o", "m") == 0
    assert "RUN" not in tree(home)
