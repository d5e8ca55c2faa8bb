"""Checks, times and a table of real evaluations on one GPU, in one call: see README.md beside this file.

python -m studies.gpu.measure --bundle FOLDER --out FOLDER [--parts check,speed,table] [--minutes 8] [--tiny]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch

from studies.gpu import check, plans, speed, table
from studies.gpu.bundle import cut, load_bundle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="folder made by bundle.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parts", default="check,speed,table")
    parser.add_argument("--plan", default="recipes", help="of the table: a name of plans.py")
    parser.add_argument("--beside", type=int, default=32, help="candidates at once")
    parser.add_argument("--first", type=int, default=0, help="job of the plan to begin with")
    parser.add_argument("--minutes", type=float, default=8.0, help="for all parts; the table ends in time")
    parser.add_argument("--speed-minutes", type=float, default=3.0)
    parser.add_argument("--way", type=int, default=0, help="of speed.py to begin with")
    parser.add_argument("--tiny", action="store_true", help="a rehearsal that a CPU finishes in minutes")
    given = parser.parse_args()
    began = time.monotonic()
    torch.set_num_threads(1)  # small tensors on the CPU: several threads only wait for each other
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    given.out.mkdir(parents=True, exist_ok=True)
    about: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
    }
    for part in given.parts.split(","):
        started = time.monotonic()
        about[part] = _part(part, given, device, began)
        about[part]["took"] = time.monotonic() - started
        (given.out / f"{'-'.join(given.parts.split(','))}.json").write_text(json.dumps(about, indent=1))
    print("seconds", time.monotonic() - began, flush=True)


def _part(part: str, given: argparse.Namespace, device: torch.device, began: float) -> dict[str, Any]:
    until = began + 60 * given.minutes
    if part == "speed":
        trace = given.out / "trace.json"
        return speed.run(device, given.tiny, trace, min(until, time.monotonic() + 60 * given.speed_minutes), given.way)
    bundle = load_bundle(given.bundle)
    bundle = cut(bundle, 40) if given.tiny else bundle
    if part == "check":
        return check.run(bundle, device, given.tiny)
    recipes, jobs = plans.PLANS[given.plan](tiny=given.tiny)
    out = given.out / f"{given.plan}.npz"
    return table.run(bundle, recipes, jobs[given.first :], given.beside if not given.tiny else 2, device, out, until)


if __name__ == "__main__":
    main()
