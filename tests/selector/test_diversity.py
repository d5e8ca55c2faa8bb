"""Measures of diversity: against their definitions, term by term, and against random subsets."""

from itertools import combinations
from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selector.diversity import SubsetMeasures, diversity
from selector.languages.language import parse, parse_pool
from selector.problem import pose
from selector.strategy import feature_matrix

PROBLEM = pose(parse_pool("world"), 4, "syntactic", parse("eng"))
YARDSTICK = SubsetMeasures(PROBLEM)
N = len(PROBLEM.frame)
subsets = st.lists(st.integers(0, N - 1), min_size=2, max_size=9, unique=True)


def entropy(labels):
    shares = [labels.count(label) / len(labels) for label in set(labels)]
    return -sum(share * log2(share) for share in shares)


def by_definition(chosen):
    """Every measure written out as its definition says it."""
    d, x = PROBLEM.distances.matrix, feature_matrix(PROBLEM.frame)
    languages = [PROBLEM.frame[i] for i in chosen]
    pairs = list(combinations(chosen, 2))
    columns = [[x[i, f] for i in chosen] for f in range(x.shape[1])]
    near = [min(d[target, i] for i in chosen) for target in range(N)]
    values = sum(len(set(x[:, f])) for f in range(x.shape[1]))
    return {
        "mean_pairwise": np.mean([d[i, j] for i, j in pairs]),
        "min_pairwise": min(d[i, j] for i, j in pairs),
        "families": len({each.family for each in languages}),
        "family_entropy": entropy([each.family for each in languages]),
        "genera": len({each.genus for each in languages}),
        "genus_entropy": entropy([each.genus for each in languages]),
        "scripts": len({each.script for each in languages}),
        "script_entropy": entropy([each.script for each in languages]),
        "entropy": np.mean([entropy(column) for column in columns]),
        "feature_inclusion": sum(len(set(column)) for column in columns) / values,
        "feature_overlap": np.mean([np.mean(x[i] == x[j]) for i, j in pairs]),
        "nearest": np.mean(near),
        "coverage_radius": max(near),
        "source_distance": np.mean([PROBLEM.to_source[i] for i in chosen]),
        "observed": np.mean([PROBLEM.distances.observed[i] for i in chosen]),
    }


@settings(max_examples=25, deadline=None)
@given(subsets)
def test_every_measure_equals_its_definition(chosen):
    found, due = YARDSTICK.measures(chosen), by_definition(chosen)
    assert set(found) == set(due)
    for name, value in due.items():
        assert found[name] == pytest.approx(value, abs=1e-6), name


@settings(max_examples=15, deadline=None)
@given(subsets, st.randoms(use_true_random=False))
def test_order_of_the_chosen_never_matters(chosen, random):
    shuffled = random.sample(chosen, len(chosen))
    assert YARDSTICK.measures(chosen) == YARDSTICK.measures(shuffled)


def test_overlap_does_not_depend_on_the_order_of_features():
    """The running average of typdiv-sampling's evaluator does."""
    whole = YARDSTICK.measures([0, 5, 9])["feature_overlap"]
    turned = SubsetMeasures(PROBLEM)
    turned.__dict__["_features"] = YARDSTICK._features[:, ::-1]
    assert turned.measures([0, 5, 9])["feature_overlap"] == pytest.approx(whole)


def test_one_language_has_no_pair_and_without_a_source_there_is_no_distance_to_it():
    alone = diversity(PROBLEM, [3])
    assert (alone["mean_pairwise"], alone["min_pairwise"], alone["feature_overlap"]) == (None, None, None)
    assert (alone["family_entropy"], alone["entropy"]) == (0.0, 0.0)
    orphan = SubsetMeasures(pose(parse_pool("deu,tur,jpn"), 2))
    assert orphan.measures([0, 1])["source_distance"] is None
    assert orphan.percentiles([0, 1])["source_distance"] is None


def test_counts_are_whole_numbers():
    found = YARDSTICK.measures([1, 2, 3])
    assert all(type(found[name]) is int for name in ("families", "genera", "scripts"))


def test_random_subsets_are_uniform_seeded_and_of_the_size():
    drawn = YARDSTICK._draw(4)
    assert drawn.shape == (1000, 4)
    assert all(len(set(row)) == 4 for row in drawn.tolist())
    share = np.bincount(drawn.ravel(), minlength=N) / 1000
    assert np.abs(share - 4 / N).max() < 0.05  # more than four standard errors
    assert (SubsetMeasures(PROBLEM, 0)._draw(4) == drawn).all()
    assert (SubsetMeasures(PROBLEM, 1)._draw(4) != drawn).any()


def test_percentiles_rank_among_random_subsets():
    ends = {}
    for name in ("mean_pairwise", "entropy"):
        values = YARDSTICK.random(4)[name]
        draws = YARDSTICK._draw(4)
        ends[name] = [YARDSTICK.percentiles(draws[i])[name] for i in (values.argmin(), values.argmax())]
    assert all(low < 0.5 and high > 99.5 for low, high in ends.values())


def test_the_whole_frame_ties_with_every_subset_of_its_size():
    assert set(YARDSTICK.percentiles(range(N)).values()) == {50.0}


def test_large_problems_draw_fewer_subsets():
    assert YARDSTICK.count(4) == 1000
    assert YARDSTICK.count(100_000) == 20
