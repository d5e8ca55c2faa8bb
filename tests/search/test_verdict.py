"""What a study found is said once, and in the same words wherever it is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import rehearsal

from realign.score import Score
from search.commands import search as run
from search.confirmation import confirm, confirm_table
from search.confirmation.choice import stale_parts
from search.confirmation.confirm_file import ConfirmationFile
from search.confirmation.recommend import Recommender
from search.confirmation.verdict import FAKE_SCORES, Verdict, luck_in_words, verdict
from search.dashboard import notes
from search.report import html_report
from search.results.confirmation import Confirmation, ConfirmedRow, Luck, Race
from search.results.estimates import Difference, Interval
from search.study.study import Study, open_study
from search.study.trial import Trial
from search.terminal import out
from selector.languages.subset import Subset

pytestmark = pytest.mark.usefixtures("own_cache")


def difference(value: float, p: float) -> Difference:
    return Difference(value, Interval(value - 0.01, value + 0.01), p, p)


def row(name: str, mean: float, *languages: str, p: tuple[float, float, float] = (0.01, 0.5, 0.5)) -> ConfirmedRow:
    """A confirmed row; `p` against none, all, and random."""
    gains = [difference(0.02, each) for each in p]
    ends = Interval(mean - 0.01, mean + 0.01)
    return ConfirmedRow(
        name, languages, mean, ends, 0.01, 3, {}, "s", vs_none=gains[0], vs_all=gains[1], vs_random=gains[2]
    )


def confirmation(*rows: ConfirmedRow) -> Confirmation:
    luck = Luck(0.5, 0.5, 0.0)
    baselines = [row(name, 0.3) for name in ("all", "none", "random-k")]
    every = (*rows, *baselines)
    return Confirmation("trial", "today", "mean", (), ("kaz", "tel"), "test", (1,), {}, {}, "", luck, every)


def searched(folder: Path, *values: float, strategy: str = "swap") -> Study:
    """A study whose trial n holds the languages n to n + 2 of the pool and has the n-th value."""
    config = rehearsal.study(folder, strategy=strategy)
    study = open_study(config, create=True)
    for number, value in enumerate(values):
        trial = study.begin(Subset(config.pool[number : number + 3]), "swap", number, {})
        study.finish(trial, Score(value, {}, "s"), value)
    return study


class Preference(Recommender):
    """A recommender that prefers one trial, whatever was measured."""

    def __init__(self, study: Study, number: int) -> None:
        super().__init__(study)
        self.number = number

    def top(self, count: int = 1) -> list[Trial]:
        return [self.study.trials()[self.number]]


def codes(study: Study, number: int) -> tuple[str, ...]:
    return study.trials()[number].subset.codes


def test_before_the_confirmation_nothing_is_confirmed(tmp_path: Path) -> None:
    study = searched(tmp_path, 0.4, 0.6, 0.5)
    found = verdict(Recommender(study), None)
    says = "rial 1 scored highest in the search; nothing is confirmed on fresh seeds yet."
    assert found.sentence == f"{FAKE_SCORES}: t{says}"
    assert replace(found, fake=False).sentence == f"T{says}"
    assert Verdict().sentence == "No trial has finished yet."


def test_the_trial_that_the_model_prefers_is_told_apart(tmp_path: Path) -> None:
    study = searched(tmp_path, 0.4, 0.6, 0.5, strategy="surrogate")
    taken = confirmation(row("best", 0.5, *codes(study, 2)))
    found = verdict(Preference(study, 2), taken)
    assert found.trials.endswith(
        "trial 1 scored highest in the search; the model expected more of trial 2; confirmed on fresh seeds: trial 2."
    )
    assert "the model expects more of trial 2" in verdict(Preference(study, 2), None).sentence
    since = verdict(Preference(study, 0), taken)
    assert since.trials.endswith("fresh seeds: trial 2; trial 0 is ahead since then and is not confirmed.")


def test_a_race_before_the_confirmation_is_told_of_its_winner_alone(tmp_path: Path) -> None:
    study = searched(tmp_path, 0.4, 0.6)
    raced = replace(
        confirmation(row("best", 0.5, *codes(study, 1)), row("max-sum", 0.4, *codes(study, 0))), race=Race(4, 10)
    )
    found = verdict(Recommender(study), raced)
    told = "and was confirmed on fresh seeds, the winner of a race of 4 candidates on other seeds."
    assert found.trials.endswith(f"trial 1 scored highest in the search {told}")
    assert "race" not in verdict(Recommender(study), raced, "max-sum").sentence


def test_a_trial_that_lost_the_race_is_not_called_ahead(tmp_path: Path) -> None:
    study = searched(tmp_path, 0.4, 0.6, 0.5, strategy="surrogate")
    raced = replace(
        confirmation(row("best", 0.5, *codes(study, 2))), race=Race(2, 10, (codes(study, 2), codes(study, 0)))
    )
    assert verdict(Preference(study, 0), raced).ahead is None
    assert "ahead" not in verdict(Preference(study, 0), raced).sentence
    assert stale_parts(study.config.space, study.config.held_out, raced, study.trials()[0]) == []
    assert verdict(Preference(study, 1), raced).ahead == 1


def test_a_subset_that_nobody_measured_in_the_search_has_no_number(tmp_path: Path) -> None:
    study = searched(tmp_path, 0.4)
    far = tuple(language.code for language in study.config.pool[-3:])
    taken = confirmation(row("best", 0.4, *codes(study, 0)), row("max-sum", 0.5, *far))
    found = verdict(Recommender(study), taken)
    assert found.row is not None
    assert found.row.name == "max-sum"
    assert found.trials.endswith("confirmed on fresh seeds: the subset that max-sum chose without measuring.")


@pytest.mark.parametrize(
    ("p", "says"),
    [
        (
            (0.01, 0.5, 0.5),
            "+2.0 points against no realignment; no evidence of a gain over all languages or random languages of the "
            "same size",
        ),
        ((0.5, 0.01, 0.01), "no evidence of a gain over no realignment"),
        ((0.9, 0.9, 0.9), "No evidence of a gain over no realignment, all languages or random languages"),
    ],
)
def test_what_is_no_gain_is_said_in_the_title(tmp_path: Path, p: tuple[float, float, float], says: str) -> None:
    study = searched(tmp_path, 0.4)
    found = verdict(Recommender(study), confirmation(row("best", 0.4, *codes(study, 0), p=p)))
    assert says.lower() in found.title({}).lower()
    assert says in found.sentence


def test_all_places_say_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Report, dashboard, export with its card, `status` in both forms, and the last line of `confirm`."""
    path = rehearsal.write(tmp_path / "study", trials=5, strategy="surrogate")
    assert rehearsal.realingo("search", path) == 0
    before = capsys.readouterr()
    assert "nothing is confirmed on fresh seeds yet" in before.out
    assert before.err.splitlines()[-1] == f"next: realingo confirm {path}"

    assert rehearsal.realingo("confirm", path) == 0
    confirmed = capsys.readouterr()
    sentence = confirmed.out.splitlines()[-1]
    assert "trial " in sentence
    assert confirmed.err.splitlines()[-1] == f"next: realingo report {path}"

    assert rehearsal.realingo("report", path) == 0
    assert capsys.readouterr().err.splitlines()[-1] == f"next: realingo export {path} -o study-export"
    assert rehearsal.realingo("export", path, "-o", tmp_path / "out") == 0
    exported = capsys.readouterr()
    assert sentence in exported.out
    assert exported.err.splitlines()[-1] == f"next: name an encoder in model.base, then realingo check {path}"
    assert json.loads((tmp_path / "out" / "subset.json").read_text(encoding="utf-8"))["verdict"] == sentence
    assert sentence in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")

    assert rehearsal.realingo("status", path) == 0
    assert sentence in capsys.readouterr().out
    assert rehearsal.realingo("status", path, "--json") == 0
    answer = capsys.readouterr()
    assert json.loads(answer.out)["verdict"] == sentence
    assert answer.err == "", "--json suggests nothing"

    from search.config.study_config import load

    config = load(path)
    story = html_report.gather(config, open_study(config, create=False))
    assert sentence.startswith(story.verdict.trials)
    assert story.verdict.trials in html_report.render(story)
    assert story.verdict.trials in notes.study_note(story)
    assert story.verdict.gains in story.headline


