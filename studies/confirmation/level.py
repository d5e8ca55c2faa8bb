"""How often does a test call a difference real where there is none? Level, power and coverage, by simulation.

    OMP_NUM_THREADS=1 python studies/confirmation/level.py --workers 2      # writes results.json and tables.md

Every simulated confirmation draws, for two rows with the same true mean, the correct units of each sentence of each
language under each seed, and asks every method whether they differ.

Notations
    C   confirmations      s   seeds      L   languages      n   sentences of a language (the most, where they differ)
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from search.confirmation.significance import NoiseVariance, half_width

Array = NDArray[np.float64]
HERE = Path(__file__).parent
LEVELS = (0.05, 0.01, 0.002)
SEEDS = (3, 5, 10, 20)
EFFECTS = (1, 2, 3)  # true differences, in standard errors of the measured difference
DRAWS = 2_000  # of the bootstraps
CHOSEN = "chosen: Student's half-widths, squared and added"
FORMER = "former: bootstrap, seeds widened to Student's 95 %"


@dataclass(frozen=True)
class Scenario:
    """Standard deviations of what moves the two rows apart by chance; rates are in [0, 1]."""

    first: float = 0.0  # seeds of the first row, the same for all languages
    second: float = 0.0  # seeds of the second row
    each: float = 0.0  # seeds, for each language on its own
    sentences: float = 0.0  # a sentence suits one row better, whatever the seed
    parallel: float = 0.0  # share of that variance that a sentence has in common with its translations
    draws: float = 0.0  # of the subsets of which the second row is a mean: another one on each seed
    collapse: float = 0.0  # probability that a seed of the second row loses 30 points; its mean is put right
    heavy: bool = False  # seeds are t-distributed with 3 degrees of freedom
    rate: float = 0.5
    units: int = 10  # of a sentence
    lengths: tuple[int, ...] = (40, 40, 40, 40)  # sentences of each language


SCENARIOS = {
    "seeds": Scenario(first=0.05, second=0.05),
    "seeds, for each language": Scenario(each=0.10),
    "sentences": Scenario(sentences=0.35),
    "sentences, parallel": Scenario(sentences=0.35, parallel=1.0),
    "binomial noise alone": Scenario(),
    "seeds and sentences": Scenario(first=0.03, second=0.03, sentences=0.25),
    "seeds and sentences, parallel": Scenario(first=0.04, second=0.04, sentences=0.25, parallel=1.0),
    "random draws": Scenario(first=0.01, second=0.01, draws=0.08),
    "unequal variances": Scenario(first=0.005, second=0.06, sentences=0.10),
    "few sentences, low rate": Scenario(first=0.02, second=0.02, sentences=0.05, rate=0.12, units=1, lengths=(12,) * 4),
    "lengths differ": Scenario(first=0.02, second=0.02, sentences=0.25, lengths=(40, 40, 20, 10)),
    "heavy tails of seeds": Scenario(first=0.03, second=0.03, heavy=True),
    "seeds of one row collapse": Scenario(first=0.01, second=0.01, collapse=0.1),
}
OUTSIDE = ("seeds of one row collapse",)  # skew that no test on a handful of seeds can know


@dataclass(frozen=True)
class Measured:
    """What the methods see of C confirmations."""

    by_seed: Array  # difference of the rows on each seed, (C, s)
    by_sentence: Array  # what leaving out a sentence of a language says, mean over the seeds, (C, L, n)
    interaction: Array  # variance of the mean that comes of the luck of a seed with a sentence, (C,)
    least: int  # sentences of the shortest language

    @property
    def difference(self) -> Array:
        return np.asarray(self.by_seed.mean(axis=1))

    @property
    def seeds(self) -> Array:
        """Variance of the mean between seeds, (C,)."""
        return np.asarray(self.by_seed.var(axis=1, ddof=1) / self.by_seed.shape[1])

    def sentences(self, parallel: bool = True) -> Array:
        """Variance of the mean between sentences; `parallel`: the j-th sentences of all languages are one, (C,)."""
        languages = self.by_sentence.shape[1]
        parts = self.by_sentence.sum(axis=1) if parallel else self.by_sentence.reshape(len(self.by_sentence), -1)
        return np.asarray((parts**2).sum(axis=1) / languages**2)


def simulated(rng: Generator, scenario: Scenario, count: int, s: int) -> Measured:
    """`count` confirmations with no true difference."""
    rates = _rates(rng, scenario, count, s, scenario.first, False)
    rates -= _rates(rng, scenario, count, s, scenario.second, True)
    lengths = np.array(scenario.lengths)
    there = np.arange(rates.shape[3]) < lengths[:, None]  # (L, n)
    rates *= there
    means = rates.sum(axis=3) / lengths  # (C, s, L)
    apart = (rates - means[..., None]) * there / np.sqrt(lengths * (lengths - 1))[:, None]
    summed = apart.mean(axis=2)  # (C, s, n)
    luck = ((summed - summed.mean(axis=1, keepdims=True)) ** 2).sum(axis=(1, 2)) / (s * (s - 1))
    return Measured(means.mean(axis=2), apart.mean(axis=1), luck, int(lengths.min()))


def _rates(rng: Generator, scenario: Scenario, count: int, s: int, seeds: float, second: bool) -> Array:
    """Share of correct units of a row, (C, s, L, n)."""
    languages, n = len(scenario.lengths), max(scenario.lengths)
    noise = rng.standard_t(3, (count, s)) if scenario.heavy else rng.normal(size=(count, s))
    shift = seeds * noise
    if second:
        shift = shift + scenario.draws * rng.normal(size=(count, s))
        shift -= 0.3 * ((rng.random((count, s)) < scenario.collapse) - scenario.collapse)
    own = scenario.each * rng.normal(size=(count, s, languages))
    common = np.sqrt(scenario.parallel) * rng.normal(size=(count, 1, 1, n))
    apart = np.sqrt(1 - scenario.parallel) * rng.normal(size=(count, 1, languages, n))
    true = scenario.rate + shift[:, :, None, None] + own[..., None] + scenario.sentences * (common + apart)
    return np.asarray(rng.binomial(scenario.units, np.clip(true, 0, 1)) / scenario.units)


Reject = Callable[[float, Array], NDArray[np.bool_]]  # (nominal level, difference) → called real


def by_half_width(half: Callable[[float], Array]) -> Reject:
    return lambda level, difference: np.abs(difference) > half(level)


def methods(rng: Generator, m: Measured) -> Mapping[str, Reject]:
    """Every method, given what it may see. p of a bootstrap is read off for each difference."""
    s = m.by_seed.shape[1]
    seeds, sentences, free = m.seeds, m.sentences(), np.maximum(m.sentences() - m.interaction, 0)

    def student(degrees: float | Array, level: float) -> Array:
        return np.asarray(stdtrit(degrees, 1 - level / 2))

    def added(sentences: Array) -> Reject:
        noise = (NoiseVariance(seeds, s - 1), NoiseVariance(sentences, m.least - 1))  # type: ignore[arg-type]
        return by_half_width(lambda level: np.asarray(half_width(noise, level)))

    def satterthwaite(level: float) -> Array:
        parts = seeds**2 / (s - 1) + sentences**2 / (m.least - 1)
        return student((seeds + sentences) ** 2 / np.maximum(parts, 1e-300), level) * np.sqrt(seeds + sentences)

    def cochran(level: float) -> Array:
        weighted = student(s - 1, level) * seeds + student(m.least - 1, level) * sentences
        return np.asarray(weighted / np.sqrt(np.maximum(seeds + sentences, 1e-300)))

    return {
        FORMER: former(rng, m),
        CHOSEN: added(sentences),
        "the same, interaction of seeds and sentences taken out": added(free),
        "the same, sentences of each language drawn apart": added(m.sentences(parallel=False)),
        "Student's t over seeds alone": by_half_width(lambda level: student(s - 1, level) * np.sqrt(seeds)),
        "variances added, Satterthwaite's degrees of freedom": by_half_width(satterthwaite),
        "variances added, degrees of freedom of the seeds": by_half_width(
            lambda level: student(s - 1, level) * np.sqrt(seeds + sentences)
        ),
        "Cochran's weighted quantile": by_half_width(cochran),
        "t-smoothed bootstrap": t_smoothed(m),
        "studentized bootstrap": studentized(rng, m),
    }


def former(rng: Generator, m: Measured) -> Reject:
    """The method of schema 1 of confirm.json: sentences and seeds drawn again, the deviations of seeds widened."""
    s, n = m.by_seed.shape[1], m.by_sentence.shape[2]
    moved = np.zeros((DRAWS, len(m.by_seed)), dtype=np.float32)
    for language in m.by_sentence.transpose(1, 2, 0).astype(np.float32):  # (n, C)
        moved += _weights(rng, n) @ language / m.by_sentence.shape[1]
    widened = np.sqrt(s / (s - 1)) * stdtrit(s - 1, 0.975) / 1.959964
    away = (m.by_seed - m.by_seed.mean(axis=1, keepdims=True)).T.astype(np.float32)
    moved += (_weights(rng, s) / s) @ away * np.float32(widened)

    def reject(level: float, difference: Array) -> NDArray[np.bool_]:
        side = np.minimum((moved <= -difference).sum(axis=0), (moved >= -difference).sum(axis=0))
        return np.asarray(2 * (side + 1) / (DRAWS + 1) <= level)

    return reject


def _weights(rng: Generator, count: int) -> NDArray[np.float32]:
    return rng.multinomial(count, np.full(count, 1 / count), size=DRAWS).astype(np.float32)


def t_smoothed(m: Measured) -> Reject:
    """Seeds' part of a draw from Student's t, sentences' from a normal: the share of draws beyond, by quadrature."""
    nodes, weights = hermegauss(80)
    spread, degrees = np.sqrt(np.maximum(m.seeds, 1e-300)), m.by_seed.shape[1] - 1

    def reject(level: float, difference: Array) -> NDArray[np.bool_]:
        beyond = stdtr(degrees, -(np.abs(difference) - np.sqrt(m.sentences()) * nodes[:, None]) / spread)
        return np.asarray(2 * (weights[:, None] * beyond).sum(axis=0) / weights.sum() < level)

    return reject


