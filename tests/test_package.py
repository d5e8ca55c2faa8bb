"""What is installed: a wheel holds every package and data file, and runs without the repository."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import realingo

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("selector", "realign", "search")
NEVER = {"__pycache__"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a wheel, as they lie where packages are installed."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns(*NEVER))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "realingo.py"):
        shutil.copy(ROOT / name, source / name)
    code = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(source / "dist")]
    got = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert got.returncode == 0, got.stderr
    (wheel,) = (source / "dist").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(target)
    return target


def test_a_wheel_holds_every_file_of_the_packages_and_nothing_else(installed: Path) -> None:
    ours = {
        path.relative_to(ROOT)
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and not NEVER & set(path.parts)
    }
    theirs = {path.relative_to(installed) for path in installed.rglob("*") if path.is_file()}
    about = {path for path in theirs if path.parts[0].endswith(".dist-info")}
    assert theirs - about == ours | {Path("realingo.py"), Path("realingo-stubs/__init__.pyi")}
    assert about


def test_type_checkers_know_what_is_imported_from_an_installed_realingo(installed: Path) -> None:
    stubs = ast.parse((installed / "realingo-stubs" / "__init__.pyi").read_text(encoding="utf-8"))
    named = {each.name for each in stubs.body if isinstance(each, ast.FunctionDef)}
    imported = {name.asname for each in ast.walk(stubs) if isinstance(each, ast.ImportFrom) for name in each.names}
    assert set(realingo.__all__) - {"__version__"} <= named | imported
    # a visible `__getattr__` would give every misspelled name the type Any
    assert "__getattr__" not in named


def test_an_installed_wheel_runs_without_the_repository(installed: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed), "REALINGO_CACHE": str(tmp_path / "cache")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    where = run("-c", "import realingo, search, sys; print(realingo.__file__, search.__file__)").stdout.split()
    assert all(Path(file).is_relative_to(installed) for file in where)
    assert len(where) == 2
    for command in (
        ["init", "--yes", "-o", "study.toml"],
        ["check", "study.toml"],
        ["select", "--pool", "world", "-k3"],
    ):
        got = run("-m", "search", *command)
        assert got.returncode == 0, got.stderr
    assert (tmp_path / "study.toml").is_file()
