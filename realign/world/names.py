"""Names of persons, places and organizations in the world: meanings that are rich in them, and what they name.

    PER   a given name, or a given and a family name          names 0 to 15
    LOC   a place, or a class word and a place ("river X")    names 16 to 23; class words 0 to 3
    ORG   a class word and any name ("bank X")                class words 4 to 7

So a name alone tells its type by what it is, an organization only by the word beside it; and the order inside a span
is that of the language (grammar.py). Names travel: they are near-cognates in all languages, in each script.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from realign.world.grammar import Slot, Word
from realign.world.semantics import CLASSES, Clause, Concept, Noun, clause

NAMES = CLASSES["PROPN"]
PERSONS = 16  # names of persons; the others are of places
CLASS_WORDS = {"LOC": (0, 1, 2, 3), "ORG": (4, 5, 6, 7)}  # nouns that with a name make a place or an organization
SHARE = 0.5  # of the noun phrases that become a name


def draw_with_names(rng: Random) -> Clause:
    """Draw one meaning with `rng`, in which about half of the noun phrases name something."""
    return _rename(clause(rng), rng)


def _rename(meaning: Clause, rng: Random) -> Clause:
    return replace(
        meaning,
        subject=_name(meaning.subject, rng),
        object=meaning.object and _name(meaning.object, rng),
        oblique=meaning.oblique and (meaning.oblique[0], _name(meaning.oblique[1], rng)),
        joined=meaning.joined and (meaning.joined[0], _rename(meaning.joined[1], rng)),
    )


def _name(noun: Noun, rng: Random) -> Noun:
    if rng.random() >= SHARE:
        return replace(noun, possessor=noun.possessor and _name(noun.possessor, rng))
    kind = rng.choices(("PER", "LOC", "ORG"), (4, 3, 3))[0]
    if kind == "ORG" or (kind == "LOC" and rng.random() < 0.4):
        name = rng.randrange(NAMES) if kind == "ORG" else rng.randrange(PERSONS, NAMES)
        return Noun(Concept("NOUN", rng.choice(CLASS_WORDS[kind])), name=Concept("PROPN", name))
    if kind == "LOC":
        return Noun(Concept("PROPN", rng.randrange(PERSONS, NAMES)))
    given, family = rng.sample(range(PERSONS), 2)
    return Noun(Concept("PROPN", given), name=Concept("PROPN", family) if rng.random() < 0.5 else None)


def tags(meaning: Clause, words: list[Word]) -> tuple[str, ...]:
    """IOB2 tags of the `words` of a sentence with this `meaning`: spans are the words of one noun phrase's name."""
    kinds = dict(_kinds(meaning, ("s",)))
    found, last = [], None
    for word in words:
        phrase = word.slot[:-1] if word.slot[-1] in ("head", "name") and word.slot[:-1] in kinds else None
        found.append("O" if phrase is None else f"{'I' if phrase == last else 'B'}-{kinds[phrase]}")
        last = phrase
    return tuple(found)


def _kinds(meaning: Clause, at: Slot) -> Iterator[tuple[Slot, str]]:
    """Address of every noun phrase that names something, and the type of what it names."""
    parts = {"subject": meaning.subject, "object": meaning.object, "oblique": meaning.oblique and meaning.oblique[1]}
    for place, noun in parts.items():
        if noun:
            yield from _kinds_of_noun(noun, (*at, place))
    if meaning.joined:
        yield from _kinds(meaning.joined[1], (*at, "second"))


def _kinds_of_noun(noun: Noun, at: Slot) -> Iterator[tuple[Slot, str]]:
    if kind := _kind(noun):
        yield at, kind
    if noun.possessor:
        yield from _kinds_of_noun(noun.possessor, (*at, "possessor"))


def _kind(noun: Noun) -> str | None:
    if noun.head.upos == "PROPN":
        return "PER" if noun.head.index < PERSONS else "LOC"
    if noun.name:
        return "LOC" if noun.head.index in CLASS_WORDS["LOC"] else "ORG"
    return None
