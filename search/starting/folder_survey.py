"""What lies in a folder of data: parallel text and treebanks, and in which languages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from realign.corpora.bitext import Moses, Tsv
from realign.corpora.folder import by_language, lines
from realign.corpora.verses import Conllu, Verses
from selector.errors import InputError

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Survey:
    """The data that was found. Languages are individual ISO 639-3 codes, sorted; the source is in none of them."""

    folder: Path
    parallel: tuple[str, str] | None  # kind and folder, as a study file has them
    translated: tuple[str, ...]  # languages with parallel text
    treebanks: str | None  # folder
    tagged: dict[str, tuple[str, ...]]  # language → its splits
    source_splits: tuple[str, ...]

    @property
    def pool(self) -> tuple[str, ...]:
        """Languages that a subset may hold: parallel text, and a test treebank, on which `confirm` scores them."""
        return tuple(code for code in self.translated if "test" in self.tagged.get(code, ()))

    @property
    def tuned(self) -> tuple[str, ...]:
        """Languages of the pool whose scores the search can see: those with a dev treebank."""
        return tuple(code for code in self.pool if "dev" in self.tagged[code])

    @property
    def held_out(self) -> tuple[str, ...]:
        """Languages without parallel text that can be tested."""
        return tuple(code for code, splits in self.tagged.items() if "test" in splits and code not in self.translated)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is missing, a line for each reason."""
        untested = [code for code in self.translated if code not in self.pool]
        unseen = [code for code in self.pool if code not in self.tuned]
        idle = [code for code in self.tagged if code not in self.translated and code not in self.held_out]
        said = []
        if untested:
            said.append(f"not in the pool, for want of a test treebank: {', '.join(untested)}")
        if unseen:
            said.append(f"in the pool, but not scored in the search, for want of a dev treebank: {', '.join(unseen)}")
        if self.held_out:
            said.append(f"held out, for want of parallel text: {', '.join(self.held_out)}")
        if idle:
            said.append(f"not used, with neither parallel text nor a test treebank: {', '.join(idle)}")
        return tuple(said)


def survey(folder: Path, source: str) -> Survey:
    """Look at `folder` and the folders in it. InputError where there is no parallel text or no treebank to train on."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", "give the folder that holds your data")
    places = [folder, *sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))]
    text = next(_texts(places, source), None)
    if text is None:
        raise InputError(
            f"there is no parallel text with {source} in {folder}",
            f"Moses files (corpus.{source}-deu.deu), tables (deu.tsv) or verses (deu.txt) are read",
        )
    kind, place, translated = text
    bank = next(_treebanks(places), None)
    if bank is None:
        raise InputError(f"there is no treebank in {folder}", "UD folders, or deu.dev.conllu, are read: add one")
    tagged = {code: splits for code, splits in bank[1].items() if code != source}
    if "train" not in bank[1].get(source, ()):
        raise InputError(
            f"there is no training treebank of {source} in {bank[0]}", "the task is learned from it: add it"
        )
    return Survey(folder, (kind, _inside(place, folder)), translated, _inside(bank[0], folder), tagged, bank[1][source])


def _inside(place: Path, folder: Path) -> str:
    return str(folder.absolute() if place == folder else folder.absolute() / place.name)


def _texts(places: Sequence[Path], source: str) -> Iterator[tuple[str, Path, tuple[str, ...]]]:
    readers: dict[str, Callable[[Path, str], Moses | Verses | Tsv]] = {"moses": Moses, "verses": Verses, "tsv": Tsv}
    for place in places:
        for kind, reader in readers.items():
            try:
                found = tuple(code for code in reader(place, source).languages() if code != source)
                if found and (kind == "moses" or _has_two_columns(place, found[0], kind)):
                    yield kind, place, tuple(sorted(found))
            except InputError:  # nothing of this kind
                continue


def _has_two_columns(place: Path, code: str, kind: str) -> bool:
    """Whether files named as text are: the first line of one is an id or a sentence, a TAB and a sentence."""
    file = by_language(place, ".txt" if kind == "verses" else ".tsv")[code]
    _, line = next(iter(lines(file)), (0, ""))
    return line.count("\t") == 1


def _treebanks(places: Sequence[Path]) -> Iterator[tuple[Path, dict[str, tuple[str, ...]]]]:
    for place in places:
        try:
            found = Conllu(place)
        except InputError:
            continue
        by_split = {split: found.languages(split) for split in SPLITS}  # type: ignore[arg-type]
        codes = sorted({code for codes in by_split.values() for code in codes})
        yield place, {code: tuple(split for split in SPLITS if code in by_split[split]) for code in codes}
