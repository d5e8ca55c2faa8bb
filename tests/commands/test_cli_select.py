"""`realingo languages`, `distances` and `select` as a user types them."""

import json
import subprocess
import sys

import pytest

from search import terminal
from search.cli import main
from search.commands import select_tables
from selector.distances.distance import distances
from selector.languages.language import parse_pool
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
    assert {"metric", "languages", "matrix", "observed"} <= set(found)
    assert found["languages"] == ["deu", "nld", "cmn"]
    assert len(found["matrix"]) == len(found["matrix"][0]) == len(found["observed"]) == 3
    assert found["matrix"][0][1] < found["matrix"][0][2]


ABLE = [name for name in STRATEGIES if name != "predicted"]  # its model wants targets it knows: tested on its own


@pytest.mark.parametrize("strategy", ABLE)
def test_select_json_has_the_shape_of_the_contract(realingo, strategy):
    found = answer(realingo("select", "--pool", "world", "-k", "4", "--strategy", strategy, "--seed", "3", "--json"))
    assert set(found) == {
        *("strategy", "metric", "k", "seed", "source", "languages", "objective", "diversity", "cost"),
        *("percentiles", "random_subsets", "imputed", "rows_used"),
    }
    assert (found["strategy"], found["metric"], found["k"]) == (strategy, "syntactic", 4)
    assert (found["seed"], found["source"], found["cost"]) == (3, "eng", None)
    assert len(found["languages"]) == 4 == len(set(found["languages"]))
    assert found["languages"] == sorted(found["languages"])
    goal = found["objective"]
    assert set(goal) == {"name", "value", "bound", "optimal", "gap", "status"}
    assert goal["optimal"] is (goal["status"] == "optimal")
    assert (goal["gap"] is None) is (goal["bound"] is None)
    assert goal["bound"] is None or goal["bound"] >= goal["value"]
    needed = {"mean_pairwise", "min_pairwise", "families", "genera", "scripts", "entropy", "feature_inclusion"}
    assert needed <= set(found["diversity"])
    assert set(found["percentiles"]) == set(found["diversity"])
    assert all(0 <= value <= 100 for value in found["percentiles"].values())
    assert found["random_subsets"] == 1000
    assert 0 <= found["imputed"] <= 1


def test_select_with_one_language_has_no_pairs(realingo):
    found = answer(realingo("select", "--pool", "deu,tur", "-k", "1", "--json"))
    assert found["diversity"]["mean_pairwise"] is None


def test_include_exclude_and_pool_file(realingo, tmp_path):
    pool = tmp_path / "pool.txt"
    pool.write_text("de\nfr\nzho\ntr\neu\n", encoding="utf-8")
    asked = ("select", "--pool", str(pool), "-k", "3", "--include", "tur,deu", "--exclude", "zh", "--json")
    found = answer(realingo(*asked))["languages"]
    assert {"deu", "tur"} < set(found) <= {"deu", "tur", "fra", "eus"}


def test_costs_budget_and_quotas_hold(realingo, tmp_path):
    costs = tmp_path / "costs.csv"
    costs.write_text("code,hours\ndeu,5\nfr,1\nzho,1\ntr,1\neu,9\n", encoding="utf-8")
    asked = ("select", "--pool", "deu,fra,cmn,tur,eus", "-k", "3", "--costs", str(costs), "--budget", "7", "--json")
    found = answer(realingo(*asked))
    assert "eus" not in found["languages"]
    assert found["cost"] == sum({"deu": 5, "fra": 1, "cmn": 1, "tur": 1}[code] for code in found["languages"]) <= 7
    both = answer(
        realingo("select", "--pool", "world", "-k", "4", "--quota", "family=1", "--quota", "script:Latn=2", "--json")
    )
    assert both["diversity"]["families"] == 4


