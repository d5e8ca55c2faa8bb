"""Draw the floor plan of the packages from their imports; as a program, write floor-plan.svg beside this file."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[2]
PICTURE = Path(__file__).with_name("floor-plan.svg")
PACKAGES = ("selector", "realign", "search")
COLORS = {"selector": "#e6f4ea", "realign": "#fff4e0", "search": "#eef2fb"}
NAMED = (  # libraries that are worth a word in the picture
    *(
        "datasets",
        "huggingface_hub",
        "iso639",
        "jinja2",
        "lang2vec",
        "matplotlib",
        "optuna",
        "optuna_dashboard",
        "peft",
    ),
    *(
        "plotly",
        "pydantic",
        "ray",
        "rich",
        "scipy",
        "seqeval",
        "sqlalchemy",
        "tokenizers",
        "torch",
        "transformers",
        "typer",
    ),
)
WIDTH, HEIGHT, GAP, TOP = 300, 34, 6, 76  # of a room, and above the rooms


@dataclass(frozen=True)
class Room:
    """A folder or a file of a package: how many files it has, the rooms and the libraries it imports."""

    name: str
    files: int
    rooms: frozenset[str]  # "package/room"
    libraries: tuple[str, ...]


def rooms(package: str) -> list[Room]:
    """The rooms of a package, each behind all that it imports."""
    folder = ROOT / package
    names = [path.stem if path.is_file() else path.name for path in sorted(folder.iterdir()) if _is_room(path)]
    found = {name: _room(package, name) for name in names}
    return [found[name] for name in _ordered({name: _inside(room, package) for name, room in found.items()})]


def _is_room(path: Path) -> bool:
    return (path.is_dir() and any(path.glob("*.py"))) or (path.suffix == ".py" and not path.stem.startswith("__"))


def _room(package: str, name: str) -> Room:
    path = ROOT / package / name
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    modules = {module for file in files for module in _imports(file)}
    places = {"/".join(module.split(".")[:2]) for module in modules if module.split(".")[0] in PACKAGES}
    libraries = sorted({module.split(".")[0] for module in modules} & set(NAMED))
    count = sum(1 for file in files if file.name != "__init__.py")
    return Room(name, count, frozenset(places - {f"{package}/{name}"}), tuple(libraries))


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _inside(room: Room, package: str) -> set[str]:
    return {place.split("/")[1] for place in room.rooms if place.split("/")[0] == package and "/" in place}


def _ordered(needs: Mapping[str, set[str]]) -> list[str]:
    """Names, each after those it needs; of several that could come next the first by name. ValueError for a circle."""
    order: list[str] = []
    left = {name: needed & set(needs) for name, needed in needs.items()}
    while left:
        ready = sorted(name for name, needed in left.items() if needed <= set(order))
        if not ready:
            raise ValueError(f"these rooms import each other in a circle: {', '.join(sorted(left))}")
        order.append(ready[0])
        del left[ready[0]]
    return order


def draw() -> str:
    """The picture as SVG: a column a package, a box a room, with the rooms it imports and its libraries."""
    columns = {package: rooms(package) for package in PACKAGES}
    height = TOP + max(map(len, columns.values())) * (HEIGHT + GAP) + 20
    parts = [part for place, package in enumerate(PACKAGES) for part in _column(place, package, columns[package])]
    arrows = [_arrow(place) for place in (1, 2)]
    return "\n".join([_head(3 * (WIDTH + 40) + 20, height), *arrows, *parts, "</svg>", ""])


def _head(width: int, height: int) -> str:
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"
  font-family="system-ui, sans-serif">
<title>The rooms of selector, realign and search; imports point left and up</title>
<style>text{{fill:#1b1f24;font-size:13px}}.p{{font-size:18px;font-weight:600}}.s{{font-size:11px;fill:#444b55}}
.b{{font-weight:600}}path{{stroke:#5b6470;stroke-width:2;fill:none}}</style>
<rect width="{width}" height="{height}" fill="#ffffff" rx="10"/>"""


def _arrow(place: int) -> str:
    """From a package to the one left of it."""
    right = place * (WIDTH + 40) + 16
    return f'<path d="M{right} 38h-26m8 -6l-8 6l8 6"/>'


def _column(place: int, package: str, drawn: list[Room]) -> Iterator[str]:
    left = place * (WIDTH + 40) + 20
    yield f'<text class="p" x="{left}" y="44">{package}/</text>'
    yield f'<text class="s" x="{left}" y="62">{sum(room.files for room in drawn)} files</text>'
    for number, room in enumerate(drawn):
        top = TOP + number * (HEIGHT + GAP)
        others = len(room.rooms)
        note = f"{room.files} file{'s' * (room.files != 1)}, imports {others} room{'s' * (others != 1)}"
        size = f'x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="5"'
        yield f'<rect {size} fill="{COLORS[package]}" stroke="#8a94a6"/>'
        yield f'<text class="b" x="{left + 10}" y="{top + 15}">{escape(room.name)}</text>'
        yield f'<text class="s" x="{left + WIDTH - 10}" y="{top + 15}" text-anchor="end">{note}</text>'
        yield f'<text class="s" x="{left + 10}" y="{top + 29}">{escape(", ".join(room.libraries))}</text>'


if __name__ == "__main__":
    text = draw()
    PICTURE.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{PICTURE}\n")
