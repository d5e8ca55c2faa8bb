"""`realingo select`: choose, compare, rank or measure subsets, with no encoder. Tables: `select_tables`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.commands import select_request, select_tables
from search.commands.select_request import Request
from search.pages import atlas
from search.results.json_reader import Json
from search.terminal import RenderableType, progress, remark
from selector import strategy, typdiv
from selector.diversity import SubsetMeasures
from selector.errors import InputError
from selector.languages.subset import Subset
from selector.problem import Problem
from selector.sources import features
from selector.strategy import Choice

Document = Json


@dataclass(frozen=True)
class Mode:
    """One of the four things the command does, and how its answer looks."""

    run: Callable[[Request], tuple[Document, Problem]]
    show: Callable[[Json], RenderableType]
    drawn: bool = True  # there is a subset to draw


PATIENCE = 2.0  # seconds of work before a bar is shown
HURRY = 3.0  # seconds that an exact strategy may take in a comparison


def mode(request: Request, compare_all: bool, rank_all: bool) -> Mode:
    """The mode of the command. InputError where two things are asked at once."""
    wanted = {"--compare": compare_all, "--rank": rank_all, "--subset": request.subset is not None}
    asked_for = [name for name, value in wanted.items() if value]
    if len(asked_for) > 1:
        raise InputError(f"{' and '.join(asked_for)} exclude each other", f"give {' or '.join(asked_for)}")
    for name, value in {"--task": request.task, "--encoder": request.encoder}.items():
        if value is not None and request.strategy != "predicted" and not asked_for:
            raise InputError(f"{name} has no meaning with strategy {request.strategy}", "add --strategy predicted")
    if compare_all:
        return Mode(compare, select_tables.comparison)
    if rank_all:
        return Mode(rank, select_tables.ranking, drawn=False)
    return (
        Mode(measure, select_tables.render_subset) if request.subset is not None else Mode(choose, select_tables.choice)
    )


def run(mode: Mode, request: Request, plot: Path | None, view: str | None) -> Document:
    """The answer of a mode, drawn as well if asked. Nothing is drawn before the answer is known to be one."""
    if plot is not None:
        check_plot(plot, view)
        if not mode.drawn:
            raise InputError("a ranking cannot be drawn", "leave out --plot or --rank")
    elif view is not None:
        raise InputError(f"--view {view} without a picture", "add --plot FILE.png or --plot FILE.html")
    document, problem = mode.run(request)
    if plot is not None:
        draw(problem, document, request.strategy, plot, view or atlas.VIEWS[0])
    return document


def choose(request: Request) -> tuple[Document, Problem]:
    """The subset that the requested strategy picks, how good it is and how sure that is, and how diverse it is."""
    strategy.find(request.strategy)
    problem = select_request.problem(request)
    choice = _solved(request, request.strategy, problem, request.seconds)
    document = _answer(request, request.strategy, choice, problem, SubsetMeasures(problem, request.seed))
    if unused := select_request.unused_options(request):
        remark(f"{request.strategy} does not look at {', '.join(unused)}: its choice is the same without")
    if request.strategy == "predicted":
        document.update(_prediction(choice.subset, problem, request.encoder))
    return document, problem


def _prediction(subset: Subset, problem: Problem, encoder: str | None) -> Document:
    """The expectation of the transfer model for each published task: points gained over no realignment.

    Where the task asked for is none of these, or none is asked for, also what it expects of any other task. An
    `encoder` without published results gets wider intervals.
    """
    from selector.transfer import predict as transfer

    name = encoder or transfer.ENCODER
    found = transfer.explain(subset.languages, problem.targets, problem.weights, encoder=name)
    of = {"name": name, "published": transfer.has_published_results(name)}
    rows = [
        {
            "task": each.task,
            "gain": each.average.mean,
            "ci90": [each.average.low, each.average.high],
            "per_target": {code: [gain.mean, gain.low, gain.high] for code, gain in each.targets.items()},
            "published": sorted(each.measured),
        }
        for each in found.tasks
    ]
    if problem.task in [each.task for each in found.tasks]:
        return {"encoder": of, "prediction": rows}
    pooled = {"task": problem.task, "gain": found.unknown.mean, "ci90": [found.unknown.low, found.unknown.high]}
    return {"encoder": of, "prediction": rows, "pooled": pooled}


def compare(request: Request) -> tuple[Document, Problem]:
    """Every strategy on the same problem: answers of `choose` as `rows`, those that could not run as `skipped`."""
    strategy.find(request.strategy)
    if request.parity is not None:
        raise InputError("--parity concerns one strategy", "leave out --compare or --parity")
    problem = select_request.problem(request)
    yardstick = SubsetMeasures(problem, request.seed)
    rows, skipped = [], []
    with _bar_when_slow() as advance:
        for done, name in enumerate(strategy.STRATEGIES):
            advance("comparing", done, len(strategy.STRATEGIES))
            try:
                choice = _solved(request, name, problem, min(HURRY, request.seconds))
                rows.append(_answer(request, name, choice, problem, yardstick))
            except InputError as reason:
                skipped.append({"strategy": name, "reason": reason.message})
        advance("comparing", len(strategy.STRATEGIES), len(strategy.STRATEGIES))
    return {**_shared(request, problem), "rows": rows, "skipped": skipped}, problem


def rank(request: Request) -> tuple[Document, Problem]:
    """Languages in the order in which greedy choice takes them, after those included: what to add next."""
    if request.parity is not None:
        raise InputError("--parity concerns a choice, not a ranking", "leave out --rank or --parity")
    problem = select_request.problem(request, everyone=True)
    ranked = strategy.ranking(request.strategy, problem)
    rows = [{"rank": i, "code": each.code, "name": each.name, "gain": gain} for i, (each, gain) in enumerate(ranked, 1)]
    given = [problem.frame[i].code for i in problem.pinned]
    return {"strategy": request.strategy, **_shared(request, problem), "include": given, "ranking": rows}, problem


def measure(request: Request) -> tuple[Document, Problem]:
    """The diversity of a given subset, and its value under every set function."""
    problem, index = select_request.pose_fixed_subset(request)
    values = {name: strategy.objective_of(name, problem).value(index) for name in _objectives()}
    document = {
        "strategy": "given",
        **_shared(request, problem),
        "languages": [problem.frame[i].code for i in index],
        "objectives": values,
        **_subset_facts(problem, index, SubsetMeasures(problem, request.seed)),
    }
    return document, problem


def draw(problem: Problem, answer: Json, preferred: str, path: Path, view: str) -> None:
    """A map of the pool with the chosen marked, as PNG or HTML by the file's name, written in one step.

    Of a comparison the row of the preferred strategy is drawn.
    Raises InputError where matplotlib is missing for a PNG, or where the file cannot be written.
    """
    from realign.cache import write_bytes

    rows = answer.get("rows", [answer])
    row = next((row for row in rows if row["strategy"] == preferred), rows[0])
    chosen = [i for i, language in enumerate(problem.frame) if language.code in row["languages"]]
    by = "" if row["strategy"] == "given" else f" chosen by {row['strategy']}"
    drawn = atlas.atlas(problem, chosen, view, f"{len(chosen)} of {len(problem.frame)} languages{by}")
    if path.suffix.lower() == ".html":
        from search.pages import map_html

        content = map_html.html(drawn).encode("utf-8")
    else:
        from search.pages import map_png

        content = map_png.png(drawn)
    try:
        write_bytes(path, content)
    except OSError as failed:
        raise _unwritable(path, failed.strerror or str(failed)) from None


def check_plot(path: Path, view: str | None) -> None:
    """InputError for a name that no picture can have or a view that is none: said before the work, not after it."""
    if view is not None and view not in atlas.VIEWS:
        raise InputError(f"unknown view '{view}'", f"views are {' and '.join(atlas.VIEWS)}")
    if path.suffix.lower() not in (".png", ".html"):
        raise InputError(f"'{path}' is neither a .png nor an .html file name", "end the name in .png or .html")
    if not path.parent.is_dir():
        raise _unwritable(path, "its folder does not exist")


def _unwritable(path: Path, reason: str) -> InputError:
    return InputError(f"cannot write '{path}': {reason}", "name a file in a folder that exists and is writable")


def _solved(request: Request, name: str, problem: Problem, seconds: float) -> Choice:
    """The strategy's answer; of an exact one, what it has when the seconds are over."""
    if request.parity is not None:
        return _as_typdiv(request, problem)
    if not strategy.find(name).exact:
        return strategy.solve(name, problem, request.seed)
    from selector.solvers.program import Effort  # SciPy's optimizer: only who asks for proofs waits for it

    return strategy.solve(name, problem, request.seed, Effort(seconds=seconds))


