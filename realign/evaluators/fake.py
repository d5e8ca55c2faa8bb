"""An evaluator without an encoder: a closed-form truth with a known optimum, and seeded noise on top.

For rehearsing a study file in seconds, and for every test of what stands on evaluators. It answers with the same
per-sentence tallies as the real one: the same sentences are hard for every subset, so paired tests have something to
pair. No torch.

Notations
    n   pool languages          S   the subset, |S| = k          t   a target language
    a   similarity of latent points, (n_targets, n) in (0, 1]
    q   quality of each pool language, (n,)                      J   sparse pairwise interactions, (n, n)
    truth_t(S) = b_t + 0.25 · max_{i∈S} a_ti + 0.05 · Σ_{i∈S} q_i / √k + Σ_{i<j∈S} J_ij / k,  within [0.02, 0.98]
    truth_t(∅) = b_t.  Divided by √k and k, since the budget is shared: more languages are not simply better
"""

from __future__ import annotations

import hashlib
import itertools
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from realign.score import Fidelity, Look, Score, Tally, show_look, sign
from realign.section import Range, Section, setting
from selector.errors import InputError
from selector.languages.conversion import Languages, as_ordered_pool
from selector.languages.subset import Subset

LATENT_DIMENSIONS = 3
TOKENS = 20  # units of every sentence
LOOKS = (0.5, 0.75)  # of the time a run takes; the gain over no realignment grows in proportion
SPREAD = 0.06  # about the standard deviation of truth over random subsets of 4 of 12: the unit of `noise`
LARGEST_BRUTE_FORCE = 200_000  # subsets


@dataclass(frozen=True)
class Terms(Section):
    """Settings that make one fake world differ from another."""

    noise: Annotated[float, Range(ge=0, le=10)] = setting(
        0.5, "Standard deviation between seeds, in units of the spread over random subsets."
    )
    seconds: Annotated[float, Range(ge=0, le=3600)] = setting(0.0, "Seconds that one evaluation takes.")
    world: int = setting(0, "Seed of the closed-form truth.")

    @property
    def facts(self) -> dict[str, float]:
        return {each.name: getattr(self, each.name) for each in fields(Terms)}


