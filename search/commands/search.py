"""The search: propose, measure, record, until as many trials as asked for have ended; and what stands in a study.

Position n is proposed from exactly the results of the positions up to n − workers, never from what happened to be
ready: so the same study file, seed and number of workers give the same trials, interrupted or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from realign.build.contents import contents
from realign.evaluators.own import Measure, code_signature, name_of
from search import terminal
from search.backends import registry as backends
from search.commands.check import StudyCheck
from search.config.study_config import StudyConfig
from search.driver import Driver
from search.effort.cost import Price
from search.effort.trust import CheapLevels
from search.interrupts import Interrupts
from search.planner import StudyPlanner, planner
from search.results.effects import Explanation
from search.results.trials import SearchStatus, TrialRecord
from search.results.words import percent, span
from search.status import status_of
from search.study import lease as owner
from search.study.provenance import facts
from search.study.storage import check_storage, redact_url
from search.study.study import Study, open_study
from search.trackers.tracker import About, Callback, Callbacks, check_trackers, open_tracker
from selector.errors import InputError, quantity, whole_number


def search(
    config: StudyConfig,
    trials: int | None = None,
    workers: int = 1,
    backend: str = "inline",
    address: str = "",
    trackers: Sequence[str] = (),
) -> SearchStatus:
    """Run or continue a study until `trials` trials (default: the study file's) have ended, and tell how it stands.

    As `run`, with the signals of a terminal. `trackers` name programs that get each ended trial as well.
    """
    return status_of(run(config, trials, workers, backend, address, trackers=trackers))


def run(
    config: StudyConfig,
    trials: int | None = None,
    workers: int = 1,
    backend: str = "inline",
    address: str = "",
    own: Measure | None = None,
    handlers: bool = True,
    callbacks: Sequence[Callback] = (),
    trackers: Sequence[str] = (),
) -> Study:
    """Run or continue a study until `trials` trials (default: the study file's) have ended.

    `trials` counts over all runs; `address` is that of a Ray cluster; `own` is a user's evaluator, in place of the
    study's; without `handlers` signals are left as they are; `callbacks` and `trackers` get each ended trial.
    InputError before anything is written if the input is wrong; RunError if another process drives the study or nothing
    succeeds at the start; KeyboardInterrupt, with everything recorded, on SIGINT and SIGTERM.
    """
    check_trackers(trackers)
    wanted = whole_number("the number of trials", trials) if trials is not None else config.search.trials
    if wanted < 1:
        raise InputError(f"--trials {wanted} is too few", "at least one trial")
    place = backends.Place(backend, workers, address)
    if backend == "inline" and config.search.time_limit:
        raise InputError("the inline backend cannot end a trial that hangs", "add --backend process for the time limit")
    if own is not None and backend != "inline":
        raise InputError("an evaluator of your own runs in this process alone", "leave workers and backend out")
    if own is None:
        with terminal.progress() as advance:
            StudyCheck(config, advance, counting=False).require()
    else:
        check_storage(config.storage)
    plan = planner(replace(config, search=replace(config.search, trials=wanted)))
    _warn(plan)
    alone = owner.only_driver(config.storage, config.name)
    with terminal.progress() as advance, Interrupts(handlers) as interrupts, alone:
        view = backends.search_view(config, own)
        place.prepare(config.core)
        with interrupts.welcome():
            evaluator = view.evaluator(advance)
        where = place.backend(view, evaluator, advance)
        try:
            study = open_study(config, create=True)
            with study.driven():
                study.require_evaluator(*((name_of(own), code_signature(own)) if own else ("",)))
                study.agree(contents(evaluator))
                if own is None and config.core.is_rehearsal:
                    terminal.remark("a rehearsal: every score is FAKE, from a formula, and no encoder is trained")
                listeners = _listeners(study, callbacks, trackers)
                try:
                    Driver(study, plan, where, advance, interrupts, listeners).run(wanted)
                finally:
                    listeners.close()
        finally:
            where.close()
    return study


def _listeners(study: Study, callbacks: Sequence[Callback], trackers: Sequence[str]) -> Callbacks:
    best = next((trial.value for trial in study.best()), None)
    about = About(study.name, {**facts(study.config), "storage": redact_url(study.config.storage)}, best)
    return Callbacks([*callbacks, *(open_tracker(name, about) for name in trackers)])


def status(config: StudyConfig, explain: bool = False) -> SearchStatus:
    """The state of a study, and with `explain` which languages matter. InputError if it was never started."""
    return status_of(open_study(config, create=False), explain)


def _warn(plan: StudyPlanner) -> None:
    """Say beforehand what disappoints afterwards."""
    config, wanted = plan.config, plan.config.search.trials
    if (needed := plan.trials_needed) > wanted:
        terminal.remark(
            f"{config.search.strategy} comes to its first subset of the size asked for in trial {needed} at the "
            f"latest, and this search has {wanted}: give it --trials {needed}, or take another strategy"
        )
    if (paid := Price(config).paid_at_first()) > wanted / 4:
        terminal.remark(
            f"merging trains on every language that it meets once, the work of up to {paid:.0f} full evaluations for "
            f"all {len(config.pool)}: with {wanted} trials, fidelity = 'full' may find as much for less"
        )
    if text := CheapLevels(config).sentence():
        terminal.remark(text)


def render_status(found: SearchStatus) -> terminal.RenderableType:
    """The status as a table for people, scores in percent; then what the study found, in a sentence."""
    rows = [["study", found.study], ["storage", found.storage]]
    rows += [["trials", ", ".join(f"{count} {state}" for state, count in found.trials.items() if count)]]
    if found.levels:
        rows += [["of these", ", ".join(f"{count} {level}" for level, count in found.levels.items())]]
    rows += _subsets(found)
    for each in found.front or ():
        rows += [[f"for {each.cost:g}", f"{_value(each)} with {' '.join(each.languages)}"]]
    if source := found.source_score:
        constant = f"the same answer everywhere scores {percent(source.constant)} %"
        verdict = "" if source.converged else ": not converged"
        rows += [["source language", f"{source.language} {percent(source.value)} %{verdict} ({constant})"]]
    rows += [["full evaluations", f"{found.full_equivalents:g}"]]
    rows += [["measuring time", f"{found.seconds:.0f} s"]]
    parts: list[terminal.RenderableType] = [terminal.table("", ["", ""], rows)]
    return terminal.stack(*parts, *([] if found.explain is None else [_effects(found.explain)]), found.verdict)


def _subsets(found: SearchStatus) -> list[list[str]]:
    """The subset that scored highest, that which the model expects most of, and the confirmed one."""
    rows: list[list[str]] = []
    if best := found.best:
        of = f", mean of {best.repeats} trials" if best.repeats > 1 else ""
        rows += [["best in the search", f"trial {best.number}: {' '.join(best.languages)}"]]
        rows += [["its score", f"{_value(best)} ({best.origin}{of})"]]
    if taken := found.recommended:
        of = f", after {taken.runs} runs" if taken.runs > 1 else ""
        rows += [["best by the model", " ".join(taken.languages)]]
        rows += [["expected score", f"{percent(taken.mean)} ± {percent(taken.std)} %{of}"]]
    if row := found.confirmed:
        rows += [["confirmed", " ".join(row.languages)]]
        rows += [["score on fresh seeds", f"{span(row.mean, row.ci95)} %, {quantity(row.seeds, 'seed')}"]]
    return rows


def _value(trial: TrialRecord) -> str:
    return "–" if trial.value is None else f"{percent(trial.value)} %"


def _effects(explained: Explanation) -> terminal.RenderableType:
    if not explained.rows:
        return "too few trials to say which languages matter"
    title = "in place of an average language, and both together beyond that; points, 90 % intervals"
    cells = [
        [who, f"{100 * each.effect:+.2f}", f"{100 * each.low:+.2f} to {100 * each.high:+.2f}"]
        for who, each in explained.rows
    ]
    return terminal.table(title, ["languages", "effect", "interval"], cells, right=("effect",))
