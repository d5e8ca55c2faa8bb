"""What a study cost, whether more trials would help, and what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from search.config.study_config import StudyConfig
from search.confirmation.recommend import Recommender
from search.confirmation.verdict import Verdict
from search.effort.cost import Price
from search.results.confirmation import Confirmation
from search.results.words import duration, points
from search.study.next_command import study_command
from search.study.trial import Trial
from search.surrogate.importance import LEAST_TRIALS
from search.terminal import command_line
from selector.errors import InputError, RunError

STATES = {"complete": "complete", "failed": "failed", "pruned": "stopped early", "running": "running"}
WORTH = 0.001  # expected improvement, in scores, that is worth another trial
MOST_SEEDS = 100  # of a confirmation
NEW = "The setting is part of the study: give the changed file another name."


@dataclass(frozen=True)
class Step:
    """Something to do next: why, and the command, if it is one."""

    why: str
    command: str = ""


def cost_finding(trials: Sequence[Trial], confirmation: Confirmation | None) -> str:
    """The cost in one line."""
    searched = f"{len(trials)} trials, {duration(sum(trial.seconds for trial in trials))} of measuring"
    if confirmation is None or confirmation.effort is None:
        return searched
    return f"{searched}; {duration(confirmation.effort.seconds)} more to confirm"


def cost_facts(
    config: StudyConfig, trials: Sequence[Trial], confirmation: Confirmation | None
) -> list[tuple[str, str]]:
    """Trials by state, work, time, device and pairs, as far as the study records them."""
    states = Counter(str(trial.state) for trial in trials)
    ended = [trial for trial in trials if trial.state in ("complete", "pruned")]
    effort = None if confirmation is None else confirmation.effort
    if effort is None:
        confirmed = "not confirmed yet" if confirmation is None else "not recorded"
    else:
        confirmed = f"{effort.evaluations:,} evaluations, {duration(effort.seconds)}"
    device = effort.device if effort is not None else ""
    return [
        ("Trials", ", ".join(f"{states[state]} {word}" for state, word in STATES.items())),
        ("Search", f"{_equivalents(config, ended)}, {duration(sum(trial.seconds for trial in ended))}"),
        ("Confirmation", confirmed),
        ("Time", "of measuring, summed over the workers; what a cache held counts with the time it took at first"),
        ("Device", f"{device} (confirmation)" if device else "not recorded"),
        ("Sentence pairs", _pairs(config, ended, confirmation)),
    ]


def _equivalents(config: StudyConfig, ended: Sequence[Trial]) -> str:
    """The work of a search in evaluations at full fidelity."""
    counted = [trial for trial in ended if {"pairs", "steps"} <= trial.fidelity.keys()]
    try:
        amount = Price(config).of_trials(counted)
    except (InputError, RunError, OSError):  # epochs are counted in steps, for which the training data must be there
        return f"{len(ended)} evaluations (how many full ones they come to needs the training data)"
    return f"as much as {amount:,.1f} evaluations at full fidelity"


def _pairs(config: StudyConfig, ended: Sequence[Trial], confirmation: Confirmation | None) -> str:
    """Sentence pairs that were trained on, each as often as it was seen."""
    each = config.core.pairs
    counted = [trial for trial in ended if trial.level != "merge" and isinstance(trial.fidelity.get("pairs"), int)]
    searched = sum(trial.runs_begun(config.search.seeds) * int(str(trial.fidelity["pairs"])) for trial in counted)
    told = [f"{each:,} in a full evaluation", f"about {searched:,} in the search"]
    if confirmation is not None and confirmation.effort is not None:
        realigned = max(confirmation.effort.evaluations - len(confirmation.seeds), 0)  # one row has no realignment
        told.append(f"about {realigned * each:,} in the confirmation")
    merged = sum(trial.level == "merge" for trial in ended)
    return "; ".join(told) + (f"; those of {merged} merged trials are not counted" if merged else "")


def outlook(config: StudyConfig, recommender: Recommender) -> tuple[str, float | None]:
    """One sentence on whether more trials would help, with its limits, and the expected improvement in [0, 1]."""
    if config.search.objectives:
        return "Unknown: this study has two objectives, and the expected improvement is known for one alone.", None
    if len(recommender.past.values) >= (config.space.exact_count or config.space.count()):
        return "No: every subset that the study allows is measured.", 0.0
    if (measured := len(recommender.past.here)) < LEAST_TRIALS:
        return f"Unknown: the model needs {LEAST_TRIALS} trials, and this study has {measured}.", None
    left = recommender.improvement()
    if left is None:
        return "Unknown: the model cannot be fitted to these trials.", None
    limits = (
        "This is what the model expects of the most promising subset that is not measured yet; it can be wrong about "
        "subsets unlike those measured, and it speaks of the next trial alone."
    )
    if left < WORTH:
        return (
            f"Hardly: the next trial is expected to gain less than 0.1 points over the best subset so far. {limits}",
            left,
        )
    return f"Perhaps: the next trial is expected to gain {points(left)} over the best subset so far. {limits}", left


def next_steps(
    config: StudyConfig,
    found: Verdict,
    confirmation: Confirmation | None,
    done: int,
    left: float | None,
    learned: bool,
) -> list[Step]:
    """The next steps, the most urgent first.

    done: complete trials
    left: the expected improvement in [0, 1]; None where it is not known
    learned: whether fine-tuning has converged, as far as is known
    """
    longer = Step(f"Fine-tune longer, or with another task.lr, before anything else: see above. {NEW}")
    steps = [] if learned else [longer]
    if left is not None and left >= WORTH:
        again = study_command(config, "search", "--trials", str(2 * done))
        steps.append(
            Step("For a better subset, perhaps: measure more of them. The number is that of all trials.", again)
        )
    if confirmation is None:
        why = "Measure the best subsets again on fresh seeds, beside no realignment, all languages and random ones."
        return [*steps, Step(why, study_command(config, "confirm"))]
    if found.ahead is not None:
        steps.append(Step("Confirm again: the search has gone on since.", study_command(config, "confirm")))
    verdicts = {each.against: each.verdict for each in found.comparisons}
    if verdicts.get("no realignment") != "better":
        why = "Look at [realign] first (loss, steps, lr): realignment itself shows no gain here."
        steps.append(Step(f"{why} {NEW}"))
    more = min(2 * len(confirmation.seeds), MOST_SEEDS)
    if "not separated" in verdicts.values() and more > len(confirmation.seeds):
        why = "For narrower intervals, where a comparison is not separated: more fresh seeds."
        steps.append(Step(why, study_command(config, "confirm", "--seeds", str(more))))
    if found.fake:
        why = "This was a rehearsal, and its scores are FAKE: name an encoder in model.base and begin again."
        return [*steps, Step(why, study_command(config, "check"))]
    folder = f"{config.path.stem}-export"
    return [
        *steps,
        Step("Take the confirmed subset.", study_command(config, "export", "-o", folder)),
        Step("Realign on it for production.", command_line("realign", folder, "-o", f"{folder}-model")),
    ]
