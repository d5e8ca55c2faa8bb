"""Targets of a subset, and the distance of each candidate from them: by the metric, or by measured transfer.

Measured transfer T (donor × target, any unit, greater is better) becomes a distance (max T - T) / (max T - min T): the
best transfer in the file is 0, the worst 1. A weighted mean of it orders subsets as the weighted mean of T itself does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selector import constraints
from selector.distances import user_matrix
from selector.errors import InputError
from selector.languages.language import Language, Pool, parse

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class TransferDistances:
    """Measured transfer as distances."""

    donors: dict[str, int]
    targets: dict[str, int]
    far: Matrix  # [donors, targets], 0 to 1


@dataclass(frozen=True)
class Targets:
    """The m languages to serve, their weights, and the source of their distances."""

    targets: Pool  # [m], sorted by code
    weights: Vector  # [m], sum 1
    outside: Pool  # targets outside the frame, whose distances the metric must give
    named: bool
    transfer: TransferDistances | None

    def distances(
        self, everyone: Sequence[Language], measured: Matrix, n: int, source: Language | None
    ) -> tuple[Matrix, Vector | None]:
        """Distances of targets from the frame [m, n], with a contiguous transpose, and from the source [m], None where
        unknown.

        `measured` are the metric's distances between `everyone`: the `n` of the frame, then those outside, then the
        source.
        """
        if self.transfer is not None:
            return _from_transfer(self.transfer, everyone[:n], self.targets, source)
        inside = measured[:n, :n]
        if self.targets == tuple(everyone[:n]):
            return inside.T, measured[:n, -1] if source is not None else None
        place = {language: i for i, language in enumerate(everyone)}
        index = [place[target] for target in self.targets]
        return measured[:n, index].copy().T, measured[index, -1] if source is not None else None


def resolve_targets(
    frame: Pool,
    source: Language | None,
    asked: Iterable[Language] | None,
    weights: Mapping[Language, float] | None,
    transfer: str | None,
) -> Targets:
    """Targets that the user `asked` for; else those of the file `transfer`; else the frame. Never the source.

    InputError: no target is left, `weights` are missing or impossible, or the file lacks a language.
    """
    measured = None if transfer is None else _read_transfer(transfer)
    named = asked is not None or measured is not None
    everyone = asked if asked is not None else [parse(code) for code in measured.targets] if measured else frame
    targets = tuple(sorted({language for language in everyone if language != source}))
    if not targets:
        raise InputError("there is no target besides the source", "name at least one language to be served")
    if measured is not None:
        _check_measured(frame, targets, measured, str(transfer))
    known = set(frame) if measured is None else set(targets)
    outside = tuple(language for language in targets if language not in known)
    return Targets(targets, _weights(targets, weights), outside, named, measured)


def _weights(targets: Pool, given: Mapping[Language, float] | None) -> Vector:
    if given is None:
        return np.full(len(targets), 1.0 / len(targets))
    found = constraints.amounts(targets, given, "weight", "target")
    if not found.sum() > 0:
        raise InputError("every target has weight 0", "give at least one target a positive weight")
    return np.asarray(found / found.sum())


def _read_transfer(path: str) -> TransferDistances:
    donors, targets, measured = user_matrix.read_transfer(path)
    span = float(measured.max() - measured.min())
    far = (measured.max() - measured) / (span or 1.0)
    return TransferDistances({c: i for i, c in enumerate(donors)}, {c: i for i, c in enumerate(targets)}, far)


def _check_measured(frame: Pool, targets: Pool, transfer: TransferDistances, path: str) -> None:
    for what, languages, known in (("from", frame, transfer.donors), ("to", targets, transfer.targets)):
        missing = [language.code for language in languages if language.code not in known]
        if missing:
            raise InputError(
                f"'{path}' has no transfer {what} {', '.join(missing[:5])}",
                "narrow the pool or the targets to the file",
            )


def _from_transfer(
    transfer: TransferDistances, frame: Sequence[Language], targets: Pool, source: Language | None
) -> tuple[Matrix, Vector | None]:
    column = [transfer.targets[language.code] for language in targets]
    rows = [transfer.donors[language.code] for language in frame]
    own = None if source is None else transfer.donors.get(source.code)
    return transfer.far[np.ix_(rows, column)].T, None if own is None else transfer.far[own, column]
