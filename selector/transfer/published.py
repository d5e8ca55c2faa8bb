"""Published results of realigning on many lists of languages: those of arXiv 2511.06497 and tables of the same form."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.distances.user_matrix import COMMAS, other_separator
from selector.errors import InputError
from selector.languages.language import Language, parse

Array = NDArray[np.float64]
Draws = tuple[tuple[Language, ...], ...]  # the subset that each seed used; one where all used the same

TASKS = ("pos", "ner", "xnli", "americasnli")
SEEDS = 4  # behind every published mean
BASELINE = "baseline"  # the strategy that realigns on nothing
_FORM = "the table has the columns strategy, language, mean, std, with one row 'baseline' per language"


@dataclass(frozen=True)
class PublishedResults:
    """Scores of L lists on T targets, in percent."""

    names: tuple[tuple[str, ...], ...]  # [L], every name of a list that was published under several
    lists: tuple[Draws, ...]  # [L], no two alike
    targets: tuple[Language, ...]  # [T], sorted
    gain: Array  # [L, T], score less the score without realignment
    variance: Array  # [L, T], of the mean over the seeds
    baseline: Array  # [T], the score without realignment

    @property
    def single(self) -> NDArray[np.bool_]:
        """True where all draws of a list are one subset, [L]."""
        return np.array([len(draws) == 1 for draws in self.lists])

    @property
    def sizes(self) -> NDArray[np.intp]:
        """Number of languages of each list, [L]."""
        return np.array([len(draws[0]) for draws in self.lists])

    def only(self, keep: NDArray[np.intp]) -> PublishedResults:
        """Results of the lists with the indices `keep`."""
        names, lists = tuple(self.names[i] for i in keep), tuple(self.lists[i] for i in keep)
        return PublishedResults(names, lists, self.targets, self.gain[keep], self.variance[keep], self.baseline)


@cache
def load_published(task: str, source: str = "eng") -> PublishedResults:
    """Published results of XLM-R-base on `task`, one of `TASKS`; the language `source` is no target."""
    rows = list(csv.reader(_lines(f"published-{task}.csv")))
    codes, cells = rows[0][1:], {row[0]: [cell.split("±") for cell in row[1:]] for row in rows[1:]}
    scores = {
        name: {code: float(cell[0]) for code, cell in zip(codes, row, strict=True)} for name, row in cells.items()
    }
    stds = {name: {code: float(cell[1]) for code, cell in zip(codes, row, strict=True)} for name, row in cells.items()}
    return _merge_equal(scores, stds, _published_lists(), source)


def lists_without_results() -> dict[tuple[str, ...], Draws]:
    """Published lists without results, in the form of `PublishedResults`: names → draws."""
    measured = {name for names in load_published("pos").names for name in names}
    return {(name,): draws for name, draws in _published_lists().items() if name not in measured}


@cache
def _published_lists() -> dict[str, Draws]:
    return {
        row["strategy"]: tuple(tuple(parse(code) for code in draw.split()) for draw in row["languages"].split("|"))
        for row in csv.DictReader(_lines("published-lists.csv"))
    }


def read(results: str, subsets: str, codes: str | None = None, source: str = "eng") -> PublishedResults:
    """Results of a user. `results`: CSV with strategy, language, mean, std; `subsets`: JSON with strategy → languages.

    `codes`: JSON with printed name → code, where the printed names are no usual codes. Strategies without a list are
    left out. InputError: a file cannot be read, with the line where it has one.
    """
    known = {} if codes is None else _object(codes)

    def language(name: str) -> Language:
        given = known.get(name, name)
        if not isinstance(given, str):
            raise InputError(f"'{codes}': {name} is not a code", "the file maps printed names to language codes")
        return parse(given)

    scores, stds = _table(results, language)
    members = {name: (_members(subsets, name, given, language),) for name, given in _object(subsets).items()}
    if BASELINE not in scores:
        raise InputError(f"'{results}' has no strategy '{BASELINE}'", _FORM)
    if not set(scores) & set(members):
        raise InputError(f"no strategy of '{results}' has a list in '{subsets}'", "name them the same in both")
    for name in {BASELINE, *members} & set(scores):
        if set(scores[name]) != set(scores[BASELINE]):
            code = min(set(scores[name]) ^ set(scores[BASELINE]))
            raise InputError(
                f"'{results}': {name} and {BASELINE} differ in {code}", "give every strategy every language"
            )
    return _merge_equal(scores, stds, members, source)


def _merge_equal(
    scores: Mapping[str, Mapping[str, float]],
    stds: Mapping[str, Mapping[str, float]],
    lists: Mapping[str, Draws],
    source: str,
) -> PublishedResults:
    """Results with equal lists merged: the mean of their measurements.

    Equal rows are one measurement that was printed twice.
    """
    targets = tuple(sorted(parse(code) for code in scores[BASELINE] if code != source))
    if not targets:
        raise InputError("the table has no language besides the source", "score at least one target")
    base = np.array([scores[BASELINE][language.code] for language in targets])
    same: dict[Draws, list[str]] = {}
    for name in sorted(set(scores) & set(lists) - {BASELINE}):
        same.setdefault(tuple(tuple(sorted(set(draw))) for draw in lists[name]), []).append(name)
    typical = np.mean([[row[x.code] ** 2 for x in targets] for name, row in stds.items() if name in lists], axis=0)
    gain, variance = np.zeros((len(same), len(targets))), np.zeros((len(same), len(targets)))
    for i, names in enumerate(same.values()):
        runs = np.unique([[scores[name][x.code] for x in targets] for name in names], axis=0)  # (runs, T)
        gain[i] = runs.mean(axis=0) - base
        variance[i] = typical / SEEDS / len(runs)
    floor = 0.3 * float(np.median(variance)) or 1e-4  # four seeds that happen to agree are not certain
    return PublishedResults(
        tuple(tuple(names) for names in same.values()), tuple(same), targets, gain, np.maximum(variance, floor), base
    )


def _lines(name: str) -> list[str]:
    text = (resources.files("selector") / "data" / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


def _table(path: str, language: Any) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Means and standard deviations by strategy and code."""
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            if not {"strategy", "language", "mean", "std"} <= set(reader.fieldnames or ()):
                other = other_separator([(1, list(reader.fieldnames or ()))])
                raise InputError(f"'{path}' lacks a column", COMMAS if other else _FORM)
            rows = [(reader.line_num, row) for row in reader]
    except OSError as problem:
        raise InputError(f"cannot read '{path}': {problem.strerror}", "check the path") from None
    except (UnicodeDecodeError, csv.Error) as problem:
        raise InputError(f"'{path}' is not a CSV file: {problem}", _FORM) from None
    means: dict[str, dict[str, float]] = {}
    stds: dict[str, dict[str, float]] = {}
    for line, row in rows:
        strategy, code = row["strategy"], _code(path, line, row["language"], language)
        if code in means.get(strategy, {}):
            raise InputError(f"'{path}', line {line}: {strategy} has {code} twice", _FORM)
        means.setdefault(strategy, {})[code] = _number(path, line, row["mean"], -math.inf)
        stds.setdefault(strategy, {})[code] = _number(path, line, row["std"], 0.0)
    return means, stds


def _code(path: str, line: int, name: str | None, language: Any) -> str:
    try:
        return str(language(name or "").code)
    except InputError as problem:
        raise InputError(f"'{path}', line {line}: {problem.message}", problem.hint) from None


def _number(path: str, line: int, cell: str | None, least: float) -> float:
    try:
        value = float(cell or "")
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= least):
        raise InputError(
            f"'{path}', line {line}: '{cell or ''}' is not a score", "means and deviations are plain numbers"
        )
    return value


def _object(path: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as problem:
        raise InputError(f"cannot read '{path}': {problem.strerror}", "check the path") from None
    except (ValueError, RecursionError) as problem:
        raise InputError(f"'{path}' is not a JSON file: {problem}", "give one JSON object") from None
    if not isinstance(found, dict):
        raise InputError(f"'{path}' is not a JSON object", "give one object with a name for every entry")
    return found


def _members(path: str, name: str, given: Any, language: Any) -> tuple[Language, ...]:
    if not isinstance(given, list) or not given or not all(isinstance(item, str) for item in given):
        raise InputError(f"'{path}': {name} is not a list of languages", "each strategy has a list of codes")
    members: Iterable[Language] = (language(item) for item in given)
    return tuple(sorted(set(members)))
