"""README and documentation hold: every command parses, marked blocks run, tables name what is there, pages build."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from rehearsal import realingo

from realign.corpora import bitext, conllu_lines, labels, verses
from realign.corpora.word_links import ByDictionary, ByPharaoh
from search.cli.entry import app, forward_options
from search.commands.pretrain import load_pretrain
from selector.distances.distance import distances
from selector.distances.user_table import numbers
from selector.languages.language import parse_pool

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "studies" / "examples").glob("*.md"))
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>run|file (?P<file>\S+)) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
CHEAP = (  # a study of the world in seconds
    *("task.steps=2", "task.batch=4", "task.examples=4", "realign.steps=2", "realign.batch=4", "search.trials=2"),
    *("search.warm_start=false", "confirm.top=1", "confirm.seeds=2"),
)
# where a page shows none of its own
STUDY = 'name = "docs"\npool = {languages = ["deu", "fin", "swh", "tur"], k = 2}\n'
NEEDS_A_CONFIRMATION = ("production", "report")  # pages that begin after it
TAKES_A_STUDY = ("search", "status", "check", "confirm", "report", "export")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: `mark` is "run", "file …" or nothing."""

    page: Path
    line: int
    kind: str  # sh, python, toml, …
    text: str
    runs: bool
    file: str | None

    @property
    def commands(self) -> Iterator[list[str]]:
        """The words of each call of `realingo`, options of every command in front."""
        for line in re.split(r"\n|&&", self.text.replace("\\\n", " ")):
            words = shlex.split(line, comments=True)
            names = [place for place, word in enumerate(words) if word.split("/")[-1] == "realingo"]
            if names and words[0] not in ("pip", "export"):
                yield forward_options(words[names[0] + 1 :])


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = [(text.count("\n", 0, each.start()) + 1, each) for each in BLOCK.finditer(text)]
    return [Block(page, line, each["kind"], each["text"], each["mark"] == "run", each["file"]) for line, each in found]


def all_blocks(*kinds: str) -> list[Block]:
    return [block for page in PAGES for block in blocks(page) if block.kind in kinds]


def called(block: Block) -> str:
    return f"{block.page.relative_to(ROOT)}:{block.line}"


@pytest.mark.parametrize("block", [each for each in all_blocks("sh") if list(each.commands)], ids=called)
def test_every_command_is_one_that_the_program_takes(block: Block) -> None:
    program = typer.main.get_command(app)
    for words in block.commands:
        if words == ["COMMAND", "--help"]:
            continue
        context = program.make_context("realingo", list(words), resilient_parsing=False)
        name, command, rest = program.resolve_command(context, [*context._protected_args, *context.args])  # type: ignore[attr-defined]
        while hasattr(command, "commands"):
            name, command, rest = command.resolve_command(context, rest)
        assert command is not None, name
        command.make_context(name, rest, parent=context)  # an error names what it does not take


@pytest.mark.parametrize("block", all_blocks("toml"), ids=called)
def test_every_toml_block_is_toml(block: Block) -> None:
    assert tomllib.loads(block.text)


@pytest.mark.parametrize("block", all_blocks("python"), ids=called)
def test_every_python_block_is_python(block: Block) -> None:
    ast.parse(block.text)


def written(page: Path, folder: Path) -> dict[str, Path]:
    """The files that a page shows, in `folder`."""
    shown = {block.file: block for block in blocks(page) if block.file}
    for name, block in shown.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(block.text, encoding="utf-8")
    return {name: folder / name for name in shown}


@pytest.mark.slow
@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize(
    "page", [each for each in PAGES if any(block.runs for block in blocks(each))], ids=lambda page: page.stem
)
def test_marked_blocks_run_in_their_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    if "study.toml" not in written(page, folder):
        Path("study.toml").write_text(STUDY, encoding="utf-8")
    cheap = [part for each in CHEAP for part in ("--set", each)]
    for command in ("search", "confirm") if page.stem in NEEDS_A_CONFIRMATION else ():
        assert realingo(command, "study.toml", *cheap) == 0
    for block in [block for block in blocks(page) if block.runs]:
        if block.kind == "python":
            _run_python(block)
            continue
        for words in block.commands:
            free = words[0] not in TAKES_A_STUDY or any("rehearsal" in word for word in words)
            given = words if free else [*words, *cheap]
            assert realingo(*given) == 0, (called(block), words, capsys.readouterr().err)


def _run_python(block: Block) -> None:
    """In this process: the libraries are loaded already."""
    space: dict[str, object] = {"__name__": "__main__"}
    exec(compile(block.text, called(block), "exec"), space)


