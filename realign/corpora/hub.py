"""Data from the hub through `datasets` (its only importer): parallel text, tags, entities, classified sentences.

What a data set calls its languages, columns, labels and splits is data, not code: realign/data/hub.toml holds the known
sets, a study file may describe another in the same words. Files are kept in the cache of `datasets`, so a study runs
again offline (HF_HUB_OFFLINE=1). No code of a repository is run.
"""

from __future__ import annotations

import gc
import hashlib
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from realign.corpora.base import Classified, Pair, Split, Stream, Tagged
from realign.corpora.labels import iob2
from selector.errors import InputError
from selector.languages.language import parse, two_letter

LARGE = 1 << 25  # bytes of a configuration
BATCH = 1000  # rows taken at a time
SPLITS = {"train": "train", "dev": "validation", "test": "test"}


@dataclass(frozen=True)
class Spec:
    """A data set of the hub. `{lang}`, `{source}` and `{pair}` (both codes, sorted) stand for codes in its own form."""

    id: str
    tasks: tuple[str, ...]  # parallel, pos, ner, classification
    columns: Mapping[str, str]  # role → column; "a.b" is inside a column of records
    config: str = "{lang}"
    codes: str = "iso3"  # iso1, iso3 or flores (deu_Latn)
    names: Mapping[str, str] = field(default_factory=dict)  # ISO 639-3 → code in the data set, where it differs
    splits: Mapping[str, str] = field(default_factory=lambda: dict(SPLITS))
    labels: tuple[str, ...] = ()  # of labels that are bare numbers
    revision: str | None = None
    folders: bool = False  # a configuration is a folder of the repository (in the hub's own parquet conversions)

    def code(self, language: str) -> str:
        if language in self.names:
            return self.names[language]
        if self.codes == "iso1":
            return two_letter(language) or language
        return f"{language}_{parse(language).script}" if self.codes == "flores" else language

    def fill(self, pattern: str, source: str, language: str) -> str:
        ours, theirs = self.code(source), self.code(language)
        return pattern.format(lang=theirs, source=ours, pair="-".join(sorted((ours, theirs))))


@cache
def known() -> Mapping[str, Spec]:
    """The table of known sets."""
    table = tomllib.loads((files("realign") / "data" / "hub.toml").read_text(encoding="utf-8"))
    return {name: spec_of(row) for name, row in table.items()}


def spec_of(row: Mapping[str, Any]) -> Spec:
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return Spec(**given)


def named(name: str, task: str) -> Spec:
    """A known set by its name. InputError: unknown, or not for the task."""
    fitting = ", ".join(sorted(key for key, spec in known().items() if task in spec.tasks))
    if name not in known():
        raise InputError(f"there is no known data set '{name}'", f"for {task}: {fitting}; or give id and columns")
    if task not in known()[name].tasks:
        raise InputError(f"the data set '{name}' has nothing for {task}", f"for {task}: {fitting}")
    return known()[name]


