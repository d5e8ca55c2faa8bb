"""What `realingo select` looks like on a terminal: eighty columns wide, and it says how sure it is."""

from __future__ import annotations

from collections.abc import Sequence

from search.results.json_reader import Json
from search.terminal import Prose, RenderableType, Text, stack, table
from selector.errors import quantity
from selector.languages.language import parse

Document = Json

BAR = 10  # characters a percentile of 100 takes
MOST_RANKED = 50  # languages of a ranking that are printed; JSON has all
_SMALL = ("nearest", "coverage_radius", "feature_overlap")  # measures of which less is more diverse
_LEGEND = (  # what stands under the measures
    "↓ a smaller value is better: counted are the random subsets with a larger one",
    "mean and min pairwise: distance between two of the chosen languages, the mean and the smallest (0: equal)",
    "nearest: mean distance of a target to its nearest chosen language; coverage radius: the largest such distance",
    "entropy, in bits: how evenly the chosen spread over families, genera, scripts, or over URIEL's features",
    "feature inclusion: share of all feature values that the chosen have; feature overlap: share that two have alike",
    "source distance and observed are no diversity: how far from the source, how much observed and not imputed",
)
_COMPARED_LEGEND = (
    "mean, min: distance between two of the chosen languages; fam, scr: families, scripts; bits: entropy of features",
    "near, radius: mean and largest distance of a target to its nearest chosen language; less is better",
    "gap: how far each may be from the best under its own objective; 0 is proven best, – not known",
)
_UNITS = {  # objective → what its value is
    "facility": "1 - mean distance of a target to its nearest chosen language",
    "k-center": "1 - the largest distance of a target to its nearest chosen language",
    "coverage": "share of the targets within the radius of a chosen language",
    "max-sum": "sum of all distances between the chosen, the source included",
    "max-min": "smallest distance between two of the chosen, the source included",
    "entropy": "mean entropy of a feature of the metric over the chosen, in bits",
    "log-det": "log of the volume that the chosen span",
    "nearest": "1 - mean distance of the chosen to those that they are to be near",
    "predicted": "predicted gain in points, mean of the targets",
}
_COMPARED = {  # measure → heading, short: eighty columns
    "mean_pairwise": "mean",
    "min_pairwise": "min",
    "nearest": "near",
    "coverage_radius": "radius",
    "families": "fam",
    "scripts": "scr",
    "entropy": "bits",
}


def choice(document: Document) -> RenderableType:
    goal = document["objective"]
    unit = f" ({_UNITS[goal['name']]})" if goal["name"] in _UNITS else ""
    title = f"{document['strategy']}: {goal['name']} {goal['value']:.4f}, {sureness(goal)}"
    parts = [
        _subset_table(document, title),
        *([Prose(f"{goal['name']}{unit}: greater is better")] if unit else []),
        *_prediction(document),
        _measures(document),
        _remarks(document),
    ]
    return stack(*parts, ",".join(document["languages"]))


def render_subset(document: Document) -> RenderableType:
    values = [[name, f"{value:.4f}"] for name, value in document["objectives"].items()]
    return stack(
        _subset_table(document, f"the {quantity(len(document['languages']), 'language')} given"),
        _measures(document),
        table("value under every objective (greater is better)", ["objective", "value"], values, right=("value",)),
        _remarks(document),
    )


def ranking(document: Document) -> RenderableType:
    shown = document["ranking"][:MOST_RANKED]
    languages = [parse(row["code"]) for row in shown]
    rows = [
        [str(row["rank"]), each.code, each.name, each.family, f"{row['gain']:+.4f}"]
        for row, each in zip(shown, languages, strict=True)
    ]
    after = f" after {', '.join(document['include'])}" if document["include"] else ""
    title = f"{document['strategy']}: what each language adds{after}, {document['metric']} distances"
    more = len(document["ranking"]) - len(shown)
    rest = [f"and {more} more; --json lists them all"] if more else []
    return stack(table(title, ["rank", "code", "name", "family", "gain"], rows, right=("rank", "gain")), *rest)


def comparison(document: Document) -> RenderableType:
    """Measures side by side, the best of each in bold; then the languages, where they fit."""
    answers = document["rows"]
    best = {name: _best(name, [row["diversity"][name] for row in answers]) for name in _COMPARED}
    rows = [
        [row["strategy"], *(_emphasized(row["diversity"][name], best[name]) for name in _COMPARED), _gap(row)]
        for row in answers
    ]
    columns = ["strategy", *_COMPARED.values(), "gap %"]
    title = f"k = {document['k']}, {document['metric']} distances, source {document['source']}"
    parts: list[RenderableType] = [table(title, columns, rows, right=tuple(columns[1:]))]
    parts += map(Prose, _COMPARED_LEGEND)
    lists = [[row["strategy"], " ".join(row["languages"])] for row in answers]
    parts.append(table("", ["strategy", "languages"], lists))
    parts += [f"left out: {each['strategy']}: {each['reason']}" for each in document["skipped"]]
    return stack(*parts)


