"""What `realingo select` looks like on a terminal: eighty columns wide, and it says how sure it is."""

from __future__ import annotations

from collections.abc import Sequence

from search.results.json_reader import Json
from search.terminal import RenderableType, Text, stack, table
from selector.languages.language import parse

Document = Json

BAR = 10  # characters a percentile of 100 takes
MOST_RANKED = 50  # languages of a ranking that are printed; JSON has all
_SMALL = ("nearest", "coverage_radius", "feature_overlap")  # measures of which less is more diverse
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
    title = f"{document['strategy']}: {goal['name']} {goal['value']:.4f}, {sureness(goal)}"
    parts = [_chosen(document, title), *_prediction(document), _measures(document), _remarks(document)]
    return stack(*parts, ",".join(document["languages"]))


def given(document: Document) -> RenderableType:
    values = [[name, f"{value:.4f}"] for name, value in document["objectives"].items()]
    return stack(
        _chosen(document, f"the {len(document['languages'])} languages given"),
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
    parts.append("gap: how far each may be from the best under its own objective; 0 is proven best, – not known")
    lists = [[row["strategy"], " ".join(row["languages"])] for row in answers]
    parts.append(table("", ["strategy", "languages"], lists))
    parts += [f"left out: {each['strategy']}: {each['reason']}" for each in document["skipped"]]
    return stack(*parts)


def sureness(goal: Json) -> str:
    """How far an answer may be from the best one."""
    if goal["optimal"]:
        return "proven best"
    if goal["gap"] is None:
        return "no bound known"
    percent = 100 * goal["gap"]
    return f"within {percent:.1f} % of the proven bound" if percent >= 0.1 else f"within {percent:.2g} % of the bound"


def _chosen(document: Document, title: str) -> RenderableType:
    languages = [parse(code) for code in document["languages"]]
    rows = [[each.code, each.name, each.family, each.genus, each.script] for each in languages]
    return table(title, ["code", "name", "family", "genus", "script"], rows)


def _measures(document: Document) -> RenderableType:
    rows = [
        [name.replace("_", " "), _number(value), *_ranked(document["percentiles"][name])]
        for name, value in document["diversity"].items()
    ]
    title = f"diversity, and the percentile among {document['random_subsets']} random subsets"
    return table(title, ["measure", "value", "percentile", ""], rows, right=("value", "percentile"))


def _prediction(document: Document) -> list[RenderableType]:
    """What the transfer model promises, how sure it is, and what its promise rests on."""
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
    title = "predicted gain over no realignment, in points: mean of the targets"
    known = "targets with published results"
    limits = (
        "Predicted from published results of XLM-R-base (arXiv 2511.06497): another encoder, data budget or task may"
        " rank subsets differently, and the best of many predictions promises too much. A study measures it."
    )
    return [table(title, ["task", "gain", "90 %", known], rows, right=("gain", known)), limits]


def _ranked(percentile: float | None) -> list[str]:
    """The number and a bar as long."""
    if percentile is None:
        return ["–", ""]
    full = round(BAR * percentile / 100)
    return [f"{percentile:.0f}", "━" * full + "·" * (BAR - full)]


def _remarks(document: Document) -> str:
    """What the answer rests on, in one line or two."""
    source = document["source"] or "none"
    told = [f"{document['metric']} distances, source {source}, {document['imputed']:.0%} of the features imputed"]
    if document["cost"] is not None:
        told.append(f"cost {document['cost']:g}")
    if document["rows_used"]:
        used = {f"{code} by {row}" for code, rows in document["rows_used"].items() for row in rows.values()}
        told.append(f"described by another row of URIEL: {', '.join(sorted(used))}")
    return "; ".join(told)


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
