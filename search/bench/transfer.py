"""realingo bench transfer: does the transfer model rank lists that it has not seen better than simple rules do?

Each list is left out with all its equals (they are one list here), and every rule predicts its mean gain over the
targets from the others. The model's scales are found without the list too, though by folds and not anew for every list.
Strategies that drew another subset for each seed help to fit and are not predicted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import t as student

from realign.score import Advance
from search import terminal
from search.bench.rank_correlation import spearman
from search.results.json_reader import Json
from selector.distances.distance import distances
from selector.errors import InputError
from selector.languages.language import parse
from selector.transfer import predict as transfer
from selector.transfer import published
from selector.transfer.covariates import Affinity
from selector.transfer.model import Observations, TransferModel
from selector.transfer.published import PublishedResults

Array = NDArray[np.float64]
Forecast = tuple[Array, Array]  # of each list's mean gain, and half the width of its 90 % interval

FOLDS = 5  # of the search for the model's scales
DRAWS = 2_000  # of the bootstrap over lists
LEVEL = 0.90
FEWEST = 8  # different lists that a comparison makes sense for
SIZE = 10  # the size at which lists are also compared among themselves: most of the published ones have it


def shipped() -> Json:
    """Rows for every published task."""
    tables = {task: published.load_published(task, transfer.SOURCE) for task in published.TASKS}
    targets = {language for table in tables.values() for language in table.targets}
    with terminal.progress() as advance:
        done = [
            {"task": task, **row} for task, table in tables.items() for row in rows(table, advance, f"transfer, {task}")
        ]
    lists = max(int(table.single.sum()) for table in tables.values())
    return {"rows": done, "lists": lists, "languages": len(targets)}


def given(results: str, subsets: str, codes: str | None) -> Json:
    """Rows for a user's table. Raises InputError for a table that cannot be read or has too few lists."""
    table = published.read(results, subsets, codes, transfer.SOURCE)
    if len(table.lists) < FEWEST:
        raise InputError(
            f"'{results}' has {len(table.lists)} different lists in '{subsets}'", f"give at least {FEWEST} lists"
        )
    with terminal.progress() as advance:
        found = rows(table, advance, "transfer")
    return {"rows": found, "lists": int(table.single.sum()), "languages": len(table.targets)}


def rows(results: PublishedResults, advance: Advance, label: str) -> list[Json]:
    """The model and every simple rule on one table."""
    asked = np.flatnonzero(results.single)
    actual = results.gain[asked].mean(axis=1)
    tens = results.sizes[asked] == SIZE
    found = [_row("model", *by_model(results, advance, label), actual, tens)]
    rules = {"diversity": _diversity(results), "covered": _covered(results), "k": np.log(results.sizes[asked])}
    for name, rule in rules.items():
        found.append(_row(name, *_by_regression(rule, actual), actual, tens, rule))
    # Where no target is ever a member it predicts one number, lowered by every list left out: that ranks nothing.
    constant = None if rules["covered"].any() else np.zeros(len(asked))
    found.append(_row("language-mean", *_by_language_mean(results), actual, tens, constant))
    return found


def by_model(results: PublishedResults, advance: Advance, label: str) -> Forecast:
    """The transfer model fitted to all lists but one, for each list that is one subset."""
    everyone = {*results.targets, *(x for draws in results.lists for draw in draws for x in draw)}
    affinity = Affinity(sorted(everyone), parse(transfer.SOURCE), transfer.PRETRAINED)
    every, asked = np.arange(len(results.lists)), np.flatnonzero(results.single)
    fold = np.random.default_rng(0).permutation(len(asked)) % FOLDS
    mean, deviation = np.zeros(len(asked)), np.zeros(len(asked))
    for number in range(FOLDS):
        away = asked[fold == number]
        scales = TransferModel(Observations.of(results.only(np.setdiff1d(every, away))), affinity).scales
        for at in np.flatnonzero(fold == number):
            rest = results.only(np.setdiff1d(every, asked[at]))
            model = TransferModel(Observations.of(rest), affinity, scales)
            average, error = model.predict([results.lists[asked[at]]], results.targets).average()
            mean[at], deviation[at] = average[0], error[0]
        advance(label, number + 1, FOLDS)
    return mean, float(ndtri((1 + LEVEL) / 2)) * deviation


