"""What `realingo realign` is asked to do: an export, or a TOML file with the same keys, checked before anything runs.

Of an export, realign.toml says what to do and subset.json why; the latter is told in the model card and never followed.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from realign.core import Core, FakeModel, Model, Task
from realign.data_sets import Data
from realign.section import Section, setting
from realign.training.settings import Realignment
from search.config import toml_file
from search.config.sample_size import limited
from search.config.schema import FidelitySection, Name, SearchSection, Seed, check
from selector import text_file
from selector.errors import InputError
from selector.languages.language import Language, Pool, parse, parse_pool
from selector.languages.pools import NAMES

SCHEMA = 1
PLAIN = re.compile(r"[\w .:;,+@()'-]{0,500}")  # what text of subset.json may hold: no markup, no path


@dataclass(frozen=True)
class RealignFile(Section):
    """What the file may say: a core and the languages to realign on; an unknown key is an error."""

    languages: str | tuple[str, ...] = field(
        metadata={"description": "Languages to realign on: a list, a named pool, or a file with one code a line."}
    )
    name: Name = setting("realigned", "Name of the realigned encoder: letters, digits, dots, underscores, hyphens.")
    seed: Seed = setting(0, "Seed of the realignment.")
    source: str = setting("eng", "Source language, which the others are pulled towards.")
    model: Model = setting(Model(), "The encoder.")
    data: Data = setting(Data(), "The parallel text.")
    task: Task = setting(Task(), "Task of the study that chose; realignment itself does not look at it.")
    realign: Realignment = setting(Realignment(), "How the encoder is realigned.")


class Told(Section):
    """A part of subset.json, as far as a model card repeats it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {**Section.__pydantic_config__, "extra": "ignore"}


@dataclass(frozen=True)
class Span(Told):
    mean: float
    ci95: tuple[float, float]


@dataclass(frozen=True)
class Gain(Told):
    difference: float
    ci95: tuple[float, float]
    p: float
    p_before_holm: float | None = None  # not in exports of a confirm.json of schema 1


@dataclass(frozen=True)
class Confirmed(Span):
    seeds: int
    vs_none: Gain
    vs_all: Gain
    vs_random: Gain
    held_out: Span | None = None
    regressions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chosen(Told):
    """subset.json."""

    name: str
    languages: tuple[str, ...]
    source: str
    metric: str
    score: Confirmed
    signature: str
    study: str
    row: str = "best"
    reason: str = ""
    stale: tuple[str, ...] = ()  # what of the study's numbers no longer held when it was exported


@dataclass(frozen=True)
class Order:
    """A realignment that is asked for."""

    given: Path  # as typed
    name: str
    seed: int
    core: Core
    languages: Pool  # to realign on
    chosen: Chosen | None  # the study's words, of an export
    changed: tuple[str, ...]  # keys that --set changed: the study's scores are then not of this realignment


def read(given: Path, overrides: list[str]) -> Order:
    """Read and check what is asked for. InputError names the file and the key of the first thing wrong."""
    path = (given / "realign.toml" if given.is_dir() else given).absolute()
    if given.is_dir() and not path.is_file():
        raise InputError(f"there is no realign.toml in {given}", "name the folder of 'realingo export', or a TOML file")
    file = check(RealignFile, path, toml_file.read(path, overrides))
    source = parse(file.source)
    languages = _languages(path, file.languages, source)
    core = _core(path, file, source, len(languages))
    chosen = _chosen(path.with_name("subset.json"), path.name, languages, source) if given.is_dir() else None
    changed = tuple(override.partition("=")[0].strip() for override in overrides)
    return Order(given, file.name, file.seed, core, languages, chosen, changed)


def _core(path: Path, file: RealignFile, source: Language, size: int) -> Core:
    """Its text is limited as for a study of one subset. InputError for what no realignment can do."""
    if isinstance(file.model.base, FakeModel):
        raise InputError(f"{path.name}: model.base is a rehearsal: there is no encoder to realign", "name an encoder")
    if file.realign.order == "during":
        message = f"{path.name}: realign.order = 'during' takes turns with fine-tuning: no encoder stands between them"
        raise InputError(message, "set realign.order = 'before'")
    core = Core(file.model, file.data, file.task, file.realign, source, path.parent)
    return limited(core, (size, size), 0, SearchSection(), FidelitySection())


def _languages(path: Path, given: str | tuple[str, ...], source: Language) -> Pool:
    listed = path.parent / given if isinstance(given, str) else None
    found = str(listed) if listed is not None and os.path.isfile(listed) else given
    languages = parse_pool(found if isinstance(found, str) else list(found))
    if given in NAMES:  # a named pool is meant as it is, but for the source
        return tuple(language for language in languages if language != source)
    if source in languages:
        message = f"{path.name}: the source language {source.code} is among the languages"
        raise InputError(message, f"leave {source.code} out of languages")
    return languages


def _chosen(file: Path, order: str, languages: Pool, source: Language) -> Chosen:
    """subset.json, which must be of this schema, of these languages, and hold no more than numbers and plain words."""
    hint = "export the study again, or give the realign.toml alone"
    try:
        document = json.loads(text_file.small(file))
    except (OSError, ValueError, RecursionError) as problem:
        raise InputError(f"{file} cannot be read: {problem}", hint) from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise InputError(f"{file} is not of schema {SCHEMA}", hint)
    chosen = check(Chosen, file, document)
    if wrong := next((value for value in _values(document) if not _harmless(value)), None):
        raise InputError(f"{file} holds {str(wrong)[:80]!r}, which is no number or plain text", hint)
    if parse_pool(list(chosen.languages)) != languages:
        raise InputError(f"{file} names other languages than {order}", hint)
    if parse(chosen.source) != source:
        raise InputError(f"{file} names another source than {order}", hint)
    return chosen


def _values(document: Any) -> Iterator[Any]:
    """Every key and value of a JSON document that is no list or table."""
    if isinstance(document, dict):
        yield from document
        document = list(document.values())
    if isinstance(document, list):
        for item in document:
            yield from _values(item)
    else:
        yield document


def _harmless(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, int) or (PLAIN.fullmatch(value) is not None and ".." not in value)
