"""Rules that every evaluator must keep, as checks for your own.

    from realign.testing import check_evaluator

    check_evaluator(my_evaluator, pool=["deu", "tur", "swh", "jpn"])

Or a class for pytest, with one test for each rule: subclass `EvaluatorContract` and define `make` and `pool`. Use few
sentences and steps: the evaluator is called about ten times.
"""

from __future__ import annotations

from collections.abc import Sequence

from realign.evaluators.own import Measure, scores_of
from realign.score import Fidelity, Score
from selector.languages.conversion import Languages, as_pool
from selector.languages.language import Pool
from selector.languages.subset import Subset

SMALL = Fidelity(pairs=32, steps=2, examples=10)


class EvaluatorContract:
    """Rules of an evaluator; every `test_` method raises AssertionError where one is broken."""

    pool: Languages = ("deu", "tur", "swh", "jpn")  # at least three that the evaluator knows
    fidelity: Fidelity = SMALL

    def make(self) -> Measure:
        """A new evaluator; called for each rule."""
        raise NotImplementedError

    def test_same_arguments_get_the_same_answer(self) -> None:
        measure = self.make()
        for subset in self._subsets():
            first, again = (scores_of(measure(subset, self.fidelity, 3)) for _ in range(2))
            _require(first == again, f"two calls with {subset.key or 'no languages'} and seed 3 give other scores")

    def test_another_evaluator_of_the_kind_gives_the_same_answer(self) -> None:
        subset = self._subsets()[-1]
        one, other = (scores_of(self.make()(subset, self.fidelity, 3)) for _ in range(2))
        _require(one == other, "two evaluators that were made alike give other scores: something is not seeded")

    def test_scores_are_shares(self) -> None:
        """In [0, 1], and of the same languages whatever the subset is."""
        measure = self.make()
        found = [set(scores_of(measure(subset, self.fidelity, 0))) for subset in self._subsets()]
        _require(all(codes == found[0] for codes in found), "other languages are scored for other subsets")

    def test_order_of_languages_is_irrelevant(self) -> None:
        measure, languages = self.make(), self._pool()
        one, other = (
            scores_of(measure(Subset(tuple(each)), self.fidelity, 0)) for each in (languages, languages[::-1])
        )
        _require(one == other, "a subset has other scores where its languages are named in another order")

    def test_a_score_agrees_with_itself(self) -> None:
        """The value is the mean over languages, and each language's tally gives its score."""
        answer = self.make()(self._subsets()[-1], self.fidelity, 0)
        if not isinstance(answer, Score):
            return
        mean = sum(answer.per_language.values()) / len(answer.per_language)
        _require(abs(answer.value - mean) < 1e-6, f"the value is {answer.value:g}, the mean of the languages {mean:g}")
        for code, tally in answer.tallies.items():
            _require(abs(tally.value - answer.per_language[code]) < 1e-6, f"the tally of {code} gives another score")

    def test_the_signature_says_everything(self) -> None:
        """It is that of the score, and another one for another subset, seed or fidelity."""
        measure = self.make()
        sign = getattr(measure, "signature", None)
        if sign is None:
            return
        one, other = self._subsets()[1:3]
        longer = self.fidelity.share(1.0, 0.5, 1.0)
        given = [(one, self.fidelity, 0), (other, self.fidelity, 0), (one, self.fidelity, 1), (one, longer, 0)]
        signatures = [sign(*each) for each in given]
        _require(signatures == [sign(*each) for each in given], "two calls give other signatures")
        _require(len(set(signatures)) == len(given), "the signature leaves out the subset, the seed or the fidelity")
        answer = measure(*given[0])
        if isinstance(answer, Score):
            _require(answer.signature == signatures[0], "the score carries another signature than the evaluator says")

    def _pool(self) -> Pool:
        pool = as_pool(self.pool)
        _require(len(pool) >= 3, "the contract needs a pool of at least three languages")
        return pool

    def _subsets(self) -> Sequence[Subset]:
        """None, one, two, and all languages."""
        pool = self._pool()
        return [Subset(pool[:count]) for count in (0, 1, 2, len(pool))]


def check_evaluator(measure: Measure, pool: Languages, fidelity: Fidelity = SMALL) -> None:
    """Check every rule on one evaluator, `measure`. AssertionError says which rule it breaks.

    `pool` names at least three languages that the evaluator knows; it is called at `fidelity`.
    """
    contract = EvaluatorContract()
    contract.pool, contract.fidelity = pool, fidelity
    contract.make = lambda: measure  # type: ignore[method-assign]
    for name in dir(contract):
        if name.startswith("test_"):
            getattr(contract, name)()


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise AssertionError(problem)
