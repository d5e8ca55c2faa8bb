"""Does similarity of languages by an encoder's hidden states tell which subsets to realign on? What README.md reports.

    python studies/search/encoder_distance.py world                      # table world-12, the world's own encoder
    python studies/search/encoder_distance.py surrogate 20               # the same table, searched with and without it
    python studies/search/encoder_distance.py e5 e5-states.npz           # table e5.npz
    python studies/search/encoder_distance.py published e5-states.npz    # lists of arXiv 2511.06497, minutes a row

`language_states.py` says what the similarities are and makes e5-states.npz.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from language_states import from_file, sentence_states, similarities
from numpy.typing import NDArray
from scipy.stats import spearmanr
from scipy.stats import t as student

from realign.evaluators import table as replay
from search import planner
from search.bench import strategies
from search.bench import transfer as bench
from search.bench.problems.replayed import Replayed
from search.bench.strategies import RunTask
from selector.distances.distance import distances
from selector.languages.language import parse
from selector.transfer.covariates import Affinity
from selector.transfer.published import TASKS, load_published

Array = NDArray[np.float64]

TABLES = Path(__file__).parents[1] / "tables"
URIEL = ("syntactic", "phonological", "inventory", "genetic", "geographic", "featural")
DRAWS = 2_000


def of_uriel(codes: Sequence[str]) -> dict[str, Array]:
    """Negative distances, [n, n]."""
    languages = tuple(sorted(map(parse, codes)))
    back = [[x.code for x in languages].index(code) for code in codes]
    return {m: -np.asarray(distances(languages, m).matrix)[np.ix_(back, back)] for m in URIEL}


def rank(table: replay.ScoreTable, values: Array, codes: Sequence[str], alike: Mapping[str, Array]) -> None:
    """How measures of subsets go with their scores `values` [subsets, targets], NaN where nothing was measured."""
    place = {code: i for i, code in enumerate(codes)}
    targets = [place[code] for code in table.targets]
    kept = [i for i, codes_of in enumerate(table.subsets) if not np.isnan(values[i]).any() and len(codes_of) > 1]
    sizes = np.array([len(table.subsets[i]) for i in kept])
    score = values[kept].mean(axis=1)
    for size in sorted({*sizes.tolist()}):
        if (sizes == size).sum() < 30:
            continue
        at = [i for i, own in zip(kept, sizes, strict=True) if own == size]
        found = score[sizes == size]
        print(f"\n{len(at)} subsets of {size} languages\n\n| similarity | facility | dispersion | from the source |")
        print("|---|---|---|---|")
        for name, S in alike.items():
            cells = [
                _correlation(measure, found) for measure in _measures(S, [table.subsets[i] for i in at], place, targets)
            ]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)
    pairs(table, values, place, alike)


def _measures(
    S: Array, subsets: Sequence[tuple[str, ...]], place: Mapping[str, int], targets: list[int]
) -> tuple[Array, Array, Array]:
    """Mean similarity of a target to its nearest member; mean distance of members; of members from English."""
    rows = [[place[code] for code in subset] for subset in subsets]
    near = np.array([S[np.ix_(targets, row)].max(axis=1).mean() for row in rows])
    apart = np.array([-S[np.ix_(row, row)][np.triu_indices(len(row), 1)].mean() for row in rows])
    far = np.array([-S[place["eng"], row].mean() for row in rows])
    return near, apart, far


def pairs(table: replay.ScoreTable, values: Array, place: Mapping[str, int], alike: Mapping[str, Array]) -> None:
    """Does a target gain more from languages like it? By targets: scores of subsets with and without each member."""
    member = np.array([[code in subset for code in table.pool] for subset in table.subsets])
    kept = ~np.isnan(values).any(axis=1) & (member.sum(axis=1) > 0)
    sizes = member.sum(axis=1)
    effects = np.zeros((len(table.pool), len(table.targets)))
    for size in sorted(set(sizes[kept])):
        rows = np.flatnonzero(kept & (sizes == size))
        if len(rows) < 12:
            continue
        X = np.column_stack([member[rows], np.ones(len(rows))]).astype(float)
        inner = X.T @ X + np.diag([1.0] * len(table.pool) + [1e-9])
        effects += len(rows) * np.linalg.solve(inner, X.T @ values[rows])[:-1]
    other = np.array([[code != target for target in table.targets] for code in table.pool])
    effects = effects - np.nanmean(np.where(other, effects, np.nan), axis=1, keepdims=True)
    effects = effects - np.nanmean(np.where(other, effects, np.nan), axis=0)
    print("\neffect of a member on another target, means of donors and of targets taken out\n")
    print("| similarity | rank correlation |\n|---|---|")
    S_rows, S_columns = [place[code] for code in table.pool], [place[code] for code in table.targets]
    for name, S in alike.items():
        inside = S[np.ix_(S_rows, S_columns)]
        inside = inside - np.nanmean(np.where(other, inside, np.nan), axis=1, keepdims=True)
        inside = inside - np.nanmean(np.where(other, inside, np.nan), axis=0)
        print(f"| {name} | {_correlation(inside[other], effects[other])} |", flush=True)


def _correlation(one: Array, other: Array) -> str:
    if np.ptp(one) == 0:
        return "–"
    rng = np.random.default_rng(0)
    rows = rng.integers(len(one), size=(DRAWS // 4, len(one)))
    drawn = [spearmanr(one[row], other[row]).statistic for row in rows]
    low, high = np.nanquantile(drawn, [0.05, 0.95])
    return f"{spearmanr(one, other).statistic:.2f} ({low:.2f} to {high:.2f})"


def of_world() -> tuple[replay.ScoreTable, list[str], dict[str, Array]]:
    """The table, the languages, and their similarities by the world's own encoder."""
    from realign.world.world import World
    from realign.world.world_encoder import world_encoder

    table, text = replay.load(TABLES / "world-12.npz"), World()
    codes = sorted({*table.pool, *table.targets, "eng"})
    pairs_of = {code: text.pairs(code, "train")[:200] for code in codes if code != "eng"}
    lines = {code: [pair.target for pair in found] for code, found in pairs_of.items()}
    lines["eng"] = [pair.source for pair in next(iter(pairs_of.values()))]
    encoder = world_encoder()
    states = {code: sentence_states(encoder, lines[code]) for code in codes}
    has = dict.fromkeys(codes, np.ones(200, dtype=bool))
    return table, codes, similarities({c: s[1] for c, s in states.items()}, {c: s[0] for c, s in states.items()}, has)


