"""The embedded default: real languages as generated ones, so that a whole study runs with nothing downloaded.

Word order and marking follow URIEL's features, words are inherited down URIEL's family tree (lexicon.py), so
kinship and typology carry real signal. Sentences are parallel by construction, with gold alignment and gold UPOS tags.
Everything is a function of the world's seed. It implements `Parallel`, `Labelled` (parts of speech), `Monolingual` and
`Examples` (topics); `entities` is another `Labelled`, with sentences of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from random import Random

from realign.corpora.corpus import Classified, LazySequence, Pair, Split, Tagged
from realign.world import names as naming
from realign.world.grammar import Grammar, Word
from realign.world.lexicon import lexicon
from realign.world.semantics import FIELDS, Clause, clause
from selector.errors import InputError
from selector.languages.language import Language, parse, parse_pool
from selector.languages.pools import WORLD_HELD_OUT, WORLD_LOW_RESOURCE, WORLD_SOURCE
from selector.sources.features import family_path, feature

SIGNED = 20  # sentences of each language that the signature looks at


@dataclass(frozen=True)
class Sizes:
    """Sentences per language. Monolingual text is not parallel: every language talks about other things in it."""

    parallel: int = 1200  # train pairs of the source with each language
    source: int = 1500  # labelled training sentences of the source
    evaluation: int = 200  # labelled sentences per language, in dev and again in test
    text: int = 1500  # monolingual sentences of an ordinary language
    source_text: int = 4000
    low_text: int = 150  # of a low-resource language


class World:
    """The world of one seed; `World()` is the world every default study uses."""

    def __init__(self, seed: int = 0, sizes: Sizes | None = None) -> None:
        self.seed = seed
        self.sizes = sizes or Sizes()
        self.source = parse(WORLD_SOURCE)
        self.pool = parse_pool("world")
        self.held_out = tuple(parse(code) for code in WORLD_HELD_OUT)
        self.languages: Mapping[str, Language] = {x.code: x for x in (self.source, *self.pool, *self.held_out)}
        self.signature = "world:" + self._hash()

    def _hash(self) -> str:
        """Hash of the world's sentences, not of the code that makes them: a change that gives the same sentences
        changes nothing.
        """
        meanings = _meanings(self.seed, "signature", SIGNED)
        sentences = {code: [_grammar(self.seed, x).say(m) for m in meanings] for code, x in self.languages.items()}
        return _digest([self.seed, asdict(self.sizes), sentences])

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        count, target = self.sizes.parallel if split == "train" else self.sizes.evaluation, self._language(language)
        return LazySequence(count, lambda: _pairs(self.seed, self.source, target, split, count))

    def sentences(self, language: str, split: Split) -> Sequence[Tagged]:
        return _tagged(self.seed, self._language(language), split, self._count(language, split))

    @property
    def entities(self) -> Entities:
        return Entities(self)

    def examples(self, language: str, split: Split) -> Sequence[Classified]:
        """Sentences of `language` in `split` with their topic: the semantic field that verb and nouns prefer, one of
        FIELDS.
        """
        return _topics(self.seed, self._language(language), split, self._count(language, split))

    def texts(self, language: str) -> Sequence[tuple[str, ...]]:
        """Monolingual text of `language` for pretraining; low-resource languages have a tenth of the others'."""
        chosen = self._language(language)
        count = self.sizes.source_text if language == self.source.code else self.sizes.text
        if language in WORLD_LOW_RESOURCE:
            count = self.sizes.low_text
        grammar = _grammar(self.seed, chosen)
        meanings = _meanings(self.seed, f"text {language}", count)
        return [tuple(word.form for word in grammar.say(meaning)) for meaning in meanings]

    def _count(self, language: str, split: Split) -> int:
        """Labelled sentences of a language; InputError where there are none."""
        if split == "train" and language != self.source.code:
            raise InputError(
                f"the world labels training sentences in {self.source.code} only, not in {language}",
                "zero-shot transfer trains on the source language; ask for the dev or test split instead",
            )
        return self.sizes.source if split == "train" else self.sizes.evaluation

    def _language(self, code: str) -> Language:
        if code not in self.languages:
            raise InputError(f"the world does not speak {code}", f"choose from: {' '.join(self.languages)}")
        return self.languages[code]


class Entities:
    """Sentences of the world rich in names, with entities in IOB2 (`Labelled`)."""

    def __init__(self, world: World) -> None:
        self._world = world
        sentences = [_entities(world.seed, language, "dev", SIGNED) for language in world.languages.values()]
        facts = [world.signature, [[(one.words, one.tags) for one in some] for some in sentences]]
        self.signature = f"{world.signature}:entities:{_digest(facts)}"

    def sentences(self, language: str, split: Split) -> Sequence[Tagged]:
        world = self._world
        return _entities(world.seed, world._language(language), split, world._count(language, split))


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


@cache
def _grammar(seed: int, language: Language) -> Grammar:
    forms = lexicon(seed, (*family_path(language), language.code), language.script)
    return Grammar.of(lambda name: feature(language, name), forms)


@cache
def _meanings(seed: int, purpose: str, count: int) -> tuple[Clause, ...]:
    rng = Random(f"meanings {seed} {purpose}")
    return tuple(clause(rng) for _ in range(count))


@cache
def _pairs(seed: int, source: Language, target: Language, split: Split, count: int) -> tuple[Pair, ...]:
    meanings = _meanings(seed, f"pairs {split}", count)
    say, gloss = _grammar(seed, source).say, _grammar(seed, target).say
    return tuple(_align(say(meaning), gloss(meaning)) for meaning in meanings)


def _align(source: list[Word], target: list[Word]) -> Pair:
    where = {word.slot: j for j, word in enumerate(target)}
    links = tuple((i, where[word.slot]) for i, word in enumerate(source) if word.slot in where)
    return Pair(tuple(word.form for word in source), tuple(word.form for word in target), links)


@cache
def _tagged(seed: int, language: Language, split: Split, count: int) -> tuple[Tagged, ...]:
    grammar = _grammar(seed, language)
    sentences = [grammar.say(meaning) for meaning in _meanings(seed, f"labelled {split}", count)]
    return tuple(Tagged(tuple(w.form for w in words), tuple(w.upos for w in words)) for words in sentences)


@cache
def _entities(seed: int, language: Language, split: Split, count: int) -> tuple[Tagged, ...]:
    rng = Random(f"entities {seed} {split}")
    found = []
    for meaning in [naming.draw_with_names(rng) for _ in range(count)]:
        words = _grammar(seed, language).say(meaning)
        found.append(Tagged(tuple(word.form for word in words), naming.tags(meaning, words)))
    return tuple(found)


@cache
def _topics(seed: int, language: Language, split: Split, count: int) -> tuple[Classified, ...]:
    meanings = _meanings(seed, f"topics {split}", count)
    sentences = [_grammar(seed, language).say(meaning) for meaning in meanings]
    topics = [f"field {meaning.verb.index % FIELDS}" for meaning in meanings]
    return tuple(
        Classified(tuple(w.form for w in words), None, topic) for words, topic in zip(sentences, topics, strict=True)
    )
