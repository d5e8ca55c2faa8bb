"""Data sets of a study file: folders of files and data sets of the hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from realign.corpora.filters import Rules
from realign.section import ByKind, Section, SettingError, setting
from realign.training.settings import Count

FOLDER = "Folder of the files, from the study file on or under $REALINGO_DATA."


@dataclass(frozen=True)
class VerseFiles(Section):
    """Verse-parallel text; realign/corpora/verses.py says how the files are named."""

    kind: Literal["verses"] = field(metadata={"description": "Verse-parallel text, one file a language."})
    folder: str = field(metadata={"description": FOLDER})


@dataclass(frozen=True)
class TreebankFiles(Section):
    """Words with part-of-speech tags; realign/corpora/conllu_lines.py says how the files are named."""

    kind: Literal["conllu"] = field(metadata={"description": "Treebanks in CoNLL-U, one file a language and split."})
    folder: str = field(metadata={"description": FOLDER})


@dataclass(frozen=True)
class BitextFiles(Section):
    """Parallel text, a pair a line; realign/corpora/bitext.py says how the files are named."""

    kind: Literal["moses", "tsv"] = field(
        metadata={"description": "Parallel text: two files with equal line numbers (moses), or two columns (tsv)."}
    )
    folder: str = field(metadata={"description": FOLDER})


@dataclass(frozen=True)
class LabelFiles(Section):
    """Entities in columns, or classified sentences; realign/corpora/labels.py says how the files are named."""

    kind: Literal["conll", "table"] = field(
        metadata={"description": "Entities in columns (conll), or classified sentences in a table (table)."}
    )
    folder: str = field(metadata={"description": FOLDER})


@dataclass(frozen=True)
class HubSet(Section):
    """A data set of the hub: the name of a known one (realign/data/hub.toml), or a description with the same keys.

    What is given here changes what `realign.hub.sets.Spec` knows of a set, or makes a new one.
    """

    kind: Literal["hub"] = setting("hub", "A data set of the hub; the kind that is meant where none is written.")
    name: str | None = setting(None, "Name of a data set that Realingo knows, instead of id.")
    id: str | None = setting(None, "Repository of a data set that you describe, as OWNER/NAME, instead of name.")
    columns: Mapping[str, str] | None = setting(
        None, "Where text and labels stand: role to column, as {words = 'tokens', tags = 'upos'}."
    )
    config: str | None = setting(None, "Name of the configuration, with {lang}, {source} or {pair} for the codes.")
    codes: Literal["iso1", "iso3", "flores"] | None = setting(
        None, "How the set writes languages: de (iso1), deu (iso3) or deu_Latn (flores)."
    )
    names: Mapping[str, str] | None = setting(
        None, "Codes of the set that follow no rule: ISO 639-3 code to the set's own code."
    )
    treebanks: Mapping[str, str] | None = setting(
        None, "For the set udpos: ISO 639-3 code to the treebank, as {deu = 'de_hdt'}."
    )
    splits: Mapping[Literal["train", "dev", "test"], str | tuple[str, ...]] | None = setting(
        None, "The set's own names of train, dev and test; where several are given, the first that exists is used."
    )
    labels: tuple[str, ...] | Mapping[str, str] | None = setting(
        None, "Names of labels that are bare numbers, as a list, or a table of label to the label it counts as."
    )
    revision: str | None = setting(None, "Branch, tag or commit of the repository.")
    folders: bool | None = setting(None, "Whether a configuration is a folder of the repository.")
    files: str | None = setting(
        None, "Plain files of the repository instead of configurations, as data/{lang}/{split}.tsv."
    )
    path: str | None = setting(None, "Folder of this machine with those files, read instead of the repository.")

    def __post_init__(self) -> None:
        if self.name is not None and self.id is not None:
            raise SettingError("name is a known data set, id one that you describe: give one of the two")
        if self.name is None and self.id is None:
            raise SettingError("give the name of a known data set, or an id with columns")
        if self.id is not None and not self.columns and self.files is None:
            raise SettingError("an id needs columns, such as {words = 'tokens', tags = 'upos'}")
        if self.treebanks and self.names:
            raise SettingError("treebanks is another word for names: give one of the two")

    def __hash__(self) -> int:
        return hash((self.name, self.id))  # tables cannot be keys


def class_of(given: Any) -> str | None:
    """Name of the class for a table of data, by its kind; without a kind it is a data set of the hub.

    `given`: the table.
    """
    if not isinstance(given, dict | Section):
        return None
    kind = str(given.get("kind", "hub") if isinstance(given, dict) else getattr(given, "kind", ""))
    return {
        "verses": "VerseFiles",
        "conllu": "TreebankFiles",
        **dict.fromkeys(("moses", "tsv"), "BitextFiles"),
        **dict.fromkeys(("conll", "table"), "LabelFiles"),
        "hub": "HubSet",
    }.get(kind, f"none for {kind}")


Text = Annotated[VerseFiles | BitextFiles | HubSet, ByKind(class_of)]
Source = Annotated[VerseFiles | BitextFiles | HubSet | TreebankFiles | LabelFiles, ByKind(class_of)]
DataSet = VerseFiles | BitextFiles | HubSet | TreebankFiles | LabelFiles
World = Literal["world"]


@dataclass(frozen=True)
class Data(Section):
    """Parallel text for realignment."""

    parallel: World | Text | tuple[Text, ...] = setting(
        "world",
        "Parallel text: the embedded world, one data set, or a list of them, where each language is taken from the "
        "first set that has it.",
    )
    filter: Literal["none"] | Rules | None = setting(
        None,
        "Which training pairs are left out, as a table; left out: the default rules for moses, tsv and hub, and no "
        "filter for the others.",
    )
    pairs: Count | Literal["all"] | None = setting(
        None,
        "Training pairs of one language that are read, filtered and encoded; left out: as many as a run on the "
        "smallest subset sees.",
    )

    def __post_init__(self) -> None:
        if not as_tuple(self.parallel):
            raise SettingError("parallel = [] names no data set")

    @property
    def rules(self) -> Rules | None:
        """Filter of training pairs; None for none. The embedded world is never filtered."""
        if self.filter == "none" or self.parallel == "world":
            return None
        wild = not all(isinstance(given, VerseFiles) for given in as_tuple(self.parallel))
        return self.filter or (Rules() if wild else None)


def as_tuple(given: Any) -> tuple[Any, ...]:
    """Tuple of the data sets in `given`, one or a list of them."""
    return given if isinstance(given, tuple) else (given,)
