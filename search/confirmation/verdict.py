"""The conclusion from a study, in one sentence that report, dashboard, export, status and `confirm` all repeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from search.confirmation import choice
from search.confirmation.recommend import Recommender
from search.confirmation.significance import LEVEL, format_p
from search.results.confirmation import Confirmation, ConfirmedRow, Luck, Race
from search.results.estimates import Difference
from search.results.words import SAME, join_names, percent, points, signed
from selector.errors import quantity

FAKE_SCORES = "FAKE scores of a rehearsal, for which no encoder was trained"
AGAINST = {"vs_none": "no realignment", "vs_all": "all languages", "vs_random": "random languages of the same size"}


@dataclass(frozen=True)
class Comparison:
    """A confirmed subset against one alternative."""

    against: str
    found: Difference

    @property
    def difference(self) -> float:
        """By how much the subset scores higher, in [-1, 1]."""
        return self.found.difference

    @property
    def verdict(self) -> str:
        """`better`, `worse` or `not separated`: by p < 0.05 (corrected for many comparisons), else by the interval.

        `the same` where both sides are, as where no other subset of that size is allowed.
        """
        if self.found.is_nothing:
            return "the same"
        if self.found.p is not None:
            apart = self.found.p < LEVEL
        else:
            apart = self.found.ci95.low > 0 or self.found.ci95.high < 0
        return ("better" if self.difference > 0 else "worse") if apart else "not separated"

    @property
    def details(self) -> str:
        """`95 % interval +1.0 to +2.0, p=0.01`."""
        if self.found.is_nothing:
            return SAME
        span = f"95 % interval {signed(100 * self.found.ci95.low)} to {signed(100 * self.found.ci95.high)}"
        return span if self.found.p is None else f"{span}, {format_p(self.found.p)}"


@dataclass(frozen=True)
class Verdict:
    """The conclusion from a study: the trial that scored highest, the one expected to, the one confirmed, its gain."""

    highest: int | None = None  # number of the trial with the highest score in the search; None before the first
    expected: int | None = None  # that of which the model expects most; None where no model searched
    score: float | None = None  # of the trial `highest`
    languages: tuple[str, ...] = ()  # codes of the confirmed subset, else of the trial to take
    row: ConfirmedRow | None = None  # the confirmed candidate to take
    trial: int | None = None  # number of the trial that measured the confirmed subset; None where the search did not
    ahead: int | None = None  # number of the trial that is ahead since the confirmation
    race: Race | None = None  # that the confirmed subset won
    forbidden: int = 0  # finished trials, where the study file allows the subset of none of them by now
    allowed: bool = True  # whether the study file allows the confirmed subset by now
    fake: bool = False  # a rehearsal: a formula took the place of the encoder

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The confirmed subset against no realignment, all languages, and random ones; empty before confirmation."""
        if self.row is None:
            return ()
        cells: dict[str, Difference | None] = {against: getattr(self.row, key) for key, against in AGAINST.items()}
        return tuple(Comparison(against, cell) for against, cell in cells.items() if cell is not None)

    @property
    def sentence(self) -> str:
        """All in one line: which trial scored highest, which the model prefers, which was confirmed, and its gains."""
        return f"{self.trials} {self.gains[:1].upper()}{self.gains[1:]}." if self.row is not None else self.trials

    @property
    def trials(self) -> str:
        """One sentence on the trials: the highest score, the preference of the model, the confirmation."""
        if self.highest is None:
            return f"{self._nothing}."
        head = f"{FAKE_SCORES}: trial" if self.fake else "Trial"
        tense = "expected" if self.row is not None else "expects"
        other = self.expected not in (None, self.highest)
        model = f"; the model {tense} more of trial {self.expected}" if other else ""
        same = not other and self.trial == self.highest and self.row is not None and self.row.was_found
        end = f" and was confirmed on fresh seeds{self._won}" if same else f"; {self._confirmed}"
        return f"{head} {self.highest} scored highest in the search{model}{end}{self._since}."

    @property
    def gains(self) -> str:
        """The gains of the confirmed subset in words, and the alternatives over which there is no evidence of one."""
        kinds: dict[str, list[Comparison]] = {"better": [], "worse": [], "not separated": [], "the same": []}
        for each in self.comparisons:
            kinds[each.verdict].append(each)
        clear = [f"{points(each.difference)} against {each.against}" for each in kinds["better"] + kinds["worse"]]
        unclear = join_names([each.against for each in kinds["not separated"]], last="or")
        clear += [f"no evidence of a gain over {unclear}"] if kinds["not separated"] else []
        same = join_names([each.against for each in kinds["the same"]])
        return "; ".join([*clear, *([f"{SAME} as {same}"] if kinds["the same"] else [])])

    def title(self, names: Mapping[str, str]) -> str:
        """The head of a report: the subset, what it scores, and its gains. `names` is code → name."""
        who = join_names([names.get(code, code) for code in self.languages])
        mark = "FAKE: " if self.fake else ""
        if self.row is not None:
            return f"{mark}Realigning on {who} scores {percent(self.row.mean)} %: {self.gains}"
        if self.highest is None or self.score is None:
            return self._nothing
        return f"{mark}The best score so far, {percent(self.score)} %, is that of {who}"

    @property
    def _nothing(self) -> str:
        if self.forbidden:
            return f"The study file allows the subset of none of the {quantity(self.forbidden, 'finished trial')}"
        return "No trial has finished yet"

    @property
    def _confirmed(self) -> str:
        if self.row is None:
            return "nothing is confirmed on fresh seeds yet"
        if not self.allowed:
            return f"confirmed on fresh seeds: {' '.join(self.row.languages)}, which the study file forbids by now"
        free = "" if self.row.was_found else f"the subset that {self.row.name} chose without measuring"
        number = "" if self.trial is None else f"trial {self.trial}"
        who = f"{number}, {free}" if number and free else number or free or "a subset that is no trial of this study"
        return f"confirmed on fresh seeds: {who}{self._won}"

    @property
    def _won(self) -> str:
        return f", the winner of a race of {self.race.candidates} candidates on other seeds" if self.race else ""

    @property
    def _since(self) -> str:
        return f"; trial {self.ahead} is ahead since then and is not confirmed" if self.ahead is not None else ""


