"""`realingo languages`, `distances` and `select` as a user types them."""

import json
import subprocess
import sys

import pytest

from search.cli import main
from selector.strategy import STRATEGIES


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


def test_languages_json(realingo):
    found = answer(realingo("languages", "zho", "ekk", "German", "--json"))["languages"]
    assert [entry["code"] for entry in found] == ["cmn", "ekk", "deu"]
    assert {"code", "name", "family", "genus", "script", "observed"} <= set(found[0])
    assert found[1]["stand_ins"] == {"syntactic": "est"}
    assert all(0 <= entry["observed"] <= 1 for entry in found)


def test_languages_of_a_pool(realingo):
    found = answer(realingo("languages", "--pool", "world", "--json"))["languages"]
    assert len(found) == 24
    status, out, _ = realingo("languages", "--pool", "world")
    assert status == 0
    assert "Swahili" in out


def test_distances_json(realingo):
    found = answer(realingo("distances", "de", "nl", "zho", "--metric", "syntactic=0.7,genetic=0.3", "--json"))
    assert set(found) == {"metric", "languages", "matrix", "observed"}
    assert found["languages"] == ["deu", "nld", "cmn"]
    assert len(found["matrix"]) == len(found["matrix"][0]) == len(found["observed"]) == 3
    assert found["matrix"][0][1] < found["matrix"][0][2]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_select_json_has_the_shape_of_the_contract(realingo, strategy):
    found = answer(realingo("select", "--pool", "world", "-k", "4", "--strategy", strategy, "--seed", "3", "--json"))
    assert set(found) == {
        *("strategy", "metric", "k", "seed", "source"),
        *("languages", "objective", "diversity", "cost"),
    }
    assert (found["strategy"], found["metric"], found["k"]) == (strategy, "syntactic", 4)
    assert (found["seed"], found["source"], found["cost"]) == (3, "eng", None)
    assert len(found["languages"]) == 4 == len(set(found["languages"]))
    assert found["languages"] == sorted(found["languages"])
    assert set(found["objective"]) == {"name", "value", "bound", "optimal"}
    needed = {"mean_pairwise", "min_pairwise", "families", "genera", "scripts", "entropy", "feature_inclusion"}
    assert needed <= set(found["diversity"])


def test_select_with_one_language_has_no_pairs(realingo):
    found = answer(realingo("select", "--pool", "deu,tur", "-k", "1", "--json"))
    assert found["diversity"]["mean_pairwise"] is None


def test_include_exclude_and_pool_file(realingo, tmp_path):
    pool = tmp_path / "pool.txt"
    pool.write_text("de\nfr\nzho\ntr\neu\n", encoding="utf-8")
    asked = ("select", "--pool", str(pool), "-k", "3", "--include", "tur,deu", "--exclude", "zh", "--json")
    found = answer(realingo(*asked))["languages"]
    assert {"deu", "tur"} < set(found) <= {"deu", "tur", "fra", "eus"}


def test_compare_puts_every_strategy_side_by_side(realingo):
    found = answer(realingo("select", "--pool", "world", "-k", "4", "--compare", "--json"))
    assert [row["strategy"] for row in found["rows"]] == list(STRATEGIES)
    value = {row["strategy"]: row["diversity"]["mean_pairwise"] for row in found["rows"]}
    assert value["max-sum"] > value["random"] > value["nearest"]
    status, out, _ = realingo("select", "--pool", "world", "-k", "4", "--compare")
    assert status == 0
    assert "k-center" in out


def test_select_for_people(realingo):
    status, out, err = realingo("select", "--pool", "world", "-k", "4")
    assert (status, err) == (0, "")
    assert "diversity" in out
    assert out.strip().splitlines()[-1].count(",") == 3  # ready to be typed as a POOL


@pytest.mark.parametrize("flags", [(), ("--compare",)])
def test_plot(realingo, tmp_path, flags):
    pytest.importorskip("matplotlib")
    path = tmp_path / "map.png"
    status, _, _ = realingo("select", "--pool", "world", "-k", "4", "--plot", str(path), "--json", *flags)
    assert status == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [entry.name for entry in tmp_path.iterdir()] == ["map.png"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("languages", "Germn"), "deu (German)"),
        (("languages", "--pool", "xyz"), "xyz"),
        (("distances", "deu"), "two different"),
        (("distances", "deu", "de"), "two different"),
        (("distances", "deu", "fra", "--metric", "syntatic"), "syntactic"),
        (("select", "--pool", "world", "-k", "0"), "k is 0"),
        (("select", "--pool", "world", "-k", "25"), "24"),
        (("select", "--pool", "world", "-k", "two"), "-k"),
        (("select", "--pool", ",", "-k", "1"), "empty"),
        (("select", "--pool", "world", "-k", "3", "--strategy", "maxsum"), "max-sum"),
        (("select", "--pool", "world", "-k", "3", "--strategy", "nope", "--compare"), "nope"),
        (("select", "--pool", "world", "-k", "3", "--source", "zzzz"), "zzzz"),
        (("select", "--pool", "world", "-k", "3", "--include", "ita"), "ita"),
        (("select", "--pool", "world", "-k", "3", "--seed", "-1"), "seed"),
        (("select", "--pool", "world", "-k", "3", "--plot", "map.jpg"), ".png"),
        (("select", "--pool", "none.txt", "-k", "3"), "none.txt"),
        (("select", "-k", "3"), "pool"),
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
    assert not list(tmp_path.iterdir())


def test_select_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from search.cli import main\n"
        "try:\n    main(['select', '--pool', 'world', '-k', '4', '--json'])\n"
        "except SystemExit as ended:\n    assert not ended.code\n"
        "heavy = {'torch', 'transformers', 'optuna', 'datasets', 'pandas', 'networkx', 'matplotlib', 'plotly'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
