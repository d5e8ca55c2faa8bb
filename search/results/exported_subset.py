"""The subset that a study exports, as a value: the form of `subset.json` and of `realingo export --json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from realign.hub.upload import Pushed
from search.results.confirmation import ConfirmedRow
from search.results.estimates import Estimate, Interval
from search.results.json_reader import Json, Reader, count, mapping, text, texts, wrong

SCHEMA = 1
SCORE = (  # what subset.json repeats of the confirmed row
    *("mean", "std", "ci95", "seeds", "held_out", "members", "non_members"),
    *("vs_none", "vs_all", "vs_random", "per_language", "regressions"),
)


@dataclass(frozen=True)
class Baseline:
    """A baseline of the exported subset, in short."""

    languages: tuple[str, ...]  # empty for no realignment and for random draws
    mean: float
    ci95: Interval
    held_out: Estimate | None = None

    def to_json(self) -> Json:
        document: Json = {"languages": list(self.languages), "mean": self.mean, "ci95": self.ci95.to_json()}
        return document | {"held_out": None if self.held_out is None else self.held_out.to_json()}

    @classmethod
    def from_json(cls, given: object, place: str = "baseline") -> Baseline:
        read = Reader(given, place)
        languages, ends = read.value("languages", texts), read.value("ci95", Interval.from_json)
        return cls(languages, read.number("mean"), ends, read.optional("held_out", Estimate.from_json))


@dataclass(frozen=True)
class MergedScore:
    """The search's score of the encoder that was merged for the exported subset."""

    value: float  # what the study maximizes, on the development split, in [0, 1]
    signature: str
    seed: int  # the first
    seeds: int  # that the value is the mean of
    tuned: str  # "once": fine-tuned together with other subsets; "each": on its own

    @classmethod
    def from_json(cls, given: object, place: str = "merged") -> MergedScore:
        read = Reader(given, place)
        seed, seeds = (read.value(key, count) for key in ("seed", "seeds"))
        return cls(read.number("value"), read.text("signature"), seed, seeds, read.text("tuned"))


@dataclass(frozen=True)
class ExportedSubset:
    """The confirmed subset that was chosen, its scores, and why it was chosen."""

    name: str  # of the study
    source: str  # code
    metric: str
    score: ConfirmedRow  # its name, languages and signature stand beside it in subset.json
    study: str  # name of the study file
    baselines: Mapping[str, Baseline] = field(default_factory=dict, hash=False)
    reason: str = ""
    verdict: str = ""  # what the study found, in a sentence; empty in exports of earlier versions
    merged: MergedScore | None = None  # where the search merged language vectors and measured this subset
    stale: tuple[str, ...] = ()  # what of the study's numbers no longer held when it was exported
    created: str = ""  # time in ISO 8601
    versions: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the chosen languages."""
        return self.score.languages

    def to_json(self) -> Json:
        score = self.score.to_json()
        return {
            "schema": SCHEMA,
            "name": self.name,
            "languages": list(self.score.languages),
            "source": self.source,
            "metric": self.metric,
            "score": {key: score[key] for key in SCORE},
            "baselines": {name: each.to_json() for name, each in self.baselines.items()},
            "row": self.score.name,
            "reason": self.reason,
            "verdict": self.verdict,
            **({} if self.merged is None else {"merged": asdict(self.merged)}),
            "stale": list(self.stale),
            "signature": self.score.signature,
            "study": self.study,
            "created": self.created,
            "versions": dict(self.versions),
        }

    @classmethod
    def from_json(cls, given: object, place: str = "subset.json") -> ExportedSubset:
        """Exported subset in `given`, the document of `subset.json`; `place` is what errors call it.

        InputError names the first key that is missing or has another form; keys that are not known are ignored.
        """
        read = Reader(given, place)
        read.check_schema(SCHEMA)
        row: Json = {"name": read.optional("row", text) or "best", "signature": read.text("signature")}
        row["languages"] = read.value("languages", texts)
        score = ConfirmedRow.from_json({**read.value("score", mapping), **row}, f"{place}.score")
        for versus in ("vs_none", "vs_all", "vs_random"):
            if getattr(score, versus) is None:
                raise wrong(f"{place}.score.{versus}", "is missing")
        baselines = read.optional("baselines", mapping) or {}
        versions = read.optional("versions", mapping) or {}
        return cls(
            name=read.text("name"),
            source=read.text("source"),
            metric=read.text("metric"),
            score=score,
            study=read.text("study"),
            baselines={key: Baseline.from_json(each, f"{place}.baselines.{key}") for key, each in baselines.items()},
            reason=read.optional("reason", text) or "",
            verdict=read.optional("verdict", text) or "",
            merged=read.optional("merged", MergedScore.from_json),
            stale=read.optional("stale", texts) or (),
            created=read.optional("created", text) or "",
            versions={key: text(each, f"{place}.versions") for key, each in versions.items()},
        )


@dataclass(frozen=True)
class Export:
    """The files that `realingo export` wrote."""

    subset: ExportedSubset
    path: str
    files: tuple[str, ...]
    pushed: Pushed | None = None  # to the hub

    def to_json(self) -> Json:
        pushed = {"pushed": asdict(self.pushed)} if self.pushed else {}
        return {**self.subset.to_json(), "path": self.path, "files": list(self.files), **pushed}