def studentized(rng: Generator, m: Measured) -> Reject:
    """Bootstrap of the difference over its own standard error, which is estimated again in every draw."""
    s, sentences = m.by_seed.shape[1], m.sentences()
    away = m.by_seed - m.by_seed.mean(axis=1, keepdims=True)
    ratios = np.empty((DRAWS // 2, len(away)), dtype=np.float32)
    for draw in ratios:
        drawn = away[:, rng.integers(s, size=s)]
        error = np.sqrt(np.maximum(drawn.var(axis=1, ddof=1) / s + sentences, 1e-12))
        draw[:] = np.abs(drawn.mean(axis=1) + np.sqrt(sentences) * rng.normal(size=len(away))) / error

    def reject(level: float, difference: Array) -> NDArray[np.bool_]:
        ratio = np.abs(difference) / np.sqrt(np.maximum(m.seeds + sentences, 1e-12))
        return np.asarray(((ratios >= ratio).sum(axis=0) + 1) / (len(ratios) + 1) <= level)

    return reject


def cell(name: str, s: int, confirmations: int) -> dict[str, dict[str, list[float]]]:
    """Rejection rates of each method at each level: without a difference, and at each of `EFFECTS`."""
    rng = default_rng([list(SCENARIOS).index(name), s])
    size = 1000 if s > 5 else 2000
    error = simulated(rng, SCENARIOS[name], 4 * size, s).difference.std()
    counts: dict[str, NDArray[np.int64]] = {}
    for _ in range(-(-confirmations // size)):
        measured = simulated(rng, SCENARIOS[name], size, s)
        shifted = [measured.difference + effect * error for effect in (0, *EFFECTS)]
        for method, reject in methods(rng, measured).items():
            found = np.array([[reject(level, each).sum() for level in LEVELS] for each in shifted])
            counts[method] = counts.get(method, np.zeros_like(found)) + found
    total = -(-confirmations // size) * size
    return {
        method: {
            "level": (found[0] / total).round(5).tolist(),
            "coverage95": round(1 - float(found[0, 0] / total), 5),
            **{f"power at {e}": (found[i] / total).round(5).tolist() for i, e in enumerate(EFFECTS, start=1)},
        }
        for method, found in counts.items()
    }


def tables(results: Mapping[str, Mapping[str, Mapping[str, Mapping[str, list[float]]]]]) -> str:
    """Markdown: one table of a number of seeds and a method in a line, one column for a scenario."""
    lines = ["# Rejection rates in percent where the two rows do not differ, at 5 / 1 / 0.2 %", ""]
    for s in SEEDS:
        lines += [f"## {s} seeds", "", f"| | {' | '.join(results)} |", f"|---{'|---' * len(results)}|"]
        for method in next(iter(results.values()))[str(s)]:
            rates = [" / ".join(f"{100 * x:.2g}" for x in cells[str(s)][method]["level"]) for cells in results.values()]
            lines.append(f"| {method} | {' | '.join(rates)} |")
        lines.append("")
    lines += ["# Power in percent at 5 % (at 1 %), true difference of 1 / 2 / 3 standard errors", ""]
    for s in SEEDS:
        lines += [f"## {s} seeds", "", f"| | {' | '.join(results)} |", f"|---{'|---' * len(results)}|"]
        for method in next(iter(results.values()))[str(s)]:
            rates = [_power(cells[str(s)][method]) for cells in results.values()]
            lines.append(f"| {method} | {' | '.join(rates)} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _power(rates: Mapping[str, list[float]]) -> str:
    at = [[f"{100 * rates[f'power at {effect}'][i]:.0f}" for effect in EFFECTS] for i in (0, 1)]
    return f"{' / '.join(at[0])} ({' / '.join(at[1])})"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--confirmations", type=int, default=20_000)
    asked.add_argument("--workers", type=int, default=2)
    asked.add_argument("--scenarios", nargs="*", default=list(SCENARIOS))
    asked.add_argument("--output", type=Path, default=HERE)
    given = asked.parse_args()
    results: dict[str, dict[str, dict[str, dict[str, list[float]]]]] = {name: {} for name in given.scenarios}
    asked_for = [(name, s) for name in given.scenarios for s in SEEDS]
    with ProcessPoolExecutor(given.workers) as pool:
        done = pool.map(cell, *zip(*asked_for, strict=True), [given.confirmations] * len(asked_for))
        for (name, s), rates in zip(asked_for, done, strict=True):
            results[name][str(s)] = rates
            print(f"{name}, {s} seeds", flush=True)
    document = {
        "confirmations": given.confirmations,
        "levels": LEVELS,
        "scenarios": {name: asdict(SCENARIOS[name]) for name in given.scenarios},
        "results": results,
    }
    (given.output / "results.json").write_text(json.dumps(document) + "\n", encoding="utf-8")
    (given.output / "tables.md").write_text(tables(results), encoding="utf-8")


if __name__ == "__main__":
    main()
