"""The confirmation and the export."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import rehearsal
from hypothesis import given
from hypothesis import strategies as st

from realign.build import evaluator as assemble
from realign.evaluators.fake import FakeEvaluator, Terms
from realign.evaluators.wrappers import Cached
from realign.score import Fidelity, Score
from search.backends import batch
from search.backends import registry as backend
from search.backends.backend import Job, Outcome
from search.backends.process import processes
from search.backends.registry import View, search_view
from search.commands import search as run
from search.confirmation import confirm
from search.confirmation.row_scores import score_row
from search.effort.fidelities import Fidelities
from search.export import export
from search.interrupts import Interrupts
from search.report import html_report
from search.study.study import open_study
from search.study.trial import MOST_RETRIES
from selector.errors import InputError, RunError
from selector.languages.language import parse_pool
from selector.languages.subset import Subset

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.mark.parametrize("seeds", [1, 3])
def test_confirmation_says_what_the_contract_says(tmp_path: Path, seeds: int) -> None:
    config = rehearsal.study(tmp_path, trials=8)
    run.search(config)
    document = confirm.confirm(config, top=2, seeds=seeds).to_json()
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
            assert 0 < row[key]["p_before_holm"] <= row[key]["p"] <= 1
            low, high = row[key]["ci95"]
            assert (low > 0 or high < 0) == (row[key]["p_before_holm"] < 0.05)
            noise = row[key]["noise"]
            assert noise["sentences"]["degrees"] == 19
            drawn = 4 if "random" in name + key else None  # of one seed, only random draws tell something
            assert (noise["seeds"] or {}).get("degrees") == {3: 2, 1: drawn}[seeds]
    model_free = list(table)[5]
    origins = [t.origin for t in open_study(config, create=False).best(99) if t.origin.startswith("warm:")]
    assert origins[0] == f"warm:{model_free}"


def test_every_language_has_its_interval_and_its_gain(tmp_path: Path) -> None:
    """They tell what the means and the languages that got worse tell; the cost is that of what was measured."""
    config = rehearsal.study(tmp_path, trials=6)
    run.search(config)
    before = len(list((tmp_path / "cache" / "scores").rglob("*.json")))
    document = confirm.confirm(config, top=1, seeds=4)
    none, best = document["none"], document.best
    assert none.per_language_gain is None
    assert best.per_language_ci95 is not None
    assert best.per_language_gain is not None
    assert best.vs_none is not None
    for code, gain in best.per_language_gain.items():
        assert gain.difference == pytest.approx(best.per_language[code] - none.per_language[code])
        assert gain.ci95.low < gain.difference < gain.ci95.high
        assert best.per_language_ci95[code].low <= best.per_language[code] <= best.per_language_ci95[code].high
    mean = sum(best.per_language_gain[code].difference for code in document.targets) / len(document.targets)
    assert mean == pytest.approx(best.vs_none.difference)
    for row in document.rows:
        assert all(row.per_language_gain[code].ci95.high < 0 for code in row.regressions if row.per_language_gain)
    assert document.effort is not None
    assert document.effort.evaluations == len(list((tmp_path / "cache" / "scores").rglob("*.json"))) - before


def test_confirmation_says_its_cost_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = rehearsal.study(tmp_path, trials=8, seconds=0.01)
    run.search(config)
    capsys.readouterr()
    rows = len(confirm.confirm(config, top=1, seeds=6).rows)
    first = capsys.readouterr().err.splitlines()[0]
    assert re.match(rf"confirm: {rows} rows × 6 seeds (=|come to) \d+ evaluations, about 1 s; ", first)
    trials, luck = 8, 6  # evaluations that the cache holds as well
    measured = len(list((tmp_path / "cache" / "scores").rglob("*.json"))) - trials - luck
    assert int(re.findall(r"(\d+) evaluations", first)[0]) == measured


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = rehearsal.study(tmp_path, trials=3)
    run.search(config)
    config.folder.write_text("a file in its place")
    capsys.readouterr()
    with pytest.raises(InputError, match="cannot write in"):
        confirm.confirm(config, top=1, seeds=2)
    assert "evaluations" not in capsys.readouterr().err


def test_confirmation_uses_fresh_seeds_and_the_test_split(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, trials=4)
    run.search(config)
    document = confirm.confirm(config, top=1, seeds=2).to_json()
    searched = {trial.seed + i for trial in open_study(config, create=False).trials() for i in range(100)}
    assert not searched & set(document["seeds"])
    targets = tuple(sorted({*config.pool, *config.held_out}))
    evaluator = FakeEvaluator(config.pool, targets, Terms(noise=0.3), "test")
    subset = Subset.of(language for language in config.pool if language.code in document["rows"][0]["languages"])
    runs = [evaluator(subset, Fidelities(config).full, seed) for seed in document["seeds"]]
    for code, value in document["rows"][0]["per_language"].items():
        assert value == pytest.approx(np.mean([run.per_language[code] for run in runs]))


def test_confirming_again_measures_nothing_anew(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, trials=4)
    run.search(config)
    first = confirm.confirm(config, top=1, seeds=2).to_json()
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache" / "scores").rglob("*.json")}
    second = confirm.confirm(config, top=1, seeds=2).to_json()
    assert files == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache" / "scores").rglob("*.json")}
    assert {**first, "created": ""} == {**second, "created": ""}


def test_the_luck_of_the_winner_is_found(tmp_path: Path) -> None:
    """With noise far above the differences, the best search value overstates; without noise it does not."""
    noisy = rehearsal.study(tmp_path / "noisy", noise=8.0, trials=10)
    run.search(noisy)
    assert confirm.confirm(noisy, top=1, seeds=5).luck.difference > 0.05
    quiet = rehearsal.study(tmp_path / "quiet", noise=0.0, trials=10)
    run.search(quiet)
    luck = confirm.confirm(quiet, top=1, seeds=2).luck
    assert luck.difference == pytest.approx(0.0, abs=1e-9)
    assert "development sentences" in luck.compares


def test_workers_change_no_digit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = rehearsal.study(tmp_path, trials=4)
    run.search(config)
    documents = []
    for place in ((1, "inline"), (1, "process"), (3, "process")):
        monkeypatch.setenv("REALINGO_CACHE", str(tmp_path / "-".join(map(str, place))))  # each starts from nothing
        document = confirm.confirm(config, 2, 2, *place).to_json()
        documents.append({**document, "created": "", "effort": {**document["effort"], "seconds": 0.0}})
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
    view = Fatal(config.core, config.scope, config.tune, "dev")
    with Interrupts() as interrupts:
        bench = batch.Bench("process", 2, lambda *_: None, interrupts)
        assert {wanted: score.value for wanted, score in bench.measure("", view, list(found)).items()} == found
        with pytest.raises(RunError, match="its worker process died 3 times"):
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
def test_who_loses_a_worker_is_tried_again_as_in_a_search(workers: int, count: int, culprit: int, seed: int) -> None:
    place = Deadly(workers, {culprit % count: MOST_RETRIES}, np.random.default_rng(seed))
    with Interrupts() as interrupts:
        scores = {job.number: score.value for job, score in batch.results(place, jobs(count), interrupts)}
    assert scores == {number: number / 100 for number in range(count)}
    assert place.begun.count(culprit % count) == 1 + MOST_RETRIES
    assert all(place.begun.count(number) <= 2 for number in range(count) if number != culprit % count)


@given(st.integers(1, 4), st.integers(1, 9), st.integers(0, 8), st.integers(0, 99))
def test_who_loses_a_worker_too_often_is_named_and_nobody_else(
    workers: int, count: int, culprit: int, seed: int
) -> None:
    place = Deadly(workers, {culprit % count: 1 + MOST_RETRIES}, np.random.default_rng(seed))
    with Interrupts() as interrupts, pytest.raises(RunError, match=f"seed {1000 + culprit % count}: .* died 3 times"):
        list(batch.results(place, jobs(count), interrupts))


def test_a_failed_evaluation_is_named_with_its_way_out() -> None:
    class Hopeless(Deadly):
        def collect(self) -> list[Outcome]:
            return [Outcome(self.running.pop().number, error="no text in fra", hint="add some")]

    with Interrupts() as interrupts, pytest.raises(RunError) as caught:
        list(batch.results(Hopeless(1, {}, np.random.default_rng(9)), jobs(2), interrupts))
    assert caught.value.message == "no realignment, seed 1000 failed: no text in fra"
    assert caught.value.hint == "add some"


def test_killed_workers_cost_time_only(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, seconds=0.2)
    work = [Job(i, Subset(config.pool[i : i + 3]), Fidelities(config).full, 7) for i in range(4)]
    place = processes(search_view(config).evaluator, 2)
    scores = {}
    try:
        with Interrupts() as interrupts:
            for job, score in batch.results(place, work, interrupts):
                if not scores:
                    for slot in place._slots:
                        slot.worker.process.kill()
                scores[job] = score
    finally:
        place.close()
    plain = FakeEvaluator(config.pool, config.tune, Terms(noise=0.3))
    assert scores == {job: plain(job.subset, job.fidelity, job.seed) for job in work}


def test_a_worker_that_dies_between_jobs_is_told_when_asked(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path)
    place = processes(search_view(config).evaluator, 1)
    job = Job(0, Subset(), Fidelities(config).full, 7)
    try:
        place.submit(job)
        assert place.collect()[0].score is not None
        (slot,) = place._slots
        slot.worker.process.kill()
        slot.worker.process.join()
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
    """10 rows × 5 seeds × 33 languages × 100 sentences: seconds, not minutes."""
    world = parse_pool("world")
    fake = FakeEvaluator(world, world)
    score = fake(Subset(world[:4]), Fidelity(1, 1, 100), 0)
    table = {f"row {i}": [[score]] * 5 for i in range(10)}
    measured = {name: score_row(scores) for name, scores in table.items()}
    codes = [language.code for language in world]
    assert {(row - measured["row 0"]).estimate(codes).p for row in measured.values()} == {1.0}


def exported(tmp_path: Path, *overrides: str) -> Path:
    config = rehearsal.study(tmp_path / "study", *overrides, trials=4)
    run.search(config)
    confirm.confirm(config, top=1, seeds=2)
    export.export(config, tmp_path / "out")
    return tmp_path / "out"


def test_export_holds_the_subset_and_reruns_it(tmp_path: Path) -> None:
    (tmp_path / "study" / "texts").mkdir(parents=True)
    for code in ("eng", *rehearsal.POOL):
        lines = "".join(f"MAT.{chapter}.1\tone line in {code}\n" for chapter in range(1, 29))
        (tmp_path / "study" / "texts" / f"{code}.txt").write_text(lines, encoding="utf-8")
    out = exported(tmp_path, "data.parallel={kind='verses', folder='texts'}", "realign.lr=2e-4")
    assert rehearsal.tree(out) == {"subset.json", "realign.toml", "README.md", "report.html"}
    subset = json.loads((out / "subset.json").read_text(encoding="utf-8"))
    confirmed = json.loads((tmp_path / "study" / "trial-fake" / "confirm.json").read_text(encoding="utf-8"))
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
    assert export.export(config, tmp_path / "empty").files


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"rows": []}', '{"rows": [{"name": "best"}]}'])
def test_a_damaged_confirmation_is_named(tmp_path: Path, content: str) -> None:
    config = rehearsal.study(tmp_path, trials=2)
    run.search(config)
    config.folder.mkdir()
    (config.folder / "confirm.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"confirm\.json"):
        export.export(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_earlier_confirmation_is_not_believed(tmp_path: Path) -> None:
    """Its p-values were too small: 'confirm' makes new ones, of scores that are in the cache."""
    config = rehearsal.study(tmp_path, trials=4)
    run.search(config)
    file = config.folder / "confirm.json"
    document = confirm.confirm(config, top=1, seeds=2).to_json()
    for schema, word in ((1, "too much significant"), (3, "schema 3")):
        file.write_text(json.dumps({**document, "schema": schema}), encoding="utf-8")
        for read in (lambda: export.export(config, tmp_path / "out"), lambda: html_report.write(config, None)):
            with pytest.raises(InputError, match=word) as caught:
                read()
            assert "realingo confirm" in caught.value.hint
    assert {*rehearsal.tree(config.folder)} == {"confirm.json"}
    confirm.confirm(config, top=1, seeds=2)
    assert export.export(config, tmp_path / "out").files


def test_a_front_is_confirmed_against_random_subsets_of_each_size(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, "pool.k=[1, 3]", "search.objectives=['mean', 'cost']", "search.trials=30")
    run.search(config)
    front = run.status(config).front
    assert front is not None
    costs, values = [each.cost for each in front], [each.value for each in front]
    assert costs == sorted(set(costs))
    assert values == sorted(values)
    assert len(front) >= 2
    rows = {row.name: row for row in confirm.confirm(config, top=2, seeds=2).rows}
    assert [rows[name].languages for name in ("best", "best-2")] == [each.languages for each in front[:-3:-1]]
    smaller = f"random-{len(front[-2].languages)}"
    assert {len(draw) for draw in rows[smaller].draws or ()} == {len(front[-2].languages)}
    own = rows["best-2"].mean - rows[smaller].mean
    assert (versus := rows["best-2"].vs_random) is not None
    assert versus.difference == pytest.approx(own)
    taken = export.export(config, tmp_path / "cheap", "best-2").subset
    assert (taken.score.name, taken.languages) == ("best-2", rows["best-2"].languages)
    with pytest.raises(InputError, match="best-9"):
        export.export(config, tmp_path / "none", "best-9")
