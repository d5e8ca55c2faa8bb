"""The embedded default: real languages as generated ones, so that a whole study runs with nothing downloaded.

Word order and marking follow URIEL's features, words are inherited down URIEL's family tree (realign/lexicon.py), so
kinship and typology carry real signal. Sentences are parallel by construction, with gold alignment and gold UPOS tags.
Everything is a function of the world's seed. It implements `Parallel`, `Labelled` and `Monolingual`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from random import Random

from realign.corpus import Pair, Split, Tagged
from realign.grammar import Grammar, Word
from realign.lexicon import lexicon
from realign.meaning import Clause, clause
from selector.errors import InputError
from selector.features import family_path, feature
from selector.language import Language, parse, parse_pool
from selector.pools import WORLD_HELD_OUT, WORLD_LOW_RESOURCE, WORLD_SOURCE

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
        """Of what the world says, not of how it was made: a change that yields the same sentences changes nothing."""
        meanings = _meanings(self.seed, "signature", SIGNED)
        said = {code: [_grammar(self.seed, x).say(m) for m in meanings] for code, x in self.languages.items()}
        facts = [self.seed, asdict(self.sizes), said]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        count = self.sizes.parallel if split == "train" else self.sizes.evaluation
        return _pairs(self.seed, self.source, self._language(language), split, count)

    def sentences(self, language: str, split: Split) -> Sequence[Tagged]:
        if split == "train" and language != self.source.code:
            raise InputError(
                f"the world labels training sentences in {self.source.code} only, not in {language}",
                "zero-shot transfer trains on the source language; ask for the dev or test split instead",
            )
        count = self.sizes.source if split == "train" else self.sizes.evaluation
        return _tagged(self.seed, self._language(language), split, count)

    def texts(self, language: str) -> Sequence[tuple[str, ...]]:
        """Monolingual text for pretraining; low-resource languages have a tenth of the others'."""
        chosen = self._language(language)
        count = self.sizes.source_text if language == self.source.code else self.sizes.text
        if language in WORLD_LOW_RESOURCE:
            count = self.sizes.low_text
        grammar = _grammar(self.seed, chosen)
        meanings = _meanings(self.seed, f"text {language}", count)
        return [tuple(word.form for word in grammar.say(meaning)) for meaning in meanings]

    def _language(self, code: str) -> Language:
        if code not in self.languages:
            raise InputError(f"the world does not speak {code}", f"choose from: {' '.join(self.languages)}")
        return self.languages[code]


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
    return tuple(_aligned(say(meaning), gloss(meaning)) for meaning in meanings)


def _aligned(source: list[Word], target: list[Word]) -> Pair:
    where = {word.slot: j for j, word in enumerate(target)}
    links = tuple((i, where[word.slot]) for i, word in enumerate(source) if word.slot in where)
    return Pair(tuple(word.form for word in source), tuple(word.form for word in target), links)


@cache
def _tagged(seed: int, language: Language, split: Split, count: int) -> tuple[Tagged, ...]:
    grammar = _grammar(seed, language)
    said = [grammar.say(meaning) for meaning in _meanings(seed, f"labelled {split}", count)]
    return tuple(Tagged(tuple(w.form for w in words), tuple(w.upos for w in words)) for words in said)
