"""The folders of a data folder in which a study could read: parallel text, and sets with labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from realign.corpora import bitext, folder, labels
from realign.corpora.file_names import treebank_of
from realign.corpora.verses import Verses
from selector.errors import InputError

DEPTH = 4  # folders inside folders that are looked at
MOST_FOLDERS = 5_000
SPLITS = folder.SPLITS
TASKS = {"conllu": "pos", "conll": "ner", "table": "classification"}  # kind of labelled data → its task


@dataclass(frozen=True)
class TextPlace:
    """A folder of parallel text. `languages` are ISO 639-3, sorted, without the source."""

    kind: str  # moses, verses or tsv
    folder: Path
    languages: tuple[str, ...]


@dataclass(frozen=True)
class LabelPlace:
    """A folder of sentences with labels: language → the splits it has, in the order train, dev, test."""

    kind: str  # conllu, conll or table
    folder: Path
    splits: Mapping[str, tuple[str, ...]]


def folders(root: Path) -> list[Path]:
    """The folder and those inside it, at most four levels deep, hidden ones left out. InputError for too many."""
    found = list(islice(_walk(root, DEPTH), MOST_FOLDERS + 1))
    if len(found) > MOST_FOLDERS:
        raise InputError(
            f"{root} holds more than {MOST_FOLDERS} folders", "give the folder that holds the text and the labels alone"
        )
    return found


def _walk(place: Path, depth: int) -> Iterator[Path]:
    yield place
    try:
        inside = sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:  # not ours to read
        return
    for path in inside if depth else ():
        if not path.is_symlink() or path.resolve() not in (place.resolve(), *place.resolve().parents):
            yield from _walk(path, depth - 1)


def texts(places: Sequence[Path], source: str) -> list[TextPlace]:
    """Every folder of parallel text with the source language."""
    readers: dict[str, Callable[[Path], tuple[str, ...]]] = {
        "moses": lambda place: bitext.Moses(place, source).languages(),
        "verses": lambda place: _verses(place, source),
        "tsv": lambda place: _tables_of_text(place),
    }
    found = []
    for place in places:
        for kind, read in readers.items():
            try:
                codes = tuple(sorted(set(read(place)) - {source}))
            except InputError:  # nothing of this kind
                continue
            if codes:
                found.append(TextPlace(kind, place, codes))
    return found


def _verses(place: Path, source: str) -> tuple[str, ...]:
    files = folder.files_by_language(place, ".txt")
    read = Verses(place, source).languages()
    return tuple(code for code in read if source in read and _first_line(files[code]).count("\t") == 1)


def _tables_of_text(place: Path) -> tuple[str, ...]:
    bitext.Tsv(place, "eng")  # InputError where there is no table at all
    files = folder.files_by_language(place, ".tsv", required=False).merge(
        folder.files_by_language(place, ".train.tsv", required=False)
    )
    lines = {code: _first_line(files[code]) for code in files}
    return tuple(code for code, line in lines.items() if line.count("\t") == 1 and not _is_header(line))


def _is_header(line: str) -> bool:
    """True if a table begins with the names of the columns of a classification set."""
    return any(set(form) <= set(line.split("\t")) for form in labels.FORMS)


def _first_line(file: Path) -> str:
    return next(iter(folder.lines(file)), (0, ""))[1]


def labelled(places: Sequence[Path]) -> list[LabelPlace]:
    """Every folder with labels of one kind. Treebanks in folders `UD_…` count for the folder that holds these."""
    found: list[LabelPlace] = []
    for place in places:
        for kind, files in (("conllu", _treebanks), ("conll", _entities), ("table", _tables_of_labels)):
            if kind == "conllu" and place.name.startswith("UD_") and place.parent in places:
                continue
            by_split = {split: tuple(files(place, split)) for split in SPLITS}
            codes = sorted({code for listed in by_split.values() for code in listed})
            splits = {code: tuple(split for split in SPLITS if code in by_split[split]) for code in codes}
            if splits:
                found.append(LabelPlace(kind, place, splits))
    return [part for place in found for part in _single(place)]


def _treebanks(place: Path, split: str) -> Iterator[str]:
    return iter(folder.treebanks(place, split))


def _entities(place: Path, split: str) -> Iterator[str]:
    return iter(folder.files_by_language(place, f".{split}.conll", required=False))


def _tables_of_labels(place: Path, split: str) -> Iterator[str]:
    files = folder.files_by_language(place, f".{split}.jsonl", required=False)
    tables = folder.files_by_language(place, f".{split}.tsv", required=False)
    yield from files
    yield from (code for code in tables if code not in files and _is_header(_first_line(tables[code])))


def _single(place: LabelPlace) -> list[LabelPlace]:
    """The folder, and before it the treebank to take of each language that has several in folders `UD_…`."""
    if place.kind != "conllu":
        return [place]
    several = _several(place.folder)
    best = [_largest(several[code], code) for code in several]
    return [*best, place]


def _several(place: Path) -> dict[str, list[Path]]:
    """Language → its folders `UD_…`, where it has more than one."""
    found: dict[str, list[Path]] = {}
    for each in sorted(path for path in place.glob("UD_*") if path.is_dir()):
        stems = {name.split("-ud-")[0] for name in folder.files_by_name(each) if name.endswith(".conllu")}
        codes = {language.code for stem in stems if "_" in stem and (language := treebank_of(stem))}
        for code in codes:
            found.setdefault(code, []).append(each)
    return {code: several for code, several in found.items() if len(several) > 1}


def _largest(several: Sequence[Path], code: str) -> LabelPlace:
    """The treebank with the most splits of several in a language, then the one with the largest files."""
    described = [(path, tuple(split for split in SPLITS if code in folder.treebanks(path, split))) for path in several]
    sizes = {path: sum(file.stat().st_size for file in path.glob("*.conllu*")) for path in several}
    path, splits = max(described, key=lambda each: (len(each[1]), sizes[each[0]]))
    return LabelPlace("conllu", path, {code: splits})
