"""The rows of a confirmation side by side: means, differences to the baselines with p-values, regressions. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from realign.score import Score
from search.backends.batch import Wanted
from search.confirmation import significance
from search.confirmation.row_scores import RowScores, regressions, score_row
from search.results.confirmation import ConfirmedRow
from search.results.estimates import Difference, Estimate, Interval, Noise
from search.space import Space
from selector.languages.language import Pool
from selector.languages.subset import Subset

BASELINES = ("all", "none", "random-k")


@dataclass(frozen=True)
class Row:
    """One name in the table of a confirmation: the same subset on every seed, or another one on each (random draws)."""

    name: str
    subsets: tuple[tuple[Subset, ...], ...]  # [n_seeds][replicates]

    @property
    def subset(self) -> Subset | None:
        """The one subset of the row; None for random draws."""
        return self.subsets[0][0] if len({subset for each in self.subsets for subset in each}) == 1 else None

    def pairs(self, fresh: Sequence[int]) -> list[list[Wanted]]:
        """Subset and seed of every measurement of the row, [n_seeds][replicates]; `fresh` are the seeds."""
        pairs = zip(fresh, self.subsets, strict=True)
        return [[(subset, seed) for subset in subsets] for seed, subsets in pairs]


def method(seeds: int) -> str:
    """The method of intervals and p-values where a row has `seeds` seeds, in words for reports."""
    if seeds == 1:
        return "Student's t over sentences alone, as there is one seed; 95 % intervals, p after Holm"
    return (
        "Student's t over paired seeds and over sentences, half-widths added as squares (Banerjee 1960), "
        "95 % intervals, p after Holm"
    )


@dataclass(frozen=True)
class RowComparison:
    """Compares rows with each other and with the baselines, on the targets of a study."""

    tune: tuple[str, ...]  # codes of the tuning targets
    held_out: tuple[str, ...]  # codes of the languages that the search never saw
    space: Space  # knows what a subset costs

    def confirmed_rows(
        self, rows: Sequence[Row], scores: Mapping[str, Sequence[Sequence[Score]]]
    ) -> tuple[ConfirmedRow, ...]:
        """The rows with means, intervals and p-values; `scores` holds those of each row, [n_seeds][replicates]."""
        measured = {row.name: score_row(scores[row.name]) for row in rows}
        differences = {
            (row.name, baseline): measured[row.name] - measured[_rival(row, baseline, measured)]
            for row in rows
            for baseline in BASELINES
            if row.name != baseline
        }
        by_name = {row.name: row for row in rows}
        single = {pair: difference.estimate(self.tune).p for pair, difference in differences.items()}
        corrected = _correct(single)
        versus = {
            pair: self._versus(by_name[pair[0]], difference, single[pair], corrected[pair])
            for pair, difference in differences.items()
        }
        return tuple(self._row(row, measured, scores[row.name], versus) for row in rows)

    def _row(
        self,
        row: Row,
        measured: Mapping[str, RowScores],
        scores: Sequence[Sequence[Score]],
        versus: Mapping[tuple[str, str], Difference],
    ) -> ConfirmedRow:
        """One row; `scores` are its own, `versus` the differences of every row to each baseline."""
        mine, subset = measured[row.name], row.subset
        signatures = "+".join(score.signature for each in scores for score in each)
        mean, inside = mean_of(mine, self.tune), subset.codes if subset is not None else ()
        return ConfirmedRow(
            name=row.name,
            languages=inside,
            draws=None if subset is not None else tuple(each.codes for drawn in row.subsets for each in drawn),
            mean=mean.mean,
            ci95=mean.ci95,
            std=mine.std(self.tune),
            seeds=len(row.subsets),
            cost=None if subset is None else self.space.cost(subset),
            per_language=mine.per_language,
            signature=hashlib.sha256(signatures.encode()).hexdigest()[:24],
            held_out=_part_mean(mine, self.held_out),
            members=_part_mean(mine, [code for code in self.tune if code in inside]),
            non_members=None
            if subset is None
            else _part_mean(mine, [code for code in self.tune if code not in inside]),
            vs_all=versus.get((row.name, "all")),
            vs_none=versus.get((row.name, "none")),
            vs_random=versus.get((row.name, "random-k")),
            regressions=tuple(regressions(mine, measured["none"])) if row.name != "none" else (),
            per_language_ci95={code: _interval(mine, [code], 0.0) for code in mine.codes},
            per_language_gain=None if row.name == "none" else _gains(mine - measured["none"]),
        )

    def _versus(self, row: Row, difference: RowScores, p: float, corrected: float) -> Difference:
        """Difference to a baseline: over the targets, and apart for languages inside, outside, and held out.

        Standard errors are given for each source of noise, so that other tests can be made of them. `p` is that of this
        difference alone, `corrected` that of it among all.
        """
        inside = row.subset.codes if row.subset is not None else ()
        outside = [code for code in self.tune if code not in inside] if inside else []
        whole = difference_of(difference, self.tune)
        return Difference(
            whole.difference,
            whole.ci95,
            p=corrected,
            p_before_holm=p,
            noise_of_seeds=_noise(difference.noise_of_seeds(self.tune)),
            noise_of_sentences=_noise(difference.noise_of_sentences(self.tune)),
            members=_part_difference(difference, [code for code in self.tune if code in inside]),
            non_members=_part_difference(difference, outside),
            held_out=_part_difference(difference, self.held_out),
        )


def _rival(row: Row, baseline: str, names: Collection[str]) -> str:
    """The row that stands for a baseline: of random subsets those of the row's own size, where they were drawn."""
    own = f"random-{len(row.subset)}" if row.subset is not None else baseline
    return own if baseline == "random-k" and own in names else baseline


