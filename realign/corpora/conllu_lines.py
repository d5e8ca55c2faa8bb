"""The lines of a CoNLL-U file as tagged sentences."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from realign.corpora.base import Tagged
from realign.corpora.folder import bad, fail, lines

UPOS = frozenset({
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM",
    "VERB", "X",
})  # fmt: skip
NO_TAG = "_"

log = logging.getLogger("realingo.data")


@cache
def read_conllu(path: Path, _stamp: tuple[int, int]) -> tuple[Tagged, ...]:
    """Sentences whose every word has a tag. InputError, with file and line: a malformed one."""
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
    return _tagged(path, sentences)


def _tagged(path: Path, sentences: Sequence[Tagged]) -> tuple[Tagged, ...]:
    """The sentences in which every word has its tag."""
    whole = tuple(sentence for sentence in sentences if NO_TAG not in sentence.tags)
    if sentences and not whole:
        fail(f"no sentence of {path} has a UPOS tag for every word", "take a treebank with tags in its fourth column")
    if len(whole) < len(sentences):
        message = "%s: %d of %d sentences left out: a word of theirs has no UPOS (%s)"
        log.warning(message, path, len(sentences) - len(whole), len(sentences), NO_TAG)
    return whole


def _token(path: Path, number: int, line: str, expected: int) -> tuple[str, str] | None:
    """FORM and UPOS of a word line; None for a multiword token (3-4) and an empty node (3.1)."""
    cells = line.split("\t")
    if len(cells) != 10:
        bad(path, number, f"{len(cells)} columns instead of 10", "CoNLL-U has ten columns, separated by TABs")
    place, form, tag = cells[0], cells[1], cells[3]
    if place != str(expected):
        if re.fullmatch(r"[0-9]+[-.][0-9]+", place):
            return None
        bad(path, number, f"word id '{place}' where {expected} was expected", "words are numbered from 1 in a sentence")
    if not form.strip():
        bad(path, number, "the word is empty")
    if tag not in UPOS and tag != NO_TAG:
        bad(path, number, f"'{tag}' is no UPOS tag", f"tags are {' '.join(sorted(UPOS))}")
    return sys.intern(form), sys.intern(tag)
