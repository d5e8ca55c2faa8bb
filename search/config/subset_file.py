"""subset.json of an export, read again: told in the model card and never followed, so it may hold plain words alone."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

from search.results.exported_subset import ExportedSubset
from selector import text_file
from selector.errors import InputError
from selector.languages.language import Language, Pool, parse, parse_pool

PLAIN = re.compile(r"[\w .:;,+@()'%±−-]{0,1000}")  # what its text may hold: no markup, no path
HINT = "export the study again, or give the realign.toml alone"


def read_subset(file: Path, languages: Pool, source: Language) -> ExportedSubset:
    """Read subset.json. InputError unless it is one, of these languages, with numbers and plain words alone."""
    try:
        document: object = json.loads(text_file.small(file))
    except (OSError, ValueError, RecursionError) as problem:
        raise InputError(f"{file} cannot be read: {problem}", HINT) from None
    try:
        subset = ExportedSubset.from_json(document, str(file))
    except InputError as problem:
        raise InputError(problem.message, HINT) from None
    if wrong := next((value for value in _values(document) if not _is_harmless(value)), None):
        raise InputError(f"{file} holds {str(wrong)[:80]!r}, which is no number or plain text", HINT)
    beside = file.with_name("realign.toml").name
    if parse_pool(list(subset.languages)) != languages:
        raise InputError(f"{file} names other languages than {beside}", HINT)
    if parse(subset.source) != source:
        raise InputError(f"{file} names another source than {beside}", HINT)
    return subset


def _values(document: object) -> Iterator[object]:
    """Every key and value of a JSON document that is no list or table."""
    if isinstance(document, dict):
        yield from document
        document = list(document.values())
    if isinstance(document, list):
        for item in document:
            yield from _values(item)
    else:
        yield document


def _is_harmless(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return PLAIN.fullmatch(value) is not None and ".." not in value
    return value is None or isinstance(value, int)
