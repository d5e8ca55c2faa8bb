"""What is written of a text is what is read of it: writers of their own for every form of file, for the fuzzers.

A round trip takes any bytes, makes sentences of them, writes these as the form's description says, with none of the
readers' code, and compares what the reader gives back.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from realign.corpora.bitext import Moses, Tsv
from realign.corpora.conllu_lines import Conllu
from realign.corpora.labels import Conll, LabelTable
from realign.corpora.verses import Verses
from realign.corpora.word_links import ByDictionary, ByPharaoh

Sentence = tuple[str, ...]
UPOS = ("NOUN", "VERB", "X", "PUNCT")
ENTITIES = ("O", "B-PER", "B-LOC")
LABELS = ("yes", "no", "maybe")


def sentences(content: bytes) -> list[Sentence]:
    """Sentences of at least one word. A word has no white space, no control character and no byte order mark."""
    text = content.decode("utf-8", "ignore")
    rows = [[_clean(word) for word in line.split()] for line in text.split("\n")]
    return [tuple(word for word in row if word) for row in rows if any(row)] or [("a",)]


def _clean(word: str) -> str:
    return "".join(mark for mark in word if unicodedata.category(mark) not in ("Cc", "Cs", "Zs") and mark != "\ufeff")


def pairs(content: bytes) -> list[tuple[Sentence, Sentence]]:
    rows = sentences(content)
    return list(zip(rows, reversed(rows), strict=True))


def below_a_pair(content: bytes) -> list[tuple[Sentence, Sentence]]:
    """The pairs below one that is no header of columns, whatever the others say."""
    return [(("a", "first", "pair"), ("ein", "erstes", "Paar")), *pairs(content)]


def write(path: Path, lines: Sequence[str]) -> None:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def cycle(kinds: Sequence[str], words: Sentence) -> Sentence:
    return tuple(kinds[len(word) % len(kinds)] for word in words)


def moses(folder: Path, content: bytes) -> tuple[Any, Any]:
    rows = pairs(content)
    for code, side in (("eng", 0), ("deu", 1)):
        write(folder / f"eng-deu.{code}", [" ".join(row[side]) for row in rows])
    return _read_pairs(Moses(folder, "eng")), rows


def tsv(folder: Path, content: bytes) -> tuple[Any, Any]:
    rows = below_a_pair(content)
    write(folder / "deu.tsv", [f"{' '.join(ours)}\t{' '.join(theirs)}" for ours, theirs in rows])
    return _read_pairs(Tsv(folder, "eng")), rows


def verses(folder: Path, content: bytes) -> tuple[Any, Any]:
    rows = pairs(content)
    ids = [f"GEN.1.{number}" for number in range(len(rows))]
    write(folder / "verse_ids.tsv", ["verse_id\tsplit", *(f"{each}\ttrain" for each in ids)])
    for code, side in (("eng", 0), ("deu", 1)):
        write(folder / f"{code}.txt", [f"{each}\t{' '.join(row[side])}" for each, row in zip(ids, rows, strict=True)])
    merged = [row for row in rows if ("<range>",) not in row]
    if len(merged) < len(rows):  # words that mean something here
        return None, None
    return _read_pairs(Verses(folder, "eng")), rows


def pharaoh(folder: Path, content: bytes) -> tuple[Any, Any]:
    tsv(folder, content)
    rows = below_a_pair(content)
    links = [[(i, i % len(theirs)) for i in range(len(ours))] for ours, theirs in rows]
    write(folder / "deu.align", [" ".join(f"{i}-{j}" for i, j in some) for some in links])
    found = ByPharaoh(Tsv(folder, "eng"), folder).pairs("deu", "train")
    return [list(pair.links or ()) for pair in found], links


def muse(folder: Path, content: bytes) -> tuple[Any, Any]:
    tsv(folder, content)
    rows = below_a_pair(content)
    entries = [(ours[0], theirs[-1]) for ours, theirs in rows]
    write(folder / "eng-deu.txt", [f"{one}\t{other}" for one, other in entries])
    known = {(_caseless(one), _caseless(other)) for one, other in entries}
    expected = [
        {(i, j) for i, x in enumerate(a) for j, y in enumerate(b) if (_caseless(x), _caseless(y)) in known}
        for a, b in rows
    ]
    return [set(pair.links or ()) for pair in ByDictionary(Tsv(folder, "eng"), folder).pairs("deu", "train")], expected


def conllu(folder: Path, content: bytes) -> tuple[Any, Any]:
    rows = [(words, cycle(UPOS, words)) for words in sentences(content)]
    lines: list[str] = []
    for words, tags in rows:
        lines += ["# text = a comment", f"1-{len(words)}\tboth" + "\t_" * 8]
        for number, (word, tag) in enumerate(zip(words, tags, strict=True), 1):
            lines += [f"{number}\t{word}\t_\t{tag}" + "\t_" * 6, f"{number}.1\tempty" + "\t_" * 8]
        lines.append("")
    write(folder / "deu.dev.conllu", lines)
    return [(each.words, each.tags) for each in Conllu(folder).sentences("deu", "dev")], rows


def conll(folder: Path, content: bytes) -> tuple[Any, Any]:
    rows = [(words, cycle(ENTITIES, words)) for words in sentences(content) if words[0] != "-DOCSTART-"]
    if not rows or any("-DOCSTART-" in words for words, _ in rows):
        return None, None
    text = [[*(f"{word}\t{tag}" for word, tag in zip(*row, strict=True)), ""] for row in rows]
    write(folder / "deu.dev.conll", [line for some in text for line in some])
    return [(each.words, each.tags) for each in Conll(folder).sentences("deu", "dev")], rows


def table(folder: Path, content: bytes) -> tuple[Any, Any]:
    rows = [(words, None, LABELS[len(words) % 3]) for words in sentences(content)]
    write(folder / "deu.dev.tsv", ["label\ttext", *(f"{label}\t{' '.join(words)}" for words, _, label in rows)])
    return _read_rows(folder), rows


def json_lines(folder: Path, content: bytes) -> tuple[Any, Any]:
    rows = [(ours, theirs, LABELS[len(ours) % 3]) for ours, theirs in pairs(content)]
    names = ("premise", "hypothesis", "label")
    objects = [dict(zip(names, (" ".join(a), " ".join(b), label), strict=True)) for a, b, label in rows]
    write(folder / "deu.dev.jsonl", [json.dumps(each, ensure_ascii=len(content) % 2 == 0) for each in objects])
    return _read_rows(folder), rows


def _caseless(word: str) -> str:
    """A canonical caseless match (Unicode, section 3.13, D145)."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", word).casefold())


def _read_pairs(text: Any) -> list[tuple[Sentence, Sentence]]:
    return [(pair.source, pair.target) for pair in text.pairs("deu", "train")]


def _read_rows(folder: Path) -> list[tuple[Sentence, Sentence | None, str]]:
    return [(each.first, each.second, each.label) for each in LabelTable(folder).examples("deu", "dev")]


ROUND_TRIPS: dict[str, Callable[[Path, bytes], tuple[Any, Any]]] = {  # → what was read, what was written
    each.__name__: each for each in (moses, tsv, verses, pharaoh, muse, conllu, conll, table, json_lines)
}
