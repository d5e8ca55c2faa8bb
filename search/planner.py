"""From a study's settings to what is measured at each position: warm start, strategy, fidelity, Pareto front."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.random import Generator

from search.config import strategy_names
from search.config.study_config import StudyConfig
from search.space import ENUMERABLE, Space
from search.strategies import genetic, ladder, local, optuna_samplers
from search.strategies import proposer as proposal
from search.strategies.proposer import Past, Propose, Proposer, generator, own_strategy
from search.surrogate.prior_knowledge import has_precedent, prior_of
from search.surrogate.surrogate import Surrogate
from selector import strategy as model_free
from selector.distances.distance import distances
from selector.errors import InputError
from selector.languages.subset import Subset
from selector.problem import Options

WARM = ("max-sum", "max-min", "facility", "coverage", "family")
PRECEDENT = "predicted"  # the strategy that comes before them where published results are about such a study


@dataclass(frozen=True)
class Proposal:
    subset: Subset
    origin: str  # the strategy, or "warm:max-sum"
    level: str = "full"


class Planner(Protocol):
    """Proposes what to begin at a position; None when nothing is left to propose. Pure."""

    def __call__(self, position: int, past: Past) -> Proposal | None: ...


def planner(config: StudyConfig) -> StudyPlanner:
    """The plan of the study `config`, tried out once: a wrong metric or name is an InputError before any record."""
    plan = StudyPlanner(config)
    propose = plan.propose
    if config.search.strategy.startswith("diversity:"):
        propose(config.space, Past(level=config.level), generator(config.seed, 0))
    _ = plan.warm_start
    return plan


@dataclass(frozen=True)
class StudyPlanner:
    """Plans each position of a study: the warm start, then what its strategy proposes."""

    config: StudyConfig

    def __call__(self, position: int, past: Past) -> Proposal | None:
        config = self.config
        if config.search.fidelity != "ladder":
            return self._at_level(config.level, position, past)
        for due in ladder.levels_due(past, config.search.trials):
            rise = ladder.promote(past, due, config.search.trials)
            if rise is None and config.search.strategy != "surrogate":
                rise = ladder.best_below(past, due)
            if rise is not None and config.space.allows(rise):
                return Proposal(rise, "promoted", due)
            if (found := self._at_level(due, position, past)) is not None:
                return found
        return None

    def _at_level(self, level: str, position: int, past: Past) -> Proposal | None:
        config, here = self.config, past.at(level)
        # the warm start may have been switched on or changed since: skip what was begun
        unseen = [(name, subset) for name, subset in self.warm_start if subset not in here.taken]
        if unseen and position < len(self.warm_start):
            return Proposal(unseen[0][1], f"warm:{unseen[0][0]}", level)
        rng = generator(config.seed, position)
        inside = cheaper(config.space, rng) if len(config.search.objectives) > 1 else config.space
        subset = self.propose(inside, here, rng)
        if subset is None and inside is not config.space:  # all that is so cheap was begun, but not all that is allowed
            subset = self.propose(config.space, here, rng)
        return None if subset is None else Proposal(subset, config.search.strategy, level)

    @cached_property
    def propose(self) -> Proposer:
        """The strategy that the study names. InputError where it is not for such a study."""
        name, seed = self.config.search.strategy, self.config.seed
        if name.startswith("diversity:"):
            inner = name.removeprefix("diversity:")
            model_free.find(inner)
            return diversity(lambda k, seed: self.model_free(inner, k, seed), seed)
        if name in OWN:
            return own_strategy(name, OWN[name])
        return STRATEGIES[name](self.config)

    def check(self) -> Proposer:
        """Return the strategy that the study names. InputError where it is not for such a study, or where there are no
        distances for a choice without measuring: what else would show in the first proposals.
        """
        config, strategy = self.config, self.config.search.strategy
        if strategy.startswith("diversity:") or (config.search.warm_start and strategy != "random"):
            distances((*config.pool, config.core.source), config.search.metric)
        return self.propose

    @cached_property
    def warm_start(self) -> list[tuple[str, Subset]]:
        """The subsets a search begins with, each with the first of the strategies that choose it; duplicates dropped.

        They have the largest size the study allows; what breaks its conditions is left out. Empty for the strategy
        `random`, which is a baseline.
        """
        config = self.config
        if not config.search.warm_start or config.search.strategy == "random":
            return []
        first: dict[Subset, str] = {}
        names = (PRECEDENT, *WARM) if has_precedent(config.core, config.scope) else WARM
        try:
            for name in names:
                first.setdefault(self.model_free(name, config.space.sizes[1], config.seed), name)
        except InputError as problem:
            message = f"{config.path.name}: the warm start: {problem.message}"
            raise InputError(message, f"{problem.hint}; or search.warm_start = false") from None
        return [(name, subset) for subset, name in first.items() if config.space.allows(subset)]

    def model_free(self, name: str, k: int, seed: int) -> Subset:
        """The subset of `k` languages that `realingo select` would choose for this study with the strategy `name`."""
        config = self.config
        costs = config.costs or (None if config.budget is None else dict.fromkeys(config.pool, 1.0))
        asked: Options = {
            "metric": config.search.metric,
            "source": config.core.source,
            "seed": seed,
            "include": config.include,
            "exclude": config.exclude,
            "costs": costs,
            "budget": config.budget,
            "quotas": config.quotas,
        }
        if name == PRECEDENT:
            asked["targets"] = config.tune
            asked["weights"] = {language: config.weights.get(language.code, 1.0) for language in config.tune}
        return model_free.choose(name, config.pool, k, **asked)

    @property
    def trials_needed(self) -> int:
        """Trials until greedy or backward measures its first subset of a size the study asks for; 0 for the others.

        After the warm start, with one worker; lazy evaluation may spare some, of greedy from the third language on.
        With more workers a size can be left while its last subsets run, and then be taken up again.
        """
        space, strategy = self.config.space, self.config.search.strategy
        pinned, free = len(space.pinned), len(space.free)
        passed = {
            "greedy": range(free, free - (self.config.sizes[0] - pinned - 1), -1),  # moves from each size on the way
            "backward": range(free, self.config.sizes[1] - pinned + 1, -1),
        }.get(strategy)
        if passed is None:
            return 0
        whole = strategy == "backward" and free + pinned > self.config.sizes[1]  # is measured first
        return len(self.warm_start) + sum(passed) + 1 + whole


def diversity(choose: Callable[[int, int], Subset], first: int) -> Proposer:
    """A strategy of model-free choice alone: `choose(k, seed)` with one seed after another, then by chance.

    `first` is the seed that comes first.
    """

    def propose(space: Space, past: Past, rng: Generator) -> Subset | None:
        size = int(rng.integers(space.sizes[0], space.sizes[1] + 1))
        for seed in (first, *(int(seed) for seed in rng.integers(2**31, size=3))):
            subset = choose(size, seed)
            if subset not in past.taken:
                return subset
        return proposal.random(space, past, rng)

    return propose


def cheaper(space: Space, rng: Generator) -> Space:
    """`space` under a bound on the cost, drawn by `rng` at each position: ε-constraint method (Haimes et al. 1971).

    Maximizing under ever other bounds walks along the Pareto front, with any strategy. Where the cost is the number of
    languages, that number is drawn.
    """
    if space.costs is None:
        size = int(rng.integers(space.sizes[0], space.sizes[1] + 1))
        return replace(space, sizes=(size, size))
    prices = space.costs
    free = np.sort(prices[list(space.free)])
    pinned = float(prices[list(space.pinned)].sum())
    least = pinned + float(free[: max(0, space.sizes[0] - len(space.pinned))].sum())
    most = pinned + float(free[::-1][: space.sizes[1] - len(space.pinned)].sum())
    return space.within(float(rng.uniform(least, most)))


def _exhaustive(file: str, space: Space, seed: int) -> Proposer:
    if (count := space.count()) > ENUMERABLE:
        message = f"{file}: search.strategy = 'exhaustive' has {count:,} subsets before it"
        raise InputError(message, f"it is for at most {ENUMERABLE:,}: take 'surrogate', or a smaller pool or k")
    return local.exhaustive(seed)


OWN: dict[str, Propose] = {}  # strategies that a caller from Python has registered


def register_strategy(name: str, strategy: Propose) -> None:
    """Let study files use `strategy` as `search.strategy = "NAME"`, with this `name`. It may be registered again.

    `strategy(space, past, rng)` answers with the subset to measure next, as a `Subset` or as codes, or with None when
    there is nothing left. It must be pure: the same arguments, the same answer. Raises InputError for a name that is
    taken or that is no plain word.
    """
    if not isinstance(name, str) or name in STRATEGIES or not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
        raise InputError(f"a strategy cannot be called '{name}'", "take another name of small letters, digits, - and _")
    if not callable(strategy):
        raise InputError(f"the strategy '{name}' is not callable", "give a function (space, past, rng) → subset")
    OWN[name] = strategy
    strategy_names.register(name)


Factory = Callable[[StudyConfig], Proposer]
STRATEGIES: Mapping[str, Factory] = {
    "surrogate": lambda config: Surrogate(prior_of(config), config.search.repeats, config.level),
    "random": lambda config: proposal.random,
    "exhaustive": lambda config: _exhaustive(config.path.name, config.space, config.seed),
    "greedy": lambda config: local.greedy,
    "backward": lambda config: local.backward,
    "swap": lambda config: local.swap,
    "genetic": lambda config: genetic.genetic,
    "tpe": lambda config: optuna_samplers.tpe,
    "gp": lambda config: optuna_samplers.gp,
    "nsga2": lambda config: optuna_samplers.nsga2,
}
