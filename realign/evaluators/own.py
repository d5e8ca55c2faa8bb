"""A user's evaluator: any callable (subset, fidelity, seed) that returns a `Score` or a score per language.

`CallableEvaluator` adds what the search expects of an evaluator: a signature, ISO 639-3 codes, and no languages other
than those that may be seen.
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
from selector.languages.conversion import keyed_by_language
from selector.languages.subset import Subset

Answer = Score | Mapping[str, float]
Measure = Callable[[Subset, Fidelity, int], Answer]  # the seed is the last
Value = TypeVar("Value")
WHOLE = 10**9  # units of a tally for a score without known sentences
HINT = "answer with a Score, or with a mapping from language codes to scores in [0, 1]"


class CallableEvaluator:
    """An `Evaluator` around a user's callable. There are no looks in the middle of a run."""

    def __init__(self, measure: Measure, targets: Sequence[str], needed: Sequence[str]) -> None:
        """From the scores that `measure` returns those of the codes `targets` are passed on; the codes `needed` must be
        among them.
        """
        self.measure, self.targets, self.needed = measure, tuple(targets), tuple(needed)

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        """Signature of the score of `subset` at `fidelity` and `seed`.

        It is made of the callable's own `signature(subset, fidelity, seed)` if it has one, else of its name.
        """
        own = getattr(self.measure, "signature", None)
        facts = {"evaluator": name_of(self.measure) if own is None else own(subset, fidelity, seed)}
        return sign({**facts, "targets": self.targets}, subset, fidelity, seed)

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
        """Score that the callable returns. InputError: it is no score, lacks a language, or is outside [0, 1]."""
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
    """Evaluator that remembers scores in memory, for callables whose signature is too weak for a cache on disk."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._scores: dict[str, Score] = {}

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        return self.evaluator.signature(subset, fidelity, seed)

    def cached_score(self, subset: Subset, fidelity: Fidelity, seed: int) -> Score | None:
        """Score of an earlier call with the same `subset`, `fidelity` and `seed`; None if there was none."""
        return self._scores.get(self.signature(subset, fidelity, seed))

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
        known = self.cached_score(subset, fidelity, seed)
        if known is None:
            known = self._scores[self.signature(subset, fidelity, seed)] = self.evaluator(subset, fidelity, seed, look)
        return known


def own_evaluator(measure: Measure, targets: Sequence[str], needed: Sequence[str]) -> Cached | CachedInMemory:
    """Evaluator around the user's callable `measure`, for the codes `targets`, with the codes `needed` required.

    A callable with a `signature` of its own is cached on disk, others in memory: the same name may stand for other code
    tomorrow.
    """
    own = CallableEvaluator(measure, targets, needed)
    if hasattr(measure, "signature"):
        return Cached(SingleLanguageScores(own))
    return CachedInMemory(SingleLanguageScores(own, CachedInMemory(own)))


def name_of(measure: Measure) -> str:
    """Name of the function `measure`, or of its class: a study records it to know what it was measured with."""
    kind = measure if hasattr(measure, "__qualname__") else type(measure)
    return f"{kind.__module__}.{kind.__qualname__}"


def code_signature(measure: Measure) -> str:
    """Text that changes with the code of `measure` (a function, or an object's `__call__`); "" where no code can be
    seen.

    Text and names in it count, comments do not, nor does the code that it calls. An object with a `signature` tells it
    there.
    """
    code = getattr(measure, "__code__", None) or getattr(type(measure).__call__, "__code__", None)
    if code is None or hasattr(measure, "signature"):
        return ""
    version = ".".join(map(str, sys.version_info[:2]))  # another version compiles the same text to other code
    return f"{version}:{hashlib.sha256(repr(_parts(code)).encode()).hexdigest()[:16]}"


def _parts(code: CodeType) -> tuple[object, ...]:
    inner = tuple(_parts(each) if isinstance(each, CodeType) else repr(each) for each in code.co_consts)
    return code.co_code, code.co_names, inner


def scores_of(answer: object) -> dict[str, float]:
    """Score of each language in `answer`, by code. InputError: there are none, or one is not in [0, 1]."""
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
    """Copy of `given` with ISO 639-3 codes as keys, sorted. InputError: a key is no language."""
    return {language.code: value for language, value in sorted(keyed_by_language(given).items())}


def _whole(value: float) -> Tally:
    """Tally of one unit that is the same in every resampling: only the seed makes it vary."""
    return Tally((round(value * WHOLE),), (WHOLE,))
