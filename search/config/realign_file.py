"""What `realingo realign` is asked to do: an export, or a TOML file with the same keys, checked before anything runs.

In an export, realign.toml says what to do and subset.json why. The model card repeats the latter; no step follows it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from realign.core import Core, FakeModel, Model, Task
from realign.data_sets import Data
from realign.score import Merging
from realign.section import Range, Section, setting
from realign.training.settings import Count, Realignment
from search.config import toml_file
from search.config.sample_size import limit_sample
from search.config.schema import FidelitySection, Name, SearchSection, Seed, check
from search.config.subset_file import read_subset
from search.results.exported_subset import ExportedSubset
from selector.errors import InputError
from selector.languages.language import Language, Pool, parse, parse_pool
from selector.languages.pools import NAMES


@dataclass(frozen=True)
class MergingSection(Section):
    """How an encoder is merged from realignments on each language alone; for `realingo realign --merge`."""

    method: Literal["average", "touched", "ties", "dare"] = setting("average", "How the languages' vectors are merged.")
    pairs: Count | None = setting(
        None, "Sentence pairs of each language's realignment; left out: steps times batch of [realign]."
    )
    seeds: Annotated[int, Range(ge=1, le=100)] = setting(1, "Realignments of each language, on consecutive seeds.")
    scale: Annotated[float, Range(gt=0)] = setting(2.0, "Factor of the merged vector.")
    density: Annotated[float, Range(gt=0, le=1)] = setting(
        1.0, "Share of the weights of each vector that ties and dare keep."
    )
    precision: Literal["bf16", "fp32"] = setting("bf16", "Number format of the vectors on disk.")

    @classmethod
    def of(cls, given: Merging, pairs: int) -> MergingSection:
        """The settings of a study's merged measurements. `pairs`: of each language. `given` does not merge scores."""
        assert given.method != "scores"
        return cls(given.method, pairs, given.seeds, given.scale, given.density, given.precision)

    @property
    def merging(self) -> Merging:
        """The same for the merger."""
        return Merging(self.method, seeds=self.seeds, scale=self.scale, density=self.density, precision=self.precision)


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
    merging: MergingSection = setting(MergingSection(), "How it is merged instead; for --merge.")


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
    merging: MergingSection | None = None  # one realignment for each language, merged; `pairs` is a number


def read(given: Path, overrides: list[str], merge: bool = False) -> RealignRequest:
    """Read and check what is asked for. InputError names the file and the key of the first thing wrong.

    With `merge` the encoder is merged from one realignment for each language.
    """
    path = (given / "realign.toml" if given.is_dir() else given).absolute()
    if given.is_dir() and not path.is_file():
        raise InputError(f"there is no realign.toml in {given}", "name the folder of 'realingo export', or a TOML file")
    file = check(RealignFile, path, toml_file.read(path, overrides, "export folder or TOML file"))
    source = parse(file.source)
    languages = _languages(path, file.languages, source)
    merging = _merging(path, file) if merge else None
    core = _core(path, file, source, len(languages), merging)
    chosen = read_subset(path.with_name("subset.json"), languages, source) if given.is_dir() else None
    changed = tuple(override.partition("=")[0].strip() for override in overrides)
    return RealignRequest(given, file.name, file.seed, core, languages, chosen, changed, merging)


def _merging(path: Path, file: RealignFile) -> MergingSection:
    """How to merge, with the number of pairs. InputError where they make no step."""
    pairs = file.merging.pairs or file.realign.steps * file.realign.batch
    if pairs < file.realign.batch:
        message = f"{path.name}: merging.pairs = {pairs} is less than one batch of {file.realign.batch}"
        raise InputError(message, "raise merging.pairs, or lower realign.batch")
    return replace(file.merging, pairs=pairs)


def _core(path: Path, file: RealignFile, source: Language, size: int, merging: MergingSection | None) -> Core:
    """Its text is limited as for a study of one subset. InputError for what no realignment can do."""
    if isinstance(file.model.base, FakeModel):
        raise InputError(f"{path.name}: model.base is a rehearsal: there is no encoder to realign", "name an encoder")
    if merging is not None and file.realign.order == "during":
        message = f"{path.name}: realign.order = 'during' takes turns with fine-tuning, but --merge has none"
        raise InputError(message, "leave --merge out, or add --set realign.order=before")
    if file.realign.order == "during" and file.task.kind == "retrieval":
        message = f"{path.name}: realign.order = 'during' takes turns with fine-tuning, but retrieval has none"
        raise InputError(message, "set realign.order = 'before'")
    core = Core(file.model, file.data, file.task, file.realign, source, path.parent)
    if merging is not None and core.data.pairs is None and core.data.parallel != "world":
        return replace(core, data=replace(core.data, pairs=merging.pairs))
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
