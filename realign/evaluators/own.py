"""A user's evaluator: any callable (subset, fidelity, seed) that answers with a `Score` or with a score per language.

`Own` gives it what the search expects of an evaluator: a signature, codes of ours, only the languages that may be seen.
"""

from __future__ import annotations

import hashlib
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import TypeVar

from realign.evaluators.single_language import SingleLanguageScores
from realign.evaluators.wrappers import Cached
from realign.score import Evaluator, Fidelity, Look, Score, Tally, sign
from selector.errors import InputError
from selector.languages.given import by_language
from selector.languages.subset import Subset

Answer = Score | Mapping[str, float]
Measure = Callable[[Subset, Fidelity, int], Answer]  # the seed is the last
Value = TypeVar("Value")
WHOLE = 10**9  # of a tally that stands for a score of which no sentences are known
HINT = "answer with a Score, or with a mapping from language codes to scores in [0, 1]"


class CallableEvaluator:
    """An `Evaluator` around a user's callable. It is not looked at in the middle of a run."""

    def __init__(self, measure: Measure, targets: Sequence[str], needed: Sequence[str]) -> None:
        """Of what `measure` answers, the codes `targets` are passed on; those of `needed` must be there."""
        self.measure, self.targets, self.needed = measure, tuple(targets), tuple(needed)

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        """Signature made from the callable's own `signature`, else from its name."""
        own = getattr(self.measure, "signature", None)
        facts = {"evaluator": name_of(self.measure) if own is None else own(subset, fidelity, seed)}
        return sign({**facts, "targets": self.targets}, subset, fidelity, seed)

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
        """InputError where the answer is no score, misses a language, or leaves [0, 1]."""
        started = time.perf_counter()
        answer = self.measure(subset, fidelity, seed)
        tallies = by_code(answer.tallies) if isinstance(answer, Score) else {}
        scores = {code: value for code, value in scores_of(answer).items() if code in self.targets}
        if missing := [code for code in self.needed if code not in scores]:
            raise InputError(
                f"the evaluator gives no score for {', '.join(missing[:5])}", "score every target language"
            )
        return Score(
            value=sum(scores.values()) / len(scores),
            per_language=scores,
            signature=self.signature(subset, fidelity, seed),
            tallies={code: tallies.get(code) or _whole(value) for code, value in scores.items()},
            seconds=time.perf_counter() - started,
            course=(),
        )


class CachedInMemory:
    """Answers from memory what was answered before; for evaluators whose signature says too little for a disk."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._scores: dict[str, Score] = {}

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        return self.evaluator.signature(subset, fidelity, seed)

    def cached_score(self, subset: Subset, fidelity: Fidelity, seed: int) -> Score | None:
        """The score of an earlier call; None if a call would have to compute it."""
        return self._scores.get(self.signature(subset, fidelity, seed))

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
        known = self.cached_score(subset, fidelity, seed)
        if known is None:
            known = self._scores[self.signature(subset, fidelity, seed)] = self.evaluator(subset, fidelity, seed, look)
        return known


def own_evaluator(measure: Measure, targets: Sequence[str], needed: Sequence[str]) -> Cached | CachedInMemory:
    """The evaluator around a user's callable. One with a `signature` of its own is cached on disk, others in memory:
    the same name may stand for other code tomorrow.
    """
    own = CallableEvaluator(measure, targets, needed)
    if hasattr(measure, "signature"):
        return Cached(SingleLanguageScores(own))
    return CachedInMemory(SingleLanguageScores(own, CachedInMemory(own)))


def name_of(measure: Measure) -> str:
    """The name of a function, or of an object's class: by it a study knows what it was measured with."""
    kind = measure if hasattr(measure, "__qualname__") else type(measure)
    return f"{kind.__module__}.{kind.__qualname__}"


def code_of(measure: Measure) -> str:
    """What changes with the code of a function, or of an object's `__call__`; "" where there is none to see.

    Text and names in it count, comments do not, nor does what it calls. An object with a `signature` says it there.
    """
    code = getattr(measure, "__code__", None) or getattr(type(measure).__call__, "__code__", None)
    if code is None or hasattr(measure, "signature"):
        return ""
    version = ".".join(map(str, sys.version_info[:2]))  # another one compiles the same text to other code
    return f"{version}:{hashlib.sha256(repr(_parts(code)).encode()).hexdigest()[:16]}"


def _parts(code: CodeType) -> tuple[object, ...]:
    inner = tuple(_parts(each) if isinstance(each, CodeType) else repr(each) for each in code.co_consts)
    return code.co_code, code.co_names, inner


def scores_of(answer: object) -> dict[str, float]:
    """The score of each language, by code; InputError where there are none or one is not in [0, 1]."""
    given = answer.per_language if isinstance(answer, Score) else answer
    if not isinstance(given, Mapping) or not given:
        raise InputError(f"the evaluator answered {type(answer).__name__}, without scores of languages", HINT)
    found = {}
    for code, value in by_code(given).items():
        number = math.nan if isinstance(value, bool | str) else float(value)
        if not math.isfinite(number) or not 0 <= number <= 1:
            raise InputError(f"the evaluator gives {code} the score {value}", HINT)
        found[code] = number
    return found


def by_code(given: Mapping[str, Value]) -> dict[str, Value]:
    """The same with codes of ours as keys, sorted."""
    return {language.code: value for language, value in sorted(by_language(given).items())}


def _whole(value: float) -> Tally:
    """One unit that is the same in every resampling: what varies is the seed alone."""
    return Tally((round(value * WHOLE),), (WHOLE,))