def verdict(recommender: Recommender, confirmation: Confirmation | None, name: str | None = None) -> Verdict:
    """The conclusion from a study and its confirmation, if there is one.

    `name` is the confirmed candidate that was asked for; None: the one with the highest mean. InputError where it is
    none that may be chosen.
    """
    config, best = recommender.config, recommender.best
    if not best:
        return Verdict(forbidden=recommender.forbidden if recommender.all_forbidden else 0)
    top = next(iter(recommender.top()), None)
    by_model = config.search.strategy == "surrogate" and not config.search.objectives
    expected = top.number if by_model and top is not None else None
    start = Verdict(best[0].number, expected, best[0].value, best[0].subset.codes, fake=_is_fake(recommender))
    if confirmation is None:
        return start
    allowed = choice.allowed_candidates(config.space, confirmation)
    left = allowed or [confirmation.best]
    row = choice.choose(config.space, confirmation, name) if name is not None else choice.highest(left)
    number = next((trial.number for trial in best if set(trial.subset.codes) == set(row.languages)), None)
    ahead = choice.trial_ahead(confirmation, top)
    since = None if ahead is None else ahead.number
    race = confirmation.race if row.languages == confirmation.best.languages else None
    start = replace(start, languages=row.languages, row=row, allowed=bool(allowed))
    return replace(start, trial=number, ahead=since, race=race)


def _is_fake(recommender: Recommender) -> bool:
    """True for a rehearsal, unless an evaluator of the user's own measures."""
    return recommender.config.core.is_rehearsal and not recommender.study.record.attributes.get("evaluator")


def luck_in_words(luck: Luck) -> str:
    """By how much the search overstated its best subset, from `luck`, in one sentence.

    Where it did not, that is said and not called luck.
    """
    scores = f"{percent(luck.search)} % in the search, {percent(luck.fresh)} % on the same sentences with fresh seeds"
    size = round(100 * luck.difference, 1)
    if size > 0:
        return f"Winner's luck: {size:.1f} points of the best subset's search score ({scores})"
    more = f"{-size:.1f} points more" if size < 0 else "as much"
    return f"No winner's luck: the best subset scored {more} on fresh seeds ({scores})"
