"""`realingo languages`, `distances` and `select`: questions about languages that need no encoder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from search.console import RenderableType, stack, table
from selector import features, strategy
from selector.distance import distances
from selector.diversity import diversity
from selector.errors import InputError
from selector.language import Language, known, parse, parse_pool
from selector.problem import Problem, pose

Document = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """`realingo select`, as typed."""

    pool: str
    k: int
    strategy: str
    metric: str
    source: str
    include: str
    exclude: str
    seed: int


def describe(codes: Sequence[str], pool: str | None) -> Document:
    """What is known of the languages named, of a pool, or of every language that a named pool holds."""
    asked = [parse(code) for code in codes]
    if pool is not None:
        asked += parse_pool(pool)
    unique = dict.fromkeys(asked or known())
    return {"languages": [_described(language) for language in unique]}


def _described(language: Language) -> Document:
    used = {group: features.table([language], group).rows[0] for group in features.PREFIXES}
    return {
        "code": language.code,
        "name": language.name,
        "family": language.family,
        "genus": language.genus,
        "script": language.script,
        "observed": features.observed_share(language),
        "stand_ins": {group: row for group, row in used.items() if row != language.code},
    }


def render_languages(document: Mapping[str, Any]) -> RenderableType:
    rows = [
        [*(entry[key] for key in ("code", "name", "family", "genus", "script")), f"{entry['observed']:.0%}"]
        for entry in document["languages"]
    ]
    columns = ["code", "name", "family", "genus", "script", "observed"]
    return table(f"{len(rows)} languages", columns, rows, right=("observed",))


def measure(codes: Sequence[str], metric: str) -> Document:
    """Pairwise distances of at least two languages, in the order given."""
    languages = tuple(dict.fromkeys(parse(code) for code in codes))
    if len(languages) < 2:
        raise InputError("distances need at least two different languages", "for example: realingo distances deu tur")
    found = distances(languages, metric)
    return {
        "metric": metric,
        "languages": [language.code for language in languages],
        "matrix": found.matrix.tolist(),
        "observed": found.observed.tolist(),
    }


def render_distances(document: Mapping[str, Any]) -> RenderableType:
    codes = document["languages"]
    rows = [
        [code, *(f"{value:.3f}" for value in line), f"{share:.0%}"]
        for code, line, share in zip(codes, document["matrix"], document["observed"], strict=True)
    ]
    columns = ["", *codes, "observed"]
    return table(f"{document['metric']} distances", columns, rows, right=tuple(columns[1:]))


def choose(request: Request) -> Document:
    """The subset that the requested strategy picks, its objective and how diverse it is."""
    strategy.find(request.strategy)
    return _answer(request, request.strategy, _pose(request))


def compare(request: Request) -> Document:
    """Every strategy on the same problem, side by side; `rows` are the answers of `choose`."""
    strategy.find(request.strategy)
    problem = _pose(request)
    size = len(problem.frame)
    able = [name for name, static in strategy.STRATEGIES.items() if static.largest is None or size <= static.largest]
    rows = [_answer(request, name, problem) for name in able]
    shared = ("metric", "k", "seed", "source")
    return {key: rows[0][key] for key in shared} | {"rows": rows}


def _pose(request: Request) -> Problem:
    return pose(
        parse_pool(request.pool),
        request.k,
        request.metric,
        parse(request.source),
        include=_listed(request.include),
        exclude=_listed(request.exclude),
    )


def _listed(codes: str) -> list[Language]:
    return [parse(code) for code in codes.split(",") if code.strip()]


def _answer(request: Request, name: str, problem: Problem) -> Document:
    if request.seed < 0:
        raise InputError(f"the seed is {request.seed}, below zero", "give a seed of 0 or more")
    choice = strategy.solve(name, problem, np.random.default_rng(request.seed))
    index = [i for i, language in enumerate(problem.frame) if language in choice.subset]
    return {
        "strategy": name,
        "metric": request.metric,
        "k": request.k,
        "seed": request.seed,
        "source": problem.source.code if problem.source is not None else None,
        "languages": list(choice.subset.codes),
        "objective": {
            "name": choice.objective,
            "value": choice.value,
            "bound": choice.bound,
            "optimal": choice.optimal,
        },
        "diversity": diversity(problem, index),
        "cost": None,
    }


def render_choice(document: Mapping[str, Any]) -> RenderableType:
    languages = [parse(code) for code in document["languages"]]
    rows = [[entry.code, entry.name, entry.family, entry.genus, entry.script] for entry in languages]
    goal = document["objective"]
    sure = " (proven best)" if goal["optimal"] else ""
    title = f"{document['strategy']}: {goal['name']} {goal['value']:.4f}{sure}, source {document['source']}"
    measures = [[name.replace("_", " "), _number(value)] for name, value in document["diversity"].items()]
    return stack(
        table(title, ["code", "name", "family", "genus", "script"], rows),
        table("diversity", ["measure", "value"], measures, right=("value",)),
        ",".join(document["languages"]),
    )


def render_comparison(document: Mapping[str, Any]) -> RenderableType:
    shown = ("mean_pairwise", "min_pairwise", "nearest", "families", "scripts", "entropy")
    rows = [
        [row["strategy"], " ".join(row["languages"]), *(_number(row["diversity"][name]) for name in shown)]
        for row in document["rows"]
    ]
    columns = ["strategy", "languages", "mean", "min", "near", "fam", "scr", "bits"]  # short: eighty characters wide
    title = f"k = {document['k']}, {document['metric']} distances, source {document['source']}"
    return table(title, columns, rows, right=tuple(columns[2:]))


def _number(value: float | int | None) -> str:
    return "–" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"


def draw(request: Request, answer: Mapping[str, Any], path: Path) -> None:
    """A map of the pool by distance, the chosen languages marked, written to a PNG file in one step.

    Raises InputError where matplotlib is missing, the name does not end in .png, or the folder cannot be written.
    """
    from search import chart

    if path.suffix.lower() != ".png":
        raise InputError(f"'{path}' is no PNG file name", "end the name in .png")
    row = next((row for row in answer.get("rows", []) if row["strategy"] == request.strategy), answer)
    picture = chart.language_map(_pose(request), set(row["languages"]), _caption(row))
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as stream:
            stream.write(picture)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as problem:
        temporary.unlink(missing_ok=True)
        raise InputError(f"cannot write '{path}': {problem.strerror}", "name a file in a folder that exists") from None


def _caption(row: Mapping[str, Any]) -> str:
    return f"{row['k']} languages by {row['strategy']}, {row['metric']} distances, source {row['source']}"
