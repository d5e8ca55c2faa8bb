"""Intervals and p-values of a confirmation: Student's where one source of noise is alone, and at most nominal error."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from realign.score import Score, Tally
from search.confirmation.row_scores import RowScores, regressions, score_row
from search.confirmation.significance import NoiseVariance, NoisyEstimate, format_p, half_width, holm, student_interval

CODES = ("aaa", "bbb")
NOISE = st.tuples(st.floats(1e-9, 1.0), st.integers(1, 200)).map(lambda given: NoiseVariance(*given))


def score(correct: np.ndarray, units: int = 10) -> Score:
    """A run with these correct units, (languages, sentences)."""
    tallies = {code: Tally(tuple(row.tolist()), (units,) * len(row)) for code, row in zip(CODES, correct, strict=False)}
    return Score(0.0, {code: tally.value for code, tally in tallies.items()}, "", tallies)


def even(rates: list[int], sentences: int = 8) -> RowScores:
    """A row whose sentences are all alike, so that only seeds differ; correct units of ten for each seed."""
    return score_row([[score(np.full((1, sentences), rate))] for rate in rates])


def drawn(rng: np.random.Generator, seeds: int, shift: float, sentences: np.ndarray) -> RowScores:
    """A row with noise of seeds, and of sentences: (2, n), or (1, n) where they are translations of each other."""
    rates = 0.5 + shift * rng.normal(size=(seeds, 1, 1)) + np.repeat(sentences, 2 // len(sentences), axis=0)
    return score_row([[score(row)] for row in rng.binomial(10, np.clip(rates, 0, 1))])


# --- one source of noise: the textbook's values ---------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=2, max_size=12))
def test_where_only_seeds_differ_it_is_the_paired_t_test(pairs: list[tuple[int, int]]) -> None:
    mine, other = [a for a, _ in pairs], [b for _, b in pairs]
    differences = {a - b for a, b in pairs}
    estimate = (even(mine) - even(other)).estimate(["aaa"])
    assert estimate.value == pytest.approx(np.mean(mine) / 10 - np.mean(other) / 10, abs=1e-12)
    if len(differences) > 1:
        expected = stats.ttest_rel(np.array(mine) / 10, np.array(other) / 10)
        assert estimate.p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
        assert estimate.interval() == pytest.approx(tuple(expected.confidence_interval(0.95)), abs=1e-9)


def test_where_only_sentences_differ_it_is_the_paired_t_test_over_them() -> None:
    rng = np.random.default_rng(0)
    mine, other = rng.integers(0, 11, (2, 1, 30))
    for seeds in (1, 4):
        rows = [score_row([[score(row)]] * seeds) for row in (mine, other)]
        expected = stats.ttest_rel(mine[0] / 10, other[0] / 10)
        assert (rows[0] - rows[1]).estimate(["aaa"]).p == pytest.approx(expected.pvalue, rel=1e-6)


def test_half_widths_are_added_as_squares_by_hand() -> None:
    # Student's 97.5 % quantiles: 4.302653 with 2 degrees of freedom, 2.009575 with 49
    noise = (NoiseVariance(0.0004, 2), NoiseVariance(0.0009, 49))
    assert half_width(noise, 0.05) == pytest.approx(math.sqrt(4.302653**2 * 0.0004 + 2.009575**2 * 0.0009), rel=1e-6)
    low, high = NoisyEstimate(0.1, noise).interval()
    assert (high - low) / 2 == pytest.approx(half_width(noise, 0.05))
    assert (high + low) / 2 == pytest.approx(0.1)


def test_the_interval_of_plain_values_is_students() -> None:
    values = [0.1, 0.4, 0.2, 0.7]
    low, high = student_interval(values, 0.9)
    expected = stats.t.interval(0.9, 3, np.mean(values), stats.sem(values))
    assert (low, high) == pytest.approx(expected)
    assert student_interval([0.3], 0.9) == (0.3, 0.3)


def test_f1_is_left_out_run_by_run_where_totals_differ() -> None:
    """Deviations against a loop that leaves out one sentence after the other."""
    rng = np.random.default_rng(3)
    total = rng.integers(0, 7, (3, 20))
    correct = rng.binomial(total, 0.6)
    tallies = [Tally(tuple(c), tuple(t)) for c, t in zip(correct.tolist(), total.tolist(), strict=True)]
    measured = score_row([[Score(0.0, {}, "", {"aaa": tally})] for tally in tallies])
    without = [[np.delete(runs, j, axis=1).sum(axis=1) for runs in (correct, total)] for j in range(20)]
    mean = np.array([(right / whole).mean() for right, whole in without])  # (sentences,)
    (noise,) = measured.noise_of_sentences(["aaa"])
    assert noise == NoiseVariance(pytest.approx(19 / 20 * ((mean - mean.mean()) ** 2).sum()), 19)
    assert measured.mean(["aaa"]) == pytest.approx(np.mean([tally.value for tally in tallies]))


# --- what always holds ----------------------------------------------------------------------------------------------


@given(st.floats(-1, 1), st.lists(NOISE, min_size=1, max_size=3), st.sampled_from([0.1, 0.05, 0.01, 0.002]))
def test_an_interval_leaves_out_zero_exactly_where_p_is_small(
    value: float, noise: list[NoiseVariance], level: float
) -> None:
    estimate = NoisyEstimate(value, tuple(noise))
    low, high = estimate.interval(1 - level)
    if abs(estimate.p - level) > 1e-9:
        assert (low > 0 or high < 0) == (estimate.p < level)
    assert 0 <= estimate.p <= 1
    assert low <= value <= high
    assert estimate.p == NoisyEstimate(-value, tuple(noise)).p
    assert estimate.p_below == pytest.approx(1 - NoisyEstimate(-value, tuple(noise)).p_below)


@given(st.floats(0.01, 1), st.lists(NOISE, min_size=1, max_size=3), NOISE)
def test_more_noise_never_makes_anything_surer(value: float, noise: list[NoiseVariance], more: NoiseVariance) -> None:
    assert NoisyEstimate(value, (*noise, more)).p >= NoisyEstimate(value, tuple(noise)).p * (1 - 1e-9)


@given(st.integers(0, 99), st.permutations(range(5)), st.permutations(range(6)))
def test_the_order_of_seeds_and_of_sentences_means_nothing(seed: int, seeds: list[int], sentences: list[int]) -> None:
    correct = np.random.default_rng(seed).integers(0, 11, (2, 5, 2, 6))  # rows, seeds, languages, sentences
    moved = correct[:, seeds][..., sentences]
    (a, b), (c, d) = ([score_row([[score(run)] for run in row]) for row in rows] for rows in (correct, moved))
    assert (c - d).estimate(CODES).p == pytest.approx((a - b).estimate(CODES).p, rel=1e-9)
    assert (c - d).estimate(CODES).interval() == pytest.approx((a - b).estimate(CODES).interval())


def test_translated_sentences_are_one_sentence() -> None:
    """Two languages that agree in every sentence say no more of sentences than one of them."""
    correct = np.random.default_rng(0).integers(0, 11, (3, 1, 40))
    one = score_row([[score(run)] for run in correct])
    both = score_row([[score(np.repeat(run, 2, axis=0))] for run in correct])
    assert both.noise_of_sentences(CODES) == one.noise_of_sentences(["aaa"])
    assert both.estimate(CODES) == one.estimate(["aaa"])


def test_equal_rows_have_p_of_one_and_exact_differences_of_zero() -> None:
    same = even([3, 5, 4])
    assert (same - same).estimate(["aaa"]).p == 1.0
    assert (even([4, 4, 4]) - even([3, 3, 3])).estimate(["aaa"]).p == 0.0


def test_one_seed_with_one_sentence_says_nothing() -> None:
    estimate = (even([9], 1) - even([2], 1)).estimate(["aaa"])
    assert estimate.p == 1.0
    assert estimate.interval() == (-math.inf, math.inf)


def test_random_draws_on_one_seed_are_noise() -> None:
    """Several draws on a seed are compared one by one; on several seeds their means are."""
    fixed = even([5])
    draws = score_row([[score(np.full((1, 8), rate)) for rate in (3, 4, 2, 6, 3)]])
    expected = stats.ttest_1samp([0.2, 0.1, 0.3, -0.1, 0.2], 0.0)
    assert (fixed - draws).estimate(["aaa"]).p == pytest.approx(expected.pvalue, rel=1e-6)
    twice = score_row([[score(np.full((1, 8), rate)) for rate in pair] for pair in ((3, 4), (2, 6), (3, 3))])
    expected = stats.ttest_1samp([0.15, 0.1, 0.2], 0.0)
    assert (even([5, 5, 5]) - twice).estimate(["aaa"]).p == pytest.approx(expected.pvalue, rel=1e-6)


def test_more_seeds_make_narrower_intervals_on_average() -> None:
    rng = np.random.default_rng(7)
    widths = []
    for seeds in (2, 3, 5, 10, 20):
        spans = []
        for _ in range(60):
            sentences = 0.05 * rng.normal(size=(2, 30))
            row = drawn(rng, seeds, 0.05, sentences) - drawn(rng, seeds, 0.05, -sentences)
            low, high = row.estimate(CODES).interval()
            spans.append(high - low)
        widths.append(np.mean(spans))
    assert all(more < fewer for fewer, more in pairwise(widths))


# --- the level: rejections without a difference, and some with one ---------------------------------------------------


@pytest.mark.parametrize("seeds", [3, 5, 10, 20])
@pytest.mark.parametrize(("shift", "spread", "parallel"), [(0.06, 0.0, False), (0.0, 0.3, True), (0.04, 0.2, True)])
def test_no_difference_is_called_one_at_most_as_often_as_said(
    seeds: int, shift: float, spread: float, parallel: bool
) -> None:
    """Wide margins (four standard errors); studies/confirmation has 20,000 confirmations a cell."""
    rng = np.random.default_rng([seeds, round(100 * shift)])
    p = []
    for _ in range(300):
        apart = spread * rng.normal(size=(2, 1 if parallel else 2, 20))
        p.append((drawn(rng, seeds, shift, apart[0]) - drawn(rng, seeds, shift, apart[1])).estimate(CODES).p)
    for level in (0.05, 0.01, 0.002):
        assert np.mean(np.array(p) < level) <= level + 4 * math.sqrt(level / 300)
    assert np.mean(np.array(p) < 0.2) > 0.02, "it is not so careful that it never says anything"


def test_a_clear_gain_is_found_and_so_is_a_language_that_is_hurt() -> None:
    rng = np.random.default_rng(2)
    even_ones = np.zeros((2, 40))
    gain = even_ones + np.array([[0.2], [-0.15]])
    better, plain = drawn(rng, 8, 0.005, gain), drawn(rng, 8, 0.005, even_ones)
    assert (better - plain).estimate(["aaa"]).p < 0.001
    assert regressions(better, plain) == ["bbb"]
    assert regressions(plain, better) == ["aaa"]
    assert regressions(plain, plain) == []


# --- Holm, and how p is written ---------------------------------------------------------------------------------------


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


@given(st.floats(0, 1))
def test_a_written_p_never_splits_and_never_crosses_the_level(p: float) -> None:
    text = format_p(p)
    assert len(text.split()) == 1
    sign, number = text[1], float(text[2:])
    if sign == "<":
        assert p < number == 0.001
    else:
        assert sign == "="
        assert number == pytest.approx(p, rel=0.06)
        assert (number < 0.05) == (p < 0.05)


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (1.0, "p=1"),
        (0.32, "p=0.32"),
        (0.0321, "p=0.032"),
        (0.0499, "p=0.0499"),
        (0.001, "p=0.001"),
        (1e-9, "p<0.001"),
        (0.0, "p<0.001"),
    ],
)
def test_how_p_is_written(p: float, text: str) -> None:
    assert format_p(p) == text
