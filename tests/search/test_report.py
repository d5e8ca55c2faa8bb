"""The report: what it says is what was confirmed, it needs no network, and nothing from the data becomes markup."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import rehearsal
from hypothesis import given
from hypothesis import strategies as st

from realign.score import Score
from search.commands import search as run
from search.config.study_config import StudyConfig
from search.confirmation import confirm
from search.confirmation.verdict import Comparison
from search.report import html_report, plots
from search.report.findings import CompleteTrial
from search.report.language_table import LanguageRow
from search.results.effects import Effect
from search.results.estimates import Difference, Interval
from search.results.words import join_names, points
from search.study.study import open_study
from selector.errors import InputError
from selector.languages.subset import Subset

HOSTILE = "<script>alert(1)</script>"


class Page(HTMLParser):
    """What a browser would see: links, scripts, ids and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.scripts: list[str] = []
        self.ids: list[str] = []
        self.headings: dict[str, str] = {}
        self.words = ""
        self._open = ""
        self.feed(text.replace("\u00a0", " "))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = tag
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            self.scripts[-1] += data
        else:
            self.words += data
            self.headings[self._open] = self.headings.get(self._open, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._open = ""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyConfig]:
    """A study of 14 trials, searched and confirmed with the fake evaluator."""
    home = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALINGO_CACHE", str(home / "cache"))
        config = rehearsal.study(home / "study", trials=14)
        run.search(config)
        confirm.confirm(config)
        yield config


@pytest.fixture(scope="module")
def page(finished: StudyConfig) -> str:
    return Path(html_report.write(finished, None)).read_text(encoding="utf-8")


def languages(gain: dict[str, float], names: Mapping[str, str], worse: Sequence[str] = ()) -> list[LanguageRow]:
    """Languages that score 30 % without realignment, and so much more with it."""
    return [
        LanguageRow(code, names[code], False, False, 0.3 + more, 0.3, all=0.35, worse=code in worse)
        for code, more in gain.items()
    ]


def one_trial(config: StudyConfig, origin: str = "swap") -> None:
    """A study with a single finished trial, written by hand."""
    study = open_study(config, create=True)
    subset = Subset(config.pool[:3])
    trial = study.begin(subset, origin, 0, {})
    study.finish(trial, Score(0.5, {"deu": 0.5}, "s"), 0.5)


def test_headline_is_what_was_confirmed(finished: StudyConfig, page: str) -> None:
    rows = json.loads((finished.folder / "confirm.json").read_text())["rows"]
    best = next(row for row in rows if row["name"] == "best")
    headline = Page(page).headings["h1"]
    assert Page(page).headings["title"].startswith(headline)
    assert f"{100 * best['mean']:.1f} %" in headline
    assert points(best["vs_none"]["difference"]) in headline
    for language in finished.pool:
        assert (language.name in headline) == (language.code in best["languages"])
    for key in ("vs_none", "vs_all", "vs_random"):
        assert points(best[key]["difference"]) in Page(page).words


def test_needs_no_network(page: str) -> None:
    (saved,) = Page(page).fetched
    assert saved.startswith("data:text/csv"), "the table of languages, which the page itself holds"
    assert "default-src 'none'" in page
    assert "script-src" not in page
    assert Page(page).scripts == []
    assert "@import" not in page
    assert "url(" not in page


def test_every_figure_is_there_once(page: str) -> None:
    names = ["progress", "confirmed", "spill", "gains", "importance", "world", "typology"]
    assert sorted(each for each in Page(page).ids if each in names) == sorted(names)
    assert len(page.encode()) < 300_000


def test_same_study_same_figures(finished: StudyConfig) -> None:
    first, second = (html_report.gather(finished, open_study(finished, create=False)) for _ in range(2))
    for draw in (lambda plot: plot.fragment(), lambda plot: plot.titled().to_json()):
        assert [draw(plot) for plot in first.plots.values()] == [draw(plot) for plot in second.plots.values()]
    assert first.headline == second.headline


def test_without_confirmation_it_says_so(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path)
    one_trial(config)
    page = Page(Path(html_report.write(config, None)).read_text(encoding="utf-8"))
    assert "Not confirmed yet" in page.words
    assert "realingo confirm study.toml --set search.storage=trial.journal" in page.words
    assert not {"confirmed", "spill", "gains", "importance"} & set(page.ids)


def test_says_when_the_search_went_on(finished: StudyConfig, tmp_path: Path) -> None:
    home = tmp_path / "copy"
    shutil.copytree(finished.core.home, home)
    config = rehearsal.study(home, trials=14)
    study = open_study(config, create=False)
    assert html_report.gather(config, study).verdict.ahead is None
    trial = study.begin(Subset(config.pool[-3:]), "swap", 99, {})
    study.finish(trial, Score(0.99, {}, "s"), 0.99)
    story = html_report.gather(config, study)
    assert story.verdict.ahead == trial.number
    assert "has gone on since" in html_report.render(story)


def test_nothing_from_the_data_becomes_markup(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path)
    config = dataclasses.replace(config, path=config.path.with_name(f"{HOSTILE.replace('/', '')}.toml"))
    one_trial(config, origin=HOSTILE)
    page = Page(html_report.render(html_report.gather(config, open_study(config, create=False))))
    assert HOSTILE in page.words, "told as text"
    assert page.scripts == []


