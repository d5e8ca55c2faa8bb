"""Language by language: what the chosen subset scores, what the baselines score, and what is beyond noise."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from search.config.study_config import StudyConfig
from search.results.confirmation import Confirmation, ConfirmedRow
from search.results.estimates import Difference, Interval
from search.results.words import join_names

HEAD = ["code", "language", "role", "mean", "mean_low", "mean_high", "none", "all", "random"]
HEAD += ["gain", "gain_low", "gain_high", "worse_beyond_noise"]


@dataclass(frozen=True)
class LanguageRow:
    """Scores of one language in [0, 1], means over the fresh seeds."""

    code: str
    name: str
    inside: bool  # the chosen subset
    held_out: bool  # from the search
    mean: float  # of the chosen subset
    none: float  # without realignment
    ci95: Interval | None = None  # None: confirmed by a version that did not store it
    all: float | None = None
    random: float | None = None  # random subsets of the same size
    gain_ci95: Interval | None = None  # of the gain over no realignment
    worse: bool = False  # than without realignment, beyond noise: see `ConfirmedRow.regressions`

    @property
    def gain(self) -> float:
        """By how much the chosen subset scores more than no realignment."""
        return self.mean - self.none

    @property
    def lower(self) -> bool:
        """Less than without realignment, but within noise."""
        return self.gain < 0 and not self.worse

    @property
    def remark(self) -> str:
        """A remark on whether a loss against no realignment is beyond noise; "" where there is no loss."""
        return "worse beyond noise" if self.worse else "less, within noise" if self.lower else ""

    @property
    def role(self) -> str:
        """`held out`, `inside` or `outside` the subset."""
        return "held out" if self.held_out else "inside" if self.inside else "outside"


def language_rows(config: StudyConfig, confirmation: Confirmation, chosen: ConfirmedRow) -> list[LanguageRow]:
    """The targets, then the held-out languages, each by name; those that were confirmed under both rows compared."""
    languages = [(each, False) for each in config.tune] + [(each, True) for each in config.held_out]
    none, every = confirmation["none"].per_language, confirmation["all"].per_language
    random = _random(confirmation, chosen).per_language
    means: Mapping[str, Interval] = chosen.per_language_ci95 or {}
    gains: Mapping[str, Difference] = chosen.per_language_gain or {}
    found = [
        LanguageRow(
            code=each.code,
            name=each.name,
            inside=each.code in chosen.languages,
            held_out=apart,
            mean=chosen.per_language[each.code],
            none=none[each.code],
            ci95=means.get(each.code),
            all=every.get(each.code),
            random=random.get(each.code),
            gain_ci95=gains[each.code].ci95 if each.code in gains else None,
            worse=each.code in chosen.regressions,
        )
        for each, apart in languages
        if each.code in chosen.per_language and each.code in none
    ]
    return sorted(found, key=lambda row: (row.held_out, row.name))


def _random(confirmation: Confirmation, chosen: ConfirmedRow) -> ConfirmedRow:
    """The random subsets of the chosen one's size."""
    own = f"random-{len(chosen.languages)}"
    return next((row for row in confirmation.rows if row.name == own), confirmation["random-k"])


def losses(rows: Sequence[LanguageRow]) -> list[str]:
    """Sentences on the languages that score less than without realignment: beyond noise, then within it."""
    worse = [row.name for row in rows if row.worse]
    shy = [row.name for row in rows if row.lower]
    if not worse and not shy:
        return ["No language scores less than without realignment."]
    told = [f"Worse than without realignment, beyond noise: {join_names(worse, most=100)}." if worse else ""]
    told += ["No language is worse than without realignment beyond noise." if not worse else ""]
    told += [f"Lower, but within noise: {join_names(shy, most=100)}." if shy else ""]
    return [sentence for sentence in told if sentence]


def as_csv(rows: Sequence[LanguageRow]) -> str:
    """The table as CSV, scores and differences in percent; what is not known is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for row in rows:
        low, high = _ends(row.ci95)
        values = [row.mean, low, high, row.none, row.all, row.random, row.gain, *_ends(row.gain_ci95)]
        cells = ["" if value is None else f"{100 * value:.2f}" for value in values]
        writer.writerow([row.code, row.name, row.role, *cells, "yes" if row.worse else "no"])
    return text.getvalue()


def as_link(text: str) -> str:
    """The CSV as an address that a browser saves without any network."""
    return f"data:text/csv;charset=utf-8,{quote(text)}"


def _ends(interval: Interval | None) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else (interval.low, interval.high)
