"""The lists of arXiv 2511.06497 under our measures, our own answers beside them, and which measure goes with gain.

python studies/paper-subsets/study.py        (writes tables.md and measures.json beside it)
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from search.bench.transfer import ranking
from selector.diversity import SubsetMeasures
from selector.exact import Effort
from selector.languages.language import parse, parse_pool
from selector.problem import pose
from selector.strategy import solve
from selector.transfer import published

HERE = Path(__file__).parent
ENG = parse("eng")
POOL = parse_pool("paper-65")
METRICS = ("syntactic", "phonological", "inventory", "featural", "hamming", "genetic", "geographic", "learned")
BY_METRIC = ("mean_pairwise", "min_pairwise", "nearest", "coverage_radius", "source_distance")
OF_A_SET = ("families", "family_entropy", "genera", "genus_entropy", "scripts", "script_entropy")
OF_FEATURES = ("entropy", "feature_inclusion", "feature_overlap")
OURS = ("exact-max-sum", "exact-max-min", "exact-facility", "exact-k-center", "exact-coverage", "exact-entropy")
SIZES = (5, 10, 20, 40)
SECONDS = 20.0  # for each exact answer


def lists() -> dict[str, list[int]]:
    """Every list of the paper that is one subset, by its name: indices into the pool. Equal lists share a row."""
    results = published.load_published("pos")
    place = {language: i for i, language in enumerate(POOL)}
    found = zip(results.names, results.lists, strict=True)
    unmeasured = {", ".join(names): draws[0] for names, draws in published.lists_without_results().items()}
    named = {", ".join(names): draws[0] for names, draws in found if len(draws) == 1} | unmeasured
    return {name: sorted(place[language] for language in members) for name, members in named.items()}


def measures(members: dict[str, list[int]]) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Every measure of every list, and its percentile among random subsets of that size from the same pool."""
    values: dict[str, dict[str, float]] = {name: {} for name in members}
    ranks: dict[str, dict[str, float]] = {name: {} for name in members}
    for metric in METRICS:
        stick = SubsetMeasures(pose(POOL, 1, metric, ENG))
        wanted = BY_METRIC if metric != METRICS[0] else (*BY_METRIC, *OF_A_SET, *OF_FEATURES)
        for name, chosen in members.items():
            found, percent = stick.measures(chosen), stick.percentiles(chosen)
            for measure in wanted:
                label = f"{metric} {measure}" if measure in BY_METRIC else measure
                values[name][label], ranks[name][label] = found[measure], percent[measure]
    return values, ranks


def correlations(values: dict[str, dict[str, float]]) -> dict[str, dict[str, dict[str, object]]]:
    """Rank correlation of every measure with the published mean gain, by task and size, with its 90 % interval."""
    found: dict[str, dict[str, dict[str, object]]] = {}
    for task in published.TASKS:
        results = published.load_published(task)
        rows = np.flatnonzero(results.single)
        gain, sizes = results.gain[rows].mean(axis=1), results.sizes[rows]
        names = [", ".join(results.names[i]) for i in rows]
        for label in ("k", *values[names[0]]):
            own = sizes if label == "k" else [values[name][label] for name in names]
            column = np.array(own, dtype=float)
            for group, keep in {"all": sizes > 0, **{str(k): sizes == k for k in SIZES}}.items():
                value, interval = ranking(column[keep], gain[keep])
                cell = {"lists": int(keep.sum()), "spearman": value, "ci90": interval}
                found.setdefault(task, {}).setdefault(group, {})[label] = cell
    return found


def answers() -> list[dict[str, object]]:
    """Our subsets of each size under the syntactic metric and the paper's own (all features), with proven bounds."""
    found = []
    for metric in ("syntactic", "featural"):
        for k in SIZES:
            problem = pose(POOL, k, metric, ENG)
            for name in (*OURS, *(("predicted",) if metric == "syntactic" else ())):
                choice = solve(name, problem, 0, Effort(seconds=SECONDS))
                row = {"strategy": name, "metric": metric, "k": k, "value": choice.value, "bound": choice.bound}
                found.append({**row, "status": choice.status, "languages": list(choice.subset.codes)})
                print(metric, k, name, choice.status, flush=True)
    return found


def main() -> None:
    members = lists()
    values, ranks = measures(members)
    document = {"values": values, "percentiles": ranks, "correlations": correlations(values), "answers": answers()}
    (HERE / "measures.json").write_text(json.dumps(_rounded(document)) + "\n", encoding="utf-8")
    (HERE / "tables.md").write_text(tables(document, members), encoding="utf-8")


def tables(document: dict, members: dict[str, list[int]]) -> str:
    """The tables of the README, made anew."""
    shown = [f"{metric} mean_pairwise" for metric in METRICS] + ["entropy", "families", "scripts"]
    lines = ["## Percentile among 1,000 random subsets of the size (100: more diverse than all)", ""]
    lines += _head(["list", "k", *(label.replace(" mean_pairwise", "") for label in shown)])
    for name, chosen in members.items():
        cells = [document["percentiles"][name][label] for label in shown]
        lines.append(_line([name, str(len(chosen)), *("–" if cell is None else f"{cell:.0f}" for cell in cells)]))
    for task, groups in document["correlations"].items():
        lines += ["", f"## Rank correlation with the published gain: {task}", ""]
        lines += _head(["measure", *(f"{_size(group)} ({cells['k']['lists']})" for group, cells in groups.items())])
        for label in groups["all"]:
            lines.append(_line([label, *(_cell(cells[label]) for cells in groups.values())]))
    lines += ["", "## Our answers", "", *_head(["metric", "k", "strategy", "value", "bound", "status", "languages"])]
    for row in document["answers"]:
        bound = "–" if row["bound"] is None else f"{row['bound']:.4f}"
        codes = " ".join(row["languages"])
        cells = [row["metric"], str(row["k"]), row["strategy"], f"{row['value']:.4f}", bound, row["status"], codes]
        lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def _rounded(value: object) -> object:
    """Numbers to four digits, throughout."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _size(group: str) -> str:
    return "all sizes" if group == "all" else f"k = {group}"


def _cell(cell: dict) -> str:
    if cell["spearman"] is None:
        return "–"
    low, high = cell["ci90"]
    return f"{cell['spearman']:.2f} ({low:.2f} to {high:.2f})"


def _head(cells: list[str]) -> list[str]:
    return [_line(cells), _line(["---"] * len(cells))]


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
