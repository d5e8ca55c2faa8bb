"""What a suggestion of the surrogate costs: `OMP_NUM_THREADS=1 python studies/search/cost.py`, processor time.

20 of 200 languages, after so many random trials: the first suggestion learns the weights, those after it reuse them, as
24 of 25 do in a search that long.
"""

from __future__ import annotations

import statistics
import time

from numpy.random import default_rng

from search.bench.problems.synthetic import Synthetic
from search.strategies.proposer import Past, generator
from search.surrogate.surrogate import Surrogate

TRIALS = (100, 500)
AGAIN = 5  # suggestions after the first


def main() -> None:
    problem, rng = Synthetic(200, 0.5, "good", 0), default_rng(0)
    subsets = list(dict.fromkeys(problem.space.random(rng) for _ in range(max(TRIALS))))
    seen = tuple(problem.measure(subset, "full", rng) for subset in subsets)
    begun = tuple((subset, "full") for subset in subsets)
    for trials in TRIALS:
        surrogate, spent = Surrogate(problem.side), list[float]()
        for position in range(trials, trials + 1 + AGAIN):
            before = time.process_time()
            surrogate(problem.space, Past(seen[:trials], begun[:trials]), generator(0, position))
            spent.append(time.process_time() - before)
        print(f"after {trials}: {spent[0]:.2f} s, then {statistics.median(spent[1:]):.2f} s")


if __name__ == "__main__":
    main()
