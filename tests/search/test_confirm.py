"""The bootstrap, the confirmation and the export."""

from __future__ import annotations

import json
import multiprocessing
import os
import tomllib
from pathlib import Path

import numpy as np
import pytest
import rehearsal
from hypothesis import given
from hypothesis import strategies as st

from realign.evaluators.fake import FakeEvaluator, Terms
from realign.evaluators.wrappers import Cached
from realign.score import Fidelity, Score, Tally
from search.backends import batch
from search.backends import registry as backend
from search.backends.base import Job, Outcome
from search.backends.process import processes
from search.backends.registry import View, search_view
from search.build import evaluator as assemble
from search.commands import search as run
from search.confirmation import bootstrap, confirm
from search.confirmation.bootstrap import holm, interval, regressions, resample, two_sided
from search.interrupts import Interrupts
from search.report import export
from search.study.study import open_study
from selector.errors import InputError, RunError
from selector.languages.language import parse_pool
from selector.languages.subset import Subset

pytestmark = pytest.mark.usefixtures("own_cache")


def rows(
    rng: np.random.Generator, gains: dict[str, float], seed_noise: float, seeds: int, hurt: str = ""
) -> dict[str, list[list[Score]]]:
    """Rows of binomial tallies over 4 languages × 40 sentences × 10 units; a gain shifts every language of a row."""
    made: dict[str, list[list[Score]]] = {}
    for name, gain in gains.items():
        made[name] = []
        for _ in range(seeds):
            shift = seed_noise * rng.normal()
            tallies = {}
            for code in ("aaa", "bbb", "ccc", "ddd"):
                lost = 0.2 if hurt == code and gain > 0 else 0.0
                right = rng.binomial(10, min(0.95, 0.5 + gain + shift - lost), size=40)
                tallies[code] = Tally(tuple(right.tolist()), (10,) * 40)
            values = {code: tally.value for code, tally in tallies.items()}
            made[name].append([Score(float(np.mean(list(values.values()))), values, name, tallies)])
    return made


CODES = ["aaa", "bbb", "ccc", "ddd"]


def test_bootstrap_of_one_seed_is_the_textbook_one() -> None:
    rng = np.random.default_rng(0)
    scores = rows(rng, {"a": 0.0}, 0.0, 1)
    sampled = resample(scores, np.random.default_rng(1), draws=4000)["a"]
    tally = scores["a"][0][0].tallies["aaa"]
    rates = np.array(tally.correct) / 10
    assert sampled.mean(["aaa"]) == pytest.approx(tally.value)
    assert sampled.draws[:, 0].mean() == pytest.approx(tally.value, abs=0.005)
    assert sampled.draws[:, 0].std() == pytest.approx(rates.std() / np.sqrt(len(rates)), rel=0.08)


def test_equal_rows_have_no_difference_and_a_shifted_one_has_its_shift() -> None:
    scores = rows(np.random.default_rng(0), {"a": 0.0}, 0.02, 3)
    sampled = resample({"a": scores["a"], "same": scores["a"]}, np.random.default_rng(1))
    difference = sampled["a"].averaged(CODES) - sampled["same"].averaged(CODES)
    assert not difference.any()
    assert two_sided(difference) == 1.0
    assert regressions(sampled["a"], sampled["same"]) == []


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Five seeds with noise between them: how often 95 % intervals hold a true difference of zero."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        sampled = resample(rows(rng, {"a": 0.0, "b": 0.0}, 0.03, 5), rng, draws=300)
        low, high = interval(sampled["a"].averaged(CODES) - sampled["b"].averaged(CODES))
        held += low <= 0 <= high
    assert 0.90 <= held / 200 <= 1.0


def test_a_clear_gain_is_significant_and_a_hurt_language_is_found() -> None:
    sampled = resample(rows(np.random.default_rng(2), {"a": 0.08, "b": 0.0}, 0.005, 5, hurt="bbb"), default())
    assert two_sided(sampled["a"].averaged(CODES) - sampled["b"].averaged(CODES)) < 0.05
    assert regressions(sampled["a"], sampled["b"]) == ["bbb"]
    assert set(regressions(sampled["b"], sampled["a"])) == {"aaa", "ccc", "ddd"}


def default() -> np.random.Generator:
    return np.random.default_rng(9)


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_no_correction_and_bonferroni(p: dict[str, float]) -> None:
    corrected = holm(p)
    assert set(corrected) == set(p)
    for name, value in p.items():
        assert value <= corrected[name] <= min(1.0, len(p) * value) + 1e-12
    ordered = sorted(p, key=p.__getitem__)
    assert [corrected[name] for name in ordered] == sorted(corrected.values())


def test_holm_by_hand() -> None:
    # Holm 1979: smallest times 3, next times 2, last times 1, never falling
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})