class Hub:
    """One data set in all the forms of `base.py` that its columns allow."""

    def __init__(self, spec: Spec, source: str, languages: Iterable[str]) -> None:
        """`languages`: those a study uses; the first is loaded to learn which commit of the repository there is."""
        self._spec, self._source, self._languages = spec, source, tuple(sorted(set(languages)))

    @property
    def signature(self) -> str:
        """The repository, its commit, and how it is read."""
        how = json.dumps([asdict(self._spec), self._source], sort_keys=True)
        commit = self._commit(self._languages[0])
        return f"hub:{self._spec.id}@{commit}:{hashlib.sha256(how.encode()).hexdigest()[:8]}"

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        if "text" in self._spec.columns:  # one configuration a language, rows that correspond
            ours, theirs = (self._rows(code, split) for code in (self._source, language))
            self._same_length(language, split, ours, theirs)
            return Stream(
                lambda: self._joined(ours, theirs),
                lambda numbers: self._joined(ours.select(numbers), theirs.select(numbers)),
                len(ours),
            )
        rows = self._rows(language, split)
        sides = [self._spec.fill(self._spec.columns[role], self._source, language) for role in ("source", "target")]
        self._check(rows, sides)
        return Stream(
            lambda: _sides(rows, sides), lambda numbers: _sides(rows.select(numbers), sides), length=len(rows)
        )

    def sentences(self, language: str, split: Split) -> Sequence[Tagged]:
        return _sentences(self, language, split)

    def examples(self, language: str, split: Split) -> Sequence[Classified]:
        rows, columns = self._rows(language, split), self._spec.columns
        texts = [columns[role] for role in ("premise", "hypothesis", "text") if role in columns]
        self._check(rows, [*texts, columns["label"]])
        names = self._names(rows, columns["label"])
        return Stream(
            lambda: (
                Classified(
                    tuple(row[texts[0]].split()),
                    tuple(row[texts[1]].split()) if len(texts) == 2 else None,
                    _label(names, row[columns["label"]]),
                )
                for row in rows
                if row[columns["label"]] != -1  # no label
            )
        )

    def tagged(self, language: str, split: Split) -> Iterator[Tagged]:
        rows, columns = self._rows(language, split), self._spec.columns
        self._check(rows, [columns["words"], columns["tags"]])
        names = self._names(rows, columns["tags"])
        entities = "ner" in self._spec.tasks
        for row in rows:
            words, tags = row[columns["words"]], [_label(names, tag) for tag in row[columns["tags"]]]
            # "_" is what some treebanks put where there is no tag: on multiword tokens
            both = [(word, tag) for word, tag in zip(words, tags, strict=True) if tag != "_" and word.strip()]
            if both:
                shown, marked = zip(*both, strict=True)
                yield Tagged(shown, iob2(marked) if entities else marked)

    def _rows(self, language: str, split: str) -> Any:
        """The rows of a split, mapped from disk."""
        spec = self._spec
        if split not in spec.splits:
            raise InputError(f"{spec.id} has no {split} split", f"it has {', '.join(spec.splits)}")
        config = spec.fill(spec.config, self._source, language)
        found = _load(spec.id, config, spec.revision, spec.folders, language)
        name = spec.splits[split]
        if name not in found:
            message = f"{spec.id} has no split '{name}' for {language} ({config})"
            raise InputError(message, f"it has {', '.join(found)}; set data.splits.{split}")
        return found[name]

    def _commit(self, language: str) -> str:
        split = next(iter(self._spec.splits))
        for split in self._spec.splits:
            try:
                rows = self._rows(language, split)
            except InputError:
                continue
            return Path(rows.cache_files[0]["filename"]).parent.name
        return self._rows(language, split)  # the error

    def _check(self, rows: Any, columns: Sequence[str]) -> None:
        for column in columns:
            head, _, inside = column.partition(".")
            there = rows.features.get(head)
            if there is None or (inside and inside not in (getattr(there, "languages", None) or there)):
                message = f"{self._spec.id} has no column '{column}'"
                raise InputError(message, f"it has {', '.join(rows.column_names)}; set data.columns")

    def _column(self, rows: Any, role: str) -> Iterator[str]:
        name = self._spec.columns[role]
        self._check(rows, [name])
        return (text for batch in rows.iter(BATCH) for text in _column_of(batch, name))

    def _joined(self, ours: Any, theirs: Any) -> Iterator[Pair]:
        sides = (self._column(rows, "text") for rows in (ours, theirs))
        return map(_pair, *sides)

    def _same_length(self, language: str, split: str, ours: Any, theirs: Any) -> None:
        if len(ours) != len(theirs):
            message = f"{self._spec.id}: {len(theirs)} {split} rows of {language}, {len(ours)} of {self._source}"
            raise InputError(message, "only a data set whose rows correspond in all languages can be read this way")

    def _names(self, rows: Any, column: str) -> Sequence[str]:
        """What the numbers of a label column mean; () where the labels are words."""
        form = rows.features[column]
        form = getattr(form, "feature", form)
        return tuple(getattr(form, "names", None) or self._spec.labels)


