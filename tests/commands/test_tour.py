"""The notebook of the examples: its cells run from top to bottom, and it is stored without results."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import warm_python

ROOT = Path(__file__).resolve().parents[2]
CELLS: list[dict[str, Any]] = json.loads((ROOT / "examples" / "tour.ipynb").read_text(encoding="utf-8"))["cells"]


def test_every_cell_runs(tmp_path: Path) -> None:
    code = "\n".join("".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code")
    script = tmp_path / "tour.py"
    script.write_text(f"{code}\nprint(len(trials), sorted(table.index), export)\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    got = warm_python.run(script, cwd=tmp_path, env=environment, loaded="encoders")
    assert got.returncode == 0, got.stderr
    assert got.stdout.startswith("6 ['all', ")


def test_it_is_stored_without_results() -> None:
    code = [cell for cell in CELLS if cell["cell_type"] == "code"]
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"]] == []
    assert len({cell["id"] for cell in CELLS}) == len(CELLS)