@pytest.mark.parametrize("seeds", [1, 3])
def test_confirmation_says_what_the_contract_says(tmp_path: Path, seeds: int) -> None:
    config = rehearsal.study(tmp_path, trials=8)
    run.search(config)
    document = confirm.confirm(config, top=2, seeds=seeds)
    assert document == json.loads((config.folder / "confirm.json").read_text(encoding="utf-8"))
    table = {row["name"]: row for row in document["rows"]}
    assert list(table)[:5] == ["best", "best-2", "all", "none", "random-k"]
    best = open_study(config, create=False).best(2)
    assert [table[name]["languages"] for name in ("best", "best-2")] == [list(t.subset.codes) for t in best]
    assert table["all"]["languages"] == list(rehearsal.POOL)
    assert table["none"]["languages"] == []
    draws = table["random-k"]["draws"]
    assert len({tuple(draw) for draw in draws}) >= 5
    assert {len(draw) for draw in draws} == {3}
    for name, row in table.items():
        assert row["seeds"] == seeds
        assert row["ci95"][0] <= row["mean"] <= row["ci95"][1]
        assert row["held_out"]["ci95"][0] <= row["held_out"]["mean"] <= row["held_out"]["ci95"][1]
        assert set(row["per_language"]) == {*rehearsal.POOL, "kaz", "tel"}
        assert row["mean"] == pytest.approx(np.mean([row["per_language"][code] for code in rehearsal.POOL]))
        others = {"vs_all", "vs_none", "vs_random"} - {f"vs_{name.removesuffix('-k')}"}
        assert {key for key in row if key.startswith("vs_")} == others
        for key in others:
            against = table["random-k" if key == "vs_random" else key.removeprefix("vs_")]
            assert row[key]["difference"] == pytest.approx(row["mean"] - against["mean"])
            assert 0 < row[key]["p"] <= 1
    model_free = list(table)[5]
    origins = [t.origin for t in open_study(config, create=False).best(99) if t.origin.startswith("warm:")]
    assert origins[0] == f"warm:{model_free}"


def test_confirmation_uses_fresh_seeds_and_the_test_split(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, trials=4)
    run.search(config)
    document = confirm.confirm(config, top=1, seeds=2)
    searched = {trial.seed + i for trial in open_study(config, create=False).trials() for i in range(100)}
    assert not searched & set(document["seeds"])
    targets = tuple(sorted({*config.pool, *config.held_out}))
    evaluator = FakeEvaluator(config.pool, targets, Terms(noise=0.3), "test")
    subset = Subset.of(language for language in config.pool if language.code in document["rows"][0]["languages"])
    runs = [evaluator(subset, assemble.fidelity(config), seed) for seed in document["seeds"]]
    for code, value in document["rows"][0]["per_language"].items():
        assert value == pytest.approx(np.mean([run.per_language[code] for run in runs]))


def test_confirming_again_measures_nothing_anew(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, trials=4)
    run.search(config)
    first = confirm.confirm(config, top=1, seeds=2)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache" / "scores").rglob("*.json")}
    second = confirm.confirm(config, top=1, seeds=2)
    assert files == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache" / "scores").rglob("*.json")}
    assert {**first, "created": ""} == {**second, "created": ""}


def test_the_luck_of_the_winner_is_found(tmp_path: Path) -> None:
    """With noise far above the differences, the best search value overstates; without noise it does not."""
    noisy = rehearsal.study(tmp_path / "noisy", noise=8.0, trials=10)
    run.search(noisy)
    assert confirm.confirm(noisy, top=1, seeds=5)["luck"]["difference"] > 0.05
    quiet = rehearsal.study(tmp_path / "quiet", noise=0.0, trials=10)
    run.search(quiet)
    luck = confirm.confirm(quiet, top=1, seeds=2)["luck"]
    assert luck["difference"] == pytest.approx(0.0, abs=1e-9)
    assert "development sentences" in luck["compares"]


def test_workers_change_no_digit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = rehearsal.study(tmp_path, trials=4)
    run.search(config)
    documents = []
    for place in ((1, "inline"), (1, "process"), (3, "process")):
        monkeypatch.setenv("REALINGO_CACHE", str(tmp_path / "-".join(map(str, place))))  # each starts from nothing
        documents.append({**confirm.confirm(config, 2, 2, *place), "created": ""})
    assert documents[0] == documents[1] == documents[2]
    counts = [
        len(list((tmp_path / name / "scores").rglob("*.json"))) for name in ("1-inline", "1-process", "3-process")
    ]
    assert counts[0] == counts[1] == counts[2] > 10


class Fatal(View):
    """Workers that look at this die as they start."""

    def evaluator(self, advance: assemble.Advance | None = None) -> Cached:
        if multiprocessing.parent_process() is not None:
            os._exit(1)
        return super().evaluator(advance)


