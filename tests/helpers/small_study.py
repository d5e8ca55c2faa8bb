"""A real study that takes a second: a tiny encoder, parallel text and treebanks in files, made from a small world."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from realign.corpora.corpus import Tagged
from realign.training.pretraining import Shape, pretrain
from realign.world.world import Sizes, World

CODES = ("deu", "fin", "tur")
SIZES = Sizes(parallel=24, source=24, evaluation=10, text=40, source_text=60, low_text=20)
SHAPE = Shape(vocabulary=400, layers=2, width=16, heads=2, steps=20, batch=16, length=24)
STUDY = """
name = "small"
seed = 1
[pool]
languages = ["deu", "fin", "tur"]
k = 2
[targets]
held_out = ["swh"]
[model]
base = "encoder"
[data]
parallel = {kind = "moses", folder = "parallel"}
filter = "none"
[task]
kind = "pos"
data = {kind = "conllu", folder = "treebanks"}
steps = 4
batch = 8
examples = 8
lr = 5e-3
[realign]
steps = 4
batch = 4
lr = 5e-3
[search]
strategy = "random"
trials = 3
warm_start = false
storage = "small.journal"
[confirm]
top = 1
seeds = 1
"""


def write(folder: Path) -> Path:
    """Write all of it to a folder; the path of the study file."""
    world = World(0, SIZES)
    pretrain({code: world.texts(code) for code in ("eng", *CODES)}, SHAPE, 0, folder / "encoder")
    for code in CODES:
        pairs = world.pairs(code, "train")
        write_lines(folder / "parallel" / f"eng-{code}.eng", (" ".join(pair.source) for pair in pairs))
        write_lines(folder / "parallel" / f"eng-{code}.{code}", (" ".join(pair.target) for pair in pairs))
    for code in ("eng", *CODES, "swh"):
        for split in ("train", "dev", "test"):
            if code == "eng" or split != "train":
                treebank(folder / "treebanks" / f"{code}.{split}.conllu", world.sentences(code, split))
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    return folder / "study.toml"


def world_encoder(folder: Path, codes: Iterable[str]) -> Path:
    """An encoder of two layers, pretrained for a moment on text of English and some languages of the world."""
    world = World(0, Sizes(text=80, source_text=120, low_text=40))
    shape = Shape(vocabulary=1200, layers=2, width=32, heads=2, steps=10, batch=32, length=32)
    return pretrain({code: world.texts(code) for code in ("eng", *codes)}, shape, 0, folder)


def treebank(file: Path, sentences: Iterable[Tagged]) -> None:
    """Sentences with tags in the ten columns of CoNLL-U."""
    columns = "{}\t{}\t_\t{}\t_\t_\t_\t_\t_\t_"
    rows = [
        [columns.format(place, *both) for place, both in enumerate(zip(each.words, each.tags, strict=True), 1)]
        for each in sentences
    ]
    write_lines(file, ("\n".join([*row, ""]) for row in rows))


def write_lines(file: Path, lines: Iterable[str]) -> None:
    """Text in UTF-8; folders are made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