def test_columns_of_ones_own_table_are_groups(realingo, tmp_path):
    mine = tmp_path / "mine.csv"
    mine.write_text("code,place\ndeu,west\nfra,west\ncmn,east\njpn,east\ntur,\n", encoding="utf-8")
    asked = ("select", "--pool", "deu,fra,cmn,jpn,tur", "-k", "3", "--table", str(mine), "--quota", "place=1", "--json")
    found = set(answer(realingo(*asked))["languages"])
    assert len(found & {"deu", "fra"}) == len(found & {"cmn", "jpn"}) == len(found & {"tur"}) == 1


def test_targets_and_weights_decide_whom_the_chosen_serve(realingo, tmp_path):
    weights = tmp_path / "weights.csv"
    weights.write_text("nld,1\nkor,0\n", encoding="utf-8")
    asked = ("select", "--pool", "deu,jpn,zul", "-k", "1", "--targets", "nld,kor", "--json")
    assert answer(realingo(*asked, "--weights", str(weights)))["languages"] == ["deu"]
    weights.write_text("nld,0\nkor,1\n", encoding="utf-8")
    found = answer(realingo(*asked, "--weights", str(weights)))
    assert found["languages"] == ["jpn"]
    assert found["diversity"]["nearest"] == pytest.approx(1 - found["objective"]["value"])


def test_measured_transfer_overrides_typology(realingo, tmp_path):
    measured = tmp_path / "transfer.csv"
    measured.write_text(",nld,swe\ndeu,0.1,0.1\ntur,0.9,0.9\n", encoding="utf-8")
    asked = ("select", "--pool", "deu,tur", "-k", "1", "--json", "--targets", "nld,swe")
    assert answer(realingo(*asked))["languages"] == ["deu"]
    assert answer(realingo(*asked, "--transfer", str(measured)))["languages"] == ["tur"]


def test_least_observed_leaves_out_thin_languages(realingo):
    asked = ("select", "--pool", "flores-200", "-k", "20", "--strategy", "random", "--json")
    assert answer(realingo(*asked, "--least-observed", "0.5"))["imputed"] < answer(realingo(*asked))["imputed"]


def test_subset_measures_what_is_given_as_it_measures_what_is_chosen(realingo):
    chosen = answer(realingo("select", "--pool", "world", "-k", "4", "--json"))
    given = answer(realingo("select", "--pool", "world", "--subset", ",".join(chosen["languages"]), "--json"))
    for key in ("languages", "k", "diversity", "percentiles", "imputed", "rows_used", "cost"):
        assert given[key] == chosen[key]
    assert given["objectives"]["facility"] == pytest.approx(chosen["objective"]["value"])
    status, out, _ = realingo("select", "--pool", "world", "--subset", "deu,tur")
    assert (status, "every objective" in out) == (0, True)


def test_rank_continues_what_is_there_and_gains_add_up(realingo):
    found = answer(realingo("select", "--pool", "world", "--rank", "--include", "deu", "--json"))
    assert found["include"] == ["deu"]
    assert len({row["code"] for row in found["ranking"]} | {"deu"}) == 24
    gains = [row["gain"] for row in found["ranking"]]
    assert gains == sorted(gains, reverse=True)  # facility location is submodular
    alone = answer(realingo("select", "--pool", "world", "--subset", "deu", "--json"))["objectives"]["facility"]
    everyone = answer(realingo("select", "--pool", "world", "-k", "24", "--json"))["objective"]["value"]
    assert alone + sum(gains) == pytest.approx(everyone)
    first = answer(realingo("select", "--pool", "world", "-k", "2", "--include", "deu", "--json"))["languages"]
    assert {"deu", found["ranking"][0]["code"]} == set(first)
    status, out, _ = realingo("select", "--pool", "world", "--rank", "-k", "3")
    assert (status, "gain" in out) == (0, True)