def test_what_is_cached_starts_no_worker(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, trials=4)
    run.search(config)
    found = {(trial.subset, config.seed): trial.value for trial in open_study(config, create=False).trials()}
    view = Fatal(config, config.tune, "dev")
    with Interrupts() as interrupts:
        bench = batch.Bench("process", 2, lambda *_: None, interrupts)
        assert {wanted: score.value for wanted, score in bench.measure("", view, list(found)).items()} == found
        with pytest.raises(RunError, match="its worker process died twice"):
            bench.measure("", view, [(subset, seed + 1) for subset, seed in found])


class Deadly:
    """A backend in which some jobs kill their worker, some number of times; all in flight are lost with it."""

    def __init__(self, workers: int, kills: dict[int, int], rng: np.random.Generator) -> None:
        self.workers = workers
        self.kills = dict(kills)
        self.rng = rng
        self.running: list[Job] = []
        self.begun: list[int] = []

    def submit(self, job: Job) -> None:
        assert len(self.running) < self.workers
        self.running.append(job)
        self.begun.append(job.number)

    def collect(self) -> list[Outcome]:
        job = self.running[self.rng.integers(len(self.running))]
        if self.kills.get(job.number, 0):
            self.kills[job.number] -= 1
            lost = [Outcome(each.number, error="died", lost=True) for each in self.running]
            self.running.clear()
            return lost
        self.running.remove(job)
        return [Outcome(job.number, Score(job.number / 100, {}, str(job.number)))]

    def close(self) -> None:
        self.running.clear()


def jobs(count: int) -> list[Job]:
    return [Job(number, Subset(), Fidelity(1, 1, 1), 1000 + number) for number in range(count)]


@given(st.integers(1, 4), st.integers(1, 9), st.integers(0, 8), st.integers(0, 99))
def test_who_loses_a_worker_once_is_tried_again(workers: int, count: int, culprit: int, seed: int) -> None:
    place = Deadly(workers, {culprit % count: 1}, np.random.default_rng(seed))
    with Interrupts() as interrupts:
        scores = {job.number: score.value for job, score in batch.results(place, jobs(count), interrupts)}
    assert scores == {number: number / 100 for number in range(count)}
    assert place.begun.count(culprit % count) == 2
    assert max(place.begun.count(number) for number in range(count)) == 2


@given(st.integers(1, 4), st.integers(1, 9), st.integers(0, 8), st.integers(0, 99))
def test_who_loses_a_worker_twice_is_named_and_nobody_else(workers: int, count: int, culprit: int, seed: int) -> None:
    place = Deadly(workers, {culprit % count: 2}, np.random.default_rng(seed))
    with Interrupts() as interrupts, pytest.raises(RunError, match=f"seed {1000 + culprit % count}: .* died twice"):
        list(batch.results(place, jobs(count), interrupts))


def test_a_failed_evaluation_is_named_with_its_way_out() -> None:
    class Hopeless(Deadly):
        def collect(self) -> list[Outcome]:
            return [Outcome(self.running.pop().number, error="no text in fra", hint="add some")]

    with Interrupts() as interrupts, pytest.raises(RunError) as caught:
        list(batch.results(Hopeless(1, {}, default()), jobs(2), interrupts))
    assert caught.value.message == "no realignment, seed 1000 failed: no text in fra"
    assert caught.value.hint == "add some"


def test_killed_workers_cost_time_only(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, seconds=0.2)
    work = [Job(i, Subset(config.pool[i : i + 3]), assemble.fidelity(config), 7) for i in range(4)]
    place = processes(search_view(config).evaluator, 2)
    scores = {}
    try:
        with Interrupts() as interrupts:
            for job, score in batch.results(place, work, interrupts):
                if not scores:
                    for seat in place._seats:
                        seat.worker.process.kill()
                scores[job] = score
    finally:
        place.close()
    plain = FakeEvaluator(config.pool, config.tune, Terms(noise=0.3))
    assert scores == {job: plain(job.subset, job.fidelity, job.seed) for job in work}


def test_a_worker_that_dies_between_jobs_is_told_when_asked(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path)
    place = processes(search_view(config).evaluator, 1)
    job = Job(0, Subset(), assemble.fidelity(config), 7)
    try:
        place.submit(job)
        assert place.collect()[0].score is not None
        (seat,) = place._seats
        seat.worker.process.kill()
        seat.worker.process.join()
        place.submit(job)
        assert place.collect()[0].lost
        place.submit(job)
        assert place.collect()[0].score is not None
    finally:
        place.close()


