"""Throughput and overhead of the backends on trials that sleep, and what lost Ray nodes cost.

    python studies/reliability/backends.py throughput
    python studies/reliability/backends.py losses --count 10

Everything is written to a temporary folder; the answer is JSON on stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from search import driver
from search.backends import registry as backends
from search.commands import search as run
from search.config.study_config import StudyConfig, load
from search.interrupts import Interrupts
from search.study.study import Study, open_study
from search.study.trial import last_attempts

SECONDS = 0.2  # of a trial
STUDY = """
name = "{name}"
pool.languages = "world"
pool.k = 4
model.base = {{kind = "fake", seconds = {seconds}}}
search.strategy = "random"
search.storage = "trials.journal"
"""
PLACES = (("inline", 1, 40), ("process", 1, 40), ("process", 2, 80), ("ray", 1, 40), ("ray", 8, 240), ("tune", 2, 60))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("what", choices=("throughput", "losses"))
    arguments.add_argument("--count", type=int, default=10, help="nodes to lose")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["REALINGO_CACHE"] = str(Path(folder) / "cache")
        answer = throughput(Path(folder)) if given.what == "throughput" else losses(Path(folder), given.count)
    print(json.dumps(answer, indent=1))


def study(folder: Path, name: str, seconds: float) -> StudyConfig:
    """A study of its own name has a seed of its own in nothing, but a cache of its own."""
    home = folder / name
    home.mkdir()
    (home / "study.toml").write_text(STUDY.format(name=name, seconds=seconds), encoding="utf-8")
    os.environ["REALINGO_CACHE"] = str(home / "cache")
    return load(home / "study.toml")


def throughput(folder: Path) -> list[dict[str, Any]]:
    """Trials a second over the last half, when every worker stands; the start has its own column."""
    rows: list[dict[str, Any]] = []
    for name, workers, trials in PLACES:
        config = study(folder, f"{name}-{workers}", SECONDS)
        began = time.time()
        run.search(config, trials, workers, name)
        whole = time.time() - began
        ended = sorted(_ended(open_study(config, create=False)))
        half = len(ended) // 2
        rate = half / (ended[-1] - ended[-1 - half])
        inline = rows[0]["trials_per_second"] if rows else rate
        rows.append(
            {
                "backend": name,
                "workers": workers,
                "trials": trials,
                "trials_per_second": round(rate, 2),
                "times_inline": round(rate / inline, 2),
                "overhead_ms_per_trial": round(1000 * (workers / rate - SECONDS)),
                "first_trial_after_s": round(ended[0] - SECONDS - began, 1),
                "seconds_in_all": round(whole, 1),
            }
        )
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def losses(folder: Path, count: int) -> dict[str, Any]:
    """A search on two nodes, of which the second is lost again and again, against the same search undisturbed."""
    os.environ.setdefault("RAY_worker_niceness", "0")
    import ray
    from ray.cluster_utils import Cluster

    trials = 12 * count
    quiet = _driven(study(folder, "quiet", 0.0), trials)
    config = study(folder, "disturbed", 2.0)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=3)]
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    open_study(config, create=True)
    lost = 0

    searching = threading.Thread(target=_driven, args=(config, trials, "ray"))  # nodes start in the main thread alone
    searching.start()
    disturbed = open_study(config, create=False)
    for number in range(count):
        while len(_ended(disturbed)) < (number + 1) * trials // (count + 2) and searching.is_alive():
            time.sleep(0.1)
        if searching.is_alive():
            cluster.remove_node(nodes.pop(), allow_graceful=False)
            lost += 1
            nodes.append(cluster.add_node(num_cpus=3))
    searching.join()
    ray.shutdown()
    cluster.shutdown()
    every = disturbed.trials()
    complete = [trial.position for trial in every if trial.state == "complete"]
    return {
        "nodes_lost": lost,
        "trials": trials,
        "attempts_lost_with_a_node": sum(trial.error == "lost" for trial in every),
        "trials_lost": trials - len(set(complete)),
        "trials_repeated": len(complete) - len(set(complete)),
        "equal_to_undisturbed": _history(disturbed) == _history(quiet),
    }


def _driven(config: StudyConfig, trials: int, name: str = "inline") -> Study:
    """The search with four workers; inline, they are played by one that ends its trials in their order."""
    view = backends.search_view(config)
    place = backends.Place(name, 4 if name != "inline" else 1).backend(view, view.evaluator())
    place.workers = 4
    study = open_study(config, create=True)
    try:
        with Interrupts() as interrupts:
            driver.Driver(study, run.planner(config), place, lambda *_: None, interrupts).run(trials)
    finally:
        place.close()
    return study


def _history(study: Study) -> list[tuple[int, str, float | None]]:
    latest = last_attempts(study.trials()).values()
    return [(trial.position, trial.subset.key, trial.value) for trial in latest]


def _ended(study: Study) -> list[float]:
    every = study.storage.get_all_trials(study.storage.get_study_id_from_name(study.name), deepcopy=False)
    return [trial.datetime_complete.timestamp() for trial in every if trial.datetime_complete]


if __name__ == "__main__":
    main()