def _diversity(results: PublishedResults) -> Array:
    """Mean pairwise distance over all typological features, the source counted in, as in arXiv 2511.06497."""
    found = []
    for draws in results.lists:
        if len(draws) == 1:
            d = distances((*draws[0], parse(transfer.SOURCE)), "featural").matrix
            found.append(float(d[np.triu_indices(len(d), 1)].mean()))
    return np.array(found)


def _covered(results: PublishedResults) -> Array:
    """How many targets are members."""
    return np.array([float(len({*draws[0]} & {*results.targets})) for draws in results.lists if len(draws) == 1])


def _by_regression(rule: Array, actual: Array) -> Forecast:
    """A line through the other lists."""
    mean, half = np.zeros(len(actual)), np.zeros(len(actual))
    for at in range(len(actual)):
        x, y = np.delete(rule, at), np.delete(actual, at)
        spread = float(((x - x.mean()) ** 2).sum())
        slope = float((x - x.mean()) @ y) / spread if spread > 0 else 0.0
        away = rule[at] - x.mean()
        errors = y - y.mean() - slope * (x - x.mean())
        noise = float(errors @ errors) / (len(y) - 2)
        leverage = 1 / len(y) + (away**2 / spread if spread > 0 else 0.0)
        mean[at] = y.mean() + slope * away
        half[at] = float(student.ppf((1 + LEVEL) / 2, len(y) - 2)) * (noise * (1 + leverage)) ** 0.5
    return mean, half


def _by_language_mean(results: PublishedResults) -> Forecast:
    """Each target's mean gain over the other lists that, as this one does, have it or do not have it."""
    asked = np.flatnonzero(results.single)
    gain = results.gain[asked]
    member = np.array([[x in results.lists[i][0] for x in results.targets] for i in asked])
    mean = np.zeros(len(asked))
    for at in range(len(asked)):
        like = member == member[at]
        like[at] = False
        count = like.sum(axis=0)
        others = np.delete(gain, at, axis=0).mean(axis=0)  # where no other list is like it
        mean[at] = np.where(count > 0, (gain * like).sum(axis=0) / np.maximum(count, 1), others).mean()
    error = float(np.sqrt(np.mean((gain.mean(axis=1) - mean) ** 2)))
    return mean, np.full(len(mean), float(ndtri((1 + LEVEL) / 2)) * error)


def _row(
    name: str, predicted: Array, half: Array, actual: Array, tens: NDArray[np.bool_], rule: Array | None = None
) -> Json:
    """A simple rule is ranked by itself: the line through the other lists tilts with the one left out."""
    ranked = predicted if rule is None else rule
    overall, interval = ranking(ranked, actual)
    at_ten, interval_ten = ranking(ranked[tens], actual[tens])
    return {
        "name": name,
        "spearman": overall,
        "spearman_k10": at_ten,
        "ci90": interval,
        "ci90_k10": interval_ten,
        "mae": float(np.abs(predicted - actual).mean()),
        "coverage90": float((np.abs(predicted - actual) <= half).mean()),
    }


def ranking(one: Array, other: Array) -> tuple[float | None, list[float] | None]:
    """Spearman's correlation and its 90 % interval by bootstrap over the lists; None where nothing can be ranked."""
    if len(one) < 4 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None, None
    drawn = np.random.default_rng(0).integers(len(one), size=(DRAWS, len(one)))
    values = spearman(one[drawn], other[drawn])
    low, high = np.nanquantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(spearman(one[None], other[None])[0]), [float(low), float(high)]


def render(document: Json) -> Any:
    def number(value: float | None) -> str:
        return "–" if value is None else f"{value:.2f}"

    def span(value: list[float] | None) -> str:
        return "–" if value is None else f"{value[0]:.2f} to {value[1]:.2f}"

    cells = [
        [
            row.get("task", ""),
            row["name"],
            *(number(row["spearman"]), span(row["ci90"]), number(row["spearman_k10"]), span(row["ci90_k10"])),
            *(number(row["mae"]), f"{row['coverage90']:.0%}"),
        ]
        for row in document["rows"]
    ]
    title = f"{document['lists']} lists, each left out in turn; {document['languages']} target languages"
    header = ["task", "rule", "rank correlation", "90 %", f"at k = {SIZE}", "90 %", "error", "covered"]
    return terminal.table(title, header, cells, ("rank correlation", f"at k = {SIZE}", "error", "covered"))
