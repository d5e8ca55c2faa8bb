"""Reading a study file as plain values: TOML in, `--set key=value` on top, and nearest guesses for a wrong key."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from selector.errors import InputError


def read(path: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """The document in `path` with the overrides applied; InputError for a missing, unreadable or malformed file."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no study file {path}", "name a TOML study file, for example study.toml") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise InputError(f"cannot read {path}: {problem}", "name a readable TOML file in UTF-8") from None
    except tomllib.TOMLDecodeError as problem:
        raise InputError(f"{path} is not valid TOML: {problem}", "correct the file at the place named") from None
    for override in overrides:
        _apply(document, override)
    return document


def guess(word: str, known: Iterable[str]) -> str:
    """A sentence naming what was probably meant, and everything that could have been meant."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    listed = f"known: {', '.join(names)}"
    return f"did you mean '{near[0]}'? {listed}" if near else listed


def _apply(document: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    *parents, last = [part.strip() for part in key.split(".")]
    if not equals or not all((*parents, last)):
        raise InputError(f"--set {override!r} is not KEY=VALUE", "write it as in --set search.trials=20")
    table = document
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise InputError(f"--set {override!r}: '{parent}' holds a value, not keys", "override the whole value")
    table[last] = _value(text.strip())


def _value(text: str) -> Any:
    """What TOML makes of the text, else the text itself: `--set search.strategy=tpe` needs no quotes."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if set(parsed) == {"value"} else text