def test_names_in_figures_are_not_read_as_markup() -> None:
    names = dict.fromkeys("ab", f"<a href='https://example.org'>{HOSTILE}")
    trials = [CompleteTrial(0, 0.5, ("a", "b"), HOSTILE), CompleteTrial(1, 0.4, ("a",), "warm:x")]
    for plot in (plots.progress(trials, names), plots.gains(languages({"a": 0.1, "b": -0.1}, names))):
        for told in (plot.fragment(), plot.titled().to_json()):
            assert "<a href" not in told
            assert "<script" not in told
            assert "&lt;a href" in told
        assert Page(plot.fragment()).fetched == []


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"rows": [{"name": "best"}]}', '{"rows": 3}', '{"rows": [1]}'])
def test_a_damaged_confirmation_is_an_input_error(tmp_path: Path, content: str) -> None:
    config = rehearsal.study(tmp_path)
    one_trial(config)
    config.folder.mkdir()
    (config.folder / "confirm.json").write_text(content)
    with pytest.raises(InputError, match=r"confirm\.json"):
        html_report.write(config, None)
    assert rehearsal.tree(config.folder) == {"confirm.json"}


def test_nothing_to_report(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path)
    with pytest.raises(InputError, match="no study"):
        html_report.write(config, None)
    open_study(config, create=True)
    with pytest.raises(InputError, match="no finished trial"):
        html_report.write(config, None)
    assert not config.folder.exists()


def test_writes_where_it_is_told_and_only_there(finished: StudyConfig, tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    path.write_text("old")
    assert html_report.write(finished, path) == str(path)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert rehearsal.tree(tmp_path) == {"out.html"}
    for wrong in (tmp_path / "absent" / "out.html", tmp_path):
        with pytest.raises(InputError, match="cannot write"):
            html_report.write(finished, wrong)
    assert rehearsal.tree(tmp_path) == {"out.html"}


def test_command(finished: StudyConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        rehearsal.realingo("report", finished.path, "-o", tmp_path / "r.html", "--set", "search.storage=trial.journal")
        == 0
    )
    assert capsys.readouterr().out.strip() == str(tmp_path / "r.html")
    assert rehearsal.realingo("report", tmp_path / "absent.toml") == 2
    assert [line.partition(":")[0] for line in capsys.readouterr().err.splitlines()] == ["error", "hint"]


def trials_of(worth: dict[str, float], count: int, k: int, noise: float, seed: int = 0) -> list[CompleteTrial]:
    """Trials whose score is the sum of what their languages are worth."""
    rng = np.random.default_rng(seed)
    drawn = [tuple(sorted(rng.choice(sorted(worth), k, replace=False))) for _ in range(count)]
    return [
        CompleteTrial(number, 0.5 + sum(worth[code] for code in codes) + rng.normal(0, noise), codes, "random")
        for number, codes in enumerate(drawn)
    ]


@given(st.floats(-1, 1, allow_nan=False))
def test_differences_carry_their_sign(difference: float) -> None:
    told = points(difference)
    assert told[0] in "+−±"
    assert float(told[1:].split()[0]) == pytest.approx(abs(100 * difference), abs=0.051)
    assert told.startswith("+") <= (difference > 0)
    assert told.startswith("−") <= (difference < 0)


@given(st.lists(st.text("abc", min_size=1), max_size=30), st.integers(2, 10))
def test_joined_names_never_lose_a_language(names: list[str], most: int) -> None:
    told = join_names(names, most)
    if len(names) > most:
        assert told.endswith(f" and {len(names) - most + 1} more")
        assert told.count(",") == most - 2
    elif names:
        assert told.replace(" and ", ", ").split(", ") == names


@pytest.mark.parametrize(
    ("difference", "interval", "p", "verdict"),
    [
        (0.02, (0.01, 0.03), 0.01, "better"),
        (-0.02, (-0.03, -0.01), 0.01, "worse"),
        (0.02, (0.001, 0.04), 0.2, "not separated"),  # p is corrected for many comparisons, the interval is not
        (0.02, (-0.01, 0.05), None, "not separated"),
        (0.02, (0.01, 0.05), None, "better"),
    ],
)
def test_verdicts(difference: float, interval: tuple[float, float], p: float | None, verdict: str) -> None:
    assert Comparison("none", Difference(difference, Interval(*interval), p)).verdict == verdict


def test_a_large_pool_stays_light() -> None:
    """200 languages and 500 trials: little text, few traces, lists cut to their two ends."""
    codes = [f"l{i:03d}" for i in range(200)]
    names = {code: f"Language number {code}" for code in codes}
    trials = trials_of(dict.fromkeys(codes, 0.0), 500, 20, noise=0.01)
    gain = {code: i / 1000 for i, code in enumerate(codes)}
    drawn = [
        plots.progress(trials, names),
        plots.importance(
            [Effect(code, i / 1e4, i / 1e4 - 0.01, i / 1e4 + 0.01, 0.1, 0.1) for i, code in enumerate(codes)], names
        ),
        plots.gains(languages(gain, names)),
    ]
    assert sum(len(plot.fragment()) for plot in drawn) < 300_000
    assert all(len(plot.titled().data) <= 5 for plot in drawn)
    assert len(drawn[1].titled().layout.yaxis.categoryarray) == plots.MOST_LINES
    assert drawn[1].fragment().count('class="name') == plots.MOST_LINES
