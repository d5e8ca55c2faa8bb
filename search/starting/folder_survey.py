"""What lies in a folder of data: parallel text and labels, in which languages, and what a study can use of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from search.starting import places
from search.starting.places import LabelPlace, TextPlace
from selector.errors import InputError
from selector.languages.language import parse
from selector.languages.resources import resource_class

WORDS = {"pos": "treebank", "ner": "entity file", "classification": "table of labels"}
NAMES = {
    "pos": "UD folders (UD_German-GSD), or deu.dev.conllu",
    "ner": "deu.dev.conll",
    "classification": "deu.dev.tsv with a header, or deu.dev.jsonl",
}
LEAST_POOL = 5  # languages, from which on some are held out unasked


@dataclass(frozen=True)
class Survey:
    """The data that was found. Languages are individual ISO 639-3 codes, sorted; the source is in none of them."""

    folder: Path
    source: str
    texts: tuple[TextPlace, ...]  # a language is read from the first that has it
    task: str  # pos, ner or classification
    sets: tuple[LabelPlace, ...]  # of that task
    other_tasks: tuple[str, ...] = ()  # tasks with data in the folder that were not taken
    moved: tuple[str, ...] = ()  # languages with text and labels that are held out

    @property
    def translated(self) -> tuple[str, ...]:
        """Languages with parallel text."""
        return tuple(sorted({code for text in self.texts for code in text.languages}))

    @property
    def labelled(self) -> dict[str, tuple[str, ...]]:
        """Language → its splits, of the first set with dev and test, else of the first that has the language."""
        codes = sorted({code for each in self.sets for code in each.splits} - {self.source})
        return {code: self._splits(code) for code in codes}

    def _splits(self, code: str) -> tuple[str, ...]:
        every = [each.splits[code] for each in self.sets if code in each.splits]
        return next((splits for splits in every if {"dev", "test"} <= set(splits)), every[0])

    @property
    def usable(self) -> tuple[str, ...]:
        """Languages with parallel text and a test set, on which `confirm` scores them."""
        return tuple(code for code in self.translated if "test" in self.labelled.get(code, ()))

    @property
    def pool(self) -> tuple[str, ...]:
        """Languages that a subset may hold."""
        return tuple(code for code in self.usable if code not in self.moved)

    @property
    def tuned(self) -> tuple[str, ...]:
        """Languages of the pool whose scores the search can see: those with a dev set."""
        return tuple(code for code in self.pool if "dev" in self.labelled[code])

    @property
    def untranslated(self) -> tuple[str, ...]:
        """Languages without parallel text that can be tested."""
        return tuple(code for code, splits in self.labelled.items() if "test" in splits and code not in self.translated)

    @property
    def held_out(self) -> tuple[str, ...]:
        """Languages that only `confirm` and the report see."""
        return tuple(sorted({*self.untranslated, *self.moved}))

    def remarks(self, pool: Sequence[str] | None = None) -> tuple[str, ...]:
        """Remarks on what is missing and what was decided, a line for each reason.

        Where a `pool` was asked for, only languages of it are named.
        """
        word = WORDS[self.task]
        inside = self.pool if pool is None else pool
        lost = [code for code in self.translated if code not in self.usable] if pool is None else []
        idle = [code for code in self.labelled if code not in self.translated and code not in self.held_out]
        reasons = {
            f"not in the pool, because there is no test {word}": lost,
            f"in the pool, but not scored in the search, because there is no dev {word}": [
                code for code in inside if code not in self.tuned
            ],
            "held out, because there is no parallel text": self.untranslated,
            "held out, to see what the choice does for languages it never saw (a proposal; edit targets.held_out)": (
                self.moved
            ),
            f"not used, because there is no parallel text and no test {word}": idle,
        }
        found = [f"{reason}: {', '.join(codes)}" for reason, codes in reasons.items() if codes]
        other = [f"there is data for {', '.join(self.other_tasks)} too: --task takes it"] if self.other_tasks else []
        return (*found, *self._treebank_choice(), *other)

    def _treebank_choice(self) -> tuple[str, ...]:
        taken = [each.folder.name for each in self.sets if each.folder.name.startswith("UD_")]
        return (f"of several treebanks of a language the largest is read: {', '.join(taken)}",) if taken else ()

    def with_held_out(self) -> Survey:
        """The same with some of the pool held out, where nothing else is: a fifth, those with the least resources."""
        if self.untranslated or len(self.usable) < LEAST_POOL:
            return self
        order = sorted(self.usable, key=lambda code: (resource_class(parse(code)) or 0, code))
        return replace(self, moved=tuple(sorted(order[: len(self.usable) // LEAST_POOL])))


def survey(folder: Path, source: str, task: str | None = None) -> Survey:
    """Look at `folder` and the folders in it. InputError where there is no parallel text or nothing to train on.

    `task` is pos, ner or classification; None takes the first of these that has training data in the source language.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", "give the folder that holds your data")
    inside = places.folders(folder.absolute())
    texts = places.texts(inside, source)
    if not texts:
        raise InputError(
            f"there is no parallel text with {source} in {folder}",
            f"Moses files (corpus.{source}-deu.deu), tables (deu.tsv) or verses ({source}.txt and deu.txt) are read",
        )
    sets = places.labelled(inside)
    chosen, others = _task(sets, source, task, folder)
    taken = tuple(each for each in sets if places.TASKS[each.kind] == chosen)
    return Survey(folder, source, _adding_languages(texts), chosen, _adding(taken), others)


def _task(sets: Sequence[LabelPlace], source: str, asked: str | None, folder: Path) -> tuple[str, tuple[str, ...]]:
    """The task, and the others that could be had."""
    trained = [
        task
        for task in WORDS
        if any(places.TASKS[each.kind] == task and "train" in each.splits.get(source, ()) for each in sets)
    ]
    wanted = asked or (trained or ["pos"])[0]
    if wanted not in trained:
        there = any(places.TASKS[each.kind] == wanted for each in sets)
        word = WORDS[wanted]
        if not there:
            raise InputError(f"there is no {word} in {folder}", f"{NAMES[wanted]} are read: add one")
        raise InputError(f"there is no training {word} of {source} in {folder}", "the task is learned from it: add it")
    return wanted, tuple(task for task in trained if task != wanted)


def _adding_languages(texts: Sequence[TextPlace]) -> tuple[TextPlace, ...]:
    """The folders without those that add no language."""
    seen: set[str] = set()
    kept = []
    for text in texts:
        if set(text.languages) - seen:
            kept.append(text)
            seen |= set(text.languages)
    return tuple(kept)


def _adding(sets: Sequence[LabelPlace]) -> tuple[LabelPlace, ...]:
    """The folders without those that add neither a language nor a split of one."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for each in sets:
        parts = {(code, split) for code, splits in each.splits.items() for split in splits}
        if parts - seen:
            kept.append(each)
            seen |= parts
    return tuple(kept)
