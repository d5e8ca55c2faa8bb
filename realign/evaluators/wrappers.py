"""Evaluators around evaluators: each takes an `Evaluator` and is one. They are stacked, never subclassed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from realign.cache import cache_root
from realign.evaluators.score_file import read_score, write_score
from realign.score import Evaluator, Fidelity, Look, Score, Tally, mean_source_score, show_look
from selector.languages.subset import Subset


class Cached:
    """Evaluator that keeps scores on disk: one file per signature, written completely or not at all."""

    def __init__(self, evaluator: Evaluator, folder: Path | None = None) -> None:
        """`folder` holds the files; None is the shared folder under the cache root."""
        self.evaluator = evaluator
        self.folder = folder if folder is not None else cache_root() / "scores"

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        return self.evaluator.signature(subset, fidelity, seed)

    def cached_score(self, subset: Subset, fidelity: Fidelity, seed: int) -> Score | None:
        """Score of an earlier call with the same `subset`, `fidelity` and `seed`; None if it must be computed."""
        signature = self.signature(subset, fidelity, seed)
        return read_score(self._file(signature), signature)

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
        """Score of `subset`, from disk if it is there.

        A score that was cached without looks is measured again for a `look`: the same score, with its course.
        """
        known = self.cached_score(subset, fidelity, seed)
        if known is not None and (look is None or known.course is not None):
            if look is not None:
                for number, seen in enumerate(known.course or (), 1):
                    show_look(look, number, seen, known.signature)
            return known
        score = self.evaluator(subset, fidelity, seed, look)
        write_score(self._file(self.signature(subset, fidelity, seed)), score)
        return score

    def _file(self, signature: str) -> Path:
        return self.folder / signature[:2] / f"{signature}.json"


class Repeated:
    """Evaluator whose score is the mean over several runs (seed, seed + 1, …); tallies are joined.

    Looks are at the first run.
    """

    def __init__(self, evaluator: Evaluator, seeds: int) -> None:
        if seeds < 1:
            raise ValueError("at least one seed")
        self.evaluator = evaluator
        self.seeds = seeds

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        return "+".join(self.evaluator.signature(subset, fidelity, seed + i) for i in range(self.seeds))

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
        runs = [self.evaluator(subset, fidelity, seed, look)]
        runs += [self.evaluator(subset, fidelity, seed + i) for i in range(1, self.seeds)]
        codes = runs[0].per_language
        return Score(
            value=sum(run.value for run in runs) / len(runs),
            per_language={code: sum(run.per_language[code] for run in runs) / len(runs) for code in codes},
            signature="+".join(run.signature for run in runs),
            tallies={code: _join_tallies([run.tallies[code] for run in runs]) for code in runs[0].tallies},
            seconds=sum(run.seconds for run in runs),
            course=runs[0].course,
            source_score=mean_source_score(run.source_score for run in runs),
        )


class WithSecondScore:
    """Evaluator that also scores one subset in a second way while its encoder is there, for the cache of the other
    evaluator.
    """

    def __init__(self, evaluator: Evaluator, other: Cached, subset: Subset) -> None:
        self.evaluator, self.other, self.subset = evaluator, other, subset

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        return self.evaluator.signature(subset, fidelity, seed)

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
        score = self.evaluator(subset, fidelity, seed, look)
        if subset == self.subset:
            self.other(subset, fidelity, seed)
        return score


def _join_tallies(tallies: Sequence[Tally]) -> Tally:
    correct = tuple(count for tally in tallies for count in tally.correct)
    return Tally(correct, tuple(count for tally in tallies for count in tally.total))