def sureness(goal: Json) -> str:
    """The largest distance of an answer from the best one, in words."""
    if goal["optimal"]:
        return "proven best"
    if goal["gap"] is None:
        return "no bound known"
    percent = 100 * goal["gap"]
    return f"within {percent:.1f} % of the proven bound" if percent >= 0.1 else f"within {percent:.2g} % of the bound"


def _subset_table(document: Document, title: str) -> RenderableType:
    languages = [parse(code) for code in document["languages"]]
    rows = [[each.code, each.name, each.family, each.genus, each.script] for each in languages]
    return table(title, ["code", "name", "family", "genus", "script"], rows)


def _measures(document: Document) -> RenderableType:
    rows = [
        [_label(name), _number(value), *_ranked(_beaten(name, document["percentiles"][name]))]
        for name, value in document["diversity"].items()
    ]
    title = f"diversity, and how many of {document['random_subsets']} random subsets have less of it"
    drawn = table(title, ["measure", "value", "of 100", ""], rows, right=("value", "of 100"))
    return stack(drawn, *map(Prose, _LEGEND))


def _label(name: str) -> str:
    return f"{name.replace('_', ' ')}{' ↓' if name in _SMALL else ''}"


def _beaten(name: str, percentile: float | None) -> float | None:
    """The percentage of random subsets that are worse: with more, where less is better."""
    return 100 - percentile if percentile is not None and name in _SMALL else percentile


def _prediction(document: Document) -> list[RenderableType]:
    """The promise of the transfer model, with its certainty and grounds."""
    if "prediction" not in document:
        return []
    rows = [
        [
            each["task"],
            f"{each['gain']:+.1f}",
            f"{each['ci90'][0]:+.1f} to {each['ci90'][1]:+.1f}",
            f"{len(each['published'])} of {len(each['per_target'])}",
        ]
        for each in document["prediction"]
    ]
    pooled = document.get("pooled")
    if pooled:
        span = f"{pooled['ci90'][0]:+.1f} to {pooled['ci90'][1]:+.1f}"
        rows.append([pooled["task"] or "another task", f"{pooled['gain']:+.1f}", span, "–"])
    title = "predicted gain over no realignment, in points: mean of the targets"
    known = "targets with published results"
    limits = (
        "Predicted from published results of XLM-R-base (arXiv 2511.06497): another encoder, data budget or task may"
        " rank subsets differently, and the best of many predictions promises too much. A study measures it."
    )
    remarks = [*_no_results(pooled), *_other_encoder(document["encoder"]), Prose(limits)]
    return [table(title, ["task", "gain", "90 %", known], rows, right=("gain", known)), *remarks]


def _no_results(pooled: Json | None) -> list[RenderableType]:
    """A remark on the row of a task without results."""
    if pooled is None:
        return []
    name = "no task is named (--task)" if pooled["task"] is None else f"'{pooled['task']}' has no published results"
    return [
        Prose(
            f"{name}: chosen for the mean of the tasks, each weighted by 1 / the spread of its gains; the last row is"
            " that mean, and its interval that of one more task like these"
        )
    ]


def _other_encoder(encoder: Json) -> list[RenderableType]:
    """A remark on an encoder without results."""
    if encoder["published"]:
        return []
    return [
        Prose(
            f"'{encoder['name']}' has no published results: the gains are those of XLM-R-base, which also decides which"
            " languages are new to the encoder; the intervals are wider by what the tasks differ by"
        )
    ]


def _ranked(percentile: float | None) -> list[str]:
    """The number and a bar as long."""
    if percentile is None:
        return ["–", ""]
    full = round(BAR * percentile / 100)
    return [f"{percentile:.0f}", "━" * full + "·" * (BAR - full)]


def _remarks(document: Document) -> Prose:
    """The grounds of the answer, in one line or two."""
    source = document["source"] or "none"
    told = [f"{document['metric']} distances, source {source}, {document['imputed']:.0%} of the features imputed"]
    if document["cost"] is not None:
        told.append(f"cost {document['cost']:g}")
    if document["rows_used"]:
        used = {f"{code} by {row}" for code, rows in document["rows_used"].items() for row in rows.values()}
        told.append(f"described by another row of URIEL: {', '.join(sorted(used))}")
    return Prose("; ".join(told))


def _gap(row: Json) -> str:
    goal = row["objective"]
    return "0" if goal["optimal"] else "–" if goal["gap"] is None else f"{100 * goal['gap']:.2g}"


def _best(name: str, values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return min(known) if name in _SMALL else max(known)


def _emphasized(value: float | None, best: float | None) -> str | Text:
    text = _number(value)
    return Text(text, style="bold") if value is not None and value == best else text


def _number(value: float | int | None) -> str:
    return "–" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"
