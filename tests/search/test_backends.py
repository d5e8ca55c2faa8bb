"""Equal seeds, equal results, wherever trials run; and what the death of a worker costs there: its own trial, at most.

The Ray tests share one real cluster of one node on this machine; a second node comes and is taken away.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import ray
import rehearsal
import warm_python
from faulty import Faulty
from ray.cluster_utils import Cluster
from telling import Telling

from realign.score import Advance, Evaluator, Fidelity
from search import driver
from search.backends import ray_actors, ray_tune
from search.backends import registry as backend
from search.backends.backend import Backend, Job, Stage, keep_to, share_of
from search.backends.process import processes, start
from search.commands import search as run
from search.config.study_config import StudyConfig
from search.interrupts import Interrupts
from search.study.study import Study, open_study
from search.study.trial import last_attempts
from selector.errors import InputError
from selector.languages.subset import Subset

pytestmark = pytest.mark.usefixtures("own_cache")

Make = Callable[[Advance], Evaluator]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One node of two processors, and this process connected to it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(rehearsal.__file__).parent), *sys.path]))  # of `faulty`
        there = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
        ray.init(address=there.address, log_to_driver=False, logging_level="error")
        yield there
        ray.shutdown()
        there.shutdown()


def place(name: str, make: Make, config: StudyConfig, workers: int, advance: Advance | None = None) -> Backend:
    if name == "process":
        return processes(make, workers, advance)
    if name == "ray":
        return ray_actors.actors(make, workers, "", advance)
    return ray_tune.TuneTrials(make, config.value, workers, "", config.search.seeds, advance)


def drive(config: StudyConfig, where: Backend, trials: int) -> Study:
    study = open_study(config, create=True)
    try:
        with Interrupts() as interrupts:
            driver.Driver(study, run.planner(config), where, lambda *_: None, interrupts).run(trials)
    finally:
        where.close()
    return study


def inline(config: StudyConfig, make: Make, trials: int, workers: int) -> Study:
    """The same search in this process, as if so many worked: they end in the order in which they began."""
    where = backend.Inline(make(lambda what, done, total: None))
    where.workers = workers
    return drive(config, where, trials)


def history(study: Study) -> list[tuple[int, str, float | None, str]]:
    latest = last_attempts(study.trials()).values()
    return [(trial.position, trial.subset.key, trial.value, trial.state) for trial in latest]


def maker(config: StudyConfig, folder: Path, **faults: str) -> Faulty:
    return Faulty(backend.search_view(config), faults, folder)


EVERYWHERE = pytest.mark.parametrize("name", ["process", "ray", "tune"])


@EVERYWHERE
def test_equal_seeds_and_workers_give_equal_trials(tmp_path: Path, name: str, request: pytest.FixtureRequest) -> None:
    if name != "process":
        request.getfixturevalue("cluster")
    here, there = rehearsal.study(tmp_path / "here"), rehearsal.study(tmp_path / "there")
    reference = inline(here, maker(here, tmp_path), 8, workers=2)
    study = drive(there, place(name, maker(there, tmp_path), there, 2), 8)
    assert history(study) == history(reference)
    assert len({trial.subset for trial in study.trials()}) == len(study.trials()) == 8


@EVERYWHERE
def test_each_fault_costs_one_trial_and_is_named(tmp_path: Path, name: str, request: pytest.FixtureRequest) -> None:
    """Deaths are made up for; hangs, lack of memory and NaN fail their trial; nothing else changes."""
    if name != "process":
        request.getfixturevalue("cluster")
    here = rehearsal.study(tmp_path / "here", strategy="random")  # proposes the same whatever was measured
    keys = [key for _, key, _, _ in history(inline(here, maker(here, tmp_path), 8, 2))]
    there = rehearsal.study(tmp_path / "there", "search.time_limit=1.5", strategy="random")
    kinds = ["kill once", "memory", "", "hang", "exit once", "nan", ""]
    faults = {key: kind for key, kind in zip(keys[1:], kinds, strict=True) if kind}
    study = drive(there, place(name, maker(there, tmp_path, **faults), there, 2), 8)
    assert [key for _, key, _, _ in history(study)] == keys
    failed = {trial.subset.key: trial.error for trial in last_attempts(study.trials()).values() if trial.error}
    named = {"memory": "MemoryError", "hang": "search.time_limit", "nan": "finite"}
    assert {key: kind for key, kind in faults.items() if key in failed} == {
        key: kind for key, kind in faults.items() if kind in named
    }
    assert all(named[faults[key]] in error for key, error in failed.items())
    states = [trial.state for trial in study.trials()]
    assert (states.count("complete"), states.count("failed"), states.count("running")) == (5, 5, 0)


@EVERYWHERE
def test_each_worker_tells_what_it_does_and_changes_nothing(
    tmp_path: Path, name: str, request: pytest.FixtureRequest
) -> None:
    if name != "process":
        request.getfixturevalue("cluster")
    here, there = rehearsal.study(tmp_path / "here"), rehearsal.study(tmp_path / "there")
    heard: list[tuple[str, int, int]] = []
    telling = Telling(backend.search_view(there))
    where = place(name, telling, there, 2, lambda what, done, total: heard.append((what, done, total)))
    assert history(drive(there, where, 4)) == history(inline(here, maker(here, tmp_path), 4, 2))
    stages = {"loading the encoder", "realigning", "evaluating"}
    numbers = (1, 2) if name == "process" else (1,)  # Ray may give one actor all trials while another starts
    assert {what for what, _, _ in heard} >= {f"worker {number}: {stage}" for number in numbers for stage in stages}
    assert {what for what, _, _ in heard} <= {f"worker {number}: {stage}" for number in (1, 2) for stage in stages}
    for number in (1, 2):
        own = [each for each in heard if each[0].startswith(f"worker {number}: ")]
        ends = [before for before, after in itertools.pairwise(own) if before[0] != after[0]]
        assert all(done == total for _, done, total in (*ends, *own[-1:]))  # nothing that has ended is under way
        assert number not in numbers or len(own) > 8


def test_an_actor_of_tune_has_a_number_and_what_comes_late_is_dropped() -> None:
    heard: list[tuple[str, int, int]] = []
    places = ray_tune.Places(2, lambda *word: heard.append(word))
    for trial, actor in ((7, "a"), (8, "b")):
        places.begin(trial)
        places.show(ray_tune.StageWord(actor, trial, Stage("realigning", 1, 9)))
    places.end(7)
    places.show(ray_tune.StageWord("a", 7, Stage("realigning", 2, 9)))
    places.begin(9)
    places.show(ray_tune.StageWord("c", 9, Stage("evaluating", 1, 3)))  # the actor a has died without a word
    places.end(8)
    assert heard == [
        ("worker 1: realigning", 1, 9),
        ("worker 2: realigning", 1, 9),
        ("worker 1: realigning", 9, 9),
        ("worker 1: evaluating", 1, 3),
        ("worker 2: realigning", 9, 9),
    ]


class Refused:
    """A process whose fork server refuses so many times to start it."""

    def __init__(self, refusals: int, problem: type[Exception] = ConnectionRefusedError) -> None:
        self.refusals, self.problem, self.tries = refusals, problem, 0

    def start(self) -> None:
        self.tries += 1
        if self.tries <= self.refusals:
            raise self.problem


@pytest.mark.parametrize("problem", [ConnectionRefusedError, ConnectionResetError, EOFError])
def test_a_worker_waits_for_another_fork_server(problem: type[Exception]) -> None:
    process = Refused(2, problem)
    start(process)
    assert process.tries == 3


def test_a_worker_does_not_wait_for_ever_nor_where_there_is_no_memory() -> None:
    with pytest.raises(ConnectionRefusedError):
        start(Refused(10**9), patience=0.2)
    starved = Refused(1, BlockingIOError)
    with pytest.raises(BlockingIOError):
        start(starved)
    assert starved.tries == 1


def test_a_stopped_process_is_ended_by_the_time_limit(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path)
    key = Subset(config.pool[:3]).key
    where = processes(maker(config, tmp_path, **{key: "stop"}), 1)
    try:
        where.submit(Job(0, Subset(config.pool[:3]), Fidelity(1, 1, 1), 0, time_limit=0.5))
        (outcome,) = where.collect()
        assert "time_limit = 0.5" in outcome.error
        assert not outcome.lost
        where.submit(Job(1, Subset(config.pool[1:4]), Fidelity(1, 1, 1), 0, time_limit=60.0))
        assert where.collect()[0].score is not None
    finally:
        where.close()


@pytest.mark.parametrize(("fault", "said"), [("exit", "exit status 3"), ("memory", "no memory left")])
def test_a_worker_that_cannot_start_costs_a_job_each_time(tmp_path: Path, fault: str, said: str) -> None:
    config = rehearsal.study(tmp_path)
    where = processes(maker(config, tmp_path, start=fault), 1)
    try:
        for number in range(2):
            where.submit(Job(number, Subset(), Fidelity(1, 1, 1), 0))
            (outcome,) = where.collect()
            assert outcome.lost
            assert outcome.number == number
            assert said in outcome.error
    finally:
        where.close()


def test_killed_actors_cost_time_only(tmp_path: Path, cluster: Cluster) -> None:
    here = rehearsal.study(tmp_path / "here")
    there = rehearsal.study(tmp_path / "there", seconds=0.5)
    reference = inline(here, maker(here, tmp_path), 8, workers=2)
    where = place("ray", maker(there, tmp_path), there, 2)
    killed = threading.Timer(0.2, lambda: ray.kill(where._slots[0].worker._actor))
    killed.start()
    study = drive(there, where, 8)
    killed.join()
    assert [entry[:2] for entry in history(study)] == [entry[:2] for entry in history(reference)]


@pytest.mark.parametrize("name", ["ray", "tune"])
def test_a_lost_node_costs_time_only(tmp_path: Path, name: str, cluster: Cluster) -> None:
    here = rehearsal.study(tmp_path / "here")
    reference = inline(here, maker(here, tmp_path), 10, workers=4)
    node = cluster.add_node(num_cpus=2)
    slow = rehearsal.study(tmp_path / "slow", seconds=0.3)
    where = place(name, maker(slow, tmp_path), slow, 4)

    def lose() -> None:
        while sum(trial.state == "complete" for trial in open_study(slow, create=False).trials()) < 3:
            time.sleep(0.05)
        cluster.remove_node(node, allow_graceful=False)

    open_study(slow, create=True)
    loss = threading.Thread(target=lose)
    loss.start()
    study = drive(slow, where, 10)
    loss.join()
    states = [trial.state for trial in last_attempts(study.trials()).values()]
    assert states == ["complete"] * 10
    assert [entry[:3] for entry in history(study)] == [entry[:3] for entry in history(reference)]
    complete = [trial.position for trial in study.trials() if trial.state == "complete"]
    assert len(complete) == len(set(complete))


def test_poor_subsets_are_stopped_before_their_last_seed(tmp_path: Path, cluster: Cluster) -> None:
    config = rehearsal.study(tmp_path, "search.seeds=3")
    document = run.search(config, 9, 1, "tune")
    trials = open_study(config, create=False).trials()
    pruned = [trial for trial in trials if trial.state == "pruned"]
    assert document.trials == {"complete": 9 - len(pruned), "failed": 0, "pruned": len(pruned), "running": 0}
    assert 1 <= len(pruned) <= 7
    assert all(trial.runs in (1, 2) for trial in pruned)
    spent = sum(trial.runs or 3 for trial in trials)
    assert document.full_equivalents == spent < 27
    evaluator = backend.search_view(config).evaluator()
    for trial in pruned:
        seeds = [config.seed + i for i in range(trial.runs or 0)]
        runs = [evaluator(trial.subset, Fidelity(**trial.fidelity), seed).value for seed in seeds]
        assert trial.value == pytest.approx(sum(runs) / len(runs))
    assert document.best is not None
    assert document.best.value is not None
    assert document.best.value == max(trial.value or 0 for trial in trials if trial.state == "complete")
    assert document.best.value > max(trial.value or 0 for trial in pruned if trial.runs == 1)


def until(reached: Callable[[], bool], process: warm_python.Process) -> None:
    while not reached():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)


def complete(config: StudyConfig) -> int:
    try:
        return sum(trial.state == "complete" for trial in open_study(config, create=False).trials())
    except InputError:
        return 0


def test_a_search_on_tune_is_killed_and_goes_on(tmp_path: Path, cluster: Cluster) -> None:
    """kill -9 of the driver: the second run repeats nothing, and finds what an undisturbed one finds."""
    storage = "search.storage=sqlite:///there.db"
    config = rehearsal.study(tmp_path / "there", storage, trials=100)
    arguments = ["search", config.path, "--trials", "100", "--backend", "tune", "--workers", "2"]
    arguments += [
        "--address",
        cluster.address,
        "--set",
        storage,
        "--set",
        "model.base.seconds=1.0",
    ]  # no poll is so late
    first = rehearsal.started(*arguments, cache=tmp_path / "cache")
    until(lambda: complete(config) >= 3, first)
    first.kill()
    first.communicate()
    before = {trial.number: trial for trial in open_study(config, create=False).trials() if trial.state == "complete"}
    wanted = len(before) + 5
    here = rehearsal.study(tmp_path / "here", trials=100)
    reference = inline(here, maker(here, tmp_path), wanted, workers=2)
    run.search(config, wanted, 2, "tune")
    study = open_study(config, create=False)
    assert [entry[:3] for entry in history(study)] == [entry[:3] for entry in history(reference)]
    after = {trial.number: trial for trial in study.trials() if trial.state == "complete"}
    assert {number: after[number] for number in before} == before
    assert len(after) == wanted < 100


def test_a_local_cluster_listens_on_loopback_and_ends_with_an_interrupted_search(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, seconds=0.3)
    arguments = ["search", config.path, "--trials", "500", "--backend", "ray", "--workers", "2"]
    search = rehearsal.started(*arguments, "--set", "search.storage=trial.journal", cache=tmp_path / "cache")
    until(lambda: complete(config) >= 2, search)
    family = psutil.Process(search.pid).children(recursive=True)
    listening = {
        each.laddr.ip
        for process in [psutil.Process(search.pid), *family]
        for each in process.net_connections("inet")
        if each.status == psutil.CONN_LISTEN
    }
    assert listening
    assert listening <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    os.kill(search.pid, signal.SIGINT)
    output, errors = search.communicate(timeout=60)
    assert search.returncode == 130, errors
    assert output == ""
    assert "run the same command again" in errors
    assert "Traceback" not in errors
    assert not [trial for trial in open_study(config, create=False).trials() if trial.state == "running"]
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive


def test_a_cluster_that_is_not_there_is_refused(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path)
    before = rehearsal.tree(tmp_path)
    with pytest.raises(InputError, match="--address is not for"):
        run.search(config, 3, 1, "process", "127.0.0.1:1")
    with pytest.raises(InputError, match="cannot end a trial that hangs"):
        run.search(rehearsal.study(tmp_path, "search.time_limit=5"), 3)
    assert rehearsal.tree(tmp_path) == before


@pytest.mark.parametrize(
    ("workers", "units", "share"),
    [(1, 1, 1), (2, 1, 0.5), (3, 2, 0.5), (4, 2, 0.5), (8, 2, 0.25), (1, 0, 0), (2, 8, 1)],
)
def test_a_share_of_a_gpu_is_never_split_over_two(workers: int, units: float, share: float) -> None:
    assert share_of(workers, units) == share


@pytest.mark.parametrize(("share", "expected"), [(0.0, []), (1.0, []), (0.25, [0.25 - 0.6 / 80]), (1 / 100, [1 / 200])])
def test_a_worker_leaves_room_for_the_others_and_for_what_a_process_takes(share: float, expected: list[float]) -> None:
    class Cuda:
        """Answers as torch.cuda does, and remembers what it was told."""

        def __init__(self) -> None:
            self.fractions: list[float] = []

        def get_device_properties(self, number: int) -> object:
            return type("Properties", (), {"total_memory": 80e9})

        def set_per_process_memory_fraction(self, fraction: float) -> None:
            self.fractions.append(fraction)

    keep_to(share, cuda := Cuda())
    assert cuda.fractions == pytest.approx(expected)
