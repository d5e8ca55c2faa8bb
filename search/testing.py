"""What every strategy must keep, as a check that yours can be run against.

from search.testing import check_strategy

check_strategy(my_strategy)
"""

from __future__ import annotations

from realign.evaluators.fake import FakeEvaluator, Terms
from search.space import Space
from search.strategies.proposer import MeasuredSubset, Past, Propose, generator
from selector.languages.conversion import Languages, as_pool
from selector.languages.language import Pool
from selector.languages.subset import Subset

POOL = "arb,cmn,deu,fin,fra,hin,jpn,swh,tur,vie"
ROUNDS = 12  # proposals in each space


def check_strategy(strategy: Propose, pool: Languages = POOL, passes_through: bool = False) -> None:
    """Run a strategy on several spaces, from nothing measured to everything; AssertionError says what it breaks.

    It must answer with an allowed subset that was not begun before, or with None; the same arguments must get the same
    answer; it must say None once every subset was begun. `passes_through`: it may also measure subsets of other sizes
    on its way, as greedy selection does.
    """
    for space in spaces(as_pool(pool)):
        _run(strategy, space, ROUNDS, passes_through)
    small = Space(as_pool(pool)[:4], k=2)
    taken = _run(strategy, small, 60, passes_through)
    _require(passes_through or len(taken) == small.count(), f"it stops after {len(taken)} of {small.count()} subsets")


def spaces(pool: Pool) -> list[Space]:
    """Spaces with one condition after another: a size, sizes, included and excluded languages, a budget, a quota."""
    costs = {language: 1.0 + place % 3 for place, language in enumerate(pool)}
    return [
        Space(pool, k=3),
        Space(pool, k=(2, 4)),
        Space(pool, k=3, include=pool[:1], exclude=pool[1:2]),
        Space(pool, k=3, costs=costs, budget=6.0),
        Space(pool, k=(2, 3), quotas=["script=1"]),
    ]


def _run(strategy: Propose, space: Space, rounds: int, passes_through: bool) -> list[Subset]:
    """Ask again and again, with the scores of a fake evaluator; the last proposal is always still running."""
    fake = FakeEvaluator(space.pool, space.pool, Terms(noise=0.0))
    begun: list[Subset] = []
    for position in range(rounds):
        seen = tuple(MeasuredSubset(subset, _mean(fake, subset)) for subset in begun[:-1])
        past = Past(seen, tuple((subset, "full") for subset in begun))
        answer, again = (_ask(strategy, space, past, position) for _ in range(2))
        _require(answer == again, f"asked twice at position {position}, it gives other answers")
        if answer is None:
            break
        _require(set(answer) <= set(space.pool), f"it proposes {answer.key}, which is not in the pool")
        _require(passes_through or space.allows(answer), f"it proposes {answer.key}, which breaks a condition")
        _require(answer not in past.taken, f"it proposes {answer.key} again")
        begun.append(answer)
    return begun


def _ask(strategy: Propose, space: Space, past: Past, position: int) -> Subset | None:
    answer = strategy(space, past, generator(0, position))
    return answer if answer is None or isinstance(answer, Subset) else Subset.of(answer)


def _mean(fake: FakeEvaluator, subset: Subset) -> float:
    scores = fake.truth(subset).values()
    return sum(scores) / len(scores)


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise AssertionError(problem)