def test_the_next_command_repeats_what_was_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = rehearsal.write(tmp_path, trials=2)
    assert rehearsal.realingo("search", path, "--set", "search.storage=my trial.journal") == 0
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"next: realingo confirm {path} --set 'search.storage=my trial.journal'"
    )


def test_the_same_subset_under_two_names_is_one_row(tmp_path: Path) -> None:
    """In what people read; confirm.json keeps both, as it always did."""
    study = searched(tmp_path, 0.4, 0.3)
    same = codes(study, 0)
    twice = confirmation(row("best", 0.4, *same), row("best-2", 0.3, *codes(study, 1)), row("family", 0.4, *same))
    assert [each.name for each in twice.distinct] == ["best", "best-2", "all", "none", "random-k"]
    assert twice.other_names(twice.best) == ("family",)
    assert len(twice.to_json()["rows"]) == 6
    with out.capture() as shown:
        out.print(confirm_table.render(twice, Verdict()))
    assert "best = family" in shown.get()
    assert html_report._labels(twice, 3)["best"] == "Best of the search (also family)"


@pytest.mark.parametrize(
    ("search", "fresh", "says"),
    [
        (0.575, 0.55, "Winner's luck: 2.5 points of"),
        (0.55, 0.575, "No winner's luck: the best subset scored 2.5 points more on fresh seeds"),
        (0.55, 0.55, "No winner's luck: the best subset scored as much on fresh seeds"),
    ],
)
def test_luck_has_one_sign(search: float, fresh: float, says: str) -> None:
    said = luck_in_words(Luck(search, fresh, search - fresh))
    assert said.startswith(says)
    assert f"{100 * search:.1f} % in the search" in said


