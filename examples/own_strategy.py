"""Search with a strategy of your own: what to measure next, from what was measured."""

import tempfile
from pathlib import Path

import realingo
from search.testing import check_strategy

STUDY = """
name = "mine"
[pool]
languages = "world"
k = 4
[model]
base = {kind = "fake"}  # a rehearsal: no encoder, an answer at once
"""


def explore_then_improve(space, past, rng):
    """At first by chance, then a neighbour of the best so far."""
    best = max(past.values, key=past.values.get, default=None)
    near = [] if best is None or len(past.values) < 8 else space.neighbours(best)
    fresh = [subset for subset in near if subset not in past.taken] or [
        subset for subset in (space.random(rng) for _ in range(200)) if subset not in past.taken
    ]
    every = fresh or [subset for subset in space.every() if subset not in past.taken]
    return every[rng.integers(len(every))] if every else None


check_strategy(explore_then_improve)  # says what a strategy breaks
realingo.register_strategy("explore", explore_then_improve)
study_file = Path(tempfile.mkdtemp()) / "study.toml"
study_file.write_text(STUDY)
study = realingo.load_study(study_file, {"search.strategy": "explore", "search.trials": 20})
status = realingo.search(study)
print("best:", " ".join(status.best.languages), round(status.best.value, 3), "by", status.best.origin)