class FakeEvaluator:
    """`Evaluator` over a seeded set function; `truth` and `optimum` give what a search should find."""

    def __init__(self, pool: Languages, targets: Languages, terms: Terms | None = None, split: str = "dev") -> None:
        """`pool` and `targets` may overlap; `split` picks the sentences, so "dev" and "test" differ in their noise.

        Languages may be codes or names.
        """
        self.pool = pool = as_ordered_pool(pool)
        self.targets = targets = as_ordered_pool(targets)
        self.terms = terms or Terms()
        self.split = split
        place = {language.code: self._point(language.code) for language in (*pool, *targets)}
        self._quality = np.array([place[language.code][-1] for language in pool])  # (n,)
        here = np.array([place[language.code][:-1] for language in targets])  # (n_targets, d)
        there = np.array([place[language.code][:-1] for language in pool])  # (n, d)
        distance = np.linalg.norm(here[:, None, :] - there[None, :, :], axis=2)  # (n_targets, n)
        self._similarity = np.exp(-distance)
        self._base: NDArray[np.float64] = 0.3 + 0.1 * np.tanh(here[:, 0])  # (n_targets,)
        self._interaction = self._interactions()  # (n, n), symmetric

    def truth(self, subset: Subset) -> dict[str, float]:
        """Noise-free score of each target language for `subset`, in [0.02, 0.98]."""
        indices = self._indices(subset)
        values = self._truth(indices)
        return {language.code: float(value) for language, value in zip(self.targets, values, strict=True)}

    def optimum(self, k: int) -> tuple[Subset, float]:
        """The subset of size `k` with the best mean truth, and that mean, by brute force; InputError if too many."""
        if math.comb(len(self.pool), k) > LARGEST_BRUTE_FORCE:
            raise InputError(f"too many subsets of {k} of {len(self.pool)} languages", "use a smaller pool")
        every = itertools.combinations(range(len(self.pool)), k)
        best = max(every, key=lambda indices: float(self._truth(list(indices)).mean()))
        return Subset.of(self.pool[index] for index in best), float(self._truth(list(best)).mean())

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        targets = [language.code for language in self.targets]
        pool = [language.code for language in self.pool]
        facts = {"evaluator": "fake-1", **self.terms.facts, "pool": pool, "targets": targets, "split": self.split}
        del facts["seconds"]
        return sign(facts, subset, fidelity, seed)

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
        started = time.perf_counter()
        indices = self._indices(subset)
        rng = _generator("run", str(self.terms.world), subset.key, str(seed))
        shift = self.terms.noise * SPREAD * (rng.normal() + 0.5 * rng.normal(size=len(self.targets)))  # (n_targets,)
        accuracy = np.clip(self._truth(indices) + shift, 0.02, 0.98)
        tallies = {
            language.code: self._tally(language.code, value, fidelity.examples, rng)
            for language, value in zip(self.targets, accuracy, strict=True)
        }
        scores = {code: tally.value for code, tally in tallies.items()}
        mean = sum(scores.values()) / len(scores)
        signature = self.signature(subset, fidelity, seed)
        course = self._course(scores, signature, look) if look else None
        time.sleep(self.terms.seconds * (1.0 if course is None else 1.0 - LOOKS[-1]))
        return Score(mean, scores, signature, tallies, time.perf_counter() - started, course)

    def _course(self, scores: Mapping[str, float], signature: str, look: Look) -> tuple[Mapping[str, float], ...]:
        """Scores at the looks."""
        start = {language.code: float(value) for language, value in zip(self.targets, self._base, strict=True)}
        course, before = list[Mapping[str, float]](), 0.0
        for share in LOOKS:
            time.sleep(self.terms.seconds * (share - before))
            before = share
            course.append({code: start[code] + share * (value - start[code]) for code, value in scores.items()})
            show_look(look, len(course), course[-1], signature, self.terms.seconds * share)
        return tuple(course)

    def _truth(self, indices: list[int]) -> NDArray[np.float64]:
        if not indices:
            return self._base
        covered = self._similarity[:, indices].max(axis=1)  # (n_targets,)
        pairs = self._interaction[np.ix_(indices, indices)].sum() / 2
        k = len(indices)
        whole = self._base + 0.25 * covered + 0.05 * self._quality[indices].sum() / math.sqrt(k) + pairs / k
        return np.asarray(np.clip(whole, 0.02, 0.98))

    def _tally(self, code: str, accuracy: float, sentences: int, rng: Generator) -> Tally:
        """Exactly round(accuracy · units) units are right, the easy ones first, give or take the luck of the run."""
        units = sentences * TOKENS
        hard = _generator("text", str(self.terms.world), self.split, code).normal(size=units)  # (units,)
        order = np.argsort(hard + 0.5 * rng.normal(size=units))
        right = np.zeros(units, dtype=int)
        right[order[: round(accuracy * units)]] = 1
        return Tally(tuple(right.reshape(sentences, TOKENS).sum(axis=1).tolist()), (TOKENS,) * sentences)

    def _indices(self, subset: Subset) -> list[int]:
        position = {language.code: index for index, language in enumerate(self.pool)}
        strangers = [code for code in subset.codes if code not in position]
        if strangers:
            raise InputError(f"not in the pool: {', '.join(strangers)}", "evaluate subsets of the pool only")
        return [position[code] for code in subset.codes]

    def _point(self, code: str) -> NDArray[np.float64]:
        """Place (d values) and quality (the last value) of a language: the same in every pool and process."""
        return _generator("language", str(self.terms.world), code).normal(size=LATENT_DIMENSIONS + 1)

    def _interactions(self) -> NDArray[np.float64]:
        n = len(self.pool)
        matrix = np.zeros((n, n))
        for i, j in itertools.combinations(range(n), 2):
            rng = _generator("pair", str(self.terms.world), self.pool[i].code, self.pool[j].code)
            if rng.random() < 0.2:
                matrix[i, j] = matrix[j, i] = 0.1 * rng.normal()
        return matrix


def _generator(*names: str) -> Generator:
    """A generator that depends on the names only: no global state, equal in every process."""
    return default_rng(int.from_bytes(hashlib.sha256("\n".join(names).encode()).digest()[:8], "big"))
