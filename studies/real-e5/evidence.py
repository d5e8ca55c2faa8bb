"""What the evaluations of studies/gpu/results say about languages, as printed in README.md.

python studies/real-e5/evidence.py            # prints
python studies/real-e5/evidence.py --table    # writes studies/tables/e5.npz as well
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from realign.evaluators.table import ScoreTable

HERE = Path(__file__).parent
RESULTS = HERE.parent / "gpu" / "results"
FILES = ("recipes", "tunings", "twelve", "screen", "nine")
UNSTEADY = {"cmn", "jpn", "heb", "cop", "tam"}  # targets on which seeds alone move the score by 2 points or more
NINE = "word-100, b32-2e-4-800"
DRAWS = 10_000


@dataclass(frozen=True)
class Run:
    """One evaluation, scores in percent."""

    recipe: str
    codes: tuple[str, ...]
    seed: int
    dev: dict[str, float]  # English and the pool
    test: dict[str, float]  # the pool and the held-out languages


def read(name: str) -> list[Run]:
    """All runs of one file of results."""
    with np.load(RESULTS / f"{name}.npz", allow_pickle=False) as arrays:
        about = json.loads(str(arrays["about"]))
        dev, test = 100 * arrays["tune"], 100 * arrays["test"]
    ours, theirs = about["languages"]["tune"], about["languages"]["test"]
    return [
        Run(
            recipe,
            tuple(codes),
            seed,
            dict(zip(ours, a.tolist(), strict=True)),
            dict(zip(theirs, b.tolist(), strict=True)),
        )
        for (recipe, codes, seed), a, b in zip(about["jobs"], dev, test, strict=True)
    ]


def measures(run: Run) -> dict[str, float]:
    """Means over groups of targets."""
    pool = [code for code in run.dev if code != "eng"]
    held = [code for code in run.test if code not in run.dev]
    steady = [code for code in pool if code not in UNSTEADY]
    worst = sorted(run.dev[code] for code in pool)[: len(pool) // 3]
    return {
        "English": run.dev["eng"],
        "pool, dev": float(np.mean([run.dev[code] for code in pool])),
        "steady, dev": float(np.mean([run.dev[code] for code in steady])),
        "worst third, dev": float(np.mean(worst)),
        "pool, test": float(np.mean([run.test[code] for code in pool])),
        "steady, test": float(np.mean([run.test[code] for code in steady])),
        "held out, test": float(np.mean([run.test[code] for code in held])),
    }


def column(runs: Sequence[Run], name: str) -> np.ndarray:
    return np.array([measures(run)[name] for run in runs])


def describe(title: str, runs: Sequence[Run], names: Sequence[str]) -> None:
    parts = [f"{name} {column(runs, name).mean():.2f} ± {column(runs, name).std(ddof=1):.2f}" for name in names]
    print(f"  {title:40} {len(runs):3} runs: {'; '.join(parts)}")


def pace() -> None:
    """Evaluations an hour of each call on the GPU, and what each recipe came to."""
    for name in FILES:
        with np.load(RESULTS / f"{name}.npz", allow_pickle=False) as arrays:
            times = json.loads(str(arrays["about"]))["times"]
        jobs, spent = sum(each["jobs"] for each in times), sum(each["seconds"] for each in times)
        print(f"{name}: {jobs} evaluations in {spent:.0f} s, {3600 * jobs / spent:.0f} an hour")
        runs = read(name)
        for recipe in dict.fromkeys(run.recipe for run in runs):
            describe(recipe, [run for run in runs if run.recipe == recipe], ("English", "pool, dev", "held out, test"))


def twelve() -> None:
    """The first recipe: 112 subsets of three of twelve languages, one run each, and how much their members explain."""
    runs = read("twelve")
    three = [run for run in runs if len(run.codes) == 3]
    names = ("English", "pool, dev", "steady, dev", "pool, test", "held out, test")
    print("\ntwelve: 400 steps of 16 sentences at 2e-4, sentence loss, 100 steps of 32 pairs")
    for title, some in (
        ("no realignment", [run for run in runs if not run.codes]),
        ("all twelve", [run for run in runs if len(run.codes) == 12]),
        ("subsets of three", three),
    ):
        describe(title, some, names)
    pool = sorted({code for run in three for code in run.codes})
    member = np.array([[code in run.codes for code in pool] for run in three], dtype=float)
    for name in names[1:]:
        found = explained(member, column(three, name))
        print(f"  {name}: members explain {100 * found:.0f} % of the variance on subsets left out")
    none = [run for run in runs if not run.codes]
    apart = {code: float(np.std([run.dev[code] for run in none], ddof=1)) for code in none[0].dev}
    most = sorted(apart.items(), key=lambda each: -each[1])[:7]
    print("  spread of seeds without realignment, dev:", ", ".join(f"{code} {value:.1f}" for code, value in most))


def explained(X: np.ndarray, y: np.ndarray) -> float:
    """R² of a ridge regression on each row left out, at the best of three penalties. X [n, p], y [n]."""
    found = []
    centred = np.column_stack([np.ones(len(y)), X - X.mean(0)])
    for penalty in (1.0, 10.0, 100.0):
        weights = np.diag([0.0] + [penalty] * X.shape[1])
        hat = centred @ np.linalg.solve(centred.T @ centred + weights, centred.T)
        found.append(1 - (((y - hat @ y) / (1 - np.diag(hat))) ** 2).mean() / y.var())
    return float(max(found))


def orders() -> None:
    """Each order and loss against no realignment with the same fine-tuning (fp32 there; its noise is the same)."""
    names = ("pool, dev", "steady, dev", "pool, test", "held out, test")
    runs = read("screen")
    none = [run for run in runs if run.recipe == "fp32"]
    print("\nscreen: order and loss, three named subsets of six and all 24, four seeds each, against no realignment")
    describe("no realignment, fp32", none, names)
    for recipe in dict.fromkeys(run.recipe for run in runs if run.codes):
        some = [run for run in runs if run.recipe == recipe]
        print(f"  {recipe:24}", "; ".join(f"{name} {welch(column(some, name), column(none, name))}" for name in names))
        groups = [
            column([run for run in some if run.codes == codes], "steady, dev") for codes in {r.codes for r in some}
        ]
        print(f"  {'':24} subsets differ, steady, dev: p={stats.f_oneway(*groups).pvalue:.4f}")
    print("\nscreen: no realignment, ways to fine-tune, eight seeds")
    for recipe in dict.fromkeys(run.recipe for run in runs if not run.codes):
        describe(recipe, [run for run in runs if run.recipe == recipe], ("English", *names))


def welch(some: np.ndarray, others: np.ndarray) -> str:
    """Difference of means with its 95 % interval."""
    low, high = stats.ttest_ind(some, others, equal_var=False).confidence_interval()
    return f"{some.mean() - others.mean():+.2f} ({low:+.2f} to {high:+.2f})"


def nine() -> None:
    """Do subsets differ? The same subset on two seeds: what the two scores share is the subset's own."""
    runs, none = read("nine"), [run for run in read("screen") if run.recipe == "b32-2e-4-800"]
    by: dict[tuple[str, ...], dict[int, Run]] = defaultdict(dict)
    for run in runs:
        by[run.codes][run.seed] = run
    three = [run for run in runs if len(run.codes) == 3]
    twice = [(pair[0], pair[1]) for codes, pair in by.items() if len(codes) == 3 and len(pair) == 2]
    print(f"\nnine: {len({run.codes for run in three})} subsets of three of nine, {len(twice)} of them on two seeds")
    for name in measures(runs[0]):
        first, second = (column([pair[place] for pair in twice], name) for place in (0, 1))
        low, high = _interval(first, second)
        own, noise = first.std(ddof=1) * np.sqrt(max(0.0, high)), np.sqrt(((first - second) ** 2).mean() / 2)
        top = np.argsort(-first)[: max(1, len(first) // 8)]
        gain = second[top].mean() - second.mean()
        print(
            f"  {name:18} two seeds correlate {np.corrcoef(first, second)[0, 1]:+.2f} ({low:+.2f} to {high:+.2f}); "
            f"noise of a seed {noise:.2f}, subsets' own at most {own:.2f}; the best eighth on one seed "
            f"has {gain:+.2f} ± {second.std(ddof=1) / np.sqrt(len(top)):.2f} on the other"
        )
        print(f"  {'':18} subsets − none {welch(column(three, name), column(none, name))}")
    for size in (9, 24):
        describe(
            f"all {size}",
            [run for run in runs if len(run.codes) == size],
            ("pool, dev", "steady, dev", "held out, test"),
        )
    print("\nnine: languages whose test score realignment moves (Welch over runs, after Holm over 32)")
    shifts = [(code, [r.test[code] for r in three], [r.test[code] for r in none]) for code in runs[0].test]
    p = [stats.ttest_ind(a, b, equal_var=False).pvalue for _, a, b in shifts]
    for rank, place in enumerate(np.argsort(p)):
        if p[place] * (len(p) - rank) > 0.05:
            break
        code, a, b = shifts[place]
        print(f"  {code} {welch(np.array(a), np.array(b))}")


def members() -> None:
    """What realigning on a language does for itself, for the rest of the pool and for held-out languages; freezing."""
    three = [run for run in read("nine") if len(run.codes) == 3]
    none = [run for run in read("screen") if run.recipe == "b32-2e-4-800"]
    nine = sorted({code for run in three for code in run.codes})
    rest = sorted(set(three[0].dev) - {"eng", *nine})
    start = {code: float(np.mean([run.dev[code] for run in none])) for code in (*nine, *rest)}

    def gain(run: Run, codes: Sequence[str]) -> float:
        return float(np.mean([run.dev[code] - start[code] for code in codes]))

    print(f"\nmembers: gain over no realignment, dev, {len(three)} runs of three of nine")
    own = np.array([gain(run, run.codes) for run in three])
    other = np.array([gain(run, [code for code in nine if code not in run.codes]) for run in three])
    base = np.array([gain(run, nine) for run in none])
    print(f"  members {welch(own, base)}; the other six of the nine {welch(other, base)}")
    apart = stats.ttest_1samp(own - other, 0.0).confidence_interval()
    told = f"{(own - other).mean():+.2f} ({apart.low:+.2f} to {apart.high:+.2f})"
    print(f"  members less the other six, in the same run {told}")
    far = np.array([gain(run, rest) for run in three])
    print(f"  the other {len(rest)} of the pool {welch(far, np.array([gain(run, rest) for run in none]))}")
    recipes = read("recipes")
    frozen, whole = (
        [run for run in recipes if run.recipe == name and run.codes] for name in ("before-lower-frozen", "before")
    )
    print("\nlower half frozen less whole, sentence loss before 400 steps of 16 sentences at 5e-4")
    for name in ("pool, dev", "steady, dev", "held out, test"):
        print(f"  {name:18} {welch(column(frozen, name), column(whole, name))}; {len(frozen)} and {len(whole)} runs")


def _interval(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """95 % interval of the correlation, by drawing subsets with replacement."""
    chance = np.random.default_rng(0)
    rows = chance.integers(len(first), size=(DRAWS, len(first)))
    found = [np.corrcoef(first[row], second[row])[0, 1] for row in rows]
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def write_table() -> None:
    """All runs in one table of the kind that `realign.evaluators.table` reads: development scores of the pool."""
    runs = [run for name in FILES for run in read(name)]
    recipes = list(dict.fromkeys(run.recipe for run in runs))
    subsets = sorted({tuple(sorted(run.codes)) for run in runs}, key=lambda codes: (len(codes), codes))
    targets = [code for code in runs[0].dev if code != "eng"]
    seeds = 1 + max(run.seed for run in runs)
    values = np.full((len(recipes), len(subsets), seeds, len(targets)), np.nan, np.float32)
    for run in runs:
        row = subsets.index(tuple(sorted(run.codes)))
        values[recipes.index(run.recipe), row, run.seed] = [run.dev[code] / 100 for code in targets]
    settings, seconds = {}, {}
    for name in FILES:
        with np.load(RESULTS / f"{name}.npz", allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
        for group in about["times"]:
            settings[group["recipe"]] = about["recipes"][group["recipe"]]
            seconds[group["recipe"]] = group["seconds"] / group["jobs"]
    about = {
        "encoder": "multilingual-e5-small",
        "device": "NVIDIA H200",
        "command": "python studies/real-e5/evidence.py --table",
    }
    table = ScoreTable(
        tuple(targets), tuple(targets), tuple(subsets), {name: settings[name] for name in recipes},
        {name: seconds[name] for name in recipes}, values, about,
    )  # fmt: skip
    table.save(HERE.parent / "tables" / "e5.npz")
    print(f"\ne5.npz: {len(runs)} evaluations of {len(subsets)} subsets under {len(recipes)} recipes")


if __name__ == "__main__":
    pace()
    twelve()
    orders()
    nine()
    members()
    if "--table" in sys.argv[1:]:
        write_table()
