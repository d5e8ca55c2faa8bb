"""Known data sets of the hub: places of their text, and names that they use for languages, splits, columns and labels.

This is data, not code: realign/data/hub.toml has the known sets, and a study file may describe another in the same
form.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from selector.errors import InputError, NoDataError
from selector.languages.language import parse, two_letter

SPLITS: Mapping[str, tuple[str, ...]] = {"train": ("train",), "dev": ("validation", "dev"), "test": ("test",)}
TABLES = ("columns", "names", "splits", "relabel")  # a study's values are added to these, key by key


@dataclass(frozen=True)
class Spec:
    """A data set. `{lang}`, `{source}` and `{pair}` (both codes, sorted) stand for codes in the set's own spelling."""

    id: str
    tasks: tuple[str, ...]  # parallel, pos, ner, classification
    columns: Mapping[str, str]  # role → column; "a.b" is inside a column of records
    config: str = "{lang}"  # name of the configuration
    codes: str = "iso3"  # iso1, iso3, flores (deu_Latn), or named: only what `names` says
    names: Mapping[str, str] = field(default_factory=dict)  # ISO 639-3 → code in the data set, where it differs
    pairs: tuple[str, ...] = ()  # the pairs whose codes are not in alphabetical order
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(SPLITS))  # the first that is there
    labels: tuple[str, ...] = ()  # of labels that are bare numbers
    relabel: Mapping[str, str] = field(default_factory=dict)  # label → the one it counts as
    revision: str | None = None
    folders: bool = False  # a configuration is a folder of the repository (in the hub's own parquet conversions)
    files: str | None = None  # plain files instead of configurations; {split} is the split's name
    path: str | None = None  # folder of this machine with the same files, read instead of the repository
    clone: str | None = None  # pattern of the files in the repository that `home` names
    home: str = ""  # where the text can be had by hand
    source: str | None = None  # the only source language it has translations of
    languages: tuple[str, ...] = ()  # every code it has, in its own spelling; (): not known
    text: tuple[str, ...] = ()  # the texts it is made of: realigning on them would show the test
    may_hold: tuple[str, ...] = ()  # texts that are among its sources
    about: str = ""  # for people
    licence: str = ""  # as its page names it
    checked: str = ""  # month of the public material that this entry follows
    unsure: str = ""  # what that material did not establish

    def code(self, language: str) -> str:
        """The set's own code for `language` (ISO 639-3)."""
        if language in self.names:
            return self.names[language]
        if self.codes == "iso1":
            return two_letter(language) or language
        return f"{language}_{parse(language).script}" if self.codes == "flores" else language

    def fill(self, pattern: str, source: str, language: str, split: str = "{split}") -> str:
        """`pattern` with the set's own codes for `source` and `language`, and `split`."""
        ours, theirs = self.code(source), self.code(language)
        pair = "-".join(sorted((ours, theirs)))
        turned = "-".join(reversed(pair.split("-")))
        pair = turned if turned in self.pairs else pair
        return _fill(pattern, {"lang": theirs, "source": ours, "pair": pair, "split": split}, self.id)

    def check(self, source: str, language: str) -> None:
        """Check that the set has `language`, with translations from `source`.

        NoDataError: it is known not to have the language. InputError: it has another source language.
        """
        if self.source is not None and source != self.source:
            message = f"{self.id} has translations of {self.source} only, not of {source}"
            raise InputError(message, "take another data set, or another source language")
        if self.codes == "named" and language not in self.names:
            hint = f"leave {language} out, or name its part: treebanks = {{{language} = …}}{self._elsewhere(language)}"
            raise NoDataError(f"{self.id} has no default for {language}", hint)
        if self.languages and self.code(language) not in self.languages and language != self.source:
            written = self.code(language)
            spelled = f"{language} ({written})" if written != language else language
            hint = f"leave {language} out, or set data.names if it is there under another code"
            hint += self._elsewhere(language)
            raise NoDataError(f"{self.id} has no {spelled}; it has {', '.join(self.languages)}", hint)

    def _elsewhere(self, language: str) -> str:
        """End of a hint: known sets for the same task with a language that this one does not have."""
        needed = "train" if "parallel" in self.tasks and "train" in self.splits else "test"
        fitting = [
            name
            for name, spec in load_sets().items()
            if spec.tasks == self.tasks
            and needed in spec.splits
            and spec.lists_language(language)
            and self._labels_as(spec)
        ]
        return f"; a list of sets takes it from the first that has it: {', '.join(fitting)}" if fitting else ""

    def _labels_as(self, other: Spec) -> bool:
        """True if the other set has the same labels: classes of sentences differ from text to text."""
        return "classification" not in self.tasks or bool(set(self.text) & set(other.text))

    def lists_language(self, language: str) -> bool:
        """True if the set is known to have `language`; False also where its languages are not known."""
        return language in self.names if self.codes == "named" else self.code(language) in self.languages

    def at(self, path: str) -> Spec:
        """The same set with its files in the folder `path` of this machine."""
        pattern = self.clone or self.files
        if pattern is None:
            message = f"{self.id} has no plain files to read from a folder"
            raise InputError(message, 'leave path out, or give files = "…", the pattern of their names')
        return replace(self, path=path, files=pattern, revision=None, folders=False)


