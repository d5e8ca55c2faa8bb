"""The rows of a confirmation side by side: means, differences to the baselines with p-values, regressions. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realign.score import Score
from search.backends.batch import Wanted
from search.config.study_config import StudyConfig
from search.confirmation.measured import Measured, measure, regressions
from search.confirmation.significance import Estimate, holm
from search.results.confirmation import SCHEMA as SCHEMA
from selector.errors import InputError
from selector.languages.language import Pool
from selector.languages.subset import Subset

BASELINES = ("all", "none", "random-k")


@dataclass(frozen=True)
class Row:
    """What is measured under one name: a subset on every seed, or another subset on every seed (random draws)."""

    name: str
    subsets: tuple[tuple[Subset, ...], ...]  # [n_seeds][replicates]

    @property
    def subset(self) -> Subset | None:
        """The one subset of the row; None for random draws."""
        return self.subsets[0][0] if len({subset for each in self.subsets for subset in each}) == 1 else None

    def wanted(self, fresh: Sequence[int]) -> list[list[Wanted]]:
        """What to measure, [n_seeds][replicates]."""
        pairs = zip(fresh, self.subsets, strict=True)
        return [[(subset, seed) for subset in subsets] for seed, subsets in pairs]


def check_schema(document: Mapping[str, Any], file: Path) -> None:
    """InputError where confirm.json is of another version: the p-values of schema 1 did not keep their level."""
    if document.get("schema", 1) == SCHEMA:
        return
    message = f"{file} is of schema {document.get('schema', 1)}, this version reads {SCHEMA}"
    if document.get("schema", 1) == 1:
        message += ": its p-values were made by a method that called too much significant"
    raise InputError(message, "run 'realingo confirm STUDY.toml' again, or remove the file")


def method(seeds: int) -> str:
    """How the intervals and p-values are made, in words for reports."""
    if seeds == 1:
        return "Student's t over sentences alone, as there is one seed; 95 % intervals, p after Holm"
    return (
        "Student's t over paired seeds and over sentences, half-widths added as squares (Banerjee 1960), "
        "95 % intervals, p after Holm"
    )


def table(
    config: StudyConfig, rows: Sequence[Row], scores: Mapping[str, Sequence[Sequence[Score]]]
) -> list[dict[str, Any]]:
    """One entry a row, as confirm.json has them; `scores` holds those of each row, [n_seeds][replicates]."""
    measured = {row.name: measure(scores[row.name]) for row in rows}
    differences = {
        (row.name, baseline): measured[row.name] - measured[_rival(row, baseline, measured)]
        for row in rows
        for baseline in BASELINES
        if row.name != baseline
    }
    tune = _codes(config.tune)
    single = {pair: difference.estimate(tune).p for pair, difference in differences.items()}
    corrected = _corrected(single)
    entries = []
    for row in rows:
        entry = _entry(config, row, measured[row.name], scores[row.name])
        for baseline in BASELINES:
            pair = row.name, baseline
            if pair in differences:
                versus = _versus(config, row, differences[pair])
                chance = {"p": corrected[pair], "p_before_holm": single[pair]}
                entry[f"vs_{baseline.removesuffix('-k')}"] = {**versus, **chance}
        worse = regressions(measured[row.name], measured["none"]) if row.name != "none" else []
        entries.append({**entry, "regressions": worse})
    return entries


def _rival(row: Row, baseline: str, names: Collection[str]) -> str:
    """The row that stands for a baseline: of random subsets those of the row's own size, where they were drawn."""
    own = f"random-{len(row.subset)}" if row.subset is not None else baseline
    return own if baseline == "random-k" and own in names else baseline


def cell(measured: Measured, codes: Sequence[str]) -> dict[str, Any]:
    """Mean with its interval, which ends where scores end."""
    return {"mean": measured.mean(codes), "ci95": _span(measured.estimate(codes), 0.0)}


def difference_cell(difference: Measured, codes: Sequence[str]) -> dict[str, Any]:
    """Difference of two rows with its interval."""
    return {"difference": difference.mean(codes), "ci95": _span(difference.estimate(codes), -1.0)}


def _span(estimate: Estimate, least: float) -> list[float]:
    low, high = estimate.interval()
    return [max(least, low), min(1.0, high)]


def _entry(config: StudyConfig, row: Row, measured: Measured, scores: Sequence[Sequence[Score]]) -> dict[str, Any]:
    tune = _codes(config.tune)
    draws = [list(subset.codes) for each in row.subsets for subset in each]
    signatures = "+".join(score.signature for each in scores for score in each)
    entry = {
        "name": row.name,
        "languages": list(row.subset.codes) if row.subset is not None else [],
        **({"draws": draws} if row.subset is None else {}),
        **cell(measured, tune),
        "std": measured.std(tune),
        "seeds": len(row.subsets),
        "cost": config.space.cost(row.subset) if row.subset is not None else None,
        "per_language": measured.per_language,
        "signature": hashlib.sha256(signatures.encode()).hexdigest()[:24],
    }
    groups = {"held_out": _codes(config.held_out)}
    if row.subset is not None:
        groups["members"] = [code for code in tune if code in row.subset.codes]
        groups["non_members"] = [code for code in tune if code not in row.subset.codes]
    return {**entry, **{name: cell(measured, codes) if codes else None for name, codes in groups.items()}}


def _versus(config: StudyConfig, row: Row, difference: Measured) -> dict[str, Any]:
    """Difference to a baseline: over the targets, and apart for languages inside, outside, and held out.

    Standard errors are said for each source of noise, so that other tests can be made of them.
    """
    tune = _codes(config.tune)
    inside = set(row.subset.codes) if row.subset is not None else set()
    groups = {
        "members": [code for code in tune if code in inside],
        "non_members": [code for code in tune if code not in inside] if inside else [],
        "held_out": _codes(config.held_out),
    }
    noise = {"seeds": difference.noise_of_seeds(tune), "sentences": difference.noise_of_sentences(tune)}
    errors = {
        name: {"standard_error": part[0].variance ** 0.5, "degrees": part[0].degrees} if part else None
        for name, part in noise.items()
    }
    parts = {name: difference_cell(difference, codes) for name, codes in groups.items() if codes}
    return {**difference_cell(difference, tune), "noise": errors, **parts}


def _corrected(p: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """p of each row against each baseline. Holm over what is claimed (chosen rows), and apart over the baselines."""
    families: list[dict[str, float]] = [{}, {}]
    for (name, baseline), value in p.items():
        families[name in BASELINES or name.startswith("random-")][f"{name}|{baseline}"] = value
    corrected = {**holm(families[0]), **holm(families[1])}
    return {pair: corrected["|".join(pair)] for pair in p}


def _codes(languages: Pool) -> list[str]:
    return [language.code for language in languages]
