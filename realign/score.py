"""Question and answer of one evaluation (`Fidelity`, `Score`), and the protocol that answers (`Evaluator`).

Standard library and `selector` only: everything in this package, and all of `search`, imports this file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, Literal, Protocol

from realign.section import Range, Section, setting
from selector.languages.subset import Subset

Advance = Callable[[str, int, int], None]  # (what, done, total): the one progress signature all rooms call


@dataclass(frozen=True)
class Merging(Section):
    """Score of a subset from measurements of its single languages, without realigning on it.

    "scores": from the scores of the languages (realign/evaluators/single_language.py). The other methods: from their
    vectors, which are merged into an encoder that is then evaluated (realign/merging/merger.py).
    """

    method: Literal["scores", "average", "touched", "ties", "dare"] = setting(
        "scores",
        "How a subset is scored from its languages alone: from their scores, or from an encoder that is merged.",
    )
    seeds: Annotated[int, Range(ge=1, le=100)] = setting(1, "Realignments of each language, on consecutive seeds.")
    sharpness: Annotated[float, Range(ge=0)] = setting(
        10.0, "Sharpness of the soft maximum over scores of languages; 0 is their mean."
    )
    scale: Annotated[float, Range(gt=0)] = setting(2.0, "Factor of the merged vector.")
    density: Annotated[float, Range(gt=0, le=1)] = setting(
        1.0, "Share of the weights of each vector that ties and dare keep."
    )
    tuned: Literal["once", "each"] = setting(
        "once", "Fine-tune once for all subsets of a size, or each merged encoder on its own (each)."
    )
    precision: Literal["bf16", "fp32"] = setting("bf16", "Number format of the vectors on disk.")


@dataclass(frozen=True)
class Fidelity:
    """Amount of work that one evaluation may do. Scores of different fidelities are not comparable.

    With `merging`, `pairs` are those of each language, and fine-tuning that is shared has no patience.
    """

    pairs: int  # sentence pairs seen in realignment, in total over the subset (arXiv 2511.06497 holds this constant)
    steps: int  # optimizer steps of fine-tuning on the source language
    examples: int  # sentences evaluated per target language, at most
    patience: int = 0  # looks at the source's development split without a gain before fine-tuning stops; 0: no looks
    merging: Merging | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """Settings as JSON values; those that are not used are left out."""
        optional = {"patience": self.patience, "merging": asdict(self.merging) if self.merging else None}
        given = {key: value for key, value in optional.items() if value}
        return {"pairs": self.pairs, "steps": self.steps, "examples": self.examples, **given}

    def share(self, pairs: float, steps: float, examples: float) -> Fidelity:
        """Fidelity with shares of the `pairs`, `steps` and `examples`, each in (0, 1]; at least one where there was
        one.
        """

        def part(whole: int, of: float) -> int:
            return max(min(1, whole), round(whole * of))

        return replace(
            self, pairs=part(self.pairs, pairs), steps=part(self.steps, steps), examples=part(self.examples, examples)
        )


@dataclass(frozen=True)
class Tally:
    """Result of each sentence of one language: enough for bootstrap and paired tests without a second run.

    Every metric here is a ratio of sums over sentences. Accuracy: correct units of all units (words, sentences). F1 of
    spans: twice the correctly guessed spans, of the guessed spans plus the true spans; so `total` depends on the
    guesses.
    """

    correct: tuple[int, ...]  # of each sentence, in the order of the data
    total: tuple[int, ...]

    @property
    def value(self) -> float:
        """Micro-averaged accuracy or F1 in [0, 1]."""
        return sum(self.correct) / max(1, sum(self.total))


LEARNED = 0.5  # share of the constant answer's errors that fine-tuning takes away, at the least


@dataclass(frozen=True)
class SourceScore:
    """Score of fine-tuning on the source language itself, on its development sentences."""

    language: str  # ISO 639-3
    value: float  # accuracy or F1 in [0, 1]
    constant: float  # of the best answer that is the same for every word or sentence, in [0, 1]

    @property
    def converged(self) -> bool:
        """True if fine-tuning removed at least half of the errors that the best constant answer makes.

        Half is far below what usual tasks and encoders reach: XLM-R-base removes 96 % of them on English parts of
        speech (97 % right, the most frequent tag 17 %), 76 % on XNLI (84 %, 33 %) and 80 % on entities (F1, where the
        constant answer finds none). So a source below this line was hardly learned, and its transfer to other languages
        is noise. A source above the line may still gain from more steps. The slope of the loss is no better sign: the
        learning rate falls to zero, and the loss flattens with it.
        """
        return self.value >= self.constant + LEARNED * (1 - self.constant)


@dataclass(frozen=True)
class Score:
    """Answer of an evaluator. A score never travels without its signature."""

    value: float  # macro-average over the target languages, in [0, 1]
    per_language: Mapping[str, float]  # ISO 639-3 → accuracy or F1 in [0, 1]
    signature: str
    tallies: Mapping[str, Tally] = field(default_factory=dict, repr=False, compare=False)
    seconds: float = field(default=0.0, compare=False)
    course: tuple[Mapping[str, float], ...] | None = field(default=None, repr=False, compare=False)  # at the looks
    source_score: SourceScore | None = field(default=None, repr=False, compare=False)  # None: not known


def mean_source_score(found: Iterable[SourceScore | None]) -> SourceScore | None:
    """Mean of the source scores `found` in several runs of one study, None values left out; None where all are None."""
    known = [each for each in found if each is not None]
    if not known:
        return None
    values, constants = ([getattr(each, name) for each in known] for name in ("value", "constant"))
    return SourceScore(known[0].language, sum(values) / len(known), sum(constants) / len(known))


Look = Callable[[Mapping[str, float]], bool]  # scores of the targets in the middle of a run → is that enough?


class Stopped(Exception):  # noqa: N818 - not an error
    """A look ended an evaluation. `score` has the scores at that look; it is no answer, and signed as none."""

    def __init__(self, score: Score) -> None:
        super().__init__(score)
        self.score = score


def show_look(look: Look, number: int, per_language: Mapping[str, float], signature: str, seconds: float = 0.0) -> None:
    """Give the scores `per_language` to `look`, the one with this `number` (from 1). Stopped: they were enough."""
    if look(per_language):
        mean = sum(per_language.values()) / len(per_language)
        raise Stopped(Score(mean, dict(per_language), f"{signature}/look-{number}", seconds=seconds))


class Evaluator(Protocol):
    """Expensive and noisy measurement: how does realigning on this subset change zero-shot transfer?"""

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
        """Score of `subset` at `fidelity` with `seed`.

        Some evaluators can be looked at in the middle: they call `look` with the scores by then, and raise Stopped if
        it returns True. The score is the same with and without a look.
        """
        ...

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        """Signature that the score of `subset` at `fidelity` with `seed` will have, without doing the work."""
        ...


def sign(facts: Mapping[str, Any], subset: Subset, fidelity: Fidelity, seed: int) -> str:
    """Signature of one evaluation: a hash of everything that can change its outcome.

    `facts` holds the model, data, task, losses, optimizer settings, targets, split and versions (JSON values). Scores
    with equal signatures are comparable and interchangeable; the signature is the key of every cache.
    """
    whole = {**facts, "subset": subset.key, "fidelity": fidelity.facts, "seed": seed}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:24]
