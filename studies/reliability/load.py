"""Load: `python studies/reliability/load.py` measures what the bookkeeping of a search costs, and writes `load.json`.

trials   10,000 trials in one study, in each storage: milliseconds per trial beside the evaluation, by tenths
memory   resident memory after 500 and after 2,000 trials
many     8 searches at the same time, each of its own study, on one PostgreSQL
large    a study of 200 languages and 500 trials: seconds until the report is written, and until the dashboard answers
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "helpers")]
os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])
os.environ.setdefault("OMP_NUM_THREADS", "1")
STORAGES = {"sqlite": "sqlite:///load.db", "journal": "load.journal"}


def study(folder: Path, languages: int = 40, **values: Any) -> Path:
    """A study file with the fake evaluator, and more subsets than anybody tries."""
    import rehearsal

    from selector.languages.language import parse_pool

    codes = [each.code for each in parse_pool("uriel") if each.code not in ("eng", "tel", "kaz")]
    given = {"k": 5, "strategy": "random", "name": "load", **values}
    return rehearsal.write(folder, pool=codes[:: len(codes) // languages][:languages], **given)


class Clocked:
    """A backend that measures here, and notes when, less the time of the evaluations."""

    workers = 1

    def __init__(self, inner: Any) -> None:
        self.inner, self.submit, self.close = inner, inner.submit, inner.close
        self.times: list[tuple[float, float]] = []  # s of wall clock, s of this process
        self.away = (0.0, 0.0)
        self.memory: list[int] = []  # KiB

    def collect(self) -> Any:
        before = time.perf_counter(), time.process_time()
        outcomes = self.inner.collect()
        after = time.perf_counter(), time.process_time()
        self.away = self.away[0] + after[0] - before[0], self.away[1] + after[1] - before[1]
        self.times.append((after[0] - self.away[0], after[1] - self.away[1]))
        if len(self.times) % 500 == 0:
            self.memory.append(_resident())
        return outcomes


def trials(file: Path, storage: str, count: int) -> Clocked:
    """One search of so many trials in this process."""
    from realign.build import evaluator as assemble
    from search import driver
    from search.backends import registry as backend
    from search.commands import search as run
    from search.config.study_config import load
    from search.interrupts import Interrupts
    from search.study.study import open_study

    config = load(file, [f"search.storage={storage}"])
    evaluator = assemble.evaluator(config.core, config.scope, config.tune, "dev").evaluator  # without its cache
    place = Clocked(backend.Inline(evaluator))
    record = open_study(config, create=True)
    with Interrupts() as interrupts, record.driven():
        driver.Driver(record, run.planner(config), place, lambda *_: None, interrupts).run(count)
    return place


def trials_and_memory(folder: Path, storage: str, url: str, count: int) -> dict[str, Any]:
    clock = trials(study(folder / storage), url, count)
    step = max(1, count // 10)
    marks = [*clock.times[::step], clock.times[-1]]
    wall, process = ([round(1000 * (b[i] - a[i]) / step, 1) for a, b in pairwise(marks[:11])] for i in (0, 1))
    begun = time.perf_counter()
    from search.commands import search as run
    from search.config.study_config import load

    run.status(load(folder / storage / "study.toml", [f"search.storage={url}"]))
    reading = time.perf_counter() - begun
    at = {f"{500 * (index + 1)}": round(kib / 1024) for index, kib in enumerate(clock.memory) if index in (0, 3)}
    return {
        "storage": storage,
        "trials": count,
        "ms_per_trial": wall,
        "cpu_ms_per_trial": process,
        "status_s": round(reading, 1),
        "memory_mib": {**at, str(count): round(_resident() / 1024)},
    }


def many(folder: Path, url: str, searches: int = 8, count: int = 50) -> dict[str, Any]:
    """Searches at the same time on one server; each must find what it finds alone."""
    from search.config.study_config import load
    from search.study.study import open_study

    names = [f"many-{index}" for index in range(searches)]
    files = {name: study(folder / name, name=name) for name in names}
    begun = time.perf_counter()
    command = [sys.executable, "-m", "search", "search", "--trials", str(count), "--set", f"search.storage={url}"]
    running = [subprocess.Popen([*command, str(file)], stdout=-3, stderr=-3) for file in files.values()]
    failed = sum(process.wait() != 0 for process in running)
    seconds = time.perf_counter() - begun

    def history(name: str, storage: str) -> list[Any]:
        found = open_study(load(files[name], [f"search.storage={storage}"]), create=False).trials()
        return [(trial.position, trial.subset, trial.value, trial.state) for trial in found]

    trials(files[names[0]], "alone.journal", count)
    alone = history(names[0], "alone.journal")
    different = sum(history(name, url) != alone for name in names)
    return {"searches": searches, "trials": count, "failed": failed, "different": different, "s": round(seconds, 1)}


def large(folder: Path) -> dict[str, Any]:
    file = study(folder / "large", 200, name="large", k=20)
    begun = time.perf_counter()
    trials(file, "sqlite:///large.db", 500)
    searched = time.perf_counter() - begun
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "search", "report", str(file)], check=True, stdout=-3)
    written = time.perf_counter() - begun
    board = [sys.executable, "-m", "search", "dashboard", str(file), "--port", "0"]
    answers = []
    for _ in range(2):  # the first time it writes 500 notes
        begun = time.perf_counter()
        with subprocess.Popen(board, stdout=subprocess.PIPE, stderr=-3, text=True) as process:
            assert process.stdout is not None
            page = process.stdout.readline().strip()
            trial_list = page.replace("/dashboard/studies/", "/api/studies/") + "?after=0"
            urllib.request.urlopen(page).read()
            size = len(urllib.request.urlopen(trial_list).read())
            answers.append(round(time.perf_counter() - begun, 1))
            process.terminate()
    return {
        "search_s": round(searched, 1),
        "report_s": round(written, 1),
        "dashboard_first_s": answers[0],
        "dashboard_again_s": answers[1],
        "dashboard_mb": round(size / 1e6, 1),
    }


def _resident() -> int:
    """KiB of this process."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--parts", default="sqlite,journal,postgres,many,large")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("load.json"))
    given = parser.parse_args()
    parts = given.parts.split(",")
    import postgres

    serving = postgres.serving(safe=True) if {"postgres", "many"} & set(parts) else nullcontext()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, serving as server:
        folder = Path(name)
        os.environ["REALINGO_CACHE"] = str(folder / "cache")
        for part in parts:
            if part == "large":
                found[part] = large(folder)
            elif part == "many":
                found[part] = many(folder, server.url)
            else:
                url = server.url if part == "postgres" else STORAGES[part]
                found[part] = trials_and_memory(folder, part, url, given.trials)
            print(part, json.dumps(found[part]), flush=True)
            given.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