@pytest.mark.parametrize("place", [(2, "inline"), (0, "process"), (1, "cluster")])
def test_a_wrong_place_is_refused_before_anything(tmp_path: Path, place: tuple[int, str]) -> None:
    with pytest.raises(InputError, match=r"worker|backend"):
        confirm.confirm(rehearsal.study(tmp_path), 1, 1, *place)
    assert backend.BACKENDS == ("inline", "process", "ray", "tune")


def test_a_big_confirmation_is_quick() -> None:
    """10 rows × 5 seeds × 33 languages × 100 sentences × 2,000 draws: seconds, not minutes."""
    world = parse_pool("world")
    fake = FakeEvaluator(world, world)
    score = fake(Subset(world[:4]), confirm.assemble.Fidelity(1, 1, 100), 0)
    table = {f"row {i}": [[score]] * 5 for i in range(10)}
    sampled = resample(table, default())
    assert sampled["row 9"].draws.shape == (bootstrap.DRAWS, len(world))


def exported(tmp_path: Path, *overrides: str) -> Path:
    config = rehearsal.study(tmp_path / "study", *overrides, trials=4)
    run.search(config)
    confirm.confirm(config, top=1, seeds=2)
    export.export(config, tmp_path / "out")
    return tmp_path / "out"


def test_export_holds_the_subset_and_reruns_it(tmp_path: Path) -> None:
    (tmp_path / "study" / "texts").mkdir(parents=True)
    out = exported(tmp_path, "data.parallel={kind='verses', folder='texts'}", "realign.lr=2e-4")
    assert rehearsal.tree(out) == {"subset.json", "realign.toml", "README.md", "report.html"}
    subset = json.loads((out / "subset.json").read_text(encoding="utf-8"))
    confirmed = json.loads((tmp_path / "study" / "trial" / "confirm.json").read_text(encoding="utf-8"))
    assert subset["schema"] == 1
    assert subset["languages"] == confirmed["rows"][0]["languages"]
    assert subset["score"]["mean"] == confirmed["rows"][0]["mean"]
    assert {"all", "none", "random-k"} <= set(subset["baselines"])
    again = tomllib.loads((out / "realign.toml").read_text(encoding="utf-8"))
    assert again["languages"] == subset["languages"]
    assert again["source"] == "eng"
    assert again["realign"]["lr"] == 2e-4
    assert (out / again["data"]["parallel"]["folder"]).resolve() == (tmp_path / "study" / "texts").resolve()
    card = (out / "README.md").read_text(encoding="utf-8")
    assert subset["signature"] in card
    assert all(code in card for code in subset["languages"])


def test_export_needs_a_confirmation_and_a_free_folder(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, trials=3)
    run.search(config)
    with pytest.raises(InputError, match="not confirmed") as caught:
        export.export(config, tmp_path / "out")
    assert "realingo confirm" in caught.value.hint
    assert not (tmp_path / "out").exists()
    confirm.confirm(config, top=1, seeds=1)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").write_text("keep", encoding="utf-8")
    before = rehearsal.tree(tmp_path)
    for wrong in (tmp_path / "used", tmp_path / "used" / "mine.txt", tmp_path / "used" / "mine.txt" / "inside"):
        with pytest.raises(InputError):
            export.export(config, wrong)
    assert rehearsal.tree(tmp_path) == before
    (tmp_path / "empty").mkdir()
    assert export.export(config, tmp_path / "empty")["files"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"rows": []}', '{"rows": [{"name": "best"}]}'])
def test_a_damaged_confirmation_is_named(tmp_path: Path, content: str) -> None:
    config = rehearsal.study(tmp_path, trials=2)
    run.search(config)
    config.folder.mkdir()
    (config.folder / "confirm.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"confirm\.json"):
        export.export(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_front_is_confirmed_against_random_subsets_of_each_size(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, "pool.k=[1, 3]", "search.objectives=['mean', 'cost']", "search.trials=30")
    run.search(config)
    front = run.status(config)["front"]
    costs, values = [each["cost"] for each in front], [each["value"] for each in front]
    assert costs == sorted(set(costs))
    assert values == sorted(values)
    assert len(front) >= 2
    rows = {row["name"]: row for row in confirm.confirm(config, top=2, seeds=2)["rows"]}
    assert [rows[name]["languages"] for name in ("best", "best-2")] == [each["languages"] for each in front[:-3:-1]]
    smaller = f"random-{len(front[-2]['languages'])}"
    assert {len(draw) for draw in rows[smaller]["draws"]} == {len(front[-2]["languages"])}
    own = rows["best-2"]["mean"] - rows[smaller]["mean"]
    assert rows["best-2"]["vs_random"]["difference"] == pytest.approx(own)
    taken = export.export(config, tmp_path / "cheap", "best-2")
    assert (taken["row"], taken["languages"]) == ("best-2", rows["best-2"]["languages"])
    with pytest.raises(InputError, match="best-9"):
        export.export(config, tmp_path / "none", "best-9")
