"""Data flows right, imports point left, between packages and between the rooms of each.

Heavy libraries have a room, and a file name one meaning.
"""

import ast
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {  # package → its rooms, folders or single files, from left to right
    "selector": (
        "errors",
        "text_file",
        "sources",
        "languages",
        "distances",
        "objectives",
        "solvers",
        "constraints",
        "targets",
        "typdiv",
        "problem",
        "transfer",
        "objective",
        "exact",
        "strategy",
        "diversity",
    ),
    "realign": (
        "section",
        "score",
        "cache",
        "evaluators",
        "testing",
        "hub",
        "corpora",
        "inputs",
        "store",
        "encoder",
        "world",
        "training",
        "data_sets",
        "core",
        "tasks",
        "merging",
        "realign_and_transfer",
        "build",
    ),
    "search": (
        "results",
        "rich_tables",
        "terminal",
        "trackers",
        "interrupts",
        "output_folder",
        "space",
        "score_objective",
        "config",
        "starting",
        "study",
        "strategies",
        "testing",
        "surrogate",
        "effort",
        "planner",
        "backends",
        "confirmation",
        "status",
        "driver",
        "pages",
        "report",
        "dashboard",
        "export",
        "bench",
        "commands",
        "cli",
        "__main__",
    ),
}
PLACES = ["selector", "realign", "search"]  # a package's own file, its `__init__`, imports nothing of ours
BEHIND = {  # a heavy or replaceable library → the rooms that may import it
    "optuna": {"search/study", "search/strategies", "search/dashboard"},
    "sqlalchemy": {"search/study"},
    "optuna_dashboard": {"search/dashboard"},
    "mlflow": {"search/trackers"},
    "tensorboardX": {"search/trackers"},
    "wandb": {"search/trackers"},
    "transformers": {"realign/encoder", "realign/training", "search/bench"},
    "huggingface_hub": {"realign/encoder", "realign/hub", "search/export"},
    "tokenizers": {"realign/encoder", "realign/training"},
    "seqeval": {"realign/tasks"},
    "peft": {"realign/training"},
    "datasets": {"realign/hub"},
    "pydantic": {"search/config"},
    "typer": {"search/cli"},
    "ray": {"search/backends"},
    "rich": {"search/rich_tables", "search/terminal"},
    "plotly": {"search/pages", "search/dashboard"},
    "matplotlib": {"search/pages"},
    "jinja2": {"search/pages"},
    "tomli_w": {"search/export"},
    "botorch": {"search/bench"},
    "gpytorch": {"search/bench"},
    "smac": {"search/bench"},
    "lang2vec": {"selector/sources"},
    "iso639": {"selector/sources"},
}
SLOW_SCIPY = ("scipy.optimize", "scipy.stats")  # half a second of every start
MOST_FILES = 12  # of one folder, its `__init__` aside
SAME_NAME = {  # file names that may occur more than once, and why
    "testing.py": "public doors: what users import to test an evaluator and a strategy of their own",
    "languages.py": "the command of that name: what a person types, and what it does",
}
FILES = sorted(path.relative_to(ROOT).as_posix() for package in ROOMS for path in (ROOT / package).rglob("*.py"))


def place(path: str) -> tuple[int, int]:
    """Number of the package and of the room that a file is in; room -1 is the package's own `__init__`."""
    package, room = path.removesuffix(".py").split("/")[:2]
    return PLACES.index(package), -1 if room == "__init__" else ROOMS[package].index(room)


def room_of(path: str) -> str:
    return "/".join(path.removesuffix(".py").split("/")[:2])


@cache
def imported(path: str) -> frozenset[str]:
    """Names of imported modules, and of what may be one, wherever in the file the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


MODULES = {path.removesuffix(".py").replace("/", ".").removesuffix(".__init__"): path for path in FILES}


def test_every_room_is_in_the_table_and_every_entry_is_a_room() -> None:
    rooms = {room_of(path) for path in FILES} - {f"{package}/__init__" for package in ROOMS}
    assert rooms == {f"{package}/{room}" for package, names in ROOMS.items() for room in names}


@pytest.mark.parametrize("path", FILES)
def test_imports_point_left(path: str) -> None:
    assert not {name.split(".")[0] for name in imported(path)} & {"tests", "studies"}
    reached = [MODULES[name] for name in imported(path) if name in MODULES]
    assert [other for other in reached if place(other) > place(path)] == []


def test_no_import_cycle() -> None:
    graph = {name: imported(path) & set(MODULES) - {name} for name, path in MODULES.items()}
    done: list[str] = []
    while left := [name for name in graph if name not in done]:
        free = [name for name in left if graph[name] <= set(done)]
        assert free, f"import cycle among {left}"
        done += free


def test_no_folder_is_a_drawer_and_each_says_what_it_holds() -> None:
    for folder in {(ROOT / path).parent for path in FILES} - {ROOT / package for package in ROOMS}:
        assert len(list(folder.glob("*.py"))) - 1 <= MOST_FILES, folder
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))), folder


def test_no_file_name_has_two_meanings() -> None:
    names = Counter(Path(path).name for path in FILES if not path.endswith("__init__.py"))
    assert {name for name, times in names.items() if times > 1} == set(SAME_NAME)


@pytest.mark.parametrize(("library", "allowed"), BEHIND.items())
def test_heavy_libraries_stay_in_their_rooms(library: str, allowed: set[str]) -> None:
    users = {room_of(path) for path in FILES if library in {name.split(".")[0] for name in imported(path)}}
    assert users <= allowed


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("selector", ["torch", "transformers", "optuna", "ray", "datasets", "pandas"]),
        ("selector.strategy", ["torch", "transformers", "optuna", "ray", "datasets", "pandas"]),
        ("realign", ["torch", "optuna", "ray", "rich", "pydantic"]),
        ("realign.core, realign.build.evaluator", ["torch", "optuna", "ray", "rich", "pydantic", "typer"]),
        ("realign.realign_and_transfer, realign.world.world_encoder", ["optuna", "ray", "rich", "pydantic"]),
        ("realign.corpora.verses, realign.evaluators.fake", ["optuna", "ray", "rich", "pydantic"]),
        ("search.cli.entry", ["torch", "transformers", "optuna", "ray", "datasets", "pandas", "plotly"]),
        ("search.commands.search, search.confirmation.confirm", ["torch", "ray", "pandas", *SLOW_SCIPY]),
    ],
)
def test_imports_stay_light(module: str, forbidden: list[str]) -> None:
    code = f"import sys, {module}; print(*[name for name in {forbidden!r} if name in sys.modules])"
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert got.stdout.split() == []


def test_the_server_of_workers_loads_nothing_of_the_search() -> None:
    ask = "from search.backends.process import modules_of_workers as names; print(*names())"
    got = subprocess.run(
        [sys.executable, "-c", f"import search.commands.search; {ask}"], capture_output=True, text=True, check=True
    )
    names = got.stdout.split()
    assert {"search.backends.registry", "realign.evaluators.fake"} <= {*names}
    test_imports_stay_light(", ".join(names), ["torch", "optuna", "sqlalchemy", "scipy", "networkx"])


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"], ["--version"]])
def test_help_comes_at_once_because_it_loads_nothing_heavy(arguments: list[str]) -> None:
    own = {"rich", "typer", "pydantic"}  # typer loads pydantic for the help of a command
    heavy = {*BEHIND, "numpy", "scipy", "pandas", "torch", "networkx"} - own
    ask = f"from search.cli.entry import exit_status; assert exit_status({arguments!r}) == 0"
    code = f"import sys; {ask}; print(sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert got.stderr.splitlines()[-1] == "[]"
