"""The way of a study's settings through `realingo search`: functions that get the `StudyConfig`, and their rooms.

    python docs/pictures/config_route.py

Runs a rehearsal of two trials in this process and watches every call. A *stay* is a function, or a class that is made,
with the `StudyConfig` among its arguments; each counts once. A *return* is a step into a room that the way had left.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
STUDY = 'name = "route"\n[pool]\nlanguages = ["deu", "fin", "tur", "jpn"]\nk = 2\n[model]\nbase = {kind = "fake"}\n'


def watch(study: Path) -> list[tuple[str, str]]:
    """The stays in the order of their first call: room and function."""
    from search.cli.entry import exit_status
    from search.config.study_config import StudyConfig

    found: dict[tuple[str, str], None] = {}

    def look(frame: FrameType, event: str, _: object) -> None:
        if event != "call":
            return
        code, values = frame.f_code, frame.f_locals
        arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if not any(isinstance(values.get(name), StudyConfig) for name in arguments if name != "self"):
            return
        module = frame.f_globals.get("__name__", "")
        if code.co_filename == "<string>":  # the `__init__` of a dataclass
            module = type(values["self"]).__module__
        if module.split(".")[0] in ("selector", "realign", "search"):
            found[".".join(module.split(".")[:2]), f"{module}.{code.co_qualname}"] = None

    sys.setprofile(look)
    try:
        with redirect_stdout(io.StringIO()):
            status = exit_status(["--quiet", "search", str(study), "--trials", "2", "--json"])
    finally:
        sys.setprofile(None)
    assert status == 0
    return list(found)


def count_returns(rooms: list[str]) -> int:
    """Steps into a room that was left before."""
    steps = [room for place, room in enumerate(rooms) if place == 0 or room != rooms[place - 1]]
    return len(steps) - len(set(steps))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["REALINGO_CACHE"] = folder
        file = Path(folder) / "route.toml"
        file.write_text(STUDY, encoding="utf-8")
        stays = watch(file)
    for _, name in stays:
        print(name)
    rooms = [room for room, _ in stays]
    print(f"{len(stays)} stays in {len(set(rooms))} rooms, {count_returns(rooms)} returns")
