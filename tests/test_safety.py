"""Nothing that is read is run: no pickles, no foreign code; and nothing is open to others unless asked for."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from search.cli import studies
from search.dashboard import server as dashboard

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(path for room in ("selector", "realign", "search") for path in (ROOT / room).rglob("*.py"))
MODULES = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "yaml",
}  # loading them may run code
CALLS = {"eval", "exec", "compile", "__import__", "torch.load", "os.system", "os.popen", "pickle.loads", "pickle.load"}

ALLOWED = {
    "selector/sources/uriel.py": "import pickle",  # its unpickler admits arrays alone: of lang2vec's own file
    "search/bench/naive_trainer.py": "from_pretrained",  # of what `bench core` has just written
}


def name_of(node: ast.expr) -> str:
    """`torch.load` of the call torch.load(…); "" where it is no plain name."""
    if isinstance(node, ast.Attribute) and (above := name_of(node.value)):
        return f"{above}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def dangers(source: str) -> list[str]:
    """What in a file could run what it reads."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [f"import {name}" for name in names if name.split(".")[0] in MODULES]
        if isinstance(node, ast.Call):
            name, given = name_of(node.func), {word.arg: word.value for word in node.keywords}
            found += [name] if name in CALLS else []
            for word, allowed in (("trust_remote_code", False), ("allow_pickle", False), ("shell", False)):
                value = given.get(word, ast.Constant(allowed))
                found += [word] if not isinstance(value, ast.Constant) or value.value is not allowed else []
            if name.endswith("Model.from_pretrained") or ".AutoModel" in name:
                whole = {"use_safetensors", "trust_remote_code"} <= set(given)
                found += [] if whole else [f"{name} without use_safetensors and trust_remote_code"]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_runs_what_it_reads(path: Path) -> None:
    allowed = ALLOWED.get(path.relative_to(ROOT).as_posix(), "nothing")
    found = [each for each in dangers(path.read_text(encoding="utf-8")) if allowed not in each]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "import yaml",
        "torch.load(path)",
        "eval(text)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
        "AutoTokenizer.from_pretrained(name, trust_remote_code=True)",
        "AutoModel.from_pretrained(name)",
        "subprocess.run(line, shell=True)",
    ],
)
def test_the_look_finds_what_it_looks_for(line: str) -> None:
    assert dangers(line)


def test_the_dashboard_is_for_this_machine_alone_unless_told() -> None:
    host = inspect.signature(studies.dashboard).parameters["host"].default
    assert dashboard.loopback(host)


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("0.0.0.0", True), ("::", True)])
def test_an_open_dashboard_is_warned_of(host: str, warned: bool, capsys: pytest.CaptureFixture[str]) -> None:
    class Storage:
        def get_study_id_from_name(self, name: str) -> int:
            return 1

    class Study:
        name, storage = "trial", Storage()

    dashboard._announce(Study(), host, 8080)  # type: ignore[arg-type]
    printed = capsys.readouterr()
    assert ("can be reached from other machines" in printed.err) == warned
    assert printed.out.startswith("http://")
