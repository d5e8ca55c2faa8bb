"""Bad input through the command line: study files, pools, tables, storages, usage. Data and models: test_bad_data."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import refusal
import rehearsal

DEEP = "[" * 100_000
EVERY_BYTE = bytes(range(256))
SEARCH = "search study.toml --set "
SELECT = "select -k 2 --pool "
THREE = SELECT + "deu,fra,fin --metric "
BENCH = "bench transfer --results a.csv --subsets b.json"


def prices(amount: str) -> str:
    return "".join(f"{code},{amount}\n" for code in rehearsal.POOL)


def npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def zipped(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    return stream.getvalue()


STUDIES: dict[str, refusal.Case] = {
    "no file": ("search none.toml", "there is no study file"),
    "a folder": ("search .", "Is a directory"),
    "a device without end": ("search /dev/zero", "larger than a mebibyte"),
    "an empty file": ("search bad.toml", "'name' is missing", {"bad.toml": ""}),
    "a syntax error": ("search bad.toml", "line 1", {"bad.toml": "name = \n"}),
    "a key twice": ("search bad.toml", "Cannot overwrite", {"bad.toml": "name='a'\nname='b'\n"}),
    "UTF-16": ("search bad.toml", "utf-8", {"bad.toml": "name='a'".encode("utf-16")}),
    "Latin-1": ("search bad.toml", "utf-8", {"bad.toml": "name='é'".encode("latin-1")}),
    "bytes": ("search bad.toml", "bad.toml", {"bad.toml": EVERY_BYTE}),
    "a large file": ("search bad.toml", "larger than a mebibyte", {"bad.toml": "#\n" * 600_000}),
    "brackets without end": ("search bad.toml", "not valid TOML", {"bad.toml": f"a = {DEEP}"}),
    "a number without end": ("search bad.toml", "not valid TOML", {"bad.toml": "seed = " + "9" * 20_000}),
    "keys without end": ("search bad.toml", "bad.toml", {"bad.toml": ".".join("a" * 20_000) + " = 1"}),
    "unknown key": (SEARCH + "foo=1", "unknown key 'foo'"),
    "unknown key in a section": (SEARCH + "pool.foo=1", "unknown key 'pool.foo'"),
    "unknown key in a table": (SEARCH + "\"task.data={kind='conllu', folder='x', y=1}\"", "y"),
    "unknown kind of data": (SEARCH + "\"task.data={kind='nope'}\"", "kind"),
    "data without a folder": (SEARCH + "\"task.data={kind='conllu'}\"", "folder"),
    "a number for a section": (SEARCH + "pool=3", "pool"),
    "a number for a name": (SEARCH + "name=3", "valid string"),
    "a path for a name": (SEARCH + "name=../up", "letters from A to Z, digits"),
    "a line break in a name": (SEARCH + "'name=\"a\\nb\"'", "name"),
    "a name of 101 letters": (SEARCH + "name=" + "a" * 101, "name"),
    "a word for k": (SEARCH + "pool.k=three", "pool.k"),
    "a fraction for k": (SEARCH + "pool.k=3.5", "pool.k"),
    "true for k": (SEARCH + "pool.k=true", "pool.k"),
    "a word in quotes for k": (SEARCH + "\"pool.k='3'\"", "pool.k"),
    "k beyond all numbers": (SEARCH + "pool.k=99999999999999999999", "10 languages"),
    "true for a seed": (SEARCH + "seed=true", "seed"),
    "a seed below 0": (SEARCH + "seed=-1", "seed"),
    "a seed beyond 32 bits": (SEARCH + "seed=4294967296", "seed"),
    "a date for a seed": (SEARCH + "seed=2020-01-01", "seed"),
    "true for a number": (SEARCH + "realign.temperature=true", "valid number"),
    "nan noise": (SEARCH + "model.base.noise=nan", "noise"),
    "nan budget": (SEARCH + "pool.budget=nan", "budget"),
    "infinite budget": (SEARCH + "pool.budget=inf", "budget"),
    "nan rate": (SEARCH + "realign.lr=nan", "realign.lr"),
    "infinite temperature": (SEARCH + "realign.temperature=inf", "temperature"),
    "infinite anchor": (SEARCH + "realign.anchor=inf", "anchor"),
    "infinite sharpness": (SEARCH + "search.fidelity=merge --set fidelity.sharpness=inf", "sharpness"),
    "nan share": (SEARCH + "search.fidelity=short --set fidelity.pairs=nan", "fidelity.pairs"),
    "cvar of nan": (SEARCH + "search.objective=cvar:nan", "unknown objective"),
    "trials without end": (SEARCH + "search.trials=99999999999999999999", "search.trials"),
    "examples without end": (SEARCH + "task.examples=99999999999", "task.examples"),
    "unknown strategy": (SEARCH + "search.strategy=annealing", "unknown strategy"),
    "unknown selection": (SEARCH + "search.strategy=diversity:nope", "unknown strategy 'nope'"),
    "unknown objective": (SEARCH + "search.objective=median", "unknown objective"),
    "unknown metric": (SEARCH + "search.metric=nope", "unknown metric"),
    "a metric's weight of nan": (SEARCH + "search.metric=syntactic=nan", "not a weight"),
    "exhaustive over half a million": (
        SEARCH + "search.strategy=exhaustive --set pool.languages=paper-65 --set pool.k=5 --set targets.held_out=[]",
        "exhaustive",
    ),
    "a list of lists": (SEARCH + "\"pool.languages=[['fra']]\"", "pool.languages"),
    "a pool of 5000 letters": (SEARCH + "pool.languages=" + "x" * 5000, "unknown language"),
    "a pool with a null": (SEARCH + "'pool.languages=\"fra\\u0000\"'", "pool.languages"),
    "costs in a folder": (SEARCH + "pool.costs=.", "Is a directory"),
    "costs in bytes": (SEARCH + "pool.costs=c.csv", "not a CSV", {"c.csv": b"\xff\xfe\x00\x01"}),
    "costs with semicolons": (SEARCH + "pool.costs=c.csv", "with commas between", {"c.csv": "code;cost\ndeu;2,5\n"}),
    "costs with TABs": (SEARCH + "pool.costs=c.csv", "separated by TABs", {"c.csv": "deu\t2.5\nfra\t1\n"}),
    "costs of nobody": (SEARCH + "pool.costs=c.csv", "no cost is given", {"c.csv": "code,cost\n"}),
    "costs of one": (SEARCH + "pool.costs=c.csv", "no cost is given", {"c.csv": "code,cost\nfra,1\n"}),
    "costs twice": (SEARCH + "pool.costs=c.csv", "appears twice", {"c.csv": "fra,1\nfra,2\n"}),
    "costs of nan": (SEARCH + "pool.costs=c.csv", "the cost of arb is nan", {"c.csv": prices("nan")}),
    "costs below 0": (SEARCH + "pool.costs=c.csv", "the cost of arb is -1", {"c.csv": prices("-1")}),
    "costs beyond all sums": (SEARCH + "pool.costs=c.csv", "the cost of arb", {"c.csv": prices("1e308")}),
    "a quota below 0": (SEARCH + "\"pool.quota=['family=-1']\"", "is not a quota"),
    "included and excluded": (SEARCH + "\"pool.include=['fra']\" --set \"pool.exclude=['fra']\"", "both"),
    "weights of a stranger": (SEARCH + "targets.weights=w.csv", "no tuning target", {"w.csv": "tel,2\n"}),
    "an infinite weight": (SEARCH + "targets.weights=w.csv", "weight of fra", {"w.csv": "fra,inf\n"}),
    "an unknown pruner": (SEARCH + "search.pruner=best", "pruner"),
    "a pruner on a front": (
        SEARCH + "search.pruner=median --set search.seeds=2 --set \"search.objectives=['mean','cost']\"",
        "objectives",
    ),
    "set nothing": (SEARCH + "''", "KEY=VALUE"),
    "set no key": (SEARCH + "=", "KEY=VALUE"),
    "set an empty part": (SEARCH + "a..b=1", "KEY=VALUE"),
    "set below a value": (SEARCH + "pool.languages.x=1", "holds a value"),
    "set keys without end": (SEARCH + ".".join("a" * 3000) + "=1", "study.toml"),
    "set brackets without end": (SEARCH + "seed=" + "[" * 3000 + "]" * 3000, "seed"),
    "set a number without end": (SEARCH + "seed=" + "9" * 10_000, "seed"),
}

STORAGES: dict[str, refusal.Case] = {
    "no such kind": (SEARCH + "search.storage=nonsense://host/db", "cannot open the storage"),
    "a server that is not there": (SEARCH + "search.storage=postgresql://me:secret@127.0.0.1:1/x", "storage"),
    "a folder": (SEARCH + "search.storage=sqlite:///.", "storage"),
    "a folder as a journal": (SEARCH + "search.storage=.", "storage"),
    "no such folder": (SEARCH + "search.storage=sqlite:///no/such/a.db", "storage"),
    "a place nobody may write": (SEARCH + "search.storage=sqlite:////proc/x.db", "storage"),
    "no database": (SEARCH + "search.storage=sqlite:///study.toml", "storage"),
    "no journal": (SEARCH + "search.storage=study.toml", "storage"),
    "bytes": (SEARCH + "search.storage=j.log", "storage", {"j.log": EVERY_BYTE}),
    "another JSON": (SEARCH + "search.storage=j.log", "storage", {"j.log": '{"a": 1}\n'}),
    "a list in JSON": (SEARCH + "search.storage=j.log", "storage", {"j.log": "[1, 2]\n"}),
    "brackets without end": (SEARCH + "search.storage=j.log", "storage", {"j.log": DEEP + "\n"}),
    "memory": (SEARCH + "search.storage=sqlite:///:memory:", "memory"),
    "memory by another name": (SEARCH + "search.storage=sqlite://", "memory"),
    "a null": (SEARCH + "'search.storage=\"a\\u0000b\"'", "storage"),
    "a line break": (SEARCH + "'search.storage=\"a\\nb.db\"'", "line break"),
    "a line break in a server's URL": (SEARCH + "'search.storage=\"mysql://a\\nb\"'", "line break"),
    "a path that SQLite's address would change": (SEARCH + "search.storage=sqlite:///a%41.db", "'%41' in its path"),
    "options of SQLite": (SEARCH + "search.storage=sqlite:///x.db?mode=ro", "options of SQLite"),
    "a path too long": (SEARCH + "search.storage=sqlite:///" + "x" * 5000, "too long"),
    "a journal's path too long": (SEARCH + "search.storage=" + "x" * 5000, "too long"),
    "nothing there to look at": ("status study.toml", "there is no study"),
    "nothing there to confirm": ("confirm study.toml", "there is no study"),
    "nothing there to report": ("report study.toml", "there is no study"),
    "nothing there to export": ("export study.toml -o out", "there is no study"),
}

POOLS: dict[str, refusal.Case] = {
    "unknown code": (SELECT + "deu,qqz", "unknown language 'qqz'"),
    "nothing": (SELECT + "''", "the pool is empty"),
    "commas": (SELECT + ",,,", "the pool is empty"),
    "no file": (SELECT + "none.txt", "No such file"),
    "a folder": (SELECT + "./", "Is a directory"),
    "an empty file": (SELECT + "p.txt", "the pool is empty", {"p.txt": ""}),
    "comments": (SELECT + "p.txt", "the pool is empty", {"p.txt": "# nobody\n"}),
    "bytes": (SELECT + "p.txt", "not UTF-8", {"p.txt": EVERY_BYTE}),
    "an unknown code in line 2": (SELECT + "p.txt", "line 2", {"p.txt": "deu\nqqz\n"}),
    "a large file": (SELECT + "p.txt", "larger than a mebibyte", {"p.txt": "deu\n" * 300_000}),
    "a device without end": (SELECT + "/dev/zero", "larger than a mebibyte"),
    "k = 0": ("select --pool world -k 0", "k"),
    "k below 0": ("select --pool world -k -3", "k"),
    "k beyond all numbers": ("select --pool world -k 99999999999999999999", "k"),
    "nan seconds": (SELECT + "world --seconds nan", "--seconds"),
    "nan budget": (SELECT + "world --budget nan", "budget"),
    "nan radius": (SELECT + "world --radius nan", "radius"),
    "no language": ("languages qqz", "unknown language"),
    "one language": ("distances deu deu", "two different"),
    "picture in no folder": (SELECT + "world --plot no/such/a.png", "no/such"),
    "picture of no kind": (SELECT + "world --plot a.gif", "a.gif"),
}

TABLES: dict[str, refusal.Case] = {
    "not square": (THREE + "d.csv", "columns but", {"d.csv": "deu,fra\n0,1\n"}),
    "nan": (THREE + "d.csv", "not a distance", {"d.csv": "deu,fra\n0,nan\nnan,0\n"}),
    "bytes": (THREE + "d.csv", "not a CSV", {"d.csv": EVERY_BYTE}),
    "pickled objects": (THREE + "d.npz", "plain arrays", {"d.npz": npz(codes=np.array(["deu"], object), matrix=0)}),
    "a pickle": (THREE + "d.npz", "plain arrays", {"d.npz": pickle.dumps([1])}),
    "no archive": (THREE + "d.npz", "d.npz", {"d.npz": b"PK\x03\x04garbage"}),
    "no arrays": (THREE + "d.npz", "no array", {"d.npz": zipped("codes.npy", b"junk")}),
    "one row": (THREE + "d.npz", "shape", {"d.npz": npz(codes=np.array(["deu", "fra"]), matrix=np.zeros(3))}),
    "features of nobody": (THREE + "features:f.csv", "f.csv", {"f.csv": "code\n"}),
    "transfer of words": (SELECT + "deu,fin --transfer t.csv", "not a number", {"t.csv": ",deu\nfin,x\n"}),
    "columns in Latin-1": (SELECT + "world --table t.csv", "t.csv", {"t.csv": "code,é\n".encode("latin-1")}),
    "results that are not there": (BENCH, "a.csv"),
    "results without columns": (BENCH, "lacks a column", {"a.csv": "a,b\n", "b.json": "{}"}),
    "a measured table of bytes": ("bench search --table t.npz", "cannot read the table", {"t.npz": EVERY_BYTE}),
    "a measured table of pickled objects": (
        "bench search --table t.npz",
        "cannot read the table",
        {"t.npz": npz(member=np.array([None], object), values=0, texts="{}")},
    ),
    "subsets without end": (BENCH, "not a JSON", {"a.csv": "strategy,language,mean,std\n", "b.json": DEEP}),
}

USAGE: dict[str, refusal.Case] = {
    "unknown command": ("serch study.toml", "No such command"),
    "no argument": ("search", "Missing argument"),
    "an argument more": ("search study.toml other.toml", "unexpected"),
    "unknown option": ("search study.toml --fast", "--fast"),
    "option without value": ("search study.toml --trials", "--trials"),
    "a word for a number": ("search study.toml --trials many", "--trials"),
    "no trials": ("search study.toml --trials 0", "--trials"),
    "trials below 0": ("search study.toml --trials -1", "--trials"),
    "workers below 0": ("search study.toml --workers -1", "--workers"),
    "workers without end": ("search study.toml --workers 100000", "too many"),
    "unknown backend": ("search study.toml --backend cluster", "cluster"),
    "a word for a port": ("dashboard study.toml --port http", "--port"),
    "a port too far": ("dashboard ran.toml --port 70000", "port 70000"),
    "a host that is not there": ("dashboard ran.toml --host host.invalid", "host.invalid"),
    "confirm nobody": ("confirm study.toml --top 0", "--top"),
    "a report in no folder": ("report ran.toml -o no/such/r.html", "no/such"),
    "an export to nowhere": ("export study.toml", "--output"),
    "an export onto a file": ("export study.toml -o study.toml", "is a file"),
    "a realignment of nothing": ("realign none.toml -o m", "none.toml"),
    "a checkpoint each -1 minutes": ("realign study.toml -o m --every -1", "--every"),
    "an unknown split": ("evaluate . --study study.toml --split train", "split"),
    "too many seeds": ("evaluate . --study study.toml --seeds 101", "--seeds"),
    "unknown benchmark": ("bench nope", "no benchmark"),
    "a benchmark on one seed": ("bench world --seeds 1", "--seeds"),
    "half a table": ("bench transfer --results a.csv", "--subsets"),
    "heads that do not fit": (
        "pretrain p.toml -o m",
        "heads",
        {"p.toml": '[data]\nkind = "world"\n[model]\nwidth = 10\nheads = 3\n'},
    ),
    "pretraining with a seed below 0": (
        "pretrain p.toml -o m",
        "seed",
        {"p.toml": '[data]\nkind = "world"\n[train]\nseed = -1\n'},
    ),
}

CASES = {
    f"{group}: {name}": case
    for group, cases in {
        "study": STUDIES,
        "storage": STORAGES,
        "pool": POOLS,
        "table": TABLES,
        "usage": USAGE,
    }.items()
    for name, case in cases.items()
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one trial, to be copied."""
    home = tmp_path_factory.mktemp("ran")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALINGO_CACHE", str(home / "cache"))
        assert rehearsal.realingo("search", rehearsal.write(home, trials=1), "--set", "search.warm_start=false") == 0
    return home


@pytest.mark.parametrize("case", CASES)
def test_bad_input_costs_two_lines_and_nothing_is_written(
    case: str,
    ran: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("REALINGO_CACHE", str(tmp_path_factory.mktemp("cache")))
    rehearsal.write(tmp_path, trials=1)
    if "ran.toml" in CASES[case][0]:
        (tmp_path / "ran.toml").write_text((ran / "study.toml").read_text())
        (tmp_path / "trial.db").write_bytes((ran / "trial.db").read_bytes())
    monkeypatch.chdir(tmp_path)
    refusal.check(CASES[case], tmp_path, capsys)


def test_a_password_is_not_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storage = "search.storage=postgresql://me:secret@127.0.0.1:1/x"
    assert rehearsal.realingo("search", rehearsal.write(tmp_path), "--set", storage) == 2
    assert "secret" not in capsys.readouterr().err


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = rehearsal.write(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    from search.config.study_config import load

    assert load(path) == load(rehearsal.write(tmp_path))