def _as_typdiv(request: Request, problem: Problem) -> Choice:
    """The set that typdiv-sampling's own greedy gives, under our objective of the same name."""
    if request.strategy not in typdiv.METHODS:
        hint = f"--parity typdiv goes with --strategy {' or '.join(typdiv.METHODS)}"
        raise InputError(f"typdiv-sampling has no {request.strategy}", hint)
    if len(problem.pinned) + len(problem.limits.most) or request.exclude or request.least_observed is not None:
        raise InputError("typdiv-sampling knows no conditions", "leave out --parity or what limits the choice")
    picked = typdiv.typdiv(np.asarray(problem.distances.matrix, dtype=np.float64), problem.k, request.strategy)
    return Choice(
        subset=Subset.of(problem.frame[i] for i in picked),
        objective=request.strategy,
        value=strategy.objective_of(request.strategy, problem).value(sorted(picked)),
        bound=None,
        status="heuristic",
        seed=request.seed,
        imputed=float(1.0 - problem.distances.observed[picked].mean()),
        cost=problem.cost(picked),
    )


def _answer(request: Request, name: str, choice: Choice, problem: Problem, yardstick: SubsetMeasures) -> Document:
    index = [i for i, language in enumerate(problem.frame) if language in choice.subset]
    return {
        "strategy": name,
        **_shared(request, problem),
        "languages": list(choice.subset.codes),
        "objective": {
            "name": choice.objective,
            "value": choice.value,
            "bound": choice.bound,
            "optimal": choice.optimal,
            "gap": choice.gap,
            "status": choice.status,
        },
        **_subset_facts(problem, index, yardstick),
    }


