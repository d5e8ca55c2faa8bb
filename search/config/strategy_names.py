"""The strategies that a study file can name: the one list of them. `search.planner` knows how each proposes."""

from __future__ import annotations

import re
from collections.abc import Mapping

STRATEGIES: Mapping[str, str] = {
    "surrogate": "a Gaussian process over subsets, with URIEL's similarities as prior knowledge",
    "random": "subsets by chance",
    "swap": "exchange one language of the best subset",
    "greedy": "add the best language, one after another",
    "backward": "drop the worst language, one after another",
    "genetic": "cross and mutate good subsets",
    "tpe": "Optuna's tree-structured Parzen estimator",
    "gp": "Optuna's Gaussian process",
    "nsga2": "Optuna's NSGA-II",
    "exhaustive": "every subset, in an order by chance",
}
DIVERSITY = "diversity:<select strategy>"  # what 'realingo select' would choose, with one seed after another
GROWING = ("greedy",)  # these measure subsets smaller than those asked for

REGISTERED: set[str] = set()  # names that a caller from Python has added, see `search.planner.register_strategy`


def all_names() -> tuple[str, ...]:
    """Every name, for people."""
    return (*STRATEGIES, DIVERSITY, *sorted(REGISTERED))


def register(name: str) -> None:
    """Let study files name a strategy of a caller from Python."""
    REGISTERED.add(name)


def is_strategy(name: str) -> bool:
    """True if a study file may name it. The name after `diversity:` is looked at by `search.planner`."""
    return name in STRATEGIES or name in REGISTERED or re.fullmatch(r"diversity:[a-z-]+", name) is not None
