"""A study file with comments, as text."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from search.starting.recipes import EXAMPLES, Recipe

WORLD_TASK = """steps = 50
batch = 32
lr = 1e-3
examples = 50   # sentences of a language that are looked at, at most"""
WORLD_REALIGN = """loss = "word"
aligner = "gold"  # the world knows which word translates which; real text needs "mutual"
steps = 50
batch = 16      # sentence pairs a step: 800 pairs in all, however many languages share them
lr = 1e-3"""

LINE = 12  # languages
FAKE = "fake"  # as a model: a rehearsal without an encoder


@dataclass(frozen=True)
class Plan:
    """The content of a study file. Values of `parallel` and `data` are TOML."""

    name: str
    languages: str | tuple[str, ...]
    source: str
    k: int
    tune: str | tuple[str, ...]
    held_out: tuple[str, ...]
    model: str
    parallel: str
    kind: str
    data: str

    @property
    def of_world(self) -> bool:
        """True if the text and the labels are those of the world."""
        return self.parallel == '"world"'

    @property
    def base(self) -> str:
        """The encoder in TOML."""
        return '{kind = "fake"}' if self.model == FAKE else json.dumps(self.model, ensure_ascii=False)


def render(plan: Plan, file: str, schema: str, recipe: Recipe) -> str:
    """The text of a file of that name. Every section says what it is for; `recipe` is not for the world.

    `schema` is where an editor finds the description of all keys: it completes and checks them with it.
    """
    file = shlex.quote(file)
    tuned = EXAMPLES if plan.kind == "retrieval" else recipe.task(plan.kind)
    return f"""#:schema {schema}
# Which {plan.k} of these languages should an encoder be realigned on?
#
#     realingo check {file}      everything that can fail, before anything is trained
#     realingo search {file}     run or continue the search; then confirm, report, export

name = {json.dumps(plan.name)}
seed = 0

[pool]                       # the languages that a subset is chosen from
languages = {_toml(plan.languages)}
source = {json.dumps(plan.source)}               # the language of the parallel text's other side, and of fine-tuning
k = {plan.k}                        # how many to choose; [3, 6] lets the search choose the number as well

[targets]
tune = {_toml(plan.tune)}       # languages whose development scores the search may see
held_out = {_toml(plan.held_out)}   # seen by `confirm` and the report alone

[model]
base = {plan.base}     # a folder, or a model of the hub; revision = "…" pins it

[data]
parallel = {plan.parallel}

[task]
kind = {json.dumps(plan.kind)}               # pos, ner, classification or retrieval
data = {plan.data}
{WORLD_TASK if plan.of_world else tuned}

[realign]
{WORLD_REALIGN if plan.of_world else recipe.realign}

[search]
strategy = "surrogate"
objective = "mean"           # mean, low-resource, worst or cvar:0.25
trials = {24 if plan.of_world else 40}

[confirm]
top = {1 if plan.of_world else 3}
seeds = 8                    # fresh seeds of each row; fewer than 8 can hardly show a difference
"""


def path_from(home: Path, path: Path) -> str:
    """The path as a study file in `home` names it: from there where it lies there or below, else from the root."""
    whole = path.absolute()
    return whole.relative_to(home).as_posix() if whole.is_relative_to(home) else str(whole)


def _toml(value: str | tuple[str, ...]) -> str:
    """A text, or a list of languages, twelve to a line."""
    if isinstance(value, str) or len(value) <= LINE:
        return json.dumps(value, ensure_ascii=False)
    lines = [", ".join(map(json.dumps, value[start : start + LINE])) for start in range(0, len(value), LINE)]
    return "[\n    " + ",\n    ".join(lines) + ",\n]"