def test_scores_are_told_in_percent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = rehearsal.study(tmp_path, trials=4)
    run.search(config)
    best = run.status(config).best
    assert best is not None
    assert f"best so far {100 * (best.value or 0):.1f} % with" in capsys.readouterr().err
    with out.capture() as shown:
        out.print(run.render_status(run.status(config)))
    assert f"{100 * (best.value or 0):.1f} %" in shown.get()
    assert f"{best.value:.4f}" not in shown.get()


def test_a_damaged_confirmation_does_not_hide_how_the_search_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = rehearsal.study(tmp_path, trials=3)
    run.search(config)
    confirm.confirm(config, top=1, seeds=1)
    assert run.status(config).confirmed is not None
    (config.folder / "confirm.json").write_text("{", encoding="utf-8")
    capsys.readouterr()
    assert run.status(config).confirmed is None
    assert "confirm.json cannot be read" in capsys.readouterr().err


def test_what_confirm_answers_is_what_its_file_says(tmp_path: Path) -> None:
    config = rehearsal.study(tmp_path, trials=4)
    run.search(config)
    file = ConfirmationFile(open_study(config, create=False))
    assert file.load() is None
    made = confirm.confirm(config, top=1, seeds=2)
    assert file.load() == made
    assert Confirmation.from_json(made.to_json()) == made


def test_a_subset_that_has_no_other_of_its_size_beside_it_gains_nothing_over_random_ones(tmp_path: Path) -> None:
    """Of ten languages all ten: there is one subset, and every row with languages holds it."""
    config = rehearsal.study(tmp_path, trials=1, k=len(rehearsal.POOL))
    run.run(config)
    found = confirm.confirm(config, top=1, seeds=2)
    told = verdict(Recommender(open_study(config, create=False)), found)
    assert told.gains.endswith(
        "; the same scores on every sentence as all languages and random languages of the same size"
    )
    assert [each.verdict for each in told.comparisons[1:]] == ["the same", "the same"]
    assert "no evidence" not in told.sentence
    with out.capture() as captured:
        out.print(confirm_table.render(found, told))
    assert "the same" in captured.get()
