"""A score as a file of the cache: its form, and the checks when it is read.

A file holds one JSON document, with the SHA-256 of the rest in it. It is valid if the hash agrees, every number is one
that a score can have, and mean, languages and tallies agree. A score from an invalid file is measured again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from realign.cache import write_text
from realign.score import Score, SourceScore, Tally

CHECKSUM = "sha256"
SLACK = 1e-6  # between a mean and its parts: some evaluators have single precision

log = logging.getLogger("realingo.cache")
_reported: set[Path] = set()  # files reported in this process
_unwritten: dict[Path, Score] = {}  # scores that could not be written: still measured only once in this process


def write_score(file: Path, score: Score) -> None:
    """Write `score` to `file`, completely or not at all.

    If that fails, one line says so, and the score is kept in memory.
    """
    if problem_of(score):
        return
    document = _document(score)
    try:
        write_text(file, json.dumps({**document, CHECKSUM: _checksum(document)}))
    except OSError as problem:
        _unwritten[file] = score
        what = f"the cache {file.parent.parent} cannot be written ({problem.strerror or problem})"
        _report(file.parent.parent, f"{what}: scores are kept in the study and in this process alone")


def read_score(file: Path, signature: str) -> Score | None:
    """Score in `file` with the `signature`; None where there is none, it is damaged, or an older version wrote it."""
    if file in _unwritten:
        return _unwritten[file]
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if CHECKSUM not in document:
            return None
        score = _score(document, signature)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as problem:
        _report(file, f"the cached score {file} is not valid ({problem or type(problem).__name__}): measured again")
        return None
    return score


def problem_of(score: Score) -> str:
    """Reason why `score` is impossible; empty if it is sound."""
    values = score.per_language
    numbers = [score.value, *values.values(), *(value for seen in score.course or () for value in seen.values())]
    if score.source_score is not None:
        numbers += [score.source_score.value, score.source_score.constant]
    if not all(math.isfinite(number) and 0 <= number <= 1 for number in numbers):
        return "a number outside [0, 1]"
    if values and abs(score.value - sum(values.values()) / len(values)) > SLACK:
        return "a mean that is not that of its languages"
    if any(seen.keys() != values.keys() for seen in score.course or ()):
        return "a look at other languages"
    if score.tallies and score.tallies.keys() != values.keys():
        return "tallies of other languages"
    if not all(map(_possible, score.tallies.values())):
        return "an impossible tally"
    if any(abs(tally.value - values[code]) > SLACK for code, tally in score.tallies.items()):
        return "a tally that is not that of its language"
    return "" if math.isfinite(score.seconds) and score.seconds >= 0 else "an impossible time"


def _possible(tally: Tally) -> bool:
    pairs = zip(tally.correct, tally.total, strict=False)
    return len(tally.correct) == len(tally.total) and all(0 <= right <= whole for right, whole in pairs)


def _document(score: Score) -> dict[str, Any]:
    tallies = {code: [tally.correct, tally.total] for code, tally in score.tallies.items()}
    return {
        "signature": score.signature,
        "value": score.value,
        "per_language": dict(score.per_language),
        "tallies": tallies,
        "seconds": score.seconds,
        **({} if score.course is None else {"course": [dict(seen) for seen in score.course]}),
        **({} if score.source_score is None else {"source_score": asdict(score.source_score)}),
    }


def _checksum(document: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in document.items() if key != CHECKSUM}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _score(document: Mapping[str, Any], signature: str) -> Score:
    """Score in a document. ValueError says what is wrong."""
    if document[CHECKSUM] != _checksum(document):
        raise ValueError("its checksum differs")
    if document["signature"] != signature:
        raise ValueError("it is of another evaluation")
    tallies = {code: Tally(_counts(right), _counts(whole)) for code, (right, whole) in document["tallies"].items()}
    course = tuple(_shares(seen) for seen in document["course"]) if "course" in document else None
    seconds = float(document["seconds"])
    source = SourceScore(**document["source_score"]) if "source_score" in document else None
    shares = _shares(document["per_language"])
    score = Score(float(document["value"]), shares, signature, tallies, seconds, course, source)
    if problem := problem_of(score):
        raise ValueError(problem)
    return score


def _shares(values: Mapping[str, Any]) -> dict[str, float]:
    return {code: float(value) for code, value in values.items()}


def _counts(values: Iterable[Any]) -> tuple[int, ...]:
    return tuple(map(int, values))


def _report(about: Path, line: str) -> None:
    if about not in _reported:
        _reported.add(about)
        log.warning("%s", line)
