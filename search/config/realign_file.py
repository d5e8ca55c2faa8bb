"""What `realingo realign` is asked to do: an export, or a TOML file with the same keys, checked before anything runs.

Of an export, realign.toml says what to do and subset.json why; the latter is told in the model card and never followed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from realign.core import Core, FakeModel, Model, Task
from realign.data_sets import Data
from realign.section import Section, setting
from realign.training.settings import Realignment
from search.config import toml_file
from search.config.sample_size import limit_sample
from search.config.schema import FidelitySection, Name, SearchSection, Seed, check
from search.config.subset_file import read_subset
from search.results.exported_subset import ExportedSubset
from selector.errors import InputError
from selector.languages.language import Language, Pool, parse, parse_pool
from selector.languages.pools import NAMES


@dataclass(frozen=True)
class RealignFile(Section):
    """The content of a file: a core and the languages to realign on; an unknown key is an error."""

    languages: str | tuple[str, ...] = field(
        metadata={"description": "Languages to realign on: a list, a named pool, or a file with one code a line."}
    )
    name: Name = setting("realigned", "Name of the realigned encoder: letters, digits, dots, underscores, hyphens.")
    seed: Seed = setting(0, "Seed of the realignment.")
    source: str = setting("eng", "Source language, which the others are pulled towards.")
    model: Model = setting(Model(), "The encoder.")
    data: Data = setting(Data(), "The parallel text.")
    task: Task = setting(Task(), "Task of the study that chose; only order = 'during' trains on it.")
    realign: Realignment = setting(Realignment(), "How the encoder is realigned.")


@dataclass(frozen=True)
class RealignRequest:
    """A realignment that is asked for."""

    given: Path  # as typed
    name: str
    seed: int
    core: Core
    languages: Pool  # to realign on
    chosen: ExportedSubset | None  # the study's words, of an export
    changed: tuple[str, ...]  # keys that --set changed: the study's scores are then not of this realignment


def read(given: Path, overrides: list[str]) -> RealignRequest:
    """Read and check what is asked for. InputError names the file and the key of the first thing wrong."""
    path = (given / "realign.toml" if given.is_dir() else given).absolute()
    if given.is_dir() and not path.is_file():
        raise InputError(f"there is no realign.toml in {given}", "name the folder of 'realingo export', or a TOML file")
    file = check(RealignFile, path, toml_file.read(path, overrides, "export folder or TOML file"))
    source = parse(file.source)
    languages = _languages(path, file.languages, source)
    core = _core(path, file, source, len(languages))
    chosen = read_subset(path.with_name("subset.json"), languages, source) if given.is_dir() else None
    changed = tuple(override.partition("=")[0].strip() for override in overrides)
    return RealignRequest(given, file.name, file.seed, core, languages, chosen, changed)


def _core(path: Path, file: RealignFile, source: Language, size: int) -> Core:
    """Its text is limited as for a study of one subset. InputError for what no realignment can do."""
    if isinstance(file.model.base, FakeModel):
        raise InputError(f"{path.name}: model.base is a rehearsal: there is no encoder to realign", "name an encoder")
    if file.realign.order == "during" and file.task.kind == "retrieval":
        message = f"{path.name}: realign.order = 'during' takes turns with fine-tuning, but retrieval has none"
        raise InputError(message, "set realign.order = 'before'")
    core = Core(file.model, file.data, file.task, file.realign, source, path.parent)
    return limit_sample(core, (size, size), 0, SearchSection(), FidelitySection())


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
