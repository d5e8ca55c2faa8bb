"""The parts of the report: language by language, what it cost, whether more trials would help, what to do next."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import rehearsal
from hypothesis import given
from hypothesis import strategies as st

from realign.score import Score
from search.commands import search as run
from search.config.study_config import StudyConfig, load
from search.confirmation import confirm
from search.confirmation.recommend import Recommender
from search.confirmation.verdict import Verdict
from search.pages import svg_marks
from search.pages.charts import ChartRow, ChartRows, Look, Mark
from search.report import costs, findings, html_report, plots
from search.report.language_table import LanguageRow, as_csv, as_link, language_rows, losses
from search.results.confirmation import Confirmation
from search.results.effects import PairEffect
from search.results.estimates import Interval
from search.results.words import duration
from search.study.study import Study, open_study
from search.surrogate.kernels import masks
from selector.languages.subset import Subset

WORSE = LanguageRow(
    "deu", "German", False, False, 0.3, 0.4, Interval(0.29, 0.31), 0.5, 0.3, Interval(-0.12, -0.08), True
)
SHY = LanguageRow("tel", "Telugu", False, True, 0.39, 0.4)
BETTER = LanguageRow("swh", 'Swahili, "=1+1"', True, False, 0.5, 0.4, all=0.4567)


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyConfig, Confirmation]:
    home = tmp_path_factory.mktemp("parts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALINGO_CACHE", str(home / "cache"))
        config = rehearsal.study(home / "study", trials=12)
        run.search(config)
        return config, confirm.confirm(config, top=1, seeds=2)


def test_every_language_has_a_row_that_says_what_was_confirmed(confirmed: tuple[StudyConfig, Confirmation]) -> None:
    config, found = confirmed
    best = found.best
    rows = language_rows(config, found, best)
    assert {row.code for row in rows} == {*found.targets, *found.held_out}
    assert [row.code for row in rows if row.held_out] == sorted(found.held_out, key=lambda code: code != "kaz")
    for row in rows:
        assert row.mean == best.per_language[row.code]
        assert row.none == found["none"].per_language[row.code]
        assert row.random == found["random-k"].per_language[row.code]
        assert row.worse == (row.code in best.regressions)
        assert row.inside == (row.code in best.languages)
        assert row.gain_ci95 is not None
        assert row.gain_ci95.low <= row.gain <= row.gain_ci95.high


def test_a_confirmation_without_intervals_is_told_all_the_same(confirmed: tuple[StudyConfig, Confirmation]) -> None:
    """As earlier versions wrote it: a dash stands where nothing is known, and the page says how to get it."""
    config, found = confirmed
    gone = ("per_language_ci95", "per_language_gain")
    document = found.to_json()
    rows = [{key: value for key, value in row.items() if key not in gone} for row in document["rows"]]
    old = Confirmation.from_json({key: value for key, value in document.items() if key != "effort"} | {"rows": rows})
    assert all(row.gain_ci95 is None for row in language_rows(config, old, old.best))
    study = open_study(config, create=False)
    assert ("Confirmation", "not recorded") in costs.cost_facts(config, study.trials(), old)
    story = html_report.gather(config, study)
    story = dataclasses.replace(story, confirmation=old, languages=language_rows(config, old, old.best))
    assert "kept no intervals by language" in html_report.render(story)
    assert "kept no intervals by language" not in html_report.render(html_report.gather(config, study))


def test_only_losses_beyond_noise_are_called_worse() -> None:
    assert losses([BETTER]) == ["No language scores less than without realignment."]
    assert losses([BETTER, SHY]) == [
        "No language is worse than without realignment beyond noise.",
        "Lower, but within noise: Telugu.",
    ]
    assert losses([WORSE, SHY])[0] == "Worse than without realignment, beyond noise: German."
    assert "k-red" in plots.gains([WORSE, SHY]).fragment()
    assert "k-red" not in plots.gains([BETTER, SHY]).fragment()
    told = findings.gains_finding([WORSE, SHY, BETTER])
    assert told == (
        "1 of 3 languages score as much or more than without realignment, 1 less beyond noise, 1 less within noise"
    )


def test_the_table_is_read_back_from_its_link() -> None:
    link = as_link(as_csv([WORSE, SHY, BETTER]))
    assert not re.search(r"[\s\"<>]", link)
    text = unquote(link.partition(",")[2])
    german, telugu, swahili = csv.DictReader(io.StringIO(text))
    assert german["gain"] == "-10.00"
    assert (german["gain_low"], german["worse_beyond_noise"], german["role"]) == ("-12.00", "yes", "outside")
    assert (telugu["gain_low"], telugu["all"], telugu["role"]) == ("", "", "held out")
    assert (swahili["language"], swahili["all"], swahili["role"]) == ('Swahili, "=1+1"', "45.67", "inside")


def searched(folder: Path, count: int, **values: object) -> tuple[StudyConfig, Study]:
    """A study of so many trials, each better the nearer its languages are to the end of the pool."""
    config = rehearsal.study(folder, **values)
    study = open_study(config, create=True)
    rng = np.random.default_rng(0)
    taken: set[Subset] = set()
    while len(taken) < count:
        subset = config.space.random(rng)
        if subset not in taken:
            taken.add(subset)
            value = 0.3 + 0.01 * sum(config.space.place[each] for each in subset)
            trial = study.begin(subset, "random", len(taken), {"pairs": 10, "steps": 5, "examples": 20})
            study.finish(trial, Score(value, {}, "s", seconds=30.0), value)
    return config, study


def test_what_more_trials_would_bring(tmp_path: Path) -> None:
    """Of a small space: never less than nothing, no more than the best subset has, and nothing once all is measured."""
    config, study = searched(tmp_path / "few", 12)
    answer, left = costs.outlook(config, Recommender(study))
    assert left is not None
    assert 0.0 <= left < 0.3
    assert "over the best subset so far" in answer
    assert answer.startswith("Hardly" if left < costs.WORTH else "Perhaps")
    config, study = searched(tmp_path / "all", 10, pool=("deu", "fin", "fra", "hin", "tur"))
    assert costs.outlook(config, Recommender(study)) == ("No: every subset that the study allows is measured.", 0.0)
    limited = {"pool": ("deu", "fin", "fra", "hin", "tur"), "k": 2}
    config = rehearsal.study(tmp_path / "limited", 'pool.quota=["family=1"]', **limited)  # two are Indo-European
    study = open_study(config, create=True)
    for number, subset in enumerate(config.space.every()):
        study.finish(study.begin(subset, "random", number, {}), Score(0.5, {}, "s"), 0.5)
    assert costs.outlook(config, Recommender(study)) == ("No: every subset that the study allows is measured.", 0.0)


def test_the_expected_improvement_is_that_of_the_best_unmeasured_subset(tmp_path: Path) -> None:
    """By brute force: E[max(f - best, 0)] of every unmeasured subset, from the same posterior."""
    config, study = searched(tmp_path, 12, pool=rehearsal.POOL[:7])
    recommender = Recommender(study)
    fit = recommender.surrogate.fit(config.space, recommender.past)
    best = max(fit(masks(config.space, recommender.past.values))[0])
    rest = [subset for subset in config.space.every() if subset not in recommender.past.values]
    expected = 0.0
    for mean, deviation in zip(*fit(masks(config.space, rest)), strict=True):
        u = (mean - best) / deviation
        density = math.exp(-(u**2) / 2) / math.sqrt(2 * math.pi)
        expected = max(expected, (mean - best) * (1 + math.erf(u / math.sqrt(2))) / 2 + deviation * density)
    assert recommender.improvement() == pytest.approx(expected, rel=1e-6)


def test_what_cannot_be_known_is_said(tmp_path: Path) -> None:
    config, study = searched(tmp_path / "young", 3)
    answer, left = costs.outlook(config, Recommender(study))
    assert (answer.partition(":")[0], left) == ("Unknown", None)
    both = dataclasses.replace(config, search=dataclasses.replace(config.search, objectives=("mean", "cost")))
    answer, left = costs.outlook(both, Recommender(study))
    assert ("two objectives" in answer, left) == (True, None)


def test_what_a_study_cost(tmp_path: Path, confirmed: tuple[StudyConfig, Confirmation]) -> None:
    config, study = searched(tmp_path, 3)
    study.fail(study.begin(Subset(config.pool[:3]), "swap", 9, {}), "out of memory")
    facts = dict(costs.cost_facts(config, study.trials(), None))
    assert facts["Trials"] == "3 complete, 1 failed, 0 stopped early, 0 running"
    assert facts["Search"].endswith(duration(sum(trial.seconds for trial in study.trials())))
    assert facts["Confirmation"] == "not confirmed yet"
    assert "about 30 in the search" in facts["Sentence pairs"]
    config, found = confirmed
    assert found.effort is not None
    told = dict(costs.cost_facts(config, open_study(config, create=False).trials(), found))
    assert told["Confirmation"].startswith(f"{found.effort.evaluations} evaluations, ")
    assert told["Device"] == "not recorded", "no encoder was trained"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.0, "0 s"), (0.2, "1 s"), (119, "119 s"), (120, "2 min"), (5400, "1.5 h"), (7.2e6, "2,000.0 h")],
)
def test_durations(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_next_steps_are_commands_that_exist(confirmed: tuple[StudyConfig, Confirmation]) -> None:
    config, found = dataclasses.replace(confirmed[0], overrides=()), confirmed[1]
    story = html_report.gather(config, open_study(config, create=False))
    real = dataclasses.replace(story.verdict, fake=False)
    commands = [step.command for step in costs.next_steps(config, real, found, 12, None, True) if step.command]
    assert commands[-2:] == [
        "realingo export study.toml -o study-export",
        "realingo realign study-export -o study-export-model",
    ]
    verdicts = {each.verdict for each in story.verdict.comparisons}
    more = "realingo confirm study.toml --seeds 4"
    assert (more in commands) == ("not separated" in verdicts)
    steps = costs.next_steps(config, story.verdict, found, 12, 0.01, True)
    assert steps[0].command == "realingo search study.toml --trials 24"
    assert "task.lr" in costs.next_steps(config, story.verdict, found, 12, 0.01, False)[0].why
    first = costs.next_steps(config, dataclasses.replace(story.verdict, row=None), None, 12, 0.0, True)
    assert [step.command for step in first] == ["realingo confirm study.toml"]
    odd = dataclasses.replace(config, path=Path("/x/my study.toml"))
    assert costs.next_steps(odd, story.verdict, None, 12, 0.0, True)[0].command == "realingo confirm 'my study.toml'"


def test_next_steps_are_about_the_same_study(tmp_path: Path) -> None:
    """With the same `--set`: without it a command would be about the study of the bare file. No password is told."""
    storage = "sqlite:///here.db?password=hush"
    config = load(rehearsal.write(tmp_path), ["name=other", f"search.storage={storage}"])
    commands = [step.command for step in costs.next_steps(config, Verdict(), None, 12, 0.01, True)]
    sets = "--set name=other --set 'search.storage=sqlite:///here.db?password=***'"
    assert commands == [f"realingo search study.toml --trials 24 {sets}", f"realingo confirm study.toml {sets}"]


def test_a_pair_counts_only_where_its_interval_leaves_out_zero() -> None:
    unclear, clear = PairEffect(("deu", "tur"), 0.02, -0.01, 0.05), PairEffect(("deu", "fin"), -0.02, -0.03, -0.01)
    assert "every interval holds zero" in findings.pairs_finding([unclear], {})
    told = findings.pairs_finding([unclear, clear], {"deu": "German"})
    assert told == "German and fin together are worth 2.0 points less than the sum of both"


@given(st.floats(-1e4, 1e4), st.floats(1e-4, 1e4), st.integers(2, 8))
def test_ticks_are_round_inside_and_few(low: float, width: float, most: int) -> None:
    high = low + width
    found = svg_marks.ticks(low, high, most)
    slack = 1e-6 * max(abs(low), abs(high))
    assert len(found) <= most + 1
    assert all(low - slack <= value <= high + slack for value in found)
    if len(found) > 1:
        step = found[1] - found[0]
        assert round(step / 10 ** math.floor(math.log10(step) + 1e-9), 6) in (1, 2, 5, 10)
        labels = [svg_marks.tick_label(value, step) for value in found]
        assert len(set(labels)) == len(labels)


def test_marks_stand_where_their_values_are() -> None:
    """In a list, places are shares of the width, whatever that is; the line of zero is where nothing is gained."""
    look = Look("a", "blue")
    rows = tuple(ChartRow(f"row {x}", ((Mark(look, x, span=(x - 1, x + 1)),),)) for x in (-4.0, 0.0, 8.0))
    text = plots.Plot("p", "", "", ChartRows(("x",), rows, zero=True)).fragment()
    places = [float(each) for each in re.findall(r'cx="([\d.]+)%"', text)]
    zero = {float(each) for each in re.findall(r'class="zero" x1="([\d.]+)%"', text)}
    assert zero == {places[1]}
    assert (places[2] - places[1]) / (places[1] - places[0]) == pytest.approx(2.0, abs=0.01)
    assert all(0 <= place <= 100 for place in places)


def test_the_report_does_without_plotly() -> None:
    """It draws for itself: only Optuna's dashboard needs the library, which takes a while to load."""
    code = "import sys, search.report.html_report, search.pages.map_html; print('plotly' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "False"
