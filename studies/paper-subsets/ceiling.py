"""The rank correlation that nobody can pass: noise of the published means of NER, and their spread at ten languages.

python studies/paper-subsets/ceiling.py
"""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr

from selector.transfer import predict, published

DRAWS = 4_000
SIZE = 10
# One list of ten was run twice by the authors, under two names; its mean F1 over all languages differs by so much.
TWIN_DIFFERENCE = 0.93


def ceiling(spread: float, noise: float, lists: int) -> tuple[float, float, float]:
    """Rank correlation of true means with means as measured: its average, and where 90 % of tables of `lists` lie.

    `spread` is the standard deviation of the measured means, `noise` that of their errors, both in points.
    """
    rng = np.random.default_rng(0)
    truth = rng.normal(0.0, np.sqrt(max(spread**2 - noise**2, 0.0)), (DRAWS, lists))
    measured = truth + rng.normal(0.0, noise, (DRAWS, lists))
    found = [spearmanr(a, b).statistic for a, b in zip(truth, measured, strict=True)]
    low, high = np.quantile(found, [0.05, 0.95])
    return float(np.mean(found)), float(low), float(high)


def main() -> None:
    """Print the spread of the means, their noise by three ways of reckoning, and what each leaves to be predicted."""
    results = published.load_published("ner", predict.SOURCE)
    tens = results.single & (results.sizes == SIZE)
    gain, variance = results.gain[tens], results.variance[tens]
    spread = float(gain.mean(axis=1).std(ddof=1))
    print(f"NER, {len(gain)} lists of {SIZE}: the mean gains have a standard deviation of {spread:.2f} points")
    for how, noise in {
        "errors of languages independent": float(np.sqrt(variance.mean() / gain.shape[1])),
        "the list that was run twice": TWIN_DIFFERENCE / np.sqrt(2),
        "one error for all languages": float(np.sqrt(variance).mean()),
    }.items():
        mean, low, high = ceiling(spread, noise, len(gain))
        print(f"  {how}: noise of a mean {noise:.2f}, rank correlation at most {mean:.2f} ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
