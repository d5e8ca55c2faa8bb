"""Lexicon of the world's languages: words inherited down URIEL's family tree with mutation, written in a script.

A form is a tuple of syllables, a syllable an integer `consonant * VOWELS + vowel`. Every family starts from words of
its own; at each node of the tree some words are replaced and regular sound changes apply to all. So near kin share most
words, distant kin few, and strangers none but names, which travel between all languages.
"""

from __future__ import annotations

from functools import cache
from random import Random

from realign.world.semantics import CLASSES, CONCEPTS, Concept

CONSONANTS = 16
VOWELS = 5
Form = tuple[int, ...]

AFFIXES = ("plural", "past", "future", "object", "genitive", "definite", "negative")
OPEN = ("NOUN", "VERB", "ADJ", "ADV", "PROPN")

# Share of words replaced on the edge to a node of this depth; deeper edges are younger. Sound changes: how many
# consonants shift on that edge.
REPLACED = (1.0, 0.4, 0.15, 0.1, 0.05, 0.03)
SHIFTS = (0, 2, 1, 1, 0)

_ALPHABETS = {  # script: (16 consonants, 5 vowels); letters of one Unicode block, sound values only roughly theirs
    "Latn": ("ptkbdgmnszfvlrhj", "aeiou"),
    "Cyrl": ("птквдгмнсзфжлрхй", "аеиоу"),
    "Grek": ("πτκβδγμνσζφχλρθξ", "αειου"),
    "Arab": ("بتكثدجمنسزفقلرهش", "اويةى"),
    "Hebr": ("פתכבדגמנסזשצלרהח", "אעויט"),
    "Deva": ("पतकबदगमनसजफवलरहय", "ािेोु"),
    "Beng": ("পতকবদগমনসজফভলরহয", "ািেোু"),
    "Taml": ("பதகசடஞமநஸஜழவலரஹய", "ாிெோு"),
    "Telu": ("పతకబదగమనసజఫవలరహయ", "ాిెోు"),
    "Geor": ("პტკბდგმნსზფვლრჰჯ", "აეიოუ"),
    "Armn": ("պտկբդգմնսզֆվլրհյ", "աեիոու"),
    "Thai": ("ปตกบดคมนสซฟวลรหย", "าิเโุ"),
}
_BLOCKS = {"Ethi": (0x1200, 8), "Hang": (0xAC00, 28), "Kore": (0xAC00, 28), "Jpan": (0x3041, 1)}  # (first, step)
_HAN = ("Hans", "Hant", "Hani")


def _write(script: str, syllable: int) -> str:
    consonant, vowel = divmod(syllable, VOWELS)
    if script in _HAN:
        return chr(0x4E00 + 37 * syllable)
    if script in _BLOCKS:
        first, step = _BLOCKS[script]
        row = 8 if script == "Ethi" else VOWELS * step
        return chr(first + consonant * row + vowel * (1 if script == "Ethi" else step))
    consonants, vowels = _ALPHABETS.get(script, _ALPHABETS["Latn"])
    return consonants[consonant] + vowels[vowel]


@cache
def spell(script: str, form: Form) -> str:
    """Written word for `form` in `script`. Letters are chosen to differ between scripts, not to be pronounceable."""
    return "".join(_write(script, syllable) for syllable in form)


def _new_form(rng: Random, upos: str) -> Form:
    length = rng.choices((2, 3), (2, 1))[0] if upos in OPEN else rng.choices((1, 2), (1, 2))[0]
    return tuple(rng.randrange(CONSONANTS * VOWELS) for _ in range(length))


def _shift(rng: Random, count: int) -> dict[int, int]:
    """A regular sound change: `count` consonants become others, everywhere."""
    olds = rng.sample(range(CONSONANTS), count)
    return {old: rng.randrange(CONSONANTS) for old in olds}


def _apply_shift(form: Form, shift: dict[int, int]) -> Form:
    return tuple(shift.get(s // VOWELS, s // VOWELS) * VOWELS + s % VOWELS for s in form)


@cache
def _names(seed: int) -> dict[Concept | str, Form]:
    rng = Random(f"names {seed}")
    return {Concept("PROPN", i): _new_form(rng, "PROPN") for i in range(CLASSES["PROPN"])}


@cache
def _words(seed: int, path: tuple[str, ...]) -> dict[Concept | str, Form]:
    """All forms at the node `path` of the family tree: stems by concept, affixes by name."""
    depth = len(path) - 1
    rng = Random(f"words {seed} {'/'.join(path)}")
    parent: dict[Concept | str, Form] = _words(seed, path[:-1]) if depth else _names(seed)
    replaced = REPLACED[min(depth, len(REPLACED) - 1)]
    shift = _shift(rng, SHIFTS[min(depth, len(SHIFTS) - 1)])
    forms: dict[Concept | str, Form] = {}
    items: tuple[Concept | str, ...] = (*CONCEPTS, *AFFIXES)
    for item in items:
        upos = item.upos if isinstance(item, Concept) else "affix"
        fresh = _new_form(rng, upos)[:1] if upos == "affix" else _new_form(rng, upos)
        keep = item in parent and (upos == "PROPN" or rng.random() >= replaced)
        forms[item] = _apply_shift(parent[item], shift) if keep else fresh
    return forms


def lexicon(seed: int, path: tuple[str, ...], script: str) -> dict[Concept | str, str]:
    """Written stems (by concept) and affixes (by name) of the language at the end of `path`, in `script`."""
    return {item: spell(script, form) for item, form in _words(seed, path).items()}
