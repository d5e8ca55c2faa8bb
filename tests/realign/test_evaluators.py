"""The fake evaluator and the wrappers around evaluators."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import rehearsal
from hypothesis import given, settings
from hypothesis import strategies as st

from realign.cache import cache_root, write_text
from realign.evaluators.fake import SPREAD, FakeEvaluator, Terms
from realign.evaluators.wrappers import Cached, Repeated
from realign.score import Evaluator, Fidelity, Look, Score, Stopped
from selector.errors import InputError
from selector.languages.language import parse_pool
from selector.languages.subset import Subset

POOL = parse_pool(list(rehearsal.POOL))
FULL = Fidelity(pairs=320, steps=10, examples=50)
SUBSETS = st.lists(st.sampled_from(POOL), max_size=5).map(Subset.of)


class Counted:
    """An evaluator that counts its calls."""

    def __init__(self, inner: Evaluator) -> None:
        self.inner = inner
        self.calls = 0

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        return self.inner.signature(subset, fidelity, seed)

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
        self.calls += 1
        return self.inner(subset, fidelity, seed, look)


@settings(max_examples=30, deadline=None)
@given(subset=SUBSETS, seed=st.integers(0, 1000))
def test_score_is_that_of_its_tallies_and_repeats(subset: Subset, seed: int) -> None:
    fake = FakeEvaluator(POOL, POOL)
    score = fake(subset, FULL, seed)
    assert score == FakeEvaluator(POOL, POOL)(subset, FULL, seed)
    assert score.signature == fake.signature(subset, FULL, seed)
    assert set(score.per_language) == set(rehearsal.POOL)
    for code, value in score.per_language.items():
        tally = score.tallies[code]
        assert value == tally.value
        assert len(tally.correct) == FULL.examples
        assert all(0 <= right <= units for right, units in zip(tally.correct, tally.total, strict=True))
    assert score.value == pytest.approx(np.mean(list(score.per_language.values())))


@settings(max_examples=20, deadline=None)
@given(subset=SUBSETS)
def test_without_noise_the_score_is_the_truth(subset: Subset) -> None:
    fake = FakeEvaluator(POOL, POOL, Terms(noise=0.0))
    score = fake(subset, FULL, 0)
    truth = fake.truth(subset)
    assert all(abs(score.per_language[code] - truth[code]) <= 0.5 / (20 * FULL.examples) + 1e-9 for code in truth)


def test_noise_has_the_size_it_says() -> None:
    fake = FakeEvaluator(POOL, POOL, Terms(noise=1.0))
    subset = Subset(POOL[:3])
    values = [fake(subset, FULL, seed).value for seed in range(200)]
    # the shift all languages share, plus the mean of ten half as large
    assert np.std(values) == pytest.approx(SPREAD * np.sqrt(1 + 0.25 / len(POOL)), rel=0.2)
    assert np.mean(values) == pytest.approx(np.mean(list(fake.truth(subset).values())), abs=0.015)


def test_optimum_beats_every_subset() -> None:
    fake = FakeEvaluator(POOL, POOL)
    best, value = fake.optimum(3)
    every = [float(np.mean(list(fake.truth(Subset(each)).values()))) for each in itertools.combinations(POOL, 3)]
    assert value == pytest.approx(max(every))
    assert np.mean(list(fake.truth(best).values())) == pytest.approx(value)
    assert value > max(every[:3])


def test_choice_matters_more_than_luck_and_none_is_worst() -> None:
    fake = FakeEvaluator(POOL, POOL)
    every = [np.mean(list(fake.truth(Subset(each)).values())) for each in itertools.combinations(POOL, 3)]
    assert np.mean(list(fake.truth(Subset()).values())) < np.mean(every)
    assert np.std(every) > 0.3 * SPREAD


def test_truth_of_a_language_does_not_depend_on_who_else_is_a_target() -> None:
    subset = Subset(POOL[:3])
    alone = FakeEvaluator(POOL, POOL[:1]).truth(subset)
    assert alone[POOL[0].code] == FakeEvaluator(POOL, POOL).truth(subset)[POOL[0].code]


def test_other_seed_split_and_terms_have_other_signatures() -> None:
    subset = Subset(POOL[:2])
    base = FakeEvaluator(POOL, POOL)
    signatures = [
        base.signature(subset, FULL, 0),
        base.signature(subset, FULL, 1),
        base.signature(Subset(POOL[:3]), FULL, 0),
        base.signature(subset, Fidelity(160, 10, 50), 0),
        FakeEvaluator(POOL, POOL, split="test").signature(subset, FULL, 0),
        FakeEvaluator(POOL, POOL[:2]).signature(subset, FULL, 0),
        FakeEvaluator(POOL, POOL, Terms(noise=0.1)).signature(subset, FULL, 0),
    ]
    assert len(set(signatures)) == len(signatures)


def test_a_stranger_is_refused() -> None:
    with pytest.raises(InputError, match="not in the pool: vie"):
        FakeEvaluator(POOL[:2], POOL)(Subset(POOL[-1:]), FULL, 0)


def test_cached_answers_the_same_without_work(tmp_path: Path) -> None:
    counted = Counted(FakeEvaluator(POOL, POOL))
    cached = Cached(counted, tmp_path)
    first = cached(Subset(POOL[:2]), FULL, 0)
    again = Cached(counted, tmp_path)(Subset(POOL[:2]), FULL, 0)
    assert counted.calls == 1
    assert (again, again.tallies, again.seconds) == (first, first.tallies, first.seconds)
    cached(Subset(POOL[:2]), FULL, 1)
    assert counted.calls == 2


@pytest.mark.parametrize("damage", ["", "{", "null", "[]", '{"signature": "other"}', "half"])
def test_a_damaged_cache_is_computed_again(tmp_path: Path, damage: str) -> None:
    cached = Cached(FakeEvaluator(POOL, POOL), tmp_path)
    first = cached(Subset(POOL[:2]), FULL, 0)
    (file,) = tmp_path.rglob("*.json")
    whole = file.read_text(encoding="utf-8")
    file.write_text(whole[: len(whole) // 2] if damage == "half" else damage, encoding="utf-8")
    assert cached(Subset(POOL[:2]), FULL, 0) == first
    assert json.loads(file.read_text(encoding="utf-8"))["signature"] == first.signature


def test_cache_root_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/shared")
    monkeypatch.delenv("REALINGO_CACHE", raising=False)
    assert cache_root() == Path("/shared/realingo")
    monkeypatch.setenv("REALINGO_CACHE", "/own")
    assert cache_root() == Path("/own")


def test_repeated_is_the_mean_over_seeds() -> None:
    fake = FakeEvaluator(POOL, POOL)
    subset = Subset(POOL[:3])
    runs = [fake(subset, FULL, seed) for seed in (5, 6, 7)]
    mean = Repeated(fake, 3)(subset, FULL, 5)
    assert mean.value == pytest.approx(np.mean([run.value for run in runs]))
    assert mean.signature == Repeated(fake, 3).signature(subset, FULL, 5)
    for code in rehearsal.POOL:
        assert mean.tallies[code].value == pytest.approx(mean.per_language[code])
    assert Repeated(fake, 1)(subset, FULL, 5) == runs[0]


def test_a_look_changes_no_score_and_can_end_a_run(tmp_path: Path) -> None:
    counted = Counted(FakeEvaluator(POOL, POOL))
    cached, subset = Cached(counted, tmp_path), Subset(POOL[:3])
    blind = cached(subset, FULL, 0)
    assert blind.course is None
    seen: list[Mapping[str, float]] = []

    def look(scores: Mapping[str, float]) -> bool:
        seen.append(scores)
        return False

    looked = cached(subset, FULL, 0, look)
    assert looked == blind
    assert looked.course == tuple(seen)
    assert len(seen) == 2
    assert all(each.keys() == blind.per_language.keys() for each in seen)
    assert counted.calls == 2  # what had been measured without looks says nothing of them

    with pytest.raises(Stopped) as stopped:  # answered from the file
        cached(subset, FULL, 0, lambda scores: True)
    assert stopped.value.score.per_language == seen[0]
    assert stopped.value.score.signature == f"{blind.signature}/look-1"
    assert cached(subset, FULL, 0) == blind
    assert counted.calls == 2

    with pytest.raises(Stopped):  # what was stopped leaves nothing behind
        cached(subset, FULL, 1, lambda scores: True)
    assert cached.cached_score(subset, FULL, 1) is None


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "a.json", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a.json", "half \udc80")
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
