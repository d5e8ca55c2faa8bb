"""What a study knows before it measures: published results, where they are about such studies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.config.schema import StudyFile, check
from search.config.study_config import StudyConfig, resolve_study
from search.planner import planner
from search.strategies.proposer import MeasuredSubset, Past
from search.surrogate.kernels import masks
from search.surrogate.prior_knowledge import has_precedent, prior_of
from search.surrogate.surrogate import Surrogate
from selector.transfer.predict import MeanGain

POOL = "afr,deu,fra,rus,hin,tur,fin,vie,ind,jpn,arb,zho"


def study(base: Any = "FacebookAI/xlm-roberta-base", source: str = "eng", k: Any = 4, **sections: Any) -> StudyConfig:
    file = Path.cwd() / "s.toml"
    document: dict[str, Any] = {"name": "s", "pool": {"languages": POOL, "source": source, "k": k}, **sections}
    return resolve_study(file, check(StudyFile, file, {**document, "model": {"base": base}}))


@pytest.mark.parametrize(
    ("base", "source", "known"),
    [
        ("FacebookAI/xlm-roberta-base", "eng", True),
        ("world", "eng", False),
        ({"kind": "fake"}, "eng", False),
        ("FacebookAI/xlm-roberta-base", "spa", False),
    ],
)
def test_published_results_are_for_real_encoders_fine_tuned_on_english(base: Any, source: str, known: bool) -> None:
    config = study(base, source)
    assert has_precedent(config.core, config.scope) is known
    assert ("published" in prior_of(config).given) is known
    names = [name for name, _ in planner(config).warm_start]
    assert ("predicted" in names[:1]) is known


def test_the_feature_is_the_expected_mean_gain_whatever_the_sizes() -> None:
    config = study(k=[1, 4])
    rng = np.random.default_rng(0)
    subsets = [config.space.random(rng) for _ in range(20)]
    assert len({len(subset) for subset in subsets}) > 1
    X = np.concatenate([masks(config.space, subsets), np.zeros((1, len(config.pool)))])
    expected = MeanGain(config.pool, config.tune, np.full(len(config.tune), 1 / len(config.tune)), "pos", alone=True)
    alone = [expected.value(list(config.space.indices(subset))) for subset in subsets]
    np.testing.assert_allclose(prior_of(config).given["published"](X)[:, 0], [*alone, 0.0], rtol=1e-9)


def test_a_prior_that_disagrees_loses_its_weight_and_one_that_agrees_is_followed() -> None:
    config = study()
    surrogate, space = Surrogate(prior_of(config)), config.space
    rng = np.random.default_rng(1)
    subsets = list(dict.fromkeys(space.random(rng) for _ in range(40)))
    gain = prior_of(config).given["published"](masks(space, subsets))[:, 0]
    quality = rng.normal(size=len(config.pool))
    own = np.array([quality[list(space.indices(subset))].sum() for subset in subsets])

    def weight(values: np.ndarray) -> float:
        seen = tuple(MeasuredSubset(subset, float(value)) for subset, value in zip(subsets, values, strict=True))
        fit = surrogate.fit(space, Past(seen, tuple((subset, "full") for subset in subsets)))
        return float(fit.weights.kernels[fit.kernels.names.index("published")])

    assert weight(gain) > 3 * weight(own)


def test_the_first_trial_is_what_is_predicted() -> None:
    config = study()
    first = planner(config)(0, Past())
    assert first is not None
    assert first.origin == "warm:predicted"
    again = planner(config)(1, Past((MeasuredSubset(first.subset, 0.5),), ((first.subset, "full"),)))
    assert again is not None
    assert again.subset != first.subset