def _sentences(hub: Hub, language: str, split: Split) -> tuple[Tagged, ...]:
    return tuple(hub.tagged(language, split))


def _label(names: Sequence[str], value: object) -> str:
    return names[value] if names and isinstance(value, int) else str(value)


def _sides(rows: Any, columns: Sequence[str]) -> Iterator[Pair]:
    for batch in rows.iter(BATCH):  # one by one takes ten times as long
        yield from map(_pair, *(_column_of(batch, column) for column in columns))


def _column_of(batch: Mapping[str, Any], column: str) -> Iterator[str]:
    head, _, inside = column.partition(".")
    if inside:
        return (str((cell or {}).get(inside) or "") for cell in batch[head])
    return (str(cell or "") for cell in batch[head])


def _pair(source: str, target: str) -> Pair:
    return Pair(tuple(source.split()), tuple(target.split()))


def _load(repository: str, config: str, revision: str | None, folders: bool, language: str) -> Mapping[str, Any]:
    """All splits of one configuration, mapped from disk. Of large ones only the last is held: pages of files that are
    mapped count as memory of the process. InputError says what is wrong with it.
    """
    key = (repository, config, revision, folders)
    held = next((some for some in (_small, _large) if key in some), None)
    if held is not None:
        return held[key]
    if _large:
        _large.clear()
        gc.collect()  # rows of a selection hold each other, and with them the mapped file
    found = _fetch(repository, config, revision, folders, language)
    small = sum(rows.data.nbytes for rows in found.values()) <= LARGE
    (_small if small else _large)[key] = found
    return found


_small: dict[tuple[str, str, str | None, bool], Mapping[str, Any]] = {}
_large: dict[tuple[str, str, str | None, bool], Mapping[str, Any]] = {}


def _fetch(repository: str, config: str, revision: str | None, folders: bool, language: str) -> Mapping[str, Any]:
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    where = {"data_dir": config} if folders else {"name": config}
    try:
        return datasets.load_dataset(repository, revision=revision, **where)
    except Exception as problem:  # the libraries below raise of every kind
        raise InputError(*_explained(problem, repository, config, language)) from problem


def _explained(problem: Exception, repository: str, config: str, language: str) -> tuple[str, str]:
    """Message and hint for what went wrong in loading."""
    text, kinds = str(problem), {kind.__name__ for kind in type(problem).__mro__}
    first = (text.strip().splitlines() or [type(problem).__name__])[0]
    what = f"{repository} on the hub"
    if "gated" in text.lower():
        return f"{what} is gated: its owners want to be asked", "ask on its page, then log in: hf auth login"
    if "DatasetNotFoundError" in kinds:
        return f"there is no {what}, or you may not see it", "check data.id; a private one needs: hf auth login"
    if "scripts are no longer supported" in text:
        hint = 'try revision = "refs/convert/parquet", folders = true'
        return f"{what} comes as a program, which is never run", hint
    if "BuilderConfig" in text or "DataFilesNotFoundError" in kinds or "EmptyDatasetError" in kinds:
        return (
            f"{what} has nothing for {language} (configuration '{config}')",
            f"leave {language} out, or set data.names",
        )
    if "find cache for" in text:
        return f"{what} is not in the cache for {language} ({config}), and the hub cannot be asked", "go online once"
    if "ConnectionError" in kinds or "ConnectError" in kinds or "OfflineModeIsEnabled" in kinds:
        return f"cannot reach {what}, and it is not in the cache", "check the network, or HF_ENDPOINT; go online once"
    return f"cannot read {what} for {language} ({config}): {first}", "the download may be broken: try again"