def codes_of(languages: Pool) -> tuple[str, ...]:
    """The codes of `languages`, in their order."""
    return tuple(language.code for language in languages)


def mean_of(measured: RowScores, codes: Sequence[str]) -> Estimate:
    """Macro-average of a row over the languages `codes`, in [0, 1], with its 95 % interval cut at 0 and 1."""
    return Estimate(measured.mean(codes), _interval(measured, codes, 0.0))


def difference_of(difference: RowScores, codes: Sequence[str]) -> Difference:
    """Macro-average of `difference`, one row less another, over `codes`, with its 95 % interval cut at -1 and 1."""
    return Difference(difference.mean(codes), _interval(difference, codes, -1.0))


def _interval(measured: RowScores, codes: Sequence[str], least: float) -> Interval:
    low, high = measured.estimate(codes).interval()
    return Interval(max(least, low), min(1.0, high))


def _gains(difference: RowScores) -> dict[str, Difference]:
    """Language by language. Intervals hold for each alone: among many, some leave out zero by chance."""
    return {code: difference_of(difference, [code]) for code in difference.codes}


def _part_mean(measured: RowScores, codes: Sequence[str]) -> Estimate | None:
    """Mean over some of the languages; None where there is none of them."""
    return mean_of(measured, codes) if codes else None


def _part_difference(difference: RowScores, codes: Sequence[str]) -> Difference | None:
    return difference_of(difference, codes) if codes else None


def _noise(found: Sequence[significance.NoiseVariance]) -> Noise | None:
    return Noise(found[0].variance ** 0.5, found[0].degrees) if found else None


def _correct(p: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """p-values after Holm, by row and baseline: over what is claimed (chosen rows), and apart over the baselines."""
    families: list[dict[str, float]] = [{}, {}]
    for (name, baseline), value in p.items():
        families[name in BASELINES or name.startswith("random-")][f"{name}|{baseline}"] = value
    corrected = {**significance.holm(families[0]), **significance.holm(families[1])}
    return {pair: corrected["|".join(pair)] for pair in p}
