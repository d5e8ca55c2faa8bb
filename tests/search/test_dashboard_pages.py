"""What optuna-dashboard shows of a study: percent, languages as parameters, short words, no button that would fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import optuna
import pytest
import rehearsal

from search.commands import search as run
from search.config.study_config import StudyConfig
from search.confirmation import confirm as confirmation
from search.dashboard import guard, notes, server
from search.dashboard.view import IN, OUT, StudyView, in_percent, language_name
from search.report import html_report
from search.study.study import Study, open_study
from selector.languages.subset import Subset

pytest.importorskip("optuna_dashboard", reason="the extra 'dashboard' is not installed")

WIDTHS = (1280, 400)


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyConfig]:
    """A study of 8 trials, searched and confirmed with the fake evaluator."""
    home = tmp_path_factory.mktemp("dashboard")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALINGO_CACHE", str(home / "cache"))
        config = rehearsal.study(home / "study", trials=8, strategy="surrogate")
        run.search(config)
        confirmation.confirm(config)
        yield config


def viewed(config: StudyConfig) -> tuple[Study, StudyView]:
    study = open_study(config, create=False)
    story = html_report.gather(config, study)
    notes.annotate(study, story)
    return study, StudyView(study.storage, study.storage.get_study_id_from_name(study.name), notes.about(story))


def loaded(view: StudyView, study: Study) -> optuna.Study:
    return optuna.load_study(study_name=study.name, storage=view, sampler=optuna.samplers.RandomSampler(0))


def test_trials_are_shown_in_percent_with_a_parameter_for_each_language(confirmed: StudyConfig) -> None:
    study, view = viewed(confirmed)
    shown = loaded(view, study).trials
    assert len(shown) == len(study.trials()) == 8
    for trial, kept in zip(shown, study.trials(), strict=True):
        assert trial.value == pytest.approx(100 * (kept.value or 0), abs=0.006)
        members = {language.name for language in kept.subset}
        assert {name for name, value in trial.params.items() if value == IN} == members
        assert set(trial.params) == {language.name for language in confirmed.pool}
        assert set(trial.params.values()) == {IN, OUT}


def test_a_pool_too_large_to_be_recorded_is_shown_whole(tmp_path: Path) -> None:
    from selector.languages.language import parse_pool

    pool = [language.code for language in parse_pool("paper-65") if language.code != "eng"]
    config = rehearsal.study(tmp_path, pool=[code for code in pool if code not in ("tel", "kaz")], trials=2)
    run.search(config)
    study, view = viewed(config)
    stored = study.storage.get_all_trials(view.get_study_id_from_name(study.name))
    assert len(stored[0].params) < len(config.pool)
    assert all(len(trial.params) == len(config.pool) for trial in loaded(view, study).trials)


def test_optunas_importance_knows_the_languages(confirmed: StudyConfig) -> None:
    study, view = viewed(confirmed)
    found = optuna.importance.get_param_importances(loaded(view, study))
    assert set(found) == {language.name for language in confirmed.pool}


def test_the_best_trial_is_the_one_that_the_notes_call_highest(confirmed: StudyConfig) -> None:
    study, view = viewed(confirmed)
    best = loaded(view, study).best_trial
    assert f"trial {best.number} scored highest in the search" in view.about.words["which trial to take"]
    assert set(best.params.values()) == {IN}, "only who is in it"
    assert len(best.params) == len(study.best()[0].subset)


def test_a_low_fidelity_is_never_the_best(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, trials=2)
    run.search(config)
    study = open_study(config, create=False)
    with study.driven():
        study.recover()
        first = study.trials()[0]
        low = study.begin(Subset(config.pool[:3]), "ladder", 2, {}, level="short")
        score = confirm_score(first.per_language)
        study.finish(low, score, 0.999)
    study, view = viewed(config)
    assert view.get_best_trial(view.get_study_id_from_name(study.name)).number != low.number


def confirm_score(per_language: Any) -> Any:
    from realign.score import Score

    return Score(0.999, dict(per_language), "short")


def test_attributes_are_few_and_short(confirmed: StudyConfig) -> None:
    study, view = viewed(confirmed)
    shown = loaded(view, study)
    assert list(shown.user_attrs) == [
        "which trial to take",
        "confirmed languages",
        "confirmed score",
        "hyperparameter importance",
        "to change something",
    ]
    for trial in shown.trials:
        assert list(trial.user_attrs) == ["languages", "proposed by", "fidelity", "seconds"]
        assert all(len(str(value)) <= 200 for value in trial.user_attrs.values())


def test_no_figure_is_there_twice_and_old_ones_are_hidden(confirmed: StudyConfig) -> None:
    study, view = viewed(confirmed)
    key = view.get_study_id_from_name(study.name)
    study.storage.set_study_system_attr(key, "dashboard:plot_data:progress:0", "{}")
    names = {name.split(":")[2] for name in view.get_study_system_attrs(key) if "plot_data" in name}
    assert names == set(view.about.figures)
    assert not names & {"progress", "front"}
    assert {"world", "typology", "confirmed"} <= names
    assert all("data" in json.loads(figure) for figure in view.about.figures.values())


def test_nothing_but_notes_is_written_through_the_view(confirmed: StudyConfig) -> None:
    study, view = viewed(confirmed)
    key = view.get_study_id_from_name(study.name)
    trial = loaded(view, study).trials[0]._trial_id
    writes: list[tuple[Any, ...]] = [
        (view.delete_study, key),
        (view.create_new_study, []),
        (view.set_study_user_attr, key, "facts", {}),
        (view.set_study_system_attr, key, "study:metric_names", []),
        (view.create_new_trial, key),
        (view.set_trial_state_values, trial, optuna.trial.TrialState.FAIL),
        (view.set_trial_user_attr, trial, "subset", "deu"),
        (view.set_trial_system_attr, trial, "x", 1),
        (view.set_trial_param, trial, "deu", 0.0, None),
        (view.set_trial_intermediate_value, trial, 0, 0.0),
    ]
    before = study.trials()
    for write, *arguments in writes:
        with pytest.raises(PermissionError, match="Only notes"):
            write(*arguments)
    view.set_study_system_attr(key, f"dashboard:{trial}:note_ver", 99)
    assert view.get_study_system_attrs(key)[f"dashboard:{trial}:note_ver"] == 99
    assert study.trials() == before


def test_a_study_of_two_objectives_names_both_axes(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, "pool.k=[1, 3]", "search.objectives=['mean', 'cost']", trials=6)
    run.search(config)
    study, view = viewed(config)
    key = view.get_study_id_from_name(study.name)
    assert view.get_study_system_attrs(key)["study:metric_names"] == ["Search score, %", "Cost"]
    assert "front" not in view.about.figures
    first, kept = loaded(view, study).trials[0], study.trials()[0]
    assert first.values == [in_percent(kept.value or 0), kept.cost]


def test_the_study_of_another_program_is_shown_as_it_is(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, trials=2)
    run.search(config)
    study, view = viewed(config)
    other = optuna.create_study(storage=study.storage, study_name="other", sampler=optuna.samplers.RandomSampler(0))
    other.set_user_attr("mine", "kept")
    other.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    shown = optuna.load_study(study_name="other", storage=view, sampler=optuna.samplers.RandomSampler(0))
    assert [(t.params, t.values) for t in shown.trials] == [(t.params, t.values) for t in other.trials]
    assert shown.user_attrs == {"mine": "kept"}


def test_a_code_without_a_name_is_its_own() -> None:
    assert language_name("deu") == "German"
    assert language_name("no such code") == "no such code"


# ------------------------------------------------------------------------------------------- in a browser


@pytest.fixture
def address(confirmed: StudyConfig) -> Iterator[str]:
    """Where the study is served."""
    study, view = viewed(confirmed)
    with server.listening("127.0.0.1", 0) as listening:
        listening.set_app(server.application(view))
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            page = study.storage.get_study_id_from_name(study.name)
            yield f"http://127.0.0.1:{listening.server_port}/dashboard/studies/{page}"
        finally:
            listening.shutdown()
            thread.join()


WIDTH = "document.documentElement.scrollWidth"
CUT = """(() => { const right = box => box.getBoundingClientRect().right;
    return [...document.querySelectorAll('.MuiGrid-item td, .MuiTypography-h3')].filter(
        cell => cell.scrollWidth > cell.clientWidth + 1
             || right(cell) > right(cell.closest('.MuiCard-root')) + 1).length })()"""
WRITING = """[...document.querySelectorAll('button')].filter(button => button.offsetParent !== null
    && /delete|rename|create|fail trial/i.test(button.innerText + ' ' + button.ariaLabel)).length"""


@pytest.mark.browser
@pytest.mark.skipif(browser.CHROMIUM is None, reason="chromium is not installed")
def test_pages_fit_the_screen_and_offer_no_writing(address: str, tmp_path: Path) -> None:
    home = address.partition("/studies/")[0]
    pages = {
        home: "Direction: MAXIMIZE",
        address: "which trial to take",
        f"{address}/trials?numbers=3": "Worst transfer",
        f"{address}/analytics": "Hyperparameter Relationships",
        f"{address}/note": "How to read this",
    }
    with browser.browsing(tmp_path) as chromium:
        for width in WIDTHS:
            for url, text in pages.items():
                chromium.open(url, width)
                chromium.wait_for(f"document.body.innerText.includes({json.dumps(text)})")
                assert chromium.value(WIDTH) <= width, url
                assert chromium.value(WRITING) == 0, url
                assert chromium.value(CUT) == 0, url
                assert "Failed to" not in chromium.text()
                assert chromium.console == []


@pytest.mark.browser
@pytest.mark.skipif(browser.CHROMIUM is None, reason="chromium is not installed")
def test_the_first_page_says_which_trial_to_take_and_why(address: str, confirmed: StudyConfig, tmp_path: Path) -> None:
    study = open_study(confirmed, create=False)
    verdict = html_report.gather(confirmed, study).verdict
    with browser.browsing(tmp_path) as chromium:
        chromium.open(address)
        chromium.wait_for("document.body.innerText.includes('Best Trial (number=')")
        chromium.wait_for("document.querySelectorAll('.gtitle').length >= 4")
        text = chromium.text()
        assert f"Best Trial (number={verdict.highest})" in text
        assert verdict.trials in text
        assert verdict.gains in text
        assert f"{in_percent(verdict.score or 0):g}" in text
        assert all(f"{each.name}: in" in text for each in study.best()[0].subset)
        titles = "[...document.querySelectorAll('.gtitle')].map(t => t.getBoundingClientRect().top"
        titles += " - t.closest('.js-plotly-plot').getBoundingClientRect().top)"
        assert min(chromium.value(titles)) >= 0, "no title is cut"
        beside = """[...document.querySelectorAll('.gtitle')].filter(title => {
            const bar = title.closest('.js-plotly-plot').querySelector('.modebar');
            return bar && bar.getBoundingClientRect().left < title.getBoundingClientRect().right }).length"""
        assert chromium.value(beside) == 0, "no title runs under the buttons beside it"


@pytest.mark.browser
@pytest.mark.skipif(browser.CHROMIUM is None, reason="chromium is not installed")
def test_in_dark_mode_no_figure_is_a_white_sheet(address: str, tmp_path: Path) -> None:
    figures = """[...document.querySelectorAll('.js-plotly-plot')].map(figure => {
        const light = !/rgb\\(17, 17, 17\\)/.test(figure.querySelector('.main-svg').getAttribute('style'));
        return light !== getComputedStyle(figure).filter.includes('invert') ? 'light' : 'dark' })"""
    switch = "document.querySelector('[aria-labelledby=\"switch-list-label-dark-mode\"]')"
    with browser.browsing(tmp_path) as chromium:
        for dark in (False, True):
            chromium.open(address, dark=dark)
            chromium.wait_for("document.querySelectorAll('.gtitle').length >= 4")
            assert set(chromium.value(figures)) == {"dark" if dark else "light"}
        chromium.value(f"{switch}.closest('[role=button], button, .MuiListItemButton-root').click()")
        chromium.wait_for(f"!{switch}.checked && {figures}.every(shade => shade === 'light')")


@pytest.mark.browser
@pytest.mark.skipif(browser.CHROMIUM is None, reason="chromium is not installed")
def test_the_buttons_would_be_there_without_us(confirmed: StudyConfig, tmp_path: Path) -> None:
    """What the test above looks for is what optuna-dashboard offers."""
    study, view = viewed(confirmed)
    with server.listening("127.0.0.1", 0) as listening, browser.browsing(tmp_path) as chromium:
        listening.set_app(guard.read_only(notes.installed().wsgi(view)))
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            chromium.open(f"http://127.0.0.1:{listening.server_port}/dashboard")
            chromium.wait_for(f"document.body.innerText.includes({json.dumps(study.name)})")
            assert chromium.value(WRITING) == 3
        finally:
            listening.shutdown()
            thread.join()
