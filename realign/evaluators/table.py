"""Tables of measured scores, so that searches are compared without training (`realingo bench search --table`).

A table holds every subset that can be asked for, at one or more fidelities and seeds, with the score of every target.
One .npz file without pickled objects; written whole or not at all.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realign.cache import write_bytes
from selector.distances.user_matrix import BROKEN
from selector.errors import InputError

SCHEMA = 1


@dataclass(frozen=True)
class ScoreTable:
    """Scores of `subsets` at `fidelities` (by name), in the order of the axes of `values`."""

    pool: tuple[str, ...]  # codes
    targets: tuple[str, ...]  # codes, [t]
    subsets: tuple[tuple[str, ...], ...]  # sorted codes each, [s]
    fidelities: Mapping[str, Mapping[str, Any]]  # name → its facts, [f]
    seconds: Mapping[str, float]  # name → time of one evaluation; "alone": of one language that scores are made of
    values: NDArray[np.float32]  # [f, s, seeds, t], in [0, 1]; not a number where nothing was measured
    about: Mapping[str, Any]  # the settings that made it, and the command

    @cached_property
    def signature(self) -> str:
        """Hash of all numbers and settings."""
        whole = json.dumps([self.pool, self.targets, self.subsets, self.fidelities, self.about], sort_keys=True)
        return hashlib.sha256(whole.encode() + np.ascontiguousarray(self.values).tobytes()).hexdigest()[:24]

    @cached_property
    def row(self) -> Mapping[tuple[str, ...], int]:
        """Codes of a subset → its index in `values`."""
        return {codes: place for place, codes in enumerate(self.subsets)}

    @property
    def seeds(self) -> int:
        return int(self.values.shape[2])

    def save(self, file: Path) -> None:
        member = np.array([[code in codes for code in self.pool] for codes in self.subsets], dtype=bool)
        texts = {"schema": SCHEMA, "pool": self.pool, "targets": self.targets, "fidelities": self.fidelities}
        texts |= {"seconds": self.seconds, "about": self.about}
        stream = io.BytesIO()
        np.savez_compressed(stream, member=member, values=self.values, texts=np.array(json.dumps(texts)))
        write_bytes(file, stream.getvalue())


def load(file: Path) -> ScoreTable:
    """Table in `file`. InputError: the file is no such table."""
    hint = "a table is made by studies/tables/make.py"
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            member, values = arrays["member"], arrays["values"]
            texts = json.loads(str(arrays["texts"]))
        if texts.pop("schema") != SCHEMA:
            raise InputError(f"{file} is a table of another schema", hint)
        pool, targets = tuple(texts.pop("pool")), tuple(texts.pop("targets"))
        subsets = tuple(
            tuple(sorted(code for code, inside in zip(pool, line, strict=True) if inside)) for line in member
        )
        found = ScoreTable(pool, targets, subsets, texts["fidelities"], texts["seconds"], values, texts["about"])
    except (OSError, *BROKEN) as problem:
        raise InputError(f"cannot read the table {file}: {problem}", hint) from None
    if values.shape[:2] != (len(found.fidelities), len(subsets)) or values.shape[3:] != (len(targets),):
        raise InputError(f"the table {file} has values of shape {values.shape}", hint)
    return found
