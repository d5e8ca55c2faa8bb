"""The package's own small tables (`selector/data`): tab-separated lines after a header, `#` comments."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_DATA = Path(__file__).parents[1] / "data"  # importlib.resources would double the time of the first parse


@cache
def rows(name: str) -> tuple[tuple[str, ...], ...]:
    """Cells of every line below the header of the file `name` in `selector/data`."""
    text = (_DATA / name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return tuple(tuple(line.split("\t")) for line in lines[1:])
