"""Reading a study file as plain values: TOML in, `--set key=value` on top, and what is wrong with it in plain words."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

from realign.section import Section, SettingError, keys
from selector import text_file as text
from selector.errors import InputError
from selector.languages.language import Language

Problem = Mapping[str, Any]  # one problem that pydantic found


def read(path: Path, overrides: Sequence[str], what: str = "study file") -> dict[str, Any]:
    """The document in `path` with the overrides applied; InputError for a missing, unreadable or malformed file.

    `what` the file is, in words.
    """
    try:
        document = tomllib.loads(text.small(path))
    except FileNotFoundError:
        raise InputError(f"there is no {what} {path}", "name one that exists") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise InputError(f"cannot read {path}: {problem}", "name a readable TOML file in UTF-8") from None
    except (ValueError, RecursionError) as problem:
        raise InputError(f"{path} is not valid TOML: {problem}", "correct the file at the place named") from None
    for override in overrides:
        _apply(document, override)
    return document


def inline(key: str, value: object) -> str:
    """A value from Python as TOML writes it in one line. InputError, with its `key`: TOML has no such value."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value if isinstance(value, int) else float(value))
    if isinstance(value, Language):
        return json.dumps(value.code)
    if isinstance(value, str | Path):
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{inline(key, str(name))} = {inline(key, each)}' for name, each in value.items())}}}"
    if isinstance(value, Iterable):
        return f"[{', '.join(inline(key, each) for each in value)}]"
    if hasattr(value, "item"):  # a number of NumPy
        return inline(key, value.item())
    raise InputError(f"'{key}' cannot be {value!r}", "give text, a number, true or false, a list, or a mapping")


def guess(word: str, known: Iterable[str]) -> str:
    """A sentence naming what was probably meant, and everything that could have been meant."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    listed = f"known: {', '.join(names)}"
    return f"did you mean '{near[0]}'? {listed}" if near else listed


def explain_problems(form: type, path: Path, problems: Sequence[Problem]) -> InputError:
    """The first of a validation's problems, with the key as the user wrote it. `form` is a section."""
    # of the alternatives of a union, the one that got furthest is what was meant
    first = max(problems, key=lambda problem: (len(problem["loc"]), problem["type"] == "union_tag_invalid"))
    found, known = _walk(form, first["loc"])
    if first["type"] == "union_tag_invalid":
        kind = str(first["input"].get("kind")) if isinstance(first["input"], dict) else str(first["input"])
        return InputError(f"{path.name}: {'.'.join(found)}: there is no kind '{kind}'", guess(kind, known))
    if first["type"] == "unexpected_keyword_argument":
        key = str(first["loc"][-1])
        return InputError(f"{path.name}: unknown key '{'.'.join([*found, key])}'", guess(key, known))
    place = ".".join(found)
    if first["type"] == "missing" and isinstance(first["loc"][-1], str):
        return InputError(f"{path.name}: '{place}' is missing", f"add it to {path.name}")
    here = [problem for problem in problems if _walk(form, problem["loc"])[0] == found]
    return InputError(
        f"{path.name}: {place}: {_alternatives(first, here)}", f"correct '{place}' in {path.name} or in --set {place}=…"
    )


def _alternatives(first: Problem, problems: Sequence[Problem]) -> str:
    """What a key may be: what the `problems` at one key say together where they are alike, else what `first` says."""
    begin = "Input should be "
    messages = list(dict.fromkeys(map(_message, problems)))
    if not all(message.startswith(begin) for message in messages):
        return _message(first)
    return begin + " or ".join(message.removeprefix(begin) for message in messages)


def _message(problem: Problem) -> str:
    """The problem in words of TOML."""
    if problem["type"] in ("dataclass_type", "union_tag_not_found"):
        return "Input should be a table of keys"
    if problem["type"] == "string_pattern_mismatch":  # names are the only text of a given form
        return "Input should be letters from A to Z, digits, dots, underscores and hyphens; no dot or hyphen first"
    if problem["type"] == "missing":
        return "Input should be a longer list"
    if problem["type"] == "too_long":
        return f"Input should be a list of at most {problem['ctx']['max_length']}"
    error = problem.get("ctx", {}).get("error")
    if isinstance(error, SettingError):
        return error.complete
    return str(problem["msg"]).removeprefix("Value error, ").replace("valid tuple", "valid list")


def _walk(form: type, location: Sequence[int | str]) -> tuple[list[str], list[str]]:
    """The keys of a problem's place as the user wrote them, and the keys known where it ends.

    A location has the names of a union's alternatives between the keys; those are no fields and drop out.
    """
    model: Any = form
    place: list[str] = []
    for part in map(str, location):
        inner = [kind for kind in _sections(model) if kind.__name__ == part]
        if inner:
            model = inner[0]
        elif part in _fields(model):
            place.append(part)
            model = _fields(model)[part]
    kinds = [_fields(section)["kind"] for section in _sections(model) if "kind" in _fields(section)]
    return place, list(_fields(model) or [kind for form in kinds for kind in getattr(form, "__args__", ())])


def _fields(form: Any) -> dict[str, Any]:
    """Key → what it may hold; empty for what is no section."""
    if not (isinstance(form, type) and issubclass(form, Section)):
        return {}
    hints = get_type_hints(form, include_extras=True)
    return {key: hints[key] for key in keys(form)}


def _sections(form: Any) -> list[Any]:
    """The sections among the alternatives of a key, however deep in lists and annotations."""
    if isinstance(form, type) and issubclass(form, Section):
        return [form]
    return [section for part in getattr(form, "__args__", ()) for section in _sections(part)]


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
    value = _value(text.strip())
    if not parents and isinstance(value, dict) and isinstance(table.get(last), dict):
        message = f"--set {override!r} would drop all else that [{last}] says"
        raise InputError(message, f"give each key alone, as in --set {last}.{next(iter(value), 'key')}=…")
    table[last] = value


def _value(written: str) -> Any:
    """The value that TOML makes of the text, else the text itself: `--set search.strategy=tpe` needs no quotes."""
    try:
        parsed = tomllib.loads(f"value = {written}")
    except (ValueError, RecursionError):  # no TOML, a number of thousands of digits, thousands of brackets
        return written
    return parsed["value"] if set(parsed) == {"value"} else written
