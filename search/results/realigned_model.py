"""A realigned encoder as a value: the form of realingo.json and of `realingo realign --json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from realign.hub.upload import Pushed
from search.results.exported_subset import ExportedSubset
from search.results.json_reader import Json

SCHEMA = 1


@dataclass(frozen=True)
class PairCounts:
    """Sentence pairs of one language."""

    available: int
    pairs: int  # in use
    dropped: Mapping[str, int] = field(hash=False)  # reason → how many the filter left out
    used: int = 0  # seen in training, repeats counted


@dataclass(frozen=True)
class BaseEncoder:
    """The encoder that a realignment began with."""

    model: str
    revision: str | None  # commit on the hub; None for a folder
    signature: str


@dataclass(frozen=True)
class RunFacts:
    """Everything the weights follow from: a checkpoint is continued only where all of it is the same."""

    encoder: str  # signature
    source: str  # code
    data: Mapping[str, tuple[str, str]] = field(hash=False)  # code → hashes of the text, source and target
    parallel: str  # signature of the corpus
    realign: Mapping[str, object] = field(hash=False)  # the settings
    steps: int
    seed: int
    torch: str  # version
    device: str
    task: Mapping[str, object] | None = field(default=None, hash=False)  # that realignment took turns with
    task_steps: int = 0  # of its fine-tuning
    merging: Mapping[str, object] | None = field(default=None, hash=False)  # of one realignment for each language

    def to_json(self) -> Json:
        document: Json = {**asdict(self), "data": {code: list(hashes) for code, hashes in self.data.items()}}
        without_task = ("task", "task_steps") if self.task is None else ()
        unused = (*without_task, *(("merging",) if self.merging is None else ()))
        return {name: value for name, value in document.items() if name not in unused}


@dataclass(frozen=True)
class TaskHead:
    """The head of a task that an encoder was fine-tuned with, and how."""

    kind: str
    steps: int  # of fine-tuning
    batch: int  # sentences a step
    lr: float  # the highest
    labels: tuple[str, ...]  # in the order of the outputs
    read: str  # "word", "first" or "mean": which states it reads
    loads: str  # a class of transformers, or a file beside the encoder


@dataclass(frozen=True)
class MergedFrom:
    """The language vectors that an encoder was merged from, and how."""

    settings: Mapping[str, object] = field(hash=False)  # as in [merging] of realign.toml
    vectors: Mapping[str, str] = field(hash=False)  # code and seed → name of the file in the cache
    trained: int  # of them now; the others were in the cache

    @property
    def found(self) -> int:
        """Vectors that were in the cache and were not trained again."""
        return len(self.vectors) - self.trained


@dataclass(frozen=True)
class RealignedModel:
    """A realigned model: its encoder, its data, and the study's evidence for the choice of languages."""

    name: str
    languages: tuple[str, ...]
    source: str  # code
    seed: int
    run: str  # hash of the facts
    base: BaseEncoder
    realign: Mapping[str, object] = field(hash=False)  # the settings, as in realign.toml
    pairs: int  # seen in all
    data: Mapping[str, PairCounts] = field(hash=False)
    facts: RunFacts
    chosen: ExportedSubset | None  # None where no study chose the languages
    changed: tuple[str, ...]  # keys that were changed since the study: its scores are then not of this model
    created: str  # time in ISO 8601
    seconds: float  # since the last start
    versions: Mapping[str, str] = field(hash=False)
    signature: str = ""  # of the weights
    merged: MergedFrom | None = None  # None: realigned on all languages together
    head: TaskHead | None = None  # None: of the encoder alone
    sentences: bool = False  # sentence-transformers loads it too
    path: str = ""  # where it was published
    files: tuple[str, ...] = ()
    pushed: Pushed | None = None  # to the hub

    def to_json(self) -> Json:
        """As realingo.json; with `path` and `files` once it is published."""
        document: Json = {"schema": SCHEMA, "name": self.name, "languages": list(self.languages)}
        document |= {"source": self.source, "seed": self.seed, "run": self.run, "base": asdict(self.base)}
        document |= {"realign": dict(self.realign), "pairs": self.pairs}
        document |= {"data": {code: asdict(counts) for code, counts in self.data.items()}}
        document |= {"facts": self.facts.to_json(), "chosen": None if self.chosen is None else self.chosen.to_json()}
        document |= {"changed": list(self.changed), "created": self.created, "seconds": self.seconds}
        document |= {"versions": dict(self.versions), "signature": self.signature}
        document |= {} if self.merged is None else {"merged": asdict(self.merged)}
        document |= {} if self.head is None else {"head": asdict(self.head)}
        document |= {"sentence_transformers": True} if self.sentences else {}
        document |= {"pushed": asdict(self.pushed)} if self.pushed else {}
        return document | ({"path": self.path, "files": list(self.files)} if self.path else {})
