"""Data flows right, imports point left; heavy libraries are behind one file each."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("selector", "realign", "search")
BEHIND = {  # a heavy or replaceable library → the files that may import it
    "optuna": {
        "search/study/study.py",
        "search/study/storage.py",
        "search/study/journal.py",
        "search/strategies/optuna_samplers.py",
        "search/report/dashboard.py",
    },
    "sqlalchemy": {"search/study/storage.py"},
    "optuna_dashboard": {"search/report/dashboard.py"},
    "transformers": {"realign/encoder/encoder.py", "realign/training/pretrain.py", "search/bench/naive_trainer.py"},
    "huggingface_hub": {"realign/encoder/encoder.py"},
    "tokenizers": {"realign/encoder/encoder.py", "realign/training/pretrain.py"},
    "seqeval": {"realign/tasks/tagging.py"},
    "peft": {"realign/training/adapters.py"},
    "datasets": {"realign/corpora/hub.py"},
    "pydantic": {"search/config/realign_file.py", "search/config/schema.py", "search/config/core_schema.py"},
    "typer": {"search/cli.py"},
    "ray": {"search/backends/ray_actors.py", "search/backends/ray_tune.py"},
    "rich": {"search/terminal.py"},
    "plotly": {"search/report/canvas.py"},
    "matplotlib": {"search/report/map_png.py"},
    "lang2vec": {"selector/sources/uriel.py"},
    "iso639": {"selector/sources/iso639.py"},
}
FILES = sorted(path.relative_to(ROOT).as_posix() for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def imported(path: str, everywhere: bool) -> set[str]:
    """Names of imported modules; only those at the top level unless `everywhere`."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if everywhere else tree.body
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", FILES)
def test_imports_point_left(path: str) -> None:
    room = ROOMS.index(path.split("/")[0])
    tops = {name.split(".")[0] for name in imported(path, everywhere=True)}
    assert not tops & {*ROOMS[room + 1 :], "tests", "studies"}


def test_no_import_cycle() -> None:
    names = {path.removesuffix(".py").replace("/", ".").removesuffix(".__init__"): path for path in FILES}
    graph = {name: imported(path, everywhere=True) & set(names) - {name} for name, path in names.items()}
    done: list[str] = []
    while left := [name for name in graph if name not in done]:
        free = [name for name in left if graph[name] <= set(done)]
        assert free, f"import cycle among {left}"
        done += free


@pytest.mark.parametrize(("library", "allowed"), BEHIND.items())
def test_heavy_libraries_stay_behind_their_file(library: str, allowed: set[str]) -> None:
    users = {p for p in FILES if library in {name.split(".")[0] for name in imported(p, everywhere=True)}}
    assert users <= allowed


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("selector", ["torch", "transformers", "optuna", "ray", "datasets", "pandas"]),
        ("selector.strategy", ["torch", "transformers", "optuna", "ray", "datasets", "pandas"]),
        ("realign", ["optuna", "ray", "rich"]),
        (
            "realign.evaluate, realign.world.encoder, realign.corpora.verses, realign.evaluators.fake",
            ["optuna", "ray", "rich", "pydantic"],
        ),
        ("search.cli", ["torch", "transformers", "optuna", "ray", "datasets", "pandas", "plotly"]),
    ],
)
def test_imports_stay_light(module: str, forbidden: list[str]) -> None:
    code = f"import sys, {module}; print(*[name for name in {forbidden!r} if name in sys.modules])"
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert got.stdout.split() == []
