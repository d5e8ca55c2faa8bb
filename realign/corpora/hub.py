"""Data sets of the hub as text: parallel, tags, entities, classified sentences.

`realign.hub` knows the names that each set uses, and gets its rows; a study runs again offline (HF_HUB_OFFLINE=1).
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Self

from realign.corpora.corpus import Classified, Cut, Pair, Split, Stream, Tagged, at_blanks, at_white_space
from realign.corpora.labels import iob2
from realign.hub import loading
from realign.hub.blocks import BlockRows
from realign.hub.problems import UnreachableError
from realign.hub.rows import TAGS, WORDS, Rows
from realign.hub.sets import Spec
from selector.errors import InputError, NoDataError

FOR_PEOPLE = ("about", "licence")
BY_BLOCKS = "large parquet by blocks"  # such a sample has other rows than one of single rows


class Hub:
    """One data set in all the forms of `corpus.py` that its columns allow."""

    def __init__(self, spec: Spec, source: str, languages: Iterable[str]) -> None:
        """`languages` are those that a study uses. The first of them that exists is loaded to get the repository's
        commit.
        """
        self._spec, self._source, self._languages = spec, source, tuple(sorted(set(languages)))
        self._cut: Cut = at_white_space

    def at_blanks(self) -> Self:
        """The same text with its words cut only at ASCII blanks, as word aligners do."""
        other = copy.copy(self)
        other._cut = at_blanks
        return other

    @property
    def signature(self) -> str:
        """Repository, commit, and how it is read. Files of a folder count by their content, wherever they lie."""
        aside: dict[str, object] = {"path": None, "home": "", "checked": "", "unsure": "", "languages": ()}
        facts = {key: value for key, value in asdict(self._spec).items() if key not in FOR_PEOPLE}
        sampling = [BY_BLOCKS] if "parallel" in self._spec.tasks else []
        settings = json.dumps([facts | aside, self._source, *sampling], sort_keys=True)
        return f"hub:{self._spec.id}@{self._origin()}:{hashlib.sha256(settings.encode()).hexdigest()[:8]}"

    def has(self, language: str, split: Split) -> bool:
        """True if there are rows of `language` in `split`.

        InputError where that is unclear: no access, no network, broken files.
        """
        try:
            return len(self._rows(language, split)) > 0
        except NoDataError:
            return False

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        columns, cut = self._spec.columns, self._cut
        if "text" in columns:  # one configuration a language, rows that correspond
            ours, theirs = (self._rows(code, split) for code in (self._source, language))
            column = columns["text"]
            self._same_length(language, split, ours, theirs)
            self._check(ours, [columns["text"]])
            self._check(theirs, [columns["text"]])
            return Stream(
                lambda: _join_rows(ours, theirs, column, cut),
                lambda numbers: _join_rows(ours.select(numbers), theirs.select(numbers), column, cut),
                len(ours),
            )
        rows = self._rows(language, split)
        sides = [self._spec.fill(columns[role], self._source, language) for role in ("source", "target")]
        self._check(rows, sides)
        return Stream(
            lambda: _pairs(rows, sides, cut),
            lambda numbers: _pairs(rows.select(numbers), sides, cut),
            len(rows),
            rows.blocks if isinstance(rows, BlockRows) else (),
        )

    def sentences(self, language: str, split: Split) -> Sequence[Tagged]:
        return tuple(self.read_tagged(language, split))

    def examples(self, language: str, split: Split) -> Sequence[Classified]:
        rows, columns = self._rows(language, split), self._spec.columns
        sides = [columns[role] for role in ("premise", "hypothesis", "text") if role in columns]
        self._check(rows, [*sides, columns["label"]])
        names = rows.label_names(columns["label"]) or self._spec.labels
        return Stream(
            lambda: (
                Classified(
                    tuple(str(row[sides[0]] or "").split()),
                    tuple(str(row[sides[1]] or "").split()) if len(sides) == 2 else None,
                    self._label(names, row[columns["label"]]),
                )
                for row in rows
                if row[columns["label"]] not in (-1, None)  # no label
            )
        )

    def read_tagged(self, language: str, split: Split) -> Iterator[Tagged]:
        rows = self._rows(language, split)
        words_in, tags_in = self._tag_columns(rows)
        names = rows.label_names(tags_in) or self._spec.labels
        entities = "ner" in self._spec.tasks
        for row in rows:
            tags = [self._label(names, tag) for tag in row[tags_in]]
            # "_" is what some treebanks put where there is no tag: on multiword tokens
            both = [
                (word, tag)
                for word, tag in zip(row[words_in], tags, strict=True)
                if tag != "_" and (word or "").strip()
            ]
            if both:
                words, marks = zip(*both, strict=True)
                yield Tagged(words, iob2(marks) if entities else marks)

    def _tag_columns(self, rows: Rows) -> tuple[str, str]:
        if set(rows.columns) == {WORDS, TAGS}:  # a file of words and tags names no columns
            return WORDS, TAGS
        columns = self._spec.columns["words"], self._spec.columns["tags"]
        self._check(rows, columns)
        return columns

    def _rows(self, language: str, split: str) -> Rows:
        """Rows of a split, under the first of its names that exists."""
        spec = self._spec
        names = spec.splits.get(split)
        if not names:
            hint = f"it has {', '.join(spec.splits)}; data.splits = {{{split} = …}} names another one"
            raise NoDataError(f"{spec.id} has no {split} split", hint)
        spec.check(self._source, language)
        if spec.files is not None:
            return self._from_file(spec.files, language, split, names)
        config = spec.fill(spec.config, self._source, language)
        found = loading.configuration(spec, config, language)
        for name in names:
            if name in found:
                return found[name]
        message = f"{spec.id} has no split {' or '.join(map(repr, names))} for {language} ({config})"
        way = (
            f"make {language} held out, which uses the test split alone" if split == "dev" else f"leave {language} out"
        )
        raise NoDataError(message, f"it has {', '.join(found)}: {way}, or set data.splits.{split}")

    def _from_file(self, pattern: str, language: str, split: str, names: tuple[str, ...]) -> Rows:
        problem: InputError | None = None
        for name in names:
            try:
                return loading.file(self._spec, self._spec.fill(pattern, self._source, language, name), language)
            except (
                NoDataError,
                UnreachableError,
            ) as missing:  # offline, a file that never existed looks like one that was not loaded
                problem = problem or missing
        raise problem or NoDataError(f"{self._spec.id} has no {split} split", "set data.splits")

    def _origin(self) -> str:
        """The commit of the repository; of a folder, a hash of every file in use."""
        found: list[str] = []
        problem: NoDataError | None = None
        for language in self._languages:  # the first that exists has the commit
            for split in sorted(self._spec.splits):  # a language may lack train, not dev and test
                try:
                    found.append(self._rows(language, split).origin)
                except NoDataError as missing:
                    problem = problem or missing
                if found and not self._spec.path:
                    return found[0]
        if not found:
            raise problem or NoDataError(f"{self._spec.id} has no splits", "set data.splits")
        return hashlib.sha256("\n".join(found).encode()).hexdigest()[:16]

    def _check(self, rows: Rows, columns: Sequence[str]) -> None:
        for column in columns:
            head, _, inside = column.partition(".")
            if head not in rows.columns or (inside and inside not in rows.inside(head)):
                message = f"{self._spec.id} has no column '{column}'"
                raise InputError(message, f"it has {', '.join(rows.columns)}; set data.columns")

    def _same_length(self, language: str, split: str, ours: Rows, theirs: Rows) -> None:
        if len(ours) != len(theirs):
            message = f"{self._spec.id}: {len(theirs)} {split} rows of {language}, {len(ours)} of {self._source}"
            raise InputError(message, "only a data set whose rows correspond in all languages can be read this way")

    def _label(self, names: Sequence[str], value: object) -> str:
        """Name of a label, as it is counted: of the entity tag B-DATE, the setting for DATE applies."""
        number = int(value) if names and isinstance(value, str) and value.isdigit() else value
        label = names[number] if names and isinstance(number, int) and number < len(names) else str(value)
        return _relabel(label, self._spec.relabel) if self._spec.relabel else label


def _relabel(label: str, other: Mapping[str, str]) -> str:
    if label in other:
        return other[label]
    mark, _, kind = label.partition("-")
    if mark not in ("B", "I", "E", "S", "L", "U") or kind not in other:
        return label
    return "O" if other[kind] == "O" else f"{mark}-{other[kind]}"


def _join_rows(ours: Rows, theirs: Rows, column: str, cut: Cut) -> Iterator[Pair]:
    """Pairs of rows that correspond."""
    both = zip(ours.texts(column), theirs.texts(column), strict=True)
    return (Pair(cut(our), cut(their)) for (our,), (their,) in both)


def _pairs(rows: Rows, sides: Sequence[str], cut: Cut) -> Iterator[Pair]:
    return (Pair(cut(source), cut(target)) for source, target in rows.texts(*sides))
