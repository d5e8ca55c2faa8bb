"""What `realingo realign` is asked to do: an export, or a TOML file with the same keys, checked before anything runs.

Of an export, realign.toml says what to do and subset.json why; the latter is told in the model card and never followed.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from search.config import toml_file
from search.config.core_schema import DataSection, FakeModel, ModelSection, RealignSection, Section, Seed, TaskSection
from search.config.schema import StudyFile, check
from search.config.study_config import StudyConfig
from selector import text_file
from selector.errors import InputError
from selector.languages.language import Language, Pool, parse, parse_pool
from selector.languages.pools import NAMES

SCHEMA = 1
PLAIN = re.compile(r"[\w .:;,+@()'-]{0,500}")  # what text of subset.json may hold: no markup, no path


class RealignFile(Section):
    """What the file may say; an unknown key is an error."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)] = "realigned"
    seed: Seed = 0
    languages: str | tuple[str, ...]
    source: str = "eng"
    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    task: TaskSection = TaskSection()  # of the study that chose; realignment itself does not look at it
    realign: RealignSection = RealignSection()


class Told(Section, extra="ignore"):
    """A part of subset.json, as far as a model card repeats it."""


class Span(Told):
    mean: float
    ci95: tuple[float, float]


class Gain(Told):
    difference: float
    ci95: tuple[float, float]
    p: float
    p_before_holm: float | None = None  # not in exports of a confirm.json of schema 1


class Confirmed(Span):
    seeds: int
    held_out: Span | None = None
    vs_none: Gain
    vs_all: Gain
    vs_random: Gain
    regressions: tuple[str, ...] = ()


class Chosen(Told):
    """subset.json."""

    name: str
    languages: tuple[str, ...]
    source: str
    metric: str
    score: Confirmed
    row: str = "best"
    reason: str = ""
    stale: tuple[str, ...] = ()  # what of the study's numbers no longer held when it was exported
    signature: str
    study: str


@dataclass(frozen=True)
class Order:
    given: Path  # as typed
    config: StudyConfig  # `pool` are the languages to realign on
    chosen: Chosen | None  # the study's words, of an export
    changed: tuple[str, ...]  # keys that --set changed: the study's scores are then not of this realignment


def read(given: Path, overrides: list[str]) -> Order:
    """Read and check what is asked for. InputError names the file and the key of the first thing wrong."""
    path = (given / "realign.toml" if given.is_dir() else given).absolute()
    if given.is_dir() and not path.is_file():
        raise InputError(f"there is no realign.toml in {given}", "name the folder of 'realingo export', or a TOML file")
    config = _config(path, check(RealignFile, path, toml_file.read(path, overrides)))
    chosen = _chosen(path.with_name("subset.json"), config) if given.is_dir() else None
    return Order(given, config, chosen, tuple(override.partition("=")[0].strip() for override in overrides))


def _config(path: Path, file: RealignFile) -> StudyConfig:
    """As a study of one subset, which is all of its pool."""
    source = parse(file.source)
    languages = _languages(path, file.languages, source)
    if isinstance(file.model.base, FakeModel):
        raise InputError(f"{path.name}: model.base is a rehearsal: there is no encoder to realign", "name an encoder")
    if file.realign.order == "during":
        message = f"{path.name}: realign.order = 'during' takes turns with fine-tuning: no encoder stands between them"
        raise InputError(message, "set realign.order = 'before'")
    size = (len(languages), len(languages))
    sections: dict[str, Any] = {name: getattr(file, name) for name in ("model", "data", "task", "realign")}
    unused = StudyFile.model_fields.keys() - RealignFile.model_fields.keys() - {"pool", "targets"}
    rest: dict[str, Any] = {name: StudyFile.model_fields[name].default for name in unused}
    return StudyConfig(
        path=path,
        name=file.name,
        seed=file.seed,
        pool=languages,
        source=source,
        sizes=size,
        include=(),
        exclude=(),
        quotas=(),
        costs=None,
        budget=None,
        weights={},
        tune=languages,
        held_out=(),
        **sections,
        **rest,
    )


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


def _chosen(file: Path, config: StudyConfig) -> Chosen:
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
    mine = [language.code for language in config.pool]
    if [language.code for language in parse_pool(list(chosen.languages))] != mine:
        raise InputError(f"{file} names other languages than {config.path.name}", hint)
    if parse(chosen.source) != config.source:
        raise InputError(f"{file} names another source than {config.path.name}", hint)
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