def test_the_files_that_the_page_on_data_shows_are_read(tmp_path: Path) -> None:
    shown = written(ROOT / "docs" / "your-data.md", tmp_path)
    text = bitext.Moses(tmp_path / "text", "eng")
    assert [len(text.pairs("deu", "train")), text.languages()] == [3, ("deu",)]
    assert len(bitext.Tsv(tmp_path / "tables", "eng").pairs("deu", "train")) == 3
    read = verses.Verses(tmp_path / "bible", "eng")
    assert sum(len(read.pairs("deu", split)) for split in ("train",)) == 3
    assert conllu_lines.Conllu(tmp_path / "trees").sentences("deu", "dev")[0].tags == ("ADV", "VERB", "PRON")
    assert labels.Conll(tmp_path / "entities").sentences("deu", "dev")[0].tags == ("B-PER", "O", "O")
    tables = labels.LabelTable(tmp_path / "labels")
    assert [each.label for each in tables.examples("deu", "dev")] == ["neutral", "good"]
    assert [each.second is None for each in tables.examples("fra", "dev")] == [False] * 3
    assert [each.code for each in parse_pool(str(shown["my-pool.txt"]))] == ["deu", "fin", "swh"]
    assert sorted(numbers(shown["costs.csv"], "cost").values()) == [2.5, 8, 20]
    links = ByPharaoh(text, tmp_path / "links").pairs("deu", "train")
    assert [len(pair.links) for pair in links] == [4, 3, 4]
    linked = ByDictionary(text, tmp_path / "dictionary", "eng").pairs("deu", "train")
    assert [len(pair.links) for pair in linked] == [1, 1, 1]
    assert distances(parse_pool("deu,fin,swh"), str(shown["distances.csv"])).matrix[0].tolist() == [0, 0.4, 0.6]
    assert load_pretrain(shown["encoder.toml"]).model.layers == 4


def sources() -> Iterator[Path]:
    for package in ("selector", "realign", "search"):
        yield from sorted((ROOT / package).rglob("*.py"))
    yield ROOT / "realingo.py"


def messages() -> str:
    """Every text of the code, what is filled in as …, one a line."""
    found = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def test_the_messages_of_the_page_on_errors_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    known = messages()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 25
    named = [text for row in rows for text in re.findall(r"`([^`]+)`", row)]
    parts = {text: [part.strip() for part in text.split("…") if part.strip()] for text in named}
    unknown = [text for text, some in parts.items() if not all(part in known for part in some)]
    assert unknown == []


PATH = re.compile(r"`((?:selector|realign|search|tests|studies|docs|examples)/[\w./-]*)`")


@pytest.mark.parametrize("name", NAMES)
def test_every_path_that_a_page_names_is_there(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    made = ("studies/quickstart/confirm.json",)  # by `make quickstart`
    assert [path for path in PATH.findall(page) if not (ROOT / path).exists() and path not in made] == []


WORD = re.compile(r"`([A-Za-z_][\w.]*)`")
DEVELOPERS = ("CONTRIBUTING.md", "docs/architecture.md")


@pytest.mark.parametrize("name", DEVELOPERS)
def test_every_name_beside_a_path_is_in_one_of_these_files(name: str) -> None:
    """A line that names files and, say, a function sends nobody to a file without it."""
    missing = []
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        places = [ROOT / path for path in PATH.findall(line)]
        files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*.*"))]
        known = {
            word for file in files if file.suffix in (".py", ".md") for word in re.findall(r"\w+", file.read_text())
        }
        words = [word for word in WORD.findall(line) if places and not word.endswith(".py")]
        missing += [part for word in words for part in word.split(".") if part not in known]
    assert missing == []


@pytest.mark.parametrize("name", DEVELOPERS)
def test_every_file_that_developers_read_of_is_there(name: str) -> None:
    """Words in backticks that end like a file lead somewhere from the root, also without a folder in front."""
    page = (ROOT / name).read_text(encoding="utf-8")
    anywhere = {"study.toml", "conftest.py", "__init__.py"}  # a user's file, and those that many folders have
    files = set(re.findall(r"`([\w./-]+\.(?:py|md|toml|svg|json))`", page)) - anywhere
    assert len(files) > 3
    assert [file for file in files if not (ROOT / file).exists()] == []


LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_to_a_file(name: str) -> None:
    page = ROOT / name
    targets = [found[1] for found in LINK.finditer(page.read_text(encoding="utf-8"))]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_citation_is_of_this_version() -> None:
    yaml = pytest.importorskip("yaml")
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors", "license", "version"} <= set(found)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (found["version"], found["license"]) == (project["version"], project["license"])
    for block in all_blocks("yaml"):
        assert yaml.safe_load(block.text)


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_the_floor_plan_shows_every_room(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("floor_plan", ROOT / "docs" / "pictures" / "floor_plan.py")
    assert spec is not None
    assert spec.loader is not None
    plan = importlib.util.module_from_spec(spec)
    sys.modules["floor_plan"] = plan  # its dataclass looks there
    spec.loader.exec_module(plan)
    for package in plan.PACKAGES:
        names = [room.name for room in plan.rooms(package)]
        for place, room in enumerate(plan.rooms(package)):
            assert plan._inside(room, package) & set(names) <= set(names[:place]), room.name
    picture = plan.PICTURE.read_text(encoding="utf-8")
    assert all(f">{room.name}<" in picture for package in plan.PACKAGES for room in plan.rooms(package))
    with pytest.raises(ValueError, match="circle"):
        plan._ordered({"a": {"b"}, "b": {"a"}})


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="the extra docs is not installed")
def test_the_site_builds_strictly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    pages = {path.name for path in (tmp_path / "site").glob("*.html")}
    assert {page.with_suffix(".html").name for page in (ROOT / "docs").glob("*.md")} <= pages
    assert "load_study" in (tmp_path / "site" / "python.html").read_text(encoding="utf-8")
    outside = re.compile(r'(?:src|href)="https?://[^"]+\.(?:js|css|woff2?)"')
    assert not outside.search((tmp_path / "site" / "index.html").read_text(encoding="utf-8"))  # nothing from elsewhere