def test_compare_puts_every_strategy_side_by_side(realingo):
    status, out, _ = realingo("select", "--pool", "world", "-k", "4", "--compare", "--json")
    assert status == 0
    found = json.loads(out)
    skipped = [row["strategy"] for row in found["skipped"]]
    assert [row["strategy"] for row in found["rows"]] == [name for name in STRATEGIES if name not in skipped]
    assert set(skipped) <= {"predicted"}
    assert all(row["reason"] for row in found["skipped"])
    value = {row["strategy"]: row["diversity"]["mean_pairwise"] for row in found["rows"]}
    assert value["max-sum"] > value["random"] > value["nearest"]
    assert all(row["k"] == found["k"] == 4 for row in found["rows"])
    printed = table_text(select_tables.comparison(found))
    assert max(map(len, printed[: printed.index("mean, min: ")].splitlines())) <= 80
    assert all(f"{name}: " in printed for name in ("near, radius", "bits", "gap"))


def table_text(renderable):
    with terminal.out.capture() as captured:
        terminal.out.print(renderable)
    return captured.get()


@pytest.mark.parametrize("strategy", ["max-sum", "max-min"])
def test_parity_with_typdiv_starts_from_the_largest_sum(realingo, strategy):
    asked = ("select", "--pool", "world", "--strategy", strategy, "--parity", "typdiv", "--json")
    d = distances(parse_pool("world"), "syntactic").matrix
    first = parse_pool("world")[int(d.sum(axis=1).argmax())].code
    assert answer(realingo(*asked, "-k", "1"))["languages"] == [first]
    grown = [set(answer(realingo(*asked, "-k", str(k)))["languages"]) for k in (2, 3, 6)]
    assert grown[0] < grown[1] < grown[2]


