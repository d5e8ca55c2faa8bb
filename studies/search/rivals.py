"""The surrogate against other people's searches, on the same draws. One line of rivals.jsonl a run.

What is there already is not run again.

python studies/search/rivals.py run --problems n20,n60 --strategies surrogate,rival:heat --draws 0-19
python studies/search/rivals.py table
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from pathlib import Path

from search.bench import strategies as bench
from search.confirmation.significance import student_interval

HERE = Path(__file__).parent
EVALUATIONS = 100


def run(problem: str, strategy: str, draw: int) -> dict[str, object]:
    """One search of 100 evaluations; a problem that ends in .npz is a table."""
    table = str(HERE.parent / "tables" / problem) if problem.endswith(".npz") else ""
    trace = bench.run(bench.RunTask(table, "" if table else problem, strategy, draw, EVALUATIONS, 1))
    met = {look: round(trace.scores[look - 1], 4) for look in bench.LOOKS}
    recommended = {look: round(value, 4) for look, value in trace.recommended.items()}
    key = {"problem": problem, "strategy": strategy, "draw": draw}
    return {**key, "met": met, "recommended": recommended, "seconds": round(trace.seconds, 4)}


def missing(arguments: argparse.Namespace, known: list[dict[str, object]]) -> list[tuple[str, str, int]]:
    """What is asked for and not measured yet, draw by draw, so that what is there is always comparable."""
    first, last = map(int, arguments.draws.split("-"))
    there = {(each["problem"], each["strategy"], each["draw"]) for each in known}
    asked = [
        (problem, strategy, draw)
        for draw in range(first, last + 1)
        for problem in arguments.problems.split(",")
        for strategy in arguments.strategies.split(",")
    ]
    return [each for each in asked if each not in there]


def mean(values: list[float]) -> str:
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return f"{statistics.mean(values):.3f} ± {error:.3f}"


def table(known: list[dict[str, object]]) -> None:
    """Met and recommended after 100 with standard errors; what the surrogate is ahead by on the same draws, 95 %."""
    print("| problem | strategy | draws | met | recommended | surrogate ahead by | s a suggestion |")
    print("|" + 7 * "---|")
    for problem in dict.fromkeys(str(each["problem"]) for each in known):
        title = problem.removesuffix(".npz")
        rows = [each for each in known if each["problem"] == problem]
        own = {each["draw"]: at(each, "recommended") for each in rows if each["strategy"] == "surrogate"}
        for strategy in dict.fromkeys(str(each["strategy"]) for each in rows):
            mine = [each for each in rows if each["strategy"] == strategy]
            ahead = [own[each["draw"]] - at(each, "recommended") for each in mine if each["draw"] in own]
            text = ""
            if strategy != "surrogate" and len(ahead) > 1:
                low, high = student_interval(ahead, 0.95)
                text = f"{statistics.mean(ahead):+.3f} ({low:+.3f} to {high:+.3f})".replace("-", "−")
            scores = " | ".join(mean([at(each, what) for each in mine]) for what in ("met", "recommended"))
            seconds = statistics.mean(float(str(each["seconds"])) for each in mine)
            print(f"| {title} | {strategy.removeprefix('rival:')} | {len(mine)} | {scores} | {text} | {seconds:.3f} |")
            title = ""


def at(row: dict[str, object], what: str) -> float:
    looks = row[what]
    assert isinstance(looks, dict)
    return float(looks[str(EVALUATIONS)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--problems", default="world-12.npz,n20,n60")
    parser.add_argument("--strategies", default="surrogate,rival:heat,rival:quadratic,rival:bocs,rival:linear")
    parser.add_argument("--draws", default="0-19")
    parser.add_argument("--file", type=Path, default=HERE / "rivals.jsonl")
    given = parser.parse_args()
    lines = given.file.read_text(encoding="utf-8").splitlines() if given.file.exists() else []
    measured = [json.loads(line) for line in lines]
    if given.what == "table":
        table(measured)
    else:
        for job in missing(given, measured):
            with given.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(run(*job)) + "\n")
