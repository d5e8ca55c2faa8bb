"""The study file as others read it: a JSON Schema for editors, and a page with every key.

`python -m search.config.reference` writes both into docs/: study.schema.json and study-file.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter

from realign.section import Range, Section, keys
from search.config.schema import StudyFile
from search.config.strategy_names import DIVERSITY, STRATEGIES

SCHEMA, PAGE = "study.schema.json", "study-file.md"
WORDS: Mapping[Any, str] = {str: "text", int: "whole number", float: "number", bool: "true or false"}
WITHOUT = "what a strategy of 'realingo select' chooses, with one seed after another"
HEAD = f"""# The study file

Every key of a study file, made by `python -m search.config.reference` from the settings themselves. A study file is
TOML. An unknown key is an error, and so is a value of another type. Each key can be replaced on the command line:
`--set search.trials=20`. [{SCHEMA}]({SCHEMA}) tells the same to editors that know JSON
Schema (those with Taplo or Even Better TOML, for example). `realingo init` writes it beside the study file, whose first
line names it; in a file of your own, write `#:schema PATH/{SCHEMA}` there.

A key without a default must be given; "-" means that nothing is the default. Relative paths start at the study file.
"""


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a study file (draft 2020-12)."""
    schema = TypeAdapter(StudyFile).json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return {**head, "title": "Realingo study file"}


def schema_text() -> str:
    """The JSON Schema as it is written to a file."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def page() -> str:
    """The reference page, in Markdown."""
    hints = get_type_hints(StudyFile, include_extras=True)
    tables = {key: hints[key] for key in keys(StudyFile) if _sections(hints[key])}
    top = [key for key in keys(StudyFile) if key not in tables]
    parts = [HEAD, "## Top level", _table(StudyFile, top)]
    inner: dict[type[Section], None] = {}
    for key, form in tables.items():
        parts += [f"## [{key}]", _about(form), _table(form, keys(form))]
        inner |= dict.fromkeys(_inner(form))
        if key == "search":
            parts += [
                "### Strategies",
                "\n".join(f"- `{name}`: {text}" for name, text in {**STRATEGIES, DIVERSITY: WITHOUT}.items()),
            ]
    parts.append("## Tables inside these sections")
    for form in inner:
        parts += [f"### {_title(form)}", _about(form), _table(form, keys(form))]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def write(folder: Path) -> None:
    """Write the schema and the page into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SCHEMA).write_text(schema_text(), encoding="utf-8")
    (folder / PAGE).write_text(page(), encoding="utf-8")


def _about(form: type[Section]) -> str:
    """The description of a section from its docstring: the first paragraph, without file names of the code."""
    text = " ".join((form.__doc__ or "").strip().split("\n\n")[0].split())
    return text.partition("; realign/")[0].rstrip(".") + "."


def _table(form: type[Section], names: list[str]) -> str:
    hints = get_type_hints(form, include_extras=True)
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    known = {each.name: each for each in fields(form)}  # type: ignore[arg-type]
    for name in names:
        text = known[name].metadata["description"]
        cells = (f"`{name}`", _type(hints[name]), _default(known[name].default), text)
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;').replace('<', '&lt;') for cell in cells)} |")
    return "\n".join(rows)


def _default(value: Any) -> str:
    if value is MISSING:
        return ""
    return "-" if value is None or value in ("", ()) else f"`{json.dumps(value)}`"


def _type(form: Any) -> str:
    """The type of a key, in words of TOML."""
    if form in WORDS:
        return WORDS[form]
    if isinstance(form, type) and issubclass(form, Section):
        return f"[{_title(form)}](#{_title(form).lower().replace(' ', '-')})"
    origin, inside = get_origin(form), get_args(form)
    if origin is Annotated:
        limits = "".join(_range(each) for each in inside[1:] if isinstance(each, Range))
        return _type(inside[0]) + limits
    if origin is Literal:
        return ", ".join(f'`"{each}"`' for each in inside)
    if origin is tuple:
        return f"list of {_type(inside[0])}" if inside[1:] == (...,) else f"[{', '.join(map(_type, inside))}]"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"table of {_type(inside[0])} to {_type(inside[1])}"
    return _union([_type(each) for each in inside if each is not NoneType])


def _union(alternatives: list[str]) -> str:
    """The alternatives of a key in one phrase; a list of what may stand alone is not told at length."""
    *single, last = alternatives
    repeated = last.startswith("list of ") and last.removeprefix("list of ") in " or ".join(single)
    return " or ".join([*single, "a list of these" if repeated and "[" in last else last])


def _range(limits: Range) -> str:
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    given = {word: getattr(limits, key) for key, word in words.items()}
    bounds = ", ".join(f"{word} {value:,}" for word, value in given.items() if value is not None)
    return f" ({bounds})" if bounds else ""


def _title(form: type) -> str:
    """A class in words: VerseFiles is "Verse files"."""
    text = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in form.__name__).strip()
    return "LoRA" if form.__name__ == "LoRA" else text.capitalize()


def _sections(form: Any) -> list[type[Section]]:
    """The sections among the alternatives of a key, however deep in lists and annotations."""
    if isinstance(form, type) and issubclass(form, Section):
        return [form]
    return [section for part in getattr(form, "__args__", ()) for section in _sections(part)]


def _inner(form: type[Section]) -> Iterator[type[Section]]:
    """The sections inside a section, and those inside them."""
    for hint in get_type_hints(form, include_extras=True).values():
        for section in _sections(hint):
            yield section
            yield from _inner(section)


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
