"""Scores of one encoder under a study's task, as a value: the form of `realingo evaluate --json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from realign.score import SourceScore
from search.results.convergence import source_to_json
from search.results.estimates import Difference, Estimate
from search.results.json_reader import Json

SCHEMA = 1


@dataclass(frozen=True)
class Rival:
    """Another encoder, and by how much the evaluated one is above it."""

    model: str
    mean: float
    found: Difference  # over the targets
    p: float  # of this one comparison
    per_language: Mapping[str, float] = field(hash=False)  # differences
    regressions: tuple[str, ...]  # languages that are significantly worse than with the other encoder

    def to_json(self) -> Json:
        document: Json = {"model": self.model, "mean": self.mean, **self.found.to_json(), "p": self.p}
        return document | {"per_language": dict(self.per_language), "regressions": list(self.regressions)}


@dataclass(frozen=True)
class Evaluation:
    """The scores of an encoder, fine-tuned on the source language and tested on the others. Scores are in [0, 1]."""

    model: str
    study: str
    task: str
    metric: str
    split: str
    source: str  # code
    seeds: tuple[int, ...]
    mean: Estimate  # over the targets
    std: float | None  # between seeds; None of one seed
    targets: tuple[str, ...]
    held_out: Estimate | None
    held_out_languages: tuple[str, ...]
    per_language: Mapping[str, float] = field(hash=False)
    per_seed: tuple[Mapping[str, float], ...] = field(hash=False)
    signature: str
    versions: Mapping[str, str] = field(hash=False)
    against: Rival | None = None
    source_score: SourceScore | None = None  # what fine-tuning reached on the source language; None: not known

    def to_json(self) -> Json:
        document: Json = {"schema": SCHEMA, "model": self.model, "study": self.study, "task": self.task}
        document |= {"metric": self.metric, "split": self.split, "source": self.source, "seeds": list(self.seeds)}
        document |= {**self.mean.to_json(), "std": self.std, "targets": list(self.targets)}
        held_out = None
        if self.held_out is not None:
            held_out = {**self.held_out.to_json(), "languages": list(self.held_out_languages)}
        document |= {"held_out": held_out, "per_language": dict(self.per_language)}
        document |= {"per_seed": [dict(each) for each in self.per_seed], "signature": self.signature}
        document |= {} if self.source_score is None else {"source_score": source_to_json(self.source_score)}
        return document | {
            "versions": dict(self.versions),
            "against": None if self.against is None else self.against.to_json(),
        }
