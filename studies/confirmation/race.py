"""What a race before the confirmation is worth, at equal cost, and whether intervals keep their level. No training.

A search by the surrogate leaves candidates. As it is: the three best by expectation on 8 fresh seeds each, and the
highest mean is exported. Race: the three best by expectation and the three by score race over 16 evaluations, and the
winner alone is measured on 8 further seeds. One evaluation has the noise of the search's.
"""

from __future__ import annotations

import argparse
import math
import statistics

import numpy as np
from numpy.random import Generator, default_rng

from search.bench.problems.synthetic import synthetic_problem
from search.bench.strategies import open_problem
from search.confirmation.race import last_one
from search.confirmation.significance import NoiseVariance, NoisyEstimate, student_interval
from search.strategies.proposer import Past
from search.surrogate.surrogate import Surrogate

TOP, SEEDS, AGAIN = 3, 8, 200
TABLE = "studies/tables/world-12.npz"


def searched(problem, draw: int, trials: int):
    """True scores of the candidates (first those by expectation), and the noise of one evaluation."""
    plan, seen, begun = problem.planner("surrogate", draw), [], []
    while len(seen) < trials:
        chosen = plan(len(seen), Past(tuple(seen), tuple(begun)))
        begun.append((chosen.subset, "full"))
        seen.append(problem.measure(chosen.subset, "full", default_rng([draw, len(seen)])))
    past = Past(tuple(seen), tuple(begun))
    expected = [subset for subset, _, _ in Surrogate(problem.side).recommend(problem.space, past)][:TOP]
    scored = sorted(past.values, key=lambda subset: -past.values[subset])[:TOP]
    found = list(dict.fromkeys([*expected, *scored]))
    return np.array([problem.score(problem.truth(subset)) for subset in found]), noise_of(problem)


def noise_of(problem) -> float:
    if hasattr(problem, "noise"):
        return problem.noise / (problem.best - problem.usual)
    runs = problem.table.values[problem.place["full"]].mean(axis=2)
    runs = runs[np.isfinite(runs).all(axis=1)]
    return float(np.sqrt(runs.var(axis=1, ddof=1).mean())) / (problem.best - problem.usual)


def chosen(truth, noise: float, rng: Generator) -> tuple[float, float, float]:
    """True score of what is exported: the first by expectation, the best of three, the winner of the race."""
    means = truth[:TOP] + noise / math.sqrt(SEEDS) * rng.normal(size=TOP)

    def measure(left, rounds):
        return {(each, number): truth[each] + noise * rng.normal() for each in left for number in rounds}

    return truth[0], truth[means.argmax()], truth[last_one(range(len(truth)), measure, (TOP - 1) * SEEDS)]


def worth(name: str, draws: int, trials: int) -> None:
    rows = []
    for draw in range(draws):
        problem = open_problem(TABLE, "", draw) if name == "table" else synthetic_problem(name, draw)
        truth, noise = searched(problem, draw, trials)
        rows.append(np.mean([chosen(truth, noise, default_rng([draw, again])) for again in range(AGAIN)], axis=0))
    first, three, race = np.array(rows).T
    low, high = student_interval((race - three).tolist(), 0.95)
    values = " | ".join(f"{each.mean():.3f}" for each in (first, three, race))
    ahead = f"{(race - three).mean():+.3f} ({low:+.3f} to {high:+.3f})"
    print(f"| {name}, {trials} trials | {draws} | {values} | {ahead} |", flush=True)


def level(spread: float, rounds: int = 20_000) -> None:
    """How often the 95 % interval of what is exported holds its truth; candidates differ by `spread` of the noise."""
    rng, held = default_rng(0), [0, 0]
    for _ in range(rounds):
        truth = spread * rng.normal(size=2 * TOP)
        runs = truth[:TOP, None] + rng.normal(size=(TOP, SEEDS))
        best = int(runs.mean(axis=1).argmax())
        held[0] += holds(runs[best], truth[best])

        def measure(left, numbers, truth=truth):
            return {(each, number): truth[each] + rng.normal() for each in left for number in numbers}

        winner = last_one(range(2 * TOP), measure, (TOP - 1) * SEEDS)
        held[1] += holds(truth[winner] + rng.normal(size=SEEDS), truth[winner])
    print(f"| {spread:g} | {held[0] / rounds:.1%} | {held[1] / rounds:.1%} |")


def holds(runs, truth: float) -> bool:
    noise = NoiseVariance(statistics.variance(runs.tolist()) / len(runs), len(runs) - 1)
    low, high = NoisyEstimate(float(runs.mean()), (noise,)).interval()
    return low <= truth <= high


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--problems", default="table,n20,n20-noisy,n60,n60-noisy")
    given = parser.parse_args()
    print("| difference of candidates, in noise | as it is | race |\n|---|---|---|")
    for each in (0.0, 0.5, 1.0):
        level(each)
    print("\n| problem | draws | first | best of three | race | race ahead by (95 %) |\n|---|---|---|---|---|---|")
    for each in given.problems.split(","):
        worth(each, given.draws, given.trials)
