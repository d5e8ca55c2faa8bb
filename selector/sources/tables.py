"""The package's own small tables (`selector/data`): tab-separated lines after a header, `#` comments."""

from __future__ import annotations

from importlib import resources


def rows(name: str) -> list[list[str]]:
    """The cells of every line below the header."""
    text = (resources.files("selector") / "data" / name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [line.split("\t") for line in lines[1:]]
