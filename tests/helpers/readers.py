"""Every reader of files: the name of its file, how it is read, and a sound one to begin with. For the fuzzers."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rehearsal

from realign.corpora.bitext import Moses, Tsv
from realign.corpora.conllu_lines import Conllu
from realign.corpora.labels import Conll, LabelTable
from realign.corpora.verses import Verses
from realign.corpora.word_links import ByDictionary, ByPharaoh
from realign.evaluators import table as replay
from search.config import realign_file
from search.config.study_config import load
from selector.distances import user_table
from selector.distances.user_matrix import read_matrix, read_transfer
from selector.distances.user_table import numbers
from selector.errors import InputError
from selector.languages.language import parse_pool

VERSES = "A.1.1\tone two\nA.1.2\tthree\n"
TABLE = {
    "schema": 1,
    "pool": ["deu", "fra"],
    "targets": ["deu"],
    "fidelities": {"full": {}},
    "seconds": {"full": 1.0},
    "about": {},
}


def archive(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def around(reader: type, name: str) -> tuple[str, Callable[[Path], Any]]:
    """A reader of links, which stands on a sound corpus."""

    def read(file: Path) -> Any:
        for code in ("eng", "deu"):
            (file.parent / f"{code}.txt").write_text(VERSES)
        return list(reader(Verses(file.parent, "eng"), file.parent).pairs("deu", "train"))

    return name, read


def moses(file: Path) -> Any:
    file.with_name("eng-deu.eng").write_text("a\nb\n")
    return list(Moses(file.parent, "eng").pairs("deu", "train"))


def exported(file: Path) -> Any:
    file.with_name("realign.toml").write_text('languages = ["deu"]\n')
    return realign_file.read(file.parent, [])


GAIN = {"difference": 0.1, "ci95": [0.0, 0.2], "p": 0.04}
SCORE = {"mean": 0.5, "ci95": [0.4, 0.6], "seeds": 2, "vs_none": GAIN, "vs_all": GAIN, "vs_random": GAIN}
SCORE |= {"std": 0.01, "per_language": {"deu": 0.5}, "regressions": []}
SUBSET = {"schema": 1, "name": "x", "languages": ["deu"], "source": "eng", "metric": "accuracy", "score": SCORE}
SUBSET |= {"signature": "abc", "study": "study.toml"}
READERS: dict[str, tuple[str, Callable[[Path], Any], bytes]] = {  # file name, reader, a sound file
    "study": ("study.toml", load, rehearsal.text().encode()),
    "pool": ("pool.txt", lambda file: parse_pool(str(file)), b"deu\nfra # French\n"),
    "costs": ("c.csv", lambda file: numbers(file, "cost"), b"code,cost\ndeu,1\nfra,2.5\n"),
    "distances": ("d.csv", lambda file: read_matrix(str(file)), b"deu,fra\n0,1\n1,0\n"),
    "distances, packed": (
        "d.npz",
        lambda file: read_matrix(str(file)),
        archive(codes=np.array(["deu", "fra"]), matrix=1 - np.eye(2)),
    ),
    "transfer": ("t.csv", lambda file: read_transfer(str(file)), b",deu,fra\nfin,0.1,0.2\n"),
    "columns": ("t.csv", lambda file: user_table.read(str(file)), b"code,region\ndeu,Europe\n"),
    "measured": (
        "m.npz",
        replay.load,
        archive(
            member=np.ones((1, 2), bool), values=np.zeros((1, 1, 1, 1), np.float32), texts=np.array(json.dumps(TABLE))
        ),
    ),
    "verses": ("eng.txt", lambda file: list(Verses(file.parent, "fra").texts("eng")), VERSES.encode()),
    "verses, packed": (
        "eng.txt.gz",
        lambda file: list(Verses(file.parent, "fra").texts("eng")),
        gzip.compress(VERSES.encode(), mtime=0),
    ),
    "treebank": (
        "deu.dev.conllu",
        lambda file: Conllu(file.parent).sentences("deu", "dev"),
        b"# a\n1\ta\t_\tNOUN\t_\t_\t_\t_\t_\t_\n2\tb\t_\tVERB\t_\t_\t_\t_\t_\t_\n\n",
    ),
    "entities": ("deu.dev.conll", lambda file: Conll(file.parent).sentences("deu", "dev"), b"a B-X\nb I-X\n\nc O\n"),
    "rows": ("deu.dev.tsv", lambda file: list(LabelTable(file.parent).examples("deu", "dev")), b"text\tlabel\na\tx\n"),
    "objects": (
        "deu.dev.jsonl",
        lambda file: list(LabelTable(file.parent).examples("deu", "dev")),
        b'{"text": "a", "label": 1}\n',
    ),
    "moses": ("eng-deu.deu", moses, b"x\ny\n"),
    "tsv": ("deu.tsv", lambda file: list(Tsv(file.parent, "eng").pairs("deu", "train")), b"a\tb\nc\td\n"),
    "dictionary": (*around(ByDictionary, "eng-deu.txt"), b"one eins\ntwo zwei\n"),
    "links": (*around(ByPharaoh, "deu.align"), b"0-0 1-1\n0-0\n"),
    "export": ("subset.json", exported, json.dumps(SUBSET).encode()),
}


def read_or_refused(read: Callable[[], Any]) -> None:
    try:
        read()
    except InputError as problem:
        refusal = problem
    else:
        return
    assert refusal.message
    assert refusal.hint
