"""Treebanks in local files: CoNLL-U as tagged sentences.

    Conllu    <folder>/<code>.<split>.conllu[.gz]   the ten columns of CoNLL-U (universaldependencies.org/format.html);
              <folder>[/UD_<language>-<treebank>]/<code>_<treebank>-ud-<split>.conllu[.gz], as they are released

`code` is any that a pool accepts; a file may have the macrolanguage's, and the individual code has priority.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from realign.corpora.corpus import Split, Tagged
from realign.corpora.folder import (
    CODES,
    SPLITS,
    fail,
    fail_at_line,
    lines,
    one,
    parse_split,
    sign_files,
    treebanks,
    with_stamp,
)

UPOS = frozenset({
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM",
    "VERB", "X",
})  # fmt: skip
NO_TAG = "_"

log = logging.getLogger("realingo.data")


class Conllu:
    """Treebanks with UPOS tags (`Labelled`). `languages` (none: all) names what the `signature` covers."""

    def __init__(self, folder: Path, languages: Iterable[str] = ()) -> None:
        self._files = {split: treebanks(folder, split) for split in SPLITS}
        self._folder, self._named = folder, frozenset(languages)
        if not any(self._files.values()):
            fail(f"no treebank in {folder}", f"files are named <code>.<split>.conllu or .conllu.gz, {CODES}")

    def languages(self, split: Split) -> tuple[str, ...]:
        """Individual codes of the languages that have `split`."""
        return tuple(self._files[parse_split(split)])

    @property
    def signature(self) -> str:
        """SHA-256 over the names and bytes of the files in use."""
        every = [(code, files) for files in self._files.values() for code in files]
        return sign_files("conllu", [files[code] for code, files in every if not self._named or code in self._named])

    def sentences(self, language: str, split: Split) -> Sequence[Tagged]:
        """Sentences of `language` in `split` as words with UPOS; multiword-token lines and empty nodes are skipped.

        InputError: there is no file, or a line is malformed.
        """
        path = one(self._files[parse_split(split)], language, f"{split} treebank in {self._folder}")
        return read_conllu(*with_stamp(path))


@cache
def read_conllu(path: Path, _stamp: tuple[int, int]) -> tuple[Tagged, ...]:
    """Sentences of the file at `path` in which every word has a tag.

    InputError, with file and line: a malformed line.
    """
    sentences: list[Tagged] = []
    words: list[str] = []
    tags: list[str] = []
    for number, line in lines(path):
        if not line.strip():
            if words:
                sentences.append(Tagged(tuple(words), tuple(tags)))
            words, tags = [], []
        elif not line.startswith("#"):
            word = _token(path, number, line, len(words) + 1)
            if word is not None:
                words.append(word[0])
                tags.append(word[1])
    if words:
        sentences.append(Tagged(tuple(words), tuple(tags)))
    return _drop_untagged(path, sentences)


def _drop_untagged(path: Path, sentences: Sequence[Tagged]) -> tuple[Tagged, ...]:
    """Sentences in which every word has its tag."""
    whole = tuple(sentence for sentence in sentences if NO_TAG not in sentence.tags)
    if sentences and not whole:
        fail(f"no sentence of {path} has a UPOS tag for every word", "take a treebank with tags in its fourth column")
    if len(whole) < len(sentences):
        message = "%s: %d of %d sentences left out: they have a word without UPOS (%s)"
        log.warning(message, path, len(sentences) - len(whole), len(sentences), NO_TAG)
    return whole


def _token(path: Path, number: int, line: str, expected: int) -> tuple[str, str] | None:
    """FORM and UPOS of a word line; None for a multiword token (3-4) and an empty node (3.1)."""
    cells = line.split("\t")
    if len(cells) != 10:
        fail_at_line(path, number, f"{len(cells)} columns instead of 10", "CoNLL-U has ten columns, separated by TABs")
    place, form, tag = cells[0], cells[1], cells[3]
    if place != str(expected):
        if _stands_beside(place, expected):
            return None
        fail_at_line(
            path, number, f"word id '{place}' where {expected} was expected", "words are numbered from 1 in a sentence"
        )
    if not form.strip():
        fail_at_line(path, number, "the word is empty")
    if tag not in UPOS and tag != NO_TAG:
        fail_at_line(path, number, f"'{tag}' is not a UPOS tag", f"tags are {' '.join(sorted(UPOS))}")
    return sys.intern(form), sys.intern(tag)


def _stands_beside(place: str, expected: int) -> bool:
    """True if an id is of a multiword token (3-4) or an empty node (2.1) that may come before word `expected`."""
    match = re.fullmatch(r"([0-9]{1,9})([-.])([0-9]{1,9})", place)
    if match is None:
        return False
    first, last = int(match[1]), int(match[3])
    return first == expected <= last if match[2] == "-" else first == expected - 1
