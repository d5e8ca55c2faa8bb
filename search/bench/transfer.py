"""realingo bench transfer: does the transfer model rank lists that it has not seen better than simple rules do?

Each list is left out with all its equals (they are one list here), in every task, and every rule predicts its mean gain
over the targets from the others. The model's scales are found without the list too, though by folds and not anew for
every list; what tasks take from each other and how wide intervals are is learned from the other lists alone.
Strategies that drew another subset for each seed help to fit and are not predicted.

Rows: "model" is what `select` uses, "alone" the same without the other tasks, "unknown" what a task without any results
would get from the others, the rest are simple rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from realign.score import Advance
from search import terminal
from search.bench.rank_correlation import spearman
from search.results.json_reader import Json
from selector.distances.distance import distances
from selector.errors import InputError
from selector.languages.language import Language, parse
from selector.transfer import predict as transfer
from selector.transfer import published
from selector.transfer.covariates import Affinity
from selector.transfer.pooled import GainInterval, PooledModel
from selector.transfer.published import Draws, PublishedResults
from selector.transfer.transfer_model import Observations, TransferModel

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
        found = by_models(tables, advance)
    done = [{"task": task, **row} for task, table in tables.items() for row in rows(table, found[task])]
    lists = max(int(table.single.sum()) for table in tables.values())
    return {"rows": done, "lists": lists, "languages": len(targets)}


def rows_of_table(results: str, subsets: str, codes: str | None) -> Json:
    """Rows for a user's table. Raises InputError for a table that cannot be read or has too few lists."""
    table = published.read(results, subsets, codes, transfer.SOURCE)
    if len(table.lists) < FEWEST:
        raise InputError(
            f"'{results}' has {len(table.lists)} different lists in '{subsets}'", f"give at least {FEWEST} lists"
        )
    with terminal.progress() as advance:
        found = by_models({"given": table}, advance)["given"]
    return {"rows": rows(table, found), "lists": int(table.single.sum()), "languages": len(table.targets)}


def rows(results: PublishedResults, forecasts: Mapping[str, Forecast]) -> list[Json]:
    """The forecasts of the models and of every simple rule on one table."""
    asked = np.flatnonzero(results.single)
    actual = results.gain[asked].mean(axis=1)
    tens = results.sizes[asked] == SIZE
    found = [_row(name, *forecast, actual, tens) for name, forecast in forecasts.items()]
    rules = {"diversity": _diversity(results), "covered": _covered(results), "k": np.log(results.sizes[asked])}
    for name, rule in rules.items():
        found.append(_row(name, *_by_regression(rule, actual), actual, tens, rule))
    # Where no target is ever a member it predicts one number, lowered by every list left out: that ranks nothing.
    constant = None if rules["covered"].any() else np.zeros(len(asked))
    found.append(_row("language-mean", *_by_language_mean(results), actual, tens, constant))
    return found


def by_models(tables: Mapping[str, PublishedResults], advance: Advance) -> dict[str, dict[str, Forecast]]:
    """Forecasts of each task by name of the row: for each list that is one subset, by models that do not know it."""
    languages = {x for table in tables.values() for draws in table.lists for draw in draws for x in draw}
    everyone = sorted(languages.union(*(table.targets for table in tables.values())))
    affinity = Affinity(everyone, parse(transfer.SOURCE), transfer.PRETRAINED)
    lists = list(dict.fromkeys(draws for table in tables.values() for draws in table.lists if len(draws) == 1))
    fold = np.random.default_rng(0).permutation(len(lists)) % FOLDS
    found: dict[Draws, dict[tuple[str, str], GainInterval]] = {}
    for number in range(FOLDS):
        away = [draws for draws, its in zip(lists, fold, strict=True) if its == number]
        scales = {
            task: TransferModel(Observations.of(_without(table, away)), affinity).scales
            for task, table in tables.items()
        }
        for draws in away:
            rest = {task: Observations.of(_without(table, [draws])) for task, table in tables.items()}
            models = {task: TransferModel(seen, affinity, scales[task]) for task, seen in rest.items()}
            found[draws] = _forecasts(models, draws[0])
        advance("transfer", number + 1, FOLDS)
    return {task: _collected(task, table, found) for task, table in tables.items()}


def _without(table: PublishedResults, away: Sequence[Draws]) -> PublishedResults:
    return table.only(np.array([i for i, draws in enumerate(table.lists) if draws not in away], dtype=np.intp))


def _forecasts(models: Mapping[str, TransferModel], members: Sequence[Language]) -> dict[tuple[str, str], GainInterval]:
    """Predictions of the models for one subset, by task and name of the row."""
    everybody, found = PooledModel(models), {}
    for task, model in models.items():
        equal = np.full(len(model.targets), 1.0 / len(model.targets))
        one = PooledModel({task: model}).forecast(task, members, model.targets, equal, LEVEL)
        if len(models) == 1:
            return {(task, "model"): one.average}
        found[task, "model"] = everybody.forecast(task, members, model.targets, equal, LEVEL).average
        found[task, "alone"] = one.average
        others = PooledModel({name: each for name, each in models.items() if name != task})
        told = {name: others.forecast(name, members, model.targets, equal, LEVEL) for name in others.models}
        found[task, "unknown"] = others.unknown(told, LEVEL)
    return found


def _collected(
    task: str, table: PublishedResults, found: Mapping[Draws, Mapping[tuple[str, str], GainInterval]]
) -> dict[str, Forecast]:
    """The intervals of one task in the order of its lists, by name of the row."""
    lists = [draws for draws in table.lists if len(draws) == 1]
    names = [name for of, name in found[lists[0]] if of == task]
    return {
        name: (
            np.array([found[draws][task, name].mean for draws in lists]),
            np.array([found[draws][task, name].half for draws in lists]),
        )
        for name in names
    }


def _diversity(results: PublishedResults) -> Array:
    """Mean pairwise distance over all typological features, the source counted in, as in arXiv 2511.06497."""
    found = []
    for draws in results.lists:
        if len(draws) == 1:
            d = distances((*draws[0], parse(transfer.SOURCE)), "featural").matrix
            found.append(float(d[np.triu_indices(len(d), 1)].mean()))
    return np.array(found)


def _covered(results: PublishedResults) -> Array:
    """The number of targets that are members."""
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
        half[at] = float(stdtrit(len(y) - 2, (1 + LEVEL) / 2)) * (noise * (1 + leverage)) ** 0.5
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
