"""Meanings of the world's sentences, before they are put into words: concepts with Zipfian use and selectional
preferences.

First of the world's four files: meaning → lexicon → grammar → world. A meaning is a tree of concepts; every node has an
address (`slot`), so that two languages with the same meaning are word-aligned by construction.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import NamedTuple

CLASSES = {  # open and closed word classes (UPOS) and how many concepts each has
    "NOUN": 96,
    "VERB": 48,
    "ADJ": 32,
    "ADV": 16,
    "PROPN": 24,
    "NUM": 8,
    "PRON": 6,
    "ADP": 8,
    "DET": 4,
    "AUX": 2,
    "CCONJ": 2,
    "SCONJ": 2,
    "PART": 1,
    "PUNCT": 1,
}
UPOS = tuple(CLASSES)
FIELDS = 8  # semantic fields; nouns, verbs and adjectives belong to one and prefer company from a few
DEFINITE, INDEFINITE, THIS, THAT = range(4)  # the DET concepts
PAST, FUTURE = 1, 2  # tense; 0 is the unmarked present


class Concept(NamedTuple):
    upos: str
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls on a concept


CONCEPTS = tuple(Concept(upos, index) for upos, count in CLASSES.items() for index in range(count))


@dataclass(frozen=True)
class Noun:
    """A noun phrase: head (NOUN, PROPN or PRON) with its modifiers."""

    head: Concept
    plural: bool = False
    determiner: int | None = None
    numeral: Concept | None = None
    adjective: Concept | None = None
    possessor: Noun | None = None
    name: Concept | None = None  # a second word of a name: of a family beside a person's, or the name beside its class


@dataclass(frozen=True)
class Clause:
    """A meaning: who did what to whom, where, how, when."""

    subject: Noun
    verb: Concept
    object: Noun | None = None
    oblique: tuple[Concept, Noun] | None = None
    adverb: Concept | None = None
    tense: int = 0
    negated: bool = False
    auxiliary: bool = False
    joined: tuple[Concept, Clause] | None = None  # a conjunction and a second clause


@cache
def _zipf(upos: str, field: int | None) -> tuple[float, ...]:
    """Cumulative weights over a class: 1/(rank + 3), ten times as likely inside `field`."""
    boost = [10.0 if field is not None and index % FIELDS == field else 1.0 for index in range(CLASSES[upos])]
    return tuple(itertools.accumulate(b / (index // FIELDS + 1.5) for index, b in enumerate(boost)))


def _draw(rng: Random, upos: str, field: int | None = None) -> Concept:
    index = rng.choices(range(CLASSES[upos]), cum_weights=_zipf(upos, field))[0]
    return Concept(upos, index)


def _noun(rng: Random, field: int, short: bool = False, owner: bool = False) -> Noun:
    kind = rng.random()
    if kind < 0.16 and not owner:
        return Noun(_draw(rng, "PRON"), plural=rng.random() < 0.3)
    if kind < 0.28:
        return Noun(_draw(rng, "PROPN"))
    head = _draw(rng, "NOUN", field)
    plural = rng.random() < 0.35
    modifier = 1.0 if short or owner else rng.random()
    return Noun(
        head,
        plural,
        determiner=rng.choices((DEFINITE, INDEFINITE, THIS, THAT, None), (35, 20, 10, 8, 27))[0],
        numeral=_draw(rng, "NUM") if plural and rng.random() < 0.35 else None,
        adjective=_draw(rng, "ADJ", head.index % FIELDS) if modifier < 0.4 else None,
        possessor=_noun(rng, (head.index + 3) % FIELDS, owner=True) if 0.4 <= modifier < 0.55 else None,
    )


def clause(rng: Random, short: bool = False) -> Clause:
    """Draw one meaning with `rng`.

    A verb's field sets the fields of its subject, object and oblique: selectional preference. A sentence of two clauses
    keeps both `short`: a few very long sentences would set the length of every batch.
    """
    joined = None
    if not short and rng.random() < 0.06:
        short, joined = True, (_draw(rng, rng.choice(("CCONJ", "SCONJ"))), clause(rng, short=True))
    verb = _draw(rng, "VERB")
    field = verb.index % FIELDS
    transitive = verb.index % 3 != 0
    placed = not short and rng.random() < 0.25
    oblique = (_draw(rng, "ADP", (field + 5) % FIELDS), _noun(rng, (field + 5) % FIELDS, short)) if placed else None
    return Clause(
        subject=_noun(rng, field, short),
        verb=verb,
        object=_noun(rng, (field + 1) % FIELDS, short) if transitive else None,
        oblique=oblique,
        adverb=_draw(rng, "ADV", field) if not short and rng.random() < 0.25 else None,
        tense=rng.choices((0, PAST, FUTURE), (4, 4, 2))[0],
        negated=rng.random() < 0.12,
        auxiliary=rng.random() < 0.15,
        joined=joined,
    )
