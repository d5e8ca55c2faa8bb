"""Grammar of the world's languages: word order and marking from URIEL's typological features.

A clause becomes a list of `Word`s; the slot of a word is its address in the meaning, equal in all languages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from realign.world.semantics import DEFINITE, FUTURE, INDEFINITE, PAST, THAT, THIS, Clause, Concept, Noun

FEATURES = {  # our name → URIEL syntax feature
    "object_first": "S_OBJECT_BEFORE_VERB",
    "verb_first": "S_SUBJECT_AFTER_VERB",
    "adjective_first": "S_ADJECTIVE_BEFORE_NOUN",
    "preposition": "S_ADPOSITION_BEFORE_NOUN",
    "demonstrative_first": "S_DEMONSTRATIVE_WORD_BEFORE_NOUN",
    "numeral_first": "S_NUMERAL_BEFORE_NOUN",
    "possessor_first": "S_POSSESSOR_BEFORE_NOUN",
    "oblique_first": "S_OBLIQUE_BEFORE_VERB",
    "negation_first": "S_NEGATIVE_WORD_BEFORE_VERB",
    "negative_affix": "S_NEGATIVE_AFFIX",
    "definite_word": "S_DEFINITE_WORD",
    "indefinite_word": "S_INDEFINITE_WORD",
    "definite_affix": "S_DEFINITE_AFFIX",
    "plural_prefix": "S_PLURAL_PREFIX",
    "plural_suffix": "S_PLURAL_SUFFIX",
    "case_suffix": "S_CASE_SUFFIX",
    "case_prefix": "S_CASE_PREFIX",
    "genitive": "S_POSSESSIVE_DEPMARK",
    "tense_suffix": "S_TAM_SUFFIX",
    "tense_prefix": "S_TAM_PREFIX",
    "past_mark": "S_PAST_VS_PRESENT_MARK",
    "future_affix": "S_FUTURE_AFFIX",
    "pronoun_word": "S_PROSUBJECT_WORD",
    "conjunction_first": "S_SUBORDINATOR_WORD_BEFORE_CLAUSE",
}

Slot = tuple[str, ...]


class Word(NamedTuple):
    form: str
    upos: str
    slot: Slot


@dataclass(frozen=True)
class Grammar:
    """One language's rules and words. `rules` maps the names of FEATURES to booleans."""

    rules: Mapping[str, bool]
    forms: Mapping[Concept | str, str]

    @classmethod
    def of(cls, feature: Callable[[str], float], forms: Mapping[Concept | str, str]) -> Grammar:
        return cls({name: feature(uriel) > 0.5 for name, uriel in FEATURES.items()}, forms)

    def say(self, clause: Clause) -> list[Word]:
        """Words of the sentence for the meaning `clause`, with its full stop."""
        words = self._clause(clause, ("s",))
        return [*words, Word(self.forms[Concept("PUNCT", 0)], "PUNCT", ("end",))]

    def _word(self, concept: Concept, slot: Slot, prefixes: str = "", suffixes: str = "") -> Word:
        return Word(prefixes + self.forms[concept] + suffixes, concept.upos, slot)

    def _clause(self, clause: Clause, at: Slot) -> list[Word]:
        rules = self.rules
        subject = [] if self._drops(clause.subject) else self._noun(clause.subject, (*at, "subject"))
        objects = self._noun(clause.object, (*at, "object"), "object") if clause.object else []
        oblique = self._oblique(clause.oblique, (*at, "oblique")) if clause.oblique else []
        adverb = [self._word(clause.adverb, (*at, "adverb"))] if clause.adverb else []
        verb = self._verb(clause, at)
        before, after = (oblique, []) if rules["oblique_first"] else ([], oblique)
        if rules["object_first"]:
            words = [*subject, *before, *objects, *adverb, *verb, *after]
        elif rules["verb_first"]:
            words = [*verb, *subject, *adverb, *objects, *before, *after]
        else:
            words = [*subject, *before, *verb, *objects, *adverb, *after]
        return words + (self._second(clause.joined, at) if clause.joined else [])

    def _second(self, joined: tuple[Concept, Clause], at: Slot) -> list[Word]:
        link = self._word(joined[0], (*at, "link"))
        words = self._clause(joined[1], (*at, "second"))
        return [link, *words] if self.rules["conjunction_first"] or joined[0].upos == "CCONJ" else [*words, link]

    def _drops(self, subject: Noun) -> bool:
        return subject.head.upos == "PRON" and not self.rules["pronoun_word"]

    def _verb(self, clause: Clause, at: Slot) -> list[Word]:
        rules, forms = self.rules, self.forms
        marks = [forms["past"]] if clause.tense == PAST and rules["past_mark"] else []
        marks += [forms["future"]] if clause.tense == FUTURE and rules["future_affix"] else []
        negative = clause.negated and rules["negative_affix"]
        marks += [forms["negative"]] if negative else []
        prefixed = rules["tense_prefix"] and not rules["tense_suffix"]
        affixes = "".join(marks)
        verb = self._word(clause.verb, (*at, "verb"), *((affixes, "") if prefixed else ("", affixes)))
        future = clause.tense == FUTURE and not rules["future_affix"]
        helpers = [self._word(Concept("AUX", 0), (*at, "future"))] if future else []
        helpers += [self._word(Concept("AUX", 1), (*at, "auxiliary"))] if clause.auxiliary else []
        words = [verb, *reversed(helpers)] if rules["object_first"] else [*helpers, verb]
        if clause.negated and not negative:
            particle = self._word(Concept("PART", 0), (*at, "not"))
            words = [particle, *words] if rules["negation_first"] else [*words, particle]
        return words

    def _oblique(self, oblique: tuple[Concept, Noun], at: Slot) -> list[Word]:
        adposition = self._word(oblique[0], (*at, "adposition"))
        noun = self._noun(oblique[1], at)
        return [adposition, *noun] if self.rules["preposition"] else [*noun, adposition]

    def _noun(self, noun: Noun, at: Slot, case: str | None = None) -> list[Word]:
        rules = self.rules
        words = [self._head(noun, at, case)]
        if noun.name:  # the specific noun comes first where owners come first
            words = _beside(words, [self._word(noun.name, (*at, "name"))], rules["possessor_first"])
        if noun.adjective:
            words = _beside(words, [self._word(noun.adjective, (*at, "adjective"))], rules["adjective_first"])
        if noun.numeral:
            words = _beside(words, [self._word(noun.numeral, (*at, "numeral"))], rules["numeral_first"])
        if noun.possessor:
            owner = self._noun(noun.possessor, (*at, "possessor"), "genitive")
            words = _beside(words, owner, rules["possessor_first"])
        determiner = self._determiner(noun.determiner)
        if determiner is not None:
            article = noun.determiner in (DEFINITE, INDEFINITE)
            first = rules["demonstrative_first"] or article
            words = _beside(words, [self._word(determiner, (*at, "determiner"))], first)
        return words

    def _determiner(self, which: int | None) -> Concept | None:
        shows = {
            DEFINITE: self.rules["definite_word"],
            INDEFINITE: self.rules["indefinite_word"],
            THIS: True,
            THAT: True,
        }
        return Concept("DET", which) if which is not None and shows[which] else None

    def _head(self, noun: Noun, at: Slot, case: str | None) -> Word:
        rules, forms = self.rules, self.forms
        prefixes, suffixes = "", ""
        if noun.plural and rules["plural_suffix"]:
            suffixes += forms["plural"]
        elif noun.plural and rules["plural_prefix"]:
            prefixes += forms["plural"]
        if noun.determiner == DEFINITE and rules["definite_affix"]:
            suffixes += forms["definite"]
        if case == "object" and rules["case_suffix"]:
            suffixes += forms["object"]
        elif case == "object" and rules["case_prefix"]:
            prefixes = forms["object"] + prefixes
        elif case == "genitive" and rules["genitive"]:
            suffixes += forms["genitive"]
        return self._word(noun.head, (*at, "head"), prefixes, suffixes)


def _beside(words: list[Word], other: list[Word], before: bool) -> list[Word]:
    return other + words if before else words + other
