"""`realingo languages` and `distances` as a user types them, beyond the contract's keys."""

import json
import os
import subprocess
import sys
import time

import pytest

from search.cli import main


@pytest.fixture
def realingo(capsys):
    """Run a command in this process: exit status, stdout, stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return run


def answer(result):
    status, out, err = result
    assert (status, err) == (0, "")
    return json.loads(out)


def test_a_language_in_full(realingo):
    """T3, T7: Norwegian by its two letters, Min Nan by its three, Malay with whose row was read."""
    no, nan, malay = answer(realingo("languages", "no", "nan", "zsm", "--json"))["languages"]
    assert (no["code"], nan["code"]) == ("nob", "nan")
    assert (nan["name"], nan["resource"], nan["scripts"][0]) == ("Min Nan Chinese", 1, nan["script"])
    assert malay["rows"] == {"syntactic": "msa", "phonological": "msa", "inventory": "zsm"}
    assert malay["stand_ins"] == {"syntactic": "msa", "phonological": "msa"}
    assert malay["observed_by_group"]["syntactic"] == pytest.approx(101 / 103)
    assert (malay["latitude"], malay["longitude"]) == pytest.approx((3, 102), abs=3)


def test_all_of_uriel_is_listed_in_seconds():
    """The whole command in a process of its own; CPU seconds, since other work may share the machine."""
    code = (
        "import sys, time\n"
        "from search.cli import main\n"
        "try:\n    main(['languages', '--pool', 'uriel', '--json'])\n"
        "except SystemExit as ended:\n    assert not ended.code\n"
        "sys.stderr.write(str(time.process_time()))\n"
    )
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = json.loads(got.stdout)["languages"]
    assert len(found) > 7600
    assert float(got.stderr) < 10


def test_a_long_list_is_plain(realingo):
    start = time.process_time()
    status, out, _ = realingo("languages", "--pool", "uriel")
    assert status == 0
    assert time.process_time() - start < 10
    assert out.splitlines()[1].split()[:3] == ["code", "name", "family"]
    assert len(out.splitlines()) > 7600


def test_own_columns_are_shown(realingo, tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("code,region,[cost]\nnan,[/Asia],3\nde,Europe,?\n", encoding="utf-8")
    found = answer(realingo("languages", "--table", str(path), "--json"))["languages"]
    assert [entry["code"] for entry in found] == ["nan", "deu"]
    assert found[1]["columns"] == {"region": "Europe", "[cost]": None}
    some = answer(realingo("languages", "fin", "--table", str(path), "--json"))["languages"]
    assert [entry["columns"]["region"] for entry in some] == [None]
    status, out, _ = realingo("languages", "--table", str(path))
    assert status == 0
    assert "[/Asia]" in out
    assert "[cost]" in out


def test_distances_say_what_they_rest_on(realingo):
    found = answer(realingo("distances", "ces", "slk", "kaz", "--metric", "syntactic:average", "--json"))
    assert found["overlap"][0][1] == 0
    assert found["same_row"] == [["ces", "slk"]]
    assert found["unknown"] == [["ces", "kaz"], ["slk", "kaz"]]
    assert found["rows"] == {"syntactic": ["ces", "ces", "kaz"]}
    status, out, _ = realingo("distances", "ces", "slk", "kaz", "--metric", "syntactic:average")
    assert status == 0
    assert "0.000=" in out
    assert "?" in out
    bold = answer(
        realingo("distances", "ces", "kaz", "--metric", "syntactic:average", "--least-overlap", "2", "--json")
    )
    assert bold["unknown"] == []
    assert answer(realingo("distances", "ces", "kaz", "--metric", "genetic", "--json"))["overlap"] is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("languages", "--table", "none.csv"), "none.csv"),
        (("languages", "deu", "Germn"), "deu (German)"),
        (("languages", "--pool", "flores200"), "flores-200"),
        (("distances", "deu", "fra", "--metric", "syntactic:wiki"), "wals"),
        (("distances", "deu", "fra", "--metric", "inventory:wals"), "phoible"),
        (("distances", "deu", "fra", "--metric", "features:none.csv"), "none.csv"),
        (("distances", "deu", "fra", "--metric", "none.npz"), "none.npz"),
        (("distances", "deu", "fra", "--metric", "hamming:geographic"), "hamming:GROUP"),
        (("distances", "deu", "fra", "--least-overlap", "0"), "at least 1"),
    ],
)
def test_bad_input_is_two_lines_and_status_2(realingo, arguments, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = realingo(*arguments)
    assert (status, out) == (2, "")
    error, hint = err.splitlines()
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")
    assert says in err


def test_cold_start():
    """No torch, no pandas, no sources that were not asked for: process time under 1.5 s with room to spare."""
    code = (
        "import sys, time\n"
        "from search.cli import main\n"
        "try:\n    main(['distances', 'deu', 'fin', '--json'])\n"
        "except SystemExit as ended:\n    assert not ended.code\n"
        "heavy = {'torch', 'transformers', 'optuna', 'datasets', 'pandas', 'networkx', 'scipy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "sys.stderr.write(str(time.process_time()))\n"
    )
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(got.stderr) < 1.5


def test_a_terminal_of_few_letters_gets_its_table():
    narrow = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "search", "languages", "tur", "fra", "cmn"]
    ended = subprocess.run(command, env=narrow, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Turk" in ended.stdout
    assert "?" in ended.stdout  # for what it has no letter for


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_output_to_a_full_disk_is_one_error(form):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "search", "distances", "deu", "fin", *form]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    error, hint = ended.stderr.splitlines()
    assert (ended.returncode, error) == (
        1,
        "error: the answer cannot be written to standard output: No space left on device",
    )
    assert hint.startswith("hint: free some space")


def test_a_package_that_is_missing_is_named():
    code = (
        "import sys\n"
        "from search.cli import main\n"
        "sys.modules['optuna'] = None\n"
        "main(['study', 'copy', 'a.db', 'b.db'])\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    error, hint = ended.stderr.splitlines()
    assert (ended.returncode, error) == (1, "error: the package 'optuna' is not installed")
    assert "realingo doctor" in hint


def test_the_caller_may_have_closed_standard_output():
    ended = subprocess.run([f"{sys.executable} -m search distances deu fin >&-"], shell=True, stderr=subprocess.PIPE)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_the_locale_c_without_utf_8_gets_its_table():
    poor = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "search", "languages", "tur", "gug"]
    ended = subprocess.run(command, env=poor, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Turk" in ended.stdout


def test_json_keeps_every_letter_of_a_poor_encoding():
    command = [sys.executable, "-m", "search", "languages", "gug", "nob", "--json"]
    texts = []
    for encoding in ("ascii", "utf-8"):
        env = {**os.environ, "PYTHONIOENCODING": encoding}
        texts.append(subprocess.run(command, env=env, capture_output=True, check=True).stdout.decode(encoding))
    assert not texts[1].isascii()
    assert json.loads(texts[0]) == json.loads(texts[1])