@cache
def load_sets() -> Mapping[str, Spec]:
    """Table of known sets, by name."""
    table = tomllib.loads((files("realign") / "data" / "hub.toml").read_text(encoding="utf-8"))
    return {name: spec_of(row) for name, row in table.items()}


def spec_of(row: Mapping[str, Any]) -> Spec:
    """Data set from the keys of a table `row`: a list of codes may be one text, and a split may have one name."""
    given = {key: _value(key, value) for key, value in row.items()}
    given["splits"] = {split: _names(name) for split, name in given.get("splits", SPLITS).items()}
    return Spec(**given)


def find_set(name: str, task: str) -> Spec:
    """Known set `name`. InputError: it is unknown, or not for `task`."""
    fitting = ", ".join(sorted(key for key, spec in load_sets().items() if task in spec.tasks))
    if name not in load_sets():
        raise InputError(f"there is no known data set '{name}'", f"for {task}: {fitting}; or give id and columns")
    if task not in load_sets()[name].tasks:
        raise InputError(f"the data set '{name}' has nothing for {task}", f"for {task}: {fitting}")
    return load_sets()[name]


def alter(spec: Spec, own: Mapping[str, Any]) -> Spec:
    """Known set `spec` with the changes `own` of a study: keys are added to its tables, other values are replaced."""
    changes = {key: _value(key, value) for key, value in own.items()}
    if "splits" in changes:
        changes["splits"] = {split: _names(name) for split, name in changes["splits"].items()}
    for table in TABLES:
        if table in changes:
            changes[table] = {**getattr(spec, table), **changes[table]}
    path = changes.pop("path", None)
    spec = replace(spec, **changes)
    return spec.at(path) if path else spec


def _fill(pattern: str, fields: Mapping[str, str], name: str) -> str:
    """Pattern with its named fields replaced. Other uses of braces are errors: a study file must not run anything."""

    def value(match: re.Match[str]) -> str:
        field = match[1]
        if field not in fields:
            hint = f"braces hold only {', '.join(f'{{{known}}}' for known in fields)}"
            raise InputError(f"'{match[0]}' in '{pattern}' of {name} has no meaning", hint)
        return fields[field]

    return re.sub(r"\{([^{}]*)\}|[{}]", value, pattern)


def _value(key: str, value: Any) -> Any:
    if key in ("languages", "pairs", "text", "may_hold") and isinstance(value, str):
        return tuple(value.split())
    return tuple(value) if isinstance(value, list) else value


def _names(name: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (name,) if isinstance(name, str) else tuple(name)