def _shared(request: Request, problem: Problem) -> Document:
    source = problem.source.code if problem.source is not None else None
    return {"metric": request.metric, "k": problem.k, "seed": request.seed, "source": source}


def _subset_facts(problem: Problem, index: Sequence[int], yardstick: SubsetMeasures) -> Document:
    """The facts on any subset, however it was chosen."""
    return {
        "diversity": yardstick.measures(index),
        "percentiles": yardstick.percentiles(index),
        "random_subsets": yardstick.count(len(index)),
        "imputed": 1.0 - float(problem.distances.observed[list(index)].mean()),
        "rows_used": _stand_ins(problem, index),
        "cost": problem.cost(index),
    }


def _stand_ins(problem: Problem, index: Sequence[int]) -> dict[str, dict[str, str]]:
    """Chosen languages described by another language's row of URIEL: code → group of features → code of that row."""
    languages = [problem.frame[i] for i in index]
    found: dict[str, dict[str, str]] = {}
    for group in features.PREFIXES:
        for language, row in zip(languages, features.table(languages, group).rows, strict=True):
            if row != language.code:
                found.setdefault(language.code, {})[group] = row
    return found


def _objectives() -> list[str]:
    """The set functions that strategies maximize, each once."""
    return list(dict.fromkeys(static.objective for static in strategy.STRATEGIES.values()))


@contextmanager
def _bar_when_slow() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar that begins only after a while, so that quick work stays silent."""
    started = time.monotonic()
    with ExitStack() as stack:
        shown: list[Callable[[str, int, int], None]] = []

        def advance(what: str, done: int, total: int) -> None:
            if not shown and time.monotonic() - started > PATIENCE and done < total:
                shown.append(stack.enter_context(progress()))
            if shown:
                shown[0](what, done, total)

        yield advance
