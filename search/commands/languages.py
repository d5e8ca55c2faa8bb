"""`realingo languages` and `distances`: what is known of languages, and how far apart they are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search.results.json_reader import Json
from search.terminal import RenderableType, listing, table
from selector.distances import user_table
from selector.distances.distance import LEAST_OVERLAP, distances
from selector.errors import InputError, quantity
from selector.languages.language import Language, all_languages, parse, parse_pool, scripts
from selector.languages.resources import resource_class
from selector.sources import features
from selector.sources.uriel import PREFIXES

Document = Json

FRAMED = 300  # rows up to which a table is drawn; more are listed plainly


def describe(codes: Sequence[str], pool: str | None, path: str | None = None) -> Document:
    """The facts on the languages named, on a pool, or on every language that a named pool holds.

    `path` is a user's table (CSV, the code first): its columns are shown too, and its languages where none are named.
    """
    asked = [parse(code) for code in codes]
    if pool is not None:
        asked += parse_pool(pool)
    own = user_table.read(path) if path is not None else None
    if own is not None and not asked:
        asked = [parse(code) for code in own.cells]
    unique = tuple(dict.fromkeys(asked or all_languages()))
    return {"languages": _described(unique, own)}


def _described(languages: tuple[Language, ...], own: user_table.Columns | None) -> list[Document]:
    """One entry a language. `rows` says whose row of URIEL was read for each feature group."""
    tables = {group: features.table(languages, group) for group in PREFIXES}
    whole = np.concatenate([found.observed for found in tables.values()], axis=1).mean(axis=1)  # (n,)
    shares = {group: found.observed.mean(axis=1) for group, found in tables.items()}
    places = features.degrees(languages)  # (n, 2)
    answer = []
    for i, language in enumerate(languages):
        used = {group: found.rows[i] for group, found in tables.items()}
        latitude, longitude = (None if math.isnan(x) else round(float(x), 2) for x in places[i])
        entry: Document = {
            "code": language.code,
            "name": language.name,
            "family": language.family,
            "genus": language.genus,
            "script": language.script,
            "scripts": list(scripts(language)),
            "resource": resource_class(language),
            "latitude": latitude,
            "longitude": longitude,
            "observed": float(whole[i]),
            "observed_by_group": {group: float(share[i]) for group, share in shares.items()},
            "rows": used,
            "stand_ins": {group: row for group, row in used.items() if row != language.code},
        }
        if own is not None:
            entry["columns"] = {name: own.label(name, language) for name in own.names}
        answer.append(entry)
    return answer


def render_languages(document: Json) -> RenderableType:
    entries = document["languages"]
    own = list(entries[0].get("columns", {}))
    titles = ["code", "name", "family", "genus", "scripts", "class", "place", "observed", "S P I %", "rows", *own]
    rows = [_cells(entry) for entry in entries]
    title = f"{quantity(len(rows), 'language')}; observed: of URIEL's syntax (S), phonology (P), inventories (I)"
    right = ("class", "place", "observed", "S P I %")
    if len(rows) > FRAMED:
        return listing(title, titles, rows, right)
    return table(title, titles, rows, right, spare=("class", "place", "rows", "S P I %"))


def _cells(entry: Json) -> list[str]:
    scripts_ = " ".join(entry["scripts"][:2]) + (" …" if len(entry["scripts"]) > 2 else "")
    place = "–" if entry["latitude"] is None else f"{entry['latitude']:.1f} {entry['longitude']:.1f}"
    lent = entry["stand_ins"]
    borrowed = [
        (row, [group[0].upper() for group in lent if lent[group] == row]) for row in dict.fromkeys(lent.values())
    ]
    return [
        *(entry[key] for key in ("code", "name", "family", "genus")),
        scripts_ or "–",
        "–" if entry["resource"] is None else str(entry["resource"]),
        place,
        f"{entry['observed']:.0%}",
        " ".join(f"{share:.0%}".removesuffix("%") for share in entry["observed_by_group"].values()),
        " ".join(f"{''.join(groups)}:{row}" for row, groups in borrowed),
        *("–" if cell is None else cell for cell in entry.get("columns", {}).values()),
    ]


def measure(codes: Sequence[str], metric: str, least_overlap: int = LEAST_OVERLAP) -> Document:
    """Pairwise distances of at least two languages, in the order given.

    `overlap` counts the features observed for both languages of a pair (null where the metric has no features),
    `unknown` lists the pairs that rest on too few and got the mean, `rows` says whose row of URIEL was read, and
    `same_row` lists the pairs at distance 0 only because one row serves both.
    """
    languages = tuple(dict.fromkeys(parse(code) for code in codes))
    if len(languages) < 2:
        raise InputError("distances need at least two different languages", "for example: realingo distances deu tur")
    found = distances(languages, metric, least_overlap)
    listed = [language.code for language in languages]
    return {
        "metric": metric,
        "languages": listed,
        "matrix": found.matrix.tolist(),
        "observed": found.observed.tolist(),
        "overlap": None if found.overlap is None else found.overlap.tolist(),
        "unknown": _pairs(listed, found.unknown),
        "same_row": _pairs(listed, found.same_row()),
        "rows": {group: list(rows) for group, rows in found.rows.items()},
    }


def _pairs(codes: Sequence[str], marked: NDArray[np.bool_] | None) -> list[list[str]]:
    places = [] if marked is None else np.argwhere(np.triu(marked, 1)).tolist()
    return [[codes[i], codes[j]] for i, j in places]


def render_distances(document: Json) -> RenderableType:
    """The matrix; `?` behind a distance that is only the mean, `=` where one row of URIEL serves both languages."""
    codes = document["languages"]
    marks = {frozenset(pair): mark for name, mark in (("unknown", "?"), ("same_row", "=")) for pair in document[name]}
    rows = []
    for code, line, share in zip(codes, document["matrix"], document["observed"], strict=True):
        cells = [f"{x:.3f}{marks.get(frozenset((code, other)), '')}" for other, x in zip(codes, line, strict=True)]
        rows.append([code, *cells, f"{share:.0%}"])
    names = ["", *codes, "observed"]
    title = f"{document['metric']} distances{_legend(document)}"
    return table(title, names, rows, right=tuple(names[1:]), matrix=True)


def _legend(document: Json) -> str:
    notes = {"unknown": "? too little is known: the mean", "same_row": "= read from one row"}
    return "".join(f"; {note}" for name, note in notes.items() if document[name])