def world() -> None:
    table, codes, alike = of_world()
    values = table.values[list(table.fidelities).index("full")].mean(axis=1, dtype=np.float64)
    rank(table, values, codes, {**alike, **of_uriel(codes)})


def surrogate(repetitions: int) -> None:
    """Recommended after so many evaluations, without and with mean states among the similarities it knows, paired."""
    table, codes, alike = of_world()
    distance = 1 - alike["mean states"]
    S = np.exp(-2 * distance / distance[~np.eye(len(codes), dtype=bool)].mean())
    pool = [codes.index(code) for code in table.pool]
    problem = Replayed(table)
    side = problem.side
    near = S[np.ix_([codes.index(code) for code in side.targets], pool)]
    more = replace(
        side,
        alike={**side.alike, "encoder": S[np.ix_(pool, pool)]},
        near={**side.near, "encoder": near},
        source={**side.source, "encoder": S[codes.index("eng"), pool]},
    )
    rows = []
    for repetition in range(repetitions):
        task = RunTask("", "", "surrogate", repetition, 100, 1)
        found = []
        for known in (side, more):
            problem.side, planner.prior_of = known, lambda _, known=known: known  # type: ignore[assignment, misc]
            found.append(strategies.trace_run(problem, task).recommended)
        rows.append(found)
        print(repetition, rows[-1], file=sys.stderr, flush=True)
    print("| after | without | with | difference |\n|---|---|---|---|")
    for look in sorted(set.intersection(*({*found} for row in rows for found in row))):
        one, other = (np.array([row[i][look] for row in rows]) for i in (0, 1))
        half = student.ppf(0.975, len(rows) - 1) * (other - one).std(ddof=1) / len(rows) ** 0.5
        print(f"| {look} | {one.mean():.3f} | {other.mean():.3f} | {(other - one).mean():+.3f} ± {half:.3f} |")


def e5(file: Path) -> None:
    table = replay.load(TABLES / "e5.npz")
    codes, alike = from_file(file)
    outside = {*table.pool, *table.targets} - {*codes}
    if outside:
        raise SystemExit(f"no text of {', '.join(sorted(outside))}")
    recipe = list(table.fidelities).index("word-100, b32-2e-4-800")
    with np.errstate(all="ignore"):
        values = np.nanmean(table.values[recipe].astype(np.float64), axis=1)
    rank(table, values, codes, {**alike, **of_uriel(codes)})


def published(file: Path, *names: str) -> None:
    """`bench transfer` once as it is and once with the encoder's similarity in place of that of sound inventories, the
    metric with the smallest weight; pairs without text have what regression on URIEL's similarities expects."""
    codes, alike = from_file(file)
    for name, S in {"as it is": None, **alike}.items():
        if names and name not in names:
            continue
        bench.Affinity = Affinity if S is None else partial(_WithEncoder, codes=codes, alike=S)  # type: ignore[misc]
        tables = {task: load_published(task) for task in TASKS}
        found = bench.by_models(tables, lambda *_: None)
        for task, table in tables.items():
            for row in bench.rows(table, {"alone": found[task]["alone"], "model": found[task]["model"]})[:2]:
                ten = row["spearman_k10"]
                print(
                    f"| {name} | {task} | {row['name']} | {row['spearman']:.3f} | {ten:.3f} | {row['mae']:.3f} |",
                    flush=True,
                )


class _WithEncoder(Affinity):
    """`Affinity` with one metric exchanged."""

    def __init__(self, *given: object, codes: Sequence[str], alike: Array) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        known = [(self.place[code], i) for i, code in enumerate(codes) if code in self.place]
        ours, theirs = (np.array(part) for part in zip(*known, strict=True))
        inside = np.ix_(ours, ours)
        features = np.stack(
            [np.ones_like(S) for S in [self.similarity["genetic"]]] + [*self.similarity.values()], axis=2
        )
        off = ~np.eye(len(ours), dtype=bool)
        weights = np.linalg.lstsq(features[inside][off], alike[np.ix_(theirs, theirs)][off], rcond=None)[0]
        full = features @ weights
        full[inside] = alike[np.ix_(theirs, theirs)]
        distance = full.max() - full
        np.fill_diagonal(distance, 0.0)
        distance = distance / distance[~np.eye(len(distance), dtype=bool)].mean() * 2.0
        self.distances["inventory"], self.similarity["inventory"] = distance, np.exp(-distance)


if __name__ == "__main__":
    command, *given = sys.argv[1:]
    if command == "world":
        world()
    elif command == "surrogate":
        surrogate(int(given[0]))
    elif command == "e5":
        e5(Path(given[0]))
    elif command == "published":
        published(Path(given[0]), *given[1:])