def test_select_for_people(realingo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = realingo("select", "--pool", "world", "-k", "4")
    assert (status, err) == (0, "next: realingo init -o study.toml --pool world -k 4\n")
    assert "random subsets have less of it" in out
    assert all(f"\n{name}: " in out for name in ("nearest", "entropy, in bits", "mean and min pairwise"))
    assert "bound" in out or "proven best" in out
    assert out.strip().splitlines()[-1].count(",") == 3  # ready to be typed as a POOL


@pytest.mark.parametrize("view", ["typology", "world"])
@pytest.mark.parametrize(("name", "begins"), [("map.png", b"\x89PNG"), ("map.html", b"<!doctype html>")])
def test_plot(realingo, tmp_path, name, begins, view):
    if name.endswith("png"):
        pytest.importorskip("matplotlib")
    path = tmp_path / name
    status, _, _ = realingo("select", "--pool", "world", "-k", "4", "--plot", str(path), "--view", view, "--json")
    assert status == 0
    assert path.read_bytes().startswith(begins)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_plot_of_a_comparison_shows_the_strategy_named(realingo, tmp_path):
    path = tmp_path / "map.html"
    asked = (
        "select",
        "--pool",
        "deu,fra,tur,jpn",
        "-k",
        "2",
        "--strategy",
        "max-min",
        "--compare",
        "--plot",
        str(path),
    )
    assert realingo(*asked, "--json")[0] == 0
    assert "<h1>2 of 4 languages chosen by max-min</h1>" in path.read_text(encoding="utf-8")


FILES = {
    "costs.csv": "deu,1\ntur,2\n",
    "twice.csv": "deu,1\nde,2\n",
    "words.csv": "code,cost\ndeu,much\n",
    "negative.csv": "deu,-1\ntur,1\njpn,1\n",
    "zeros.csv": "deu,0\ntur,0\njpn,0\n",
    "empty.csv": "",
    "square.csv": "deu,tur\n0,1\n2,0\n",
    "table.csv": "code,place\ndeu,west\ntur,east\njpn,east\n",
    "pool.txt": "deu\nxx-nonsense\n",
    "binary.csv": b"\xff\xfe\x00\x01",
}
WORLD = ("select", "--pool", "world")
THREE = ("select", "--pool", "deu,tur,jpn", "-k", "2")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("languages", "Germn"), "deu (German)"),
        (("languages", "--pool", "xyz"), "xyz"),
        (("languages", "--pool", "pool.txt"), "line 2"),
        (("languages", "--pool", "none.txt"), "none.txt"),
        (("distances",), "CODE"),
        (("distances", "deu"), "two different"),
        (("distances", "deu", "de"), "two different"),
        (("distances", "deu", "fra", "--metric", "syntatic"), "syntactic"),
        (("distances", "deu", "fra", "--metric", "syntactic=-1"), "weight"),
        (("distances", "deu", "fra", "--metric", "syntactic=1,syntactic=2"), "twice"),
        (("distances", "deu", "tur", "--metric", "square.csv"), "both directions"),
        (("distances", "deu", "tur", "--metric", "none.csv"), "none.csv"),
        ((*WORLD,), "-k"),
        ((*WORLD, "-k", "0"), "k is 0"),
        ((*WORLD, "-k", "-3"), "k is -3"),
        ((*WORLD, "-k", "25"), "24"),
        ((*WORLD, "-k", "two"), "-k"),
        (("select", "--pool", ",", "-k", "1"), "empty"),
        (("select", "--pool", "eng", "-k", "1"), "empty"),
        (("select", "--pool", "none.txt", "-k", "3"), "none.txt"),
        (("select", "-k", "3"), "pool"),
        ((*WORLD, "-k", "3", "--strategy", "maxsum"), "max-sum"),
        ((*WORLD, "-k", "3", "--strategy", "nope", "--compare"), "nope"),
        ((*WORLD, "-k", "3", "--metric", "genetics"), "genetic"),
        ((*WORLD, "-k", "3", "--source", "zzzz"), "zzzz"),
        ((*WORLD, "-k", "3", "--include", "ita"), "ita"),
        ((*WORLD, "-k", "3", "--exclude", "ita"), "ita"),
        ((*WORLD, "-k", "3", "--include", "deu", "--exclude", "deu"), "both included and excluded"),
        ((*WORLD, "-k", "1", "--include", "deu,tur"), "included"),
        ((*WORLD, "-k", "3", "--include", "eng"), "source"),
        ((*WORLD, "-k", "3", "--seed", "-1"), "seed"),
        ((*WORLD, "-k", "3", "--seconds", "0"), "seconds"),
        ((*WORLD, "-k", "3", "--seconds", "nan"), "seconds"),
        ((*WORLD, "-k", "3", "--plot", "map.jpg"), ".png"),
        ((*WORLD, "-k", "3", "--plot", "nowhere/map.png"), "folder"),
        ((*WORLD, "-k", "3", "--plot", "map.png", "--view", "globe"), "typology"),
        ((*WORLD, "-k", "3", "--view", "world"), "--plot"),
        ((*WORLD, "-k", "3", "--rank", "--plot", "map.png"), "ranking"),
        ((*WORLD, "-k", "3", "--rank", "--compare"), "exclude each other"),
        ((*WORLD, "--rank", "--strategy", "random"), "random"),
        ((*WORLD, "--subset", "deu,tur", "--compare"), "exclude each other"),
        ((*WORLD, "--subset", "deu,ita"), "ita"),
        ((*WORLD, "--subset", ","), "empty"),
        ((*WORLD, "--subset", "deu,tur", "-k", "2"), "--subset"),
        ((*WORLD, "--subset", "deu,tur", "--quota", "family=1"), "--quota"),
        ((*THREE, "--budget", "3"), "costs"),
        ((*THREE, "--costs", "costs.csv", "--budget", "3"), "jpn"),
        ((*THREE, "--costs", "twice.csv"), "line 2"),
        ((*THREE, "--costs", "words.csv"), "line 2"),
        ((*THREE, "--costs", "negative.csv"), "-1"),
        ((*THREE, "--costs", "empty.csv"), "empty"),
        ((*THREE, "--costs", "none.csv"), "none.csv"),
        ((*THREE, "--costs", "binary.csv"), "binary.csv"),
        ((*THREE, "--costs", "zeros.csv", "--budget", "-1"), "budget"),
        ((*THREE, "--costs", "zeros.csv", "--budget", "inf"), "budget"),
        ((*THREE, "--weights", "costs.csv"), "jpn"),
        ((*THREE, "--weights", "zeros.csv"), "weight"),
        ((*THREE, "--targets", "qqqq"), "qqqq"),
        ((*THREE, "--targets", "eng"), "target"),
        ((*THREE, "--transfer", "none.npz"), "none.npz"),
        ((*THREE, "--transfer", "square.csv"), "square.csv"),
        ((*THREE, "--quota", "family"), "quota"),
        ((*THREE, "--quota", "family=0"), "quotas"),
        ((*THREE, "--quota", "family=-1"), "quota"),
        ((*THREE, "--quota", "place=1"), "place"),
        ((*THREE, "--quota", "script:Cyrl=1"), "Cyrl"),
        ((*THREE, "--quota", "plce=1", "--table", "table.csv"), "place"),
        ((*THREE, "--table", "none.csv"), "none.csv"),
        ((*THREE, "--least-observed", "1.5"), "observed"),
        ((*THREE, "--least-observed", "1"), "observed"),
        ((*THREE, "--radius", "-0.1"), "radius"),
        ((*THREE, "--radius", "nan"), "radius"),
        ((*THREE, "--parity", "lang2vec"), "typdiv"),
        ((*THREE, "--parity", "typdiv"), "max-sum"),
    ],
)
def test_bad_input_is_two_lines_and_status_2(realingo, arguments, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in set(FILES) & set(arguments):
        content = FILES[name]
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    before = set(tmp_path.iterdir())
    status, out, err = realingo(*arguments)
    assert (status, out) == (2, ""), out
    error, hint = err.splitlines()
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")
    assert len(hint) > len("hint: ")
    assert says in err
    assert set(tmp_path.iterdir()) == before


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


@pytest.mark.parametrize(
    ("asked", "then"),
    [
        (("--pool", "world", "-k", "4"), "init -o study.toml --pool world -k 4"),
        (("--pool", "deu,fin,swh", "-k", "2", "--compare"), "init -o study.toml --pool deu,fin,swh -k 2"),
        (("--pool", "world", "--include", "deu", "--rank"), "init -o study.toml --pool world"),
        (("--pool", "world", "--subset", "jpn,rus"), "select --pool world -k 2"),
        (("--pool", "aag,aaq", "-k", "1"), "languages --pool aag,aaq"),
        (
            ("--pool", "deu,fra,kor", "-k", "2", "--exclude", "deu"),
            "init -o study.toml --parallel opus-100 --task udpos --pool deu,fra,kor -k 2",
        ),
        (
            ("--pool", "deu,fra,kor", "-k", "2", "--strategy", "predicted", "--task", "ner", "--encoder", "xlmr"),
            "init -o study.toml --model xlmr --parallel opus-100 --task wikiann --pool deu,fra,kor -k 2",
        ),
    ],
    ids=str,
)
def test_select_ends_with_a_command_that_runs(realingo, tmp_path, monkeypatch, asked, then):
    monkeypatch.chdir(tmp_path)
    status, _, err = realingo("select", *asked)
    assert status == 0
    *before, last = err.splitlines()
    assert last == f"next: realingo {then}"
    assert any("exclude in [pool]" in line for line in before) == ("--exclude" in asked)
    assert realingo(*then.split())[0] == 0
    if then.startswith("init"):
        again = realingo("select", *asked)[2].splitlines()[-1]
        assert again == last.replace("study.toml", "study-2.toml")
        assert realingo(*again.removeprefix("next: realingo ").split())[0] == 0
